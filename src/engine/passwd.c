/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/passwd.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "image/store.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { FIELDS_MAX = 7 };

/* One line of passwd(5) or group(5): pointers into `text`, which holds a copy with the colons replaced. */
struct line {
	char text[PASSWD_LINE_MAX + 1];
	char *field[FIELDS_MAX];
	size_t n;
	unsigned number;
};

struct reader {
	struct passwd_text text;
	size_t at;
	const char *file;
	struct line line;
};

static bool all_digits(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == 0;
}

/* An id: all digits, no leading zero (which other readers take for octal), and not the "no id" of the kernel. */
static int parse_id(const char *s, uint32_t *out)
{
	uint64_t v;

	if (!all_digits(s) || (s[0] == '0' && s[1]) || parse_u64(s, 0, UINT32_MAX - 1, &v) < 0)
		return -EINVAL;
	*out = (uint32_t)v;
	return 0;
}

static bool is_name(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > 255 || (*s >= '0' && *s <= '9') || *s == '-' || *s == '.')
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
		      c == '.' || c == '-' || (c == '$' && i > 0 && i == n - 1)))
			return false;
	}
	return true;
}

/* The next line with at least `fields` fields: 1, 0 at the end, or a negative errno. Lines with NUL bytes are no lines. */
static int next_line(struct reader *r, size_t fields, struct error *e)
{
	struct line *l = &r->line;

	while (r->text.data && r->at < r->text.len) {
		const char *start = r->text.data + r->at;
		const char *end = memchr(start, '\n', r->text.len - r->at);
		size_t n = end ? (size_t)(end - start) : r->text.len - r->at;

		r->at += n + 1;
		l->number++;
		if (n > PASSWD_LINE_MAX)
			return error_set(e, EBADMSG, "%s of the image, line %u: longer than %d bytes", r->file,
					 l->number, PASSWD_LINE_MAX);
		if (n == 0 || *start == '#' || memchr(start, 0, n))
			continue;
		memcpy(l->text, start, n);
		l->text[n] = 0;
		l->n = 0;
		for (char *p = l->text; p && l->n < FIELDS_MAX;) {
			char *colon = strchr(p, ':');

			l->field[l->n++] = p;
			if (colon)
				*colon++ = 0;
			p = colon;
		}
		if (l->n >= fields)
			return 1;
	}
	return 0;
}

/* What passwd says about a user, by name or (when `name` is NULL) by id. */
static int find_user(struct passwd_text passwd, const char *name, uint32_t uid, struct passwd_user *u, char **found,
		     struct error *e)
{
	struct reader rd = { .text = passwd, .file = "etc/passwd" };
	int r;

	while ((r = next_line(&rd, 4, e)) > 0) {
		char **f = rd.line.field;
		uint32_t id, gid;

		if (!is_name(f[0]) || parse_id(f[2], &id) < 0 || parse_id(f[3], &gid) < 0)
			continue;
		if (name ? !streq(f[0], name) : id != uid)
			continue;
		u->uid = id;
		u->gid = gid;
		if (rd.line.n > 5 && f[5][0] == '/')
			u->home = xstrdup(f[5]);
		*found = xstrdup(f[0]);
		return 0;
	}
	return r;
}

static int find_group(struct passwd_text group, const char *name, uint32_t *gid, struct error *e)
{
	struct reader rd = { .text = group, .file = "etc/group" };
	int r;

	if (all_digits(name)) {
		if (parse_id(name, gid) == 0)
			return 0;
	} else if (is_name(name)) {
		while ((r = next_line(&rd, 3, e)) > 0)
			if (streq(rd.line.field[0], name) && parse_id(rd.line.field[2], gid) == 0)
				return 0;
		if (r < 0)
			return r;
		return error_set(e, ENOENT, "etc/group of the image has no group \"%s\"", name);
	}
	_cleanup_free_ char *safe = str_escape(name);
	return error_set(e, EINVAL, "\"%s\" is neither a group's name nor a number from 0 to 4294967294", safe);
}

static int add_group(struct passwd_user *u, uint32_t gid, struct error *e)
{
	size_t at = 0;

	while (at < u->n_groups && u->groups[at] < gid)
		at++;
	if (gid == u->gid || (at < u->n_groups && u->groups[at] == gid))
		return 0;
	if (u->n_groups == PASSWD_GROUPS_MAX)
		return error_set(e, E2BIG, "the user is in more than %d groups", PASSWD_GROUPS_MAX);
	u->groups = xrealloc(u->groups, u->n_groups + 1, sizeof(*u->groups));
	memmove(u->groups + at + 1, u->groups + at, (u->n_groups - at) * sizeof(*u->groups));
	u->groups[at] = gid;
	u->n_groups++;
	return 0;
}

