/* SPDX-License-Identifier: Apache-2.0 */
#include "image/refer.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "image/hash.h"
#include "image/index.h"
#include "image/name.h"
#include "image/oci.h"
#include "image/publish.h"
#include "image/remote.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { EXTRAS_MAX = 600, DOCUMENT_MAX = 256 * 1024 * 1024, TYPE_SIZE = 128 };

static const char empty[] = "{}", empty_type[] = "application/vnd.oci.empty.v1+json";

/* --- out ---------------------------------------------------------------------------------------------------------- */

static json_t *descriptor(const char *type, const char *hex, uint64_t size)
{
	_cleanup_free_ char *digest = xasprintf("sha256:%s", hex);

	return json_pack("{s:s,s:s,s:I}", "mediaType", type, "digest", digest, "size", (json_int_t)size);
}

static json_t *descriptor_of(const char *type, const void *data, size_t n)
{
	char hex[DIGEST_SIZE];

	hash_hex(data, n, hex);
	return descriptor(type, hex, n);
}

static char *make_manifest(const struct refer_request *q, const struct index_entry *subject)
{
	json_t *layer = descriptor_of(q->artifact_type, q->data, q->n);
	_cleanup_json_ json_t *j = NULL;
	char when[40];

	clock_format((uint64_t)q->now * 1000000000, when);
	if (q->title)
		json_object_set_new(layer, "annotations", json_pack("{s:s}", "org.opencontainers.image.title", q->title));
	j = json_pack("{s:i,s:s,s:s,s:o,s:[o],s:o,s:{s:s}}", "schemaVersion", 2, "mediaType", OCI_MANIFEST, "artifactType", q->artifact_type,
		      "config", descriptor_of(empty_type, empty, strlen(empty)), "layers", layer, "subject",
		      descriptor(subject->media_type, subject->manifest, subject->manifest_size), "annotations",
		      "org.opencontainers.image.created", when);
	return json_text(j);
}

static int send(const struct refer_request *q, const char *manifest, char digest[static DIGEST_SIZE], struct error *e)
{
	const struct {
		const void *data;
		size_t n;
	} parts[] = { { q->data, q->n }, { empty, strlen(empty) }, { manifest, strlen(manifest) } };
	_cleanup_(fetch_request_free) struct fetch_request r = { 0 };
	int fds[ARRAY_SIZE(parts)], err = registry_prepare(q->to, q->conf, &r, e);

	if (err < 0)
		return err;
	r.operation = FETCH_PUSH;
	r.blobs = xcalloc(ARRAY_SIZE(parts), sizeof(*r.blobs));
	for (; err == 0 && r.n_blobs < ARRAY_SIZE(parts); r.n_blobs++) {
		struct fetch_blob *b = &r.blobs[r.n_blobs];

		hash_hex(parts[r.n_blobs].data, parts[r.n_blobs].n, b->hex);
		b->size = parts[r.n_blobs].n;
		fds[r.n_blobs] = memfd_sealed("artifact", parts[r.n_blobs].data, parts[r.n_blobs].n);
		if (fds[r.n_blobs] < 0) {
			err = error_errno(e, fds[r.n_blobs], "memfd_create");
			break;
		}
	}
	if (err == 0) {
		memcpy(digest, r.blobs[r.n_blobs - 1].hex, DIGEST_SIZE);
		r.blobs[r.n_blobs - 1].media_type = xstrdup(OCI_MANIFEST);
		free(r.reference);
		r.reference = xasprintf("sha256:%s", digest);
		err = registry_run(&r, -1, fds, r.n_blobs, &q->report, NULL, NULL, e);
	}
	for (size_t i = 0; i < r.n_blobs; i++)
		close(fds[i]);
	return err;
}

