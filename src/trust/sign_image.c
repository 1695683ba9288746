/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing an image that a registry has. Three steps: ask the registry for the manifest and the signatures that are there; in a room of its
 * own, without the key, put the new one to them; send it. The process that has the key parses nothing that the registry said. Attestations
 * that are kept here go the same way, without a key.
 */
#include "trust/sign.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "image/index.h"
#include "image/name.h"
#include "image/oci.h"
#include "image/publish.h"
#include "image/room.h"
#include "image/signatures.h"
#include "trust/sigstore.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROOM_MEMORY = 512 * 1024 * 1024, MADE_MAX = 8 * 1024 * 1024, OLD_MAX = 128 };

struct signing {
	const struct sign_request *q;
	struct staging_dirs dirs;
	char manifest[DIGEST_SIZE], top[DIGEST_SIZE]; /* of the image that is here; `top` empty: no index is known */
	struct sign_subjects all;
	const struct sign_subject *subject; /* the one that is being signed */
	char ***digests;		    /* of those that were */
	struct signature_kept kept[2 * SIGNATURES_MAX];
	size_t n_kept;
	bool answered;
	struct error *incomplete; /* what the network's side could not fetch */
	char *payload;
	bool refers; /* it is a referrer, not a tag's */
	struct buf sig, config, made;
	bool attestations;
	int here;		       /* DATA/signatures of the image, for attestations */
	char (*parts)[DIGEST_SIZE];    /* of the manifest that was made: what is kept here */
	size_t n_parts, n_layers;
};

/* --- what is there ------------------------------------------------------------------------------------------------ */

static int heard(void *arg, const struct fetch_message *m, struct error *e)
{
	struct signing *s = arg;

	if (m->word == FETCH_TOP) {
		if (s->answered || !streq(m->top.hex, s->subject->hex))
			return error_set(e, EPROTO, "the registry answers with another manifest than it was asked for");
		s->answered = true;
		return 0; /* its signatures alone */
	}
	if (m->word != FETCH_SIGNATURE)
		return error_set(e, EPROTO, "the process that speaks with the registry talks nonsense");
	if (s->n_kept >= ARRAY_SIZE(s->kept))
		return error_set(e, EFBIG, "the registry has too many signatures");
	s->kept[s->n_kept++] = m->kept;
	return 0;
}

/* What is not known of would be lost when the tag moves on. */
static void unasked(void *arg, const char *text)
{
	struct signing *s = arg;

	if (!s->incomplete->code)
		error_set(s->incomplete, EIO, "%s", text);
}

static int ask(struct signing *s, struct error *e)
{
	_cleanup_(fetch_request_free) struct fetch_request r = { 0 };
	struct registry_report report = { .unasked = unasked, .unasked_arg = s };
	struct error incomplete = { 0 };
	int err = registry_prepare(s->q->to, s->q->conf, &r, e);

	if (err < 0)
		return err;
	s->incomplete = &incomplete;
	r.operation = FETCH_PULL;
	free(r.reference);
	r.reference = xasprintf("sha256:%s", s->subject->hex);
	if (s->all.platform[0]) {
		free(r.platform);
		r.platform = xstrdup(s->all.platform);
	}
	err = registry_run(&r, s->dirs.blobs, NULL, 0, &report, heard, s, e);
	if (err == 0 && incomplete.code) {
		*e = incomplete;
		err = e->code;
	}
	if (err < 0) {
		error_wrap(e, "cannot ask the registry for the image and its signatures");
		error_hint(e, "an image is signed where it is: brig push comes first");
	}
	return err;
}

/* --- the room ----------------------------------------------------------------------------------------------------- */

struct made_head {
	uint64_t config, manifest; /* bytes; both follow, and then the parts */
	uint64_t parts, layers;
	struct error error;
};

struct dated {
	char name[SIGNATURE_NAME];
	struct timespec at;
};

