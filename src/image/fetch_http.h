/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP towards one registry, through libcurl. What this layer decides, and libcurl does not:
 *
 *   - TLS 1.2 up with verified certificates, unless a person named the registry insecure; never from TLS to plain by a redirect.
 *   - Redirects are followed here, at most five and for reading only. Authorization goes to the registry alone.
 *   - Who is no registry but named by one (redirect, token server) may not lie on a loopback, link-local or private address,
 *     unless the registry itself does.
 *   - A password goes to a token server of the registry's own domain only (brig.conf token_servers names others).
 *   - Answers have limits in size and in time without a byte; broken transfers are resumed with Range (RFC 9110 section 14).
 */
#pragma once

#include "image/fetch.h"
#include "image/hash.h"

#include <curl/curl.h>

enum { HTTP_DOCUMENT_MAX = 4 * 1024 * 1024, HTTP_PARALLEL = 4, HTTP_AGAIN = 1 };

struct http;

struct http_request {
	const char *method; /* "GET", "HEAD", "POST", "PUT", "DELETE" */
	char *url;	    /* on the registry; owned, free with http_request_free() */
	const char *accept, *content_type; /* NULL: none */
	const char *unless;		   /* an entity tag: what still has it need not be sent (304); NULL */
	/* body of the answer: to `file` when >= 0, hashed on the way, else into `body`; never more than `max` bytes */
	int file;
	uint64_t max;
	struct buf body;
	struct hash *hash;
	uint64_t got;
	/* body of the request: `upload` bytes of `in`, or of `in_file` when that is >= 0 */
	const char *in;
	int in_file;
	uint64_t upload, sent;
	bool no_body; /* nothing is sent, not even a length but 0 */
	void (*progress)(void *arg, int64_t bytes); /* got or sent; negative when a transfer begins anew. May be NULL */
	void *arg;
	int (*complete)(struct http_request *q, struct error *e); /* its answer is there; a negative result ends all. May be NULL */
	/* the answer */
	long status;
	char *type, *location, *digest, *challenge, *signatures, *link, *subject, *etag; /* headers; NULL: not sent */

	/* private */
	struct http *http;
	CURL *easy;
	struct curl_slist *headers;
	char *at;	 /* the URL in use, after redirects */
	char *said;	 /* Authorization of this attempt; NULL: none */
	char *range;	 /* Content-Range */
	char *began;	 /* the entity tag of what has come so far: a part of anything else does not go with it */
	uint64_t from;	 /* where this attempt began */
	unsigned redirects, logins, retries, header_bytes;
	int failed;	 /* negative errno of a callback, with `error` filled */
	struct error error;
	uint64_t not_before_ns;
	char curl_error[CURL_ERROR_SIZE];
	bool foreign, done;
};

/* `r` and what it points to must outlive it. `scope` is asked of token servers ("repository:a/b:pull"), NULL: none. */
int http_open(const struct fetch_request *r, const char *scope, struct http **out, struct error *e);
void http_close(struct http **h);
#define _cleanup_http_ __attribute__((cleanup(http_close)))

void http_request_init(struct http_request *q, const char *method, char *url);
void http_request_free(struct http_request *q);
#define _cleanup_http_request_ __attribute__((cleanup(http_request_free)))

/* scheme://server and the formatted path; to free. */
__attribute__((format(printf, 2, 3))) char *http_url(const struct http *h, const char *fmt, ...);
/* A Location of the registry's own, made absolute and checked to stay there; to free. NULL with `e` filled. */
char *http_own_location(const struct http *h, const struct http_request *q, struct error *e);

/* The page that a Link header calls the next one (RFC 8288), as above; NULL without an error when there is none. */
char *http_next_page(const struct http *h, const struct http_request *q, struct error *e);
/* The target of the link with rel="next" in a Link header; to free. NULL: none. */
char *link_next(const char *header);

/*
 * Does them, HTTP_PARALLEL at a time, until all have an answer that is no redirect and no question for a login. The first that
 * fails ends all. A status is no failure here; see http_status_error().
 */
int http_do(struct http *h, struct http_request *const *q, size_t n, struct error *e);
int http_do_one(struct http *h, struct http_request *q, struct error *e);

/* Tells what a status that was not expected means, with the registry's own words (distribution-spec "Error Codes"). */
int http_status_error(const struct http_request *q, const char *what, struct error *e);

/* fetch_url.c: parts of a URL by curl's parser; to free, NULL when there is none. */
char *url_part(const char *url, CURLUPart part);
/* The URL that `location` means on a page at `base`; NULL: none, or with user or password in it. */
char *url_follow(const char *base, const char *location);
/* "host:port" with the scheme's own port filled in; to free. */
char *url_authority(const char *url);
bool url_is_https(const char *url);
/* May the password of `server` (HOST[:PORT]) go to `host`? The same host, or one of the domain that the registry's host is in. */
bool token_host_fits(const char *server, const char *host);
/* What an address is: 0 of the world, 1 private or loopback, 2 link-local or of no host. */
struct sockaddr;
int address_kind(const struct sockaddr *sa);

/* fetch_token.c: the login that `q` was asked for; then it can be tried again. */
int http_login(struct http *h, struct http_request *q, struct error *e);

/* What fetch_http.c and fetch_token.c share. */
struct http {
	const struct fetch_request *req;
	char *scope;
	char *server;	     /* authority of the registry, with port */
	bool plain;	     /* http:// after all: only for one that was named insecure */
	CURLM *multi;
	char *machine_ca;    /* the machine's bundle; NULL: none was found */
	size_t machine_ca_len;
	char *authorization; /* header for the registry, NULL: none yet */
	int registry_kind;   /* address_kind() of the registry; -1: not known yet */
	bool proxied;
	bool guest;	     /* this is a token server: it may lie nowhere where its registry does not */
	unsigned logins;
};
