/* SPDX-License-Identifier: Apache-2.0 */
#include "image/fetch_http.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { REDIRECTS_MAX = 5, LOGINS_MAX = 2, RETRIES_MAX = 5, TIMEOUTS_MAX = 2, HEADERS_MAX = 64 * 1024, CA_MAX = 4 * 1024 * 1024 };

static const char *const bundles[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
				       "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem" };

char *http_url(const struct http *h, const char *fmt, ...)
{
	_cleanup_free_ char *path = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&path, fmt, ap) < 0)
		abort();
	va_end(ap);
	return xasprintf("%s://%s%s", h->plain ? "http" : "https", h->req->server, path);
}

int http_open(const struct fetch_request *r, const char *scope, struct http **out, struct error *e)
{
	struct http *h = xcalloc(1, sizeof(*h));
	_cleanup_free_ char *url = NULL;

	*out = h;
	h->req = r;
	h->scope = xstrdup(scope);
	h->registry_kind = -1;
	url = http_url(h, "/");
	h->server = url_authority(url);
	if (!h->server)
		return error_set(e, EINVAL, "\"%.200s\" is no host", r->server);
	for (size_t i = 0; !h->machine_ca && i <= ARRAY_SIZE(bundles); i++) {
		const char *path = i ? bundles[i - 1] : getenv("SSL_CERT_FILE");
		_cleanup_close_ int fd = !path ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

		if (fd >= 0 && fd_read_all(fd, CA_MAX, &h->machine_ca, &h->machine_ca_len) < 0)
			h->machine_ca = NULL;
	}
	h->proxied = getenv("https_proxy") || getenv("HTTPS_PROXY");
	h->multi = curl_multi_init();
	return h->multi ? 0 : error_set(e, ENOMEM, "curl_multi_init");
}

void http_close(struct http **hp)
{
	struct http *h = *hp;

	if (!h)
		return;
	if (h->multi)
		curl_multi_cleanup(h->multi);
	free(h->scope);
	free(h->server);
	free(h->machine_ca);
	free(h->authorization);
	free(h);
	*hp = NULL;
}

void http_request_init(struct http_request *q, const char *method, char *url)
{
	*q = (struct http_request){ .method = method, .url = url, .file = -1, .in_file = -1, .max = HTTP_DOCUMENT_MAX };
}

static void forget_answer(struct http_request *q)
{
	free(q->type);
	free(q->location);
	free(q->digest);
	free(q->challenge);
	free(q->range);
	free(q->signatures);
	free(q->link);
	free(q->subject);
	free(q->etag);
	q->etag = NULL;
	q->type = q->link = q->location = q->digest = q->challenge = q->range = q->signatures = q->subject = NULL;
	q->status = 0;
	q->header_bytes = 0;
	q->failed = 0;
	q->curl_error[0] = 0;
}

static void drop_easy(struct http_request *q)
{
	if (!q->easy)
		return;
	curl_multi_remove_handle(q->http->multi, q->easy);
	curl_easy_cleanup(q->easy);
	q->easy = NULL;
	curl_slist_free_all(q->headers);
	q->headers = NULL;
}

void http_request_free(struct http_request *q)
{
	drop_easy(q);
	forget_answer(q);
	free(q->began);
	free(q->at);
	free(q->said);
	free(q->url);
	buf_free(&q->body);
	*q = (struct http_request){ .file = -1, .in_file = -1 };
}

/* --- callbacks of curl -------------------------------------------------------------------------------------------- */

