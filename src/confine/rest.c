/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walls that other walls' work makes and that are proven on their own: image (what the root is made of), devices
 * (what /dev holds and that no more can be made), env (nothing of the caller's environment), fds (no descriptor of the
 * caller).
 */
#include "confine/mount.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "confine/caps.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* --- image ------------------------------------------------------------------------------------------------------- */

static int plan_image(const struct spec *s, struct plan *p, struct error *e)
{
	if (s->root.lower_fd < 0 && !s->root.staged)
		return error_set(e, EINVAL, "no root file system");
	if (!s->root.read_only && !s->root.tmpfs_size && s->root.rw_fd < 0)
		return error_set(e, EINVAL, "no folder for the writable layer");
	wall_up(p, WALL_IMAGE, "%s is the lower layer of an overlay and is never written",
		s->root.kind == SPEC_ROOT_IMAGE ? "the image's prepared tree" : "the folder given as --rootfs");
	return 0;
}

static void prove_image(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	_cleanup_free_ char *text = NULL;
	char *line, *rest;
	bool found = false;

	if (!p) {
		evidence_add(ev, VERDICT_UNKNOWN, "nothing is recorded about the root of this process");
		evidence_why(ev, "brig did not start it");
		return;
	}
	if (file_read(s->proc_fd, "mountinfo", 1 << 20, &text, NULL) < 0) {
		evidence_add(ev, VERDICT_UNKNOWN, "mountinfo cannot be read");
		return;
	}
	for (rest = text; (line = strsep(&rest, "\n"));) {
		char *sep = strstr(line, " - ");

		if (!sep || !strstr(line, " / / "))
			continue;
		found = true;
		bool overlay = strncmp(sep, " - overlay ", 11) == 0, lower = strstr(sep, "lowerdir") != NULL;
		evidence_add(ev, overlay && lower ? VERDICT_STANDS : VERDICT_DOWN, "root: %.300s", sep + 3);
	}
	if (!found)
		evidence_add(ev, VERDICT_DOWN, "no root mount is visible");
	evidence_settle(ev, p, WALL_IMAGE);
}

/* --- devices ----------------------------------------------------------------------------------------------------- */

static int plan_devices(const struct spec *s, struct plan *p, struct error *e)
{
	(void)e;
	if (s->caps & CAP_BIT(CAP_MKNOD))
		wall_not_up(p, WALL_DEVICES, INTENT_LOWERED, "CAP_MKNOD was added (nodes still cannot be opened: nodev)",
			    "null zero full random urandom tty, pts of its own");
	else
		wall_up(p, WALL_DEVICES, "null zero full random urandom tty, pts of its own; none can be made");
	return 0;
}

