/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/spawn.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Opens the namespaces by path; each must be one, and of its type. */
static int open_given(struct oci_init *i, struct error *e)
{
	for (int k = 0; k < OCI_NS_COUNT; k++) {
		const char *path = i->cfg->ns[k].path;
		_cleanup_free_ char *safe = path ? str_escape(path) : NULL;
		struct statfs fs;

		if (!path)
			continue;
		i->ns[k] = open(path, O_RDONLY | O_CLOEXEC);
		if (i->ns[k] < 0)
			return error_errno(e, errno, "linux.namespaces: %s", safe);
		if (fstatfs(i->ns[k], &fs) < 0 || fs.f_type != NSFS_MAGIC || ioctl(i->ns[k], NS_GET_NSTYPE) != oci_ns_flags[k])
			return error_set(e, EINVAL, "linux.namespaces: %s is not such a namespace", safe);
	}
	return 0;
}

static uint64_t new_flags(const struct oci_config *c)
{
	uint64_t flags = 0;

	/*
	 * Time and cgroup namespaces are made by the process itself: offsets first, and after it has joined its cgroup. So is the
	 * ipc namespace of a new user namespace: /dev/mqueue belongs to who made it, which has to be root in there.
	 */
	for (int k = 0; k < OCI_NS_COUNT; k++)
		if (oci_ns_new(c, k) && k != OCI_NS_TIME && k != OCI_NS_CGROUP && (k != OCI_NS_IPC || !oci_ns_new(c, OCI_NS_USER)))
			flags |= (uint64_t)oci_ns_flags[k];
	return flags;
}

/*
 * pid and user namespaces have to be entered before the process is made; so do others that belong to the host when the process
 * gets a user namespace of its own.
 */
static bool needs_helper(const struct oci_init *i)
{
	if (i->ns[OCI_NS_PID] >= 0 || i->ns[OCI_NS_USER] >= 0)
		return true;
	for (int k = 0; i->cfg->ns[OCI_NS_USER].set && k < OCI_NS_COUNT; k++)
		if (k != OCI_NS_MOUNT && i->ns[k] >= 0)
			return true;
	return false;
}

/* What the host owns is entered with the host's rights, the rest with those inside the user namespace. */
static int enter_all(struct oci_init *i)
{
	int user = i->ns[OCI_NS_USER];

	for (int round = 0; round < 2; round++) {
		for (int k = OCI_NS_COUNT - 1; k >= 0; k--) {
			if (i->ns[k] < 0 || k == OCI_NS_USER || k == OCI_NS_MOUNT)
				continue;
			if (setns(i->ns[k], oci_ns_flags[k]) < 0) {
				if (round == 1 || user < 0)
					return -errno;
				continue;
			}
			i->ns[k] = -1;
		}
		if (round == 1 || user < 0)
			break;
		if (setns(user, CLONE_NEWUSER) < 0)
			return -errno;
		i->ns[OCI_NS_USER] = -1;
		/* Rights over what is made next belong to root of that namespace. */
		(void)!syscall(SYS_setgroups, 0, NULL);
		if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
			return -errno;
	}
	return 0;
}

struct report {
	pid_t pid;
	int err, cloned;
};

static pid_t by_helper(struct oci_init *i, struct clone_args *args, int *pidfd, struct error *e)
{
	_cleanup_close_ int in = -1;
	struct report rep = { 0 };
	pid_t helper;
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe");
	in = p[0];
	helper = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (helper == 0) {
		int r = enter_all(i);

		if (r < 0) {
			rep = (struct report){ -1, -r, 0 };
		} else {
			args->flags = (args->flags | CLONE_PARENT) & ~(uint64_t)CLONE_PIDFD;
			args->exit_signal = 0; /* the helper's own, SIGCHLD, is taken over */
			rep.pid = (pid_t)syscall(SYS_clone3, args, sizeof(*args));
			if (rep.pid == 0)
				return 0;
			rep = (struct report){ rep.pid, errno, 1 };
		}
		(void)!write(p[1], &rep, sizeof(rep));
		_exit(0);
	}
	int err = errno;
	close(p[1]);
	if (helper < 0)
		return error_errno(e, err, "fork");
	ssize_t n = read(in, &rep, sizeof(rep));
	proc_wait(helper);
	if (n != sizeof(rep))
		return error_set(e, EIO, "the process that enters the namespaces died");
	if (rep.pid < 0)
		return error_errno(e, rep.err, rep.cloned ? "clone3" : "linux.namespaces: cannot be entered");
	*pidfd = proc_pidfd(rep.pid);
	if (*pidfd >= 0)
		return rep.pid;
	err = *pidfd;
	kill(rep.pid, SIGKILL); /* our own child, not yet reaped: the number is its */
	proc_wait(rep.pid);
	return error_errno(e, err, "pidfd_open");
}

pid_t oci_spawn(struct oci_init *i, int cgroup_fd, int *pidfd, struct error *e)
{
	struct clone_args args = { .flags = new_flags(i->cfg) | CLONE_PIDFD, .exit_signal = SIGCHLD,
				   .pidfd = (uint64_t)(uintptr_t)pidfd };
	pid_t pid;
	int r;

	for (int k = 0; k < OCI_NS_COUNT; k++)
		i->ns[k] = -1;
	i->in_userns = i->cfg->ns[OCI_NS_USER].set;
	r = open_given(i, e);
	if (r < 0)
		return r;
	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	if (needs_helper(i))
		return by_helper(i, &args, pidfd, e);
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0) {
		error_errno(e, errno, "linux.namespaces: cannot be made");
		if (errno == EPERM || errno == ENOSPC)
			error_hint(e, "an ordinary user needs a user namespace among them (brig-oci spec --rootless)");
		return e->code;
	}
	return pid;
}
