/* SPDX-License-Identifier: Apache-2.0 */
#include "image/index.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "image/name.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const char name_key[] = "org.opencontainers.image.ref.name";

static void entry_free(struct index_entry *i)
{
	free(i->name);
	free(i->media_type);
	free(i->pulled);
}

void index_free(struct index *x)
{
	for (size_t i = 0; i < x->n; i++)
		entry_free(&x->entries[i]);
	free(x->entries);
	*x = (struct index){ 0 };
}

static struct index_entry *append(struct index *x, const struct index_entry *from)
{
	struct index_entry *to;

	x->entries = xrealloc(x->entries, x->n + 1, sizeof(*x->entries));
	to = &x->entries[x->n++];
	*to = *from;
	to->name = xstrdup(from->name);
	to->media_type = xstrdup(from->media_type);
	to->pulled = xstrdup(from->pulled);
	return to;
}

void index_remove(struct index *x, size_t i)
{
	entry_free(&x->entries[i]);
	memmove(&x->entries[i], &x->entries[i + 1], (x->n - i - 1) * sizeof(*x->entries));
	x->n--;
}

static bool bears_other_name(const struct index *x, size_t but)
{
	for (size_t i = 0; i < x->n; i++)
		if (i != but && streq(x->entries[i].config, x->entries[but].config))
			return true;
	return false;
}

/* What is known of where the same image came from, put together. */
static void merge_origin(const struct index_entry *from, struct index_entry *to)
{
	to->local |= from->local;
	if (!to->pulled)
		to->pulled = xstrdup(from->pulled);
}

bool index_add(struct index *x, const struct index_entry *entry)
{
	struct index_entry *to;
	bool moved = false;
	size_t mine;

	mine = x->n;
	append(x, entry);
	for (size_t i = mine; i-- > 0;) {
		struct index_entry *old = &x->entries[i];
		bool same_image = streq(old->config, entry->config) && streq(old->manifest, entry->manifest);
		/* What was pulled by digest alone is found by where it came from: two such places are two entries. */
		bool same_origin = !old->pulled || !entry->pulled || streq(old->pulled, entry->pulled);

		to = &x->entries[mine];
		if (same_image && (old->name ? streq(old->name, entry->name) : same_origin)) {
			merge_origin(old, to);
			index_remove(x, i);
			mine--;
		} else if (same_image && !entry->name && same_origin) {
			merge_origin(to, old);
			index_remove(x, mine);
			return false; /* it is here, under a name */
		} else if (entry->name && streq(old->name, entry->name)) {
			moved = true;
			if (bears_other_name(x, i) || streq(old->config, entry->config)) {
				index_remove(x, i);
				mine--;
			} else {
				free(steal_ptr(&old->name));
			}
		}
	}
	return moved;
}

/* "brig.X" of the annotations into a digest's hex. */
static int read_hex(const json_t *notes, const char *where, const char *key, char out[DIGEST_SIZE], struct error *e)
{
	const char *s = NULL;
	int r = json_get_str(notes, where, key, &s, e);

	if (r < 0)
		return r;
	if (!s || !hex_valid(s, DIGEST_HEX))
		return error_set(e, EBADMSG, "%s.%s: not a SHA-256 in hex", where, key);
	memcpy(out, s, DIGEST_SIZE);
	return 0;
}

static int read_entry(const json_t *m, size_t i, struct index *x, struct error *e)
{
	struct index_entry entry = { 0 };
	const char *digest = NULL, *size = NULL, *media_type = NULL, *name = NULL, *pulled = NULL, *local = NULL, *hex;
	json_t *notes = NULL;
	int64_t manifest_size = -1;
	char where[64];
	int r;

	snprintf(where, sizeof(where), "manifests[%zu]", i);
	if (!json_is_object(m))
		return error_set(e, EBADMSG, "%s: not an object", where);
	if ((r = json_get_str(m, where, "mediaType", &media_type, e)) < 0 ||
	    (r = json_get_str(m, where, "digest", &digest, e)) < 0 ||
	    (r = json_get_int(m, where, "size", 0, INDEX_CONFIG_MAX, &manifest_size, e)) < 0 ||
	    (r = json_get_obj(m, where, "annotations", &notes, e)) < 0)
		return r;
	hex = digest ? digest_hex(digest) : NULL;
	if (!hex || !media_type || manifest_size < 0 || !notes)
		return error_set(e, EBADMSG, "%s: not a descriptor that brig wrote", where);
	memcpy(entry.manifest, hex, DIGEST_SIZE);
	entry.manifest_size = (uint64_t)manifest_size;
	if ((r = json_get_str(notes, where, name_key, &name, e)) < 0 ||
	    (r = json_get_str(notes, where, "brig.size", &size, e)) < 0 ||
	    (r = json_get_str(notes, where, "brig.pulled", &pulled, e)) < 0 ||
	    (r = json_get_str(notes, where, "brig.local", &local, e)) < 0 ||
	    (r = read_hex(notes, where, "brig.config", entry.config, e)) < 0 ||
	    (r = read_hex(notes, where, "brig.tree", entry.tree, e)) < 0)
		return r;
	if ((name && !name_valid(name)) || !size || parse_u64(size, 0, INT64_MAX, &entry.size) < 0)
		return error_set(e, EBADMSG, "%s: not a descriptor that brig wrote", where);
	entry.name = (char *)name;
	entry.media_type = (char *)media_type;
	entry.pulled = (char *)pulled;
	entry.local = local || !pulled;
	append(x, &entry);
	return 0;
}

