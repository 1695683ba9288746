/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was signed about an image, wherever the four habits keep it: the tags sha256-HEX.sig and .att of cosign; the referrers of
 * distribution-spec 1.1 with their fallback tag sha256-HEX; the signatures extension of OpenShift's registry; a lookaside server. All is
 * taken as it is. Answers bring new questions until there are none; there is a limit to both. What could not be asked is told as that:
 * it is not the same as that there are none.
 */
#include "image/fetch_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "image/name.h"
#include "image/oci.h"
#include "image/signatures.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

enum { ASKS_MAX = 256, ROUNDS_MAX = 5 };

enum asked { ASK_TAG, ASK_REFERRERS, ASK_FALLBACK, ASK_PING, ASK_EXTENSION, ASK_MANIFEST, ASK_PART };

struct ask {
	struct http_request q;
	enum asked what;
	const char *subject;	  /* hex */
	char promised[DIGEST_SIZE]; /* what the digest must be; empty: nobody said */
};

struct looking {
	struct fetching *f;
	const char *subjects[2];
	size_t n_subjects;
	struct ask *asks; /* of this round */
	size_t n, all;
	uint64_t bytes;
};

static int keep(struct looking *l, const char *subject, enum signature_file kind, const void *data, size_t n, struct error *e)
{
	struct fetch_message m = { .word = FETCH_SIGNATURE };
	_cleanup_close_ int fd = -1;
	char name[SIGNATURE_NAME];
	int r;

	l->bytes += n;
	if (n > SIGNATURE_MAX || l->bytes > SIGNATURES_BYTES)
		return error_set(e, EFBIG, "more than %d bytes of signatures", SIGNATURES_BYTES);
	hash_hex(data, n, m.kept.hex);
	memcpy(m.kept.subject, subject, DIGEST_SIZE);
	m.kept.kind = kind;
	signature_name(kind, m.kept.hex, name);
	fd = openat(FETCH_FOLDER, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? -errno : fd_write_all(fd, data, n);
	if (r < 0)
		return error_errno(e, r, "cannot keep a signature");
	fetch_tell(&m);
	return 0;
}

static void ask(struct looking *l, enum asked what, const char *subject, const char *promised, uint64_t size, char *url)
{
	struct ask *a;

	if (l->all >= ASKS_MAX) {
		free(url);
		return;
	}
	l->all++;
	l->asks = xrealloc(l->asks, l->n + 1, sizeof(*l->asks));
	a = &l->asks[l->n++];
	*a = (struct ask){ .what = what, .subject = subject };
	http_request_init(&a->q, "GET", url);
	a->q.max = size < SIGNATURE_MAX ? size : SIGNATURE_MAX;
	if (what == ASK_TAG || what == ASK_MANIFEST)
		a->q.accept = OCI_MANIFEST;
	else if (what == ASK_REFERRERS || what == ASK_FALLBACK)
		a->q.accept = OCI_INDEX;
	if (promised)
		memcpy(a->promised, promised, DIGEST_SIZE);
}

static void ask_manifest(struct looking *l, enum asked what, const char *subject, const char *ending)
{
	_cleanup_free_ char *tag = xasprintf("sha256-%s%s", subject, ending);

	ask(l, what, subject, NULL, SIGNATURE_MAX, http_url(l->f->http, "/v2/%s/manifests/%s", l->f->req.repository, tag));
}

/* Digest and size of a descriptor; NULL when it is none. */
static const char *described(const json_t *d, uint64_t *size)
{
	const char *digest = json_string_value(json_object_get(d, "digest"));
	json_int_t n = json_integer_value(json_object_get(d, "size"));

	*size = n > 0 ? (uint64_t)n : 0;
	return digest && n > 0 && n <= SIGNATURE_MAX ? digest_hex(digest) : NULL;
}

static bool is_sigstore(const char *type)
{
	return str_after(type, "application/vnd.dev.sigstore.bundle") || str_after(type, "application/vnd.dev.cosign.");
}

/* cosign 3 enters its bundles into the fallback tag's list with the type of their empty configuration: what they are, their layer says. */
static bool may_be_signature(const char *type)
{
	return type && (is_sigstore(type) || streq(type, "application/vnd.cncf.notary.signature") ||
			streq(type, "application/vnd.oci.empty.v1+json"));
}

static bool is_part(const json_t *layer)
{
	const char *type = json_string_value(json_object_get(layer, "mediaType"));

	return type && (is_sigstore(type) || streq(type, "application/vnd.dsse.envelope.v1+json") || streq(type, "application/jose+json") ||
			streq(type, "application/cose"));
}

static bool has_parts(const json_t *manifest)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(manifest, "layers"), i, item)
		if (is_part(item))
			return true;
	return false;
}