static size_t take_header(char *data, size_t size, size_t n, void *arg)
{
	static const struct {
		const char *name;
		size_t at;
	} wanted[] = {
		{ "content-type:", offsetof(struct http_request, type) },
		{ "location:", offsetof(struct http_request, location) },
		{ "docker-content-digest:", offsetof(struct http_request, digest) },
		{ "www-authenticate:", offsetof(struct http_request, challenge) },
		{ "content-range:", offsetof(struct http_request, range) },
		{ "link:", offsetof(struct http_request, link) },
		{ "x-registry-supports-signatures:", offsetof(struct http_request, signatures) },
		{ "oci-subject:", offsetof(struct http_request, subject) },
		{ "etag:", offsetof(struct http_request, etag) },
	};
	struct http_request *q = arg;
	size_t len = size * n;

	q->header_bytes += (unsigned)len;
	if (q->header_bytes > HEADERS_MAX) {
		q->failed = error_set(&q->error, EFBIG, "more than %d bytes of headers", HEADERS_MAX);
		return 0;
	}
	if (len > 5 && memcmp(data, "HTTP/", 5) == 0) /* of a new answer: after "100 Continue" */
		for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
			free(steal_ptr((char **)((char *)q + wanted[i].at)));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		size_t head = strlen(wanted[i].name), end = len;
		char **to = (char **)((char *)q + wanted[i].at);

		if (len < head || strncasecmp(data, wanted[i].name, head) != 0)
			continue;
		while (head < end && (data[head] == ' ' || data[head] == '\t'))
			head++;
		while (end > head && (data[end - 1] == '\n' || data[end - 1] == '\r' || data[end - 1] == ' '))
			end--;
		if (memchr(data + head, 0, end - head)) {
			q->failed = error_set(&q->error, EBADMSG, "a NUL byte in a header");
			return 0;
		}
		/* Two challenges are joined as RFC 9110 says; of other headers two that differ mean nothing good. */
		char *value = xstrndup(data + head, end - head);
		if (*to && q->challenge == *to) {
			char *both = xasprintf("%s, %s", *to, value);

			free(value);
			value = both;
		} else if (*to && !streq(*to, value)) {
			free(value);
			q->failed = error_set(&q->error, EBADMSG, "the header %.*s comes twice", (int)strlen(wanted[i].name) - 1,
					      wanted[i].name);
			return 0;
		}
		free(*to);
		*to = value;
	}
	return len;
}

/* A server may ignore Range: then it sends all of it again. */
static int begin_anew(struct http_request *q)
{
	if (q->file >= 0 && (ftruncate(q->file, 0) < 0 || lseek(q->file, 0, SEEK_SET) < 0))
		return error_errno(&q->error, errno, "cannot write");
	if (q->progress)
		q->progress(q->arg, -(int64_t)q->got);
	q->got = q->from = 0;
	q->body.len = 0;
	if (q->hash)
		hash_start(q->hash);
	return 0;
}

static int check_range(struct http_request *q)
{
	const char *s = q->range ? str_after(q->range, "bytes ") : NULL;
	char *end;

	if (s && strtoull(s, &end, 10) == q->from && *end == '-')
		return 0;
	return error_set(&q->error, EBADMSG, "a part was asked for from byte %llu, but another one is sent (%.60s)",
			 (unsigned long long)q->from, q->range ? q->range : "no Content-Range");
}

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_request *q = arg;
	size_t len = size * n;
	long status = 0;
	int r = 0;

	curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200 || status > 299) {
		/* An error's text is for a person: a little of it will do. */
		if (q->body.len < 16384)
			buf_add(&q->body, data, len < 16384 ? len : 16384);
		return len;
	}
	if (q->from && q->got == q->from) {
		r = status == 206 ? check_range(q) : begin_anew(q);
		if (r < 0)
			goto failed;
		q->from = 0;
	} else if (status == 206 && q->got == 0 && !q->range) {
		r = error_set(&q->error, EBADMSG, "a part is sent that nobody asked for");
		goto failed;
	}
	if (len > q->max - q->got) {
		r = error_set(&q->error, EFBIG, "more than the %llu bytes that it may have", (unsigned long long)q->max);
		goto failed;
	}
	if (q->hash)
		hash_add(q->hash, data, len);
	if (q->file >= 0) {
		r = fd_write_all(q->file, data, len);
		if (r < 0) {
			error_errno(&q->error, r, "cannot write");
			goto failed;
		}
	} else {
		buf_add(&q->body, data, len);
	}
	q->got += len;
	if (q->progress)
		q->progress(q->arg, (int64_t)len);
	return len;
