/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing an image that a registry has. Three steps: ask the registry for the manifest and the signatures that are there; in a room of its
 * own, without the key, put the new one to them; send it. The process that has the key parses nothing that the registry said.
 */
#include "trust/sign.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "image/index.h"
#include "image/oci.h"
#include "image/publish.h"
#include "image/room.h"
#include "image/signatures.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { ROOM_MEMORY = 512 * 1024 * 1024, MADE_MAX = 8 * 1024 * 1024, OLD_MAX = 64 };

struct signing {
	const struct sign_request *q;
	struct staging_dirs dirs;
	char manifest[DIGEST_SIZE];
	struct signature_kept kept[2 * SIGNATURES_MAX];
	size_t n_kept;
	bool answered;
	struct error *incomplete; /* what the network's side could not fetch */
	char *payload;
	struct buf sig, config, made;
};

/* --- what is there ------------------------------------------------------------------------------------------------ */

static int heard(void *arg, const struct fetch_message *m, struct error *e)
{
	struct signing *s = arg;

	if (m->word == FETCH_TOP) {
		if (s->answered || !streq(m->top.hex, s->manifest))
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

/* A note says that something is missing: what is not known of would be lost when the tag moves on. */
static void noted(void *arg, const char *text)
{
	struct signing *s = arg;

	if (!s->incomplete->code)
		error_set(s->incomplete, EIO, "%s", text);
}

static int ask(struct signing *s, struct error *e)
{
	_cleanup_(fetch_request_free) struct fetch_request r = { 0 };
	struct registry_report report = { .note = noted, .arg = s };
	struct error incomplete = { 0 };
	int err = registry_prepare(s->q->to, s->q->conf, &r, e);

	if (err < 0)
		return err;
	s->incomplete = &incomplete;
	r.operation = FETCH_PULL;
	free(r.reference);
	r.reference = xasprintf("sha256:%s", s->manifest);
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
	uint64_t config, manifest; /* bytes; both follow */
	struct error error;
};

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

static void __attribute__((noreturn)) live(struct signing *s, int out)
{
	struct room room = { .read_dirs = &s->dirs.blobs, .n_read = 1, .memory = ROOM_MEMORY,
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
	if (r == 0)
		r = sign_manifest(old, n, s->payload, &s->sig, &s->config, &s->made, &head.error);
	if (r == 0) {
		head.config = s->config.len;
		head.manifest = s->made.len;
	}
	r = fd_write_all(out, &head, sizeof(head));
	if (r == 0 && head.manifest > 0) {
		r = fd_write_all(out, s->config.data, s->config.len);
		if (r == 0)
			r = fd_write_all(out, s->made.data, s->made.len);
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
	    sizeof(head) + head.config + head.manifest != n)
		return error_set(e, EPROTO, "the process that reads signatures talks nonsense");
	buf_add(&s->config, all + sizeof(head), head.config);
	buf_add(&s->made, all + sizeof(head) + head.config, head.manifest);
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

static int send(struct signing *s, struct error *e)
{
	_cleanup_(fetch_request_free) struct fetch_request r = { 0 };
	int fds[3], err = registry_prepare(s->q->to, s->q->conf, &r, e);

	if (err < 0)
		return err;
	r.operation = FETCH_PUSH;
	free(r.reference);
	r.reference = xasprintf("sha256-%s.sig", s->manifest);
	r.media_type = xstrdup(OCI_MANIFEST);
	r.blobs = xcalloc(ARRAY_SIZE(fds), sizeof(*r.blobs));
	err = add_blob(&r, fds, s->payload, strlen(s->payload), e);
	if (err == 0)
		err = add_blob(&r, fds, s->config.data, s->config.len, e);
	if (err == 0)
		err = add_blob(&r, fds, s->made.data, s->made.len, e);
	if (err == 0)
		err = registry_run(&r, -1, fds, r.n_blobs, &s->q->report, NULL, NULL, e);
	for (size_t i = 0; i < r.n_blobs; i++)
		close(fds[i]);
	return err;
}

/* This machine need not ask the registry for what it signed itself. */
static int keep(struct signing *s, struct error *e)
{
	int r = signatures_take(s->dirs.blobs, s->kept, s->n_kept, e);

	if (r == 0)
		r = signatures_add(s->manifest, SIGNATURE_PART, s->payload, strlen(s->payload), e);
	return r < 0 ? r : signatures_add(s->manifest, SIGNATURE_MANIFEST, s->made.data, s->made.len, e);
}

static int do_sign(struct signing *s, struct error *e)
{
	_cleanup_free_ char *name = reference_name(s->q->to), *bare = xasprintf("%s/%s", s->q->to->host, s->q->to->path);
	int r = ask(s, e);

	if (r < 0)
		return r;
	s->payload = sign_payload(name ? name : bare, s->manifest, s->q->now);
	r = privkey_sign(s->q->key, s->payload, strlen(s->payload), &s->sig, e);
	if (r == 0)
		r = make(s, e);
	if (r == 0)
		r = send(s, e);
	return r < 0 ? r : keep(s, e);
}

int image_sign(const struct sign_request *q, char digest[static DIGEST_SIZE], struct error *e)
{
	_cleanup_close_ int lock = store_lock(false, true, e); /* nothing is collected meanwhile */
	_cleanup_(index_free) struct index x = { 0 };
	_cleanup_free_ struct signing *s = xcalloc(1, sizeof(*s));
	ssize_t found;
	int r = lock < 0 ? lock : index_read(&x, e);

	if (r < 0)
		return r;
	found = index_find(&x, q->image, NULL, e);
	if (found < 0)
		return (int)found;
	s->q = q;
	memcpy(s->manifest, x.entries[found].manifest, DIGEST_SIZE);
	memcpy(digest, s->manifest, DIGEST_SIZE);
	r = staging_open(&s->dirs, e);
	if (r < 0)
		return r;
	r = do_sign(s, e);
	staging_close(&s->dirs);
	free(s->payload);
	buf_free(&s->sig);
	buf_free(&s->config);
	buf_free(&s->made);
	return r < 0 ? error_wrap(e, "cannot sign %s at %s/%s", q->image, q->to->host, q->to->path) : 0;
}
