/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/import.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/proc.h"
#include "image/hash.h"
#include "image/room.h"
#include "vet/index.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t memory_max = 8ULL << 30, index_max = 4ULL << 30;
enum { TELL_ROWS = 2048, FILES_MAX = 10000 };

struct message {
	enum word { PROGRESS, FILE_DONE, WRITTEN, FAILED } word;
	uint32_t file;
	uint64_t a, b; /* bytes of this file; statements taken and left out */
	struct error error;
};

struct mapped {
	void *data; /* NULL: empty */
	size_t n;
};

/* What the process that parses has. */
struct work {
	const struct import_request *req;
	struct mapped *files, old;
	size_t n_files;
	int out, socket;
	/* of the file that is being read */
	uint32_t file;
	uint64_t rows;
	size_t at; /* bytes of it before this document */
	struct advisory_sink inner, outer;
};

static void tell(struct work *w, const struct message *m)
{
	/* Without a parent nobody would put the result in its place. */
	if (socket_send(w->socket, m, sizeof(*m), NULL, 0) < 0)
		_exit(1);
}

static void step(void *arg, size_t at)
{
	struct work *w = arg;

	w->at = at;
	tell(w, &(struct message){ .word = PROGRESS, .file = w->file, .a = at < w->files[w->file].n ? at : w->files[w->file].n });
}

/* Within a document that is all of its file, compressed or not, the share of it that is parsed. */
static void count(struct work *w)
{
	size_t n = w->files[w->file].n;

	if (++w->rows % TELL_ROWS == 0)
		step(w, w->outer.size ? (size_t)((unsigned __int128)n * w->outer.at / w->outer.size) : w->at);
}

/* Stands between parser and index to count. */
static int count_row(void *ctx, const struct advisory_row *row, struct error *e)
{
	struct work *w = ctx;

	count(w);
	return w->inner.row(w->inner.ctx, row, e);
}

static int count_epss(void *ctx, const char *cve, double score, double percentile, struct error *e)
{
	struct work *w = ctx;

	count(w);
	return w->inner.epss(w->inner.ctx, cve, score, percentile, e);
}

static int count_kev(void *ctx, const char *cve, const char *added, const char *due, bool ransomware, struct error *e)
{
	struct work *w = ctx;

	count(w);
	return w->inner.kev(w->inner.ctx, cve, added, due, ransomware, e);
}

static int pass_feed(void *ctx, const struct advisory_feed *feed, const char *published, struct error *e)
{
	struct work *w = ctx;

	return w->inner.feed(w->inner.ctx, feed, published, e);
}

static int pass_drop(void *ctx, const char *advisory, struct error *e)
{
	struct work *w = ctx;

	return w->inner.drop(w->inner.ctx, advisory, e);
}

static int read_file(struct work *w, struct advdb_db *db, struct error *e)
{
	const char *path = w->req->files[w->file], *slash = strrchr(path, '/');
	const struct mapped *f = &w->files[w->file];
	char sha256[DIGEST_SIZE];
	int r;

	hash_hex(f->data, f->n, sha256);
	w->rows = 0;
	w->at = 0;
	w->outer = (struct advisory_sink){.ctx = w,
		.feed = pass_feed,
		.drop = pass_drop,
		.row = count_row,
		.kev = count_kev,
		.epss = count_epss};
	r = advdb_begin(db, slash ? slash + 1 : path, sha256, (int64_t)(clock_now_ns() / 1000000000), e);
	w->inner = *advdb_sink(db);
	if (r == 0)
		r = advisory_unpack(path, f->data, f->n, &w->outer, step, w, e);
	if (r == 0)
		r = advdb_end(db, e);
	if (r == 0)
		tell(w, &(struct message){ .word = FILE_DONE, .file = w->file, .a = w->rows, .b = w->outer.left_out });
	return r;
}

