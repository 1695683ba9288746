/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user wall: a user namespace whose ids no other container has and in which the caller is not mapped
 * (user_namespaces(7)). Root inside is an id without rights outside.
 */
#include "confine/user.h"
#include "confine/wall.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EXTENTS_MAX = 340 }; /* lines of a uid_map, user_namespaces(7) */

static int check_map(const char *what, const struct spec_idmap *map, size_t n, struct error *e)
{
	if (n == 0)
		return error_set(e, EINVAL, "no %s is mapped into the container", what);
	if (n > EXTENTS_MAX)
		return error_set(e, E2BIG, "%zu ranges of %ss; the kernel takes %d", n, what, EXTENTS_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct spec_idmap *a = &map[i];

		if (a->count == 0 || a->inside + a->count < a->inside || a->host + a->count < a->host)
			return error_set(e, ERANGE, "%s range %u:%u:%u is empty or beyond 2^32", what, a->inside, a->host,
					 a->count);
		/* Host root in a container would undo every other wall. */
		if (a->host == 0)
			return error_set(e, EPERM, "%s range %u:%u:%u would map host id 0", what, a->inside, a->host,
					 a->count);
	}
	if (spec_host_id(map, n, 0) < 0)
		return error_set(e, EINVAL, "%s 0 is not mapped into the container", what);
	return 0;
}

static int plan_user(const struct spec *s, struct plan *p, struct error *e)
{
	int64_t caller = spec_host_id(s->uidmap, s->n_uidmap, 0);
	int r = check_map("uid", s->uidmap, s->n_uidmap, e);

	if (r == 0)
		r = check_map("gid", s->gidmap, s->n_gidmap, e);
	if (r < 0)
		return r;
	uint64_t uids = 0, gids = 0;
	for (size_t i = 0; i < s->n_uidmap; i++)
		uids += s->uidmap[i].count;
	for (size_t i = 0; i < s->n_gidmap; i++)
		gids += s->gidmap[i].count;
	caller = -1;
	for (size_t i = 0; i < s->n_uidmap; i++)
		if (s->owner >= s->uidmap[i].host && s->owner - s->uidmap[i].host < s->uidmap[i].count)
			caller = s->uidmap[i].inside + (s->owner - s->uidmap[i].host);
	if (caller >= 0 && !spec_lowered(s, "user", "caller"))
		return error_set(e, EPERM, "the caller's own uid %u would be mapped into the container (--lower user=caller "
			"says that this is wanted)", s->owner);
	if (caller >= 0)
		wall_not_up(p, WALL_USER, INTENT_LOWERED, "the caller's own id is mapped into the container",
			"own user namespace, but uid %lld inside is the caller", (long long)caller);
	else
		wall_up(p, WALL_USER, "own user namespace: %llu uids from host id %u, %llu gids from %u; caller not mapped",
			(unsigned long long)uids, s->uidmap[0].host, (unsigned long long)gids, s->gidmap[0].host);
	return 0;
}

static char *map_text(const struct spec_idmap *map, size_t n)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%u %u %u\n", map[i].inside, map[i].host, map[i].count);
	return buf_steal(&b);
}

/* newuidmap(1) and newgidmap(1) have the right that the caller lacks; they check /etc/subuid. */
static int map_by_helper(const char *tool, pid_t pid, const struct spec_idmap *map, size_t n, struct error *e)
{
	_cleanup_strv_ char **argv = NULL;
	char path[64];
	int r;

	if (proc_find(tool, path, sizeof(path)) < 0) {
		error_set(e, ENOENT, "%s is not installed", tool);
		error_hint(e, "install the package uidmap (Debian, Ubuntu) or shadow-utils (Fedora)");
		return -ENOENT;
	}
	strv_add(&argv, xstrdup(tool));
	strv_add(&argv, xasprintf("%d", pid));
	for (size_t i = 0; i < n; i++) {
		strv_add(&argv, xasprintf("%u", map[i].inside));
		strv_add(&argv, xasprintf("%u", map[i].host));
		strv_add(&argv, xasprintf("%u", map[i].count));
	}
	r = proc_run(path, argv, NULL, -1, e);
	if (r < 0)
		error_hint(e, "`brig info` shows your subordinate ids; root gives some with `brig setup --user NAME`");
	return r;
}

