/* SPDX-License-Identifier: Apache-2.0 */
/* Containers' networks in a small world of their own (net_world.h): what they reach, and what reaches them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "confine/net_filter.h"
#include "confine/wall.h"
#include "engine/net.h"
#include "net_world.h"

static const char *no_world;
static char run_dir[] = "/tmp/brig-net-run-XXXXXX";
static int run_fd = -1;
static char id[16]; /* no other run of this test has it */
static uint32_t owner; /* of the guests: an id without rights when root, else our own */

static const struct {
	const char *addr;
	int lower; /* 1 lan, 2 metadata: what opens it; 0: nothing does */
} refused[] = {
	{ "10.1.2.3", 1 },	  { "192.168.77.1", 1 },   { "192.168.77.2", 1 }, { "203.0.113.1", 1 },	     { "203.0.113.2", 1 },
	{ "169.254.169.254", 2 }, { "168.63.129.16", 2 },  { "100.100.100.200", 2 }, { "fd00:ec2::254", 2 }, { "fd99::1", 1 },
	{ "2001:db8:1::1", 1 },	  { "2001:db8:1::2", 1 },  { "64:ff9b::a01:203", 1 },
};

static void need_world(void)
{
	if (no_world) {
		print_message("SKIP: %s\n", no_world);
		skip();
	}
}

static void up(struct guest *g, struct net *n, struct net_request *r)
{
	struct error e = { 0 };

	assert_true(guest_begin(g, owner));
	r->kind = SPEC_NET_PRIVATE;
	r->id = id;
	r->uid = r->gid = owner;
	if (net_plan(r, n, &e) < 0 || net_up(n, run_fd, g->userns, g->netns, &e) < 0)
		fail_msg("%s", e.text);
}

/* Gone, or ended and waiting for process 1 to look. */
static bool ended(pid_t pid)
{
	char path[32], line[512] = "";

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	return file_read_line(AT_FDCWD, path, line, sizeof(line)) < 0 || strstr(line, ") Z ");
}

static void expect_ended(pid_t pid)
{
	for (int i = 0; i < 150 && !ended(pid); i++)
		usleep(20000);
	assert_true(ended(pid));
}

static void down(struct guest *g, struct net *n)
{
	struct error e = { 0 };

	if (net_stop(run_fd, n->id, n->pid, n->start_time, true, &e) < 0)
		fail_msg("%s", e.text);
	expect_ended(n->pid);
	assert_int_equal(faccessat(run_fd, "net", F_OK, 0), -1);
	guest_end(g);
	net_free(n);
}

static int from_guest(const struct guest *g, const char *addr, uint16_t port, bool udp, bool device, char text[static 128])
{
	struct probe p = { .userns = g->userns, .netns = g->netns, .addr = addr, .port = port, .udp = udp, .device = device };

	return probe(&p, text);
}

static int from_host(const char *addr, uint16_t port, bool udp, char text[static 128])
{
	struct probe p = { .userns = -1, .netns = -1, .addr = addr, .port = port, .udp = udp };

	return probe(&p, text);
}

static void expect_reach(const struct guest *g, const char *addr, uint16_t port, bool udp, const char *who)
{
	char text[128];
	int r = from_guest(g, addr, port, udp, false, text);

	if (r != 0 || !str_after(text, who))
		fail_msg("%s:%u/%s: %s \"%s\"", addr, port, udp ? "udp" : "tcp", r ? strerror(r) : "answered", text);
}

static void expect_refused(const struct guest *g, const char *addr, uint16_t port)
{
	char text[128];

	for (int way = 0; way < 4; way++) {
		int r = from_guest(g, addr, port, way & 1, way & 2, text);

		if (r == 0)
			fail_msg("%s:%u answered (way %d): %s", addr, port, way, text);
		/* At once, not by a timeout: a person shall see what is wrong. */
		if (r == ETIMEDOUT)
			fail_msg("%s:%u timed out (way %d)", addr, port, way);
	}
}

