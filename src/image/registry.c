/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/proc.h"
#include "image/credentials.h"
#include "image/name.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PEM_MAX = 256 * 1024 };

/* --- what to ask with --------------------------------------------------------------------------------------------- */

static int add_pem(int dir, const char *name, const char *path, char **to, struct error *e)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	_cleanup_free_ char *text = NULL, *before = steal_ptr(to);
	size_t n;
	int r = fd < 0 ? -errno : fd_read_all(fd, PEM_MAX, &text, &n);

	if (r < 0)
		return error_errno(e, r, "%s/%s", path, name);
	*to = xasprintf("%s%s%s", before ? before : "", before ? "\n" : "", text);
	return 0;
}

/* docker's certs.d: *.crt are authorities, NAME.cert and NAME.key the client's. */
static int read_certs(const char *path, struct fetch_request *out, struct error *e)
{
	_cleanup_closedir_ DIR *d = opendir(path);
	struct dirent *de;
	int r = 0;

	if (!d)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : error_errno(e, errno, "%s", path);
	while (r == 0 && (de = readdir(d))) {
		if (str_ends(de->d_name, ".crt"))
			r = add_pem(dirfd(d), de->d_name, path, &out->authorities, e);
		else if (str_ends(de->d_name, ".cert") && !out->certificate)
			r = add_pem(dirfd(d), de->d_name, path, &out->certificate, e);
		else if (str_ends(de->d_name, ".key") && !out->key)
			r = add_pem(dirfd(d), de->d_name, path, &out->key, e);
	}
	if (r == 0 && !out->certificate != !out->key)
		r = error_set(e, EINVAL, "%s: a client certificate needs NAME.cert and NAME.key", path);
	return r;
}

static int find_certs(const char *host, struct fetch_request *out, struct error *e)
{
	const char *own = home_config_path(NULL), *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char *paths[4] = { NULL };
	int r = 0;

	if (own)
		paths[0] = xasprintf("%s/certs.d/%s", own, host);
	if (xdg && *xdg == '/')
		paths[1] = xasprintf("%s/containers/certs.d/%s", xdg, host);
	else if (home && *home == '/')
		paths[1] = xasprintf("%s/.config/containers/certs.d/%s", home, host);
	paths[2] = xasprintf("/etc/containers/certs.d/%s", host);
	paths[3] = xasprintf("/etc/docker/certs.d/%s", host);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(paths); i++)
		if (paths[i] && !out->authorities && !out->certificate)
			r = read_certs(paths[i], out, e);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		free(paths[i]);
	return r;
}

/* registries.conf: blocked, or kept at another place under another name. `mirror`: which of them; SIZE_MAX: itself. 1; 0: no such mirror. */
static int apply_rules(const struct reference *ref, size_t mirror, struct reference *at, bool *insecure, struct error *e)
{
	_cleanup_(registries_free) struct registries all = { 0 };
	_cleanup_free_ char *name = xasprintf("%s/%s", ref->host, ref->path), *moved = NULL;
	const struct registry_rule *rule;
	size_t n = 0;
	int r = registries_load(&all, e);

	if (r < 0)
		return r;
	rule = registries_rule(&all, name);
	if (rule && rule->blocked)
		return error_set(e, EACCES, "registries.conf blocks %s", rule->prefix);
	*insecure = rule && rule->insecure;
	if (mirror == SIZE_MAX) {
		if (rule && rule->location)
			moved = registries_rewrite(rule, rule->location, name);
		r = reference_parse(moved ? moved : name, at, e);
		return r < 0 ? error_wrap(e, "registries.conf") : 1;
	}
	for (size_t i = 0; rule && i < rule->n_mirrors; i++) {
		const struct registry_mirror *m = &rule->mirrors[i];

		if (!registries_mirror_for(rule, m, ref->digest[0] != 0) || n++ != mirror)
			continue;
		moved = registries_rewrite(rule, m->location, name);
		*insecure = m->insecure;
		r = reference_parse(moved, at, e);
		return r < 0 ? error_wrap(e, "a mirror of registries.conf") : 1;
	}
	return 0;
}

