/* SPDX-License-Identifier: Apache-2.0 */
/* Prepared trees as others use them: opening a slot, the ids of a tree, files of a tree that has no slot. */
#include "image/store.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"
#include "image/tree.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 40, IDS_FILE_MAX = 16 * 1024 * 1024 };

int tree_dir(const char *tree, struct error *e)
{
	_cleanup_close_ int trees = -1;
	int fd;

	if (!hex_valid(tree, DIGEST_HEX))
		return error_set(e, EINVAL, "not the name of a tree");
	trees = home_data_dir("trees", e);
	if (trees < 0)
		return trees;
	fd = openat(trees, tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_errno(e, errno, "cannot open %s/trees/%.12s", home_data_path(NULL), tree);
	return fd;
}

bool slot_valid(const char *slot)
{
	_cleanup_strv_ char **parts = strv_split(slot, '.'), **ids = strv_split(parts[0], '-');
	size_t n = strv_len(ids);
	uint64_t id;

	if (parts[1] && (strv_len(parts) != 3 || parse_u64(parts[1], 0, UINT32_MAX - 1, &id) < 0 ||
			 parse_u64(parts[2], 0, UINT32_MAX - 1, &id) < 0))
		return false;

	return streq(slot, "raw") || (n <= 2 && parse_u64(ids[0], 0, UINT32_MAX - 1, &id) == 0 &&
				      (n == 1 || parse_u64(ids[1], 0, UINT32_MAX - 1, &id) == 0));
}

int tree_open(const char *tree, const char *slot, int *lower_fd, int *data_fd)
{
	_cleanup_close_ int dir = -1, slots = -1, lower = -1;
	char full[64];

	*lower_fd = *data_fd = -1;
	if (!slot_valid(slot))
		return -EINVAL;
	dir = tree_dir(tree, NULL);
	if (dir < 0)
		return dir;
	slots = openat(dir, "slots", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (slots < 0)
		return -errno;
	lower = openat(slots, slot, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (lower >= 0) {
		*data_fd = store_objects(NULL);
		if (*data_fd < 0)
			return *data_fd;
	} else {
		snprintf(full, sizeof(full), "full-%s", slot);
		lower = openat(slots, full, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (lower < 0)
			return -errno;
	}
	*lower_fd = steal_fd(&lower);
	return 0;
}

static int read_list(const json_t *j, const char *key, uint32_t **out, size_t *n, struct error *e)
{
	json_t *list = NULL, *item;
	size_t i;
	int r = json_get_arr(j, "", key, &list, e);

	if (r < 0)
		return r;
	*n = json_array_size(list);
	*out = xcalloc(*n + 1, sizeof(**out));
	json_array_foreach(list, i, item) {
		json_int_t id = json_is_integer(item) ? json_integer_value(item) : -1;

		if (id < 0 || id >= UINT32_MAX || (i == 0 && id != 0) || (i > 0 && id <= (*out)[i - 1]))
			return error_set(e, EBADMSG, "%s[%zu]: not an ascending list of ids from 0", key, i);
		(*out)[i] = (uint32_t)id;
	}
	return *n ? 0 : error_set(e, EBADMSG, "%s: empty", key);
}

int tree_ids_read(const char *tree, struct tree_ids *out, struct error *e)
{
	_cleanup_close_ int dir = tree_dir(tree, e);
	_cleanup_json_ json_t *j = NULL;
	int r;

	*out = (struct tree_ids){ 0 };
	if (dir < 0)
		return dir;
	j = json_read(dir, "ids", IDS_FILE_MAX, e);
	if (!j)
		return error_wrap(e, "%s/trees/%.12s", home_data_path(NULL), tree);
	r = read_list(j, "uids", &out->uids, &out->n_uids, e);
	if (r == 0)
		r = read_list(j, "gids", &out->gids, &out->n_gids, e);
	if (r < 0) {
		tree_ids_free(out);
		error_wrap(e, "%s/trees/%.12s/ids", home_data_path(NULL), tree);
		return r;
	}
	return 0;
}

void tree_ids_free(struct tree_ids *ids)
{
	free(ids->uids);
	free(ids->gids);
	*ids = (struct tree_ids){ 0 };
}

int table_map(int dir, struct table_map *out)
{
	_cleanup_close_ int fd = openat(dir, "table", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return -EBADMSG;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	out->data = p;
	out->size = (size_t)st.st_size;
	return 0;
}

void table_unmap(struct table_map *m)
{
	if (m->data)
		munmap((void *)m->data, m->size);
	*m = (struct table_map){ 0 };
}

static int follow_hard(const struct table_map *m, struct table_line *line)
{
	_cleanup_free_ char *target = xstrdup(line->inode.target);

	return table_find(m->data, m->size, target, line);
}

/*
 * Follows `path` through the table as a process chroot-ed to the tree would; `at` receives the path without links of
 * what it leads to, and `line` its entry (hard links followed as well).
 */
static int resolve(const struct table_map *m, const char *path, char at[TREE_PATH_MAX + 1], struct table_line *line)
{
	char rest[TREE_PATH_MAX + 1], joined[2 * TREE_PATH_MAX + 2];
	int links = 0, r;

	if (strlen(path) > TREE_PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(rest, path);
	at[0] = 0;
	r = table_find(m->data, m->size, "", line);
	while (r == 0) {
		char *p = rest + strspn(rest, "/");
		size_t n = strcspn(p, "/"), len = strlen(at);

		if (n == 0)
			break;
		if (line->inode.type != 'd')
			return -ENOTDIR;
		if (n == 2 && p[0] == '.' && p[1] == '.') {
			char *slash = strrchr(at, '/');

			*(slash ? slash : at) = 0;
		} else if (!(n == 1 && p[0] == '.')) {
			if (len + 1 + n > TREE_PATH_MAX)
				return -ENAMETOOLONG;
			if (len)
				at[len++] = '/';
			memcpy(at + len, p, n);
			at[len + n] = 0;
		}
		memmove(rest, p + n, strlen(p + n) + 1);
		r = table_find(m->data, m->size, at, line);
		if (r < 0 || line->inode.type != 'l')
			continue;
		if (++links > LINKS_MAX)
			return -ELOOP;
		if (snprintf(joined, sizeof(joined), "%s/%s", line->inode.target, rest) > TREE_PATH_MAX)
			return -ENAMETOOLONG;
		strcpy(rest, joined);
		char *slash = strrchr(at, '/');
		*(slash ? slash : at) = 0;
		if (line->inode.target[0] == '/')
			at[0] = 0;
		r = table_find(m->data, m->size, at, line);
	}
	if (r < 0)
		return r;
	return line->inode.type == 'h' ? follow_hard(m, line) : 0; /* the only type that is no file of its own */
}

int table_read_file(const struct table_map *m, int objects, const char *path, size_t max, char **out, size_t *len)
{
	_cleanup_(table_line_free) struct table_line line = { 0 };
	char at[TREE_PATH_MAX + 1];
	int r = resolve(m, path, at, &line);

	if (r < 0)
		return r;
	if (line.inode.type != 'f')
		return -EINVAL;
	if (line.inode.size > max)
		return -EFBIG;
	if (line.inode.size == 0) {
		*out = xstrdup("");
		*len = 0;
		return 0;
	}
	r = file_read(objects, line.inode.object, max, out, len);
	if (r == 0 && *len != line.inode.size) {
		free(steal_ptr(out));
		return -EBADMSG;
	}
	return r;
}

int tree_read_file(const char *tree, const char *path, size_t max, char **out, size_t *len)
{
	_cleanup_(table_unmap) struct table_map m = { 0 };
	_cleanup_close_ int dir = tree_dir(tree, NULL), objects = -1;
	int r;

	if (dir < 0)
		return dir;
	objects = store_objects(NULL);
	if (objects < 0)
		return objects;
	r = table_map(dir, &m);
	return r < 0 ? r : table_read_file(&m, objects, path, max, out, len);
}
