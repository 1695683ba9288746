/* SPDX-License-Identifier: Apache-2.0 */
/* Users of /etc/passwd, and the subordinate ids that they have in /etc/subuid and /etc/subgid. */
#include "engine/host_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	SUBID_FIRST = 100000,
	SUBID_END = 0x70000000, /* from there up are the ids of root's containers */
	RANGES_MAX = 4096,
};

/* The n-th field of a line "a:b:c" that ends at '\n' or NUL; false when it has fewer or the field does not fit. */
static bool field(const char *line, int n, char *out, size_t size)
{
	const char *end;

	for (; n > 0; n--) {
		line += strcspn(line, ":\n");
		if (*line++ != ':')
			return false;
	}
	end = line + strcspn(line, ":\n");
	return (size_t)snprintf(out, size, "%.*s", (int)(end - line), line) < size;
}

int host_user_find(const char *who, struct host_user *u, struct error *e)
{
	_cleanup_free_ char *text = NULL, *safe = str_escape(who);
	uint64_t number = UINT64_MAX, uid, gid;
	int r;

	if (parse_u64(who, 0, UINT32_MAX - 1, &number) < 0)
		number = UINT64_MAX;
	r = file_read(AT_FDCWD, "/etc/passwd", 16 << 20, &text, NULL);
	if (r < 0 && number == UINT64_MAX)
		return error_errno(e, r, "cannot read /etc/passwd");
	for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		char name[sizeof(u->name)], a[16], b[16];

		if (!field(line, 0, name, sizeof(name)) || !field(line, 2, a, sizeof(a)) ||
		    !field(line, 3, b, sizeof(b)) || parse_u64(a, 0, UINT32_MAX - 1, &uid) < 0 ||
		    parse_u64(b, 0, UINT32_MAX - 1, &gid) < 0)
			continue;
		if (!streq(name, who) && uid != number)
			continue;
		*u = (struct host_user){ .uid = (uid_t)uid, .gid = (gid_t)gid };
		strcpy(u->name, name);
		return 0;
	}
	if (number == UINT64_MAX) {
		error_set(e, ENOENT, "no user \"%s\" in /etc/passwd", safe);
		error_hint(e, "for one that is kept elsewhere (LDAP) give its uid");
		return -ENOENT;
	}
	*u = (struct host_user){ .uid = (uid_t)number, .gid = (gid_t)number };
	snprintf(u->name, sizeof(u->name), "%u", u->uid);
	return 0;
}

size_t host_ranges(const char *text, const struct host_user *u, struct host_range *out, size_t max)
{
	char uid[16];
	size_t n = 0;

	if (u)
		snprintf(uid, sizeof(uid), "%u", u->uid);
	for (const char *line = text; line && *line && n < max; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		char owner[64], a[24], b[24];
		uint64_t first, count;

		if (!field(line, 0, owner, sizeof(owner)) || !field(line, 1, a, sizeof(a)) ||
		    !field(line, 2, b, sizeof(b)) || parse_u64(a, 0, UINT32_MAX, &first) < 0 ||
		    parse_u64(b, 1, UINT32_MAX, &count) < 0 || first + count > (uint64_t)UINT32_MAX + 1)
			continue;
		out[n++] = (struct host_range){ first, count, u && (streq(owner, u->name) || streq(owner, uid)) };
	}
	return n;
}

char *host_subids_text(const char *file)
{
	_cleanup_close_ int etc = open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *text = NULL;

	return file_read(etc, file, 16 << 20, &text, NULL) < 0 ? xstrdup("") : text;
}

uint64_t host_subids(const char *file, const struct host_user *u)
{
	_cleanup_free_ char *text = host_subids_text(file);
	_cleanup_free_ struct host_range *ranges = xcalloc(RANGES_MAX, sizeof(*ranges));
	size_t n = host_ranges(text, u, ranges, RANGES_MAX);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if (ranges[i].own)
			sum += ranges[i].count;
	return sum;
}

uint64_t host_ranges_free(const char *subuid, const char *subgid, uint64_t count)
{
	_cleanup_free_ struct host_range *ranges = xcalloc(2 * RANGES_MAX, sizeof(*ranges));
	size_t n = host_ranges(subuid, NULL, ranges, RANGES_MAX);
	uint64_t first = SUBID_FIRST;
	bool moved = true;

	n += host_ranges(subgid, NULL, ranges + n, RANGES_MAX);
	/* Each turn moves beyond at least one range. */
	while (moved) {
		moved = false;
		for (size_t i = 0; i < n; i++) {
			if (first >= ranges[i].first + ranges[i].count || first + count <= ranges[i].first)
				continue;
			first = ranges[i].first + ranges[i].count;
			moved = true;
		}
	}
	return first + count <= SUBID_END ? first : 0;
}