static void outside(void **state)
{
	struct net_request r = { 0 };
	struct guest g;
	struct net n;
	char text[128];

	(void)state;
	need_world();
	up(&g, &n, &r);
	expect_reach(&g, "8.8.8.8", WORLD_PORT, false, "world saw ::ffff:203.0.113.2");
	expect_reach(&g, "8.8.8.8", WORLD_PORT, true, "world saw ::ffff:203.0.113.2");
	expect_reach(&g, "2606:4700::1", WORLD_PORT, false, "world saw 2001:db8:1::2");
	expect_reach(&g, "2606:4700::1", WORLD_PORT, true, "world saw 2001:db8:1::2");
	/* Bound to the interface it goes the same way. */
	assert_int_equal(from_guest(&g, "8.8.8.8", WORLD_PORT, false, true, text), 0);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		/* The control: there is something to reach. */
		assert_int_equal(from_host(refused[i].addr, WORLD_PORT, false, text), 0);
		assert_int_equal(from_host(refused[i].addr, WORLD_PORT, true, text), 0);
		expect_refused(&g, refused[i].addr, WORLD_PORT);
	}
	/* The host's loopback: neither as the container's own nor behind the gateway. */
	assert_int_equal(from_host("127.0.0.1", WORLD_PORT, false, text), 0);
	assert_int_equal(from_host("::1", WORLD_PORT, false, text), 0);
	assert_int_equal(from_guest(&g, "127.0.0.1", WORLD_PORT, false, false, text), ECONNREFUSED);
	assert_int_equal(from_guest(&g, "::1", WORLD_PORT, false, false, text), ECONNREFUSED);
	expect_refused(&g, NET_GATEWAY4, WORLD_PORT);
	expect_refused(&g, NET_GATEWAY6, WORLD_PORT);
	down(&g, &n);
}

/* Packets of a raw socket: routed by one address, sent to another. */
static int raw_packet(void *arg, void *out, struct error *e)
{
	struct {
		uint8_t v, tos;
		uint16_t len, id, off;
		uint8_t ttl, proto;
		uint16_t sum;
		uint32_t from, to;
		uint16_t sport, dport, ulen, usum;
		char data[4];
	} p = { .v = 0x45, .ttl = 64, .proto = IPPROTO_UDP, .len = htons(32), .sport = htons(4000), .dport = htons(WORLD_PORT),
		.ulen = htons(12) };
	struct sockaddr_in to = { .sin_family = AF_INET };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

	(void)out;
	if (fd < 0)
		return error_errno(e, errno, "raw socket");
	inet_pton(AF_INET, "8.8.8.8", &to.sin_addr);
	inet_pton(AF_INET, NET_ADDRESS4, &p.from);
	inet_pton(AF_INET, arg, &p.to);
	return sendto(fd, &p, sizeof(p), 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

static int multicast(void *arg, void *out, struct error *e)
{
	struct ip_mreqn m = { .imr_ifindex = (int)if_nametoindex(NET_IFNAME) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(1900) };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)out;
	(void)e;
	setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof(m));
	inet_pton(AF_INET, arg, &to.sin_addr);
	return sendto(fd, "?", 1, 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

static void tricks(void **state)
{
	struct net_request r = { 0 };
	struct error e = { 0 };
	struct guest g;
	struct net n;

	(void)state;
	need_world();
	up(&g, &n, &r);
	assert_int_equal(net_inside(g.userns, g.netns, raw_packet, (void *)(uintptr_t)"8.8.8.8", NULL, 0, &e), 0);
	assert_int_equal(net_inside(g.userns, g.netns, raw_packet, (void *)(uintptr_t)"10.1.2.3", NULL, 0, &e), -EPERM);
	assert_int_equal(net_inside(g.userns, g.netns, raw_packet, (void *)(uintptr_t)"127.0.0.1", NULL, 0, &e), -EPERM);
	assert_int_equal(net_inside(g.userns, g.netns, multicast, (void *)(uintptr_t)"239.255.255.250", NULL, 0, &e), -EPERM);
	assert_int_equal(net_inside(g.userns, g.netns, multicast, (void *)(uintptr_t)"224.0.0.251", NULL, 0, &e), -EPERM);
	down(&g, &n);
}

static void lowered(void **state)
{
	struct guest g;
	struct net n;
	char text[128];

	(void)state;
	need_world();
	for (int what = 0; what < 3; what++) {
		struct net_request r = { .host_loopback = what == 0, .lan = what == 1, .metadata = what == 2 };

		up(&g, &n, &r);
		for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
			/* The host's own addresses cannot be told from here: pasta's traffic to them stays on the host. */
			if (what > 0 && refused[i].lower == what)
				expect_reach(&g, refused[i].addr, WORLD_PORT, false, "");
			else
				expect_refused(&g, refused[i].addr, WORLD_PORT);
		}
		if (what == 0) {
			expect_reach(&g, NET_GATEWAY4, WORLD_PORT, false, "host saw ::ffff:127.0.0.1");
			expect_reach(&g, NET_GATEWAY6, WORLD_PORT, false, "host saw ::1");
		} else {
			assert_int_not_equal(from_guest(&g, NET_GATEWAY4, WORLD_PORT, false, false, text), 0);
		}
		down(&g, &n);
	}
}

static void set_resolv(const char *text)
{
	char path[] = "/tmp/brig-net-resolv-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	close(fd);
	assert_int_equal(mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL), 0);
	unlink(path);
}

