/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/look.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "image/room.h"
#include "vet/window.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Address space of the process that looks, and the largest report. */
static const uint64_t memory_max = 4ULL << 30, report_max = 1ULL << 32;

struct message {
	enum word { PROGRESS, LOOKED, VERDICT, FAILED } word;
	union {
		struct {
			uint32_t check;
			uint64_t bytes;
		} progress;
		struct vet_verdict verdict;
		struct error error;
	};
};

/* What the child has. */
struct work {
	struct vet v;
	const struct vet_source *src;
	const struct vet_look *how;
	int socket;
};

static void tell(struct work *w, const struct message *m)
{
	/* If the parent is gone, nothing that happens here matters. */
	if (socket_send(w->socket, m, sizeof(*m), NULL, 0) < 0)
		_exit(1);
}

static int by_weight(const void *a_, const void *b_)
{
	const struct vet_finding *a = a_, *b = b_;
	int r = a->level < b->level ? -1 : a->level > b->level;

	if (r == 0)
		r = strcmp(a->check, b->check);
	if (r == 0)
		r = strcmp(a->rule, b->rule);
	if (r == 0)
		r = strcmp(a->path ? a->path : "", b->path ? b->path : "");
	return r ? r : strcmp(a->title, b->title);
}

void vet_sort(struct vet *v)
{
	if (v->n_findings > 1)
		qsort(v->findings, v->n_findings, sizeof(*v->findings), by_weight);
}

static bool wanted(const struct vet_look *how, const struct vet_check *check)
{
	return !how->only || streq(how->only, check->name);
}

static int run_checks(struct work *w, struct error *e)
{
	struct vet *v = &w->v;
	int r;

	strv_foreach(text, w->src->not_looked)
		vet_not_looked(v, "%s", *text);
	r = vet_subject_read(v, w->src, e);
	/* The inventory alone reads few files. */
	if (r == 0 && !w->how->only)
		vet_verify_all(v);
	for (uint32_t i = 0; r == 0 && vet_checks[i]; i++) {
		if (!wanted(w->how, vet_checks[i]))
			continue;
		tell(w, &(struct message){ .word = PROGRESS, .progress = { i, vet_bytes_read(v) } });
		r = vet_checks[i]->run(v, e);
		if (r < 0)
			r = error_wrap(e, "check %s", vet_checks[i]->name);
	}
	if (r == 0 && window_cut())
		vet_add(v, "vet", "V0-unreadable", VET_MEDIUM, NULL, NULL, "what changes while it is looked at can be anything",
			"%u files became shorter while they were looked at", window_cut());
	return r;
}

static int write_report(struct work *w, struct error *e)
{
	_cleanup_buf_ struct buf text = { 0 };
	char go;
	int r;

	/* The parent takes its progress off the terminal first. */
	tell(w, &(struct message){ .word = LOOKED, .progress = { 0, vet_bytes_read(&w->v) } });
	if (read(w->socket, &go, 1) != 1)
		_exit(1);
	if (!w->how->report)
		return 0;
	w->how->report(&w->v, &text);
	r = fd_write_all(w->how->out, text.data, text.len);
	return r < 0 ? error_errno(e, r, "cannot write the report") : 0;
}

static void conclude(const struct vet *v, struct vet_verdict *out)
{
	*out = (struct vet_verdict){ 0 };
	for (size_t i = 0; i < v->n_findings; i++)
		out->counts[v->findings[i].level]++;
	out->not_looked = (uint32_t)json_array_size(json_object_get(v->facts, "not_looked"));
	if (v->n_findings)
		snprintf(out->first, sizeof(out->first), "%s", v->findings[0].title);
	if (v->options->policy)
		vet_policy_judge(v->options->policy, v, clock_now_ns(), &out->ruling);
}

/* In a child with the right ids. */
static int work_inside(void *ctx, struct error *e)
{
	struct work *w = ctx;
	const int dirs[] = { w->src->objects >= 0 ? w->src->objects : w->src->folder, w->src->folder };
	struct room room = {
		.read_dirs = dirs,
		.n_read = (size_t)(w->src->objects >= 0) + (w->src->folder >= 0),
		.look = true,
		.memory = memory_max,
		.file_size = report_max,
		.keep_reading = w->how->keep_reading,
		.accept_no_landlock = w->how->accept_no_landlock,
	};
	struct message m = { .word = VERDICT };
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	window_guard();
	r = room_enter(&room, e);
	if (r == 0)
		r = run_checks(w, e);
	if (r == 0) {
		vet_sort(&w->v);
		conclude(&w->v, &m.verdict);
		r = write_report(w, e);
	}
	if (r == 0)
		tell(w, &m);
	return r;
}

