/* SPDX-License-Identifier: Apache-2.0 */
/* What a person types about networks, the files that a container gets, and the host's resolvers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/net.h"

static void free_ports(struct spec_port *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(p[i].host_addr);
	free(p);
}

static void expect_port(const char *text, const char *addr, unsigned host, unsigned port, bool udp)
{
	struct spec_port *p = NULL;
	struct error e = { 0 };
	size_t n = 0;

	if (net_port_parse(text, &p, &n, &e) != 0)
		fail_msg("%s: %s", text, e.text);
	assert_int_equal(n, 1);
	if (addr)
		assert_string_equal(p[0].host_addr, addr);
	else
		assert_null(p[0].host_addr);
	assert_int_equal(p[0].host_port, host);
	assert_int_equal(p[0].port, port);
	assert_int_equal(p[0].udp, udp);
	free_ports(p, n);
}

static void expect_bad_port(const char *text)
{
	struct spec_port *p = NULL;
	struct error e = { 0 };
	size_t n = 0;

	if (net_port_parse(text, &p, &n, &e) != -EINVAL)
		fail_msg("\"%s\" was taken", text);
	assert_int_equal(n, 0);
	assert_non_null(strstr(e.text, "cannot publish"));
	free_ports(p, n);
}

static void ports(void **state)
{
	struct spec_port *p = NULL;
	size_t n = 0;
	char text[64];

	(void)state;
	expect_port("80", NULL, 0, 80, false);
	expect_port("8080:80", NULL, 8080, 80, false);
	expect_port(":80", NULL, 0, 80, false);
	expect_port("0:80", NULL, 0, 80, false);
	expect_port("5353:53/udp", NULL, 5353, 53, true);
	expect_port("53/tcp", NULL, 0, 53, false);
	expect_port("127.0.0.1:8080:80", "127.0.0.1", 8080, 80, false);
	expect_port("127.0.0.1::80", "127.0.0.1", 0, 80, false);
	expect_port("0.0.0.0:80:80", "0.0.0.0", 80, 80, false);
	expect_port("[::1]:8080:80", "::1", 8080, 80, false);
	expect_port("[::]::53/udp", "::", 0, 53, true);
	expect_port("65535:65535", NULL, 65535, 65535, false);

	assert_int_equal(net_port_parse("8000-8002:80-82/udp", &p, &n, NULL), 0);
	assert_int_equal(net_port_parse("90-91", &p, &n, NULL), 0);
	assert_int_equal(n, 5);
	assert_int_equal(p[2].host_port, 8002);
	assert_int_equal(p[2].port, 82);
	assert_true(p[2].udp);
	assert_int_equal(p[4].host_port, 0);
	assert_int_equal(p[4].port, 91);
	net_port_format(&p[0], text);
	assert_string_equal(text, "127.0.0.1:8000");
	free_ports(p, n);

	static const char *const wrong[] = {
		"", "/", ":", "::", "0", "65536", "80:", "x", "80/sctp", "80/", "80/TCP", "8080:80:80", "localhost:80:80",
		"::1:80:80", "[::1:80:80", "[::1]80:80", "[127.0.0.1]:80:80", "[::1]:1:2:3", "1-2:80", "80:1-2", "3-1", "1-",
		"-1", "0-3:1-4", "8080:0", "+80", " 80", "80 ", "0x50", "[]:80:80", "[fe80::1%lo]:80:80", "256.0.0.1:1:1",
		"1-1025", "99999999999999999999",
	};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		expect_bad_port(wrong[i]);
}

static void expose(void **state)
{
	uint16_t first, last;
	bool udp;

	(void)state;
	assert_int_equal(net_expose_parse("3306", &first, &last, &udp, NULL), 0);
	assert_int_equal(first, 3306);
	assert_int_equal(last, 3306);
	assert_false(udp);
	assert_int_equal(net_expose_parse("53-60/udp", &first, &last, &udp, NULL), 0);
	assert_int_equal(last, 60);
	assert_true(udp);
	assert_int_equal(net_expose_parse("0", &first, &last, &udp, NULL), -EINVAL);
	assert_int_equal(net_expose_parse("80/\033[31m", &first, &last, &udp, NULL), -EINVAL);
}

static void hosts(void **state)
{
	char *name, *addr;

	(void)state;
	assert_int_equal(net_host_parse("db:10.0.0.5", &name, &addr, NULL), 0);
	assert_string_equal(name, "db");
	assert_string_equal(addr, "10.0.0.5");
	free(name);
	free(addr);
	assert_int_equal(net_host_parse("db.example=[2001:db8::1]", &name, &addr, NULL), 0);
	assert_string_equal(addr, "2001:db8::1");
	free(name);
	free(addr);
	assert_int_equal(net_host_parse("db:2001:db8::1", &name, &addr, NULL), 0);
	assert_string_equal(addr, "2001:db8::1");
	free(name);
	free(addr);
	assert_int_equal(net_host_parse("h:host-gateway", &name, &addr, NULL), 0);
	free(name);
	free(addr);
	static const char *const wrong[] = { "", "db", ":10.0.0.1", "db:", "d b:10.0.0.1", "db\n:10.0.0.1", "db:10.0.0",
					     "db:10.0.0.1\nevil", "-x:10.0.0.1", "db:fe80::1%eth0" };
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(net_host_parse(wrong[i], &name, &addr, NULL), -EINVAL);
}

static void resolv(void **state)
{
	_cleanup_strv_ char **servers = NULL, **search = NULL;

	(void)state;
	net_resolv_parse("# x\nnameserver 10.0.0.1\nnameserver\t::1 \nnameserver fe80::1%eth0\nnameserver evil\n"
			 "domain old.example\nsearch a.example b.example\noptions edns0\nnameserver 1.1.1.1",
			 &servers, &search);
	assert_int_equal(strv_len(servers), 3);
	assert_string_equal(servers[0], "10.0.0.1");
	assert_string_equal(servers[1], "::1");
	assert_string_equal(servers[2], "1.1.1.1");
	assert_int_equal(strv_len(search), 2);
	assert_string_equal(search[0], "a.example");
}

static char *content(int dir, const char *name)
{
	char *text = NULL;

	assert_int_equal(file_read(dir, name, 65536, &text, NULL), 0);
	return text;
}

static void files(void **state)
{
	char dir[] = "/tmp/brig-net-files-XXXXXX";
	char *servers[] = { (char *)"192.0.0.3", NULL }, *search[] = { (char *)"lan.example", NULL };
	char *none[] = { (char *)".", NULL }, *bad[] = { (char *)"a\nnameserver 6.6.6.6", NULL };
	char *add[] = { (char *)"db:10.0.0.5", NULL }, *gateway[] = { (char *)"h:host-gateway", NULL };
	struct net n = { .kind = SPEC_NET_PRIVATE, .ipv4 = true, .ipv6 = true, .nameservers = servers, .search = search };
	struct net_names names = { .hostname = "web", .domainname = "example", .add_host = add };
	struct error e = { 0 };
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(net_files_write(fd, &n, &names, &e), 0);
	{
		_cleanup_free_ char *h = content(fd, "hosts"), *r = content(fd, "resolv.conf"), *hn = content(fd, "hostname");

		assert_non_null(strstr(h, "127.0.0.1\tlocalhost\n"));
		assert_non_null(strstr(h, "\n192.0.0.2\tweb.example web\n"));
		assert_non_null(strstr(h, "\nfd62:7269:6700::2\tweb.example web\n"));
		assert_non_null(strstr(h, "\n10.0.0.5\tdb\n"));
		assert_string_equal(r, "nameserver 192.0.0.3\nsearch lan.example\n");
		assert_string_equal(hn, "web\n");
	}
	names.dns_search = none;
	assert_int_equal(net_files_write(fd, &n, &names, &e), 0);
	{
		_cleanup_free_ char *r = content(fd, "resolv.conf");

		assert_string_equal(r, "nameserver 192.0.0.3\n");
	}
	/* Nothing that a person or an image names may add a line. */
	names.dns_search = bad;
	assert_int_equal(net_files_write(fd, &n, &names, &e), -EINVAL);
	names.dns_search = NULL;
	names.dns_options = bad;
	assert_int_equal(net_files_write(fd, &n, &names, &e), -EINVAL);
	names.dns_options = NULL;
	names.hostname = "web\n6.6.6.6 bank.example";
	assert_int_equal(net_files_write(fd, &n, &names, &e), -EINVAL);
	names.hostname = "web";
	/* The host has a name inside only when it was lowered by name. */
	names.add_host = gateway;
	assert_int_equal(net_files_write(fd, &n, &names, &e), -EPERM);
	n.host_loopback = true;
	assert_int_equal(net_files_write(fd, &n, &names, &e), 0);
	{
		_cleanup_free_ char *h = content(fd, "hosts");

		assert_non_null(strstr(h, "\n192.0.0.1\th\n"));
	}
	close(fd);
	assert_int_equal(path_remove_tree(AT_FDCWD, dir), 0);
}

