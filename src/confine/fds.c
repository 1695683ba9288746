/* SPDX-License-Identifier: Apache-2.0 */
/* The fds wall: no descriptor of the caller but stdio (R2). */
#include "confine/wall.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

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

const struct wall wall_fds = {
	.id = WALL_FDS, .name = "fds", .what = "no descriptor of the caller but stdio", .on_exec = true,
	.prove_inside = true,
	.plan = plan_fds, .raise = raise_fds, .prove = prove_fds,
};
