/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/gpg.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "image/room.h"
#include "trust/encode.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS_MAX = 64 * 1024, PAYLOAD_MAX = 64 * 1024, KEYRING_MAX = 4 * 1024 * 1024, SECONDS_MAX = 20 };

/* --- keys --------------------------------------------------------------------------------------------------------- */

static const char begin_key[] = "-----BEGIN PGP PUBLIC KEY BLOCK-----", end_key[] = "-----END PGP PUBLIC KEY BLOCK-----";

/* One armored block (RFC 4880 section 6.2): headers, an empty line, base64 in lines, a checksum. *p moves behind it. */
static int dearmor(const char **p, struct buf *out)
{
	_cleanup_buf_ struct buf text = { 0 };
	const char *s = *p + strlen(begin_key), *end = strstr(s, end_key), *line;
	bool head = true;

	if (!end)
		return -EBADMSG;
	s += strcspn(s, "\n");
	for (line = *s ? s + 1 : s; line < end;) {
		size_t n = strcspn(line, "\n"), len = n;

		while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' ' || line[len - 1] == '\t'))
			len--;
		if (head && len > 0 && !memchr(line, ':', len))
			return -EBADMSG;
		if (!head && line[0] == '=')
			break;
		if (!head)
			buf_add(&text, line, len);
		if (len == 0)
			head = false;
		line += n + 1;
	}
	*p = end + strlen(end_key);
	return text.len ? base64_decode(text.data, text.len, out) : -EBADMSG;
}

static int add_key(const struct sig_bytes *k, struct buf *out)
{
	_cleanup_free_ char *text = xstrndup(k->data, k->size);
	const char *p = strstr(text, begin_key);
	size_t before = out->len;
	int r = 0;

	if (p) {
		for (; r == 0 && p; p = r == 0 ? strstr(p, begin_key) : NULL)
			r = dearmor(&p, out);
	} else {
		buf_add(out, k->data, k->size);
	}
	/* RFC 4880 section 4.2: the first packet must be a public key (6). A keybox of GnuPG's, or a secret key, is none. */
	if (r == 0 && out->len > before) {
		unsigned char c = (unsigned char)out->data[before];
		unsigned tag = c & 0x40 ? c & 0x3f : (c & 0x3f) >> 2;

		if (!(c & 0x80) || tag != 6)
			r = -EBADMSG;
	}
	return r == 0 && out->len == before ? -EBADMSG : r;
}

int gpg_keyring(const struct sig_bytes *keys, size_t n, struct buf *out, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		if (add_key(&keys[i], out) < 0 || out->len > KEYRING_MAX) {
			error_set(e, EBADMSG, "%s: no OpenPGP public key, binary or armored", keys[i].what);
			error_hint(e, "gpg --export --armor KEY writes one");
			return -EBADMSG;
		}
	}
	return 0;
}

/* --- the child ---------------------------------------------------------------------------------------------------- */

static void limit(int what, uint64_t max)
{
	struct rlimit rl = { max, max };

	setrlimit(what, &rl);
}

static size_t open_all(const char *const *paths, size_t n, int *fds)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		fds[k] = open(paths[i], O_PATH | O_CLOEXEC);
		if (fds[k] >= 0)
			k++;
	}
	return k;
}

/* It may read its libraries and run itself; where the loader lies is the ABI's business. */
static int lock_in(const char *program, bool accept_no_landlock, struct error *e)
{
	static const char *const libs[] = { "/lib", "/lib64", "/usr/lib", "/usr/lib64" };
	static const char *const files[] = { "/etc/ld.so.cache", "/etc/localtime" };
	const char *const run[] = { program, "/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-linux-armhf.so.3",
				    "/lib/ld-linux-riscv64-lp64d.so.1", "/lib64/ld64.so.2", "/lib/ld64.so.1" };
	int lib_fds[ARRAY_SIZE(libs)], file_fds[ARRAY_SIZE(files)], run_fds[ARRAY_SIZE(run)];
	struct room room = {
		.read_dirs = lib_fds,
		.n_read = open_all(libs, ARRAY_SIZE(libs), lib_fds),
		.read_files = file_fds,
		.n_read_files = open_all(files, ARRAY_SIZE(files), file_fds),
		.run_files = run_fds,
		.n_run = open_all(run, ARRAY_SIZE(run), run_fds),
		.memory = 512ULL << 20,
		.accept_no_landlock = accept_no_landlock,
	};

	return room_enter(&room, e);
}

