/* SPDX-License-Identifier: Apache-2.0 */
/* The person's descriptors: terminal mode, signals, reading and writing without getting stuck. */
#include "engine/relay.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CTRL = 0x1f, INTERRUPTS_MAX = 3, SPLICE_MAX = 1 << 20 };

/* Signals of the person that a loop reads from the signalfd. */
static const int taken[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT };
/* Signals that end this process at once; the terminal is put right before. */
static const int fatal[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGSYS, SIGALRM, SIGXCPU };

/* The one relay whose terminal is raw, for exit and fatal signals. */
static struct relay *volatile raw_relay;

static void restore(void)
{
	struct relay *r = raw_relay;

	raw_relay = NULL;
	if (r)
		tcsetattr(r->in, TCSANOW, &r->saved);
}

static void on_fatal(int sig)
{
	restore();
	signal(sig, SIG_DFL);
	raise(sig);
}

static int go_raw(struct relay *r)
{
	struct termios raw = r->saved;

	cfmakeraw(&raw);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	/* From the background tcsetattr(3) would stop us: SIGTTOU is blocked by relay_open(). */
	if (tcsetattr(r->in, TCSADRAIN, &raw) < 0)
		return -errno;
	raw_relay = r;
	return 0;
}

static int open_terminal(struct relay *r, struct error *e)
{
	static bool registered;
	struct sigaction act = { .sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND | SA_NODEFER };
	int err;

	if (!isatty(r->in)) {
		error_set(e, ENOTTY, "stdin is not a terminal");
		error_hint(e, "leave -t out when input is a pipe or a file");
		return -ENOTTY;
	}
	if (tcgetattr(r->in, &r->saved) < 0)
		return error_errno(e, errno, "cannot read the terminal's mode");
	if (!registered)
		atexit(restore);
	registered = true;
	for (size_t i = 0; i < ARRAY_SIZE(fatal); i++)
		sigaction(fatal[i], &act, NULL);
	err = go_raw(r);
	if (err < 0)
		return error_errno(e, err, "cannot set the terminal's mode");
	r->raw = true;
	return 0;
}

/*
 * Our own, non-blocking open file for an output that is a pipe or a terminal: the flag on the person's descriptor would
 * hit everybody who shares it. Where that fails (another user's terminal after su), writes go out in pieces that a
 * ready pipe takes without blocking.
 */
static void open_output(struct relay *r, int i)
{
	int fd = i ? r->err : r->out;
	char path[32];
	struct stat st;

	r->own[i] = -1;
	r->can_splice[i] = false;
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		path_of_fd(fd, path);
		r->own[i] = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	/* splice(2) refuses files opened for appending. */
	r->can_splice[i] = (S_ISFIFO(st.st_mode) && r->own[i] >= 0) ||
			   (S_ISREG(st.st_mode) && !(fcntl(fd, F_GETFL) & O_APPEND));
}

static ssize_t front_write(struct relay *r, int stream, const void *data, size_t n)
{
	int fd = stream ? r->err : r->out;
	ssize_t done;

	if (r->own[stream] >= 0) {
		done = write(r->own[stream], data, n);
	} else {
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		done = send(fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (done < 0 && errno == ENOTSOCK) {
			if (poll(&p, 1, 0) == 0)
				return -EAGAIN;
			done = write(fd, data, n < 4096 ? n : 4096);
		}
	}
	if (done < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return done;
}

static ssize_t front_splice(struct relay *r, int stream, int pipe)
{
	int fd = r->own[stream] >= 0 ? r->own[stream] : stream ? r->err : r->out;
	ssize_t n;

	if (!r->can_splice[stream])
		return -EOPNOTSUPP;
	n = splice(pipe, NULL, fd, NULL, SPLICE_MAX, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EINTR)
		return -EAGAIN;
	if (errno == EPIPE)
		return -EPIPE;
	/* A file system without splice; or a full disk, which write(2) will tell. */
	r->can_splice[stream] = false;
	return -EOPNOTSUPP;
}

/*
 * Takes the detach keys out of typed input, in place. A started sequence is held back until it is clear that it is none;
 * keys_seen counts it. `room` is the size of `data`, which has RELAY_KEYS_MAX bytes to spare.
 */
static size_t find_keys(struct relay *r, uint8_t *data, size_t n)
{
	uint8_t out[RELAY_KEYS_MAX + 1];
	size_t len = 0;

	/* Held bytes come back in front. */
	memcpy(out, r->keys, r->keys_seen);
	size_t held = r->keys_seen;
	memmove(data + held, data, n);
	memcpy(data, out, held);
	n += held;
	r->keys_seen = 0;
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < r->n_keys && i + k < n && data[i + k] == r->keys[k])
			k++;
		if (k == r->n_keys) {
			r->detached = true;
			return len;
		}
		if (i + k == n) {
			r->keys_seen = (unsigned)k;
			return len;
		}
		data[len++] = data[i];
	}
	return len;
}

