/* SPDX-License-Identifier: Apache-2.0 */
#include "image/load.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"
#include "base/proc.h"
#include "image/index.h"
#include "image/name.h"
#include "image/proof.h"
#include "image/publish.h"
#include "image/room.h"
#include "image/unpacker.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOAD_WORKERS_MAX = 4 };

/* Address space of the process that parses: a million entries take some 600 MB. */
static const uint64_t room_memory = 4ULL << 30;

struct loading {
	struct load_request req;
	pid_t pid; /* of the room; 0: it is gone */
	int socket;
	bool staged, done;
	unsigned workers;
	char (*arrived)[DIGEST_SIZE]; /* blobs that came, of which the room was told of the first n_told */
	size_t n_arrived, n_told;
	bool complete, asked;
	struct staging_dirs dirs;
	struct oci_platform platform;
	struct index_entry *entries; /* told by the room, names not yet judged */
	size_t n;
	struct load_result *out;
	uint64_t total;
	struct error *e, own;
};

void load_result_free(struct load_result *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->images[i].name);
	free(r->images);
	*r = (struct load_result){ 0 };
}

static void __attribute__((noreturn)) run_room(struct loading *l, int socket)
{
	const struct staging_dirs *d = &l->dirs;
	struct stat sb;
	bool folder = fstat(l->req.input, &sb) == 0 && S_ISDIR(sb.st_mode);
	const int write_dirs[] = { d->staging, l->req.input };
	const int read_dirs[] = { d->store_objects, d->store_blobs, d->store_layers, d->store_trees, l->req.input };
	struct room room = {
		.write_dirs = write_dirs,
		.n_write = l->req.take ? 2 : 1,
		.read_dirs = read_dirs,
		.n_read = folder ? 5 : 4,
		.memory = room_memory,
		.file_size = l->req.limits.bytes + (1ULL << 20),
		.keep_reading = folder,
		.accept_no_landlock = l->req.accept_no_landlock,
	};
	struct staging st = {
		.objects = d->objects, .blobs = d->blobs, .layers = d->layers, .trees = d->trees, .members = d->members,
		.store_objects = d->store_objects, .store_blobs = d->store_blobs, .store_layers = d->store_layers,
		.store_trees = d->store_trees, .limits = &l->req.limits, .suspects = l->req.suspects, .workers = l->workers,
	};
	struct room_message m = { .word = ROOM_ERROR };
	sigset_t none;

	if (l->req.again) {
		/* What was unpacked before is made anew beside it. */
		st.store_layers = d->layers;
		st.store_trees = d->trees;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(0);
	if (room_enter(&room, &m.error) == 0)
		unpacker_run(&l->req, &l->platform, &st, socket);
	socket_send(socket, &m, sizeof(m), NULL, 0);
	_exit(1);
}

/* A name or none for what the room told. A tag alone is not enough of a name. */
static int judge_name(struct loading *l, const char *claim, bool tag_only, char **name)
{
	_cleanup_free_ char *joined = NULL;

	if (l->req.name)
		return name_complete(l->req.name, name, l->e);
	if (!claim[0])
		return 0;
	if (tag_only) {
		if (!l->req.base)
			return 0;
		joined = xasprintf("%s:%s", l->req.base, claim);
	}
	return name_from_claim(joined ? joined : claim, l->req.keep_names, name, l->e);
}

static int take_image(struct loading *l, struct room_message *m)
{
	_cleanup_free_ char *name = NULL;
	struct index_entry *i;
	int r;

	m->image.claim[CLAIM_MAX - 1] = 0;
	if (!hex_valid(m->image.config, DIGEST_HEX) || !hex_valid(m->image.manifest, DIGEST_HEX) ||
	    !hex_valid(m->image.tree, DIGEST_HEX) || m->image.manifest_size > OCI_DOCUMENT_MAX ||
	    m->image.size > INT64_MAX || l->n >= OCI_INDEX_MAX)
		return error_set(l->e, EPROTO, "the process that reads the image talks nonsense");
	if (l->req.name && l->n > 0 && !streq(l->entries[0].config, m->image.config))
		return error_set(l->e, EINVAL, "several images in it: one name is not enough for them");
	r = judge_name(l, m->image.claim, m->image.tag_only, &name);
	if (r < 0)
		return r;
	l->entries = xrealloc(l->entries, l->n + 1, sizeof(*l->entries));
	i = &l->entries[l->n++];
	*i = (struct index_entry){ .name = steal_ptr(&name) };
	i->media_type = xstrdup(m->image.docker ? DOCKER_MANIFEST : OCI_MANIFEST);
	i->manifest_size = m->image.manifest_size;
	i->size = m->image.size;
	i->pulled = xstrdup(l->req.pulled);
	i->local = !l->req.pulled;
	memcpy(i->config, m->image.config, DIGEST_SIZE);
	memcpy(i->manifest, m->image.manifest, DIGEST_SIZE);
	memcpy(i->tree, m->image.tree, DIGEST_SIZE);
	return 0;
}

/* Whether a layer that was unpacked before is used again: only if brig's proof of it says that its table is the same. */
static int answer(struct loading *l, int socket, struct room_message *m)
{
	_cleanup_close_ int dir = -1;
	struct store_key key;
	const char *what;
	char yes = 'n';
	int r;

	m->diff[DIGEST_HEX] = 0;
	if (!hex_valid(m->diff, DIGEST_HEX))
		return error_set(l->e, EPROTO, "the process that reads the image talks nonsense");
	r = store_key_read(&key, l->e);
	if (r < 0)
		return r;
	dir = openat(l->dirs.store_layers, m->diff, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir >= 0 && proof_check(dir, PROOF_LAYER, m->diff, &key, &what) == 0)
		yes = 'y';
	r = socket_send(socket, &yes, 1, NULL, 0);
	return r < 0 ? error_errno(l->e, r, "to the process that reads the image") : 0;
}

/* What the room asked for, when there is an answer. */
static int tell_arrived(struct loading *l)
{
	const char *hex = l->n_told < l->n_arrived ? l->arrived[l->n_told] : l->complete ? "" : NULL;
	int r;

	if (!l->asked || !hex)
		return 0;
	if (*hex)
		l->n_told++;
	l->asked = false;
	r = socket_send(l->socket, hex, strlen(hex) + 1, NULL, 0);
	return r < 0 ? error_errno(l->e, r, "to the process that reads the image") : 0;
}

int load_arrived(struct loading *l, const char *hex, struct error *e)
{
	l->e = e ? e : &l->own;
	if (l->complete || l->n_arrived >= 2 * OCI_INDEX_MAX)
		return error_set(e, EPROTO, "more blobs than an image has");
	l->arrived = xrealloc(l->arrived, l->n_arrived + 1, sizeof(*l->arrived));
	memcpy(l->arrived[l->n_arrived++], hex, DIGEST_SIZE);
	return tell_arrived(l);
}

int load_complete(struct loading *l, struct error *e)
{
	l->e = e ? e : &l->own;
	l->complete = true;
	return tell_arrived(l);
}

/* 1: everything was told. */
static int take_message(struct loading *l, int socket)
{
	const struct load_request *req = &l->req;
	struct room_message m;
	ssize_t n = socket_recv(socket, &m, sizeof(m), NULL, NULL);

	if (n == 0)
		return error_set(l->e, EIO, "the process that reads the image ended without a word");
	if (n != (ssize_t)sizeof(m))
		return error_errno(l->e, n < 0 ? (int)n : EPROTO, "from the process that reads the image");
	switch (m.word) {
	case ROOM_PROGRESS:
		if (req->progress)
			req->progress(req->arg, m.bytes, l->total);
		return 0;
	case ROOM_ASK:
		return answer(l, socket, &m);
	case ROOM_NEXT:
		l->asked = true;
		return tell_arrived(l);
	case ROOM_IMAGE:
		return take_image(l, &m);
	case ROOM_NOTE:
		m.note[CLAIM_MAX - 1] = 0;
		if (req->note)
			req->note(req->arg, m.note);
		return 0;
	case ROOM_ERROR:
		m.error.text[ERROR_TEXT_MAX - 1] = 0;
		if (l->e)
			*l->e = m.error;
		return m.error.code < 0 ? m.error.code : -EBADMSG;
	case ROOM_DONE:
		return l->n > 0 ? 1 : error_set(l->e, EBADMSG, "no image in it");
	}
	return error_set(l->e, EPROTO, "the process that reads the image talks nonsense");
}

int load_hear(void *loading, struct error *e)
{
	struct loading *l = loading;
	int r;

	l->e = e ? e : &l->own;
	r = take_message(l, l->socket);
	if (r > 0)
		l->done = true;
	return r;
}

/* Ctrl-C and SIGTERM are taken here, so that the staging folder goes with them. */
static int hear(struct loading *l, int signals)
{
	while (!l->done) {
		struct pollfd p[2] = { { .fd = l->socket, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
		int r;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return error_errno(l->e, errno, "poll");
		if (p[1].revents) {
			struct signalfd_siginfo si = { 0 };

			if (read(signals, &si, sizeof(si)) > 0) {
				error_set(l->e, EINTR, "stopped by signal %u", si.ssi_signo);
				if (l->e)
					l->e->exit = 128 + (int)si.ssi_signo;
				return -EINTR;
			}
		}
		if (!p[0].revents)
			continue;
		r = load_hear(l, l->e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int start_room(struct loading *l)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(l->e, errno, "socketpair");
	fflush(NULL);
	l->pid = fork();
	if (l->pid == 0) {
		close(pair[0]);
		if (l->req.not_for_room > 0)
			close(l->req.not_for_room);
		run_room(l, pair[1]);
	}
	close(pair[1]);
	l->socket = pair[0];
	return l->pid < 0 ? error_errno(l->e, errno, "fork") : 0;
}

static int end_room(struct loading *l, int r)
{
	int status;

	if (l->pid > 0) {
		if (r < 0)
			kill(l->pid, SIGKILL);
		status = proc_wait(l->pid);
		if (r == -EIO && status >= 0 && WIFSIGNALED(status))
			r = error_set(l->e, EIO, "the process that reads the image was ended by signal %d", WTERMSIG(status));
	}
	l->pid = 0;
	cleanup_close(&l->socket);
	l->socket = -1;
	return r;
}

static int publish(struct loading *l)
{
	_cleanup_(index_free) struct index x = { 0 };
	_cleanup_close_ int lock = -1;
	int r;

	if (l->req.again && !streq(l->entries[0].config, l->req.again))
		return error_set(l->e, EINVAL, "it is another image: sha256:%.12s, not sha256:%.12s", l->entries[0].config,
				 l->req.again);
	r = staging_publish(&l->dirs, l->e);
	if (r < 0 || l->req.again)
		return r;
	lock = index_lock(l->e);
	if (lock < 0)
		return lock;
	r = index_read(&x, l->e);
	if (r < 0)
		return r;
	l->out->images = xcalloc(l->n, sizeof(*l->out->images));
	for (size_t i = 0; i < l->n; i++) {
		struct loaded *to = &l->out->images[l->out->n++];

		memcpy(to->id, l->entries[i].config, DIGEST_SIZE);
		to->name = xstrdup(l->entries[i].name);
		to->moved = index_add(&x, &l->entries[i]);
	}
	return index_write(&x, l->e);
}

void load_tidy(void)
{
	if (store_sweep())
		store_collect_later(NULL);
	if (store_collect_due())
		store_collect(NULL, false, NULL, NULL);
}

static unsigned processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < 1 ? 1 : n > LOAD_WORKERS_MAX ? LOAD_WORKERS_MAX : (unsigned)n;
}

int load_start(const struct load_request *req, struct load_result *out, struct loading **lp, struct error *e)
{
	struct loading *l = xcalloc(1, sizeof(*l));
	struct stat sb;
	int r;

	*l = (struct loading){ .req = *req, .out = out, .e = e ? e : &l->own, .socket = -1, .workers = processors() };
	*out = (struct load_result){ 0 };
	*lp = l;
	if (fstat(req->input, &sb) == 0 && S_ISREG(sb.st_mode))
		l->total = (uint64_t)sb.st_size;
	r = oci_platform_parse(req->platform, &l->platform, l->e);
	if (r == 0)
		r = staging_open(&l->dirs, l->e);
	l->staged = r == 0;
	return r == 0 ? start_room(l) : r;
}

const int *load_socket(const struct loading *l)
{
	return &l->socket;
}

static int end(struct loading *l, int r)
{
	sigset_t stop, before;

	if (r == 0) {
		_cleanup_close_ int signals = -1;

		sigemptyset(&stop);
		sigaddset(&stop, SIGINT);
		sigaddset(&stop, SIGTERM);
		sigaddset(&stop, SIGHUP);
		sigprocmask(SIG_BLOCK, &stop, &before);
		signals = signalfd(-1, &stop, SFD_CLOEXEC);
		r = signals < 0 ? error_errno(l->e, errno, "signalfd") : hear(l, signals);
		r = end_room(l, r);
		if (r == 0)
			r = publish(l);
		if (l->staged)
			staging_close(&l->dirs);
		sigprocmask(SIG_SETMASK, &before, NULL);
	} else {
		end_room(l, r);
		if (l->staged)
			staging_close(&l->dirs);
	}
	for (size_t i = 0; i < l->n; i++) {
		free(l->entries[i].name);
		free(l->entries[i].media_type);
		free(l->entries[i].pulled);
	}
	free(l->entries);
	free(l->arrived);
	if (r < 0)
		load_result_free(l->out);
	return r;
}

int load_end(struct loading *l, bool failed, struct error *e)
{
	int r;

	l->e = e ? e : &l->own;
	r = end(l, failed ? -ECANCELED : 0);
	if (r < 0 && !failed)
		error_wrap(l->e, "cannot %s %s", l->req.pulled ? "pull" : "load", l->req.what);
	free(l);
	return failed ? 0 : r;
}

int image_load(const struct load_request *req, struct load_result *out, struct error *e)
{
	_cleanup_close_ int lock = -1;
	struct loading *l = NULL;
	int r;

	/* What an earlier load left when it was killed: its staging folder, or things in the store without a name. */
	load_tidy();
	lock = store_lock(false, true, e);
	if (lock < 0)
		return lock;
	r = load_start(req, out, &l, e);
	if (r == 0)
		return load_end(l, false, e);
	load_end(l, true, e);
	return error_wrap(e, "cannot %s %s", req->pulled ? "pull" : "load", req->what);
}