static void dns(void **state)
{
	static const uint16_t port[] = { 53 };
	char *named[] = { (char *)"192.168.77.1", NULL };
	struct net_request r = { 0 };
	struct guest g;
	struct net n;

	(void)state;
	need_world();
	if (access("/etc/resolv.conf", F_OK) < 0) {
		print_message("SKIP: no /etc/resolv.conf to lay another one over\n");
		skip();
	}
	/* A resolver on the LAN: port 53 of it and nothing else. */
	set_resolv("nameserver 10.1.2.3\nsearch lan.example\n");
	up(&g, &n, &r);
	assert_string_equal(n.nameservers[0], "10.1.2.3");
	assert_string_equal(n.search[0], "lan.example");
	expect_reach(&g, "10.1.2.3", 53, true, "world");
	expect_reach(&g, "10.1.2.3", 53, false, "world");
	expect_refused(&g, "10.1.2.3", WORLD_PORT);
	down(&g, &n);
	umount2("/etc/resolv.conf", MNT_DETACH);

	/* One on the host's loopback, as a caching resolver of the host: through pasta. */
	set_resolv("nameserver 127.0.0.1\n");
	serve(-1, -1, "host", port, 1);
	up(&g, &n, &r);
	assert_string_equal(n.nameservers[0], NET_RESOLVER4);
	expect_reach(&g, NET_RESOLVER4, 53, true, "host saw ::ffff:127.0.0.1");
	expect_refused(&g, NET_RESOLVER4, WORLD_PORT);
	expect_refused(&g, NET_GATEWAY4, 53);
	down(&g, &n);

	/* --dns names one. */
	r.dns = named;
	up(&g, &n, &r);
	assert_string_equal(n.nameservers[0], "192.168.77.1");
	expect_reach(&g, "192.168.77.1", 53, true, "world");
	expect_refused(&g, "192.168.77.1", WORLD_PORT);
	down(&g, &n);
	umount2("/etc/resolv.conf", MNT_DETACH);
}

static int from_world(const char *addr, uint16_t port, bool udp, char text[static 128])
{
	struct probe p = { .userns = -1, .netns = world_ns, .addr = addr, .port = port, .udp = udp };

	return probe(&p, text);
}

static void published(void **state)
{
	static const uint16_t port[] = { 80, 8080 };
	struct spec_port ports[] = { { .port = 80 }, { .port = 80, .udp = true },
				     { .host_addr = (char *)"0.0.0.0", .port = 8080 },
				     { .host_addr = (char *)"0.0.0.0", .port = 8080, .udp = true } };
	struct net_request r = { .ports = ports, .n_ports = ARRAY_SIZE(ports) };
	struct guest g;
	struct net n;
	char text[128];

	(void)state;
	need_world();
	up(&g, &n, &r);
	assert_true(serve(g.userns, g.netns, "guest", port, 2) > 0);
	for (size_t i = 0; i < n.n_ports; i++) {
		const struct spec_port *p = &n.ports[i];
		bool everywhere = streq(p->host_addr, "0.0.0.0");
		int r1 = from_host(everywhere ? "127.0.0.1" : p->host_addr, p->host_port, p->udp, text), r2;

		if (r1 != 0 || !str_after(text, "guest"))
			fail_msg("%s:%u/%s: %s", p->host_addr, p->host_port, p->udp ? "udp" : "tcp", strerror(r1));
		/* Whoever comes from the host is not taken for the container itself. */
		if (strstr(text, "127.0.0.1") || strstr(text, "saw ::1"))
			fail_msg("%s:%u/%s: %s", p->host_addr, p->host_port, p->udp ? "udp" : "tcp", text);
		if (strchr(p->host_addr, ':'))
			continue;
		/* From the LAN only where an address says so, and then the answer finds its way. */
		r2 = from_world("192.168.77.2", p->host_port, p->udp, text);
		if (everywhere && (r2 != 0 || !str_after(text, "guest saw ::ffff:192.168.77.1")))
			fail_msg("from the LAN: port %u/%s: %s \"%s\"", p->host_port, p->udp ? "udp" : "tcp", strerror(r2), text);
		if (!everywhere)
			assert_int_not_equal(r2, 0);
	}
	/* The container is. (Run by a user, guest and pasta have one id here, as no container and its owner have.) */
	if (owner != 0) {
		expect_reach(&g, "127.0.0.1", 80, false, "guest saw ::ffff:127.0.0.1");
		expect_reach(&g, "127.0.0.1", 8080, true, "guest saw ::ffff:127.0.0.1");
		expect_reach(&g, "::1", 80, false, "guest saw ::1");
	}
	/* A published port is no way out: nothing begins from it. */
	for (int udp = 0; udp < 2; udp++) {
		struct probe p = { .userns = g.userns, .netns = g.netns, .addr = "10.1.2.3", .port = WORLD_PORT, .udp = udp,
				   .from = 8081 };

		assert_int_not_equal(probe(&p, text), 0);
	}
	down(&g, &n);
}