static void ask_parts(struct looking *l, const struct ask *a, const json_t *manifest)
{
	const json_t *item;
	uint64_t size;
	size_t i;

	json_array_foreach(json_object_get(manifest, "layers"), i, item) {
		const char *hex = is_part(item) ? described(item, &size) : NULL;

		if (hex)
			ask(l, ASK_PART, a->subject, hex, size,
			    http_url(l->f->http, "/v2/%s/blobs/sha256:%s", l->f->req.repository, hex));
	}
}

static void ask_referrers(struct looking *l, const struct ask *a, const json_t *index)
{
	const json_t *item;
	uint64_t size;
	size_t i;

	json_array_foreach(json_object_get(index, "manifests"), i, item) {
		const char *type = json_string_value(json_object_get(item, "artifactType"));
		const char *hex = described(item, &size);

		if (hex && may_be_signature(type))
			ask(l, ASK_MANIFEST, a->subject, hex, size,
			    http_url(l->f->http, "/v2/%s/manifests/sha256:%s", l->f->req.repository, hex));
	}
}

static int take_extension(struct looking *l, const struct ask *a, const json_t *answer, struct error *e)
{
	const json_t *item;
	int r = 0;
	size_t i;

	json_array_foreach(json_object_get(answer, "signatures"), i, item) {
		const char *text = json_string_value(json_object_get(item, "content"));
		const char *type = json_string_value(json_object_get(item, "type"));
		size_t n = text ? strlen(text) : 0, pad = 0;
		_cleanup_free_ unsigned char *data = NULL;
		int len;

		if (r < 0 || !streq(type, "atomic") || n == 0 || n % 4 != 0 || i >= SIGNATURES_GPG_MAX)
			continue;
		data = xcalloc(n, 1);
		len = EVP_DecodeBlock(data, (const unsigned char *)text, (int)n);
		while (pad < 2 && text[n - 1 - pad] == '=')
			pad++;
		if (len > (int)pad)
			r = keep(l, a->subject, SIGNATURE_GPG, data, (size_t)len - pad, e);
	}
	return r;
}

/*
 * Is there none, or could it not be asked? 401 and 403 are what registries say of repositories and tags that are not there, 400, 405 and
 * 501 of a part of the protocol that they do not have (extension, referrers). Whatever else is no answer.
 */
static int check_answered(const struct ask *a, struct error *e)
{
	static const long none[] = { 200, 400, 401, 403, 404, 405, 406, 410, 501 };

	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		if (a->q.status == none[i])
			return 0;
	return http_status_error(&a->q, "signatures", e);
}