failed:
	q->failed = r;
	return len + 1;
}

static size_t give_body(char *to, size_t size, size_t n, void *arg)
{
	struct http_request *q = arg;
	uint64_t left = q->upload - q->sent;
	size_t want = size * n < left ? size * n : (size_t)left;
	ssize_t r = (ssize_t)want;

	if (q->in_file < 0)
		memcpy(to, q->in + q->sent, want);
	else
		r = pread(q->in_file, to, want, (off_t)q->sent);
	if (r < 0 || (r == 0 && want > 0)) {
		q->failed = error_errno(&q->error, r < 0 ? errno : EIO, "cannot read what is to be sent");
		return CURL_READFUNC_ABORT;
	}
	if (q->hash)
		hash_add(q->hash, to, (size_t)r);
	q->sent += (uint64_t)r;
	if (q->progress)
		q->progress(q->arg, r);
	return (size_t)r;
}

/* curl sends a body a second time where a server closed a connection that was kept. */
static int seek_body(void *arg, curl_off_t offset, int origin)
{
	struct http_request *q = arg;

	if (origin != SEEK_SET || offset != 0)
		return CURL_SEEKFUNC_CANTSEEK;
	if (q->progress)
		q->progress(q->arg, -(int64_t)q->sent);
	q->sent = 0;
	if (q->hash)
		hash_start(q->hash);
	return CURL_SEEKFUNC_OK;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	static const char *const kinds[] = { "", "a private", "a link-local" };
	struct http_request *q = arg;
	struct http *h = q->http;
	int kind = address_kind(&a->addr);
	bool foreign = q->foreign || h->guest;

	(void)purpose;
	if (!h->proxied && !foreign && (h->registry_kind < 0 || kind > h->registry_kind))
		h->registry_kind = kind;
	if (!h->proxied && foreign && kind > (h->registry_kind < 0 ? 0 : h->registry_kind)) {
		_cleanup_free_ char *host = url_part(q->at, CURLUPART_HOST);

		q->failed = error_set(&q->error, EACCES, "it sends brig to %.100s, which has %s address", host ? host : "a host",
				      kinds[kind]);
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* --- one attempt -------------------------------------------------------------------------------------------------- */

static void add_header(struct http_request *q, const char *name, const char *value)
{
	_cleanup_free_ char *line = xasprintf("%s: %s", name, value);

	q->headers = curl_slist_append(q->headers, line);
}

static void set_blob(CURL *c, CURLoption option, const char *data, size_t n)
{
	struct curl_blob blob = { .data = (void *)data, .len = n, .flags = CURL_BLOB_NOCOPY };

	curl_easy_setopt(c, option, &blob);
}

static void set_tls(struct http *h, struct http_request *q)
{
	const struct fetch_request *r = h->req;
	CURL *c = q->easy;

	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(c, CURLOPT_CAINFO, NULL);
	if (!q->foreign && r->authorities)
		set_blob(c, CURLOPT_CAINFO_BLOB, r->authorities, strlen(r->authorities));
	else if (h->machine_ca)
		set_blob(c, CURLOPT_CAINFO_BLOB, h->machine_ca, h->machine_ca_len);
	if (!q->foreign && r->certificate && r->key) {
		set_blob(c, CURLOPT_SSLCERT_BLOB, r->certificate, strlen(r->certificate));
		set_blob(c, CURLOPT_SSLKEY_BLOB, r->key, strlen(r->key));
	}
	if (!q->foreign && r->insecure) {
		curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static void set_method(struct http_request *q)
{
	CURL *c = q->easy;

	if (streq(q->method, "HEAD")) {
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	} else if (streq(q->method, "PUT")) {
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->upload);
		curl_easy_setopt(c, CURLOPT_READFUNCTION, give_body);
		curl_easy_setopt(c, CURLOPT_READDATA, q);
		curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, seek_body);
		curl_easy_setopt(c, CURLOPT_SEEKDATA, q);
		add_header(q, "Expect", "");
	} else if (streq(q->method, "POST")) {
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, "");
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, 0L);
	} else if (streq(q->method, "DELETE")) {
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, "DELETE");
	}
}

