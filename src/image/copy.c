/* SPDX-License-Identifier: Apache-2.0 */
#include "image/copy.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "image/hash.h"
#include "image/name.h"
#include "image/proof.h"
#include "image/publish.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BATCH = 64 /* blobs that lie on this machine at once */, EXTRAS_MAX = 4096 };

struct copying {
	const struct copy_request *q;
	struct copied *out;
	struct staging_dirs dirs;
	int documents;		/* where manifests lie: what was fetched, or the layout's blobs; borrowed */
	int from, from_blobs;	/* a layout that is read */
	int to, to_blobs;	/* a layout that is written */
	bool made;		/* it was not there before */
	char top[DIGEST_SIZE], type[FETCH_MEDIA_TYPE];
	struct copy_extra *extras;
	size_t n_extras;
	struct copy_item *items;
	bool *missing;		/* of items */
	size_t n;
	uint64_t done, total;
};

/* --- what is copied from and to --------------------------------------------------------------------------------------- */

void copy_end_free(struct copy_end *c)
{
	reference_free(&c->ref);
	free(c->folder);
	free(c->tag);
	*c = (struct copy_end){ 0 };
}

int copy_end_parse(const char *s, struct copy_end *out, struct error *e)
{
	const char *layout = str_after(s, "oci:"), *name = str_after(s, "docker://"), *colon;

	*out = (struct copy_end){ 0 };
	if (!layout)
		return reference_parse(name ? name : s, &out->ref, e);
	colon = strrchr(layout, ':');
	if (colon && strchr(colon, '/'))
		colon = NULL;
	out->folder = colon ? xstrndup(layout, (size_t)(colon - layout)) : xstrdup(layout);
	out->tag = colon ? xstrdup(colon + 1) : NULL;
	if (*out->folder && (!colon || colon[1]))
		return 0;
	copy_end_free(out);
	return error_set(e, EINVAL, "\"%.200s\": not oci:DIR or oci:DIR:TAG", s);
}

static bool no_landlock(const struct copying *c)
{
	return strv_has(c->q->conf->accept_lowered, "landlock");
}

static void progress(void *arg, uint64_t done, uint64_t total)
{
	const struct copying *c = arg;

	(void)total;
	if (c->q->report.progress)
		c->q->report.progress(c->q->report.arg, c->done + done, c->total);
}

static int run(struct copying *c, const struct fetch_request *r, int folder, const int *fds, size_t n, registry_heard heard, struct error *e)
{
	struct registry_report report = { .progress = progress, .arg = c };

	return registry_run(r, folder, fds, n, &report, heard, c, e);
}

/* --- the source ------------------------------------------------------------------------------------------------------- */

static int heard_documents(void *arg, const struct fetch_message *m, struct error *e)
{
	struct copying *c = arg;

	if (m->word == FETCH_TOP && !c->top[0]) {
		memcpy(c->top, m->top.hex, DIGEST_SIZE);
		memcpy(c->type, m->top.media_type, sizeof(c->type));
		return 1;
	}
	if (m->word != FETCH_EXTRA || c->n_extras >= EXTRAS_MAX)
		return error_set(e, EPROTO, "the process that speaks with the registry talks nonsense");
	c->extras = xrealloc(c->extras, c->n_extras + 1, sizeof(*c->extras));
	memcpy(c->extras[c->n_extras].hex, m->extra.hex, DIGEST_SIZE);
	memcpy(c->extras[c->n_extras++].tag, m->extra.tag, sizeof(m->extra.tag));
	return 0;
}

static int documents_from(void *arg, struct fetch_request *r, struct error *e)
{
	struct copying *c = arg;
	int err;

	/* What an earlier place said of it counts no more; its documents are named by their digests. */
	c->top[0] = 0;
	c->n_extras = 0;
	r->operation = FETCH_DOCUMENTS;
	r->platform = xstrdup(c->q->platform);
	r->all = c->q->all;
	r->referrers = c->q->referrers;
	err = run(c, r, c->dirs.members, NULL, 0, heard_documents, e);
	return err == 0 && !c->top[0] ? error_set(e, EPROTO, "the process that speaks with the registry forgot the manifest") : err;
}

static int fetch_documents(struct copying *c, struct error *e)
{
	c->documents = c->dirs.members;
	return registry_places(&c->q->from->ref, c->q->conf, &c->q->report, documents_from, c, e);
}

static int open_layout(const char *path, int *layout, int *blobs, struct error *e)
{
	*layout = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*layout < 0)
		return error_errno(e, errno, "cannot open %s", path);
	*blobs = openat(*layout, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return *blobs < 0 ? error_errno(e, errno, "%s is no OCI layout: blobs/sha256", path) : 0;
}

