/* SPDX-License-Identifier: Apache-2.0 */
#include "image/fetch_internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "image/room.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REQUEST_MAX = 8 * 1024 * 1024, TELL_NS = 50000000 };

void fetch_tell(const struct fetch_message *m)
{
	/* If nobody listens any more, nothing that happens here matters. */
	if (socket_send(FETCH_SOCKET, m, sizeof(*m), NULL, 0) < 0)
		_exit(1);
}

void fetch_progress(void *arg, int64_t bytes)
{
	struct fetching *f = arg;
	struct fetch_message m = { .word = FETCH_PROGRESS };
	uint64_t now = clock_monotonic_ns();

	f->done += (uint64_t)bytes;
	if (now - f->told_ns < TELL_NS)
		return;
	f->told_ns = now;
	m.bytes.done = f->done;
	m.bytes.total = f->total;
	fetch_tell(&m);
}

/* The files by which the C library finds out what a name's address is. Its parts files and dns are built in (glibc 2.34). */
static const char *const resolver[] = { "/etc/resolv.conf", "/etc/hosts",	"/etc/nsswitch.conf", "/etc/host.conf",
					"/etc/gai.conf",    "/etc/services", "/etc/localtime",     "/dev/null" };

static bool writes(enum fetch_operation o)
{
	return o == FETCH_PULL || o == FETCH_FILE || o == FETCH_DOCUMENTS || o == FETCH_SOME;
}

static int enter(const struct fetch_request *r, struct error *e)
{
	int files[ARRAY_SIZE(resolver)], err;
	const int write_dirs[] = { FETCH_FOLDER };
	struct room room = {
		.write_dirs = write_dirs,
		.n_write = writes(r->operation) ? 1 : 0,
		.read_files = files,
		.network = true,
		.memory = 1ULL << 30,
		.file_size = r->size_max ? r->size_max : 1 << 20,
		.accept_no_landlock = r->accept_no_landlock,
	};

	for (size_t i = 0; i < ARRAY_SIZE(resolver); i++) {
		int fd = open(resolver[i], O_PATH | O_CLOEXEC);

		if (fd >= 0)
			files[room.n_read_files++] = fd;
	}
	err = room_enter(&room, e);
	for (size_t i = 0; i < room.n_read_files; i++)
		close(files[i]);
	return err;
}

/* Without a repository: does the registry take the login? With one, what is asked of the token server is a pull. */
static int check(struct fetching *f, struct error *e)
{
	_cleanup_http_request_ struct http_request q;
	int r;

	http_request_init(&q, "GET", http_url(f->http, "/v2/"));
	r = http_do_one(f->http, &q, e);
	if (r < 0)
		return r;
	if (q.status == 200)
		return 0;
	return http_status_error(&q, "login", e);
}

/* A file that is no image's: whoever asked for it reads it in a room of its own. */
static int fetch_file(struct fetching *f, struct error *e)
{
	_cleanup_close_ int fd = openat(FETCH_FOLDER, "file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct fetch_message m = { .word = FETCH_ETAG };
	_cleanup_http_request_ struct http_request q;
	int r;

	if (fd < 0)
		return error_errno(e, errno, "cannot make the file");
	http_request_init(&q, "GET", http_url(f->http, "%s", f->req.reference));
	q.file = fd;
	q.max = f->req.size_max;
	q.progress = fetch_progress;
	q.arg = f;
	q.unless = f->req.unless;
	r = http_do_one(f->http, &q, e);
	if (r == 0 && q.status != 200 && !(q.status == 304 && q.unless))
		return http_status_error(&q, "file", e);
	if (r == 0 && (q.status == 304 || (q.etag && strlen(q.etag) < sizeof(m.note)))) {
		snprintf(m.note, sizeof(m.note), "%s", q.status == 304 ? "" : q.etag);
		fetch_tell(&m);
	}
	return r;
}

static char *scope_of(const struct fetch_request *r)
{
	switch (r->operation) {
	case FETCH_PULL:
	case FETCH_TAGS:
	case FETCH_DOCUMENTS:
	case FETCH_SOME:
		return xasprintf("repository:%s:pull", r->repository);
	case FETCH_PUSH:
	case FETCH_MISSING:
		return xasprintf("repository:%s:pull,push%s%s%s", r->repository, r->from ? " repository:" : "",
				 r->from ? r->from : "", r->from ? ":pull" : "");
	default:
		return NULL;
	}
}

/* The server of signatures that a person's registries.d names. It gets no password and no certificate of the client. */
static int open_aside(struct fetching *f, struct error *e)
{
	bool plain = !url_is_https(f->req.lookaside);
	int r;

	f->aside_req = (struct fetch_request){ .server = url_authority(f->req.lookaside), .authorities = f->req.authorities,
					       .timeout_s = f->req.timeout_s };
	if (!f->aside_req.server)
		return error_set(e, EINVAL, "registries.d: \"%.200s\" is no URL", f->req.lookaside);
	r = http_open(&f->aside_req, NULL, &f->aside, e);
	if (r == 0)
		f->aside->plain = plain;
	return r;
}

static int work(struct fetching *f, struct error *e)
{
	_cleanup_free_ char *text = NULL, *scope = NULL;
	_cleanup_json_ json_t *j = NULL;
	size_t n;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 0); /* it knows a password */
	umask(077);
	r = fd_read_all(FETCH_REQUEST, REQUEST_MAX, &text, &n);
	if (r < 0)
		return error_errno(e, r, "the request");
	close(FETCH_REQUEST);
	j = json_parse(text, n, "the request", e);
	r = j ? fetch_request_read(j, &f->req, e) : e->code;
	if (r < 0)
		return r;
	scope = scope_of(&f->req);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	r = http_open(&f->req, scope, &f->http, e);
	if (r == 0 && f->req.lookaside)
		r = open_aside(f, e);
	if (r == 0)
		r = enter(&f->req, e);
	if (r < 0)
		return r;
	switch (f->req.operation) {
	case FETCH_PULL:
		return fetch_pull(f, e);
	case FETCH_PUSH:
		return fetch_push(f, e);
	case FETCH_FILE:
		return fetch_file(f, e);
	case FETCH_TAGS:
		return fetch_tags(f, e);
	case FETCH_DOCUMENTS:
		return fetch_documents(f, e);
	case FETCH_MISSING:
		return fetch_missing(f, e);
	case FETCH_SOME:
		return fetch_some(f, e);
	default:
		return check(f, e);
	}
}

int fetch_main(void)
{
	struct fetching f = { 0 };
	struct fetch_message m = { .word = FETCH_DONE };

	if (fcntl(FETCH_SOCKET, F_GETFD) < 0 || fcntl(FETCH_FOLDER, F_GETFD) < 0 || fcntl(FETCH_REQUEST, F_GETFD) < 0) {
		static const char text[] = "brig-registry: brig starts this program; see brig pull --help\n";

		fd_write_all(2, text, sizeof(text) - 1);
		return 125;
	}
	if (work(&f, &m.error) < 0) {
		m.word = FETCH_ERROR;
	} else {
		struct fetch_message last = { .word = FETCH_PROGRESS };

		last.bytes.done = f.done;
		last.bytes.total = f.total;
		fetch_tell(&last);
	}
	fetch_tell(&m);
	_exit(0);
}
