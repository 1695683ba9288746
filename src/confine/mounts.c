/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts wall: a private tree of which nothing belongs to the host but what was declared. See mount.h for its parts.
 */
#include "confine/mount.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "confine/sys.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int plan_mounts(const struct spec *s, struct plan *p, struct error *e)
{
	size_t writable = 0;

	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct spec_mount *m = &s->mounts[i];

		if (m->target[0] != '/' || streq(m->target, "/"))
			return error_set(e, EINVAL, "mount target \"%s\" is not a path below /", m->target);
		writable += m->writable;
	}
	bool masks = spec_lowered(s, "mounts", "masks"), sys = spec_lowered(s, "mounts", "sys");
	const char *root = s->root.read_only ? "read-only" : s->root.tmpfs_size ? "writable in memory" : "writable layer";
	if (masks || sys)
		wall_not_up(p, WALL_MOUNTS, INTENT_LOWERED,
			    masks && sys ? "/proc shows the host, /sys is mounted" :
			    masks	 ? "/proc shows what it tells about the host" :
					   "/sys is mounted read-only",
			    "private tree, root %s, %zu writable places, nosuid, nodev", root, writable);
	else
		wall_up(p, WALL_MOUNTS, "private tree, root %s, %zu writable places, nosuid, nodev, /proc masked, no /sys",
			root, writable);
	return 0;
}

static int outside_mounts(struct launch *l, struct error *e)
{
	/* An ordinary user's sources are opened inside, by the new process, while it still is the caller. */
	return geteuid() == 0 ? mount_sources_outside(l, e) : 0;
}