/* As above with the very port, which needs the server gone. */
static void published_source(void **state)
{
	struct spec_port ports[] = { { .host_addr = (char *)"0.0.0.0", .port = 8080 },
				     { .host_addr = (char *)"0.0.0.0", .port = 8080, .udp = true } };
	struct net_request r = { .ports = ports, .n_ports = ARRAY_SIZE(ports) };
	struct guest g;
	struct net n;
	char text[128];

	(void)state;
	need_world();
	up(&g, &n, &r);
	for (int udp = 0; udp < 2; udp++) {
		struct probe p = { .userns = g.userns, .netns = g.netns, .addr = "10.1.2.3", .port = WORLD_PORT, .udp = udp,
				   .from = 8080 };

		assert_int_not_equal(probe(&p, text), 0);
	}
	/* The control, and what a container may: begin to somewhere that is not refused. */
	struct probe p = { .userns = g.userns, .netns = g.netns, .addr = "8.8.8.8", .port = WORLD_PORT, .from = 8080 };

	assert_int_equal(probe(&p, text), 0);
	down(&g, &n);
}

static void six(void **state)
{
	static const uint16_t port[] = { 80 };
	struct spec_port p = { .host_addr = (char *)"::1", .port = 80 };
	struct net_request r = { .ports = &p, .n_ports = 1 };
	struct guest g;
	struct net n;
	char text[128];

	(void)state;
	need_world();
	up(&g, &n, &r);
	assert_true(serve(g.userns, g.netns, "guest", port, 1) > 0);
	assert_int_equal(from_host("::1", n.ports[0].host_port, false, text), 0);
	assert_non_null(str_after(text, "guest"));
	assert_null(strstr(text, "saw ::1"));
	assert_int_not_equal(from_host("127.0.0.1", n.ports[0].host_port, false, text), 0);
	down(&g, &n);
}

static void taken(void **state)
{
	struct spec_port p = { .port = 80, .host_port = WORLD_PORT }, twice[] = { { .port = 80, .host_port = 8080 },
										  { .port = 80, .host_port = 8080 } };
	struct spec_port absent = { .host_addr = (char *)"198.51.100.7", .port = 80, .host_port = 8080 };
	struct net_request r = { .kind = SPEC_NET_PRIVATE, .id = "x", .uid = owner, .gid = owner, .ports = &p, .n_ports = 1 };
	struct error e = { 0 };
	struct net n;

	(void)state;
	need_world();
	assert_int_equal(net_plan(&r, &n, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "port 127.0.0.1:7/tcp is taken by a process of uid"));
	r.ports = &absent;
	assert_int_equal(net_plan(&r, &n, &e), -EADDRNOTAVAIL);
	r.ports = twice;
	r.n_ports = 2;
	assert_int_equal(net_plan(&r, &n, &e), -EINVAL);
}