/* Makes the handle for the next attempt. */
static int begin(struct http *h, struct http_request *q)
{
	_cleanup_free_ char *authority = url_authority(q->at);
	bool document = q->file < 0 && q->in_file < 0;
	CURL *c = curl_easy_init();

	if (!c || !authority)
		return error_set(&q->error, EINVAL, "cannot reach \"%.200s\"", q->at);
	q->easy = c;
	q->http = h;
	q->foreign = !streq(authority, h->server);
	if (q->etag && q->got > 0 && !q->began)
		q->began = steal_ptr(&q->etag);
	forget_answer(q);
	if (q->in || q->in_file >= 0) {
		q->sent = 0;
		if (q->hash)
			hash_start(q->hash);
	}
	q->body.len = 0;
	if (q->file < 0 && q->in_file < 0)
		q->got = 0;
	q->from = q->file >= 0 ? q->got : 0;
	curl_easy_setopt(c, CURLOPT_URL, q->at);
	curl_easy_setopt(c, CURLOPT_PRIVATE, q);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, q->curl_error);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	/* Many small questions share one connection (RFC 9113) and one handshake; of large answers each has its own, which is faster. */
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)(document ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
	curl_easy_setopt(c, CURLOPT_PIPEWAIT, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, !q->foreign && h->plain ? "http" : "https");
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "brig/" BRIG_VERSION);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 256L * 1024);
	curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)h->req->timeout_s);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 256L);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)h->req->timeout_s);
	if (document)
		curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)h->req->timeout_s * 2);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, q);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, q);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, q);
	set_tls(h, q);
	set_method(q);
	if (q->accept)
		add_header(q, "Accept", q->accept);
	if (q->content_type)
		add_header(q, "Content-Type", q->content_type);
	free(q->said);
	q->said = q->foreign ? NULL : xstrdup(h->authorization);
	if (q->said)
		add_header(q, "Authorization", q->said);
	if (q->from) {
		char range[32];

		snprintf(range, sizeof(range), "%llu-", (unsigned long long)q->from);
		curl_easy_setopt(c, CURLOPT_RANGE, range);
		/* RFC 9110 section 13.1.5: weak tags do not do. A blob has its digest; a file has nothing else. */
		if (q->began && *q->began == '"')
			add_header(q, "If-Range", q->began);
	}
	if (q->unless)
		add_header(q, "If-None-Match", q->unless);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, q->headers);
	curl_multi_add_handle(h->multi, c);
	return 0;
}

/* --- what an attempt came to -------------------------------------------------------------------------------------- */

static bool worth_retrying(CURLcode c)
{
	return c == CURLE_PARTIAL_FILE || c == CURLE_RECV_ERROR || c == CURLE_SEND_ERROR || c == CURLE_GOT_NOTHING ||
	       c == CURLE_OPERATION_TIMEDOUT || c == CURLE_COULDNT_CONNECT || c == CURLE_COULDNT_RESOLVE_HOST;
}

static int curl_failure(struct http *h, struct http_request *q, CURLcode c)
{
	_cleanup_free_ char *authority = url_authority(q->at);
	const char *why = q->curl_error[0] ? q->curl_error : curl_easy_strerror(c);

	if (q->failed)
		return q->failed;
	if (c == CURLE_PEER_FAILED_VERIFICATION || c == CURLE_SSL_CONNECT_ERROR) {
		error_set(&q->error, EPROTO, "no trusted connection to %s: %s", authority, why);
		if (!q->foreign) {
			error_hint(&q->error, "an authority of its own goes into a file certs.d/%s/ca.crt beside brig.conf",
				   h->req->server);
			error_hint(&q->error, "insecure_registries = %s in brig.conf does without", h->req->server);
		}
		return -EPROTO;
	}
	return error_set(&q->error, EIO, "cannot reach %s: %s", authority, why);
}

