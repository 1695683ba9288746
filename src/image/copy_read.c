/* SPDX-License-Identifier: Apache-2.0 */
/* What a copy consists of, read by a process that has no network and can write nothing (law 3). */
#include "image/copy.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "image/hash.h"
#include "image/name.h"
#include "image/remote.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ITEMS_MAX = 20000, LAYOUT_INDEX_MAX = OCI_DOCUMENT_MAX };

static const char ref_name[] = "org.opencontainers.image.ref.name";

/* --- in the room ---------------------------------------------------------------------------------------------------- */

struct walking {
	const struct copy_reading *r;
	int socket;
	char (*told)[DIGEST_SIZE]; /* documents */
	size_t n_told;
};

static int tell(struct walking *w, const struct copy_item *i, struct error *e)
{
	int r = socket_send(w->socket, i, sizeof(*i), NULL, 0);

	return r < 0 ? error_errno(e, r, "to the process that copies") : 0;
}

static int tell_blob(struct walking *w, const json_t *d, const char *where, struct error *e)
{
	struct copy_item i = { 0 };
	struct oci_descriptor out;
	int r = oci_descriptor_read(d, where, &out, e);

	if (r < 0)
		return r;
	memcpy(i.hex, out.hex, DIGEST_SIZE);
	i.size = out.size;
	return tell(w, &i, e);
}

/* An image or any other artifact: its configuration and layers are bytes, whatever their type. */
static int walk_manifest(struct walking *w, const json_t *doc, struct error *e)
{
	json_t *config = NULL, *layers = NULL, *layer;
	size_t i;
	int r = json_get_obj(doc, "manifest", "config", &config, e);

	if (r == 0)
		r = json_get_arr(doc, "manifest", "layers", &layers, e);
	if (r == 0 && config)
		r = tell_blob(w, config, "manifest.config", e);
	json_array_foreach(layers, i, layer) {
		if (r < 0)
			return r;
		r = tell_blob(w, layer, "manifest.layers", e);
	}
	return r;
}

/* `said`: the type that its descriptor or its registry says it has; NULL: nobody said. Its kind, or negative. */
static int walk_document(struct walking *w, const char *hex, const char *said, struct copy_item *item, struct error *e);

static int walk_index(struct walking *w, const json_t *doc, struct error *e)
{
	_cleanup_(oci_index_free) struct oci_index x = { 0 };
	int r = oci_index_read(json_incref((json_t *)doc), &x, e);

	for (size_t i = 0; r >= 0 && i < x.n; i++) {
		struct copy_item inner = { 0 };

		r = walk_document(w, x.manifests[i].hex, x.manifests[i].media_type, &inner, e);
		if (r == KIND_INDEX)
			r = error_set(e, EBADMSG, "an index in an index");
		else if (r >= 0 && inner.size != x.manifests[i].size)
			r = error_set(e, EBADMSG, "the descriptor of sha256:%.12s has another size than it has", inner.hex);
	}
	return r < 0 ? r : 0;
}

/* Of an index, the one image that fits, when not all of it is wanted. */
static const struct oci_descriptor *chosen(struct walking *w, const struct oci_index *x)
{
	for (size_t i = 0; i < x->n; i++)
		if (!x->manifests[i].attestation && oci_platform_fits(&w->r->platform, x->manifests[i].os, x->manifests[i].architecture,
								      x->manifests[i].variant))
			return &x->manifests[i];
	return NULL;
}

static int walk_chosen(struct walking *w, const json_t *doc, struct copy_item *item, struct error *e)
{
	_cleanup_(oci_index_free) struct oci_index x = { 0 };
	int r = oci_index_read(json_incref((json_t *)doc), &x, e);
	const struct oci_descriptor *d = r < 0 ? NULL : chosen(w, &x);

	if (r < 0)
		return r;
	if (!d)
		return error_set(e, EBADMSG, "the index has no image for %s/%s", w->r->platform.os, w->r->platform.architecture);
	r = walk_document(w, d->hex, d->media_type, item, e);
	return r == KIND_INDEX ? error_set(e, EBADMSG, "an index in an index") : r;
}

