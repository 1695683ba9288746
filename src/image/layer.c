/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer.h"

#include "base/cleanup.h"

#include <string.h>

static const char whiteout[] = ".wh.", opaque[] = ".wh..wh..opq";

struct unpack {
	struct tar *tar;
	struct tree *tree;
	struct objects *objects;
	const struct image_limits *limits;
	struct layer_seen *seen;
	bool rootfs;
	const struct tar_entry *entry;
	char path[TREE_PATH_MAX + 1]; /* of the entry, clean */
	struct error *e;
};

static int refuse(struct unpack *u, int err, const char *what)
{
	_cleanup_free_ char *shown = str_escape_n(u->entry->path, strnlen(u->entry->path, 200));

	return error_set(u->e, err, "entry \"%s\": %s", shown, what);
}

/*
 * "./a/b" and "a/b/" (of a folder) are "a/b", "./" is "". Everything else that is not plain ("/a", "a//b", "a/./b",
 * "..") is refused rather than cleaned: readers clean differently.
 */
static int clean_path(struct unpack *u, const char *from, bool folder, char out[TREE_PATH_MAX + 1])
{
	const char *s = streq(from, ".") ? "" : from;
	size_t n;

	if (str_after(s, "./"))
		s += 2;
	n = strlen(s);
	if (folder && n > 0 && s[n - 1] == '/')
		n--;
	if (n > TREE_PATH_MAX)
		return refuse(u, ENAMETOOLONG, "a path longer than 4095 bytes");
	memcpy(out, s, n);
	out[n] = 0;
	if (n == 0)
		return 0;
	if (out[0] == '/')
		return refuse(u, EBADMSG, "an absolute path");
	for (const char *p = out;; p++) {
		size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			return refuse(u, EBADMSG, "a path with \"..\"");
		if (len == 0 || (len == 1 && p[0] == '.'))
			return refuse(u, EBADMSG, "a path with an empty part or \".\"");
		if (len > TREE_NAME_MAX)
			return refuse(u, ENAMETOOLONG, "a name longer than 255 bytes");
		p += len;
		if (!*p)
			return 0;
	}
}

/* The node of the folder that holds the entry; folders that the layer does not list are implied. */
static int find_parent(struct unpack *u, struct node **out, const char **name)
{
	struct node *dir = u->tree->root;
	const char *p = u->path;

	for (;;) {
		const char *slash = strchr(p, '/');

		if (!slash) {
			*out = dir;
			*name = p;
			return dir->depth >= TREE_DEPTH_MAX ? refuse(u, ENAMETOOLONG, "too many folders deep") : 0;
		}
		if (str_after(p, whiteout))
			return refuse(u, EBADMSG, "below a name that is a whiteout");
		if (dir->depth >= TREE_DEPTH_MAX)
			return refuse(u, ENAMETOOLONG, "too many folders deep");
		dir = tree_child(u->tree, dir, p, (size_t)(slash - p), true);
		if (!dir->inode) {
			if (++u->seen->entries > u->limits->entries)
				return refuse(u, EFBIG, "more entries than an image may have");
			dir->inode = tree_inode(u->tree, 'd');
			dir->inode->mode = 0755;
			dir->implied = true;
		} else if (dir->inode->type != 'd') {
			return refuse(u, EBADMSG, "below something that is not a folder");
		}
		p = slash + 1;
	}
}

/* 1: it was a whiteout. */
static int read_whiteout(struct unpack *u, struct node *dir, const char *name)
{
	const char *hidden = str_after(name, whiteout);
	struct node *n;

	if (!hidden)
		return 0;
	if (u->rootfs)
		return refuse(u, EBADMSG, "a whiteout in a root file system (an image's layer is taken by brig load)");
	if (u->entry->type != 'f' || u->entry->size != 0)
		return refuse(u, EBADMSG, "a whiteout that is not an empty file");
	if (streq(name, opaque)) {
		if (dir->opaque)
			return refuse(u, EBADMSG, "comes twice");
		dir->opaque = true;
		return 1;
	}
	if (!*hidden || streq(hidden, ".") || streq(hidden, "..") || str_after(hidden, whiteout))
		return refuse(u, EBADMSG, "a whiteout of no name");
	n = tree_child(u->tree, dir, hidden, strlen(hidden), true);
	if (n->white)
		return refuse(u, EBADMSG, "comes twice");
	n->white = true;
	return 1;
}

/* user.* but overlayfs's own; set-user-ID's cousin security.capability is remembered for vetting, all others by name. */
static int read_xattrs(struct unpack *u, struct inode *in)
{
	for (size_t i = 0; i < u->entry->n_xattrs; i++) {
		const struct tar_xattr *x = &u->entry->xattrs[i];
		bool kept = str_after(x->name, "user.") && !str_after(x->name, "user.overlay.") &&
			    (in->type == 'f' || in->type == 'd');

		if (!x->name[0] || strlen(x->name) > TREE_NAME_MAX)
			return refuse(u, EBADMSG, "an extended attribute with no name or a too long one");
		if (x->len > TREE_XATTR_VALUE_MAX && (kept || streq(x->name, "security.capability")))
			return refuse(u, EFBIG, "an extended attribute of more than 4096 bytes");
		if (kept) {
			in->xattrs = tree_xattr(u->tree, in->xattrs, x->name, x->value, x->len);
			continue;
		}
		bool capability = streq(x->name, "security.capability");
		in->dropped = tree_xattr(u->tree, in->dropped, x->name, capability ? x->value : NULL,
					 capability ? x->len : 0);
		u->seen->xattrs++;
	}
	return 0;
}

static bool same_xattrs(const struct xattr *a, const struct xattr *b)
{
	for (; a && b; a = a->next, b = b->next)
		if (!streq(a->name, b->name) || a->len != b->len || memcmp(a->value, b->value, a->len) != 0)
			return false;
	return a == b;
}