static int follow(struct http_request *q)
{
	_cleanup_free_ char *next = q->location ? url_follow(q->at, q->location) : NULL;

	if (!streq(q->method, "GET") && !streq(q->method, "HEAD"))
		return error_set(&q->error, EPROTO, "it answers %s with a redirect", q->method);
	if (!next)
		return error_set(&q->error, EPROTO, "it redirects to nowhere that can be used");
	if (++q->redirects > REDIRECTS_MAX)
		return error_set(&q->error, ELOOP, "more than %d redirects", REDIRECTS_MAX);
	if (!url_is_https(next) && url_is_https(q->at)) {
		_cleanup_free_ char *host = url_part(next, CURLUPART_HOST);

		return error_set(&q->error, EPROTO, "it redirects from TLS to a place without (%.100s)", host ? host : "?");
	}
	free(q->at);
	q->at = steal_ptr(&next);
	return 1;
}

static uint64_t wait_ns(unsigned retry)
{
	return (uint64_t)200000000 << (retry < 5 ? retry : 5);
}

/* 1: another attempt; 0: answered; negative: failed. */
static int judge(struct http *h, struct http_request *q, CURLcode c)
{
	curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &q->status);
	drop_easy(q);
	/* A registry that was named insecure may have no TLS at all. */
	if (c == CURLE_SSL_CONNECT_ERROR && h->req->insecure && !h->plain && !q->foreign) {
		h->plain = true;
		h->authorization = NULL;
	}
	if (h->plain && !q->foreign && url_is_https(q->at)) {
		char *plain = xasprintf("http%s", q->at + strlen("https"));

		free(q->at);
		q->at = plain;
		free(h->server);
		h->server = url_authority(plain);
		return 1;
	}
	if (c != CURLE_OK && !q->failed && worth_retrying(c) && q->in_file < 0 &&
	    q->retries < (c == CURLE_OPERATION_TIMEDOUT ? TIMEOUTS_MAX : RETRIES_MAX)) {
		q->not_before_ns = clock_monotonic_ns() + wait_ns(q->retries++);
		return 1;
	}
	if (c != CURLE_OK)
		return curl_failure(h, q, c);
	if (q->status == 401 && !q->foreign && !h->guest && q->logins < LOGINS_MAX) {
		int r = http_login(h, q, &q->error);

		q->logins++;
		return r < 0 ? r : 1;
	}
	if (q->status == 301 || q->status == 302 || q->status == 303 || q->status == 307 || q->status == 308)
		return follow(q);
	if ((q->status == 429 || q->status == 502 || q->status == 503 || q->status == 504) && q->retries < RETRIES_MAX) {
		q->not_before_ns = clock_monotonic_ns() + wait_ns(q->retries++);
		free(q->at);
		q->at = xstrdup(q->url);
		return 1;
	}
	/* Everything that was asked for from there on had been sent before. */
	if (q->status == 416 && q->from && q->got == q->max)
		q->status = 200;
	return 0;
}

static int start_waiting(struct http *h, struct http_request *const *q, size_t n, size_t *running)
{
	uint64_t now = clock_monotonic_ns();

	for (size_t i = 0; i < n && *running < HTTP_PARALLEL; i++) {
		if (q[i]->done || q[i]->easy || q[i]->not_before_ns > now)
			continue;
		if (!q[i]->at)
			q[i]->at = xstrdup(q[i]->url);
		int r = begin(h, q[i]);
		if (r < 0)
			return r;
		++*running;
	}
	return 0;
}