static ssize_t front_read(struct relay *r, void *data, size_t n)
{
	bool keys = r->raw && r->n_keys > 0;
	ssize_t got;

	do
		got = read(r->in, data, keys ? n - RELAY_KEYS_MAX : n);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (got <= 0) {
		r->in_ended = true;
		/* The terminal is gone. */
		if (r->raw)
			r->detached = true;
		return 0;
	}
	r->interrupts = 0;
	return keys ? (ssize_t)find_keys(r, data, (size_t)got) : got;
}

void relay_size(const struct relay *r, uint16_t *rows, uint16_t *cols)
{
	struct winsize w = { 0 };

	if (r->in >= 0)
		ioctl(r->in, TIOCGWINSZ, &w);
	*rows = w.ws_row;
	*cols = w.ws_col;
}

static void pass_size(struct relay *r, int tty)
{
	struct winsize w;

	if (!r->raw || ioctl(r->in, TIOCGWINSZ, &w) < 0)
		return;
	if (r->resize)
		r->resize(r, w.ws_row, w.ws_col);
	else if (tty >= 0)
		ioctl(tty, TIOCSWINSZ, &w);
}

/* Stops as the shell asked for, with the terminal as the shell wants it; goes on raw. */
static void suspend(struct relay *r, int tty)
{
	restore();
	kill(getpid(), SIGSTOP);
	if (r->raw)
		go_raw(r);
	pass_size(r, tty);
}

static void pass_signal(struct relay *r, int pidfd, int sig)
{
	bool ends = sig == SIGINT || sig == SIGTERM || sig == SIGQUIT;

	if (!r->sig_proxy || pidfd < 0) {
		/* Nothing to pass it to: it is ours. */
		if (ends || sig == SIGHUP)
			r->detached = true;
		return;
	}
	if (ends && ++r->interrupts >= INTERRUPTS_MAX)
		sig = SIGKILL;
	proc_pidfd_signal(pidfd, sig);
}

static void front_signals(struct relay *r, int pidfd, int tty)
{
	struct signalfd_siginfo info;

	while (read(r->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		int sig = (int)info.ssi_signo;

		if (sig == SIGWINCH)
			pass_size(r, tty);
		else if (sig == SIGTSTP)
			suspend(r, tty);
		else if (sig == SIGHUP && r->raw)
			r->detached = true;
		else if (sig != SIGCONT)
			pass_signal(r, pidfd, sig);
	}
}

static const struct relay_ops ops = { front_write, front_splice, front_read, front_signals };

void relay_init(struct relay *r)
{
	*r = (struct relay){ .in = -1, .out = -1, .err = -1, .sig_proxy = true, .keys = { 'p' & CTRL, 'q' & CTRL }, .n_keys = 2,
			     .signals = -1, .own = { -1, -1 }, .sock = -1, .ops = &ops };
}

int relay_parse_keys(struct relay *r, const char *text, struct error *e)
{
	_cleanup_strv_ char **part = *text ? strv_split(text, ',') : NULL;
	unsigned n = 0;

	strv_foreach(it, part) {
		const char *s = str_after(*it, "ctrl-");
		char c = s ? s[0] : (*it)[0];

		if (n == RELAY_KEYS_MAX)
			return error_set(e, EINVAL, "detach keys: more than %d", RELAY_KEYS_MAX);
		if (s && s[0] && !s[1] && ((c >= 'a' && c <= 'z') || (c >= '@' && c <= '_')))
			r->keys[n++] = (uint8_t)(c & CTRL);
		else if (!s && c > ' ' && c < 0x7f && !(*it)[1])
			r->keys[n++] = (uint8_t)c;
		else
			return error_set(e, EINVAL, "detach keys: \"%s\" is neither one character nor ctrl- and a letter or one "
					 "of @[\\]^_", *it);
	}
	r->n_keys = n;
	return 0;
}

int relay_open(struct relay *r, struct error *e)
{
	sigset_t set;
	int err;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		sigaddset(&set, taken[i]);
	r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->signals < 0)
		return error_errno(e, errno, "signalfd");
	sigaddset(&set, SIGTTOU);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, &r->mask);
	r->open = true;
	open_output(r, 0);
	open_output(r, 1);
	if (!r->terminal || r->in < 0)
		return 0;
	err = open_terminal(r, e);
	if (err < 0)
		relay_close(r);
	return err;
}

void relay_close(struct relay *r)
{
	if (!r->open)
		return;
	restore();
	r->raw = r->open = false;
	for (int i = 0; i < 2; i++) {
		cleanup_close(&r->own[i]);
		r->own[i] = -1;
	}
	/* Signals that came and were not passed on are dropped with it; a broken pipe's is nothing new to the caller. */
	sigset_t pipe;
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	while (sigtimedwait(&pipe, NULL, &(struct timespec){ 0 }) == SIGPIPE)
		;
	cleanup_close(&r->signals);
	r->signals = -1;
	sigprocmask(SIG_SETMASK, &r->mask, NULL);
}