/* Files that the engine gives, such as secrets. */
static int write_files(int fs, const struct spec_mount *m, struct error *e)
{
	for (size_t i = 0; i < m->n_files; i++) {
		const struct spec_file *f = &m->files[i];
		_cleanup_close_ int out = openat(fs, f->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		uint64_t at = 0;

		if (out < 0)
			return error_errno(e, errno, "%s", f->name);
		while (at < f->len) {
			off_t offset = (off_t)(f->offset + at);
			ssize_t n = sendfile(out, f->fd, &offset, f->len - at);

			if (n <= 0)
				return error_errno(e, n < 0 ? errno : EIO, "%s", f->name);
			at += (uint64_t)n;
		}
		if (fchown(out, f->uid, f->gid) < 0 || fchmod(out, f->mode) < 0)
			return error_errno(e, errno, "%s", f->name);
	}
	return 0;
}

/* What the image has there; a mode that was asked for stays. */
static int fill_tmpfs(int fs, int image, const struct spec_mount *m, struct error *e)
{
	_cleanup_close_ int to = openat(fs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int r;

	if (to < 0 || fstat(to, &st) < 0)
		return error_errno(e, errno, "tmpfs");
	r = mount_copy(image, to, e);
	if (r == 0 && m->data && strstr(m->data, "mode=") && fchmod(to, st.st_mode & 07777) < 0)
		r = error_errno(e, errno, "tmpfs");
	return r;
}

static int mount_tmpfs(struct launch *l, const struct spec_mount *m, struct error *e)
{
	_cleanup_close_ int at = path_mkdirs_in(l->root_fd, m->target, 0755), fs = -1;
	struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
	int r = 0;

	if (at < 0)
		return error_errno(e, at, "cannot make the mount point");
	fs = mount_new("tmpfs", m->data, (unsigned)(m->attrs & ~(uint64_t)MOUNT_ATTR_RDONLY) | MOUNT_BASE, e);
	if (fs < 0)
		return fs;
	if (m->copy_up)
		r = fill_tmpfs(fs, at, m, e);
	if (r == 0)
		r = write_files(fs, m, e);
	if (r == 0 && (m->attrs & MOUNT_ATTR_RDONLY) && sys_mount_setattr(fs, "", AT_EMPTY_PATH, &read_only) < 0)
		r = error_errno(e, errno, "mount_setattr");
	return r < 0 ? r : mount_attach(fs, at, e);
}

static int mount_bind(struct launch *l, const struct spec_mount *m, int source, struct error *e)
{
	_cleanup_close_ int at = -1, tree = -1;
	uint64_t attrs = m->attrs | MOUNT_BASE;
	struct stat st;
	int r;

	if (fstat(source, &st) < 0)
		return error_set(e, EBADF, "its source is not open");
	at = S_ISDIR(st.st_mode) ? path_mkdirs_in(l->root_fd, m->target, 0755) :
				   path_mkfile_in(l->root_fd, m->target, 0644);
	if (at < 0)
		return error_errno(e, at, "cannot make the mount point");
	if (m->copy_up && S_ISDIR(st.st_mode)) {
		r = mount_copy(at, source, e); /* a new volume starts as what the image has at its place */
		if (r < 0)
			return r;
	}
	if (l->sources_detached) {
		struct mount_attr attr = { .attr_set = attrs };

		if (sys_mount_setattr(source, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0)
			return error_errno(e, errno, "mount_setattr");
		r = mount_attach(source, at, e);
	} else {
		/* In a user namespace only the whole tree may be taken: parts could uncover what is hidden below. */
		tree = mount_clone(source, attrs, true, e);
		if (tree < 0)
			return tree;
		r = mount_attach(tree, at, e);
	}
	return r;
}

int mount_rest(struct launch *l, struct error *e)
{
	const struct spec *s = l->plan->spec;
	size_t bind = 3;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->n_mounts; i++) {
		const struct spec_mount *m = &s->mounts[i];

		if (streq(m->fstype, "bind"))
			r = mount_bind(l, m, l->sources[bind++], e);
		else if (streq(m->target, "/dev/shm"))
			continue; /* made with /dev */
		else if (streq(m->fstype, "tmpfs"))
			r = mount_tmpfs(l, m, e);
		else
			r = error_set(e, EINVAL, "file system %s is not known here", m->fstype);
		if (r < 0)
			error_wrap(e, "mount at %s", m->target);
	}
	return r;
}

/* Read-only /sys, for those who lower mounts=sys: what it tells of the host is masked as far as files are known. */
static int mount_sys(struct launch *l, struct error *e)
{
	_cleanup_close_ int at = -1, m = -1;

	if (!spec_lowered(l->plan->spec, "mounts", "sys"))
		return 0;
	at = path_mkdirs_in(l->root_fd, "sys", 0555);
	if (at < 0)
		return error_errno(e, at, "/sys of the image");
	m = mount_new("sysfs", NULL, MOUNT_BASE | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY, e);
	return m < 0 ? m : mount_attach(m, at, e);
}

static int raise_mounts(struct launch *l, struct error *e)
{
	int r = mount_root(l, e);

	if (r == 0)
		r = mount_dev(l, e);
	if (r == 0)
		r = mount_sys(l, e);
	if (r == 0)
		r = mount_proc(l, e);
	if (r == 0)
		r = mount_rest(l, e);
	if (r == 0)
		r = mount_pivot(l, e);
	return r;
}

/* --- evidence ---------------------------------------------------------------------------------------------------- */

struct mount_line {
	char root[512], target[512], options[256], fstype[64], source[256], super[1024];
	bool shared;
};

/* One line of mountinfo, proc_pid_mountinfo(5). Names are octal-escaped by the kernel and compared as they are. */
static bool parse_line(char *line, struct mount_line *out)
{
	char *sep = strstr(line, " - ");

	if (!sep)
		return false;
	*sep = 0;
	if (sscanf(line, "%*d %*d %*s %511s %511s %255s", out->root, out->target, out->options) != 3)
		return false;
	out->shared = strstr(line, " shared:") || strstr(line, " master:");
	out->super[0] = 0;
	return sscanf(sep + 3, "%63s %255s %1023s", out->fstype, out->source, out->super) >= 2;
}

static bool has_option(const char *options, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = options; (p = strstr(p, name)); p += n)
		if ((p == options || p[-1] == ',') && (p[n] == 0 || p[n] == ','))
			return true;
	return false;
}

static bool is_device_node(const char *target)
{
	const char *name = str_after(target, "/dev/");

	if (!name)
		return false;
	if (streq(name, "console"))
		return true;
	for (const struct mount_device *d = mount_devices; d->name; d++)
		if (streq(d->name, name))
			return true;
	return false;
}

static void prove_lines(const struct plan *p, char *text, struct evidence *ev)
{
	size_t total = 0, loose = 0, shared = 0, unplanned = 0, suid = 0;
	bool sysfs = false;
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n"))) {
		struct mount_line m;
		bool planned = !p;

		if (!*line || !parse_line(line, &m))
			continue;
		total++;
		shared += m.shared;
		sysfs |= streq(m.fstype, "sysfs");
		if (!has_option(m.options, "nosuid"))
			suid++;
		if (!has_option(m.options, "nodev") && !is_device_node(m.target) && !streq(m.fstype, "devpts"))
			loose++;
		if (streq(m.target, "/")) {
			bool ro = has_option(m.options, "ro");

			evidence_add(ev, VERDICT_STANDS, "/ is %s %s", m.fstype, ro ? "ro" : "rw");
			if (p && p->spec->root.read_only && !ro) {
				evidence_add(ev, VERDICT_DOWN, "root is writable");
				evidence_why(ev, "planned read-only");
			}
			planned = true;
		}
		if (p && (str_after(m.target, "/proc") || str_after(m.target, "/dev") || streq(m.target, "/sys")))
			planned = true;
		for (size_t i = 0; p && i < p->spec->n_mounts; i++) {
			const char *below = str_after(m.target, p->spec->mounts[i].target);

			planned |= below && (*below == 0 || *below == '/');
		}
		strv_foreach(it, p ? p->spec->masked : NULL)
			planned |= streq(*it, m.target);
		if (!planned) {
			unplanned++;
			evidence_why(ev, "%s is mounted and not planned", m.target);
		}
	}
	evidence_add(ev, total ? VERDICT_STANDS : VERDICT_UNKNOWN, "%zu mounts", total);
	evidence_add(ev, suid ? VERDICT_DOWN : VERDICT_STANDS, "%zu without nosuid", suid);
	evidence_add(ev, loose ? VERDICT_DOWN : VERDICT_STANDS, "%zu without nodev (but for the device nodes and terminals)", loose);
	if (shared)
		evidence_add(ev, VERDICT_DOWN, "%zu share propagation with the host", shared);
	if (unplanned)
		evidence_add(ev, VERDICT_DOWN, "%zu not planned", unplanned);
	if (sysfs && !(p && spec_lowered(p->spec, "mounts", "sys")))
		evidence_add(ev, VERDICT_DOWN, "/sys is mounted");
}

