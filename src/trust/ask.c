/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/ask.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/proc.h"
#include "image/signatures.h"
#include "image/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * A cached yes holds for an hour: an expiry that only the verifier knows of (of a key) is noticed that late. It is the whole question,
 * the keys' bytes and the names of the signatures (which are digests) in it, that the cached answer is compared with.
 */
enum { CACHED_S = 3600, CACHED_MAX = 8, CACHED_BYTES = 16 * 1024 * 1024 };

static const char cached_prefix[] = ".answer-";

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What lies in it but the cached answers, sorted. */
static void list_files(int dir, char ***out)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *de;
	size_t from = strv_len(*out);

	while (d && (de = readdir(d)))
		if (de->d_name[0] != '.')
			strv_add_copy(out, de->d_name);
	if (*out)
		qsort(*out + from, strv_len(*out) - from, sizeof(**out), compare);
}

/* --- cached answers ----------------------------------------------------------------------------------------------- */

static void cached_name(const char *text, char out[static 32])
{
	uint64_t h = 14695981039346656037ULL;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		h = (h ^ *p) * 1099511628211ULL;
	snprintf(out, 32, "%s%016llx", cached_prefix, (unsigned long long)h);
}

/* A line of JSON, then the question. */
static bool cached_read(int dir, const char *text, int64_t now, struct answered *out)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_json_ json_t *j = NULL;
	const char *reason = NULL;
	int64_t checked = 0, until = 0;
	char name[32], *end;
	size_t n;

	cached_name(text, name);
	if (file_read(dir, name, CACHED_BYTES, &data, &n) < 0 || !(end = strchr(data, '\n')) || !streq(end + 1, text))
		return false;
	j = json_parse(data, (size_t)(end - data), name, NULL);
	if (!json_is_object(j) || json_get_str(j, "", "reason", &reason, NULL) < 0 || !reason ||
	    json_get_int(j, "", "checked", 0, INT64_MAX, &checked, NULL) < 0 ||
	    json_get_int(j, "", "until", 0, INT64_MAX, &until, NULL) < 0)
		return false;
	if (now < checked || now - checked >= CACHED_S || (until && now >= until))
		return false;
	*out = (struct answered){ .met = true, .until = until };
	snprintf(out->reason, sizeof(out->reason), "%s", reason);
	return true;
}

/* Few questions are asked of one image; when there are too many, the old ones go. */
static void cached_trim(int dir)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *de;
	int n = 0;

	while (d && (de = readdir(d)))
		n += str_after(de->d_name, cached_prefix) != NULL;
	if (n < CACHED_MAX)
		return;
	rewinddir(d);
	while ((de = readdir(d)))
		if (str_after(de->d_name, cached_prefix))
			unlinkat(dir, de->d_name, 0);
}

static void cached_write(int dir, const char *text, int64_t now, const struct answered *a)
{
	_cleanup_json_ json_t *j = json_pack("{s:I,s:I,s:s}", "checked", (json_int_t)now, "until", (json_int_t)a->until, "reason",
					     a->reason);
	_cleanup_free_ char *line = j ? json_text(j) : NULL, *all = line ? xasprintf("%s\n%s", line, text) : NULL;
	char name[32];

	if (!all)
		return;
	cached_trim(dir);
	cached_name(text, name);
	file_replace(dir, name, all, strlen(all), 0600, false);
}

/* --- brig-trust --------------------------------------------------------------------------------------------------- */

static void __attribute__((noreturn)) start(const int fds[5])
{
	_cleanup_free_ char *path = xasprintf("%sbrig-trust", proc_libexec());
	char *argv[] = { path, NULL }, *env[] = { NULL };
	int all[5];
	sigset_t none;

	memcpy(all, fds, sizeof(all));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (fds_arrange(all, 5, ASK_QUESTION) == 0 && close_range(ASK_QUESTION + 5, ~0U, 0) == 0)
		execve(path, argv, env);
	_exit(127);
}

static int run(const char *text, int64_t now, const int dirs[3], struct answered *out, struct error *e)
{
	_cleanup_free_ char *whole = xasprintf("%lld\n%s", (long long)now, text), *answer = NULL;
	_cleanup_close_ int question = memfd_sealed("question", whole, strlen(whole)), from = -1, to = -1;
	int pair[2], status, r;
	size_t n = 0;
	pid_t pid;

	if (question < 0 || pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(e, question < 0 ? question : errno, "cannot start brig-trust");
	from = pair[0];
	to = pair[1];
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		start((const int[]){ question, to, dirs[0], dirs[1], dirs[2] });
	cleanup_close(&to);
	if (pid < 0)
		return error_errno(e, errno, "fork");
	r = fd_read_all(from, sizeof(struct answered), &answer, &n);
	status = proc_wait(pid);
	if (status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 127 && n == 0)
		return error_set(e, ENOENT, "cannot run %sbrig-trust: install brig as a whole", proc_libexec());
	if (r < 0 || n != sizeof(*out) || status != 0)
		return error_set(e, EIO, "the process that verifies signatures ended without a word");
	memcpy(out, answer, sizeof(*out));
	out->reason[sizeof(out->reason) - 1] = 0;
	return 0;
}

int ask_signed(struct asking *q, struct answered *out, struct error *e)
{
	_cleanup_close_ int images = home_data_dir("images", e), blobs = -1, own = -1, top = -1;
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC), null2 = open("/dev/null", O_RDONLY | O_CLOEXEC);
	_cleanup_json_ json_t *j = NULL;
	_cleanup_free_ char *text = NULL;
	int64_t now = (int64_t)time(NULL);
	int r;

	*out = (struct answered){ 0 };
	if (images < 0)
		return images;
	blobs = openat(images, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	own = signatures_open(q->manifest, false, e);
	top = streq(q->manifest, q->top) ? -ENOENT : signatures_open(q->top, false, e);
	if (blobs < 0 || null < 0 || null2 < 0 || (own < 0 && own != -ENOENT) || (top < 0 && top != -ENOENT))
		return own < 0 && own != -ENOENT ? own : error_set(e, EIO, "the image store cannot be read");
	if (own >= 0)
		list_files(own, &q->files);
	if (top >= 0)
		list_files(top, &q->files);
	j = asking_json(q);
	text = j ? json_text(j) : NULL;
	if (!text)
		return error_set(e, EINVAL, "the question cannot be written down");
	if (own >= 0 && cached_read(own, text, now, out))
		return 0;
	if (own < 0 && top >= 0) { /* where the answer goes, too */
		own = signatures_open(q->manifest, true, NULL);
		if (own >= 0 && cached_read(own, text, now, out))
			return 0;
	}
	r = run(text, now, (const int[]){ blobs, own >= 0 ? own : null, top >= 0 ? top : null2 }, out, e);
	if (r == 0 && out->met && own >= 0)
		cached_write(own, text, now, out);
	return r;
}
