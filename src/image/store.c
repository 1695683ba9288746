/* SPDX-License-Identifier: Apache-2.0 */
#include "image/store.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"
#include "image/index.h"
#include "image/name.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void image_free(struct image *img)
{
	strv_free(img->names);
	json_decref(img->config);
	free(img->name);
	free(img->pulled);
	*img = (struct image){ 0 };
}

int store_dir(const char *name, mode_t mode, struct error *e)
{
	_cleanup_close_ int fd = home_data_dir(name, e);
	struct stat st;

	if (fd < 0)
		return fd;
	/* Containers' ids pass through: what keeps others out is the 0700 of the data folder above. */
	if (fstat(fd, &st) < 0)
		return error_errno(e, errno, "%s/%s", home_data_path(NULL), name);
	if ((st.st_mode & 07777) != mode) {
		char path[32];

		path_of_fd(fd, path);
		if (chmod(path, mode) < 0)
			return error_errno(e, errno, "cannot set the mode of %s/%s", home_data_path(NULL), name);
	}
	return steal_fd(&fd);
}

int store_objects(struct error *e)
{
	return store_dir("objects", 0711, e);
}

int store_lock(bool exclusive, bool wait, struct error *e)
{
	_cleanup_close_ int dir = home_data_dir("images", e), fd = -1;

	if (dir < 0)
		return dir;
	fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_errno(e, errno, "cannot open %s/images/lock", home_data_path(NULL));
	while (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB)) < 0)
		if (errno != EINTR)
			return error_errno(e, errno, "cannot lock the image store");
	return steal_fd(&fd);
}

/* The configuration blob of an entry, as far as brig's readers need it. */
static int read_config(int images, struct image *img, struct error *e)
{
	char path[96];
	const char *created = NULL;

	snprintf(path, sizeof(path), "blobs/sha256/%s", img->id);
	img->config = json_read(images, path, INDEX_CONFIG_MAX, e);
	if (!img->config)
		return error_wrap(e, "image %.12s", img->id);
	if (json_get_str(img->config, "config", "created", &created, NULL) == 0 && created &&
	    clock_parse(created, &img->created_ns) < 0)
		img->created_ns = 0;
	return 0;
}

static void fill(const struct index *x, size_t first, struct image *img)
{
	const struct index_entry *from = &x->entries[first];

	memcpy(img->id, from->config, DIGEST_SIZE);
	memcpy(img->manifest, from->manifest, DIGEST_SIZE);
	memcpy(img->tree, from->tree, DIGEST_SIZE);
	img->size = from->size;
	img->pulled = xstrdup(from->pulled);
	for (size_t i = 0; i < x->n; i++) {
		const struct index_entry *same = &x->entries[i];

		if (!streq(same->config, from->config))
			continue;
		/* The configuration names every byte of the image, so who brought it here vouches for all its entries. */
		img->local |= same->local;
		if (!img->pulled)
			img->pulled = xstrdup(same->pulled);
		if (same->name)
			strv_add_copy(&img->names, same->name);
	}
	if (!img->names)
		img->names = xcalloc(1, sizeof(char *));
}

static ssize_t find_name(const struct index *x, const char *name)
{
	for (size_t i = 0; i < x->n; i++)
		if (streq(x->entries[i].name, name))
			return (ssize_t)i;
	return -ENOENT;
}

/* The names under which a person may mean `ref`, in order. */
static ssize_t find_ref(const struct index *x, const char *ref)
{
	static const char *const hosts[] = { "localhost/", "docker.io/library/", "docker.io/" };
	size_t len;
	bool tagged = name_tag(ref, &len) != NULL;

	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		bool host = name_has_host(ref);
		_cleanup_free_ char *name = xasprintf("%s%s%s", host ? "" : hosts[i], ref, tagged ? "" : ":latest");
		ssize_t r = find_name(x, name);

		if (r >= 0 || host)
			return r;
	}
	return -ENOENT;
}

static ssize_t find_id(const struct index *x, const char *hex)
{
	ssize_t found = -ENOENT;
	size_t n = strlen(hex);

	for (size_t i = 0; i < x->n; i++) {
		if (strncmp(x->entries[i].config, hex, n) != 0)
			continue;
		if (found >= 0 && !streq(x->entries[found].config, x->entries[i].config))
			return -EEXIST;
		found = found < 0 ? (ssize_t)i : found;
	}
	return found;
}

/* True when `pulled` (HOST/PATH[:TAG]@sha256:HEX) is of the repository that `name` means, and of that digest. */
static bool pulled_as(const char *pulled, const char *name, const char *hex)
{
	static const char *const hosts[] = { "", "docker.io/library/", "docker.io/" };
	const char *at = strchr(pulled, '@');
	size_t len, want;

	if (!at || !streq(digest_hex(at + 1), hex))
		return false;
	_cleanup_free_ char *repository = xstrndup(pulled, (size_t)(at - pulled));
	name_tag(repository, &len);
	name_tag(name, &want);
	for (size_t i = name_has_host(name) ? 0 : 1; i < (name_has_host(name) ? 1 : ARRAY_SIZE(hosts)); i++) {
		size_t head = strlen(hosts[i]);

		if (head + want == len && memcmp(repository, hosts[i], head) == 0 &&
		    memcmp(repository + head, name, want) == 0)
			return true;
	}
	return false;
}

