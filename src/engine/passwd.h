/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a container runs as: the image's USER or the person's --user, looked up in the image's own etc/passwd and etc/group.
 * Both files and the image's USER are hostile. Nothing here falls back to root: what cannot be understood is an error.
 *
 * A user is written USER or USER:GROUP. Each part is either all digits (then it is an id, 0 to 4294967294, without
 * leading zeros, and is never looked up as a name) or a name ([A-Za-z_][A-Za-z0-9_.-]*, '$' at the end), which must be in
 * the file. As docker does it, a group that is given stands alone; else the user's own group and those that list the user
 * as a member are taken, and a number without an entry in passwd has group 0.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
	PASSWD_FILE_MAX = 1 << 20, /* bytes of passwd and of group */
	PASSWD_LINE_MAX = 4096,	   /* bytes of a line */
	PASSWD_GROUPS_MAX = 1024,  /* supplementary groups */
};

struct passwd_text {
	const char *data; /* NULL: there is no such file */
	size_t len;
};

struct passwd_user {
	uint32_t uid, gid;
	uint32_t *groups; /* supplementary, ascending, without doubles and without gid; owned */
	size_t n_groups;
	char *home;	  /* absolute, owned; "/" when passwd does not say */
};

/*
 * Resolves `user` (NULL or "": id 0). `add` lists --group-add names and numbers, NULL for none. -ENOENT: a name is not in
 * the file; -EINVAL: not of one of the forms; -EBADMSG: a line is too long. Errors name file and line.
 */
int passwd_resolve(const char *user, char *const *add, struct passwd_text passwd, struct passwd_text group,
		   struct passwd_user *out, struct error *e);
void passwd_user_free(struct passwd_user *u);

/* The same with the files of an image's tree (image/store.h) or, when `tree` is NULL, of the folder `rootfs`. */
int passwd_resolve_in(const char *tree, const char *rootfs, const char *user, char *const *add,
		      struct passwd_user *out, struct error *e);
