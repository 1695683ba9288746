/* SPDX-License-Identifier: Apache-2.0 */
#include "image/challenge.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>

void challenge_free(struct challenge *c)
{
	free(c->realm);
	free(c->service);
	free(c->scope);
	*c = (struct challenge){ 0 };
}

/* RFC 9110 section 5.6.2 */
static size_t token_length(const char *s)
{
	return strspn(s, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static const char *blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* A token or a quoted string; control characters end the matter. */
static const char *read_value(const char *s, char **out)
{
	_cleanup_buf_ struct buf b = { 0 };
	size_t n = token_length(s);

	if (*s != '"') {
		*out = n ? xstrndup(s, n) : NULL;
		return n ? s + n : NULL;
	}
	for (s++; *s != '"'; s++) {
		if (*s == '\\')
			s++;
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return NULL;
		buf_add(&b, s, 1);
	}
	*out = buf_steal(&b);
	return s + 1;
}

static int keep(struct challenge *c, const char *name, size_t n, char *value)
{
	static const struct {
		const char *name;
		size_t at;
	} known[] = {
		{ "realm", offsetof(struct challenge, realm) },
		{ "service", offsetof(struct challenge, service) },
		{ "scope", offsetof(struct challenge, scope) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		char **to = (char **)((char *)c + known[i].at);

		if (strlen(known[i].name) != n || strncasecmp(known[i].name, name, n) != 0)
			continue;
		if (*to) {
			free(value);
			return -EINVAL;
		}
		*to = value;
		return 0;
	}
	free(value);
	return 0;
}

/* name=value, name=value ...; *s then stands at the end or at the next challenge's scheme. */
static int read_params(const char **s, struct challenge *c)
{
	for (;;) {
		const char *p = blanks(*s), *name = p, *end;
		size_t n = token_length(p);
		char *value = NULL;

		if (*p == ',') {
			*s = p + 1;
			continue;
		}
		*s = p;
		if (*p == 0)
			return 0;
		if (n == 0)
			return -EINVAL;
		p = blanks(p + n);
		if (*p != '=')
			return 0; /* a scheme */
		end = read_value(blanks(p + 1), &value);
		if (!end)
			return -EINVAL;
		if (keep(c, name, n, value) < 0)
			return -EINVAL;
		*s = blanks(end);
		if (**s && **s != ',')
			return -EINVAL;
	}
}

int challenge_parse(const char *header, struct challenge *out)
{
	const char *s = header;

	*out = (struct challenge){ 0 };
	for (;;) {
		size_t n;
		bool bearer, basic;

		while (*s == ',' || *s == ' ' || *s == '\t')
			s++;
		n = token_length(s);
		if (n == 0)
			return -EINVAL;
		bearer = n == 6 && strncasecmp(s, "Bearer", n) == 0;
		basic = n == 5 && strncasecmp(s, "Basic", n) == 0;
		s += n;
		if (*s && *s != ' ' && *s != '\t')
			return -EINVAL;
		out->bearer = bearer;
		if (read_params(&s, out) < 0)
			break;
		if (basic || (bearer && out->realm))
			return 0;
		if (bearer)
			break;
		challenge_free(out);
	}
	challenge_free(out);
	return -EINVAL;
}