/* NAME@sha256:HEX: the manifest must have that digest and, when there is a name, bear it. */
static ssize_t find_pinned(const struct index *x, const char *ref, const char *at)
{
	_cleanup_free_ char *name = xstrndup(ref, (size_t)(at - ref));
	const char *hex = digest_hex(at + 1);
	ssize_t named;

	if (!hex)
		return -EINVAL;
	/* As it was pulled, by the digest of an index perhaps, with or without a tag. */
	for (size_t i = 0; *name && i < x->n; i++)
		if (x->entries[i].pulled && pulled_as(x->entries[i].pulled, name, hex))
			return (ssize_t)i;
	named = *name ? find_ref(x, name) : -ENOENT;
	if (named >= 0 && streq(x->entries[named].manifest, hex))
		return named;
	for (size_t i = 0; i < x->n; i++) {
		size_t len, want;

		if (!streq(x->entries[i].manifest, hex) || !x->entries[i].name)
			continue;
		name_tag(x->entries[i].name, &len);
		/* The tag may have moved on since: the digest says what is meant, the name only whose it is. */
		if (name_tag(name, &want) == NULL && want <= len &&
		    memcmp(x->entries[i].name + len - want, name, want) == 0 &&
		    (want == len || x->entries[i].name[len - want - 1] == '/'))
			return (ssize_t)i;
	}
	return -ENOENT;
}

ssize_t index_find(const struct index *x, const char *ref, bool *by_id, struct error *e)
{
	_cleanup_free_ char *shown = str_escape_n(ref, strnlen(ref, 300));
	const char *at = strchr(ref, '@'), *hex = digest_hex(ref);
	size_t n = strlen(ref);
	bool id = false;
	ssize_t r;

	if (hex || (n == DIGEST_HEX && hex_valid(ref, n))) {
		r = find_id(x, hex ? hex : ref);
		id = true;
		for (size_t i = 0; hex && r == -ENOENT && i < x->n; i++)
			if (streq(x->entries[i].manifest, hex))
				r = (ssize_t)i;
	} else if (at) {
		r = find_pinned(x, ref, at);
		if (r == -EINVAL)
			return error_set(e, EINVAL, "\"%s\": no digest behind the @ (sha256:64 hex digits)", shown);
	} else {
		r = find_ref(x, ref);
		id = r == -ENOENT && n >= 4 && n < DIGEST_HEX && hex_valid(ref, n);
		if (id)
			r = find_id(x, ref);
	}
	if (by_id)
		*by_id = id;
	if (r == -EEXIST)
		return error_set(e, EEXIST, "\"%s\" is the start of several image ids: give more digits", shown);
	if (r == -ENOENT) {
		error_set(e, ENOENT, "no such image: %s", shown);
		error_hint(e, "brig images lists those that are here; brig pull NAME, brig load -i FILE and brig import FILE NAME bring one");
	}
	return r;
}

int image_find(const char *ref, struct image *out, struct error *e)
{
	_cleanup_(index_free) struct index x = { 0 };
	_cleanup_close_ int images = -1;
	bool by_id;
	ssize_t i;
	int r = index_read(&x, e);

	*out = (struct image){ 0 };
	if (r < 0)
		return r;
	i = index_find(&x, ref, &by_id, e);
	if (i < 0)
		return (int)i;
	images = home_data_dir("images", e);
	if (images < 0)
		return images;
	fill(&x, (size_t)i, out);
	out->name = by_id || strchr(ref, '@') ? NULL : xstrdup(x.entries[i].name);
	r = read_config(images, out, e);
	if (r < 0)
		image_free(out);
	return r;
}

static int newest_first(const void *a, const void *b)
{
	const struct image *x = a, *y = b;

	return x->created_ns < y->created_ns ? 1 : x->created_ns > y->created_ns ? -1 : strcmp(x->id, y->id);
}

int image_list(struct image **out, size_t *n, struct error *e)
{
	_cleanup_(index_free) struct index x = { 0 };
	_cleanup_close_ int images = -1;
	int r = index_read(&x, e);

	*out = NULL;
	*n = 0;
	if (r < 0)
		return r;
	images = home_data_dir("images", e);
	if (images < 0)
		return images;
	*out = xcalloc(x.n + 1, sizeof(**out));
	for (size_t i = 0; r == 0 && i < x.n; i++) {
		size_t seen = 0;

		while (seen < *n && !streq((*out)[seen].id, x.entries[i].config))
			seen++;
		if (seen < *n)
			continue;
		fill(&x, i, &(*out)[*n]);
		r = read_config(images, &(*out)[(*n)++], e);
	}
	if (r < 0) {
		for (size_t i = 0; i < *n; i++)
			image_free(&(*out)[i]);
		free(*out);
		*out = NULL;
		*n = 0;
		return r;
	}
	qsort(*out, *n, sizeof(**out), newest_first);
	return 0;
}
