/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry.h"

#include "base/cleanup.h"
#include "base/home.h"
#include "image/index.h"
#include "image/oci.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pushing {
	struct fetch_request r;
	int images, *fds;
};

static int add_blob(struct pushing *p, const char *hex, uint64_t size, struct error *e)
{
	struct fetch_blob b = { .size = size };
	char path[96];
	struct stat st;
	int fd;

	for (size_t i = 0; i < p->r.n_blobs; i++)
		if (streq(p->r.blobs[i].hex, hex))
			return 0;
	snprintf(path, sizeof(path), "blobs/sha256/%s", hex);
	fd = openat(p->images, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_errno(e, errno, "the store is damaged: blob sha256:%.12s", hex);
	p->r.blobs = xrealloc(p->r.blobs, p->r.n_blobs + 1, sizeof(*p->r.blobs));
	p->fds = xrealloc(p->fds, p->r.n_blobs + 1, sizeof(*p->fds));
	p->fds[p->r.n_blobs] = fd;
	memcpy(b.hex, hex, DIGEST_SIZE);
	p->r.blobs[p->r.n_blobs++] = b;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		return error_set(e, EBADMSG, "the store is damaged: blob sha256:%.12s has not the size that it should have", hex);
	return 0;
}

/* Every blob of the image, the manifest last; that one alone may be there twice for its bytes, never before its parts. */
static int add_image(struct pushing *p, const struct index_entry *i, struct error *e)
{
	_cleanup_(oci_manifest_free) struct oci_manifest m = { 0 };
	struct image_limits limits = { .layers = 1000 };
	char path[96];
	json_t *doc;
	int r;

	snprintf(path, sizeof(path), "blobs/sha256/%s", i->manifest);
	doc = json_read(p->images, path, OCI_DOCUMENT_MAX, e);
	if (!doc)
		return e->code;
	r = oci_manifest_read(doc, &limits, &m, e);
	for (size_t k = 0; r == 0 && k < m.n; k++)
		r = add_blob(p, m.layers[k].hex, m.layers[k].size, e);
	if (r == 0)
		r = add_blob(p, m.config.hex, m.config.size, e);
	if (r == 0)
		r = add_blob(p, i->manifest, i->manifest_size, e);
	return r;
}

/* Where the registry may have the blobs already: it sent them, from another of its repositories. */
static char *neighbour(const struct index_entry *i, const struct reference *to)
{
	_cleanup_reference_ struct reference from = { 0 };

	if (!i->pulled || reference_parse(i->pulled, &from, NULL) < 0 || !streq(from.host, to->host) || streq(from.path, to->path))
		return NULL;
	return xstrdup(from.path);
}

int image_push(const char *image, const struct reference *to, const struct conf *conf, const struct registry_report *report,
	       char digest[static DIGEST_SIZE], struct error *e)
{
	_cleanup_close_ int lock = store_lock(false, true, e); /* nothing is collected meanwhile */
	_cleanup_(index_free) struct index x = { 0 };
	struct pushing p = { .images = -1 };
	ssize_t found;
	int r = lock < 0 ? lock : index_read(&x, e);

	if (r < 0)
		return r;
	found = index_find(&x, image, NULL, e);
	if (found < 0)
		return (int)found;
	p.images = home_data_dir("images", e);
	r = p.images < 0 ? p.images : registry_prepare(to, conf, &p.r, e);
	if (r == 0)
		r = add_image(&p, &x.entries[found], e);
	if (r == 0) {
		p.r.operation = FETCH_PUSH;
		p.r.blobs[p.r.n_blobs - 1].media_type = xstrdup(x.entries[found].media_type);
		p.r.blobs[p.r.n_blobs - 1].tag = xstrdup(to->tag);
		p.r.from = neighbour(&x.entries[found], to);
		memcpy(digest, x.entries[found].manifest, DIGEST_SIZE);
		r = registry_run(&p.r, -1, p.fds, p.r.n_blobs, report, NULL, NULL, e);
	}
	for (size_t i = 0; i < p.r.n_blobs; i++)
		close(p.fds[i]);
	free(p.fds);
	cleanup_close(&p.images);
	fetch_request_free(&p.r);
	return r < 0 ? error_wrap(e, "cannot push %s to %s/%s", image, to->host, to->path) : 0;
}