static void name_artifact(const json_t *doc, struct copy_item *item)
{
	const char *type = json_string_value(json_object_get(doc, "artifactType"));
	const char *config = json_string_value(json_object_get(json_object_get(doc, "config"), "mediaType"));

	snprintf(item->artifact, sizeof(item->artifact), "%s", type ? type : config ? config : "");
}

static int walk_document(struct walking *w, const char *hex, const char *said, struct copy_item *item, struct error *e)
{
	_cleanup_json_ json_t *doc = NULL;
	const char *own;
	size_t n = 0;
	int kind, r = remote_read(w->r->documents, hex, &doc, NULL, &n, e);

	if (r < 0)
		return r;
	kind = oci_kind(doc, said, "manifest", e);
	if (kind < 0)
		return kind;
	if (item->top && kind == KIND_INDEX && !w->r->all)
		return walk_chosen(w, doc, item, e);
	r = kind == KIND_INDEX ? walk_index(w, doc, e) : walk_manifest(w, doc, e);
	if (r < 0)
		return r;
	w->told = xrealloc(w->told, w->n_told + 1, sizeof(*w->told));
	memcpy(w->told[w->n_told++], hex, DIGEST_SIZE);
	if (item->extra)
		name_artifact(doc, item);
	own = json_string_value(json_object_get(doc, "mediaType"));
	memcpy(item->hex, hex, DIGEST_SIZE);
	item->size = n;
	snprintf(item->media_type, sizeof(item->media_type), "%s", own ? own : said ? said : kind == KIND_INDEX ? OCI_INDEX : OCI_MANIFEST);
	r = tell(w, item, e);
	return r < 0 ? r : kind;
}

/* Entries that are no image of their own, as this file writes them: by a tag of cosign's, or nameless with the type of an artifact. */
static bool is_extra(const struct oci_index *x, size_t i)
{
	const json_t *d = json_array_get(json_object_get(x->json, "manifests"), i);
	const char *name = x->manifests[i].name;

	return name ? str_after(name, "sha256-") != NULL : json_object_get(d, "artifactType") != NULL;
}

/* What such an entry is about, in hex; NULL: nothing that one could know. */
static const char *subject_of(struct walking *w, const struct oci_descriptor *d, json_t **doc)
{
	const char *digest;

	if (d->name)
		return str_after(d->name, "sha256-");
	if (remote_read(w->r->documents, d->hex, doc, NULL, NULL, NULL) < 0)
		return NULL;
	digest = json_string_value(json_object_get(json_object_get(*doc, "subject"), "digest"));
	return digest ? digest_hex(digest) : NULL;
}

static int walk_extras_of_layout(struct walking *w, struct error *e)
{
	_cleanup_(oci_index_free) struct oci_index x = { 0 };
	json_t *index = json_read(w->r->layout, "index.json", LAYOUT_INDEX_MAX, e);
	size_t own = w->n_told;
	int r = index ? oci_index_read(index, &x, e) : e->code;

	for (size_t i = 0; r >= 0 && i < x.n; i++) {
		_cleanup_json_ json_t *doc = NULL;
		const char *subject = is_extra(&x, i) ? subject_of(w, &x.manifests[i], &doc) : NULL;
		struct copy_item extra = { .extra = true };

		for (size_t k = 0; r >= 0 && subject && k < own; k++) {
			if (strncmp(subject, w->told[k], DIGEST_HEX) != 0)
				continue;
			snprintf(extra.tag, sizeof(extra.tag), "%s", x.manifests[i].name ? x.manifests[i].name : "");
			r = walk_document(w, x.manifests[i].hex, x.manifests[i].media_type, &extra, e);
			subject = NULL;
		}
	}
	return r < 0 ? r : 0;
}

