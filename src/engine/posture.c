/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/posture.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "engine/ids.h"
#include "engine/life.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int open_subject(pid_t pid, int pidfd, struct subject *s, struct error *e)
{
	char path[32];

	*s = (struct subject){ .pid = pid, .pidfd = pidfd, .proc_fd = -1 };
	snprintf(path, sizeof(path), "/proc/%d", pid);
	s->proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->proc_fd < 0)
		return error_set(e, ESRCH, "there is no process %d", pid);
	/* The pidfd was taken before: if the process still lives now, what was opened is its. */
	if (proc_pidfd_signal(pidfd, 0) == -ESRCH) {
		close(s->proc_fd);
		return error_set(e, ESRCH, "process %d has ended", pid);
	}
	return 0;
}

struct inside {
	const struct plan *plan;
	const struct subject *subject;
	struct evidence *found; /* shared with the child: one for each wall */
};

static int prove_inside(void *ctx, struct error *e)
{
	struct inside *in = ctx;

	(void)e;
	for (int i = 0; i < WALL_COUNT; i++)
		if (walls[i]->prove_inside)
			walls[i]->prove(in->plan, in->subject, &in->found[i]);
	return 0;
}

/*
 * What belongs to the container's ids (its descriptors, its environment) is closed to the caller, who is none of them. The caller
 * owns the user namespace, though, and looks as root of it. Where that fails the walls say "cannot be read" by themselves.
 */
static bool prove_as_container(const struct plan *p, const struct subject *s, struct posture *out)
{
	size_t size = WALL_COUNT * sizeof(struct evidence);
	struct inside in = { p, s, mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) };
	_cleanup_close_ int userns = openat(s->proc_fd, "ns/user", O_RDONLY | O_CLOEXEC);
	bool done;

	if (in.found == MAP_FAILED)
		return false;
	done = userns >= 0 && ids_run(NULL, userns, prove_inside, &in, NULL) == 0;
	for (int i = 0; done && i < WALL_COUNT; i++)
		if (walls[i]->prove_inside)
			out->found[i] = in.found[i];
	munmap(in.found, size);
	return done;
}

static void prove_all(const struct plan *p, const struct subject *s, struct posture *out)
{
	bool inside = geteuid() != 0 && prove_as_container(p, s, out);

	for (int i = 0; i < WALL_COUNT; i++) {
		if (p)
			out->plan[i] = p->wall[i];
		if (!inside || !walls[i]->prove_inside)
			walls[i]->prove(p, s, &out->found[i]);
		if (out->found[i].verdict == VERDICT_UNKNOWN && !out->found[i].why[0])
			evidence_why(&out->found[i], "the kernel does not show this of process %d to uid %d", (int)s->pid,
				     (int)geteuid());
	}
}

int posture_container(const struct container *c, struct posture *out, struct error *e)
{
	_cleanup_free_ struct plan *plan = xcalloc(1, sizeof(*plan));
	_cleanup_close_ int pidfd = life_pidfd(c, e);
	struct subject subject;
	struct spec spec;
	int r;

	memset(out, 0, sizeof(*out));
	if (pidfd < 0)
		return pidfd;
	r = container_spec(c, &spec, e);
	if (r == 0)
		r = container_spec_files(c, &spec, e);
	if (r == 0)
		r = plan_make(&spec, plan, e);
	if (r == 0)
		r = open_subject(c->state.pid, pidfd, &subject, e);
	if (r == 0) {
		subject.spec = &spec;
		subject.cgroup = c->state.cgroup;
		out->name = xstrdup(c->config.name);
		out->id = xstrdup(c->config.id);
		out->pid = c->state.pid;
		prove_all(plan, &subject, out);
		close(subject.proc_fd);
	}
	spec_free(&spec);
	return r;
}

int posture_pid(pid_t pid, struct posture *out, struct error *e)
{
	_cleanup_close_ int pidfd = proc_pidfd(pid);
	struct subject subject;
	char comm[64];
	int r;

	memset(out, 0, sizeof(*out));
	if (pidfd < 0)
		return error_set(e, ESRCH, "there is no process %d", pid);
	r = open_subject(pid, pidfd, &subject, e);
	if (r < 0)
		return r;
	out->name = file_read_line(subject.proc_fd, "comm", comm, sizeof(comm)) < 0 ? xasprintf("pid %d", pid) : xstrdup(comm);
	out->name[strcspn(out->name, "\n")] = 0;
	out->pid = pid;
	out->foreign = true;
	prove_all(NULL, &subject, out);
	close(subject.proc_fd);
	return 0;
}

void posture_free(struct posture *p)
{
	free(p->name);
	free(p->id);
	memset(p, 0, sizeof(*p));
}

const char *posture_verdict(enum verdict v)
{
	static const char *const names[] = { "stands", "lowered", "absent", "down", "unknown" };

	return names[v];
}

bool posture_whole(const struct posture *p)
{
	for (int i = 0; i < WALL_COUNT; i++)
		if (p->found[i].verdict != VERDICT_STANDS)
			return false;
	return true;
}

json_t *posture_json(const struct posture *p)
{
	json_t *list = json_array(), *j;

	for (int i = 0; i < WALL_COUNT; i++) {
		json_t *w = json_pack("{s:s, s:s, s:s, s:s, s:s}", "Wall", walls[i]->name, "What", walls[i]->what, "Verdict",
				      posture_verdict(p->found[i].verdict), "Evidence", p->found[i].found, "Why",
				      p->found[i].why);

		if (!w)
			w = json_pack("{s:s, s:s}", "Wall", walls[i]->name, "Verdict", "unknown");
		if (!p->foreign)
			json_object_set_new(w, "Plan", json_string(p->plan[i].text));
		json_array_append_new(list, w);
	}
	j = json_pack("{s:s, s:s*, s:i, s:b, s:o}", "Name", p->name, "Id", p->id, "Pid", (int)p->pid, "Whole",
		      posture_whole(p), "Walls", list);
	return j;
}