static int take_ended(struct http *h, size_t *running, size_t *left, struct http_request **bad)
{
	CURLMsg *m;
	int more;

	while ((m = curl_multi_info_read(h->multi, &more))) {
		struct http_request *q = NULL;
		CURLcode c = m->data.result;
		int r;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &q);
		--*running;
		r = judge(h, q, c);
		if (r == 0) {
			q->done = true;
			--*left;
			r = q->complete ? q->complete(q, &q->error) : 0;
			if (r == HTTP_AGAIN) {
				q->done = false;
				++*left;
				r = 0;
			}
		}
		if (r < 0) {
			*bad = q;
			return r;
		}
	}
	return 0;
}

int http_do(struct http *h, struct http_request *const *q, size_t n, struct error *e)
{
	struct http_request *bad = n ? q[0] : NULL;
	size_t running = 0, left = n, before;
	int r = 0, still;

	while (left > 0 && r == 0) {
		r = start_waiting(h, q, n, &running);
		if (r < 0) {
			for (size_t i = 0; i < n; i++)
				if (q[i]->error.code)
					bad = q[i];
			break;
		}
		before = running;
		r = curl_multi_perform(h->multi, &still) == CURLM_OK ? take_ended(h, &running, &left, &bad) :
								       error_set(&bad->error, EIO, "libcurl does not go on");
		/* What ended may have made room for another; else there is nothing to do but wait. */
		if (r == 0 && running == before &&
		    curl_multi_poll(h->multi, NULL, 0, running ? 1000 : 50, NULL) != CURLM_OK)
			r = error_set(&bad->error, EIO, "libcurl does not go on");
	}
	for (size_t i = 0; i < n; i++)
		drop_easy(q[i]);
	if (r < 0 && e && bad)
		*e = bad->error;
	return r;
}

int http_do_one(struct http *h, struct http_request *q, struct error *e)
{
	return http_do(h, &q, 1, e);
}

static char *own_url(const struct http *h, const struct http_request *q, const char *location, const char *what, struct error *e)
{
	_cleanup_free_ char *next = location ? url_follow(q->at, location) : NULL;
	_cleanup_free_ char *authority = next ? url_authority(next) : NULL;

	/* Behind a proxy a registry may think that it has no TLS: its host counts, the scheme stays ours. */
	if (next && authority && !h->plain && !url_is_https(next)) {
		_cleanup_free_ char *host = url_part(next, CURLUPART_HOST), *path = url_part(next, CURLUPART_PATH);
		_cleanup_free_ char *query = url_part(next, CURLUPART_QUERY), *own = url_part(q->at, CURLUPART_HOST);

		if (streq(host, own))
			return http_url(h, "%s%s%s", path, query ? "?" : "", query ? query : "");
	}
	if (!next || !streq(authority, h->server)) {
		error_set(e, EPROTO, "the registry wants %s another host", what);
		return NULL;
	}
	return steal_ptr(&next);
}

char *http_own_location(const struct http *h, const struct http_request *q, struct error *e)
{
	return own_url(h, q, q->location, "the data sent to", e);
}

char *http_next_page(const struct http *h, const struct http_request *q, struct error *e)
{
	_cleanup_free_ char *target = q->link ? link_next(q->link) : NULL;

	return target ? own_url(h, q, target, "the next page asked of", e) : NULL;
}

int http_status_error(const struct http_request *q, const char *what, struct error *e)
{
	_cleanup_json_ json_t *j = q->body.len ? json_loadb(q->body.data, q->body.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	const json_t *first = json_array_get(json_object_get(j, "errors"), 0);
	const char *message = json_string_value(json_object_get(first, "message"));
	const char *code = json_string_value(json_object_get(first, "code"));
	int err = q->status == 404 ? ENOENT : q->status == 401 || q->status == 403 ? EACCES : EPROTO;

	return error_set(e, err, "%s: the registry answers %ld%s%.60s%s%.200s", what, q->status, code ? " " : "", code ? code : "",
			 message ? ": " : "", message ? message : "");
}
