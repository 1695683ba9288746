/* SPDX-License-Identifier: Apache-2.0 */
#include "image/save.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "image/hash.h"
#include "image/index.h"
#include "image/name.h"
#include "image/oci.h"
#include "image/tar_write.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1024 * 1024 };

struct saving {
	const struct save_request *req;
	int images;		       /* DATA/images */
	char (*blobs)[DIGEST_SIZE];    /* to write, each once */
	size_t n_blobs;
	json_t *index, *docker;	       /* manifests of index.json; entries of manifest.json */
	uint64_t done, total;
	struct tar_writer tar;
	char *chunk;
	struct error *e;
};

static int write_out(void *arg, const void *data, size_t n, struct error *e)
{
	const struct saving *s = arg;
	int r = fd_write_all(s->req->out, data, n);

	return r < 0 ? error_errno(e, r, "cannot write") : 0;
}

/* Without owner and time: the same images give the same archive. */
static int put_header(struct saving *s, const char *name, char type, uint64_t size)
{
	struct tar_entry entry = { .type = type, .path = name, .mode = type == 'd' ? 0755 : 0644, .size = size };

	return tar_write_entry(&s->tar, &entry, s->e);
}

/* --- files of the layout, in whichever form ---------------------------------------------------------------------- */

static bool folder(const struct saving *s)
{
	return s->req->format == SAVE_OCI_FOLDER;
}

static int put_folder(struct saving *s, const char *name)
{
	if (!folder(s))
		return put_header(s, name, 'd', 0);
	return mkdirat(s->req->out, name, 0755) < 0 ? error_errno(s->e, errno, "cannot make %s", name) : 0;
}

static int put_document(struct saving *s, const char *name, const json_t *j)
{
	_cleanup_free_ char *text = json_text(j);
	size_t n = strlen(text);
	int r;

	if (folder(s)) {
		r = file_replace(s->req->out, name, text, n, 0644, false);
		return r < 0 ? error_errno(s->e, r, "cannot write %s", name) : 0;
	}
	r = put_header(s, name, 'f', n);
	return r < 0 ? r : tar_write_data(&s->tar, text, n, s->e);
}

/* The bytes, hashed on the way (law 6); `to` -1: into the archive. */
static int copy_verified(struct saving *s, int from, int to, const char *hex, uint64_t size)
{
	_cleanup_hash_ struct hash *hash = hash_new();
	unsigned char sha[SHA256_LEN];
	char got[DIGEST_SIZE];
	uint64_t left = size;

	while (left > 0) {
		ssize_t n = read(from, s->chunk, left < CHUNK ? (size_t)left : CHUNK);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_errno(s->e, n < 0 ? errno : EIO, "cannot read blob sha256:%.12s", hex);
		hash_add(hash, s->chunk, (size_t)n);
		if (to < 0)
			r = tar_write_data(&s->tar, s->chunk, (size_t)n, s->e);
		else if ((r = fd_write_all(to, s->chunk, (size_t)n)) < 0)
			error_errno(s->e, r, "cannot write");
		if (r < 0)
			return r;
		left -= (uint64_t)n;
		s->done += (uint64_t)n;
		if (s->req->progress)
			s->req->progress(s->req->arg, s->done, s->total);
	}
	hash_end(hash, sha);
	hex_encode(sha, sizeof(sha), got);
	if (streq(got, hex))
		return 0;
	error_set(s->e, EBADMSG, "the store is damaged: blob sha256:%s has the digest sha256:%s", hex, got);
	error_hint(s->e, "load the image again from where it came");
	return -EBADMSG;
}