static bool is_member(const char *members, const char *user)
{
	size_t n = strlen(user);

	while (*members) {
		const char *end = strchrnul(members, ',');

		if ((size_t)(end - members) == n && memcmp(members, user, n) == 0)
			return true;
		members = *end ? end + 1 : end;
	}
	return false;
}

static int add_memberships(struct passwd_text group, const char *user, struct passwd_user *u, struct error *e)
{
	struct reader rd = { .text = group, .file = "etc/group" };
	uint32_t gid;
	int r;

	while ((r = next_line(&rd, 4, e)) > 0) {
		if (parse_id(rd.line.field[2], &gid) < 0 || !is_member(rd.line.field[3], user))
			continue;
		r = add_group(u, gid, e);
		if (r < 0)
			return r;
	}
	return r;
}

static int resolve_user(const char *who, struct passwd_text passwd, struct passwd_user *u, char **name, struct error *e)
{
	int r;

	if (all_digits(who)) {
		if (parse_id(who, &u->uid) == 0)
			return find_user(passwd, NULL, u->uid, u, name, e);
	} else if (is_name(who)) {
		r = find_user(passwd, who, 0, u, name, e);
		if (r < 0 || *name)
			return r;
		error_set(e, ENOENT, "etc/passwd of the image has no user \"%s\"", who);
		error_hint(e, "give a user that the image has, or a number: --user 1000");
		return -ENOENT;
	}
	_cleanup_free_ char *safe = str_escape(who);
	return error_set(e, EINVAL, "\"%s\" is neither a user's name nor a number from 0 to 4294967294", safe);
}

static int resolve(const char *user, char *const *add, struct passwd_text passwd, struct passwd_text group,
		   struct passwd_user *u, struct error *e)
{
	_cleanup_free_ char *who = xstrdup(user && *user ? user : "0"), *name = NULL;
	char *given = strchr(who, ':');
	int r;

	if (given)
		*given++ = 0;
	r = resolve_user(who, passwd, u, &name, e);
	if (r == 0 && given)
		r = find_group(group, given, &u->gid, e);
	else if (r == 0 && name)
		r = add_memberships(group, name, u, e);
	strv_foreach(g, add) {
		uint32_t gid;

		if (r == 0)
			r = find_group(group, *g, &gid, e);
		if (r == 0)
			r = add_group(u, gid, e);
	}
	if (!u->home)
		u->home = xstrdup("/");
	return r;
}

int passwd_resolve(const char *user, char *const *add, struct passwd_text passwd, struct passwd_text group,
		   struct passwd_user *out, struct error *e)
{
	int r;

	memset(out, 0, sizeof(*out));
	r = resolve(user, add, passwd, group, out, e);
	if (r < 0)
		passwd_user_free(out);
	return r;
}

void passwd_user_free(struct passwd_user *u)
{
	free(u->groups);
	free(u->home);
	memset(u, 0, sizeof(*u));
}

static int read_rootfs(const char *rootfs, const char *path, char **out, size_t *len)
{
	_cleanup_close_ int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC), at = -1, fd = -1;
	char self[32];
	struct stat st;

	if (root < 0)
		return -errno;
	at = path_open_in(root, path, O_PATH, 0);
	if (at < 0)
		return at;
	if (fstat(at, &st) < 0)
		return -errno;
	/* Opening a device or a FIFO can already do something. */
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	path_of_fd(at, self);
	fd = open(self, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fd_read_all(fd, PASSWD_FILE_MAX, out, len);
}

/* A missing file is an empty one. */
static int read_file(const char *tree, const char *rootfs, const char *path, char **data, struct passwd_text *out,
		     struct error *e)
{
	size_t len = 0;
	int r = tree ? tree_read_file(tree, path, PASSWD_FILE_MAX, data, &len) :
		       read_rootfs(rootfs, path, data, &len);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r == -EFBIG)
		return error_set(e, EFBIG, "%s of the image is larger than %d bytes", path, PASSWD_FILE_MAX);
	if (r == -EINVAL)
		return error_set(e, EINVAL, "%s of the image is not a regular file", path);
	if (r < 0)
		return error_errno(e, r, "%s of the image", path);
	*out = (struct passwd_text){ *data, len };
	return 0;
}

int passwd_resolve_in(const char *tree, const char *rootfs, const char *user, char *const *add,
		      struct passwd_user *out, struct error *e)
{
	_cleanup_free_ char *passwd = NULL, *group = NULL;
	struct passwd_text p = { 0 }, g = { 0 };
	int r = read_file(tree, rootfs, "etc/passwd", &passwd, &p, e);

	if (r == 0)
		r = read_file(tree, rootfs, "etc/group", &group, &g, e);
	if (r == 0)
		r = passwd_resolve(user, add, p, g, out, e);
	return r;
}
