/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/envfile.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <string.h>

bool env_text_ok(const char *s)
{
	size_t n = strnlen(s, ENV_ENTRY_MAX + 1);
	uint32_t c;

	if (n > ENV_ENTRY_MAX)
		return false;
	for (size_t i = 0, len; i < n; i += len) {
		len = utf8_decode(s + i, n - i, &c);
		if (len == 0)
			return false;
	}
	return true;
}

static size_t key_length(const char *entry)
{
	return strcspn(entry, "=");
}

int env_set(char ***env, const char *entry, struct error *e)
{
	size_t n = key_length(entry), count = 0;
	_cleanup_free_ char *safe = str_escape_n(entry, n > 80 ? 80 : n);

	if (entry[n] != '=')
		return error_set(e, EINVAL, "\"%s\" is not KEY=value", safe);
	if (n == 0)
		return error_set(e, EINVAL, "\"=...\" has no key before the '='");
	if (!env_text_ok(entry))
		return error_set(e, EINVAL, "%s: longer than %d bytes or not UTF-8", safe, ENV_ENTRY_MAX);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)entry[i] < 0x20 || entry[i] == 0x7f)
			return error_set(e, EINVAL, "\"%s\": a control character in the key", safe);
	for (char **v = *env; v && *v; v++, count++) {
		if (strncmp(*v, entry, n + 1) != 0)
			continue;
		free(*v);
		*v = xstrdup(entry);
		return 0;
	}
	if (count >= ENV_COUNT_MAX)
		return error_set(e, E2BIG, "more than %d entries", ENV_COUNT_MAX);
	strv_add_copy(env, entry);
	return 0;
}

const char *env_get(char *const *env, const char *key)
{
	size_t n = strlen(key);

	strv_foreach(v, env)
		if (strncmp(*v, key, n) == 0 && (*v)[n] == '=')
			return *v + n + 1;
	return NULL;
}

int env_argument(char ***env, const char *arg, bool labels, struct error *e)
{
	_cleanup_free_ char *entry = NULL;
	const char *value;

	if (strchr(arg, '='))
		return env_set(env, arg, e);
	if (labels) {
		entry = xasprintf("%s=", arg);
		return env_set(env, entry, e);
	}
	/* Checks the key even where the caller has no such variable. */
	entry = xasprintf("%s=%s", arg, (value = getenv(arg)) ? value : "");
	if (!value) {
		_cleanup_strv_ char **nothing = NULL;

		return env_set(&nothing, entry, e);
	}
	return env_set(env, entry, e);
}

static int line_argument(char ***env, char *line, bool labels, struct error *e)
{
	while (*line == ' ' || *line == '\t')
		line++;
	if (!*line || *line == '#')
		return 0;
	for (size_t i = 0; i < key_length(line); i++)
		if (line[i] == ' ' || line[i] == '\t')
			return error_set(e, EINVAL, "white space in the key");
	return env_argument(env, line, labels, e);
}

int env_file_parse(char ***env, const char *text, size_t len, const char *name, bool labels, struct error *e)
{
	size_t at = 0;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) /* a byte order mark, as some editors leave it */
		at = 3;
	for (unsigned number = 1; at < len; number++) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t n = end ? (size_t)(end - text) - at : len - at, take = n;
		_cleanup_free_ char *line = NULL;
		int r;

		if (take > 0 && text[at + take - 1] == '\r')
			take--;
		if (memchr(text + at, 0, take))
			return error_set(e, EINVAL, "%s:%u: a NUL byte", name, number);
		line = xstrndup(text + at, take);
		r = line_argument(env, line, labels, e);
		if (r < 0) {
			error_wrap(e, "%s:%u", name, number);
			return r;
		}
		at += n + 1;
	}
	return 0;
}

int env_file_read(char ***env, const char *path, bool labels, struct error *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	_cleanup_free_ char *text = NULL, *safe = str_escape(path);
	size_t len;
	int r;

	if (fd < 0)
		return error_errno(e, errno, "cannot read %s", safe);
	r = fd_read_all(fd, ENV_FILE_MAX, &text, &len);
	if (r < 0)
		return error_errno(e, r, "cannot read %s", safe);
	return env_file_parse(env, text, len, safe, labels, e);
}