static int put_blob(struct saving *s, const char *hex)
{
	_cleanup_close_ int from = -1, to = -1;
	char name[96];
	struct stat st;
	int r;

	snprintf(name, sizeof(name), "blobs/sha256/%s", hex);
	from = openat(s->images, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (from < 0 || fstat(from, &st) < 0)
		return error_errno(s->e, errno, "the store is damaged: blob sha256:%.12s", hex);
	if (folder(s)) {
		to = openat(s->req->out, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (to < 0)
			return error_errno(s->e, errno, "cannot write %s", name);
		return copy_verified(s, from, to, hex, (uint64_t)st.st_size);
	}
	r = put_header(s, name, 'f', (uint64_t)st.st_size);
	return r < 0 ? r : copy_verified(s, from, -1, hex, (uint64_t)st.st_size);
}

/* --- what goes in ------------------------------------------------------------------------------------------------ */

static int want_blob(struct saving *s, const char *hex)
{
	char name[96];
	struct stat st;

	for (size_t i = 0; i < s->n_blobs; i++)
		if (streq(s->blobs[i], hex))
			return 0;
	snprintf(name, sizeof(name), "blobs/sha256/%s", hex);
	if (fstatat(s->images, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(s->e, errno, "the store is damaged: blob sha256:%.12s", hex);
	s->blobs = xrealloc(s->blobs, s->n_blobs + 1, sizeof(*s->blobs));
	memcpy(s->blobs[s->n_blobs++], hex, DIGEST_SIZE);
	s->total += (uint64_t)st.st_size;
	return 0;
}

static json_t *index_descriptor(const struct index_entry *i, const char *name)
{
	_cleanup_free_ char *digest = xasprintf("sha256:%s", i->manifest);
	json_t *d = json_pack("{s:s,s:s,s:I}", "mediaType", i->media_type, "digest", digest, "size",
			      (json_int_t)i->manifest_size);

	/* containerd reads the whole name from its own annotation; podman, skopeo and brig know both. */
	if (name)
		json_object_set_new(d, "annotations",
				    json_pack("{s:s,s:s}", "io.containerd.image.name", name,
					      "org.opencontainers.image.ref.name", name));
	return d;
}

static int add_docker_entry(struct saving *s, const struct index_entry *i, const struct oci_manifest *m,
			    const char *name)
{
	_cleanup_free_ char *config = xasprintf("blobs/sha256/%s", i->config);
	json_t *entry, *tags;
	size_t k;

	json_array_foreach(s->docker, k, entry) {
		if (!streq(json_string_value(json_object_get(entry, "Config")), config))
			continue;
		if (name)
			json_array_append_new(json_object_get(entry, "RepoTags"), json_string(name));
		return 0;
	}
	tags = json_array();
	if (name)
		json_array_append_new(tags, json_string(name));
	entry = json_pack("{s:s,s:o,s:[]}", "Config", config, "RepoTags", tags, "Layers");
	for (k = 0; k < m->n; k++) {
		_cleanup_free_ char *layer = xasprintf("blobs/sha256/%s", m->layers[k].hex);

		json_array_append_new(json_object_get(entry, "Layers"), json_string(layer));
	}
	return json_array_append_new(s->docker, entry);
}

static int add_image(struct saving *s, const struct index *x, const char *ref)
{
	_cleanup_(oci_manifest_free) struct oci_manifest m = { 0 };
	struct image_limits limits = { .layers = UINT64_MAX };
	const struct index_entry *i;
	char path[96];
	bool by_id;
	ssize_t found = index_find(x, ref, &by_id, s->e);
	json_t *doc;
	int r;

	if (found < 0)
		return (int)found;
	i = &x->entries[found];
	snprintf(path, sizeof(path), "blobs/sha256/%s", i->manifest);
	doc = json_read(s->images, path, OCI_DOCUMENT_MAX, s->e);
	if (!doc)
		return s->e ? s->e->code : -EIO;
	r = oci_manifest_read(doc, &limits, &m, s->e);
	if (r == 0)
		r = want_blob(s, i->manifest);
	if (r == 0)
		r = want_blob(s, i->config);
	for (size_t k = 0; r == 0 && k < m.n; k++)
		r = want_blob(s, m.layers[k].hex);
	if (r < 0)
		return r;
	json_array_append_new(s->index, index_descriptor(i, by_id ? NULL : i->name));
	add_docker_entry(s, i, &m, by_id ? NULL : i->name);
	return 0;
}

static int write_all(struct saving *s)
{
	_cleanup_json_ json_t *layout = json_pack("{s:s}", "imageLayoutVersion", "1.0.0");
	_cleanup_json_ json_t *index = json_pack("{s:i,s:s,s:O}", "schemaVersion", 2, "mediaType", OCI_INDEX, "manifests",
						 s->index);
	int r = put_folder(s, "blobs");

	if (r == 0)
		r = put_folder(s, "blobs/sha256");
	for (size_t i = 0; r == 0 && i < s->n_blobs; i++)
		r = put_blob(s, s->blobs[i]);
	if (r == 0)
		r = put_document(s, "index.json", index);
	if (r == 0 && s->req->format == SAVE_DOCKER)
		r = put_document(s, "manifest.json", s->docker);
	if (r == 0)
		r = put_document(s, "oci-layout", layout);
	return r < 0 || folder(s) ? r : tar_write_end(&s->tar, s->e);
}

int image_save(const struct save_request *req, struct error *e)
{
	struct saving s = { .req = req, .images = -1, .tar = { .write = write_out, .arg = &s }, .e = e };
	_cleanup_(index_free) struct index x = { 0 };
	_cleanup_close_ int lock = store_lock(false, true, e); /* nothing is collected meanwhile */
	int r = lock < 0 ? lock : index_read(&x, e);

	if (r < 0)
		return r;
	s.images = home_data_dir("images", e);
	if (s.images < 0)
		return s.images;
	s.index = json_array();
	s.docker = json_array();
	s.chunk = xmalloc(CHUNK);
	strv_foreach(it, req->refs) {
		r = add_image(&s, &x, *it);
		if (r < 0)
			break;
	}
	if (r == 0)
		r = write_all(&s);
	json_decref(s.index);
	json_decref(s.docker);
	free(s.blobs);
	free(s.chunk);
	close(s.images);
	return r;
}