int image_refer(const struct refer_request *q, char digest[static DIGEST_SIZE], struct error *e)
{
	_cleanup_(index_free) struct index x = { 0 };
	_cleanup_free_ char *manifest = NULL;
	ssize_t found;
	int r = index_read(&x, e);

	if (r < 0)
		return r;
	found = index_find(&x, q->image, NULL, e);
	if (found < 0)
		return (int)found;
	manifest = make_manifest(q, &x.entries[found]);
	r = send(q, manifest, digest, e);
	return r < 0 ? error_wrap(e, "cannot attach to %s at %s/%s", q->image, q->to->host, q->to->path) : 0;
}

/* --- back --------------------------------------------------------------------------------------------------------- */

struct chosen {
	char hex[DIGEST_SIZE];
	uint64_t size;
};

struct finding {
	const struct refer_wanted *w;
	struct staging_dirs dirs;
	char top[DIGEST_SIZE];
	struct {
		char hex[DIGEST_SIZE];
		bool tagged; /* cosign's .sbom: a tag says what it is about */
	} extras[EXTRAS_MAX];
	size_t n;
	struct chosen chosen; /* size 0: none */
};

static int heard_documents(void *arg, const struct fetch_message *m, struct error *e)
{
	struct finding *f = arg;

	if (m->word == FETCH_TOP && !f->top[0]) {
		memcpy(f->top, m->top.hex, DIGEST_SIZE);
		return 1;
	}
	if (m->word != FETCH_EXTRA)
		return error_set(e, EPROTO, "the process that speaks with the registry talks nonsense");
	if (m->extra.tag[0] && !str_ends(m->extra.tag, ".sbom"))
		return 0;
	if (f->n >= EXTRAS_MAX)
		return error_set(e, EFBIG, "more than %d documents refer to it", EXTRAS_MAX);
	memcpy(f->extras[f->n].hex, m->extra.hex, DIGEST_SIZE);
	f->extras[f->n++].tagged = m->extra.tag[0] != 0;
	return 0;
}

static bool is_wanted(const struct finding *f, const json_t *type)
{
	for (size_t i = 0; f->w->types[i]; i++)
		if (streq(json_string_value(type), f->w->types[i]))
			return true;
	return false;
}

/* What the name means, or one of its images. */
static bool is_subject(const struct finding *f, const json_t *top, const json_t *manifest)
{
	const char *digest = json_string_value(json_object_get(json_object_get(manifest, "subject"), "digest"));
	const char *hex = digest ? digest_hex(digest) : NULL;
	const json_t *one;
	size_t i;

	if (hex && streq(hex, f->top))
		return true;
	json_array_foreach(json_object_get(top, "manifests"), i, one)
		if (digest && streq(json_string_value(json_object_get(one, "digest")), digest))
			return true;
	return false;
}

static const char *created(const json_t *manifest)
{
	const char *when = json_string_value(json_object_get(json_object_get(manifest, "annotations"), "org.opencontainers.image.created"));

	return when ? when : "";
}

/* In the room. */
static int choose(void *arg, int socket, struct error *e)
{
	struct finding *f = arg;
	_cleanup_free_ char *newest = NULL;
	_cleanup_json_ json_t *top = NULL;
	int r = remote_read(f->dirs.members, f->top, &top, NULL, NULL, e);

	for (size_t i = 0; r == 0 && i < f->n; i++) {
		_cleanup_json_ json_t *m = NULL;
		const json_t *layer;
		const char *digest;
		json_int_t size;

		r = remote_read(f->dirs.members, f->extras[i].hex, &m, NULL, NULL, e);
		layer = json_array_get(json_object_get(m, "layers"), 0);
		digest = json_string_value(json_object_get(layer, "digest"));
		size = json_integer_value(json_object_get(layer, "size"));
		if (r < 0 || !is_wanted(f, json_object_get(layer, "mediaType")) || !digest || !digest_hex(digest) || size < 1 ||
		    size > DOCUMENT_MAX || !(f->extras[i].tagged || is_subject(f, top, m)) || (newest && strcmp(created(m), newest) < 0))
			continue;
		memcpy(f->chosen.hex, digest_hex(digest), DIGEST_SIZE);
		f->chosen.size = (uint64_t)size;
		free(newest);
		newest = xstrdup(created(m));
	}
	return r < 0 ? r : socket_send(socket, &f->chosen, sizeof(f->chosen), NULL, 0);
}

