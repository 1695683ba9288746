/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/identity.h"

#include "base/cleanup.h"
#include "image/reference.h"

#include <string.h>

/* A reference as people write it, made whole: what has neither tag nor digest stays so. */
struct named {
	struct reference r;
	bool bare; /* neither tag nor digest */
};

static void named_free(struct named *n)
{
	reference_free(&n->r);
}
#define _cleanup_named_ __attribute__((cleanup(named_free)))

static int named_parse(const char *s, struct named *out)
{
	const char *slash = s ? strrchr(s, '/') : NULL, *tail = slash ? slash : s;
	const char *first = s ? strchr(s, '/') : NULL;
	_cleanup_free_ char *whole = NULL;

	*out = (struct named){ .r = { .digest = "" } };
	if (!s)
		return -EINVAL;
	out->bare = !strchr(tail, ':') && !strchr(s, '@');
	/* Without a host it is docker.io's, in signatures as on docker's command line. */
	if (!first || (!memchr(s, '.', (size_t)(first - s)) && !memchr(s, ':', (size_t)(first - s)) && !str_after(s, "localhost/")))
		whole = xasprintf("docker.io/%s", s);
	return reference_parse(whole ? whole : s, &out->r, NULL);
}

static bool same_repository(const struct named *a, const struct named *b)
{
	return streq(a->r.host, b->r.host) && streq(a->r.path, b->r.path);
}

/* The same name with the same tag or the same digest. */
static bool same_reference(const struct named *a, const struct named *b)
{
	if (a->bare || b->bare || !same_repository(a, b))
		return false;
	return streq(a->r.tag, b->r.tag) && streq(a->r.digest, b->r.digest);
}

/* remapIdentity: the prefix is the whole name, or ends where a part of the path or the host does. */
static char *remapped(const struct identity_rule *rule, const char *image)
{
	const char *rest = str_after(image, rule->a);

	if (!rest || (*rest && *rest != '/' && *rest != ':' && *rest != '@'))
		return xstrdup(image);
	/* host:port is one word. */
	if (*rest == ':' && !strchr(rule->a, '/') && strchr(rest, '/'))
		return xstrdup(image);
	return xasprintf("%s%s", rule->b, rest);
}

static bool repo_digest_or_exact(const struct named *want, const struct named *got)
{
	/* By digest: what was signed need only be in the repository, the digest is compared anyway. */
	return want->r.tag ? same_reference(want, got) : same_repository(want, got) && !got->bare;
}

bool identity_fits(const struct identity_rule *rule, const char *image, const char *claimed, bool own_scope, struct error *e)
{
	_cleanup_named_ struct named want, got = { .r = { .digest = "" } }, exact = { .r = { .digest = "" } };
	_cleanup_free_ char *mapped = NULL, *safe = str_escape_n(claimed ? claimed : "", strnlen(claimed ? claimed : "", 200));
	bool fits = false;

	if (rule->type == IDENTITY_REMAP)
		mapped = remapped(rule, image);
	if (named_parse(mapped ? mapped : image, &want) < 0)
		return error_set(e, EINVAL, "\"%.200s\" cannot be compared with what was signed", image), false;
	if (rule->type == IDENTITY_ANY)
		return true;
	if (!claimed) {
		if (rule->type == IDENTITY_REPOSITORY && own_scope)
			return true;
		error_set(e, EKEYREJECTED, "it signs no name: that takes matchRepository in an entry for %s/%s itself", want.r.host,
			  want.r.path);
		return false;
	}
	if (named_parse(claimed, &got) < 0)
		return error_set(e, EBADMSG, "\"%s\", which was signed, is no name of an image", safe), false;
	if ((rule->type == IDENTITY_EXACT_REFERENCE || rule->type == IDENTITY_EXACT_REPOSITORY) && named_parse(rule->a, &exact) < 0)
		return error_set(e, EINVAL, "signedIdentity: \"%.200s\" is no name of an image", rule->a), false;
	switch (rule->type) {
	case IDENTITY_EXACT:
		fits = same_reference(&want, &got);
		break;
	case IDENTITY_REPO_DIGEST_OR_EXACT:
	case IDENTITY_REMAP:
		fits = repo_digest_or_exact(&want, &got);
		break;
	case IDENTITY_REPOSITORY:
		fits = same_repository(&want, &got);
		break;
	case IDENTITY_EXACT_REFERENCE:
		fits = same_reference(&exact, &got);
		break;
	case IDENTITY_EXACT_REPOSITORY:
		fits = same_repository(&exact, &got);
		break;
	default:
		break;
	}
	if (!fits)
		error_set(e, EKEYREJECTED, "it was made for %s", safe);
	return fits;
}
