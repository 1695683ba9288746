/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was verified at rest, and how a start knows that it is still so without reading a byte of it.
 *
 * A file's change time (inode(7), ctime) moves with every write, rename, link, chmod, chown and attribute, and no call sets it:
 * only who sets the machine's clock, or writes to the disk below the file system, chooses it. So after the bytes, modes, owners,
 * links and attributes were compared with the digest chain once, inode number, change time, modification time and size of each
 * file stand in an index, and while they are the same the file is. A folder's change time moves with each name that comes or
 * goes, so that folders need not be listed.
 *
 *	trees/HEX/seen		the manifest, the configuration, the tree's table and list of ids, and each object
 *	trees/HEX/seen-SLOT	each entry of slots/SLOT
 *	RUN/seen/HEX[-SLOT]	a link whose target is the same four numbers of the file above: who can only change what lies in
 *				the store cannot change an index unseen
 *
 * RUN is gone after a boot. Then seen is taken up again by the code at its end (HMAC-SHA256 with CONFIG/store.key, made and
 * checked by brig-image), and the slots, which take no hashing, are compared again. What moved is hashed again by brig-image; the
 * front links no hash.
 *
 * Text, a line for each:
 *
 *	brig-seen 1 HEX SLOT		SLOT is "-" for objects
 *	t INO CTIME MTIME SIZE NAME	a file of the tree's folder
 *	b INO CTIME MTIME SIZE HEX	a blob
 *	o INO CTIME MTIME SIZE NAME	an object
 *	d INO CTIME MTIME SIZE NAME	a folder, entered; the first is the slot's root, without name
 *	f INO CTIME MTIME SIZE NAME	another entry of the folder
 *	u				back to the folder above
 *	end NEWEST CODE			the latest change time of all, and the code or 64 zeros
 *
 * Numbers are hexadecimal, times nanoseconds since 1970 (two's complement); bytes of names up to 0x20, 0x7f and '%' as %XX.
 */
#pragma once

#include "base/error.h"
#include "image/tree.h"

#include <sys/stat.h>

enum { SEEN_CODE_HEX = 64, SEEN_FILE_MAX = 1 << 30 };

/* An index in memory. */
struct seen {
	const char *data;
	size_t size;
	bool mapped;
};
void seen_free(struct seen *s);

/* What a comparison found: the path or name that is not as it was. */
struct seen_moved {
	char what[TREE_PATH_MAX + TREE_NAME_MAX + 8];
};

/* "seen" or "seen-SLOT". */
void seen_name(const char *slot, char out[static 96]);

/*
 * Maps the index of a tree's objects (`slot` NULL) or of a slot, if RUN vouches for it. -ENOENT: there is none; -ESTALE: nobody
 * vouches for this one, or the clock stands before the latest change in it.
 */
int seen_open(int tree_dir, const char *tree, const char *slot, struct seen *out);
/* For bytes that are vouched for: the first and last lines are right. 0 or -EBADMSG. */
int seen_parse(struct seen *s, const char *tree, const char *slot, const char *data, size_t n);
/* From a descriptor of such a file, for who cannot reach RUN. */
int seen_map(int fd, const char *tree, const char *slot, struct seen *out);

/* -ESTALE: something is not as it was, and `moved` says what; -EBADMSG: the index is damaged. */
int seen_check_chain(const struct seen *s, int tree_dir, int blobs, struct seen_moved *moved);
int seen_check_objects(const struct seen *s, int objects, struct seen_moved *moved);
int seen_check_slot(const struct seen *s, int slot, struct seen_moved *moved);

/* One line of the first three kinds, for who takes up what was hashed before. */
struct seen_line {
	char kind;
	uint64_t ino, ctime, mtime, size;
	char name[TREE_NAME_MAX + 1];
};
/* 1: a line; 0: the end; -EBADMSG. *p begins at seen_first(). */
int seen_next(const struct seen *s, const char **p, struct seen_line *out);
const char *seen_first(const struct seen *s);
bool seen_same(const struct seen_line *l, const struct stat *st);

/* Writing one. The file is closed by who opened it. */
struct seen_writer {
	FILE *f;
	uint64_t newest;
};
void seen_begin(struct seen_writer *w, FILE *f, const char *tree, const char *slot);
void seen_put(struct seen_writer *w, char kind, const struct stat *st, const char *name);
void seen_up(struct seen_writer *w);
/* All but the code of the last line: "end NEWEST ". */
void seen_end(struct seen_writer *w);

/*
 * A change within one tick of the kernel's clock after the comparison would leave no trace (before Linux 6.13). So who compares takes
 * the time first, seen_now(), waits with seen_settle() until the clock that stamps files, which moves by ticks, has gone past it (some
 * milliseconds), compares, and makes an index only of what changed no later than that time.
 */
uint64_t seen_now(void); /* nanoseconds since 1970 */
void seen_settle(uint64_t before);
uint64_t seen_ctime(const struct stat *st);

/* Takes a temporary file of the tree's folder to its name and lets RUN vouch for it. */
int seen_publish(int tree_dir, const char *tmp, const char *tree, const char *slot, struct error *e);
/* Lets RUN vouch for the one that is there. */
int seen_vouch(int tree_dir, const char *tree, const char *slot, struct error *e);
/* Nobody vouches for it any more. */
void seen_forget(const char *tree, const char *slot);