/* Which of a layout's images is meant. */
static int find_in_layout(const struct copy_reading *r, char hex[static DIGEST_SIZE], char type[static FETCH_MEDIA_TYPE], struct error *e)
{
	_cleanup_(oci_index_free) struct oci_index x = { 0 };
	json_t *doc = json_read(r->layout, "index.json", LAYOUT_INDEX_MAX, e);
	const struct oci_descriptor *found = NULL;
	size_t images = 0;
	int err = doc ? oci_index_read(doc, &x, e) : e->code;

	if (err < 0)
		return error_wrap(e, "the layout's index.json");
	for (size_t i = 0; i < x.n; i++) {
		if (r->tag ? !streq(x.manifests[i].name, r->tag) : is_extra(&x, i))
			continue;
		images++;
		found = &x.manifests[i];
	}
	if (images != 1)
		found = NULL;
	if (!found) {
		if (r->tag)
			error_set(e, ENOENT, "the layout has %s image \"%s\"", images ? "more than one" : "no", r->tag);
		else
			error_set(e, ENOENT, "the layout has %s", images ? "several images" : "no image");
		for (size_t i = 0; i < x.n && i < 20; i++)
			if (x.manifests[i].name)
				error_hint(e, "oci:DIR:%.100s", x.manifests[i].name);
		return -ENOENT;
	}
	memcpy(hex, found->hex, DIGEST_SIZE);
	snprintf(type, FETCH_MEDIA_TYPE, "%s", found->media_type);
	return 0;
}

static int walk(void *arg, int socket, struct error *e)
{
	const struct copy_reading *r = arg;
	struct walking w = { .r = r, .socket = socket };
	struct copy_item top = { .top = true };
	char hex[DIGEST_SIZE], type[FETCH_MEDIA_TYPE];
	int err = 0;

	memcpy(hex, r->top, sizeof(hex));
	memcpy(type, r->type, sizeof(type));
	if (r->layout >= 0)
		err = find_in_layout(r, hex, type, e);
	if (err == 0)
		err = walk_document(&w, hex, *type ? type : NULL, &top, e);
	for (size_t i = 0; err >= 0 && i < r->n_extras; i++) {
		struct copy_item extra = { .extra = true };

		memcpy(extra.tag, r->extras[i].tag, sizeof(extra.tag));
		err = walk_document(&w, r->extras[i].hex, NULL, &extra, e);
	}
	if (err >= 0 && r->layout >= 0 && r->referrers)
		err = walk_extras_of_layout(&w, e);
	return err < 0 ? err : 0;
}

/* --- outside -------------------------------------------------------------------------------------------------------- */

struct items {
	struct copy_item *all;
	size_t n;
	bool top;
};

static int take(void *arg, const void *message, size_t size, struct error *e)
{
	struct items *l = arg;
	struct copy_item i;

	if (size != sizeof(i))
		return error_set(e, EPROTO, "the process that reads talks nonsense");
	memcpy(&i, message, sizeof(i));
	i.media_type[sizeof(i.media_type) - 1] = i.tag[sizeof(i.tag) - 1] = i.artifact[sizeof(i.artifact) - 1] = 0;
	if (!hex_valid(i.hex, DIGEST_HEX) || (i.tag[0] && !tag_valid(i.tag)) || i.size > INT64_MAX || (i.top && l->top))
		return error_set(e, EPROTO, "the process that reads talks nonsense");
	/* A manifest that goes under a tag is sent for it, though it was sent by its digest already. */
	for (size_t k = 0; !i.tag[0] && !i.top && !i.extra && k < l->n; k++) {
		if (!streq(l->all[k].hex, i.hex))
			continue;
		return l->all[k].size == i.size ? 0 : error_set(e, EBADMSG, "two descriptors of sha256:%.12s differ", i.hex);
	}
	if (l->n >= ITEMS_MAX)
		return error_set(e, EFBIG, "more than %d parts", ITEMS_MAX);
	l->top |= i.top;
	l->all = xrealloc(l->all, l->n + 1, sizeof(*l->all));
	l->all[l->n++] = i;
	return 0;
}