/* The lock of the shadow tools: FILE.lock, made exclusively. */
static int lock_file(int etc, const char *file, struct error *e)
{
	char name[64];

	snprintf(name, sizeof(name), "%s.lock", file);
	for (int tries = 0; tries < 150; tries++) {
		_cleanup_close_ int fd = openat(etc, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		struct timespec ts = { .tv_nsec = 100000000 };

		if (fd >= 0) {
			dprintf(fd, "%d", getpid());
			return 0;
		}
		if (errno != EEXIST)
			return error_errno(e, errno, "cannot lock /etc/%s", file);
		nanosleep(&ts, NULL);
	}
	return error_set(e, EBUSY, "/etc/%s.lock is held by another program", file);
}

/* Where there is no usermod(8): appends a line. */
static int append_range(const char *file, const char *name, uint64_t first, uint64_t count, struct error *e)
{
	_cleanup_close_ int etc = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *old = NULL;
	_cleanup_buf_ struct buf b = { 0 };
	char lock[64];
	int r = lock_file(etc, file, e);

	if (r < 0)
		return r;
	old = host_subids_text(file); /* again, now that nobody else writes */
	buf_puts(&b, old);
	if (b.len && b.data[b.len - 1] != '\n')
		buf_puts(&b, "\n");
	buf_printf(&b, "%s:%llu:%llu\n", name, (unsigned long long)first, (unsigned long long)count);
	r = file_replace(etc, file, b.data, b.len, 0644, true);
	snprintf(lock, sizeof(lock), "%s.lock", file);
	unlinkat(etc, lock, 0);
	return r < 0 ? error_errno(e, r, "cannot write /etc/%s", file) : 0;
}

int host_ids_add(const struct host_user *u, bool uids, bool gids, uint64_t first, struct error *e)
{
	char range[64], tool[64];
	char *argv[8] = { (char *)"usermod" };
	size_t n = 1;
	int r = 0;

	snprintf(range, sizeof(range), "%llu-%llu", (unsigned long long)first, (unsigned long long)first + HOST_SUBIDS - 1);
	if (uids) {
		argv[n++] = (char *)"--add-subuids";
		argv[n++] = range;
	}
	if (gids) {
		argv[n++] = (char *)"--add-subgids";
		argv[n++] = range;
	}
	argv[n++] = (char *)u->name;
	/* It takes the locks of all shadow tools, but knows only users of /etc/passwd. */
	if (proc_find("usermod", tool, sizeof(tool)) == 0 && (u->name[0] < '0' || u->name[0] > '9'))
		return proc_run(tool, argv, NULL, -1, e);
	if (uids)
		r = append_range("subuid", u->name, first, HOST_SUBIDS, e);
	if (r == 0 && gids)
		r = append_range("subgid", u->name, first, HOST_SUBIDS, e);
	return r;
}

int host_ids_drop(const char *file, const struct host_user *u, uint64_t first, uint64_t count, struct error *e)
{
	_cleanup_close_ int etc = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *old = NULL;
	_cleanup_buf_ struct buf b = { 0 };
	struct host_range range;
	char lock[64];
	bool found = false;
	int r = lock_file(etc, file, e);

	if (r < 0)
		return r;
	old = host_subids_text(file);
	for (char *line = old, *end; *line; line = end) {
		end = line + strcspn(line, "\n");
		end += *end == '\n';
		/* By itself: host_ranges() goes on to the next line where one is not sound. */
		_cleanup_free_ char *one = xstrndup(line, (size_t)(end - line));
		if (!found && host_ranges(one, u, &range, 1) == 1 && range.own && range.first == first && range.count == count)
			found = true;
		else
			buf_printf(&b, "%.*s", (int)(end - line), line);
	}
	if (found)
		r = file_replace(etc, file, b.data ? b.data : "", b.len, 0644, true);
	snprintf(lock, sizeof(lock), "%s.lock", file);
	unlinkat(etc, lock, 0);
	if (r < 0)
		return error_errno(e, r, "cannot write /etc/%s", file);
	return found;
}