/* What an answer brings. Whatever is not there, or is something else, is no signature. */
static int take(struct looking *l, struct ask *a, struct error *e)
{
	_cleanup_json_ json_t *j = NULL;
	char hex[DIGEST_SIZE];
	int r = 0;

	if (a->what == ASK_PING && a->q.signatures && streq(a->q.signatures, "1")) {
		for (size_t i = 0; i < l->n_subjects; i++)
			ask(l, ASK_EXTENSION, l->subjects[i], NULL, SIGNATURE_MAX,
			    http_url(l->f->http, "/extensions/v2/%s/signatures/sha256:%s", l->f->req.repository, l->subjects[i]));
	}
	r = check_answered(a, e);
	if (r < 0)
		return r;
	if (a->what == ASK_REFERRERS && a->q.status != 200)
		ask_manifest(l, ASK_FALLBACK, a->subject, "");
	if (a->q.status != 200 || a->what == ASK_PING)
		return 0;
	hash_hex(a->q.body.data ? a->q.body.data : "", a->q.body.len, hex);
	if (a->promised[0] && !streq(a->promised, hex))
		return error_set(e, EBADMSG, "asked for sha256:%s, the registry sends sha256:%s", a->promised, hex);
	if (a->what == ASK_PART)
		return keep(l, a->subject, SIGNATURE_PART, a->q.body.data, a->q.body.len, e);
	j = a->q.body.len ? json_loadb(a->q.body.data, a->q.body.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	if (!json_is_object(j))
		return 0;
	switch (a->what) {
	case ASK_TAG:
	case ASK_MANIFEST:
		if (!has_parts(j))
			return 0;
		r = keep(l, a->subject, SIGNATURE_MANIFEST, a->q.body.data, a->q.body.len, e);
		ask_parts(l, a, j);
		return r;
	case ASK_REFERRERS:
	case ASK_FALLBACK:
		ask_referrers(l, a, j);
		return 0;
	default:
		return take_extension(l, a, j, e);
	}
}

static int do_round(struct looking *l, struct error *e)
{
	size_t n = l->n;
	struct ask *now = steal_ptr(&l->asks);
	_cleanup_free_ struct http_request **list = xcalloc(n + 1, sizeof(*list));
	int r;

	l->n = 0;
	for (size_t i = 0; i < n; i++)
		list[i] = &now[i].q;
	r = http_do(l->f->http, list, n, e);
	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			r = take(l, &now[i], e);
		http_request_free(&now[i].q);
	}
	free(now);
	return r;
}

/* BASE/PATH@sha256=HEX/signature-N, until one is missing. */
static int look_aside(struct looking *l, const char *subject, struct error *e)
{
	struct fetching *f = l->f;
	_cleanup_free_ char *path = url_part(f->req.lookaside, CURLUPART_PATH);
	size_t n = path ? strlen(path) : 0;

	while (n > 0 && path[n - 1] == '/')
		path[--n] = 0;
	for (int i = 1; i <= SIGNATURES_GPG_MAX; i++) {
		_cleanup_http_request_ struct http_request q;
		int r;

		http_request_init(&q, "GET", http_url(f->aside, "%s/%s@sha256=%s/signature-%d", path ? path : "", f->req.repository,
						      subject, i));
		q.max = SIGNATURE_MAX;
		r = http_do_one(f->aside, &q, e);
		if (r == 0 && q.status == 404)
			return 0;
		if (r == 0 && q.status != 200)
			r = http_status_error(&q, "lookaside", e);
		if (r == 0)
			r = keep(l, subject, SIGNATURE_GPG, q.body.data ? q.body.data : "", q.body.len, e);
		if (r < 0)
			return r;
	}
	return 0;
}

void fetch_signatures(struct fetching *f, const char *top, const char *manifest)
{
	struct looking l = { .f = f, .subjects = { top, manifest }, .n_subjects = streq(top, manifest) ? 1 : 2 };
	struct fetch_message m = { .word = FETCH_UNASKED };
	struct error e = { 0 };
	int r = 0;

	ask(&l, ASK_PING, top, NULL, HTTP_DOCUMENT_MAX, http_url(f->http, "/v2/"));
	for (size_t i = 0; i < l.n_subjects; i++) {
		ask_manifest(&l, ASK_TAG, l.subjects[i], ".sig");
		ask_manifest(&l, ASK_TAG, l.subjects[i], ".att");
		ask(&l, ASK_REFERRERS, l.subjects[i], NULL, SIGNATURE_MAX,
		    http_url(f->http, "/v2/%s/referrers/sha256:%s", f->req.repository, l.subjects[i]));
	}
	for (int i = 0; r == 0 && l.n > 0 && i < ROUNDS_MAX; i++)
		r = do_round(&l, &e);
	for (size_t i = 0; i < l.n; i++)
		http_request_free(&l.asks[i].q);
	free(l.asks);
	for (size_t i = 0; r == 0 && f->aside && i < l.n_subjects; i++)
		r = look_aside(&l, l.subjects[i], &e);
	if (r == 0)
		return;
	snprintf(m.note, sizeof(m.note), "%.500s", e.text);
	fetch_tell(&m);
}