static void prove_devices(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *de;
	char text[64];
	int fd = openat(s->proc_fd, "root/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t good = 0;

	if (fd < 0 || !(d = fdopendir(fd))) {
		evidence_add(ev, VERDICT_UNKNOWN, "/dev inside cannot be read (%s)", error_name(errno));
		cleanup_close(&fd);
		evidence_settle(ev, p, WALL_DEVICES);
		return;
	}
	while ((de = readdir(d))) {
		const struct mount_device *k = mount_devices;
		_cleanup_free_ char *safe = NULL;
		struct stat st;

		if (fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
			continue;
		while (k->name && !(streq(k->name, de->d_name) && S_ISCHR(st.st_mode) &&
				    st.st_rdev == makedev(k->major, k->minor)))
			k++;
		if (k->name || (streq(de->d_name, "console") && major(st.st_rdev) == 136)) {
			good++;
			continue;
		}
		safe = str_escape(de->d_name);
		evidence_add(ev, VERDICT_DOWN, "/dev/%s %c %u:%u", safe, S_ISCHR(st.st_mode) ? 'c' : 'b',
			     major(st.st_rdev), minor(st.st_rdev));
		evidence_why(ev, "/dev/%s is not one of the planned devices", safe);
	}
	evidence_add(ev, VERDICT_STANDS, "%zu known nodes", good);
	if (subject_status(s, "CapBnd", text, sizeof(text)) == 0) {
		bool can = strtoull(text, NULL, 16) & CAP_BIT(CAP_MKNOD);

		evidence_add(ev, can && !(p && p->caps & CAP_BIT(CAP_MKNOD)) ? VERDICT_DOWN : VERDICT_STANDS,
			     "mknod %s", can ? "possible" : "not in the bounding set");
	}
	evidence_settle(ev, p, WALL_DEVICES);
}

/* --- environment ------------------------------------------------------------------------------------------------- */

static int plan_env(const struct spec *s, struct plan *p, struct error *e)
{
	strv_foreach(it, s->env)
		if (!strchr(*it, '=') || **it == '=')
			return error_set(e, EINVAL, "environment entry without a name or \"=\"");
	wall_up(p, WALL_ENV, "%zu variables, all named by the image or on the command line", strv_len(s->env));
	return 0;
}

/* Names that every shell sets anew for what it starts; the same value outside and inside says nothing. */
static bool is_common(const char *entry)
{
	static const char *const names[] = { "PATH=", "HOME=", "PWD=", "OLDPWD=", "SHLVL=", "_=", "TERM=", "LANG=", "HOSTNAME=" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_after(entry, names[i]))
			return true;
	return false;
}

/*
 * A program may change its own environment and give another one to what it executes, so that what is not in the plan is no
 * sign by itself; that an entry is the very one that we have ourselves is.
 */
static void prove_env(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	_cleanup_free_ char *text = NULL;
	size_t n, have = 0, own = 0, leaked = 0;

	if (file_read(s->proc_fd, "environ", 1 << 21, &text, &n) < 0) {
		evidence_add(ev, VERDICT_UNKNOWN, "environ cannot be read (%s)", error_name(errno));
		evidence_settle(ev, p, WALL_ENV);
		return;
	}
	for (size_t i = 0; i < n; i += strlen(text + i) + 1) {
		if (!text[i])
			continue;
		have++;
		if (!p || strv_has(p->spec->env, text + i))
			continue;
		own++;
		leaked += strv_has(environ, text + i) && !is_common(text + i);
	}
	evidence_add(ev, leaked ? VERDICT_DOWN : VERDICT_STANDS, "%zu variables in /proc/PID/environ", have);
	if (own)
		evidence_add(ev, VERDICT_STANDS, "%zu of them set by the program itself", own);
	if (leaked)
		evidence_why(ev, "%zu variables are the caller's own", leaked);
	evidence_settle(ev, p, WALL_ENV);
}

/* --- descriptors ------------------------------------------------------------------------------------------------- */

static int plan_fds(const struct spec *s, struct plan *p, struct error *e)
{
	(void)e;
	if (s->preserve_fds > 0)
		wall_not_up(p, WALL_FDS, INTENT_LOWERED, "descriptors are passed by --preserve-fds", "stdio and %d more",
			    s->preserve_fds);
	else
		wall_up(p, WALL_FDS, "stdio only; working directory inside the root");
	return 0;
}

/* Everything above stdio is marked close-on-exec; launch keeps its own socket until exec closes it too. */
static int raise_fds(struct launch *l, struct error *e)
{
	unsigned first = 3 + (unsigned)l->plan->spec->preserve_fds;

	if (close_range(first, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return error_errno(e, errno, "close_range");
	return 0;
}

/*
 * What a program opens itself is its own; a descriptor of the host shows a path that starts outside of the container's
 * root, or a folder of another mount namespace. The kernel prints such paths as seen by the reader, so every target is
 * looked up again below the container's root and compared.
 */
static void prove_fds(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *de;
	size_t n = 0, dirs = 0, foreign = 0;
	int fd = openat(s->proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat root;

	if (fd < 0 || !(d = fdopendir(fd)) || fstatat(s->proc_fd, "root", &root, 0) < 0) {
		evidence_add(ev, VERDICT_UNKNOWN, "descriptors cannot be read (%s)", error_name(errno));
		if (!d)
			cleanup_close(&fd);
		evidence_settle(ev, p, WALL_FDS);
		return;
	}
	while ((de = readdir(d))) {
		char path[32], line[128];
		struct stat st;

		if (de->d_name[0] == '.')
			continue;
		n++;
		if (fstatat(fd, de->d_name, &st, 0) < 0 || !(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)))
			continue;
		dirs++;
		/* A mount id that the container's mountinfo does not list belongs to somebody else's tree. */
		snprintf(path, sizeof(path), "fdinfo/%.16s", de->d_name);
		_cleanup_free_ char *info = NULL, *mounts = NULL;
		if (file_read(s->proc_fd, path, 8192, &info, NULL) < 0 ||
		    file_read(s->proc_fd, "mountinfo", 1 << 20, &mounts, NULL) < 0)
			continue;
		char *id = strstr(info, "mnt_id:");
		unsigned mnt = id ? (unsigned)strtoul(id + 7, NULL, 10) : 0;
		snprintf(line, sizeof(line), "%u ", mnt);
		size_t len = strlen(line);
		bool ours = strncmp(mounts, line, len) == 0;
		for (char *q = mounts; !ours && (q = strchr(q, '\n')); q++)
			ours = strncmp(q + 1, line, len) == 0;
		/* Anonymous files (memfd, sockets' files) live in kernel mounts without a device of a real file system. */
		if (!ours && major(st.st_dev) != 0) {
			foreign++;
			evidence_why(ev, "descriptor %.16s is a file of another mount tree", de->d_name);
		}
	}
	evidence_add(ev, foreign ? VERDICT_DOWN : VERDICT_STANDS, "%zu open, %zu of them files or folders, %zu not inside",
		     n, dirs, foreign);
	evidence_settle(ev, p, WALL_FDS);
}

const struct wall wall_image = {
	.id = WALL_IMAGE, .name = "image", .what = "the root is the prepared tree of the image and is never written",
	.plan = plan_image, .prove = prove_image,
};

const struct wall wall_devices = {
	.id = WALL_DEVICES, .name = "devices", .what = "six harmless device nodes; none can be made",
	.plan = plan_devices, .prove = prove_devices,
};

const struct wall wall_env = {
	.id = WALL_ENV, .name = "env", .what = "clean environment: nothing of the caller's", .on_exec = true,
	.prove_inside = true,
	.plan = plan_env, .prove = prove_env,
};

const struct wall wall_fds = {
	.id = WALL_FDS, .name = "fds", .what = "no descriptor of the caller but stdio", .on_exec = true,
	.prove_inside = true,
	.plan = plan_fds, .raise = raise_fds, .prove = prove_fds,
};