int copy_read(const struct copy_reading *r, struct copy_item **items, size_t *n, struct error *e)
{
	const int dirs[] = { r->documents, r->layout };
	struct items list = { 0 };
	int err = remote_room_run(&(struct remote_room){ .dirs = dirs, .n_dirs = r->layout >= 0 ? 2 : 1, .fn = walk, .heard = take,
							 .arg = &list, .room_arg = (void *)r, .accept_no_landlock = r->accept_no_landlock }, e);

	if (err == 0 && !list.top)
		err = error_set(e, EPROTO, "the process that reads ended without a word");
	if (err < 0) {
		free(list.all);
		return err;
	}
	*items = list.all;
	*n = list.n;
	return 0;
}

/* --- the index of a layout ------------------------------------------------------------------------------------------ */

struct indexing {
	int layout, out;
	const struct copy_item *top;
	const char *tag;
};

static int make_index(void *arg, int socket, struct error *e)
{
	const struct indexing *x = arg;
	_cleanup_(oci_index_free) struct oci_index old = { 0 };
	_cleanup_json_ json_t *doc = NULL, *d = NULL;
	_cleanup_free_ char *digest = xasprintf("sha256:%s", x->top->hex), *text = NULL;
	json_t *list;
	int r = 0;

	(void)socket;
	if (faccessat(x->layout, "index.json", F_OK, 0) == 0) {
		doc = json_read(x->layout, "index.json", LAYOUT_INDEX_MAX, e);
		r = doc ? oci_index_read(json_incref(doc), &old, e) : e->code;
	} else {
		doc = json_pack("{s:i,s:s,s:[]}", "schemaVersion", 2, "mediaType", OCI_INDEX, "manifests");
	}
	if (r < 0)
		return error_wrap(e, "the index.json that is there");
	list = json_object_get(doc, "manifests");
	for (size_t i = old.n; i-- > 0;)
		if (x->tag ? streq(old.manifests[i].name, x->tag) : !old.manifests[i].name && streq(old.manifests[i].hex, x->top->hex))
			json_array_remove(list, i);
	d = json_pack("{s:s,s:s,s:I}", "mediaType", x->top->media_type, "digest", digest, "size", (json_int_t)x->top->size);
	if (x->top->extra && x->top->artifact[0])
		json_object_set_new(d, "artifactType", json_string(x->top->artifact));
	if (x->tag)
		json_object_set_new(d, "annotations", json_pack("{s:s}", ref_name, x->tag));
	json_array_append(list, d);
	text = json_text(doc);
	r = fd_write_all(x->out, text, strlen(text));
	return r < 0 ? error_errno(e, r, "cannot write the index") : 0;
}

int copy_index(int layout, const struct copy_item *top, const char *tag, bool accept_no_landlock, char **text, size_t *n, struct error *e)
{
	_cleanup_close_ int out = memfd_create("index", MFD_CLOEXEC);
	struct indexing x = { .layout = layout, .out = out, .top = top, .tag = tag };
	int r;

	if (out < 0)
		return error_errno(e, errno, "memfd_create");
	r = remote_room_run(&(struct remote_room){ .dirs = &layout, .n_dirs = 1, .fn = make_index, .room_arg = &x,
						   .accept_no_landlock = accept_no_landlock }, e);
	if (r < 0)
		return r;
	if (lseek(out, 0, SEEK_SET) < 0)
		return error_errno(e, errno, "the index");
	r = fd_read_all(out, LAYOUT_INDEX_MAX, text, n);
	return r < 0 ? error_errno(e, r, "the index") : 0;
}