static int heard_chosen(void *arg, const void *message, size_t n, struct error *e)
{
	struct finding *f = arg;

	if (n != sizeof(f->chosen))
		return error_set(e, EPROTO, "the process that reads talks nonsense");
	memcpy(&f->chosen, message, n);
	if (f->chosen.hex[DIGEST_SIZE - 1] || f->chosen.size > DOCUMENT_MAX || (f->chosen.size && !hex_valid(f->chosen.hex, 64)))
		return error_set(e, EPROTO, "the process that reads talks nonsense");
	return 0;
}

static int want(void *arg, const struct fetch_message *m, struct error *e)
{
	(void)arg;
	if (m->word == FETCH_READY || m->word == FETCH_GOT)
		return 0;
	return m->word == FETCH_WANT ? 1 : error_set(e, EPROTO, "the process that speaks with the registry talks nonsense");
}

static int ask(struct finding *f, enum fetch_operation operation, struct error *e)
{
	_cleanup_(fetch_request_free) struct fetch_request r = { 0 };
	struct registry_report quiet = { 0 };
	bool some = operation == FETCH_SOME;
	int err = registry_prepare(f->w->ref, f->w->conf, &r, e);

	if (err < 0)
		return err;
	r.operation = operation;
	r.referrers = !some;
	r.platform = xstrdup(f->w->platform);
	if (some) {
		r.blobs = xcalloc(1, sizeof(*r.blobs));
		memcpy(r.blobs[0].hex, f->chosen.hex, DIGEST_SIZE);
		r.blobs[0].size = f->chosen.size;
		r.n_blobs = 1;
	}
	return registry_run(&r, some ? f->dirs.blobs : f->dirs.members, NULL, 0, &quiet, some ? want : heard_documents, f, e);
}

static int take(struct finding *f, struct buf *out, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	char hex[DIGEST_SIZE];
	size_t n;
	int r = file_read(f->dirs.blobs, f->chosen.hex, DOCUMENT_MAX, &text, &n);

	if (r < 0)
		return error_errno(e, r, "document sha256:%.12s", f->chosen.hex);
	hash_hex(text, n, hex);
	if (!streq(hex, f->chosen.hex))
		return error_set(e, EBADMSG, "document sha256:%s has the digest sha256:%s", f->chosen.hex, hex);
	buf_add(out, text, n);
	return 0;
}

static int find(struct finding *f, struct buf *out, struct error *e)
{
	int r = ask(f, FETCH_DOCUMENTS, e);

	if (r == 0 && !f->top[0])
		r = error_set(e, EPROTO, "the process that speaks with the registry forgot the manifest");
	if (r == 0)
		r = remote_room_run(&(struct remote_room){ .dirs = &f->dirs.members, .n_dirs = 1, .fn = choose, .heard = heard_chosen, .arg = f,
							   .accept_no_landlock = strv_has(f->w->conf->accept_lowered, "landlock") }, e);
	if (r == 0 && f->chosen.size == 0)
		r = error_set(e, ENOENT, "no document of this kind refers to it");
	if (r == 0)
		r = ask(f, FETCH_SOME, e);
	return r < 0 ? r : take(f, out, e);
}

int image_referring(const struct refer_wanted *w, struct buf *out, struct error *e)
{
	_cleanup_free_ struct finding *f = xcalloc(1, sizeof(*f));
	int r = staging_open(&f->dirs, e);

	f->w = w;
	if (r < 0)
		return r;
	r = find(f, out, e);
	staging_close(&f->dirs);
	return r < 0 ? error_wrap(e, "%s/%s", w->ref->host, w->ref->path) : 0;
}