static int work_inside(struct work *w, struct error *e)
{
	const struct room room = { .memory = memory_max, .file_size = index_max, .accept_no_landlock = w->req->accept_no_landlock };
	_cleanup_advdb_ struct advdb_db *db = NULL;
	const void *bytes;
	size_t n;
	int r;

	json_object_seed(0); /* from /dev/urandom, which is out of reach afterwards */
	r = room_enter(&room, e);

	if (r == 0)
		r = advdb_open_write(w->old.data, w->old.n, &db, e);
	for (w->file = 0; r == 0 && w->file < w->n_files; w->file++)
		r = read_file(w, db, e);
	if (r == 0)
		r = advdb_bytes(db, &bytes, &n, e);
	if (r < 0)
		return r;
	r = fd_write_all(w->out, bytes, n);
	return r < 0 ? error_errno(e, r, "cannot write the new index") : 0;
}

static void __attribute__((noreturn)) run_child(struct work *w)
{
	struct message m = { .word = FAILED };
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	r = work_inside(w, &m.error);
	if (r == 0)
		m.word = WRITTEN;
	else if (m.error.code == 0)
		error_errno(&m.error, r, "the import failed");
	tell(w, &m);
	_exit(r < 0);
}

static void show(const struct work *w, const struct message *m)
{
	uint64_t before = 0, total = 0;

	if (!w->req->progress)
		return;
	for (size_t i = 0; i < w->n_files; i++) {
		before += i < m->file ? w->files[i].n : 0;
		total += w->files[i].n;
	}
	w->req->progress(w->req->arg, w->req->files[m->file], before + m->a, total);
}

/* 1: the new index is written. */
static int take_message(struct work *w, int socket, struct error *e)
{
	struct message m;
	ssize_t n = socket_recv(socket, &m, sizeof(m), NULL, NULL);

	if (n == 0)
		return error_set(e, EIO, "the process that reads advisories ended without a word");
	if (n != (ssize_t)sizeof(m) || (m.word != FAILED && m.word != WRITTEN && m.file >= w->n_files))
		return error_errno(e, n < 0 ? (int)n : EPROTO, "from the process that reads advisories");
	switch (m.word) {
	case PROGRESS:
		show(w, &m);
		return 0;
	case FILE_DONE:
		if (w->req->done)
			w->req->done(w->req->arg, w->req->files[m.file], m.a, m.b);
		return 0;
	case WRITTEN:
		return 1;
	case FAILED:
		m.error.text[ERROR_TEXT_MAX - 1] = 0;
		if (m.error.hint >= ERROR_TEXT_MAX)
			m.error.hint = 0;
		if (e)
			*e = m.error;
		return m.error.code < 0 ? m.error.code : -EBADMSG;
	}
	return error_set(e, EPROTO, "the process that reads advisories talks nonsense");
}