/* pasta itself: nobody's process on the host, with nothing of ours. */
static void helper(void **state)
{
	struct spec_port low = { .port = 80, .host_port = 81 };
	struct net_request r = { .ports = &low, .n_ports = 1 };
	int canary = open("/etc/passwd", O_RDONLY); /* on purpose without O_CLOEXEC */
	char path[64], line[256], target[256];
	struct stat ours, theirs;
	struct guest g;
	struct net n;

	(void)state;
	need_world();
	/* Ports below 1024 need root, and pasta still has no right outside the container's user namespace. */
	if (owner == 0)
		r.n_ports = 0;
	up(&g, &n, &r);
	snprintf(path, sizeof(path), "/proc/%d", n.pid);
	int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *status = NULL;

	/* It says that it is ready a moment before it confines itself. */
	for (int i = 0; i < 100 && (!status || !strstr(status, "\nSeccomp:\t2\n")); i++) {
		free(steal_ptr(&status));
		usleep(i * 1000);
		assert_int_equal(file_read(dir, "status", 65536, &status, NULL), 0);
	}
	snprintf(line, sizeof(line), "\nUid:\t%u\t%u\t%u\t%u\n", owner, owner, owner, owner);
	assert_non_null(strstr(status, line));
	assert_non_null(strstr(status, "\nSeccomp:\t2\n"));
	assert_non_null(strstr(status, "\nNoNewPrivs:\t1\n"));
	assert_int_equal(stat("/proc/self/ns/user", &ours), 0);
	assert_int_equal(fstat(g.userns, &theirs), 0);
	assert_int_not_equal(ours.st_ino, theirs.st_ino);
	ssize_t len = readlinkat(dir, "ns/user", target, sizeof(target) - 1);

	if (len > 0) {
		target[len] = 0;
		snprintf(line, sizeof(line), "user:[%lu]", (unsigned long)theirs.st_ino);
		assert_string_equal(target, line);
		for (int fd = 0; fd < 256; fd++) {
			snprintf(path, sizeof(path), "fd/%d", fd);
			len = readlinkat(dir, path, target, sizeof(target) - 1);
			if (len > 0 && len < 255) {
				target[len] = 0;
				assert_null(strstr(target, "passwd"));
			}
		}
	} else {
		print_message("(its descriptors are not for us to see)\n");
	}
	close(dir);
	close(canary);
	down(&g, &n);
}

/* Whatever is left by a crash ends with the folder. */
static void crash(void **state)
{
	struct net_request r = { 0 };
	struct error e = { 0 };
	struct guest g;
	struct net n;

	(void)state;
	need_world();
	/* Removed by hand. */
	up(&g, &n, &r);
	assert_int_equal(path_remove_tree(run_fd, "net"), 0);
	expect_ended(n.pid);
	guest_end(&g);
	net_free(&n);
	/* Never recorded. */
	up(&g, &n, &r);
	assert_int_equal(net_stop(run_fd, n.id, 0, 0, true, &e), 0);
	expect_ended(n.pid);
	assert_int_equal(net_stop(run_fd, n.id, 0, 0, true, &e), 0);
	guest_end(&g);
	net_free(&n);
	/* Started and not finished. */
	assert_true(guest_begin(&g, owner));
	assert_int_equal(net_plan(&r, &n, &e), 0);
	assert_int_equal(net_start(&n, run_fd, g.userns, g.netns, &e), 0);
	usleep(300000);
	net_undo(&n, run_fd);
	guest_end(&g);
	assert_false(sh("pgrep -f '^brig-pasta-%s' >/dev/null", id));
	net_free(&n);
}

static void verdict(const struct plan *p, const struct guest *g, enum verdict want, const char *words)
{
	struct subject s = { .pid = g->pid, .spec = p->spec };
	struct evidence ev = { 0 };
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", g->pid);
	s.proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	wall_net.prove(p, &s, &ev);
	close(s.proc_fd);
	if (ev.verdict != want || !strstr(ev.found, words))
		fail_msg("verdict %d: %s (%s)", ev.verdict, ev.found, ev.why);
}

static int flush(void *arg, void *out, struct error *e)
{
	(void)arg;
	(void)out;
	(void)e;
	/* nft wants to be called root. */
	return setresuid(0, 0, 0) == 0 && sh("nft delete table inet brig") ? 0 : -EIO;
}