static int by_age(const void *a_, const void *b_)
{
	const struct dated *a = a_, *b = b_;

	if (a->at.tv_sec != b->at.tv_sec)
		return a->at.tv_sec < b->at.tv_sec ? -1 : 1;
	if (a->at.tv_nsec != b->at.tv_nsec)
		return a->at.tv_nsec < b->at.tv_nsec ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* What is kept here comes behind what is there, the oldest first. */
static void read_here(struct signing *s, struct sign_document *old, size_t *n)
{
	int copy = openat(s->here, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = copy < 0 ? NULL : fdopendir(copy);
	_cleanup_free_ struct dated *list = xcalloc(SIGNATURES_MAX, sizeof(*list));
	size_t n_list = 0;
	struct dirent *de;

	while (d && (de = readdir(d)) && n_list < SIGNATURES_MAX) {
		enum signature_file kind;
		char hex[DIGEST_SIZE];
		struct stat st;

		if (signature_name_parse(de->d_name, &kind, hex) < 0 || kind != SIGNATURE_MANIFEST ||
		    fstatat(s->here, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		signature_name(kind, hex, list[n_list].name);
		list[n_list++].at = st.st_mtim;
	}
	qsort(list, n_list, sizeof(*list), by_age);
	for (size_t i = 0; i < n_list && *n < OLD_MAX; i++)
		if (file_read(s->here, list[i].name, SIGNATURE_MAX, &old[*n].text, &old[*n].n) == 0)
			(*n)++;
}

static int read_old(struct signing *s, struct sign_document *old, size_t *n, struct error *e)
{
	char name[SIGNATURE_NAME];

	for (size_t i = 0; i < s->n_kept && *n < OLD_MAX; i++) {
		struct sign_document *d = &old[*n];
		char hex[65];
		int r;

		if (s->kept[i].kind != SIGNATURE_MANIFEST)
			continue;
		signature_name(SIGNATURE_MANIFEST, s->kept[i].hex, name);
		r = file_read(s->dirs.blobs, name, SIGNATURE_MAX, &d->text, &d->n);
		if (r < 0)
			return error_errno(e, r, "a signature that was fetched");
		sha256_hex(d->text, d->n, hex);
		if (!streq(hex, s->kept[i].hex))
			return error_set(e, EBADMSG, "a signature that was fetched has changed");
		(*n)++;
	}
	return 0;
}

static int take_parts(struct signing *s)
{
	_cleanup_json_ json_t *m = json_loadb(s->made.data, s->made.len, 0, NULL);
	json_t *l;
	size_t i;

	s->n_layers = json_array_size(json_object_get(m, "layers"));
	s->parts = xcalloc(s->n_layers + 1, sizeof(*s->parts));
	json_array_foreach(json_object_get(m, "layers"), i, l) {
		const char *digest = json_string_value(json_object_get(l, "digest")), *hex = digest ? digest_hex(digest) : NULL;
		char name[SIGNATURE_NAME];

		if (!hex)
			continue;
		signature_name(SIGNATURE_PART, hex, name);
		if (faccessat(s->here, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			memcpy(s->parts[s->n_parts++], hex, DIGEST_SIZE);
	}
	return 0;
}

static int merge(struct signing *s, const struct sign_document *old, size_t n, struct error *e)
{
	int r;

	if (!s->attestations)
		return sign_manifest(old, n, s->payload, &s->sig, &s->config, &s->made, e);
	r = attest_manifest(old, n, NULL, NULL, &s->config, &s->made, e);
	return r < 0 ? r : take_parts(s);
}

static void __attribute__((noreturn)) live(struct signing *s, int out)
{
	const int dirs[] = { s->dirs.blobs, s->here };
	struct room room = { .read_dirs = dirs, .n_read = s->attestations ? 2 : 1, .memory = ROOM_MEMORY,
			     .accept_no_landlock = strv_has(s->q->conf->accept_lowered, "landlock") };
	struct sign_document old[OLD_MAX] = { { NULL, 0 } };
	struct made_head head = { 0 };
	sigset_t none;
	size_t n = 0;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	r = room_enter(&room, &head.error);
	if (r == 0)
		r = read_old(s, old, &n, &head.error);
	if (r == 0 && s->attestations)
		read_here(s, old, &n);
	if (r == 0)
		r = merge(s, old, n, &head.error);
	if (r == 0) {
		head.config = s->config.len;
		head.manifest = s->made.len;
		head.parts = s->n_parts;
		head.layers = s->n_layers;
	}
	r = fd_write_all(out, &head, sizeof(head));
	if (r == 0 && head.manifest > 0) {
		r = fd_write_all(out, s->config.data, s->config.len);
		if (r == 0)
			r = fd_write_all(out, s->made.data, s->made.len);
		if (r == 0 && s->n_parts > 0)
			r = fd_write_all(out, s->parts, s->n_parts * sizeof(*s->parts));
	}
	_exit(r == 0 ? 0 : 1);
}

static int take_made(struct signing *s, int from, struct error *e)
{
	_cleanup_free_ char *all = NULL;
	struct made_head head;
	size_t n;
	int r = fd_read_all(from, MADE_MAX, &all, &n);

	if (r < 0)
		return error_errno(e, r, "the process that reads signatures");
	if (n < sizeof(head))
		return error_set(e, EIO, "the process that reads signatures ended without a word");
	memcpy(&head, all, sizeof(head));
	head.error.text[ERROR_TEXT_MAX - 1] = 0;
	if (head.error.code) {
		if (head.error.hint >= ERROR_TEXT_MAX)
			head.error.hint = 0;
		*e = head.error;
		return e->code < 0 ? e->code : -EPROTO;
	}
	if (head.config == 0 || head.manifest == 0 || head.config > MADE_MAX || head.manifest > MADE_MAX ||
	    head.parts > SIGNATURES_IN_ONE || sizeof(head) + head.config + head.manifest + head.parts * sizeof(*s->parts) != n)
		return error_set(e, EPROTO, "the process that reads signatures talks nonsense");
	buf_add(&s->config, all + sizeof(head), head.config);
	buf_add(&s->made, all + sizeof(head) + head.config, head.manifest);
	s->parts = xcalloc(head.parts + 1, sizeof(*s->parts));
	memcpy(s->parts, all + sizeof(head) + head.config + head.manifest, head.parts * sizeof(*s->parts));
	s->n_parts = head.parts;
	s->n_layers = head.layers;
	for (size_t i = 0; i < s->n_parts; i++)
		if (s->parts[i][DIGEST_SIZE - 1] || !hex_valid(s->parts[i], 64))
			return error_set(e, EPROTO, "the process that reads signatures talks nonsense");
	return 0;
}

static int make(struct signing *s, struct error *e)
{
	_cleanup_close_ int from = -1, to = -1;
	int ends[2], r;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe");
	from = ends[0];
	to = ends[1];
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		live(s, to);
	if (pid < 0)
		return error_errno(e, errno, "fork");
	cleanup_close(&to);
	r = take_made(s, from, e);
	proc_wait(pid);
	return r;
}

/* --- out with it -------------------------------------------------------------------------------------------------- */

static int add_blob(struct fetch_request *r, int *fds, const void *data, size_t n, struct error *e)
{
	struct fetch_blob *b = &r->blobs[r->n_blobs];

	sha256_hex(data, n, b->hex);
	b->size = n;
	fds[r->n_blobs] = memfd_sealed("signature", data, n);
	if (fds[r->n_blobs] < 0)
		return error_errno(e, fds[r->n_blobs], "memfd_create");
	r->n_blobs++;
	return 0;
}

/* A file that is kept here; whoever sends it hashes it. */
static int add_part(struct signing *s, size_t i, struct fetch_request *r, int *fds, struct error *e)
{
	char name[SIGNATURE_NAME];
	struct stat st;
	int fd;

	signature_name(SIGNATURE_PART, s->parts[i], name);
	fd = openat(s->here, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0)
		return error_errno(e, errno, "an attestation that is kept here");
	fds[r->n_blobs] = fd;
	memcpy(r->blobs[r->n_blobs].hex, s->parts[i], DIGEST_SIZE);
	r->n_blobs++;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > SIGNATURE_MAX)
		return error_set(e, EBADMSG, "an attestation that is kept here is no file, or too big");
	r->blobs[r->n_blobs - 1].size = (uint64_t)st.st_size;
	return 0;
}

static int send(struct signing *s, struct error *e)
{
	_cleanup_(fetch_request_free) struct fetch_request r = { 0 };
	int fds[SIGNATURES_IN_ONE + 3], err = registry_prepare(s->q->to, s->q->conf, &r, e);

	if (err < 0)
		return err;
	r.operation = FETCH_PUSH;
	free(r.reference);
	r.blobs = xcalloc(ARRAY_SIZE(fds), sizeof(*r.blobs));
	if (s->payload)
		err = add_blob(&r, fds, s->payload, strlen(s->payload), e);
	for (size_t i = 0; err == 0 && i < s->n_parts; i++)
		err = add_part(s, i, &r, fds, e);
	if (err == 0)
		err = add_blob(&r, fds, s->config.data, s->config.len, e);
	if (err == 0)
		err = add_blob(&r, fds, s->made.data, s->made.len, e);
	if (err == 0) {
		struct fetch_blob *last = &r.blobs[r.n_blobs - 1];

		/* A referrer goes by its digest: the registry, or who pushes it, enters it into the list of its subject. */
		last->media_type = xstrdup(OCI_MANIFEST);
		last->tag = s->refers ? NULL : xasprintf("sha256-%s.%s", s->subject->hex, s->attestations ? "att" : "sig");
		r.reference = s->refers ? xasprintf("sha256:%s", last->hex) : xstrdup(last->tag);
	}
	if (err == 0)
		err = registry_run(&r, -1, fds, r.n_blobs, &s->q->report, NULL, NULL, e);
	for (size_t i = 0; i < r.n_blobs; i++)
		close(fds[i]);
	return err;
}

/* This machine need not ask the registry for what it signed itself. */
static int keep(struct signing *s, struct error *e)
{
	const char *hex = s->subject->hex;
	int r;

	if (!streq(hex, s->manifest) && !streq(hex, s->top))
		return 0;
	r = signatures_take(s->dirs.blobs, s->kept, s->n_kept, e);
	if (r == 0)
		r = signatures_add(hex, SIGNATURE_PART, s->payload, strlen(s->payload), e);
	return r < 0 ? r : signatures_add(hex, SIGNATURE_MANIFEST, s->made.data, s->made.len, e);
}

static int make_bundle(struct signing *s, struct error *e)
{
	_cleanup_free_ char *statement = sign_statement(s->subject->hex), *manifest = NULL;
	int r = sign_bundle(s->q->key, statement, &s->payload, e);

	if (r < 0)
		return r;
	sign_referrer(s->payload, COSIGN_SIGN_PREDICATE, s->subject, s->q->now, &manifest);
	s->refers = true;
	buf_puts(&s->config, SIGN_EMPTY);
	buf_puts(&s->made, manifest);
	return 0;
}

static int make_tag(struct signing *s, struct error *e)
{
	_cleanup_free_ char *name = reference_name(s->q->to), *bare = xasprintf("%s/%s", s->q->to->host, s->q->to->path);
	int r;

	s->payload = sign_payload(name ? name : bare, s->subject->hex, s->q->now);
	r = privkey_sign(s->q->key, s->payload, strlen(s->payload), &s->sig, e);
	return r < 0 ? r : make(s, e);
}

static void forget_made(struct signing *s)
{
	free(steal_ptr(&s->payload));
	s->refers = false;
	free(steal_ptr(&s->parts));
	s->n_parts = s->n_kept = 0;
	s->answered = false;
	buf_free(&s->sig);
	buf_free(&s->config);
	buf_free(&s->made);
}

static int sign_one(struct signing *s, struct error *e)
{
	int r = ask(s, e);

	if (r == 0)
		r = s->q->bundle ? make_bundle(s, e) : make_tag(s, e);
	if (r == 0)
		r = send(s, e);
	return r < 0 ? r : keep(s, e);
}

static int do_sign(struct signing *s, struct error *e)
{
	int r = 0;

	if (s->q->what != SIGN_MANIFEST && !s->top[0]) {
		error_set(e, ENOENT, "it came by no index of platforms");
		error_hint(e, "without --index and --recursive its manifest is signed");
		return -ENOENT;
	}
	if (s->q->what != SIGN_MANIFEST)
		r = sign_index(s->dirs.store_blobs, s->top, s->manifest, s->q->what == SIGN_ALL,
			       strv_has(s->q->conf->accept_lowered, "landlock"), &s->all, e);
	/* The images before the index that has them: who sees it signed finds them signed. */
	for (size_t i = s->all.n; r == 0 && i-- > 0;) {
		s->subject = &s->all.list[i];
		r = sign_one(s, e);
		if (r == 0)
			strv_add_copy(s->digests, s->subject->hex);
		forget_made(s);
	}
	return r;
}

static int do_attestations(struct signing *s, struct error *e)
{
	int r;

	s->here = signatures_open(s->manifest, false, NULL);
	if (s->here == -ENOENT) {
		error_set(e, ENODATA, "nothing that was attested about it is kept here");
		error_hint(e, "brig vet --attest --key FILE IMAGE");
		return -ENODATA;
	}
	if (s->here < 0)
		return error_errno(e, s->here, "what is kept of signatures");
	r = ask(s, e);
	if (r == 0)
		r = make(s, e);
	if (r == 0)
		r = send(s, e);
	return r;
}

/* Its manifest is the subject, until somebody asks for more. */
static void know_image(struct signing *s, const struct index_entry *i)
{
	_cleanup_free_ char *name = NULL;
	const char *top = reference_pulled_digest(i->pulled, &name);
	struct sign_subject *x = &s->all.list[0];

	memcpy(s->manifest, i->manifest, DIGEST_SIZE);
	if (top && !streq(top, i->manifest))
		memcpy(s->top, top, DIGEST_SIZE);
	memcpy(x->hex, i->manifest, DIGEST_SIZE);
	snprintf(x->media_type, sizeof(x->media_type), "%s", i->media_type);
	x->size = i->manifest_size;
	s->all.n = 1;
	s->subject = x;
}

/* What both begin and end with. */
static int with_image(struct signing *s, int (*fn)(struct signing *s, struct error *e), struct error *e)
{
	_cleanup_close_ int lock = store_lock(false, true, e); /* nothing is collected meanwhile */
	_cleanup_(index_free) struct index x = { 0 };
	ssize_t found;
	int r = lock < 0 ? lock : index_read(&x, e);

	s->here = -1;
	if (r < 0)
		return r;
	found = index_find(&x, s->q->image, NULL, e);
	if (found < 0)
		return (int)found;
	know_image(s, &x.entries[found]);
	r = staging_open(&s->dirs, e);
	if (r < 0)
		return r;
	r = fn(s, e);
	staging_close(&s->dirs);
	cleanup_close(&s->here);
	forget_made(s);
	return r;
}

int image_sign(const struct sign_request *q, char ***digests, struct error *e)
{
	_cleanup_free_ struct signing *s = xcalloc(1, sizeof(*s));
	int r;

	s->q = q;
	s->digests = digests;
	r = with_image(s, do_sign, e);
	return r < 0 ? error_wrap(e, "cannot sign %s at %s/%s", q->image, q->to->host, q->to->path) : 0;
}

int image_push_attestations(const struct sign_request *q, size_t *n, struct error *e)
{
	_cleanup_free_ struct signing *s = xcalloc(1, sizeof(*s));
	int r;

	s->q = q;
	s->attestations = true;
	r = with_image(s, do_attestations, e);
	*n = s->n_layers;
	return r < 0 ? error_wrap(e, "cannot push attestations of %s to %s/%s", q->image, q->to->host, q->to->path) : 0;
}
