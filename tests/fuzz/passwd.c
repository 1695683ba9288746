/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users in hostile passwd and group files. Input: the user, NUL, passwd, NUL, group. What resolves is what was asked for:
 * a number is that number, groups are sorted and single, the home is absolute, and uid 0 comes only from "0", from nothing or
 * from a name that a line gives 0.
 */
#include "base/str.h"
#include "engine/passwd.h"
#include "image/store.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int tree_read_file(const char *tree, const char *path, size_t max, char **out, size_t *len)
{
	(void)tree;
	(void)path;
	(void)max;
	(void)out;
	(void)len;
	return -ENOENT;
}

static void check(const char *user, const struct passwd_user *u)
{
	size_t digits = strspn(user, "0123456789");
	uint64_t number;

	if (digits > 0 && (user[digits] == 0 || user[digits] == ':')) {
		char *text = xstrndup(user, digits);

		if (parse_u64(text, 0, UINT32_MAX - 1, &number) < 0 || number != u->uid)
			abort();
		free(text);
	} else if (u->uid == 0 && *user && (*user < 'A' || *user > 'z')) {
		abort();
	}
	if (u->uid == UINT32_MAX || u->gid == UINT32_MAX || u->home[0] != '/')
		abort();
	for (size_t i = 0; i < u->n_groups; i++)
		if (u->groups[i] == u->gid || (i > 0 && u->groups[i] <= u->groups[i - 1]))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *end = text + size;
	const char *one = memchr(text, 0, size), *two = one ? memchr(one + 1, 0, (size_t)(end - one - 1)) : NULL;
	struct passwd_user u;
	struct error e = { 0 };

	if (!two)
		return 0;
	struct passwd_text passwd = { one + 1, (size_t)(two - one - 1) }, group = { two + 1, (size_t)(end - two - 1) };

	if (passwd_resolve(text, NULL, passwd, group, &u, &e) < 0)
		return 0;
	check(text, &u);
	passwd_user_free(&u);
	return 0;
}
