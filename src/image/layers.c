/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layers.h"

#include "base/cleanup.h"
#include "base/proc.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct job {
	enum { WAITING, READY, RUNNING, DONE } state;
	pid_t pid;
	bool in_store; /* what may_use() says of it */
	/* written by its process */
	struct layer_seen seen;
	struct error error;
};

struct crew {
	const struct layers *l;
	struct job *jobs; /* shared */
	unsigned running;
};

static bool known_answer;

static bool answer_known(void *arg, const char *diff)
{
	(void)arg;
	(void)diff;
	return known_answer;
}

static int unpack_one(const struct layers *l, size_t i, struct staging *st, struct layer_seen *seen, struct error *e)
{
	_cleanup_close_ int fd = -1;
	struct source source = *l->source;
	struct assembled a = { 0 };
	char diff[DIGEST_SIZE];
	int r;

	source.st = st;
	fd = source_blob(&source, l->blobs[i], l->sizes[i], e);
	if (fd < 0)
		return fd;
	memcpy(diff, l->diffs[i], DIGEST_SIZE);
	r = assemble_layer(st, l->objects, fd, l->blobs[i], diff, false, &a, e);
	*seen = a.seen;
	return r;
}

static void __attribute__((noreturn)) run(struct crew *c, size_t i)
{
	const struct layers *l = c->l;
	struct staging st = *l->st;
	struct job *job = &c->jobs[i];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Its parent has asked: of several processes nobody could tell apart the answers. */
	known_answer = job->in_store;
	st.may_use = answer_known;
	if (unpack_one(l, i, &st, &job->seen, &job->error) == 0)
		_exit(0);
	error_wrap(&job->error, "layer %zu of %zu (sha256:%.12s)", i + 1, l->n, l->blobs[i]);
	if (l->streamed)
		l->failed(l->arg, &job->error);
	_exit(1);
}

static int start(struct crew *c, size_t i, struct error *e)
{
	struct job *job = &c->jobs[i];
	pid_t pid;

	job->in_store = assemble_in_store(c->l->st, c->l->diffs[i]);
	pid = fork();
	if (pid < 0)
		return error_errno(e, errno, "cannot start a process for a layer");
	if (pid == 0)
		run(c, i);
	job->pid = pid;
	job->state = RUNNING;
	c->running++;
	return 0;
}

static int reap(struct crew *c, struct error *e)
{
	int status;
	pid_t pid = waitpid(-1, &status, 0);

	if (pid < 0)
		return errno == EINTR ? 0 : error_errno(e, errno, "wait");
	for (size_t i = 0; i < c->l->n; i++) {
		struct job *job = &c->jobs[i];

		if (job->state != RUNNING || job->pid != pid)
			continue;
		job->state = DONE;
		c->running--;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			return 0;
		if (WIFSIGNALED(status))
			return error_set(e, EIO, "the process that unpacks layer %zu was ended by signal %d", i + 1, WTERMSIG(status));
		if (e)
			*e = job->error;
		return job->error.code < 0 ? job->error.code : -EIO;
	}
	return 0;
}

/* Nothing of it is another layer's: two processes never make the same file. */
static bool alone(const struct layers *l, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (streq(l->blobs[k], l->blobs[i]) || streq(l->diffs[k], l->diffs[i]))
			return false;
	return true;
}

static bool is_here(const struct layers *l, const char *hex)
{
	return !strv_has(l->st->suspects, hex) && faccessat(l->st->store_blobs, hex, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void mark_all(struct crew *c, const char *hex)
{
	for (size_t i = 0; i < c->l->n; i++)
		if (c->jobs[i].state == WAITING && (!*hex || streq(c->l->blobs[i], hex)))
			c->jobs[i].state = READY;
}

static int find(const struct crew *c, int state)
{
	for (size_t i = 0; i < c->l->n; i++)
		if ((int)c->jobs[i].state == state)
			return (int)i;
	return -1;
}

static int work(struct crew *c, struct error *e)
{
	const struct layers *l = c->l;
	int r = 0, i;

	for (size_t k = 0; k < l->n; k++)
		c->jobs[k].state = !alone(l, k) ? DONE : l->streamed && !is_here(l, l->blobs[k]) ? WAITING : READY;
	for (;;) {
		bool waiting = find(c, WAITING) >= 0;

		i = find(c, READY);
		if (i >= 0 && c->running < l->st->workers) {
			r = start(c, (size_t)i, e);
		} else if (c->running && (i >= 0 || !waiting)) {
			r = reap(c, e);
		} else if (waiting) {
			char hex[DIGEST_SIZE];

			l->next(l->arg, hex);
			mark_all(c, hex);
		} else {
			return 0;
		}
		if (r < 0)
			return r;
	}
}

int layers_unpack(const struct layers *l, struct assembled *a, struct error *e)
{
	size_t size = (l->n + 1) * sizeof(struct job);
	struct crew c = { .l = l, .jobs = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) };
	int r;

	if (c.jobs == MAP_FAILED)
		return error_errno(e, errno, "no memory for %zu layers", l->n);
	r = work(&c, e);
	/* Those that are left die with this process, which ends with the first error. */
	for (size_t i = 0; i < l->n; i++) {
		a->seen.devices += c.jobs[i].seen.devices;
		a->seen.xattrs += c.jobs[i].seen.xattrs;
	}
	munmap(c.jobs, size);
	return r;
}