static int read_source(struct copying *c, struct error *e)
{
	struct copy_reading r = { .layout = -1, .all = c->q->all, .referrers = c->q->referrers, .accept_no_landlock = no_landlock(c) };
	int err = oci_platform_parse(c->q->platform, &r.platform, e);

	if (err == 0 && c->q->from->folder) {
		err = open_layout(c->q->from->folder, &c->from, &c->from_blobs, e);
		c->documents = c->from_blobs;
		r.layout = c->from;
		r.tag = c->q->from->tag;
	} else if (err == 0) {
		err = fetch_documents(c, e);
	}
	if (err < 0)
		return err;
	r.documents = c->documents;
	memcpy(r.top, c->top, sizeof(r.top));
	memcpy(r.type, c->type, sizeof(r.type));
	r.extras = c->extras;
	r.n_extras = c->n_extras;
	err = copy_read(&r, &c->items, &c->n, e);
	c->missing = xcalloc(c->n + 1, sizeof(*c->missing));
	return err;
}

static bool is_blob(const struct copy_item *i)
{
	return !i->media_type[0];
}

/* --- what the destination lacks --------------------------------------------------------------------------------------- */

static void add_blob(struct fetch_request *r, const struct copy_item *i)
{
	struct fetch_blob *b;

	r->blobs = xrealloc(r->blobs, r->n_blobs + 1, sizeof(*r->blobs));
	b = &r->blobs[r->n_blobs++];
	*b = (struct fetch_blob){ .size = i->size };
	memcpy(b->hex, i->hex, DIGEST_SIZE);
}

static int heard_missing(void *arg, const struct fetch_message *m, struct error *e)
{
	struct copying *c = arg;

	if (m->word != FETCH_WANT)
		return error_set(e, EPROTO, "the process that speaks with the registry talks nonsense");
	for (size_t i = 0; i < c->n; i++)
		c->missing[i] |= is_blob(&c->items[i]) && streq(c->items[i].hex, m->top.hex);
	return 0;
}

static int prepare_destination(const struct copying *c, struct fetch_request *r, struct error *e)
{
	const struct reference *from = &c->q->from->ref, *to = &c->q->to->ref;
	int err = registry_prepare(to, c->q->conf, r, e);

	if (err == 0 && !c->q->from->folder && streq(from->host, to->host) && !streq(from->path, to->path))
		r->from = xstrdup(from->path);
	return err;
}

static int ask_destination(struct copying *c, struct error *e)
{
	_cleanup_(fetch_request_free) struct fetch_request r = { 0 };
	int err = prepare_destination(c, &r, e);

	if (err < 0)
		return err;
	r.operation = FETCH_MISSING;
	for (size_t i = 0; i < c->n; i++)
		if (is_blob(&c->items[i]))
			add_blob(&r, &c->items[i]);
	return run(c, &r, -1, NULL, 0, heard_missing, e);
}

