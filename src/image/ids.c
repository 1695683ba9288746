/* SPDX-License-Identifier: Apache-2.0 */
#include "image/ids.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"

#include <string.h>

enum {
	PASSWD_MAX = 1024 * 1024, /* bytes of passwd or group, as the engine reads them */
	NOBODY = 65534,
};

/* A set of ids as a sorted list is wanted once, at the end; until then a hash set. */
struct set {
	uint32_t *slots; /* id + 1; 0: free */
	size_t n, size;
};

static void add(struct set *s, uint32_t id)
{
	if (s->n * 2 >= s->size) {
		struct set grown = { .size = s->size ? s->size * 2 : 256 };

		grown.slots = xcalloc(grown.size, sizeof(*grown.slots));
		for (size_t i = 0; i < s->size; i++)
			if (s->slots[i])
				add(&grown, s->slots[i] - 1);
		free(s->slots);
		*s = grown;
	}
	for (size_t i = (id * 2654435761u) & (s->size - 1);; i = (i + 1) & (s->size - 1)) {
		if (s->slots[i] == id + 1)
			return;
		if (!s->slots[i]) {
			s->slots[i] = id + 1;
			s->n++;
			return;
		}
	}
}

static void add_owners(struct node *n, struct set *uids, struct set *gids)
{
	if (n->inode) {
		add(uids, n->inode->uid);
		add(gids, n->inode->gid);
	}
	for (struct node *c = n->children; c; c = c->sibling)
		add_owners(c, uids, gids);
}

/* The number in colon-separated field `k` of a line. */
static bool field_id(const char *line, int k, uint32_t *id)
{
	uint64_t v = 0;

	for (; k > 0; k--) {
		line = strchr(line, ':');
		if (!line)
			return false;
		line++;
	}
	if (*line < '0' || *line > '9')
		return false;
	for (; *line >= '0' && *line <= '9'; line++) {
		v = v * 10 + (uint64_t)(*line - '0');
		if (v >= UINT32_MAX)
			return false;
	}
	*id = (uint32_t)v;
	return *line == ':' || *line == 0;
}

static void add_file(const struct table_map *m, const int objects[2], const char *path, int uid_field, int gid_field,
		     struct set *uids, struct set *gids)
{
	_cleanup_free_ char *text = NULL;
	char *line, *next;
	size_t n;
	uint32_t id;

	if (table_read_file(m, objects[0], path, PASSWD_MAX, &text, &n) < 0 &&
	    table_read_file(m, objects[1], path, PASSWD_MAX, &text, &n) < 0)
		return;
	for (line = text; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		if (uid_field && field_id(line, uid_field, &id))
			add(uids, id);
		if (field_id(line, gid_field, &id))
			add(gids, id);
	}
}

static int ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static json_t *list(struct set *s)
{
	_cleanup_free_ uint32_t *ids = xcalloc(s->n, sizeof(*ids));
	json_t *j = json_array();
	size_t n = 0;

	for (size_t i = 0; i < s->size; i++)
		if (s->slots[i])
			ids[n++] = s->slots[i] - 1;
	qsort(ids, n, sizeof(*ids), ascending);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(j, json_integer(ids[i]));
	free(s->slots);
	return j;
}

int ids_write(struct tree *t, const struct table_map *m, const int objects[2], int dir, struct error *e)
{
	_cleanup_json_ json_t *j = json_object();
	_cleanup_free_ char *text = NULL;
	struct set uids = { 0 }, gids = { 0 };
	int r;

	add(&uids, 0);
	add(&gids, 0);
	add(&uids, NOBODY);
	add(&gids, NOBODY);
	add_owners(t->root, &uids, &gids);
	add_file(m, objects, "etc/passwd", 2, 3, &uids, &gids);
	add_file(m, objects, "etc/group", 0, 2, &uids, &gids);
	json_object_set_new(j, "uids", list(&uids));
	json_object_set_new(j, "gids", list(&gids));
	text = json_text(j);
	r = file_replace(dir, "ids", text, strlen(text), 0444, false);
	return r < 0 ? error_errno(e, r, "cannot write the ids of the tree") : 0;
}
