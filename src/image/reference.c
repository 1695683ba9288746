/* SPDX-License-Identifier: Apache-2.0 */
#include "image/reference.h"

#include "base/cleanup.h"
#include "image/name.h"

#include <string.h>

void reference_free(struct reference *r)
{
	free(r->host);
	free(r->path);
	free(r->tag);
	*r = (struct reference){ 0 };
}

static int refuse(const char *s, const char *why, struct error *e)
{
	_cleanup_free_ char *shown = str_escape_n(s, strnlen(s, 300));

	return error_set(e, EINVAL, "\"%s\" is no name of an image in a registry: %s", shown, why);
}

int reference_parse(const char *s, struct reference *out, struct error *e)
{
	const char *at = strchr(s, '@'), *hex = at ? digest_hex(at + 1) : NULL, *slash, *path, *tag;
	_cleanup_free_ char *name = at ? xstrndup(s, (size_t)(at - s)) : xstrdup(s);
	_cleanup_free_ char *host = NULL, *whole = NULL;
	size_t n;

	*out = (struct reference){ 0 };
	if (at && !hex)
		return refuse(s, "no digest behind the @ (sha256: and 64 hex digits)", e);
	if (!name_has_host(name))
		return refuse(s, "it does not say which registry (HOST/NAME[:TAG])", e);
	slash = strchr(name, '/');
	host = xstrndup(name, (size_t)(slash - name));
	if (streq(host, "index.docker.io")) {
		free(host);
		host = xstrdup("docker.io");
	}
	path = slash + 1;
	tag = name_tag(path, &n);
	if (!tag && !hex)
		tag = "latest";
	whole = xasprintf("%s/%s%.*s:%s", host, streq(host, "docker.io") && !memchr(path, '/', n) ? "library/" : "",
			  (int)n, path, tag ? tag : "latest");
	if (!name_valid(whole))
		return refuse(s, "[HOST[:PORT]/]NAME[:TAG][@DIGEST] with a name of lower-case letters, digits, '.', '_' and '-'",
			      e);
	path = strchr(whole, '/') + 1;
	name_tag(path, &n);
	out->host = steal_ptr(&host);
	out->path = xstrndup(path, n);
	out->tag = xstrdup(tag);
	if (hex)
		memcpy(out->digest, hex, DIGEST_SIZE);
	return 0;
}

char *reference_name(const struct reference *r)
{
	return r->tag ? xasprintf("%s/%s:%s", r->host, r->path, r->tag) : NULL;
}

char *reference_pulled(const struct reference *r, const char *hex)
{
	return xasprintf("%s/%s%s%s@sha256:%s", r->host, r->path, r->tag ? ":" : "", r->tag ? r->tag : "", hex);
}

const char *reference_server(const struct reference *r)
{
	return streq(r->host, "docker.io") ? "registry-1.docker.io" : r->host;
}

const char *reference_pulled_digest(const char *s, char **name)
{
	const char *at = s ? strchr(s, '@') : NULL, *hex = at ? digest_hex(at + 1) : NULL;

	if (hex && name)
		*name = xstrndup(s, (size_t)(at - s));
	return hex;
}