int index_read(struct index *x, struct error *e)
{
	_cleanup_close_ int dir = home_data_dir("images", e);
	_cleanup_json_ json_t *j = NULL;
	json_t *list = NULL, *m;
	struct error own = { 0 };
	size_t i;
	int r;

	*x = (struct index){ 0 };
	if (dir < 0)
		return dir;
	j = json_read(dir, "index.json", INDEX_FILE_MAX, &own);
	if (!j && own.code == -ENOENT)
		return 0;
	r = j ? json_get_arr(j, "", "manifests", &list, &own) : own.code;
	json_array_foreach(list, i, m) {
		if (r == 0)
			r = read_entry(m, i, x, &own);
	}
	if (r == 0)
		return 0;
	index_free(x);
	if (e)
		*e = own;
	return error_wrap(e, "%s/images/index.json", home_data_path(NULL));
}

int index_lock(struct error *e)
{
	_cleanup_close_ int dir = home_data_dir("images", e), fd = -1;

	if (dir < 0)
		return dir;
	fd = openat(dir, "index.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_errno(e, errno, "cannot open %s/images/index.lock", home_data_path(NULL));
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return error_errno(e, errno, "cannot lock the image index");
	return steal_fd(&fd);
}

static json_t *entry_json(const struct index_entry *i)
{
	_cleanup_free_ char *digest = xasprintf("sha256:%s", i->manifest);
	json_t *notes = json_object(), *m;
	char size[24];

	snprintf(size, sizeof(size), "%llu", (unsigned long long)i->size);
	if (i->name)
		json_object_set_new(notes, name_key, json_string(i->name));
	json_object_set_new(notes, "brig.config", json_string(i->config));
	json_object_set_new(notes, "brig.tree", json_string(i->tree));
	json_object_set_new(notes, "brig.size", json_string(size));
	if (i->pulled)
		json_object_set_new(notes, "brig.pulled", json_string(i->pulled));
	if (i->local)
		json_object_set_new(notes, "brig.local", json_string("yes"));
	m = json_object();
	json_object_set_new(m, "mediaType", json_string(i->media_type));
	json_object_set_new(m, "digest", json_string(digest));
	json_object_set_new(m, "size", json_integer((json_int_t)i->manifest_size));
	json_object_set_new(m, "annotations", notes);
	return m;
}

int index_write(const struct index *x, struct error *e)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}\n";
	_cleanup_close_ int images = home_data_dir("images", e), dir = -1;
	_cleanup_json_ json_t *j = NULL;
	json_t *list;
	int r;

	if (images < 0)
		return images;
	dir = openat(images, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* one that can be synced */
	if (dir < 0)
		return error_errno(e, errno, "cannot open %s/images", home_data_path(NULL));
	if (faccessat(dir, "oci-layout", F_OK, 0) < 0) {
		r = file_replace(dir, "oci-layout", layout, sizeof(layout) - 1, 0644, true);
		if (r < 0)
			return error_errno(e, r, "cannot write %s/images/oci-layout", home_data_path(NULL));
	}
	list = json_array();
	for (size_t i = 0; i < x->n; i++)
		json_array_append_new(list, entry_json(&x->entries[i]));
	j = json_object();
	json_object_set_new(j, "schemaVersion", json_integer(2));
	json_object_set_new(j, "mediaType", json_string("application/vnd.oci.image.index.v1+json"));
	json_object_set_new(j, "manifests", list);
	r = json_write(dir, "index.json", j, 0644, true, e);
	return r < 0 ? error_wrap(e, "%s/images", home_data_path(NULL)) : 0;
}