static int make_layout(struct copying *c, struct error *e)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	const char *path = c->q->to->folder;
	int r;

	if (mkdir(path, 0755) == 0)
		c->made = true;
	else if (errno != EEXIST)
		return error_errno(e, errno, "cannot make %s", path);
	c->to = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->to < 0)
		return error_errno(e, errno, "cannot open %s", path);
	if (!c->made && faccessat(c->to, "oci-layout", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set(e, EEXIST, "%s exists and is no OCI layout", path);
	if ((mkdirat(c->to, "blobs", 0755) < 0 && errno != EEXIST) || (mkdirat(c->to, "blobs/sha256", 0755) < 0 && errno != EEXIST))
		return error_errno(e, errno, "cannot make %s/blobs/sha256", path);
	r = c->made ? file_replace(c->to, "oci-layout", layout, sizeof(layout) - 1, 0644, false) : 0;
	if (r < 0)
		return error_errno(e, r, "cannot write to %s", path);
	c->to_blobs = openat(c->to, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return c->to_blobs < 0 ? error_errno(e, errno, "%s/blobs/sha256", path) : 0;
}

/* What lies in a layout under a digest is there only if it has it. */
static int look_in_layout(struct copying *c, struct error *e)
{
	int r = make_layout(c, e);

	for (size_t i = 0; r == 0 && i < c->n; i++) {
		char got[DIGEST_SIZE];

		c->missing[i] = file_digest(c->to_blobs, c->items[i].hex, got) < 0 || !streq(got, c->items[i].hex);
	}
	return r;
}

/* --- the bytes -------------------------------------------------------------------------------------------------------- */

static int want(void *arg, const struct fetch_message *m, struct error *e)
{
	(void)arg;
	if (m->word == FETCH_READY || m->word == FETCH_GOT)
		return 0;
	return m->word == FETCH_WANT ? 1 : error_set(e, EPROTO, "the process that speaks with the registry talks nonsense");
}

struct batch {
	struct copying *c;
	const struct fetch_request *list;
};

static int batch_from(void *arg, struct fetch_request *r, struct error *e)
{
	const struct batch *b = arg;

	r->operation = FETCH_SOME;
	r->blobs = xcalloc(b->list->n_blobs + 1, sizeof(*r->blobs));
	for (; r->n_blobs < b->list->n_blobs; r->n_blobs++) {
		memcpy(r->blobs[r->n_blobs].hex, b->list->blobs[r->n_blobs].hex, DIGEST_SIZE);
		r->blobs[r->n_blobs].size = b->list->blobs[r->n_blobs].size;
	}
	return run(b->c, r, b->c->dirs.blobs, NULL, 0, want, e);
}

static int fetch_batch(struct copying *c, const struct fetch_request *list, struct error *e)
{
	struct batch b = { .c = c, .list = list };
	int err = registry_places(&c->q->from->ref, c->q->conf, &c->q->report, batch_from, &b, e);

	for (size_t i = 0; i < list->n_blobs; i++)
		c->done += list->blobs[i].size;
	return err;
}

/* Into a layout: under another name first, so that what has a digest for a name is whole. */
static int put_file(struct copying *c, int from, const struct fetch_blob *b, struct error *e)
{
	_cleanup_free_ char *tmp = xasprintf(".tmp-%d-%.16s", getpid(), b->hex);
	_cleanup_close_ int in = openat(from, b->hex, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), out = -1;
	char got[DIGEST_SIZE];
	int r = 0;

	if (in < 0)
		return error_errno(e, errno, "blob sha256:%.12s", b->hex);
	out = openat(c->to_blobs, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (out < 0)
		return error_errno(e, errno, "cannot write to %s", c->q->to->folder);
	r = hash_copy(in, out, b->size, got);
	if (r < 0)
		error_errno(e, r, "cannot copy blob sha256:%.12s", b->hex);
	else if (!streq(got, b->hex))
		r = error_set(e, EBADMSG, "blob sha256:%s has the digest sha256:%s", b->hex, got);
	else if (renameat(c->to_blobs, tmp, c->to_blobs, b->hex) < 0)
		r = error_errno(e, errno, "cannot write to %s", c->q->to->folder);
	if (r < 0)
		unlinkat(c->to_blobs, tmp, 0);
	return r;
}

static int send_batch(struct copying *c, struct fetch_request *r, const int *from, struct error *e)
{
	_cleanup_free_ int *fds = xcalloc(r->n_blobs + 1, sizeof(int));
	size_t n = 0;
	int err = 0;

	if (c->to >= 0) {
		for (size_t i = 0; err == 0 && i < r->n_blobs; i++)
			err = put_file(c, from[i], &r->blobs[i], e);
		return err;
	}
	for (; err == 0 && n < r->n_blobs; n++) {
		struct stat st;

		fds[n] = openat(from[n], r->blobs[n].hex, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fds[n] < 0)
			err = error_errno(e, errno, "blob sha256:%.12s", r->blobs[n].hex);
		else if (fstat(fds[n], &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != r->blobs[n].size)
			err = error_set(e, EBADMSG, "blob sha256:%.12s has not the size that it should have", r->blobs[n].hex);
	}
	r->operation = FETCH_PUSH;
	if (err == 0)
		err = run(c, r, -1, fds, n, NULL, e);
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return err;
}

/* A request to send, with its parts from a copy's items. */
static int begin_batch(const struct copying *c, struct fetch_request *r, struct error *e)
{
	return c->to >= 0 ? 0 : prepare_destination(c, r, e);
}

static int copy_batch(struct copying *c, size_t *next, struct error *e)
{
	_cleanup_(fetch_request_free) struct fetch_request r = { 0 };
	int from[BATCH], err = begin_batch(c, &r, e);
	uint64_t bytes = 0;

	for (; err == 0 && *next < c->n && r.n_blobs < BATCH; ++*next) {
		if (!is_blob(&c->items[*next]) || !c->missing[*next])
			continue;
		from[r.n_blobs] = c->from >= 0 ? c->from_blobs : c->dirs.blobs;
		add_blob(&r, &c->items[*next]);
		bytes += c->items[*next].size;
	}
	if (err < 0 || r.n_blobs == 0)
		return err;
	if (c->from < 0)
		err = fetch_batch(c, &r, e);
	if (err == 0)
		err = send_batch(c, &r, from, e);
	c->done += bytes;
	for (size_t i = 0; c->from < 0 && i < r.n_blobs; i++)
		unlinkat(c->dirs.blobs, r.blobs[i].hex, 0);
	return err;
}

/* In their order, all but the name: until that comes the destination means what it meant. */
static int send_documents(struct copying *c, struct error *e)
{
	for (size_t i = 0; i < c->n; i++) {
		_cleanup_(fetch_request_free) struct fetch_request r = { 0 };
		const struct copy_item *item = &c->items[i];
		int err;

		if (is_blob(item) || (c->to >= 0 ? !c->missing[i] : item->top))
			continue;
		err = begin_batch(c, &r, e);
		if (err < 0)
			return err;
		add_blob(&r, item);
		r.blobs[0].media_type = xstrdup(item->media_type);
		r.blobs[0].tag = item->tag[0] ? xstrdup(item->tag) : NULL;
		err = send_batch(c, &r, &c->documents, e);
		if (err < 0)
			return err;
	}
	return 0;
}

static const struct copy_item *top_of(const struct copying *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->items[i].top)
			return &c->items[i];
	return NULL;
}

static int name_at_registry(struct copying *c, const struct copy_item *top, struct error *e)
{
	_cleanup_(fetch_request_free) struct fetch_request r = { 0 };
	int err = prepare_destination(c, &r, e);

	if (err < 0)
		return err;
	add_blob(&r, top);
	r.blobs[0].media_type = xstrdup(top->media_type);
	r.blobs[0].tag = xstrdup(c->q->to->ref.tag);
	return send_batch(c, &r, &c->documents, e);
}

static int add_to_index(struct copying *c, const struct copy_item *i, const char *tag, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r = copy_index(c->to, i, tag, no_landlock(c), &text, &n, e);

	if (r < 0)
		return r;
	r = file_replace(c->to, "index.json", text, n, 0644, true);
	return r < 0 ? error_errno(e, r, "cannot write to %s", c->q->to->folder) : 0;
}

static int name_in_layout(struct copying *c, const struct copy_item *top, struct error *e)
{
	int r = syncfs(c->to_blobs) < 0 ? error_errno(e, errno, "cannot write to %s", c->q->to->folder) : 0;

	for (size_t i = 0; r == 0 && i < c->n; i++)
		if (c->items[i].extra)
			r = add_to_index(c, &c->items[i], c->items[i].tag[0] ? c->items[i].tag : NULL, e);
	return r == 0 ? add_to_index(c, top, c->q->to->tag, e) : r;
}

static int copy(struct copying *c, struct error *e)
{
	const struct copy_item *top;
	int r = read_source(c, e);

	if (r == 0)
		r = c->q->to->folder ? look_in_layout(c, e) : ask_destination(c, e);
	if (r < 0)
		return r;
	top = top_of(c);
	memcpy(c->out->digest, top->hex, DIGEST_SIZE);
	for (size_t i = 0; i < c->n; i++) {
		c->out->extras += c->items[i].extra;
		c->out->blobs += is_blob(&c->items[i]);
		c->out->sent += is_blob(&c->items[i]) && c->missing[i];
		if (is_blob(&c->items[i]) && c->missing[i])
			c->total += c->items[i].size * (c->from < 0 && c->to < 0 ? 2 : 1);
	}
	for (size_t i = 0; r == 0 && i < c->n;)
		r = copy_batch(c, &i, e);
	if (r == 0)
		r = send_documents(c, e);
	if (r == 0)
		r = c->to >= 0 ? name_in_layout(c, top, e) : name_at_registry(c, top, e);
	return r;
}

int image_copy(const struct copy_request *q, struct copied *out, struct error *e)
{
	struct copying c = { .q = q, .out = out, .documents = -1, .from = -1, .from_blobs = -1, .to = -1, .to_blobs = -1 };
	int r = staging_open(&c.dirs, e);

	*out = (struct copied){ 0 };
	if (r < 0)
		return r;
	r = copy(&c, e);
	staging_close(&c.dirs);
	cleanup_close(&c.from);
	cleanup_close(&c.from_blobs);
	cleanup_close(&c.to);
	cleanup_close(&c.to_blobs);
	if (r < 0 && c.made)
		path_remove_tree(AT_FDCWD, q->to->folder);
	free(c.extras);
	free(c.items);
	free(c.missing);
	return r < 0 ? error_wrap(e, "cannot copy") : 0;
}
