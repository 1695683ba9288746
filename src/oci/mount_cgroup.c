/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mount of type "cgroup": what the machine has. v2: one file system. v1: a tmpfs with a folder for each hierarchy. With a
 * cgroup namespace of its own the container mounts the hierarchies itself and sees its own part as the root; without, its part
 * of the host's mount is shown (cgroup_namespaces(7)).
 */
#include "oci/rootfs.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "confine/mount.h"
#include "confine/sys.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define TOP "/sys/fs/cgroup"

static int finish(const struct oci_mount *m, int tree, int at, struct error *e)
{
	struct mount_attr attr = { .attr_set = m->attr_set };
	int r;

	if (attr.attr_set && sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0)
		return error_errno(e, errno, "mount options");
	r = mount_attach(tree, at, e);
	for (size_t i = 0; r == 0 && i < m->n_propagation; i++) {
		struct mount_attr p = { .propagation = m->propagation[i] & ~(unsigned long)MS_REC };

		if (sys_mount_setattr(tree, "", AT_EMPTY_PATH, &p) < 0)
			return error_errno(e, errno, "propagation");
	}
	return r;
}

/* A user has folders of its own in some hierarchies only: where the container has none there is nothing to show. */
static bool has_part(const struct oci_setup *s, const char *names)
{
	for (size_t i = 0; s->cgroup && i < s->cgroup->n; i++)
		if (streq(s->cgroup->h[i].names, names) && s->cgroup->h[i].fd < 0)
			return false;
	return true;
}

/* The container's part of a hierarchy (its controllers, "" for v2) that the host has at `top`. */
static int own_part(struct oci_setup *s, const char *names, const char *top, struct error *e)
{
	const char *below = "";

	for (size_t i = 0; s->cgroup && i < s->cgroup->n; i++)
		if (streq(s->cgroup->h[i].names, names))
			below = s->cgroup->h[i].path;
	_cleanup_free_ char *path = xasprintf("%s/%s", top, below);
	int tree = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE);

	return tree < 0 ? error_errno(e, errno, "%s", path) : tree;
}

static int mount_v2(struct oci_setup *s, const struct oci_mount *m, int at, struct error *e)
{
	struct error said = { 0 };
	_cleanup_close_ int tree = -1;

	if (s->cfg->ns[OCI_NS_CGROUP].set)
		tree = oci_new_fs("cgroup2", "cgroup", NULL, 0, 0, &said);
	if (tree < 0)
		tree = own_part(s, "", TOP, e);
	return tree < 0 ? tree : finish(m, tree, at, e);
}

/* A v1 hierarchy's controllers ("cpu,cpuacct", "name=systemd") from the mount's own options. */
static int mount_hierarchy(struct oci_setup *s, const struct oci_mount *m, const char *name, const char *options, int at,
			   struct error *e)
{
	_cleanup_free_ char *top = xasprintf(TOP "/%s", name);
	struct error said = { 0 };
	_cleanup_close_ int tree = -1;

	if (!has_part(s, options))
		return 0;
	if (s->cfg->ns[OCI_NS_CGROUP].set) {
		/* The tag of a named hierarchy has a release agent and "xattr" beside it; only the name counts. */
		tree = oci_new_fs("cgroup", "cgroup", options, 0, 0, &said);
	}
	if (tree < 0)
		tree = own_part(s, options, top, e);
	return tree < 0 ? error_wrap(e, "%s", name) : finish(m, tree, at, e);
}

/* Keeps the words of super options that name controllers. */
static char *controllers(const char *super)
{
	static const char *const other[] = { "rw", "ro", "xattr", "clone_children", "noprefix", "favordynmods", "nosuid" };
	_cleanup_strv_ char **words = strv_split(super, ',');
	struct buf b = { 0 };

	strv_foreach(w, words) {
		bool skip = str_after(*w, "release_agent=") || str_after(*w, "seclabel") || str_after(*w, "cpuset_v2");

		for (size_t i = 0; i < ARRAY_SIZE(other); i++)
			skip |= streq(*w, other[i]);
		if (!skip)
			buf_printf(&b, "%s%s", b.len ? "," : "", *w);
	}
	return buf_steal(&b);
}

/* "cpu" -> "cpu,cpuacct", as distributions have it where two controllers share a hierarchy. */
static int link_names(int dir, const char *name, struct error *e)
{
	_cleanup_strv_ char **words = strchr(name, ',') ? strv_split(name, ',') : NULL;

	strv_foreach(w, words)
		if (symlinkat(name, dir, *w) < 0 && errno != EEXIST)
			return error_errno(e, errno, "%s", *w);
	return 0;
}

static int add_hierarchies(struct oci_setup *s, const struct oci_mount *m, int dir, const char *text, struct error *e)
{
	_cleanup_strv_ char **lines = strv_split(text, '\n');
	int r = 0;

	for (char **l = lines; r == 0 && l && *l; l++) {
		char target[512], super[512], type[32];
		const char *sep = strstr(*l, " - "), *name;
		_cleanup_free_ char *options = NULL;
		_cleanup_close_ int at = -1;

		if (!sep || sscanf(*l, "%*d %*d %*s %*s %511s", target) != 1 ||
		    sscanf(sep + 3, "%31s %*s %511s", type, super) != 2 || !streq(type, "cgroup"))
			continue;
		name = str_after(target, TOP "/");
		if (!name || !path_is_part(name) || strchr(name, '/'))
			continue;
		if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
			return error_errno(e, errno, "%s", name);
		at = openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (at < 0)
			return error_errno(e, errno, "%s", name);
		options = controllers(super);
		r = mount_hierarchy(s, m, name, options, at, e);
		if (r == 0)
			r = link_names(dir, name, e);
	}
	return r;
}

int oci_mount_cgroup(struct oci_setup *s, const struct oci_mount *m, int at, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int tree = -1;
	struct mount_attr attr = { .attr_set = m->attr_set };
	struct statfs fs;
	int r;

	if (statfs(TOP, &fs) < 0)
		return error_errno(e, errno, TOP);
	if (fs.f_type == CGROUP2_SUPER_MAGIC)
		return mount_v2(s, m, at, e);
	if (streq(m->type, "cgroup2"))
		return error_set(e, ENODEV, "cgroup v2 is not what this machine has at " TOP);
	r = file_read(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &text, NULL);
	if (r < 0)
		return error_errno(e, r, "/proc/self/mountinfo");
	tree = oci_new_fs_labelled("tmpfs", "tmpfs", "mode=0755,size=64k", 0, m->attr_set & ~(uint64_t)MOUNT_ATTR_RDONLY,
				   s->cfg->mount_label, e);
	if (tree < 0)
		return tree;
	/* In a tree that is attached nowhere only its top can be changed, so there it is finished before. */
	r = s->detached ? 0 : mount_attach(tree, at, e);
	if (r == 0)
		r = add_hierarchies(s, m, tree, text, e);
	if (r == 0 && attr.attr_set && sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0)
		r = error_errno(e, errno, "mount options");
	return r == 0 && s->detached ? mount_attach(tree, at, e) : r;
}
