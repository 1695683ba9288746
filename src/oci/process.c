/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/process.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "confine/landlock.h"
#include "confine/lsm.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

/* linux/sched/types.h cannot stand beside sched.h of the C library; sched_setattr(2). */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static int set_scheduler(const struct oci_scheduler *s, struct error *e)
{
	struct scheduling a = { .size = sizeof(a), .policy = s->policy, .flags = s->flags, .nice = s->nice,
				.priority = (uint32_t)s->priority, .runtime = s->runtime, .deadline = s->deadline,
				.period = s->period };

	if (s->set && syscall(SYS_sched_setattr, 0, &a, 0) < 0)
		return error_errno(e, errno, "process.scheduler");
	return 0;
}

static int set_oom_score(const struct oci_process *p, struct error *e)
{
	char text[24];
	int r;

	if (!p->oom_score_adj.set)
		return 0;
	snprintf(text, sizeof(text), "%lld", (long long)p->oom_score_adj.v);
	r = file_write(AT_FDCWD, "/proc/self/oom_score_adj", text);
	return r < 0 ? error_errno(e, r, "process.oomScoreAdj") : 0;
}

int oci_process_limits(const struct oci_process *p, struct error *e)
{
	int r = set_oom_score(p, e);

	if (r == 0)
		r = set_scheduler(&p->scheduler, e);
	if (r < 0)
		return r;
	if (p->io_class && syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
				   p->io_class << IOPRIO_CLASS_SHIFT | p->io_priority) < 0)
		return error_errno(e, errno, "process.ioPriority");
	for (size_t i = 0; i < p->n_rlimits; i++) {
		struct rlimit l = { .rlim_cur = p->rlimits[i].soft, .rlim_max = p->rlimits[i].hard }, now;

		if (setrlimit((__rlimit_resource_t)p->rlimits[i].resource, &l) == 0)
			continue;
		int err = errno;
		/* What is in force already needs no right to set it. */
		if (getrlimit((__rlimit_resource_t)p->rlimits[i].resource, &now) == 0 && now.rlim_cur == l.rlim_cur &&
		    now.rlim_max == l.rlim_max)
			continue;
		return error_errno(e, err, "error setting rlimits for ready process: process.rlimits[%zu]", i);
	}
	return 0;
}

int oci_process_keyring(const char *id, const char *selinux, struct error *e)
{
	_cleanup_free_ char *name = xasprintf("_ses.%s", id);

	(void)selinux;
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0) < 0 && errno != ENOSYS)
		return error_errno(e, errno, "cannot make a session keyring");
	return 0;
}

int oci_process_stdio(int tty_fd, struct error *e)
{
	/* Already the leader of a session where somebody started us so. */
	if (setsid() < 0 && errno != EPERM)
		return error_errno(e, errno, "setsid");
	if (tty_fd < 0)
		return 0;
	if (ioctl(tty_fd, TIOCSCTTY, 0) < 0)
		return error_errno(e, errno, "process.terminal: cannot take the terminal");
	for (int i = 0; i < 3; i++)
		if (dup2(tty_fd, i) < 0)
			return error_errno(e, errno, "dup2");
	return 0;
}

int oci_process_fds(unsigned preserve, struct error *e)
{
	for (unsigned i = 0; i < preserve; i++)
		fd_set_cloexec((int)(3 + i), false);
	if (syscall(SYS_close_range, 3 + preserve, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return error_errno(e, errno, "close_range");
	return 0;
}

int oci_process_label_check(const struct oci_process *p, const char *mount_label, struct error *e)
{
	enum lsm_kind k = lsm_active();

	if (p->apparmor && *p->apparmor && !streq(p->apparmor, "unconfined") && k != LSM_APPARMOR)
		return error_set(e, EOPNOTSUPP, "process.apparmorProfile: AppArmor is not active on this host");
	if (p->selinux && *p->selinux && k != LSM_SELINUX)
		return error_set(e, EOPNOTSUPP, "process.selinuxLabel: SELinux is not active on this host");
	if (mount_label && *mount_label && k != LSM_SELINUX)
		return error_set(e, EOPNOTSUPP, "linux.mountLabel: SELinux is not active on this host");
	return 0;
}

int oci_process_label(const struct oci_process *p, int proc_fd, struct error *e)
{
	enum lsm_kind k = (p->apparmor && *p->apparmor) || (p->selinux && *p->selinux) ? lsm_active() : LSM_NONE;
	_cleanup_free_ char *text = NULL;
	int r = oci_process_label_check(p, NULL, e);

	if (r < 0)
		return r;
	if (k == LSM_APPARMOR && p->apparmor && *p->apparmor) {
		text = xasprintf("exec %s", p->apparmor);
		r = file_write(proc_fd, "self/attr/apparmor/exec", text);
		if (r == -ENOENT)
			r = file_write(proc_fd, "self/attr/exec", text);
		return r < 0 ? error_errno(e, r, "process.apparmorProfile: %s", p->apparmor) : 0;
	}
	if (k == LSM_SELINUX && p->selinux && *p->selinux) {
		r = file_write(proc_fd, "self/attr/exec", p->selinux);
		return r < 0 ? error_errno(e, r, "process.selinuxLabel: %s", p->selinux) : 0;
	}
	return 0;
}

/* --- credentials ------------------------------------------------------------------------------------------------- */

/* seccomp(2) asks for it where no_new_privs is not set. */
#define FILTER_CAP (1ULL << CAP_SYS_ADMIN)

static int drop_bounding(uint64_t keep, struct error *e)
{
	for (int c = 0; c < 64; c++) {
		if (keep >> c & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0) {
			if (errno == EINVAL)
				return 0; /* the kernel has no more */
			return error_errno(e, errno, "process.capabilities.bounding: cannot drop capability %d", c);
		}
	}
	return 0;
}

static int set_ids(const struct oci_process *p, struct error *e)
{
	if (syscall(SYS_setgroups, p->n_groups, p->groups) < 0) {
		/* In a user namespace whose maker may not map groups nobody can; then there must be none to set. */
		if (errno != EPERM || p->n_groups > 0)
			return error_errno(e, errno, "process.user.additionalGids");
	}
	if (syscall(SYS_setresgid, p->gid, p->gid, p->gid) < 0)
		return error_errno(e, errno, "process.user.gid: %u", p->gid);
	if (syscall(SYS_setresuid, p->uid, p->uid, p->uid) < 0)
		return error_errno(e, errno, "process.user.uid: %u", p->uid);
	return 0;
}

/* Only what we hold ourselves can be given: a caller in a container of its own asks for more than it has. */
static uint64_t own_permitted(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return 0;
	return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

/* `more` is permitted beside what the process shall have, and effective as well when `armed`. */
static int set_sets(const struct oci_caps *c, uint64_t more, bool armed, struct error *e)
{
	uint64_t have = own_permitted(), permitted = (c->permitted | more) & have;
	uint64_t effective = (c->effective & c->permitted & have) | (armed ? more & have : 0);
	uint64_t inheritable = c->inheritable & have;
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32) },
	};

	return syscall(SYS_capset, &head, data) < 0 ? error_errno(e, errno, "process.capabilities") : 0;
}