/* Nobody of whom registries.conf alone says so is spoken to without a verified certificate; what to do says the error. */
static void hint_insecure(const struct fetch_request *r, int err, struct error *e)
{
	if (err == -EPROTO && r->said_insecure && !r->insecure)
		error_hint(e, "registries.conf calls it insecure; brig asks that of brig.conf alone");
}

static int prepare(const struct reference *ref, size_t mirror, const struct conf *conf, struct fetch_request *out, struct error *e)
{
	_cleanup_credentials_ struct credentials login = { 0 };
	_cleanup_reference_ struct reference at = { 0 };
	_cleanup_free_ char *name = NULL;
	int r;

	*out = (struct fetch_request){ .timeout_s = conf->registry_timeout, .size_max = conf->image_size,
				       .layers_max = conf->image_layers };
	r = apply_rules(ref, mirror, &at, &out->said_insecure, e);
	if (r <= 0)
		return r;
	out->server = xstrdup(reference_server(&at));
	out->repository = xstrdup(at.path);
	out->reference = ref->digest[0] ? xasprintf("sha256:%s", ref->digest) : xstrdup(ref->tag);
	out->insecure = strv_has(conf->insecure_registries, at.host);
	out->token_servers = strv_copy(conf->token_servers);
	out->accept_no_landlock = strv_has(conf->accept_lowered, "landlock");
	name = xasprintf("%s/%s", at.host, at.path);
	r = credentials_find(name, &login, e);
	if (r == 0)
		r = find_certs(at.host, out, e);
	out->user = steal_ptr(&login.user);
	out->password = steal_ptr(&login.password);
	if (r < 0)
		fetch_request_free(out);
	return r < 0 ? r : 1;
}

int registry_prepare(const struct reference *ref, const struct conf *conf, struct fetch_request *out, struct error *e)
{
	int r = prepare(ref, SIZE_MAX, conf, out, e);

	return r < 0 ? r : 0;
}

int registry_prepare_mirror(const struct reference *ref, const struct conf *conf, size_t i, struct fetch_request *out, struct error *e)
{
	return prepare(ref, i, conf, out, e);
}

/* What no other place would help against. */
static bool final(int err)
{
	return err >= 0 || err == -EINTR || err == -ENOSPC || err == -EDQUOT;
}

int registry_places(const struct reference *ref, const struct conf *conf, const struct registry_report *report, registry_attempt attempt,
		    void *arg, struct error *e)
{
	_cleanup_(fetch_request_free) struct fetch_request last = { 0 };
	int err;

	for (size_t i = 0;; i++) {
		_cleanup_(fetch_request_free) struct fetch_request r = { 0 };
		_cleanup_free_ char *text = NULL;
		struct error own = { 0 };
		int there = registry_prepare_mirror(ref, conf, i, &r, &own);

		if (there == 0)
			break;
		err = there < 0 ? there : attempt(arg, &r, &own);
		/* Blocked, or files that cannot be read, is no mirror's failure. */
		if (final(err) || there < 0) {
			if (err < 0 && e)
				*e = own;
			return err;
		}
		text = xasprintf("the mirror %s/%s: %s", r.server, r.repository, own.text);
		if (report && report->note)
			report->note(report->arg, text);
	}
	err = registry_prepare(ref, conf, &last, e);
	return err < 0 ? err : attempt(arg, &last, e);
}

/* --- the process -------------------------------------------------------------------------------------------------- */

static void __attribute__((noreturn)) start(int socket, int folder, int request, const int *fds, size_t n)
{
	/* A proxy, a bundle of authorities (as OpenSSL's programs read it), and nothing else of the caller's environment. */
	static const char *const names[] = { "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE", NULL };
	_cleanup_free_ char *path = xasprintf("%sbrig-registry", proc_libexec());
	char *env[ARRAY_SIZE(names)], *argv[] = { path, NULL };
	int all[FETCH_BLOBS_MAX + 3];
	size_t k = 0;
	sigset_t none;

	for (size_t i = 0; names[i]; i++)
		if (getenv(names[i]))
			env[k++] = xasprintf("%s=%s", names[i], getenv(names[i]));
	env[k] = NULL;
	all[0] = socket;
	all[1] = folder;
	all[2] = request;
	memcpy(all + 3, fds, n * sizeof(*fds));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (fds_arrange(all, n + 3, FETCH_SOCKET) == 0)
		execve(path, argv, env);
	_exit(127);
}

