/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "image/hash.h"
#include "image/index.h"
#include "image/load.h"
#include "image/lookaside.h"
#include "image/oci.h"
#include "image/partial.h"
#include "image/proof.h"
#include "image/publish.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pulling {
	const struct pull_request *req;
	struct staging_dirs dirs;
	char top[DIGEST_SIZE], type[FETCH_MEDIA_TYPE];
	uint64_t size;
	struct pulled *out;
	char *lookaside; /* URL; NULL: none */
	struct load_request load;
	struct load_result result;
	struct loading *loading; /* since the documents are there; NULL: not yet */
	int socket;		 /* of it; -1 */
	int fetching;		 /* the socket to the other process */
	char (*arrived)[DIGEST_SIZE]; /* before */
	size_t n_arrived;
	char *name, *pulled;
	struct signature_kept *kept; /* lie beside the blobs */
	size_t n_kept;
	int blobs;		 /* the folder in which they arrive; borrowed */
};

/* An entry that was pulled under this name as this digest, and is whole: there is nothing to do. */
static bool is_here(struct pulling *p, const char *hex)
{
	_cleanup_free_ char *name = reference_name(p->req->ref), *pulled = reference_pulled(p->req->ref, hex);
	_cleanup_(index_free) struct index x = { 0 };

	/* What another platform's is, only its configuration knows. */
	if (p->req->platform || index_read(&x, NULL) < 0)
		return false;
	for (size_t i = 0; i < x.n; i++) {
		if (!streq(x.entries[i].pulled, pulled) || !streq(x.entries[i].name, name))
			continue;
		memcpy(p->out->id, x.entries[i].config, DIGEST_SIZE);
		return true;
	}
	return false;
}

static int refuse_moved(const struct pulling *p, const char *hex, struct error *e)
{
	_cleanup_free_ char *name = reference_name(p->req->ref);

	error_set(e, EKEYREJECTED, "%s IS NOT WHAT IT WAS: it is pinned to sha256:%s, the registry now sends sha256:%s. "
		  "Nothing was fetched", name, p->req->pinned, hex);
	error_hint(e, "somebody moved the tag. If you know why: brig trust pin --replace %s@sha256:%s, then pull again", name, hex);
	return -EKEYREJECTED;
}

static int make_layout(struct pulling *p, struct error *e);

/* The other room begins while the blobs are on their way. What it finds is verified by it, the fetching process is not believed. */
static int begin_unpacking(struct pulling *p, int fetching, struct error *e)
{
	const struct pull_request *q = p->req;
	int r;

	if (!p->top[0] || p->loading)
		return error_set(e, EPROTO, "the process that speaks with the registry talks nonsense");
	r = make_layout(p, e);
	if (r < 0)
		return r;
	p->name = reference_name(q->ref);
	p->pulled = reference_pulled(q->ref, p->top);
	p->load = (struct load_request){
		.input = p->dirs.members,
		.what = p->name ? p->name : p->pulled,
		.name = p->name,
		.platform = q->platform,
		.pulled = p->pulled,
		.take = true,
		.streamed = true,
		.not_for_room = fetching,
		.again = q->again,
		.suspects = q->again ? *q->suspects : NULL,
		.limits = image_limits_of(q->conf),
		.accept_no_landlock = strv_has(q->conf->accept_lowered, "landlock"),
		.note = q->report.note,
		.arg = q->report.arg,
	};
	r = load_start(&p->load, &p->result, &p->loading, e);
	if (r < 0)
		return r;
	p->socket = *load_socket(p->loading);
	for (size_t i = 0; r == 0 && i < p->n_arrived; i++)
		r = load_arrived(p->loading, p->arrived[i], e);
	return r;
}

static int note_arrived(struct pulling *p, const char *hex, struct error *e)
{
	if (p->loading)
		return load_arrived(p->loading, hex, e);
	if (p->n_arrived >= OCI_INDEX_MAX)
		return error_set(e, EPROTO, "the process that speaks with the registry talks nonsense");
	p->arrived = xrealloc(p->arrived, p->n_arrived + 1, sizeof(*p->arrived));
	memcpy(p->arrived[p->n_arrived++], hex, DIGEST_SIZE);
	return 0;
}

static int room_speaks(void *arg, struct error *e)
{
	struct pulling *p = arg;

	int r = load_hear(p->loading, e);

	if (r > 0)
		p->socket = -1;
	return r;
}

