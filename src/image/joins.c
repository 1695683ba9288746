/* SPDX-License-Identifier: Apache-2.0 */
/* Does this kernel join a tree of empty files with the objects? Asked by doing it, in a child with its own mounts. */
#include "image/store.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"
#include "base/proc.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char probe_text[] = "joined";
/* overlayfs wants an upper layer, or two lower ones that are not only data */
static const char *const folders[] = { "lower", "data", "upper", "work" };
static const char *const keys[] = { "lowerdir+", "datadir+", "upperdir", "workdir" };

/* lower/x: empty with attributes; data/OBJECT: the bytes. */
static int make_probe(int dir)
{
	_cleanup_close_ int lower = -1, data = -1, x = -1, bytes = -1;

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (mkdirat(dir, folders[i], 0755) < 0)
			return -errno;
	lower = openat(dir, "lower", O_PATH | O_DIRECTORY | O_CLOEXEC);
	data = openat(dir, "data", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (lower < 0 || data < 0)
		return -errno;
	bytes = openat(data, "bytes", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	x = openat(lower, "x", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (bytes < 0 || x < 0)
		return -errno;
	if (ftruncate(x, sizeof(probe_text)) < 0 || fsetxattr(x, "user.overlay.metacopy", "", 0, 0) < 0 ||
	    fsetxattr(x, "user.overlay.redirect", "/bytes", 6, 0) < 0)
		return -errno;
	return fd_write_all(bytes, probe_text, sizeof(probe_text));
}

/* Maps our own ids to 0, as newuidmap is not needed for that. */
static bool enter_namespaces(void)
{
	char uids[64], gids[64];

	snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getegid());
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
	       file_write(AT_FDCWD, "/proc/self/setgroups", "deny") == 0 &&
	       file_write(AT_FDCWD, "/proc/self/uid_map", uids) == 0 &&
	       file_write(AT_FDCWD, "/proc/self/gid_map", gids) == 0;
}

static bool join_in_child(int dir)
{
	_cleanup_close_ int fs = -1, mnt = -1, file = -1;
	int fds[ARRAY_SIZE(folders)];
	char text[sizeof(probe_text)];

	/* overlayfs takes only folders of our own mount namespace, and of all names only the working folder moves along. */
	if (fchdir(dir) < 0 || !enter_namespaces())
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		fds[i] = open(folders[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fds[i] < 0)
			return false;
	}
	fs = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_FD, keys[i], NULL, fds[i]) < 0)
			return false;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return false;
	mnt = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
	if (mnt < 0)
		return false;
	file = openat(mnt, "x", O_RDONLY | O_CLOEXEC);
	return file >= 0 && read(file, text, sizeof(text)) == (ssize_t)sizeof(text) &&
	       memcmp(text, probe_text, sizeof(text)) == 0;
}

static bool probe(void)
{
	_cleanup_close_ int data = home_data_dir("images", NULL), dir = -1;
	bool joined = false;
	char name[40];
	uint64_t rnd;
	pid_t pid;

	if (data < 0 || getrandom(&rnd, sizeof(rnd), 0) != sizeof(rnd))
		return false;
	snprintf(name, sizeof(name), ".tmp-%016llx", (unsigned long long)rnd);
	if (mkdirat(data, name, 0755) < 0)
		return false;
	dir = openat(data, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir >= 0 && make_probe(dir) == 0) {
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(join_in_child(dir) ? 0 : 1);
		}
		if (pid > 0) {
			int status = proc_wait(pid);

			joined = status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
		}
	}
	path_remove_tree(data, name);
	return joined;
}

bool tree_kernel_joins(void)
{
	int run = home_run(NULL);
	char known[200], now[160], boot[64];
	struct utsname u;
	bool joined;

	/* RUN may lie on a disk: what was learnt counts for this boot only. */
	if (run < 0 || uname(&u) < 0 ||
	    file_read_line(AT_FDCWD, "/proc/sys/kernel/random/boot_id", boot, sizeof(boot)) < 0)
		return probe();
	snprintf(now, sizeof(now), " %.60s %.60s", boot, u.release);
	if (file_read_line(run, "joins", known, sizeof(known)) == 0) {
		if (known[0] == 'y' && streq(known + 3, now))
			return true;
		if (known[0] == 'n' && streq(known + 2, now))
			return false;
	}
	joined = probe();
	snprintf(known, sizeof(known), "%s%s\n", joined ? "yes" : "no", now);
	file_replace(run, "joins", known, strlen(known), 0600, false);
	return joined;
}
