/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of config.json, in order. */
#include "oci/rootfs.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "confine/mount.h"
#include "confine/sys.h"
#include "oci/idmap.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { VALUE_MAX = 255 }; /* of fsconfig(2), FSCONFIG_SET_STRING */

/* The kernel's own words about a failed call stand in the context's log (fsopen(2)). */
static int fs_error(int fs, int err, struct error *e, const char *what)
{
	char log[256];
	ssize_t n = read(fs, log, sizeof(log) - 1);

	if (n <= 0)
		return error_errno(e, err, "%s", what);
	while (n > 0 && log[n - 1] == '\n')
		n--;
	log[n] = 0;
	_cleanup_free_ char *safe = str_escape(n > 2 && log[1] == ' ' ? log + 2 : log);
	return error_set(e, err, "%s: %s", what, safe);
}

static const struct {
	unsigned long flag;
	const char *name;
} sb_names[] = {
	{ MS_SYNCHRONOUS, "sync" }, { MS_DIRSYNC, "dirsync" }, { MS_LAZYTIME, "lazytime" }, { MS_MANDLOCK, "mand" },
	{ MS_I_VERSION, "iversion" },
};

/* Those whose files the policy labels: the kernel takes no "context" for them, or none in a user namespace. */
static bool labels_itself(const char *type)
{
	static const char *const types[] = { "proc", "sysfs", "cgroup", "cgroup2", "mqueue", "bpf" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (streq(type, types[i]))
			return true;
	return false;
}

int oci_new_fs_labelled(const char *type, const char *source, const char *options, unsigned long sb_flags, uint64_t attrs,
			const char *label, struct error *e)
{
	_cleanup_close_ int ctx = sys_fsopen(type);
	_cleanup_free_ char *copy = xstrdup(options ? options : ""), *safe = str_escape(type);
	char *p = copy, *word;
	int m;

	if (ctx < 0)
		return errno == ENODEV ? error_set(e, ENODEV, "file system %s is not known to this kernel", safe) :
					 error_errno(e, errno, "cannot make a %s", safe);
	if (source && sys_fsconfig(ctx, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return fs_error(ctx, errno, e, "source");
	for (size_t i = 0; i < ARRAY_SIZE(sb_names); i++)
		if ((sb_flags & sb_names[i].flag) && sys_fsconfig(ctx, FSCONFIG_SET_FLAG, sb_names[i].name, NULL, 0) < 0)
			return fs_error(ctx, errno, e, sb_names[i].name);
	while ((word = strsep(&p, ","))) {
		char *eq = strchr(word, '=');
		_cleanup_free_ char *shown = str_escape(word);
		int r;

		if (!*word)
			continue;
		if (eq)
			*eq = 0;
		if (eq && strlen(eq + 1) > VALUE_MAX)
			return error_set(e, E2BIG, "option \"%.60s...\": its value is longer than %d bytes", shown, VALUE_MAX);
		r = eq ? sys_fsconfig(ctx, FSCONFIG_SET_STRING, word, eq + 1, 0) :
			 sys_fsconfig(ctx, FSCONFIG_SET_FLAG, word, NULL, 0);
		if (r < 0) {
			fs_error(ctx, errno, e, safe);
			return error_wrap(e, "option \"%s\"", shown);
		}
	}
	if (label && *label && !labels_itself(type) && sys_fsconfig(ctx, FSCONFIG_SET_STRING, "context", label, 0) < 0) {
		_cleanup_free_ char *shown = str_escape(label);

		fs_error(ctx, errno, e, safe);
		return error_wrap(e, "linux.mountLabel \"%s\"", shown);
	}
	if (sys_fsconfig(ctx, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_error(ctx, errno, e, safe);
	m = sys_fsmount(ctx, (unsigned)attrs);
	return m < 0 ? error_errno(e, errno, "fsmount %s", safe) : m;
}

int oci_new_fs(const char *type, const char *source, const char *options, unsigned long sb_flags, uint64_t attrs,
	       struct error *e)
{
	return oci_new_fs_labelled(type, source, options, sb_flags, attrs, NULL, e);
}

/* --- sources of binds -------------------------------------------------------------------------------------------- */

static int open_source(const struct oci_mount *m, struct error *e)
{
	unsigned flags = OPEN_TREE_CLONE | (m->rbind ? AT_RECURSIVE : 0) | (m->src_nofollow ? AT_SYMLINK_NOFOLLOW : 0);
	_cleanup_free_ char *safe = str_escape(m->source);
	int fd = sys_open_tree(AT_FDCWD, m->source, flags);

	return fd < 0 ? error_errno(e, errno, "bind source %s", safe) : fd;
}

static int map_source(const struct oci_config *cfg, const struct oci_mount *m, int tree, struct error *e)
{
	bool own = m->n_uidmap > 0;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
	_cleanup_close_ int userns =
		own ? oci_userns_new(m->uidmap, m->n_uidmap, m->gidmap, m->n_gidmap, e) :
		      cfg->ns[OCI_NS_USER].path ? open(cfg->ns[OCI_NS_USER].path, O_RDONLY | O_CLOEXEC) :
						  oci_userns_new(cfg->uidmap, cfg->n_uidmap, cfg->gidmap, cfg->n_gidmap, e);

	if (userns < 0)
		return error_wrap(e, "user namespace for the idmapped mount");
	attr.userns_fd = (uint64_t)userns;
	if (sys_mount_setattr(tree, "", AT_EMPTY_PATH | (m->idmap_recursive ? AT_RECURSIVE : 0), &attr) < 0)
		return error_errno(e, errno, "the file system of %s cannot be idmapped", m->source);
	return 0;
}

int oci_sources_open(const struct oci_config *cfg, int *sources, struct error *e)
{
	for (size_t i = 0; i < cfg->n_mounts; i++)
		sources[i] = -1;
	for (size_t i = 0; i < cfg->n_mounts; i++) {
		const struct oci_mount *m = &cfg->mounts[i];
		struct error said = { 0 };
		int r = 0;

		/* Without a user namespace of its own the process can do all of it itself. */
		if (!m->bind || (m->sb_flags & MS_REMOUNT) || (!m->idmap && !cfg->ns[OCI_NS_USER].set))
			continue;
		sources[i] = open_source(m, &said);
		if (sources[i] == -EPERM && !m->idmap) {
			sources[i] = -1; /* an ordinary user: inside its user namespace it may */
			continue;
		}
		r = sources[i];
		if (r >= 0 && m->idmap)
			r = map_source(cfg, m, sources[i], &said);
		if (r < 0) {
			*e = said;
			return error_wrap(e, "mounts[%zu]", i);
		}
	}
	return 0;
}

void oci_sources_close(const struct oci_config *cfg, int *sources)
{
	for (size_t i = 0; sources && i < cfg->n_mounts; i++)
		cleanup_close(&sources[i]);
}

/* --- one mount --------------------------------------------------------------------------------------------------- */

/* Attributes for the mount itself and for those below; what is locked in a user namespace cannot be cleared, and stays. */
static int set_attrs(const struct oci_mount *m, int tree, struct error *e)
{
	struct mount_attr own = { .attr_set = m->attr_set, .attr_clr = m->attr_clr }, below = { .attr_set = m->rec_set,
												 .attr_clr = m->rec_clr };

	if ((own.attr_set || own.attr_clr) && sys_mount_setattr(tree, "", AT_EMPTY_PATH, &own) < 0) {
		own.attr_clr &= MOUNT_ATTR__ATIME;
		if (!(own.attr_set & MOUNT_ATTR__ATIME))
			own.attr_clr = 0;
		if (errno != EPERM || ((own.attr_set || own.attr_clr) && sys_mount_setattr(tree, "", AT_EMPTY_PATH, &own) < 0))
			return error_errno(e, errno, "mount options");
	}
	if ((below.attr_set || below.attr_clr) && sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &below) < 0)
		return error_errno(e, errno, "recursive mount options");
	return 0;
}

static int set_propagation(const struct oci_mount *m, int tree, struct error *e)
{
	for (size_t i = 0; i < m->n_propagation; i++) {
		struct mount_attr attr = { .propagation = m->propagation[i] & ~(unsigned long)MS_REC };

		if (sys_mount_setattr(tree, "", AT_EMPTY_PATH | (m->propagation[i] & MS_REC ? AT_RECURSIVE : 0), &attr) < 0)
			return error_errno(e, errno, "propagation");
	}
	return 0;
}

/* What inside procfs may be covered: files that show the container's share of the machine, as lxcfs gives them. */
static bool covers_allowed(const char *destination)
{
	static const char *const names[] = {
		"/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps", "/proc/uptime", "/proc/loadavg",
		"/proc/slabinfo", "/proc/net/dev", "/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (streq(names[i], destination))
			return true;
	return false;
}

/* Nothing is mounted over a file of procfs but those, whatever path leads there (CVE-2019-19921, CVE-2025-52565). */
static int check_target(const struct oci_mount *m, int at, struct error *e)
{
	struct statfs fs;

	if (fstatfs(at, &fs) < 0)
		return error_errno(e, errno, "mount point");
	if (fs.f_type == PROC_SUPER_MAGIC && !covers_allowed(m->destination) && !streq(m->type, "proc"))
		return error_set(e, EPERM, "cannot be mounted because it is inside /proc");
	return 0;
}

/* Below a shared mount a new one becomes shared: what was asked for comes after. In a tree that is attached nowhere nothing
 * is shared, and only its top can be changed: there it comes before. */
static int put(const struct oci_setup *s, const struct oci_mount *m, int tree, int at, struct error *e)
{
	int r = s->detached ? set_propagation(m, tree, e) : 0;

	if (r == 0)
		r = mount_attach(tree, at, e);
	return r < 0 || s->detached ? r : set_propagation(m, tree, e);
}

static int open_target(struct oci_setup *s, const struct oci_mount *m, bool dir, struct error *e)
{
	int at = dir ? path_mkdirs_in(s->root_fd, m->destination, 0755) : path_mkfile_in(s->root_fd, m->destination, 0755), r;

	if (at < 0)
		return error_errno(e, at, "cannot make the mount point");
	r = check_target(m, at, e);
	if (r < 0) {
		close(at);
		return r;
	}
	return at;
}

static int attach(struct oci_setup *s, const struct oci_mount *m, int tree, bool dir, struct error *e)
{
	_cleanup_close_ int at = open_target(s, m, dir, e);
	int r;

	if (at < 0)
		return at;
	r = set_attrs(m, tree, e);
	return r < 0 ? r : put(s, m, tree, at, e);
}

static int do_bind(struct oci_setup *s, const struct oci_mount *m, int given, struct error *e)
{
	_cleanup_close_ int own = given >= 0 ? -1 : open_source(m, e);
	int tree = given >= 0 ? given : own;
	struct stat st;

	if (tree < 0)
		return tree;
	if (fstat(tree, &st) < 0)
		return error_errno(e, errno, "bind source");
	return attach(s, m, tree, S_ISDIR(st.st_mode), e);
}

/* In a user namespace only who owns the network (pid) namespace may make a sysfs (procfs); then the host's is shown. */
static int of_host(const char *type, const struct oci_mount *m, struct error *e)
{
	const char *path = streq(type, "sysfs") ? "/sys" : "/proc";
	struct mount_attr attr = { .attr_set = m->attr_set };
	_cleanup_close_ int tree = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | AT_RECURSIVE);

	if (tree < 0)
		return error_errno(e, errno, "%s", path);
	if (attr.attr_set && sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0)
		return error_errno(e, errno, "%s", path);
	return steal_fd(&tree);
}

static int copy_up(int tree, int at, struct error *e)
{
	_cleanup_close_ int to = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return to < 0 ? error_errno(e, errno, "tmpfs") : mount_copy(at, to, e);
}

static int do_new(struct oci_setup *s, const struct oci_mount *m, struct error *e)
{
	bool late_ro = m->tmpcopyup && (m->attr_set & MOUNT_ATTR_RDONLY), shown = streq(m->type, "sysfs") || streq(m->type, "proc");
	_cleanup_close_ int at = open_target(s, m, true, e), tree = -1;
	struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	struct error said = { 0 };
	int r;

	if (at < 0)
		return at;
	tree = oci_new_fs_labelled(m->type, m->source ? m->source : m->type, m->data, m->sb_flags,
				   m->attr_set & ~(uint64_t)(late_ro ? MOUNT_ATTR_RDONLY : 0), s->cfg->mount_label, &said);
	if (tree < 0 && (tree == -EPERM || tree == -EBUSY) && shown)
		tree = of_host(m->type, m, e);
	else if (tree < 0)
		*e = said;
	if (tree < 0)
		return tree;
	if (m->tmpcopyup) {
		r = copy_up(tree, at, e);
		if (r < 0)
			return r;
	}
	if (late_ro && sys_mount_setattr(tree, "", AT_EMPTY_PATH, &ro) < 0)
		return error_errno(e, errno, "mount_setattr");
	if ((m->rec_set || m->rec_clr) && sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE,
							    &(struct mount_attr){ .attr_set = m->rec_set, .attr_clr = m->rec_clr }) < 0)
		return error_errno(e, errno, "recursive mount options");
	return put(s, m, tree, at, e);
}

/* "remount", or only a propagation: what is mounted there already is changed. */
static int do_change(struct oci_setup *s, const struct oci_mount *m, struct error *e)
{
	_cleanup_close_ int at = path_open_in(s->root_fd, m->destination, O_PATH, 0);
	int r;

	if (at < 0)
		return error_errno(e, at, "mount point");
	if (s->detached)
		return error_set(e, EINVAL, "what is mounted there can be changed only in a new mount namespace");
	r = set_attrs(m, at, e);
	return r < 0 ? r : set_propagation(m, at, e);
}

static int do_one(struct oci_setup *s, const struct oci_mount *m, int source, struct error *e)
{
	if ((m->sb_flags & MS_REMOUNT) || (!m->bind && !m->type))
		return do_change(s, m, e);
	if (m->bind)
		return do_bind(s, m, source, e);
	if (streq(m->type, "cgroup") || streq(m->type, "cgroup2")) {
		_cleanup_close_ int at = open_target(s, m, true, e);

		return at < 0 ? at : oci_mount_cgroup(s, m, at, e);
	}
	return do_new(s, m, e);
}

int oci_mounts_all(struct oci_setup *s, struct error *e)
{
	for (size_t i = 0; i < s->cfg->n_mounts; i++) {
		const struct oci_mount *m = &s->cfg->mounts[i];
		int r = do_one(s, m, s->sources[i], e);

		if (r < 0) {
			_cleanup_free_ char *safe = str_escape(m->destination);

			return error_wrap(e, "mounts[%zu]: mount at %s", i, safe);
		}
	}
	return 0;
}