static int hear(struct work *w, int socket, int signals, struct error *e)
{
	for (;;) {
		struct pollfd p[2] = { { .fd = socket, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
		int r;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return error_errno(e, errno, "poll");
		if (p[1].revents) {
			error_set(e, EINTR, "stopped; the index is as it was");
			if (e)
				e->exit = 130;
			return -EINTR;
		}
		r = p[0].revents ? take_message(w, socket, e) : 0;
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

static int run(struct work *w, struct error *e)
{
	_cleanup_close_ int signals = -1, ours = -1;
	int pair[2], status, r;
	sigset_t stop;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(e, errno, "socketpair");
	ours = pair[0];
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGHUP);
	signals = signalfd(-1, &stop, SFD_CLOEXEC);
	fflush(NULL);
	pid = signals < 0 ? -1 : fork();
	if (pid == 0) {
		close(ours);
		w->socket = pair[1];
		run_child(w);
	}
	close(pair[1]);
	if (pid < 0)
		return error_errno(e, errno, "fork");
	r = hear(w, ours, signals, e);
	if (r < 0)
		kill(pid, SIGKILL);
	status = proc_wait(pid);
	if (r == -EIO && status >= 0 && WIFSIGNALED(status))
		r = error_set(e, EIO, "the process that reads advisories was ended by signal %d", WTERMSIG(status));
	return r;
}

static int map_fd(int fd, const char *name, struct mapped *out, struct error *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(e, errno, "%s", name);
	if (!S_ISREG(st.st_mode))
		return error_set(e, EINVAL, "%s: not a regular file", name);
	*out = (struct mapped){ NULL, (size_t)st.st_size };
	if (st.st_size == 0)
		return 0;
	out->data = mmap(NULL, out->n, PROT_READ, MAP_PRIVATE, fd, 0);
	if (out->data == MAP_FAILED) {
		out->data = NULL;
		return error_errno(e, errno, "%s", name);
	}
	return 0;
}

static void unmap(struct mapped *m)
{
	if (m->data)
		munmap(m->data, m->n);
}

static int open_files(struct work *w, struct error *e)
{
	int r = 0;

	for (; r == 0 && w->n_files < FILES_MAX && w->req->files[w->n_files]; w->n_files++) {
		const char *path = w->req->files[w->n_files];
		_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

		r = fd < 0 ? error_errno(e, errno, "%s", path) : map_fd(fd, path, &w->files[w->n_files], e);
		if (r == 0 && w->files[w->n_files].n == 0)
			r = error_set(e, EBADMSG, "%s: empty", path);
	}
	return r;
}

/* The new index becomes the index, on the disk first. */
static int publish(int dir, int fd, const char *name, struct error *e)
{
	_cleanup_close_ int sync = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* `dir` is O_PATH */

	if (sync < 0 || fsync(fd) < 0 || renameat(dir, name, dir, ADVISORY_INDEX) < 0 || fsync(sync) < 0)
		return error_errno(e, errno, "cannot put the new index in its place");
	return 0;
}

static int import_in(int dir, struct work *w, struct error *e)
{
	static const char name[] = ADVISORY_INDEX ".new";
	_cleanup_close_ int old = openat(dir, ADVISORY_INDEX, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r = 0;

	if (old < 0 && errno != ENOENT)
		return error_errno(e, errno, "the index of advisories");
	if (old >= 0)
		r = map_fd(old, "the index of advisories", &w->old, e);
	/* One that an import left which was killed: the lock is ours, nobody writes to it. */
	if (r == 0 && unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		r = error_errno(e, errno, "%s", name);
	if (r < 0)
		return r;
	w->out = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (w->out < 0)
		return error_errno(e, errno, "cannot make the new index");
	r = run(w, e);
	if (r == 0)
		r = publish(dir, w->out, name, e);
	if (r < 0)
		unlinkat(dir, name, 0);
	close(w->out);
	return r;
}

int advisory_import(const struct import_request *req, struct error *e)
{
	_cleanup_close_ int dir = home_data_dir("vet", e), lock = -1;
	_cleanup_free_ struct mapped *files = xcalloc(FILES_MAX, sizeof(*files));
	struct work w = { .req = req, .files = files, .out = -1, .socket = -1 };
	int r;

	if (dir < 0)
		return dir;
	lock = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0)
		return error_errno(e, errno, "the lock of the index of advisories");
	while (flock(lock, LOCK_EX) < 0)
		if (errno != EINTR)
			return error_errno(e, errno, "the lock of the index of advisories");
	r = open_files(&w, e);
	if (r == 0)
		r = import_in(dir, &w, e);
	for (size_t i = 0; i < w.n_files; i++)
		unmap(&w.files[i]);
	unmap(&w.old);
	return r;
}

int advisory_index_open(struct error *e)
{
	_cleanup_close_ int dir = home_data_dir("vet", e);
	int fd;

	if (dir < 0)
		return dir;
	fd = openat(dir, ADVISORY_INDEX, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : error_errno(e, errno, "the index of advisories");
	return fd;
}