static void requests(void **state)
{
	struct spec_port p = { .port = 80, .host_port = 8080 };
	struct net_request r = { .kind = SPEC_NET_NONE, .id = "0123", .ports = &p, .n_ports = 1 };
	char *dns[] = { (char *)"10.0.0.1", (char *)"nonsense", NULL };
	struct spec_lower lower[] = { { (char *)"net", (char *)"lan" }, { (char *)"seccomp", NULL } };
	struct error e = { 0 };
	struct net n;

	(void)state;
	assert_int_equal(net_plan(&r, &n, &e), -EINVAL);
	r.kind = SPEC_NET_HOST;
	assert_int_equal(net_plan(&r, &n, &e), -EINVAL);
	r.n_ports = 0;
	r.dns = dns;
	assert_int_equal(net_plan(&r, &n, &e), -EINVAL);
	assert_non_null(strstr(e.text, "nonsense"));
	dns[1] = NULL;
	assert_int_equal(net_plan(&r, &n, &e), 0);
	assert_int_equal(strv_len(n.nameservers), 1);
	net_free(&n);
	net_request_lowered(&r, lower, ARRAY_SIZE(lower));
	assert_true(r.lan);
	assert_false(r.metadata);
	assert_false(r.host_loopback);
	lower[1].wall = (char *)"net";
	net_request_lowered(&r, lower, ARRAY_SIZE(lower));
	assert_true(r.metadata && r.host_loopback);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports),  cmocka_unit_test(expose), cmocka_unit_test(hosts),
		cmocka_unit_test(resolv), cmocka_unit_test(files),  cmocka_unit_test(requests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
