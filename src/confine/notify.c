// SPDX-License-Identifier: Apache-2.0
#include "confine/notify.h"

#include "confine/notify_names.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The name of a thread; it may be gone or another one by now, which the caller checks. */
static void read_comm(pid_t pid, char out[static 16])
{
	char path[32];
	ssize_t n;
	int fd;

	out[0] = 0;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	n = read(fd, out, 15);
	close(fd);
	out[n > 0 ? n : 0] = 0;
	out[strcspn(out, "\n")] = 0;
}

int notify_answer(int notify_fd, struct notify_event *out)
{
	/* Newer kernels may have a longer struct seccomp_notif; the kernel wants it zeroed. */
	union {
		struct seccomp_notif n;
		char room[512];
	} req;
	struct seccomp_notif_resp resp = { .error = -EPERM };

	memset(&req, 0, sizeof(req));
	memset(out, 0, sizeof(*out));
	if (ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_RECV, &req.n) < 0)
		return errno == ENOENT || errno == EINTR ? 0 : -errno;
	out->pid = (pid_t)req.n.pid;
	out->nr = req.n.data.nr;
	out->arch = req.n.data.arch;
	for (int i = 0; i < 6; i++)
		out->args[i] = req.n.data.args[i];
	if (out->pid > 0)
		read_comm(out->pid, out->comm);
	/* While the notification is open its caller exists, so that the name was its own. */
	if (ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &req.n.id) < 0)
		out->comm[0] = 0;
	resp.id = req.n.id;
	if (ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_SEND, &resp) < 0 && errno != ENOENT)
		return -errno;
	return 1;
}

static const struct notify_call *find(uint32_t arch, int nr)
{
	for (size_t i = 0; i < sizeof(notify_calls) / sizeof(notify_calls[0]); i++)
		if (notify_calls[i].nr == nr && notify_calls[i].arch == arch)
			return &notify_calls[i];
	return NULL;
}

const char *notify_name(uint32_t arch, int nr)
{
	const struct notify_call *c = find(arch, nr);

	return c ? c->name : NULL;
}

/* Families that the policy reports (socket(2)); numbers, since older headers lack some. */
static const char *family_name(uint32_t family)
{
	static const struct {
		uint8_t family;
		char name[14];
	} names[] = {
		{ 15, "AF_KEY" },   { 16, "AF_NETLINK" },   { 17, "AF_PACKET" }, { 21, "AF_RDS" },  { 24, "AF_PPPOX" },
		{ 26, "AF_LLC" },   { 29, "AF_CAN" },	    { 30, "AF_TIPC" },	 { 31, "AF_BLUETOOTH" },
		{ 33, "AF_RXRPC" }, { 38, "AF_ALG" },	    { 39, "AF_NFC" },	 { 40, "AF_VSOCK" }, { 41, "AF_KCM" },
		{ 42, "AF_QIPCRTR" }, { 43, "AF_SMC" },	    { 44, "AF_XDP" },	 { 45, "AF_MCTP" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].family == family)
			return names[i].name;
	return NULL;
}

/* How many arguments of a call are plain numbers worth a record. */
static int plain_args(const char *name)
{
	static const struct {
		char name[14];
		int n;
	} plain[] = {
		{ "clone", 1 },	   { "unshare", 1 }, { "setns", 2 },  { "ptrace", 2 }, { "ioctl", 2 },	  { "socket", 3 },
		{ "socketpair", 3 }, { "bpf", 1 },   { "keyctl", 1 }, { "reboot", 3 }, { "pidfd_getfd", 2 },
	};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (strcmp(plain[i].name, name) == 0)
			return plain[i].n;
	return 0;
}

void notify_words(const struct notify_event *ev, char out[static 96])
{
	const char *name = notify_name(ev->arch, ev->nr), *family;
	size_t used;
	int n;

	if (!name) {
		snprintf(out, 96, "call %d", ev->nr);
		return;
	}
	snprintf(out, 96, "%s", name);
	n = plain_args(name);
	for (int i = 0; i < n; i++) {
		used = strlen(out);
		family = i == 0 && strncmp(name, "socket", 6) == 0 ? family_name((uint32_t)ev->args[0]) : NULL;
		if (family)
			snprintf(out + used, 96 - used, "(%s", family);
		else
			snprintf(out + used, 96 - used, "%s0x%x", i ? ", " : "(", (unsigned)ev->args[i]);
	}
	used = strlen(out);
	if (n > 0)
		snprintf(out + used, 96 - used, ")");
}

/* Gives back the tokens that time has earned; true while one is left. */
static bool bucket_refill(struct notify_bucket *b, uint64_t now_ns, uint64_t token_ns, uint32_t size)
{
	uint64_t earned = now_ns > b->last_ns ? (now_ns - b->last_ns) / token_ns : 0;

	if (b->last_ns == 0 || earned >= b->spent) {
		b->last_ns = now_ns;
		b->spent = 0;
	} else {
		b->last_ns += earned * token_ns;
		b->spent -= (uint32_t)earned;
	}
	return b->spent < size;
}

int notify_wait_ms(struct notify_meter *m, uint64_t now_ns)
{
	const uint64_t token_ns = 1000000000u / NOTIFY_RATE;

	if (bucket_refill(&m->answers, now_ns, token_ns, NOTIFY_BURST))
		return 0;
	return (int)((m->answers.last_ns + token_ns - now_ns) / 1000000u) + 1;
}

/* True when this call was seen before. */
static bool call_seen(struct notify_meter *m, const struct notify_event *ev)
{
	const struct notify_call *c = find(ev->arch, ev->nr);
	size_t i = c ? (size_t)(c - notify_calls) % 128 : 127;
	uint64_t bit = UINT64_C(1) << i % 64;
	bool seen = m->seen[i / 64] & bit;

	m->seen[i / 64] |= bit;
	return seen;
}

bool notify_record(struct notify_meter *m, const struct notify_event *ev, uint64_t now_ns, uint32_t *missed)
{
	bool seen = call_seen(m, ev), room;

	m->answers.spent++;
	room = bucket_refill(&m->records, now_ns, NOTIFY_RECORD_NS, NOTIFY_RECORDS);
	if (seen && !room) {
		if (m->missed < UINT32_MAX)
			m->missed++;
		return false;
	}
	if (room)
		m->records.spent++;
	*missed = m->missed;
	m->missed = 0;
	return true;
}