static int heard(void *arg, const struct fetch_message *m, struct error *e)
{
	struct pulling *p = arg;

	if (m->word == FETCH_SIGNATURE) {
		if (p->n_kept >= 2 * SIGNATURES_MAX)
			return error_set(e, EPROTO, "the process that speaks with the registry talks nonsense");
		p->kept = xrealloc(p->kept, p->n_kept + 1, sizeof(*p->kept));
		p->kept[p->n_kept++] = m->kept;
		return 0;
	}
	if (m->word == FETCH_READY)
		return begin_unpacking(p, p->fetching, e);
	if (m->word == FETCH_GOT)
		return note_arrived(p, m->top.hex, e);
	if (m->word == FETCH_WANT && p->req->again) {
		char got[DIGEST_SIZE];

		/* What is here and right stays here; nothing is fetched that need not be. */
		if (!hex_valid(m->top.hex, DIGEST_HEX))
			return error_set(e, EPROTO, "the process that speaks with the registry talks nonsense");
		if (file_digest(p->dirs.store_blobs, m->top.hex, got) == 0 && streq(got, m->top.hex))
			return 0;
		strv_add_copy(p->req->suspects, m->top.hex);
		partial_take(m->top.hex, m->top.size, p->blobs);
		return 1;
	}
	if (m->word == FETCH_WANT) {
		/* The lock of the store is held: what is here stays here. */
		if (faccessat(p->dirs.store_blobs, m->top.hex, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return 0;
		partial_take(m->top.hex, m->top.size, p->blobs);
		return 1;
	}
	if (p->top[0])
		return error_set(e, EPROTO, "the process that speaks with the registry says it twice");
	memcpy(p->top, m->top.hex, DIGEST_SIZE);
	memcpy(p->type, m->top.media_type, sizeof(p->type));
	p->size = m->top.size;
	memcpy(p->out->digest, p->top, DIGEST_SIZE);
	if (p->req->pinned && !streq(p->req->pinned, p->top))
		return refuse_moved(p, p->top, e);
	p->out->here = !p->req->again && is_here(p, p->top);
	return !p->out->here;
}

static int make_layout(struct pulling *p, struct error *e)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	_cleanup_free_ char *digest = xasprintf("sha256:%s", p->top), *text = NULL;
	_cleanup_json_ json_t *j = json_pack("{s:i,s:s,s:[{s:s,s:s,s:I}]}", "schemaVersion", 2, "mediaType", OCI_INDEX,
					     "manifests", "mediaType", p->type, "digest", digest, "size",
					     (json_int_t)p->size);
	int r;

	if (!j)
		return error_set(e, EPROTO, "the process that speaks with the registry talks nonsense");
	text = json_text(j);
	r = file_replace(p->dirs.members, "index.json", text, strlen(text), 0600, false);
	if (r == 0)
		r = file_replace(p->dirs.members, "oci-layout", layout, sizeof(layout) - 1, 0600, false);
	return r < 0 ? error_errno(e, r, "cannot write to the store") : 0;
}

static int end_unpacking(struct pulling *p, bool failed, struct error *e)
{
	struct loading *l = steal_ptr(&p->loading);
	int r;

	p->socket = -1;
	r = failed ? 0 : load_complete(l, e);
	if (r < 0)
		failed = true;
	if (failed) {
		load_end(l, true, NULL);
		return r;
	}
	r = load_end(l, false, e);
	if (r < 0)
		return r;
	if (p->result.n) {
		memcpy(p->out->id, p->result.images[0].id, DIGEST_SIZE);
		p->out->moved = p->result.images[0].moved;
	}
	load_result_free(&p->result);
	return 0;
}

/* A signature that cannot be had leaves the image as it is: without it nobody vouches, and that stops a start. The caller tells. */
static void unasked(void *arg, const char *text)
{
	struct pulling *p = arg;

	snprintf(p->out->unasked, sizeof(p->out->unasked), "%.500s", text);
}

static int without_signatures(struct pulling *p, struct error *e)
{
	unasked(p, e->text);
	*e = (struct error){ 0 };
	return 0;
}

/* What a signature of the index says of the manifest is only told by the index. It is small, and stays (see collect.c). */
static int keep_index(struct pulling *p, int blobs, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	char hex[DIGEST_SIZE];
	size_t n;
	int r;

	if (faccessat(p->dirs.store_blobs, p->top, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = file_read(blobs, p->top, OCI_DOCUMENT_MAX, &text, &n);
	if (r < 0)
		return r == -ENOENT ? 0 : error_errno(e, r, "the index of the image");
	hash_hex(text, n, hex);
	if (!streq(hex, p->top))
		return error_set(e, EBADMSG, "the index of the image is not what it was said to be");
	r = file_replace(p->dirs.store_blobs, hex, text, n, 0444, true);
	return r < 0 ? error_errno(e, r, "cannot keep the index of the image") : 0;
}

/* Signatures of the folders that registries.d names, which the process with the network cannot read. */
static int look_aside(struct pulling *p, const char *manifest, struct error *e)
{
	const struct reference *ref = p->req->ref;
	const char *folder = p->lookaside ? lookaside_folder(p->lookaside) : NULL;
	int r = folder ? signatures_add_lookaside(folder, ref->path, p->top, e) : 0;

	return r == 0 && folder && !streq(manifest, p->top) ? signatures_add_lookaside(folder, ref->path, manifest, e) : r;
}

static int keep_signatures(struct pulling *p, int blobs, struct error *e)
{
	_cleanup_free_ char *pulled = reference_pulled(p->req->ref, p->top);
	_cleanup_(index_free) struct index x = { 0 };
	const char *manifest = p->top;
	int r = index_read(&x, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < x.n; i++)
		if (streq(x.entries[i].pulled, pulled) && streq(x.entries[i].config, p->out->id))
			manifest = x.entries[i].manifest;
	r = keep_index(p, blobs, e);
	if (r < 0)
		return r;
	r = signatures_take(blobs, p->kept, p->n_kept, e);
	if (r == 0)
		r = look_aside(p, manifest, e);
	return r < 0 ? without_signatures(p, e) : 0;
}

static int fetch(struct pulling *p, struct fetch_request *r, struct error *e)
{
	struct registry_report report = p->req->report;
	_cleanup_close_ int blobs = -1;
	int err;

	report.unasked = unasked;
	report.unasked_arg = p;
	if (mkdirat(p->dirs.members, "blobs", 0700) < 0 || mkdirat(p->dirs.members, "blobs/sha256", 0700) < 0)
		return error_errno(e, errno, "cannot make a folder in the store");
	blobs = openat(p->dirs.members, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (blobs < 0)
		return error_errno(e, errno, "cannot open a folder in the store");
	p->blobs = blobs;
	p->socket = -1;
	report.also = &p->socket;
	report.also_ready = room_speaks;
	report.also_arg = p;
	report.socket = &p->fetching;
	err = registry_run(r, blobs, NULL, 0, &report, heard, p, e);
	if (p->out->here) {
		if (err < 0 && err != -EINTR)
			err = without_signatures(p, e);
		return err < 0 ? err : keep_signatures(p, blobs, e);
	}
	if (err == 0 && !p->loading)
		err = error_set(e, EPROTO, "the process that speaks with the registry forgot the manifest");
	if (err == 0)
		err = end_unpacking(p, false, e);
	else if (p->loading)
		end_unpacking(p, true, NULL);
	return err < 0 ? err : keep_signatures(p, blobs, e);
}

static int find_lookaside(struct pulling *p, struct fetch_request *r, struct error *e)
{
	_cleanup_(lookasides_free) struct lookasides all = { 0 };
	_cleanup_free_ char *name = reference_name(p->req->ref);
	_cleanup_free_ char *image = name ? steal_ptr(&name) : reference_pulled(p->req->ref, p->req->ref->digest);
	int err = lookasides_load(&all, e);

	if (err < 0)
		return err;
	p->lookaside = lookaside_url(&all, image, false);
	if (p->lookaside && !lookaside_folder(p->lookaside))
		r->lookaside = xstrdup(p->lookaside);
	return 0;
}

/* One place, with a folder of its own. */
static int pull_from(void *arg, struct fetch_request *r, struct error *e)
{
	struct pulling *p = arg;
	int err = staging_open(&p->dirs, e);

	if (err < 0)
		return err;
	*p->out = (struct pulled){ 0 };
	r->operation = FETCH_PULL;
	r->platform = xstrdup(p->req->platform);
	err = find_lookaside(p, r, e);
	if (err == 0)
		err = fetch(p, r, e);
	/* What broke off goes on the next time; what was wrong does not. */
	if (err == -EINTR || err == -EIO)
		partial_keep(p->dirs.staging);
	staging_close(&p->dirs);
	free(steal_ptr(&p->kept));
	free(steal_ptr(&p->arrived));
	free(steal_ptr(&p->name));
	free(steal_ptr(&p->pulled));
	free(steal_ptr(&p->lookaside));
	p->n_kept = p->n_arrived = 0;
	p->top[0] = 0;
	return err;
}

int image_pull(const struct pull_request *req, struct pulled *out, struct error *e)
{
	_cleanup_free_ char *name = reference_name(req->ref), *by_digest = reference_pulled(req->ref, req->ref->digest);
	struct pulling p = { .req = req, .out = out };
	struct error own = { 0 };
	_cleanup_close_ int lock = -1;
	int err;

	*out = (struct pulled){ 0 };
	load_tidy();
	lock = store_lock(false, true, e);
	if (lock < 0)
		return lock;
	err = registry_places(req->ref, req->conf, &req->report, pull_from, &p, &own);
	if (err < 0 && err != -EKEYREJECTED && !str_after(own.text, "cannot pull"))
		error_wrap(&own, "cannot pull %s", name ? name : by_digest);
	if (err < 0 && e)
		*e = own;
	return err;
}