static bool same_folder(const struct inode *a, const struct inode *b)
{
	return a->type == 'd' && b->type == 'd' && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       a->mtime == b->mtime && a->mtime_ns == b->mtime_ns && same_xattrs(a->xattrs, b->xattrs) &&
	       same_xattrs(a->dropped, b->dropped);
}

/* A hard link names an earlier regular file of this layer, or (found out when layers are joined) of a lower one. */
static int read_hard_link(struct unpack *u, struct node *n, struct inode *in)
{
	char target[TREE_PATH_MAX + 1];
	struct node *to;
	int r = clean_path(u, u->entry->link, false, target);

	if (r < 0)
		return error_wrap(u->e, "target of a hard link");
	if (!target[0] || streq(target, u->path))
		return refuse(u, EBADMSG, "a hard link to itself or to the root");
	r = tree_walk(u->tree, target, false, &to);
	if (r < 0 && r != -ENOENT)
		return refuse(u, r, "a hard link to a name that cannot be");
	if (r == 0 && to->inode) {
		const struct inode *have = to->inode;

		if (have->type != 'f')
			return refuse(u, EBADMSG, "a hard link to something that is not a regular file");
		/* Some readers give the file what the link's header says, some do not. */
		if (have->mode != in->mode || have->uid != in->uid || have->gid != in->gid)
			return refuse(u, EBADMSG, "a hard link with another owner or mode than its file");
		n->inode = to->inode;
		return 0;
	}
	if (u->rootfs)
		return refuse(u, EBADMSG, "a hard link to a file that is not there");
	in->type = 'H';
	in->target = tree_strdup(u->tree, target, strlen(target));
	n->inode = in;
	return 0;
}

/* A container gets a /dev of its own, so what is below dev/ can be left out; elsewhere a device is an attack. */
static int read_device(struct unpack *u, struct node *n, struct inode *in)
{
	if (!str_after(u->path, "dev/"))
		return refuse(u, EBADMSG, "a device node");
	u->seen->devices++;
	n->inode = in;
	return 0;
}

static int read_entry(struct unpack *u)
{
	const struct tar_entry *entry = u->entry;
	struct node *dir = NULL, *n;
	struct inode *in;
	const char *name = NULL;
	int r = clean_path(u, entry->path, entry->type == 'd', u->path);

	if (r < 0)
		return r;
	if (u->path[0]) {
		r = find_parent(u, &dir, &name);
		if (r == 0)
			r = read_whiteout(u, dir, name);
		if (r != 0)
			return r < 0 ? r : 0;
		n = tree_child(u->tree, dir, name, strlen(name), true);
	} else {
		n = u->tree->root;
		if (entry->type != 'd')
			return refuse(u, EBADMSG, "the root is not a folder");
	}
	in = tree_inode(u->tree, entry->type);
	in->mode = entry->mode;
	in->uid = entry->uid;
	in->gid = entry->gid;
	in->mtime = entry->mtime;
	in->mtime_ns = entry->mtime_ns;
	r = read_xattrs(u, in);
	if (r < 0)
		return r;
	if (n->inode && !(n->implied && entry->type == 'd'))
		return same_folder(n->inode, in) ? 0 : refuse(u, EBADMSG, "comes twice");
	n->implied = false;
	switch (entry->type) {
	case 'h':
		return read_hard_link(u, n, in);
	case 'c':
		return read_device(u, n, in);
	case 'l':
		if (strlen(entry->link) > TREE_PATH_MAX)
			return refuse(u, ENAMETOOLONG, "a link target longer than 4095 bytes");
		in->target = tree_strdup(u->tree, entry->link, strlen(entry->link));
		break;
	case 'f':
		if (entry->size > u->limits->file)
			return refuse(u, EFBIG, "larger than one file may be");
		in->size = entry->size;
		u->seen->bytes += entry->size;
		r = entry->size > 0 ? objects_add(u->objects, u->tar, entry->size, in->object, u->e) : 0;
		if (r < 0)
			return error_wrap(u->e, "entry \"%.200s\"", u->path);
		break;
	}
	n->inode = in;
	return 0;
}

/* A hard link before its file: only some readers would find it. */
static int check_late_targets(struct unpack *u, struct node *dir)
{
	for (struct node *c = dir->children; c; c = c->sibling) {
		struct node *to;
		int r;

		if (!c->inode)
			continue;
		if (c->inode->type == 'H' && tree_walk(u->tree, c->inode->target, false, &to) == 0 && to->inode) {
			_cleanup_free_ char *path = tree_path(c), *shown = str_escape(path);

			return error_set(u->e, EBADMSG, "entry \"%s\": a hard link to a later entry", shown);
		}
		r = check_late_targets(u, c);
		if (r < 0)
			return r;
	}
	return 0;
}

int layer_read(struct tar *t, struct tree *tree, struct objects *o, const struct image_limits *limits, bool rootfs,
	       struct layer_seen *seen, struct error *e)
{
	_cleanup_free_ struct unpack *u = xcalloc(1, sizeof(*u));
	int r;

	*seen = (struct layer_seen){ 0 };
	*u = (struct unpack){ .tar = t, .tree = tree, .objects = o, .limits = limits, .seen = seen, .rootfs = rootfs, .e = e };
	tree->root->inode = tree_inode(tree, 'd');
	tree->root->inode->mode = 0755;
	tree->root->implied = true;
	while ((r = tar_next(t, &u->entry, e)) > 0) {
		if (++seen->entries > limits->entries)
			return refuse(u, EFBIG, "more entries than an image may have");
		r = read_entry(u);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : check_late_targets(u, tree->root);
}