struct hearing {
	const struct registry_report *report;
	registry_heard heard;
	void *arg;
	int socket;
	struct error *e;
};

static int answer(struct hearing *h, const struct fetch_message *m)
{
	int r = h->heard ? h->heard(h->arg, m, h->e) : 0;
	char c = r > 0 ? 'y' : 'n';

	if (r < 0 || (m->word != FETCH_TOP && m->word != FETCH_WANT))
		return r < 0 ? r : 0;
	r = socket_send(h->socket, &c, 1, NULL, 0);
	return r < 0 ? error_errno(h->e, r, "the process that speaks with the registry") : 0;
}

/* 1: it is done. */
static int take_message(struct hearing *h)
{
	static const char nonsense[] = "the process that speaks with the registry talks nonsense";
	struct fetch_message m;
	ssize_t n = socket_recv(h->socket, &m, sizeof(m), NULL, NULL);

	if (n == 0 || n == -ECONNRESET)
		return error_set(h->e, EIO, "the process that speaks with the registry ended without a word");
	if (n != (ssize_t)sizeof(m))
		return error_set(h->e, EPROTO, nonsense);
	switch (m.word) {
	case FETCH_PROGRESS:
		if (h->report->progress)
			h->report->progress(h->report->arg, m.bytes.done, m.bytes.total);
		return 0;
	case FETCH_TOP:
	case FETCH_WANT:
	case FETCH_GOT:
		m.top.media_type[FETCH_MEDIA_TYPE - 1] = 0;
		return hex_valid(m.top.hex, DIGEST_HEX) ? answer(h, &m) : error_set(h->e, EPROTO, nonsense);
	case FETCH_READY:
		return answer(h, &m);
	case FETCH_SIGNATURE:
		return hex_valid(m.kept.hex, DIGEST_HEX) && hex_valid(m.kept.subject, DIGEST_HEX) && m.kept.kind <= SIGNATURE_PART ?
			       answer(h, &m) : error_set(h->e, EPROTO, nonsense);
	case FETCH_EXTRA:
		m.extra.tag[sizeof(m.extra.tag) - 1] = 0;
		return h->heard && hex_valid(m.extra.hex, DIGEST_HEX) && (!m.extra.tag[0] || tag_valid(m.extra.tag)) ?
			       h->heard(h->arg, &m, h->e) : error_set(h->e, EPROTO, nonsense);
	case FETCH_UNASKED:
		m.note[sizeof(m.note) - 1] = 0;
		if (h->report->unasked)
			h->report->unasked(h->report->unasked_arg, m.note);
		return 0;
	case FETCH_TAG:
		m.note[sizeof(m.note) - 1] = 0;
		return h->heard && tag_valid(m.note) ? h->heard(h->arg, &m, h->e) : error_set(h->e, EPROTO, nonsense);
	case FETCH_ETAG:
		m.note[sizeof(m.note) - 1] = 0;
		return h->heard ? h->heard(h->arg, &m, h->e) : error_set(h->e, EPROTO, nonsense);
	case FETCH_ERROR:
		m.error.text[ERROR_TEXT_MAX - 1] = 0;
		if (m.error.hint >= ERROR_TEXT_MAX)
			m.error.hint = 0;
		*h->e = m.error;
		return m.error.code < 0 ? m.error.code : -EPROTO;
	case FETCH_DONE:
		return 1;
	}
	return error_set(h->e, EPROTO, nonsense);
}

