/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logins: Basic (RFC 7617), and Bearer tokens as docker's registries give them (distribution "Token Authentication
 * Specification"): a GET of the realm with service and scope, with the password as Basic when there is one.
 */
#include "image/fetch_http.h"

#include "base/cleanup.h"
#include "image/challenge.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

enum { TOKEN_MAX = 64 * 1024, LOGINS_ALL_MAX = 64 };

static char *basic(const struct fetch_request *r)
{
	_cleanup_free_ char *both = xasprintf("%s:%s", r->user, r->password);
	size_t n = strlen(both);
	_cleanup_free_ char *text = xcalloc(n * 4 / 3 + 8, 1);

	EVP_EncodeBlock((unsigned char *)text, (unsigned char *)both, (int)n);
	OPENSSL_cleanse(both, n);
	return xasprintf("Basic %s", text);
}

static bool password_may_go(const struct http *h, const char *realm)
{
	_cleanup_free_ char *host = url_part(realm, CURLUPART_HOST), *authority = url_authority(realm);

	if (!host || !authority)
		return false;
	if (streq(authority, h->server) || token_host_fits(h->req->server, host))
		return true;
	return strv_has(h->req->token_servers, host) || strv_has(h->req->token_servers, authority);
}

static void add_query(struct buf *url, CURL *c, const char *name, const char *value, size_t n)
{
	char *escaped = curl_easy_escape(c, value, (int)n);

	buf_printf(url, "%c%s=%s", strchr(url->data, '?') ? '&' : '?', name, escaped ? escaped : "");
	curl_free(escaped);
}

/* A scope of several words is several scopes. */
static char *token_url(const struct http *h, const struct challenge *ch)
{
	_cleanup_buf_ struct buf url = { 0 };
	CURL *c = curl_easy_init();
	const char *s = h->scope ? h->scope : "";

	buf_puts(&url, ch->realm);
	if (ch->service)
		add_query(&url, c, "service", ch->service, strlen(ch->service));
	while (*s) {
		size_t n = strcspn(s, " ");

		add_query(&url, c, "scope", s, n);
		s += n;
		s += *s == ' ';
	}
	if (h->req->user)
		add_query(&url, c, "account", h->req->user, strlen(h->req->user));
	curl_easy_cleanup(c);
	return buf_steal(&url);
}

static int read_token(const struct http_request *q, char **out, struct error *e)
{
	_cleanup_json_ json_t *j = json_parse(q->body.data ? q->body.data : "", q->body.len, "the token server's answer", e);
	const char *token = NULL;
	int r;

	if (!j)
		return e->code;
	r = json_is_object(j) ? json_get_str(j, "", "token", &token, e) : error_set(e, EBADMSG, "its answer is no object");
	if (r == 0 && !token)
		r = json_get_str(j, "", "access_token", &token, e);
	if (r < 0)
		return r;
	/* RFC 6750 section 2.1: b64token. Whatever else could end the header. */
	if (!token || !*token ||
	    strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=:") != strlen(token))
		return error_set(e, EBADMSG, "no token in its answer that could be one");
	*out = xasprintf("Bearer %s", token);
	return 0;
}

/* The token server is a party of its own: it gets the password, when it may, and nothing that the registry was told. */
static int ask_token(struct http *h, const struct challenge *ch, char **out, struct error *e)
{
	_cleanup_free_ char *host = url_part(ch->realm, CURLUPART_HOST), *authority = url_authority(ch->realm), *send = NULL;
	struct fetch_request req = { .timeout_s = h->req->timeout_s };
	_cleanup_http_request_ struct http_request q;
	_cleanup_http_ struct http *other = NULL;
	bool same = authority && streq(authority, h->server), https = url_is_https(ch->realm);
	int r;

	http_request_init(&q, "GET", token_url(h, ch));
	q.max = TOKEN_MAX;
	if (!host || !authority || strchr(ch->realm, '@') || strchr(ch->realm, '#'))
		return error_set(e, EPROTO, "the registry names no token server that can be used");
	if (!https && !(h->req->insecure && token_host_fits(h->req->server, host)))
		return error_set(e, EPROTO, "its token server, %.100s, has no TLS", host);
	if (h->req->user && !password_may_go(h, ch->realm)) {
		error_set(e, EACCES, "the registry wants its password sent to %.100s, which is in another domain", authority);
		error_hint(e, "token_servers = %s in brig.conf allows it", authority);
		return -EACCES;
	}
	req.server = authority;
	/* A host's authority and opt-out are the host's, whichever port a part of it listens on. */
	if (token_host_fits(h->req->server, host)) {
		req.authorities = h->req->authorities;
		req.insecure = h->req->insecure;
	}
	r = http_open(&req, NULL, &other, e);
	if (r < 0)
		return r;
	if (!other->machine_ca && h->machine_ca) {
		/* In the room no file can be read. */
		other->machine_ca = xstrdup(h->machine_ca);
		other->machine_ca_len = h->machine_ca_len;
	}
	other->plain = !https;
	free(other->server);
	other->server = xstrdup(authority);
	if (h->req->user)
		other->authorization = basic(h->req);
	/* An address that a registry names is judged by where the registry is. */
	other->guest = true;
	other->registry_kind = h->registry_kind;
	r = http_do_one(other, &q, e);
	if (r == 0 && q.status == 401 && h->req->user)
		r = error_set(e, EACCES, "user or password is wrong");
	else if (r == 0 && q.status != 200)
		r = http_status_error(&q, same ? "no token" : "no token from its token server", e);
	return r < 0 ? r : read_token(&q, out, e);
}

int http_login(struct http *h, struct http_request *q, struct error *e)
{
	_cleanup_(challenge_free) struct challenge ch = { 0 };
	_cleanup_free_ char *got = NULL;
	int r;

	/* Of several that were sent at once, the first that comes back logs in for all. */
	if (h->authorization && !streq(q->said, h->authorization))
		return 0;
	if (!q->challenge || challenge_parse(q->challenge, &ch) < 0)
		return error_set(e, EPROTO, "the registry asks for a login of no kind that brig knows");
	if (++h->logins > LOGINS_ALL_MAX)
		return error_set(e, EPROTO, "the registry asks for a login again and again");
	if (ch.bearer) {
		r = ask_token(h, &ch, &got, e);
		if (r < 0)
			return error_wrap(e, "login");
	} else {
		if (!h->req->user) {
			error_set(e, EACCES, "the registry asks for user and password");
			error_hint(e, "brig login %s", h->req->server);
			return -EACCES;
		}
		got = basic(h->req);
		if (streq(got, q->said)) {
			error_set(e, EACCES, "user or password is wrong");
			error_hint(e, "brig login %s", h->req->server);
			return -EACCES;
		}
	}
	free(h->authorization);
	h->authorization = steal_ptr(&got);
	return 0;
}
