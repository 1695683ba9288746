/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/gpg_sign.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/proc.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGE_MAX = 256 * 1024 };

char *simple_payload_write(const char *image, const char *hex, int64_t now)
{
	_cleanup_free_ char *digest = xasprintf("sha256:%s", hex);
	_cleanup_json_ json_t *j = json_pack("{s:{s:{s:s},s:{s:s},s:s},s:{s:s,s:I}}", "critical", "identity", "docker-reference", image,
					     "image", "docker-manifest-digest", digest, "type", "atomic container signature",
					     "optional", "creator", "brig " BRIG_VERSION, "timestamp", (json_int_t)now);

	return j ? json_text(j) : NULL;
}

static void __attribute__((noreturn)) child(const char *program, const char *key, int in, int out)
{
	char *argv[] = { (char[]){ "gpg" }, (char[]){ "--quiet" }, (char[]){ "--no-auto-key-locate" }, (char[]){ "--digest-algo" },
			 (char[]){ "SHA256" }, (char[]){ "--local-user" }, (char *)key, (char[]){ "--output" }, (char[]){ "-" },
			 (char[]){ "--sign" }, NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(in, 0) == 0 && dup2(out, 1) == 1 && close_range(3, ~0U, 0) == 0)
		execv(program, argv);
	_exit(127);
}

int gpg_sign(const char *key, const char *payload, char **out, size_t *n, struct error *e)
{
	_cleanup_close_ int in = memfd_sealed("payload", payload, strlen(payload)), from = -1, to = -1;
	char program[256];
	int pair[2], r, code;
	pid_t pid;

	if (proc_find("gpg", program, sizeof(program)) < 0) {
		error_set(e, ENOENT, "gpg is not installed");
		error_hint(e, "apt-get install gpg gpg-agent");
		return -ENOENT;
	}
	if (in < 0 || pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(e, in < 0 ? in : errno, "cannot start gpg");
	from = pair[0];
	to = pair[1];
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(program, key, in, to);
	cleanup_close(&to);
	if (pid < 0)
		return error_errno(e, errno, "fork");
	r = fd_read_all(from, MESSAGE_MAX, out, n);
	code = proc_wait(pid);
	if (r < 0)
		return error_errno(e, r, "from gpg");
	if (code != 0 || *n == 0) {
		free(steal_ptr(out));
		return error_set(e, EIO, "gpg did not sign with the key %s", key);
	}
	return 0;
}