static int hear(struct hearing *h, int signals)
{
	for (;;) {
		struct pollfd p[3] = { { .fd = h->socket, .events = POLLIN }, { .fd = signals, .events = POLLIN },
				       { .fd = h->report->also ? *h->report->also : -1, .events = POLLIN } };
		int r;

		if (poll(p, 3, -1) < 0 && errno != EINTR)
			return error_errno(h->e, errno, "poll");
		if (p[2].revents) {
			r = h->report->also_ready(h->report->also_arg, h->e);
			if (r < 0)
				return r;
		}
		if (p[1].revents) {
			struct signalfd_siginfo si = { 0 };

			if (read(signals, &si, sizeof(si)) > 0) {
				error_set(h->e, EINTR, "stopped by signal %u", si.ssi_signo);
				h->e->exit = 128 + (int)si.ssi_signo;
				return -EINTR;
			}
		}
		if (!p[0].revents)
			continue;
		r = take_message(h);
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

static int run(const struct fetch_request *r, int folder, const int *fds, size_t n, struct hearing *h, int signals)
{
	_cleanup_json_ json_t *j = fetch_request_json(r);
	_cleanup_free_ char *text = json_text(j);
	_cleanup_close_ int request = memfd_sealed("request", text, strlen(text)), other = -1, null = -1;
	int pair[2], err, status;
	pid_t pid;

	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (request < 0 || null < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(h->e, request < 0 ? request : errno, "cannot start brig-registry");
	h->socket = pair[0];
	if (h->report->socket)
		*h->report->socket = pair[0];
	other = pair[1];
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		start(other, folder < 0 ? null : folder, request, fds, n);
	cleanup_close(&other);
	err = pid < 0 ? error_errno(h->e, errno, "fork") : hear(h, signals);
	if (pid > 0) {
		/* Only when it is gone may what it wrote be trusted to stay as it is. */
		if (err < 0)
			kill(pid, SIGKILL);
		status = proc_wait(pid);
		if (err == -EIO && status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 127)
			error_set(h->e, ENOENT, "cannot run %sbrig-registry: install brig as a whole", proc_libexec());
		else if (err == -EIO && status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
			error_set(h->e, EIO, "the process that speaks with the registry was ended by signal %d", WTERMSIG(status));
	}
	close(pair[0]);
	return err;
}

int registry_run(const struct fetch_request *r, int folder, const int *fds, size_t n_fds, const struct registry_report *report,
		 registry_heard heard, void *arg, struct error *e)
{
	struct error own = { 0 };
	struct hearing h = { .report = report, .heard = heard, .arg = arg, .e = e ? e : &own };
	_cleanup_close_ int signals = -1;
	sigset_t stop, before;
	int err;

	if (n_fds > FETCH_BLOBS_MAX)
		return error_set(e, EFBIG, "more than %d blobs", FETCH_BLOBS_MAX);
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGHUP);
	sigprocmask(SIG_BLOCK, &stop, &before);
	signals = signalfd(-1, &stop, SFD_CLOEXEC);
	err = signals < 0 ? error_errno(e, errno, "signalfd") : run(r, folder, fds, n_fds, &h, signals);
	hint_insecure(r, err, h.e);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return err;
}

/* An entity tag as RFC 9110 section 8.8.3 has it: it becomes a header again. */
static bool etag_valid(const char *s)
{
	const char *text = str_after(s, "W/") ? str_after(s, "W/") : s;
	size_t n = strlen(text);

	if (n < 2 || n > 256 || text[0] != '"' || text[n - 1] != '"')
		return false;
	for (size_t i = 1; i + 1 < n; i++)
		if (text[i] < 0x21 || text[i] > 0x7e || text[i] == '"')
			return false;
	return true;
}

static int take_etag(void *arg, const struct fetch_message *m, struct error *e)
{
	struct registry_file *f = arg;

	if (m->word != FETCH_ETAG || (!m->note[0] && !f->unless))
		return error_set(e, EPROTO, "the process that speaks with the registry talks nonsense");
	f->same = !m->note[0];
	if (etag_valid(m->note)) {
		free(f->etag);
		f->etag = xstrdup(m->note);
	}
	return 0;
}

int registry_fetch_file(struct registry_file *f, const struct conf *conf, int folder, const struct registry_report *report, struct error *e)
{
	_cleanup_(fetch_request_free) struct fetch_request r = { .operation = FETCH_FILE, .timeout_s = conf->registry_timeout, .size_max = f->max };
	const char *url = f->url;
	const char *host = str_after(url, "https://");
	size_t n = host ? strcspn(host, "/?#") : 0;
	int err;

	for (const char *s = url; *s; s++)
		if (*s <= ' ' || *s > '~')
			n = 0;
	if (n == 0 || memchr(host, '@', n) || strchr(url, '#'))
		return error_set(e, EINVAL, "\"%s\": not a URL like https://mirror.example/file", url);
	r.server = xstrndup(host, n);
	r.reference = xasprintf("%s%s", host[n] == '/' ? "" : "/", host + n);
	r.accept_no_landlock = strv_has(conf->accept_lowered, "landlock");
	r.unless = f->unless && etag_valid(f->unless) ? xstrdup(f->unless) : NULL;
	err = find_certs(r.server, &r, e);
	return err < 0 ? err : registry_run(&r, folder, NULL, 0, report, take_etag, f, e);
}

enum { TAGS_MAX = 100000 };

struct tag_list {
	char **tags;
	size_t n, room;
	const struct tags_wanted *wanted;
};

static int take_tag(void *arg, const struct fetch_message *m, struct error *e)
{
	struct tag_list *l = arg;

	if (m->word != FETCH_TAG)
		return error_set(e, EPROTO, "the process that speaks with the registry talks nonsense");
	/* Not every registry heeds what it is asked for. */
	if ((l->wanted->match && fnmatch(l->wanted->match, m->note, 0) != 0) ||
	    (l->wanted->last && strcmp(m->note, l->wanted->last) <= 0))
		return 0;
	if (l->n >= TAGS_MAX)
		return error_set(e, EFBIG, "more than %d tags", TAGS_MAX);
	if (l->n + 1 >= l->room) {
		l->room = l->room ? l->room * 2 : 64;
		l->tags = xrealloc(l->tags, l->room, sizeof(char *));
	}
	l->tags[l->n++] = xstrdup(m->note);
	l->tags[l->n] = NULL;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, each once, and no more than were asked for. */
static void tidy(struct tag_list *l)
{
	size_t kept = 0;

	if (l->n)
		qsort(l->tags, l->n, sizeof(char *), by_name);
	for (size_t i = 0; i < l->n; i++) {
		if ((kept && streq(l->tags[kept - 1], l->tags[i])) || (l->wanted->most && kept == l->wanted->most))
			free(l->tags[i]);
		else
			l->tags[kept++] = l->tags[i];
	}
	if (l->tags)
		l->tags[kept] = NULL;
}

int registry_tags(const struct reference *ref, const struct tags_wanted *wanted, const struct conf *conf, char ***out, struct error *e)
{
	_cleanup_(fetch_request_free) struct fetch_request r = { 0 };
	struct registry_report quiet = { 0 };
	struct tag_list l = { .wanted = wanted };
	int err = registry_prepare(ref, conf, &r, e);

	*out = NULL;
	if (err == 0) {
		r.operation = FETCH_TAGS;
		r.last = xstrdup(wanted->last);
		/* What the pattern takes away is not known there. */
		r.tags_max = wanted->match ? 0 : wanted->most;
		err = registry_run(&r, -1, NULL, 0, &quiet, take_tag, &l, e);
	}
	if (err < 0) {
		strv_free(l.tags);
		return error_wrap(e, "cannot list the tags of %s/%s", ref->host, ref->path);
	}
	tidy(&l);
	*out = l.tags;
	return 0;
}

int registry_login(const char *host, const char *user, const char *password, struct error *e)
{
	_cleanup_free_ char *name = xasprintf("%s/check", host);
	_cleanup_(fetch_request_free) struct fetch_request r = { 0 };
	_cleanup_reference_ struct reference ref = { 0 };
	struct registry_report quiet = { 0 };
	struct conf conf;
	int err = conf_load(&conf, e);

	if (err < 0)
		return err;
	err = reference_parse(name, &ref, e);
	if (err == 0)
		err = registry_prepare(&ref, &conf, &r, e);
	conf_free(&conf);
	if (err < 0)
		return err;
	r.operation = FETCH_CHECK;
	free(r.user);
	free(r.password);
	r.user = xstrdup(user);
	r.password = xstrdup(password);
	return registry_run(&r, -1, NULL, 0, &quiet, NULL, NULL, e);
}