static int write_maps(pid_t pid, const struct spec_idmap *uids, size_t n_uids, const struct spec_idmap *gids, size_t n_gids,
		      struct error *e)
{
	_cleanup_free_ char *ut = map_text(uids, n_uids), *gt = map_text(gids, n_gids);
	char path[48];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	r = file_write(AT_FDCWD, path, gt);
	if (r < 0)
		return error_errno(e, r, "cannot write gid_map");
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	r = file_write(AT_FDCWD, path, ut);
	return r < 0 ? error_errno(e, r, "cannot write uid_map") : 0;
}

int user_write_maps(pid_t pid, const struct spec_idmap *uids, size_t n_uids, const struct spec_idmap *gids,
		    size_t n_gids, struct error *e)
{
	int r;

	if (geteuid() == 0)
		return write_maps(pid, uids, n_uids, gids, n_gids, e);
	r = map_by_helper("newgidmap", pid, gids, n_gids, e);
	return r < 0 ? r : map_by_helper("newuidmap", pid, uids, n_uids, e);
}

int user_write_maps_directly(pid_t pid, const struct spec *s, struct error *e)
{
	return write_maps(pid, s->uidmap, s->n_uidmap, s->gidmap, s->n_gidmap, e);
}
static int outside_user(struct launch *l, struct error *e)
{
	const struct spec *s = l->plan->spec;

	return user_write_maps(l->pid, s->uidmap, s->n_uidmap, s->gidmap, s->n_gidmap, e);
}

/*
 * Becomes root inside, with no group of the caller (R18). The caller's own session, terminal and dumpability end here
 * too, so that nothing inside can look into this process before exec (R12).
 */
static int raise_user(struct launch *l, struct error *e)
{
	(void)l;
	if (syscall(SYS_setgroups, 0, NULL) < 0)
		return error_errno(e, errno, "cannot drop the caller's groups");
	if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
		return error_errno(e, errno, "cannot become root inside");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return error_errno(e, errno, "PR_SET_DUMPABLE");
	return 0;
}

static int compare_map(const struct subject *s, const char *file, const struct spec_idmap *want, size_t n,
		       struct evidence *ev)
{
	_cleanup_free_ char *text = NULL;
	char *p, *line;
	size_t i = 0;

	if (file_read(s->proc_fd, file, 65536, &text, NULL) < 0) {
		evidence_add(ev, VERDICT_UNKNOWN, "%s cannot be read", file);
		return -EACCES;
	}
	for (p = text; (line = strsep(&p, "\n"));) {
		unsigned a, b, c;

		if (sscanf(line, "%u %u %u", &a, &b, &c) != 3)
			continue;
		if (i < 3)
			evidence_add(ev, VERDICT_STANDS, "%s %u %u %u", file, a, b, c);
		if (want && (i >= n || want[i].inside != a || want[i].host != b || want[i].count != c)) {
			evidence_add(ev, VERDICT_DOWN, "%s differs", file);
			evidence_why(ev, "%s line %zu is not the planned one", file, i + 1);
			return -1;
		}
		if (!want && b == 0)
			evidence_add(ev, VERDICT_DOWN, "host id 0 is mapped");
		i++;
	}
	if (i > 3)
		evidence_add(ev, VERDICT_STANDS, "%zu ranges", i);
	if (want && i != n) {
		evidence_add(ev, VERDICT_DOWN, "%s has %zu ranges, planned %zu", file, i, n);
		return -1;
	}
	return 0;
}

static void prove_user(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	struct stat own;

	if (stat("/proc/self/ns/user", &own) < 0 || subject_ns(s, "user") == 0) {
		evidence_add(ev, VERDICT_UNKNOWN, "user namespace cannot be read");
	} else if (own.st_ino == subject_ns(s, "user")) {
		evidence_add(ev, VERDICT_DOWN, "user namespace is the host's");
		evidence_why(ev, "root inside is root outside");
	} else {
		compare_map(s, "uid_map", p ? p->spec->uidmap : NULL, p ? p->spec->n_uidmap : 0, ev);
		compare_map(s, "gid_map", p ? p->spec->gidmap : NULL, p ? p->spec->n_gidmap : 0, ev);
	}
	evidence_settle(ev, p, WALL_USER);
}

static const char *const details[] = { "caller", NULL };
static const char *const texts[] = { "the caller's own id is mapped into the container", NULL };

const struct wall wall_user = {
	.id = WALL_USER,
	.name = "user",
	.what = "own user namespace: host ids that no other container has, the caller not among them",
	.details = details,
	.texts = texts,
	.can_lower = false,
	.on_exec = true,
	.plan = plan_user,
	.outside = outside_user,
	.raise = raise_user,
	.prove = prove_user,
};
