/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder as one layer: a root file system, or what a container has written (an overlay's upper folder, overlayfs.rst "whiteouts and opaque
 * directories"). Names are listed by the kernel and opened one by one below descriptors, links never followed (law 4); other file systems
 * that are mounted in it are not entered.
 */
#include "vet/internal.h"

#include "base/cleanup.h"
#include "base/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* A million files are far beyond any root file system; a folder that grows while it is read ends here. */
enum { FILES_MAX = 4000000, CAPABILITY_MAX = 64 };

struct walk {
	struct vet *v;
	const struct vet_source *src;
	struct vet_entries *out;
	uint16_t layer;
	dev_t dev;
	unsigned depth;
	struct buf path;
	struct error *e;
};

static struct tree *arena(struct walk *w)
{
	return &w->v->subject->arena;
}

static void no_folder(struct walk *w, const struct vet_file *f, int err)
{
	vet_add(w->v, "vet", "V0-unreadable", VET_MEDIUM, f, NULL, "what cannot be read can hide anything; root, or the owner, can look at all of it",
		"could not look into /%s: %s", w->path.data ? w->path.data : "", strerror(-err));
}

/* File capabilities count as set-user-ID does; only what can be executed is opened for them. */
static void read_capability(struct walk *w, int dir, const char *name, struct inode *in)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char value[CAPABILITY_MAX];
	ssize_t n = fd < 0 ? -1 : fgetxattr(fd, "security.capability", value, sizeof(value));

	if (n > 0)
		in->dropped = tree_xattr(arena(w), in->dropped, "security.capability", value, (size_t)n);
}

static char type_of(const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return 'f';
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFIFO:
		return 'p';
	case S_IFCHR:
	case S_IFBLK:
		return 'c';
	default:
		return 's'; /* a socket */
	}
}

static struct inode *make_inode(struct walk *w, int dir, const char *name, const struct stat *st)
{
	struct inode *in = tree_inode(arena(w), type_of(st));

	in->mode = (uint16_t)(st->st_mode & 07777);
	in->uid = st->st_uid >= w->src->shift_uid ? st->st_uid - w->src->shift_uid : st->st_uid;
	in->gid = st->st_gid >= w->src->shift_gid ? st->st_gid - w->src->shift_gid : st->st_gid;
	in->mtime = st->st_mtim.tv_sec;
	in->mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
	in->size = in->type == 'f' ? (uint64_t)st->st_size : 0;
	if (in->type == 'f' && (in->mode & 0111))
		read_capability(w, dir, name, in);
	if (in->type == 'l') {
		char target[TREE_PATH_MAX + 1];
		ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

		in->target = tree_strdup(arena(w), target, n > 0 ? (size_t)n : 0);
	}
	return in;
}

static int walk_folder(struct walk *w, int fd);

static int enter(struct walk *w, int dir, const char *name, struct vet_entry *entry)
{
	_cleanup_close_ int sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct vet_file file = entry->file;
	char value[2];
	int r;

	if (sub < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			no_folder(w, &file, -errno);
		return 0;
	}
	if (w->depth >= TREE_DEPTH_MAX) {
		no_folder(w, &file, -ELOOP);
		return 0;
	}
	entry->opaque = w->src->overlay && fgetxattr(sub, "user.overlay.opaque", value, sizeof(value)) == 1 && value[0] == 'y';
	w->depth++;
	r = walk_folder(w, sub);
	w->depth--;
	if (r == -EACCES || r == -EPERM || r == -EIO) {
		no_folder(w, &file, r);
		r = 0;
	}
	return r;
}

static int walk_one(struct walk *w, int dir, const char *name)
{
	struct vet_entry *entry;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (w->out->n >= FILES_MAX)
		return error_set(w->e, EFBIG, "more than %d files", FILES_MAX);
	entry = vet_entry_add(w->out);
	entry->file.path = tree_strdup(arena(w), w->path.data, w->path.len);
	entry->file.layer = w->layer;
	if (w->src->overlay && S_ISCHR(st.st_mode) && st.st_rdev == 0) {
		entry->file.whiteout = entry->white = true;
		return 0;
	}
	entry->file.inode = make_inode(w, dir, name, &st);
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (st.st_dev != w->dev) {
		vet_not_looked(w->v, "/%s: another file system is mounted there", w->path.data);
		return 0;
	}
	return enter(w, dir, name, entry);
}

static int walk_folder(struct walk *w, int fd)
{
	_cleanup_strv_ char **names = NULL;
	size_t before = w->path.len;
	int r = path_list(fd, ".", &names);

	strv_foreach(name, names) {
		if (before + strlen(*name) + 1 > TREE_PATH_MAX)
			continue;
		buf_printf(&w->path, "%s%s", before ? "/" : "", *name);
		if (r == 0)
			r = walk_one(w, fd, *name);
		w->path.len = before;
		w->path.data[before] = 0;
	}
	return r;
}

int vet_folder_read(struct vet *v, const struct vet_source *s, uint16_t layer, struct vet_entries *out, struct error *e)
{
	struct walk w = { .v = v, .src = s, .out = out, .layer = layer, .e = e };
	struct vet_entry *root;
	struct stat st;
	int r;

	if (fstat(s->folder, &st) < 0)
		return error_errno(e, errno, "the folder");
	w.dev = st.st_dev;
	root = vet_entry_add(out);
	root->file = (struct vet_file){ .path = "", .layer = layer };
	root->implied = s->overlay;
	root->file.inode = make_inode(&w, s->folder, ".", &st);
	r = walk_folder(&w, s->folder);
	buf_free(&w.path);
	return r < 0 && !(e && e->code) ? error_errno(e, r, "the folder cannot be read") : r;
}
