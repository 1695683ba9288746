/* SPDX-License-Identifier: Apache-2.0 */
#include "image/refs.h"

#include "base/cleanup.h"
#include "image/index.h"
#include "image/name.h"

#include <string.h>

int image_tag(const char *ref, const char *name, struct error *e)
{
	_cleanup_(index_free) struct index x = { 0 };
	_cleanup_free_ char *whole = NULL;
	_cleanup_close_ int lock = -1;
	struct index_entry entry;
	ssize_t i;
	int r = name_complete(name, &whole, e);

	if (r < 0)
		return r;
	lock = index_lock(e);
	if (lock < 0)
		return lock;
	r = index_read(&x, e);
	if (r < 0)
		return r;
	i = index_find(&x, ref, NULL, e);
	if (i < 0)
		return (int)i;
	entry = x.entries[i];
	entry.name = whole;
	/* index_add() may take out the entry that `entry` points into. */
	entry.media_type = xstrdup(entry.media_type);
	index_add(&x, &entry);
	free(entry.media_type);
	return index_write(&x, e);
}

void image_removed_free(struct image_removed *r)
{
	strv_free(r->names);
	*r = (struct image_removed){ 0 };
}

static size_t count_names(const struct index *x, const char *id)
{
	size_t n = 0;

	for (size_t i = 0; i < x->n; i++)
		n += x->entries[i].name && streq(x->entries[i].config, id);
	return n;
}

/* The image goes, or stays without a name where containers use it. */
static void drop_image(struct index *x, const char *id, bool used, struct image_removed *out)
{
	bool stands = false;

	for (size_t i = x->n; i-- > 0;) {
		struct index_entry *entry = &x->entries[i];

		if (!streq(entry->config, id))
			continue;
		if (entry->name)
			strv_add_copy(&out->names, entry->name);
		if (used && !stands) {
			free(steal_ptr(&entry->name));
			stands = true;
		} else {
			index_remove(x, i);
		}
	}
	if (!used)
		memcpy(out->id, id, DIGEST_SIZE);
	out->moved_off = used;
}

static int refuse_used(const char *ref, char **users, struct error *e)
{
	_cleanup_free_ char *first = xstrdup(users[0]);
	size_t n = strv_len(users);

	if (n == 1)
		error_set(e, EBUSY, "image %s is used by container %s", ref, first);
	else
		error_set(e, EBUSY, "image %s is used by container %s and %zu more", ref, first, n - 1);
	error_hint(e, "brig rm %s first, or take only its names away with -f", first);
	return -EBUSY;
}

int image_remove(const char *ref, bool force, struct image_removed *out, struct error *e)
{
	_cleanup_(index_free) struct index x = { 0 };
	_cleanup_strv_ char **users = NULL;
	_cleanup_close_ int lock = -1;
	char id[DIGEST_SIZE];
	size_t names;
	bool by_id;
	ssize_t i;
	int r;

	*out = (struct image_removed){ 0 };
	lock = index_lock(e);
	if (lock < 0)
		return lock;
	r = index_read(&x, e);
	if (r < 0)
		return r;
	i = index_find(&x, ref, &by_id, e);
	if (i < 0)
		return (int)i;
	memcpy(id, x.entries[i].config, DIGEST_SIZE);
	names = count_names(&x, id);
	if (names > 1 && !by_id) {
		strv_add_copy(&out->names, x.entries[i].name);
		index_remove(&x, (size_t)i);
		return index_write(&x, e);
	}
	if (names > 1 && !force) {
		error_set(e, EBUSY, "image %.12s has %zu names", id, names);
		error_hint(e, "remove one by its name, or all of them with -f");
		return -EBUSY;
	}
	r = image_users(x.entries[i].tree, &users, e);
	if (r < 0)
		return r;
	if (users && !force)
		return refuse_used(ref, users, e);
	r = store_collect_later(e);
	if (r < 0)
		return r;
	drop_image(&x, id, users != NULL, out);
	return index_write(&x, e);
}

static bool has_labels(const struct image *img, char *const *labels)
{
	const json_t *have = json_object_get(json_object_get(img->config, "config"), "Labels");

	strv_foreach(it, labels) {
		const char *equals = strchr(*it, '=');
		_cleanup_free_ char *key = xstrndup(*it, equals ? (size_t)(equals - *it) : strlen(*it));
		const char *value = json_string_value(json_object_get(have, key));

		if (!value || (equals && !streq(value, equals + 1)))
			return false;
	}
	return true;
}

int image_prune(bool all, char *const *labels, char ***ids, struct error *e)
{
	_cleanup_(index_free) struct index x = { 0 };
	_cleanup_close_ int lock = index_lock(e);
	struct image *images;
	size_t n;
	int r;

	*ids = NULL;
	if (lock < 0)
		return lock;
	r = index_read(&x, e);
	if (r == 0)
		r = image_list(&images, &n, e);
	if (r < 0)
		return r;
	r = store_collect_later(e);
	for (size_t i = 0; i < n; i++) {
		_cleanup_(image_removed_free) struct image_removed removed = { 0 };
		_cleanup_strv_ char **users = NULL;

		if (r == 0 && (all || !images[i].names[0]) && has_labels(&images[i], labels)) {
			r = image_users(images[i].tree, &users, e);
			if (r == 0 && !users) {
				drop_image(&x, images[i].id, false, &removed);
				strv_add_copy(ids, removed.id);
			}
		}
		image_free(&images[i]);
	}
	free(images);
	return r < 0 ? r : index_write(&x, e);
}
