// SPDX-License-Identifier: Apache-2.0
#include "confine/landlock_test.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

bool landlock_opens_proc(const struct spec *s)
{
	return spec_lowered(s, "landlock", "proc") || spec_lowered(s, "seccomp", "userns");
}

static int try_write(const struct landlock_test *t)
{
	_cleanup_close_ int fd = openat(t->proc, t->knob, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

/* Root of a user namespace may write its limits, but nothing of itself while it is not dumpable; others the reverse. */
static int find_knob(struct landlock_test *t)
{
	int err;

	t->knob = "sys/user/max_user_namespaces";
	err = try_write(t);
	if (err == 0)
		return 0;
	t->knob = "self/comm";
	return try_write(t);
}

static int try_bind(const struct landlock_test *t)
{
	_cleanup_close_ int fd = socket(t->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(t->port) };
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(t->port) };
	bool v4 = t->family == AF_INET;

	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	any6.sin6_addr = in6addr_loopback;
	if (fd < 0)
		return -errno;
	if (bind(fd, v4 ? (struct sockaddr *)&any : (struct sockaddr *)&any6, v4 ? sizeof(any) : sizeof(any6)) < 0)
		return -errno;
	return 0;
}

static int try_connect(const struct landlock_test *t)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&t->name, t->name_len) < 0)
		return -errno;
	return 0;
}

static uint16_t undeclared_port(const struct spec *s)
{
	uint16_t port = UINT16_MAX;

	for (size_t i = 0; i < s->n_expose_tcp && port > 1024; i++) {
		if (s->expose_tcp[i] == port) {
			port--;
			i = (size_t)-1;
		}
	}
	return port;
}

int landlock_test_before(struct landlock_test *t, const struct spec *s, const struct landlock_scope *handled,
			 struct error *e)
{
	int err;

	t->fs = t->proc >= 0 && handled->fs && !landlock_opens_proc(s);
	t->net = handled->net;
	t->scope = handled->scoped;
	err = t->fs ? find_knob(t) : 0;
	if (err < 0)
		return error_errno(e, err, "self-test: /proc/%s", t->knob);
	if (t->net) {
		t->family = AF_INET;
		t->port = undeclared_port(s);
		err = try_bind(t);
		if (err == -EAFNOSUPPORT) {
			t->family = AF_INET6;
			err = try_bind(t);
		}
		if (err == -EAFNOSUPPORT)
			t->net = false; /* no TCP on this machine */
		else if (err == -EACCES)
			return error_errno(e, err, "self-test: bind to port %u", t->port);
	}
	if (t->scope) {
		t->name = (struct sockaddr_un){ .sun_family = AF_UNIX };
		t->name_len = sizeof(t->name);
		t->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		/* An address of the family alone asks the kernel for a free abstract name (unix(7), autobind). */
		if (t->socket < 0 || bind(t->socket, (struct sockaddr *)&t->name, sizeof(sa_family_t)) < 0 ||
		    getsockname(t->socket, (struct sockaddr *)&t->name, &t->name_len) < 0)
			return error_errno(e, errno, "self-test: abstract socket");
		err = try_connect(t);
		if (err < 0)
			return error_errno(e, err, "self-test: abstract socket");
	}
	return 0;
}

int landlock_test_after(const struct landlock_test *t, struct error *e)
{
	static const char wanted[] = "the kernel took the rules but the self-test shows that they do not hold: %s gives %s";
	int err;

	if (t->fs && (err = try_write(t)) != -EACCES)
		return error_set(e, EPROTO, wanted, "writing to /proc", err ? error_name(-err) : "success");
	if (t->net && (err = try_bind(t)) != -EACCES)
		return error_set(e, EPROTO, wanted, "bind to an undeclared port", err ? error_name(-err) : "success");
	if (t->scope && (err = try_connect(t)) != -EPERM)
		return error_set(e, EPROTO, wanted, "a socket from outside", err ? error_name(-err) : "success");
	return 0;
}