static void __attribute__((noreturn)) child(const char *program, const int fds[5], bool accept_no_landlock)
{
	/* What SHA-1 signed is refused by gpgv itself, so that it never says VALIDSIG of it; MD5 is on its own list. */
	char *argv[] = { (char[]){ "gpgv" }, (char[]){ "--quiet" }, (char[]){ "--homedir" }, (char[]){ "/nonexistent" },
			 (char[]){ "--status-fd" }, (char[]){ "4" }, (char[]){ "--weak-digest" }, (char[]){ "SHA1" },
			 (char[]){ "--weak-digest" }, (char[]){ "RIPEMD160" }, (char[]){ "--keyring" },
			 (char[]){ "/proc/self/fd/3" }, (char[]){ "--output" }, (char[]){ "-" }, NULL };
	char *env[] = { (char[]){ "LC_ALL=C" }, (char[]){ "HOME=/nonexistent" }, NULL };
	struct error e = { 0 };
	int all[5];
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	limit(RLIMIT_CPU, SECONDS_MAX);
	limit(RLIMIT_NOFILE, 64);
	memcpy(all, fds, sizeof(all));
	/* 0 the message, 1 what was signed, 2 nothing, 3 the keys, 4 status */
	if (fds_arrange(all, 5, 0) < 0)
		_exit(126);
	if (lock_in(program, accept_no_landlock, &e) < 0) {
		fd_write_all(4, e.text, strlen(e.text));
		_exit(126);
	}
	execve(program, argv, env);
	_exit(127);
}

/* Both pipes until they end. */
static int gather(int out, int status, struct buf *payload, struct buf *lines, struct error *e)
{
	struct pollfd p[2] = { { .fd = out, .events = POLLIN }, { .fd = status, .events = POLLIN } };
	struct buf *to[2] = { payload, lines };

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return error_errno(e, errno, "poll");
		for (int i = 0; i < 2; i++) {
			char data[4096];
			ssize_t n;

			if (p[i].fd < 0 || !p[i].revents)
				continue;
			n = read(p[i].fd, data, sizeof(data));
			if (n <= 0)
				p[i].fd = -1;
			else if (to[i]->len + (size_t)n > (i ? STATUS_MAX : PAYLOAD_MAX))
				return error_set(e, EFBIG, "gpgv says too much");
			else
				buf_add(to[i], data, (size_t)n);
		}
	}
	return 0;
}

static int find_program(char *out, size_t size, struct error *e)
{
	if (proc_find("gpgv", out, size) == 0)
		return 0;
	error_set(e, ENOENT, "gpgv is not installed, which verifies GPG signatures");
	error_hint(e, "apt-get install gpgv");
	return -ENOENT;
}

int gpg_run(const void *message, size_t n, const void *keyring, size_t keyring_size, bool accept_no_landlock, struct gpg_said *out,
	    struct error *e)
{
	_cleanup_close_ int in = memfd_sealed("message", message, n), keys = memfd_sealed("keys", keyring, keyring_size);
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC), payload = -1, payload_end = -1, status = -1, status_end = -1;
	_cleanup_buf_ struct buf text = { 0 }, lines = { 0 };
	char program[256];
	int pair[2], r = find_program(program, sizeof(program), e), code;
	pid_t pid;

	*out = (struct gpg_said){ 0 };
	if (r < 0)
		return r;
	if (in < 0 || keys < 0 || null < 0)
		return error_set(e, EIO, "cannot make files in memory");
	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe2");
	payload = pair[0];
	payload_end = pair[1];
	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe2");
	status = pair[0];
	status_end = pair[1];
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(program, (const int[]){ in, payload_end, null, keys, status_end }, accept_no_landlock);
	cleanup_close(&payload_end);
	cleanup_close(&status_end);
	if (pid < 0)
		return error_errno(e, errno, "fork");
	r = gather(payload, status, &text, &lines, e);
	if (r < 0)
		kill(pid, SIGKILL);
	code = proc_wait(pid);
	if (r == 0 && WIFEXITED(code) && WEXITSTATUS(code) > 125)
		return error_set(e, EIO, "cannot run %s%s%s", program, lines.len ? ": " : "", lines.len ? lines.data : "");
	out->exit = proc_exit_code(code);
	out->n_status = lines.len;
	out->status = buf_steal(&lines);
	out->n_payload = text.len;
	out->payload = buf_steal(&text);
	return r;
}

void gpg_said_free(struct gpg_said *s)
{
	free(s->status);
	free(s->payload);
	*s = (struct gpg_said){ 0 };
}
