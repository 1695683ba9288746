/* SPDX-License-Identifier: Apache-2.0 */
#include "image/remote.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "image/hash.h"
#include "image/publish.h"
#include "image/room.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROOM_MEMORY = 512 * 1024 * 1024, MESSAGE_MAX = 8192 };

/* --- the room ----------------------------------------------------------------------------------------------------- */

struct last_word {
	char mark[8];
	struct error error; /* code 0: all is well */
};
static const char last_mark[8] = "the end";

static void __attribute__((noreturn)) live(const struct remote_room *r, int socket)
{
	struct room room = { .read_dirs = r->dirs, .n_read = r->n_dirs, .memory = ROOM_MEMORY, .file_size = 1ULL << 50 /* standard output */,
			     .accept_no_landlock = r->accept_no_landlock };
	struct last_word last = { 0 };
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	memcpy(last.mark, last_mark, sizeof(last_mark));
	if (room_enter(&room, &last.error) == 0 && r->fn(r->room_arg ? r->room_arg : r->arg, socket, &last.error) >= 0 && fflush(NULL) != 0)
		error_errno(&last.error, errno, "cannot write");
	socket_send(socket, &last, sizeof(last), NULL, 0);
	_exit(0);
}

static int hear(const struct remote_room *r, int socket, struct error *e)
{
	_cleanup_free_ char *message = xmalloc(MESSAGE_MAX);

	for (;;) {
		ssize_t n = socket_recv(socket, message, MESSAGE_MAX, NULL, NULL);
		struct last_word last;

		if (n <= 0)
			return error_set(e, EIO, "the process that reads what was fetched ended without a word");
		if (n == (ssize_t)sizeof(last) && memcmp(message, last_mark, sizeof(last_mark)) == 0) {
			memcpy(&last, message, sizeof(last));
			last.error.text[ERROR_TEXT_MAX - 1] = 0;
			if (last.error.hint >= ERROR_TEXT_MAX)
				last.error.hint = 0;
			if (!last.error.code)
				return 0;
			if (e)
				*e = last.error;
			return last.error.code < 0 ? last.error.code : -EPROTO;
		}
		int err = r->heard ? r->heard(r->arg, message, (size_t)n, e) : error_set(e, EPROTO, "the process that reads talks nonsense");
		if (err < 0)
			return err;
	}
}

int remote_room_run(const struct remote_room *r, struct error *e)
{
	_cleanup_close_ int own = -1, other = -1;
	int pair[2], err;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(e, errno, "socketpair");
	own = pair[0];
	other = pair[1];
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return error_errno(e, errno, "fork");
	if (pid == 0)
		live(r, other);
	cleanup_close(&other);
	err = hear(r, own, e);
	if (err < 0)
		kill(pid, SIGKILL);
	proc_wait(pid);
	return err;
}

int remote_read(int folder, const char *hex, json_t **out, char **text_out, size_t *n_out, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	char got[DIGEST_SIZE];
	size_t n;
	int r = file_read(folder, hex, OCI_DOCUMENT_MAX, &text, &n);

	*out = NULL;
	if (r < 0)
		return error_errno(e, r, "document sha256:%.12s", hex);
	hash_hex(text, n, got);
	if (!streq(got, hex))
		return error_set(e, EBADMSG, "document sha256:%s has the digest sha256:%s", hex, got);
	*out = json_parse(text, n, "document", e);
	if (!*out)
		return e->code;
	if (text_out)
		*text_out = steal_ptr(&text);
	if (n_out)
		*n_out = n;
	return 0;
}

/* --- looking at one image ----------------------------------------------------------------------------------------- */

struct looking {
	const struct conf *conf;
	const char *asked;
	struct oci_platform platform; /* asked before the room, in which uname(2) is not */
	bool raw;
	int folder;
	char top[DIGEST_SIZE], type[FETCH_MEDIA_TYPE];
	remote_show show;
	void *arg;
};