static void evidence(void **state)
{
	struct net_request r = { 0 };
	struct spec s = { .net = SPEC_NET_PRIVATE };
	struct plan p = { .spec = &s };
	struct error e = { 0 };
	struct guest g;
	struct net n;

	(void)state;
	need_world();
	assert_int_equal(wall_net.plan(&s, &p, &e), 0);
	assert_true(guest_begin(&g, owner));
	verdict(&p, &g, VERDICT_DOWN, "no filter");
	guest_end(&g);
	up(&g, &n, &r);
	verdict(&p, &g, VERDICT_STANDS, "nftables table brig in the output hook");
	if (sh("command -v nft >/dev/null")) {
		assert_int_equal(net_inside(g.userns, g.netns, flush, NULL, NULL, 0, &e), 0);
		verdict(&p, &g, VERDICT_DOWN, "no filter");
	}
	down(&g, &n);
	/* The LAN lowered, the filter not telling so. */
	r.lan = true;
	up(&g, &n, &r);
	verdict(&p, &g, VERDICT_DOWN, "in the output hook");
	down(&g, &n);
}

static void alone(void **state)
{
	struct net_request r = { 0 };
	struct error e = { 0 };
	struct guest g;
	struct net n;

	(void)state;
	need_world();
	/* A host without any way out: ports still can be published. */
	assert_true(sh("ip route del default && ip -6 route del default"));
	struct spec_port p = { .port = 80 };
	static const uint16_t port[] = { 80 };
	char text[128];

	r.ports = &p;
	r.n_ports = 1;
	up(&g, &n, &r);
	assert_false(n.ipv6);
	assert_true(serve(g.userns, g.netns, "guest", port, 1) > 0);
	assert_int_equal(from_host("127.0.0.1", n.ports[0].host_port, false, text), 0);
	down(&g, &n);
	assert_true(sh("ip route add default via 203.0.113.1 && ip -6 route add default via 2001:db8:1::1"));
	(void)e;
}

/* Told, not judged: a busy machine is slow. */
static void speed(void **state)
{
	struct net_request r = { .kind = SPEC_NET_PRIVATE, .id = id, .uid = owner, .gid = owner };
	uint64_t best[4] = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX }, t[5];
	struct error e = { 0 };
	struct guest g;
	struct net n;

	(void)state;
	need_world();
	for (int i = 0; i < 9; i++) {
		assert_true(guest_begin(&g, owner));
		t[0] = clock_monotonic_ns();
		assert_int_equal(net_plan(&r, &n, &e), 0);
		t[1] = clock_monotonic_ns();
		assert_int_equal(net_start(&n, run_fd, g.userns, g.netns, &e), 0);
		t[2] = clock_monotonic_ns();
		assert_int_equal(net_finish(&n, &e), 0);
		t[3] = clock_monotonic_ns();
		assert_int_equal(net_stop(run_fd, n.id, n.pid, n.start_time, false, &e), 0);
		t[4] = clock_monotonic_ns();
		for (int j = 0; j < 4; j++)
			best[j] = t[j + 1] - t[j] < best[j] ? t[j + 1] - t[j] : best[j];
		guest_end(&g);
		net_free(&n);
	}
	print_message("best of 9: plan %.1f ms, start %.1f ms, finish %.1f ms, stop %.1f ms\n", (double)best[0] / 1e6,
		      (double)best[1] / 1e6, (double)best[2] / 1e6, (double)best[3] / 1e6);
}

static int begin(void **state)
{
	(void)state;
	owner = geteuid() == 0 ? 1879048190u : 0;
	snprintf(id, sizeof(id), "%08x%03x", getpid(), (unsigned)(clock_now_ns() / 1000 % 4096));
	no_world = world_begin();
	if (!mkdtemp(run_dir))
		return -1;
	run_fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return run_fd < 0 ? -1 : 0;
}

static int finish(void **state)
{
	(void)state;
	world_end();
	return path_remove_tree(AT_FDCWD, run_dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outside), cmocka_unit_test(tricks),   cmocka_unit_test(lowered),
		cmocka_unit_test(dns),	   cmocka_unit_test(published), cmocka_unit_test(published_source),
		cmocka_unit_test(six),	   cmocka_unit_test(taken),    cmocka_unit_test(helper),
		cmocka_unit_test(crash),   cmocka_unit_test(evidence), cmocka_unit_test(alone),
		cmocka_unit_test(speed),
	};
	return cmocka_run_group_tests(tests, begin, finish);
}