/* A mask is the device 1:3 or an empty, read-only folder; names that are allowed are not masked. */
static void prove_masks(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	static const char *const probes[] = { "kcore", "kallsyms", "keys", "timer_list", "interrupts", "sysrq-trigger",
					      "kmsg", "config.gz", "cmdline" };
	_cleanup_close_ int proc = openat(s->proc_fd, "root/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	size_t hidden = 0, open_count = 0;

	if (proc < 0) {
		evidence_add(ev, VERDICT_UNKNOWN, "/proc inside cannot be opened (%s)", error_name(errno));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		struct stat st;

		if (fstatat(proc, probes[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) {
			hidden++;
		} else {
			open_count++;
			if (!(p && spec_lowered(p->spec, "mounts", "masks")))
				evidence_why(ev, "/proc/%s is not masked", probes[i]);
		}
	}
	evidence_add(ev, open_count && !(p && spec_lowered(p->spec, "mounts", "masks")) ? VERDICT_DOWN : VERDICT_STANDS,
		     "%zu of %zu probed /proc files masked", hidden, hidden + open_count);
}

static void prove_mounts(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	_cleanup_free_ char *text = NULL;
	struct stat own;

	if (stat("/proc/self/ns/mnt", &own) == 0 && own.st_ino == subject_ns(s, "mnt")) {
		evidence_add(ev, VERDICT_DOWN, "mount namespace is the host's");
	} else if (file_read(s->proc_fd, "mountinfo", 1 << 20, &text, NULL) < 0) {
		evidence_add(ev, VERDICT_UNKNOWN, "mountinfo cannot be read");
	} else {
		prove_lines(p, text, ev);
		prove_masks(p, s, ev);
	}
	evidence_settle(ev, p, WALL_MOUNTS);
}

static const char *const details[] = { "masks", "sys", NULL };
static const char *const texts[] = { "/proc shows what it tells about the host", "/sys is mounted read-only", NULL };

const struct wall wall_mounts = {
	.id = WALL_MOUNTS,
	.name = "mounts",
	.what = "private mount tree: nosuid, nodev, masked /proc, no /sys, nothing of the host but what was declared",
	.details = details,
	.texts = texts,
	.plan = plan_mounts,
	.outside = outside_mounts,
	.raise = raise_mounts,
	.prove = prove_mounts,
};
