/* SPDX-License-Identifier: Apache-2.0 */
#include "image/name.h"

#include "base/cleanup.h"

#include <string.h>

const char *digest_hex(const char *s)
{
	const char *hex = str_after(s, "sha256:");

	return hex && hex_valid(hex, 64) ? hex : NULL;
}

static bool lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool alnum(char c)
{
	return lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* */
static bool part_valid(const char *s, size_t n)
{
	size_t i = 0;

	if (n == 0)
		return false;
	for (;;) {
		size_t from = i;

		while (i < n && lower_alnum(s[i]))
			i++;
		if (i == from)
			return false;
		if (i == n)
			return true;
		if (s[i] == '.') {
			i++;
		} else if (s[i] == '_') {
			i++;
			if (i < n && s[i] == '_')
				i++;
		} else if (s[i] == '-') {
			while (i < n && s[i] == '-')
				i++;
		} else {
			return false;
		}
	}
}

static bool label_valid(const char *s, size_t n)
{
	if (n == 0 || n > 63 || s[0] == '-' || s[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!alnum(s[i]) && s[i] != '-')
			return false;
	return true;
}

/* A host name of labels, then perhaps a port. */
static bool host_valid(const char *s, size_t n)
{
	const char *colon = memchr(s, ':', n), *end = colon ? colon : s + n;

	if (colon) {
		size_t digits = (size_t)(s + n - colon) - 1;

		if (digits == 0 || digits > 5)
			return false;
		for (const char *p = colon + 1; p < s + n; p++)
			if (*p < '0' || *p > '9')
				return false;
	}
	for (;;) {
		const char *dot = memchr(s, '.', (size_t)(end - s)), *stop = dot ? dot : end;

		if (!label_valid(s, (size_t)(stop - s)))
			return false;
		if (!dot)
			return true;
		s = dot + 1;
	}
}

bool tag_valid(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > TAG_LENGTH_MAX || !(alnum(s[0]) || s[0] == '_'))
		return false;
	for (size_t i = 1; i < n; i++)
		if (!alnum(s[i]) && s[i] != '_' && s[i] != '.' && s[i] != '-')
			return false;
	return true;
}

static bool path_valid(const char *s, size_t n)
{
	const char *end = s + n;

	for (;;) {
		const char *slash = memchr(s, '/', (size_t)(end - s)), *stop = slash ? slash : end;

		if (!part_valid(s, (size_t)(stop - s)))
			return false;
		if (!slash)
			return true;
		s = slash + 1;
	}
}

bool name_has_host(const char *s)
{
	const char *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : 0;

	return slash && (memchr(s, '.', n) || memchr(s, ':', n) || (n == 9 && memcmp(s, "localhost", 9) == 0));
}

const char *name_tag(const char *s, size_t *n)
{
	const char *slash = strrchr(s, '/'), *colon = strchr(slash ? slash : s, ':');

	*n = colon ? (size_t)(colon - s) : strlen(s);
	return colon ? colon + 1 : NULL;
}

bool name_valid(const char *s)
{
	const char *slash = strchr(s, '/'), *tag;
	size_t n;

	if (!slash || !name_has_host(s))
		return false;
	tag = name_tag(s, &n);
	return n <= NAME_LENGTH_MAX && tag && tag_valid(tag) && host_valid(s, (size_t)(slash - s)) &&
	       path_valid(slash + 1, n - (size_t)(slash + 1 - s));
}

int name_complete(const char *s, char **out, struct error *e)
{
	_cleanup_free_ char *whole = NULL, *shown = NULL;
	size_t n;
	const char *tag = name_tag(s, &n);

	whole = xasprintf("%s%s%s", name_has_host(s) ? "" : "localhost/", s, tag ? "" : ":latest");
	if (name_valid(whole)) {
		*out = steal_ptr(&whole);
		return 0;
	}
	shown = str_escape_n(s, strnlen(s, 300));
	if (n > NAME_LENGTH_MAX)
		return error_set(e, EINVAL, "\"%s\" is no name for an image: longer than %d characters", shown,
				 NAME_LENGTH_MAX);
	return error_set(e, EINVAL, "\"%s\" is no name for an image: [HOST[:PORT]/]NAME[:TAG] with a name of lower-case "
				    "letters, digits, '.', '_' and '-'", shown);
}

int name_from_claim(const char *claim, bool keep, char **out, struct error *e)
{
	_cleanup_free_ char *moved = NULL;
	const char *rest;

	if (keep || !name_has_host(claim) || str_after(claim, "localhost/"))
		return name_complete(claim, out, e);
	rest = str_after(claim, "docker.io/");
	if (!rest)
		rest = str_after(claim, "index.docker.io/");
	if (rest) {
		const char *library = str_after(rest, "library/");

		moved = xasprintf("localhost/%s", library ? library : rest);
	} else {
		size_t host = strcspn(claim, "/");
		char *colon;

		moved = xasprintf("localhost/%s", claim);
		colon = memchr(moved + strlen("localhost/"), ':', host);
		if (colon)
			*colon = '-';
	}
	return name_complete(moved, out, e);
}