static void __attribute__((noreturn)) run_child(struct work *w)
{
	struct message m = { .word = FAILED };
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	r = w->how->run_as ? w->how->run_as(w->how->who, work_inside, w, &m.error) : work_inside(w, &m.error);
	if (r < 0) {
		if (m.error.code == 0)
			error_errno(&m.error, r, "the look failed");
		tell(w, &m);
	}
	_exit(r < 0);
}

static const char *check_name(uint32_t i)
{
	for (uint32_t k = 0; vet_checks[k]; k++)
		if (k == i)
			return vet_checks[k]->name;
	return "?";
}

/* 1: the verdict has come. */
static int take_message(const struct vet_look *how, int socket, struct vet_verdict *out, struct error *e)
{
	struct message m;
	ssize_t n = socket_recv(socket, &m, sizeof(m), NULL, NULL);
	size_t checks = 0;

	while (vet_checks[checks])
		checks++;
	if (n == 0)
		return error_set(e, EIO, "the process that looks ended without a word");
	if (n != (ssize_t)sizeof(m))
		return error_errno(e, n < 0 ? (int)n : EPROTO, "from the process that looks");
	switch (m.word) {
	case PROGRESS:
		if (how->progress)
			how->progress(how->arg, check_name(m.progress.check), m.progress.check, checks, m.progress.bytes);
		return 0;
	case LOOKED:
		if (how->progress)
			how->progress(how->arg, NULL, checks, checks, m.progress.bytes);
		return write(socket, "g", 1) == 1 ? 0 : error_set(e, EIO, "the process that looks is gone");
	case VERDICT:
		*out = m.verdict;
		out->first[sizeof(out->first) - 1] = 0;
		vet_ruling_end(&out->ruling);
		return 1;
	case FAILED:
		m.error.text[ERROR_TEXT_MAX - 1] = 0;
		if (m.error.hint >= ERROR_TEXT_MAX)
			m.error.hint = 0;
		if (e)
			*e = m.error;
		return m.error.code < 0 ? m.error.code : -EBADMSG;
	}
	return error_set(e, EPROTO, "the process that looks talks nonsense");
}

static int hear(const struct vet_look *how, int socket, int signals, struct vet_verdict *out, struct error *e)
{
	for (;;) {
		struct pollfd p[2] = { { .fd = socket, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
		int r;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return error_errno(e, errno, "poll");
		if (p[1].revents) {
			struct signalfd_siginfo si = { 0 };

			if (read(signals, &si, sizeof(si)) > 0) {
				error_set(e, EINTR, "stopped by signal %u", si.ssi_signo);
				if (e)
					e->exit = 128 + (int)si.ssi_signo;
				return -EINTR;
			}
		}
		if (!p[0].revents)
			continue;
		r = take_message(how, socket, out, e);
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

static int run(struct work *w, struct vet_verdict *out, struct error *e)
{
	_cleanup_close_ int signals = -1;
	sigset_t stop, before;
	int pair[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(e, errno, "socketpair");
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGHUP);
	sigprocmask(SIG_BLOCK, &stop, &before);
	signals = signalfd(-1, &stop, SFD_CLOEXEC);
	fflush(NULL);
	pid = signals < 0 ? -1 : fork();
	if (pid == 0) {
		close(pair[0]);
		w->socket = pair[1];
		run_child(w);
	}
	close(pair[1]);
	r = pid < 0 ? error_errno(e, errno, "fork") : hear(w->how, pair[0], signals, out, e);
	if (pid > 0) {
		if (r < 0)
			kill(pid, SIGKILL);
		int status = proc_wait(pid);
		if (r == -EIO && status >= 0 && WIFSIGNALED(status))
			r = error_set(e, EIO, "the process that looks was ended by signal %d", WTERMSIG(status));
	}
	close(pair[0]);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

int vet_look(const struct vet_source *src, const struct vet_look *how, struct vet_verdict *out, struct error *e)
{
	static const struct vet_options none;
	struct work w = { .src = src, .how = how, .socket = -1 };
	int r = 0;

	w.v = (struct vet){ .name = src->name, .image = src->image, .digest = src->digest, .config = src->config,
			    .bill = src->bill, .bill_size = src->bill_size, .facts = json_object(),
			    .options = how->options ? how->options : &none };
	for (size_t i = 0; r == 0 && vet_checks[i]; i++)
		if (vet_checks[i]->prepare && wanted(how, vet_checks[i]))
			r = vet_checks[i]->prepare(&w.v, e);
	if (r == 0)
		r = run(&w, out, e);
	json_decref(w.v.facts);
	return r < 0 ? error_wrap(e, "cannot vet %s", src->name) : 0;
}