static int heard_top(void *arg, const struct fetch_message *m, struct error *e)
{
	struct looking *l = arg;

	if (m->word != FETCH_TOP || l->top[0])
		return error_set(e, EPROTO, "the process that speaks with the registry talks nonsense");
	memcpy(l->top, m->top.hex, DIGEST_SIZE);
	memcpy(l->type, m->top.media_type, sizeof(l->type));
	return l->raw ? 0 : 1;
}

static const struct oci_descriptor *fitting(const struct oci_index *x, const struct oci_platform *p)
{
	for (size_t i = 0; i < x->n; i++)
		if (!x->manifests[i].attestation &&
		    oci_platform_fits(p, x->manifests[i].os, x->manifests[i].architecture, x->manifests[i].variant))
			return &x->manifests[i];
	return NULL;
}

/* In the room. */
static int read_and_show(void *arg, int socket, struct error *e)
{
	const struct looking *l = arg;
	const struct image_limits limits = image_limits_of(l->conf);
	_cleanup_(oci_manifest_free) struct oci_manifest m = { 0 };
	_cleanup_(oci_index_free) struct oci_index x = { 0 };
	_cleanup_json_ json_t *top = NULL, *config = NULL;
	struct remote_view v = { .hex = l->top, .manifest_hex = l->top, .top_type = l->type };
	_cleanup_free_ char *text = NULL;
	json_t *manifest = NULL;
	int r = remote_read(l->folder, l->top, &top, &text, &v.n, e), kind;

	(void)socket;
	if (r < 0)
		return r;
	v.text = text;
	v.top = top;
	kind = oci_kind(top, l->type, "manifest", e);
	if (kind < 0 || l->raw)
		return kind < 0 ? kind : l->show(l->arg, &v, e);
	if (kind == KIND_INDEX) {
		const struct oci_descriptor *d;

		r = oci_index_read(json_incref(top), &x, e);
		d = r < 0 ? NULL : fitting(&x, &l->platform);
		if (r == 0 && !d)
			r = error_set(e, EBADMSG, "the index has no image for %s/%s", l->platform.os, l->platform.architecture);
		if (r == 0)
			r = remote_read(l->folder, d->hex, &manifest, NULL, NULL, e);
		v.index = &x;
		v.manifest_hex = d ? d->hex : NULL;
	} else {
		manifest = json_incref(top);
	}
	if (r == 0)
		r = oci_manifest_read(manifest, &limits, &m, e);
	if (r == 0)
		r = remote_read(l->folder, m.config.hex, &config, NULL, NULL, e);
	if (r == 0 && !json_is_object(config))
		r = error_set(e, EBADMSG, "its configuration is no object");
	v.manifest = &m;
	v.config = config;
	return r < 0 ? r : l->show(l->arg, &v, e);
}

static int look_at(void *arg, struct fetch_request *r, struct error *e)
{
	struct registry_report quiet = { 0 };
	struct looking *l = arg;
	struct staging_dirs dirs;
	int err = staging_open(&dirs, e);

	if (err < 0)
		return err;
	r->operation = FETCH_DOCUMENTS;
	r->config = true;
	r->platform = xstrdup(l->asked);
	l->top[0] = 0;
	err = registry_run(r, dirs.members, NULL, 0, &quiet, heard_top, l, e);
	if (err == 0 && !l->top[0])
		err = error_set(e, EPROTO, "the process that speaks with the registry forgot the manifest");
	l->folder = dirs.members;
	if (err == 0)
		err = remote_room_run(&(struct remote_room){ .dirs = &dirs.members, .n_dirs = 1, .fn = read_and_show, .room_arg = l,
							     .accept_no_landlock = strv_has(l->conf->accept_lowered, "landlock") }, e);
	staging_close(&dirs);
	return err;
}

int remote_look(const struct reference *ref, const char *platform, bool raw, const struct conf *conf, const struct registry_report *report,
		remote_show show, void *arg, struct error *e)
{
	struct looking l = { .conf = conf, .asked = platform, .raw = raw, .show = show, .arg = arg };
	int err = oci_platform_parse(platform, &l.platform, e);

	if (err == 0)
		err = registry_places(ref, conf, report, look_at, &l, e);
	return err < 0 ? error_wrap(e, "cannot look at %s/%s", ref->host, ref->path) : 0;
}