static void set_ambient(const struct oci_caps *c)
{
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	/* What is not permitted or inheritable is ignored, as the specification has it; nor may what is only lent be raised. */
	for (int i = 0; i < 64; i++)
		if (c->ambient & c->permitted & c->inheritable & 1ULL << i)
			(void)!prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0);
}

static const struct oci_caps *caps_of(const struct oci_process *p)
{
	static const struct oci_caps none;

	return p->caps.set ? &p->caps : &none;
}

int oci_process_become(const struct oci_process *p, bool filtered, struct error *e)
{
	const struct oci_caps *c = caps_of(p);
	int r = drop_bounding(c->bounding, e);

	if (r == 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		r = error_errno(e, errno, "PR_SET_KEEPCAPS");
	if (r == 0)
		r = set_ids(p, e);
	if (r == 0)
		r = set_sets(c, filtered && !p->no_new_privs ? FILTER_CAP : 0, false, e);
	if (r == 0)
		set_ambient(c);
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	if (r == 0 && p->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = error_errno(e, errno, "process.noNewPrivileges");
	return r;
}

int oci_process_before_filter(const struct oci_process *p, struct error *e)
{
	return p->no_new_privs ? 0 : set_sets(caps_of(p), FILTER_CAP, true, e);
}

int oci_process_after_filter(const struct oci_process *p, struct error *e)
{
	return p->no_new_privs ? 0 : set_sets(caps_of(p), 0, false, e);
}

int oci_process_landlock(const struct oci_config *cfg, bool first, struct error *e)
{
	_cleanup_strv_ char **places = NULL;

	for (size_t i = 0; i < cfg->n_mounts; i++)
		if (!(cfg->mounts[i].attr_set & MOUNT_ATTR_RDONLY) && !(cfg->mounts[i].rec_set & MOUNT_ATTR_RDONLY))
			strv_add_copy(&places, cfg->mounts[i].destination);
	return landlock_bundle(!cfg->root_readonly, places, first, e);
}

int oci_process_cwd(const struct oci_process *p, struct error *e)
{
	_cleanup_free_ char *safe = str_escape(p->cwd);
	char where[PATH_MAX];

	if (chdir(p->cwd) < 0)
		return error_errno(e, errno, "process.cwd: chdir to cwd (\"%s\") set in config.json failed", safe);
	/* A descriptor of the host that leaked, reached by /proc/self/fd/N, shows here (CVE-2024-21626). */
	if (syscall(SYS_getcwd, where, sizeof(where)) < 0 || where[0] != '/')
		return error_set(e, EPERM, "process.cwd: %s lies outside of the container", safe);
	return 0;
}

int oci_process_exec(const struct oci_process *p, const char *program, struct error *e)
{
	char *const none[] = { NULL };
	_cleanup_free_ char *safe = str_escape(program);
	int err;

	execve(program, p->args, p->env ? p->env : none);
	err = errno;
	if (err == ENOENT)
		return error_set(e, err, "exec %s: no such file or directory (its interpreter is missing)", safe);
	if (err == ENOEXEC)
		return error_set(e, err, "exec %s: exec format error", safe);
	return error_set(e, err, "exec %s: %s", safe, err == EACCES ? "permission denied" : strerror(err));
}
