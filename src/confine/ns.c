/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walls that are a namespace and nothing more: pid, ipc, uts, time (namespaces(7)). clone3(2) makes them with the
 * process; here they are planned and proven. Host names are set here as well.
 */
#include "confine/wall.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void prove_ns(const struct plan *p, const struct subject *s, struct evidence *ev, enum wall_id id,
		     const char *ns)
{
	char path[40] = "/proc/self/ns/";
	uint64_t inode = subject_ns(s, ns);
	struct stat own;

	strcat(path, ns);
	if (inode == 0 || stat(path, &own) < 0) {
		evidence_add(ev, VERDICT_UNKNOWN, "ns/%s cannot be read", ns);
	} else if (own.st_ino == inode) {
		evidence_add(ev, VERDICT_DOWN, "ns/%s is the host's (%llu)", ns, (unsigned long long)inode);
		evidence_why(ev, "the %s namespace is shared with the host", ns);
	} else {
		evidence_add(ev, VERDICT_STANDS, "ns/%s %llu, not the host's %llu", ns, (unsigned long long)inode,
			     (unsigned long long)own.st_ino);
	}
	evidence_settle(ev, p, id);
}

static int plan_pid(const struct spec *s, struct plan *p, struct error *e)
{
	(void)s;
	(void)e;
	wall_up(p, WALL_PID, "own pid namespace: processes outside do not exist inside");
	return 0;
}

static void prove_pid(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	prove_ns(p, s, ev, WALL_PID, "pid");
}

static int plan_ipc(const struct spec *s, struct plan *p, struct error *e)
{
	(void)s;
	(void)e;
	wall_up(p, WALL_IPC, "own ipc namespace: shared memory, semaphores and message queues");
	return 0;
}

static void prove_ipc(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	prove_ns(p, s, ev, WALL_IPC, "ipc");
}

static int plan_uts(const struct spec *s, struct plan *p, struct error *e)
{
	if (s->hostname && strlen(s->hostname) > 64)
		return error_set(e, ENAMETOOLONG, "host name longer than 64 bytes");
	if (s->domainname && strlen(s->domainname) > 64)
		return error_set(e, ENAMETOOLONG, "domain name longer than 64 bytes");
	wall_up(p, WALL_UTS, "own uts namespace: host and domain name");
	return 0;
}

static int raise_uts(struct launch *l, struct error *e)
{
	const struct spec *s = l->plan->spec;

	if (s->hostname && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return error_errno(e, errno, "cannot set the host name");
	if (s->domainname && setdomainname(s->domainname, strlen(s->domainname)) < 0)
		return error_errno(e, errno, "cannot set the domain name");
	return 0;
}

static void prove_uts(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	prove_ns(p, s, ev, WALL_UTS, "uts");
}

static int plan_time(const struct spec *s, struct plan *p, struct error *e)
{
	(void)s;
	(void)e;
	wall_up(p, WALL_TIME, "own time namespace; the clocks cannot be set");
	return 0;
}

static void prove_time(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	prove_ns(p, s, ev, WALL_TIME, "time");
}

const struct wall wall_pid = {
	.id = WALL_PID, .name = "pid", .what = "own pid namespace: processes outside do not exist inside",
	.plan = plan_pid, .prove = prove_pid,
};

const struct wall wall_ipc = {
	.id = WALL_IPC, .name = "ipc", .what = "own ipc namespace: System V IPC and POSIX message queues",
	.plan = plan_ipc, .prove = prove_ipc,
};

const struct wall wall_uts = {
	.id = WALL_UTS, .name = "uts", .what = "own uts namespace: host and domain name",
	.plan = plan_uts, .raise = raise_uts, .prove = prove_uts,
};

const struct wall wall_time = {
	.id = WALL_TIME, .name = "time", .what = "own time namespace; the clocks cannot be set",
	.plan = plan_time, .prove = prove_time,
};
