/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree of files in memory, and its table on disk.
 *
 * Names of an image never meet a real file system while it is loaded: they become nodes here, and a path that would
 * lead outside, through a link or over a file has no meaning in this structure. The same structure holds one layer (with
 * its whiteouts, image-spec layer.md "Whiteouts") and the layers laid over each other.
 *
 * A table is text, one JSON object a line: the first line describes the table, then one line for each entry, sorted so
 * that a folder comes before what is in it (bytes compared, '/' lowest). It can be searched without being read whole.
 *
 *	{"table":1,"entries":3,"bytes":3912}
 *	{"p":"","t":"d","m":"755","u":0,"g":0,"T":1700000000}
 *	{"p":"usr","t":"d","m":"755","u":0,"g":0,"T":1700000000,"N":5}
 *	{"p":"usr/x","t":"f","m":"4755","u":0,"g":0,"T":1700000000,"s":3912,"o":"CxB-..."}
 *
 *	p	path without leading slash; bytes below 0x20, 0x7f, '"', '%', '\' and those that are not UTF-8 as %XX
 *	t	f file, d folder, l symbolic link, h hard link to an earlier entry, p FIFO,
 *		H (layers only) hard link to a file of a lower layer, - (layers only) nothing but a whiteout,
 *		c (layers only) a device node below dev/ that was left out
 *	m u g	mode in octal (with set-uid and set-gid), owner, group		T N	mtime: seconds, nanoseconds
 *	s o	size in bytes, object name (when s > 0)				l	target of l, h or H
 *	x	extended attributes that are kept, values in hex		c	security.capability, which is not, in hex
 *	D	names of other attributes that were left out			w	1: hides this name in lower layers
 *	q	1: hides the content of this folder in lower layers		i	1: folder that the layer only implies
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

#include <stdint.h>
#include <stdio.h>

enum {
	OBJECT_NAME_LEN = 22,
	TREE_DEPTH_MAX = 250,	/* folders below each other: prepare keeps one descriptor open for each */
	TREE_PATH_MAX = 4095,	/* bytes, PATH_MAX - 1 */
	TREE_NAME_MAX = 255,	/* bytes, NAME_MAX */
	TREE_XATTRS_MAX = 64,	/* attributes of one entry */
	TREE_XATTR_VALUE_MAX = 4096, /* bytes: what ext4 is sure to hold */
};

struct xattr {
	struct xattr *next;
	const char *name;
	const void *value;
	size_t len;
};

/* What the nodes of a hard-linked file share. Memory belongs to the tree. */
struct inode {
	char type; /* as "t" above; h only in what table_line_parse() gives */
	uint16_t mode;
	uint32_t uid, gid;
	int64_t mtime;
	uint32_t mtime_ns;
	uint64_t size;
	char object[OBJECT_NAME_LEN + 1];
	const char *target;
	const struct xattr *xattrs, *dropped; /* dropped: kept by name for vetting; security.capability with value */
	const void *mark; /* of the walk that goes on: the path it was written under, or its copy in another tree */
};

struct node {
	struct node *parent, *children, *sibling, *chain;
	struct inode *inode; /* NULL: not there (any more), or only a whiteout */
	uint64_t hash;
	bool white, opaque, implied;
	uint8_t depth;
	uint8_t name_len;
	char name[];
};

struct tree {
	struct node *root;
	struct node **buckets;
	size_t n_buckets, n_nodes;
	uint64_t seed;
	struct block *blocks; /* arena */
};

void tree_init(struct tree *t);
void tree_free(struct tree *t);
#define _cleanup_tree_ __attribute__((cleanup(tree_free)))

/* Memory that lives as long as the tree. */
void *tree_alloc(struct tree *t, size_t n);
char *tree_strdup(struct tree *t, const char *s, size_t n);
struct xattr *tree_xattr(struct tree *t, const struct xattr *next, const char *name, const void *value, size_t len);
struct inode *tree_inode(struct tree *t, char type);

/* The child of that name, made when `make`; NULL when there is none. A node may be without inode. */
struct node *tree_child(struct tree *t, struct node *dir, const char *name, size_t n, bool make);

/*
 * The node of a path without leading slash, NULL when there is none. With `make`, missing nodes are made (without inode).
 * -EINVAL: a part is "..", "." or empty; -ENAMETOOLONG: name, path or depth. *out is NULL for -ENOENT.
 */
int tree_walk(struct tree *t, const char *path, bool make, struct node **out);

/* Takes the node and all below it out of the tree. */
void tree_remove(struct node *n);
void tree_remove_children(struct node *n);

/* The path of a node, "" for the root. The caller frees. */
char *tree_path(const struct node *n);

/*
 * Lays one layer over `t`. Entries, whiteouts and links have been checked alone; here they are checked against what is
 * below: a folder that the layer only implies may not stand on something else than a folder, and a hard link into a
 * lower layer needs a regular file there. Errors name the entry.
 */
int tree_apply(struct tree *t, struct tree *layer, struct error *e);

struct tree_total {
	uint64_t entries, bytes; /* bytes: each hard-linked file once */
};

/* Writes the table, sorted. `f` is not closed. */
int table_write(struct tree *t, FILE *f, struct tree_total *total, struct error *e);
/* Reads a whole table into an initialised tree. `what` names it in errors. Owned copies: `data` may go. */
int table_read(struct tree *t, const char *data, size_t n, const char *what, struct error *e);

/* One line taken apart. */
struct table_line {
	char *path;	 /* decoded; in `space` */
	size_t path_len;
	struct inode inode;
	bool white, opaque, implied;
	struct xattr attrs[TREE_XATTRS_MAX];
	char *space;	 /* memory of path, target and attributes; reused from line to line */
	size_t space_size;
};
void table_line_free(struct table_line *l);
/* Parses the line from `*p` on (which ends before `end`) and moves *p behind its newline. -EBADMSG: damaged. */
int table_line_parse(const char **p, const char *end, struct table_line *out);
/* The text after the first line, or NULL when that is not a table's. */
const char *table_body(const char *data, size_t n, struct tree_total *total);

/* Finds one entry in a table by binary search. 0, -ENOENT or -EBADMSG. */
int table_find(const char *data, size_t n, const char *path, struct table_line *out);

/* The order of paths in a table. */
int table_path_cmp(const char *a, const char *b);

/* A table file in memory: `dir` is a folder of layers/ or trees/. */
struct table_map {
	const char *data;
	size_t size;
};
int table_map(int dir, struct table_map *out);
void table_unmap(struct table_map *m);

/* tree_read_file() for a table that is not in its place yet. */
int table_read_file(const struct table_map *m, int objects, const char *path, size_t max, char **out, size_t *len);

/* "raw", a decimal host id, or two ("UID-GID"). */
bool slot_valid(const char *slot);
