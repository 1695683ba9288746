/* SPDX-License-Identifier: Apache-2.0 */
/* D-Bus specification, "Message Protocol" and "Authentication Protocol", as far as calls to systemd need it. */
#include "confine/cgroup_bus.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { MESSAGE_MAX = 64 << 10 };
enum { METHOD_CALL = 1, METHOD_RETURN = 2, METHOD_ERROR = 3 };
enum { FIELD_PATH = 1, FIELD_INTERFACE, FIELD_MEMBER, FIELD_ERROR_NAME, FIELD_REPLY_SERIAL, FIELD_DESTINATION,
       FIELD_SENDER, FIELD_SIGNATURE };

void bus_pad(struct buf *b, size_t to)
{
	while (b->len % to)
		buf_add(b, "", 1);
}

void bus_put_u32(struct buf *b, uint32_t v)
{
	bus_pad(b, 4);
	v = htole32(v);
	buf_add(b, &v, 4);
}

void bus_put_string(struct buf *b, const char *s)
{
	bus_put_u32(b, (uint32_t)strlen(s));
	buf_add(b, s, strlen(s) + 1);
}

static void put_field(struct buf *b, int code, char type, const char *value)
{
	unsigned char head[4] = { (unsigned char)code, 1, (unsigned char)type, 0 };

	bus_pad(b, 8);
	buf_add(b, head, 4);
	if (type == 'g') {
		unsigned char n = (unsigned char)strlen(value);

		buf_add(b, &n, 1);
		buf_add(b, value, n + 1u);
	} else {
		bus_put_string(b, value);
	}
}

/* A method call; offsets count from the message's own start. */
static void put_call(struct buf *out, uint32_t serial, const char *dest, const char *path, const char *interface,
		     const char *member, const char *signature, const struct buf *body)
{
	_cleanup_buf_ struct buf b = { 0 };
	size_t start, end;
	uint32_t n;

	buf_add(&b, "l\1\0\1", 4); /* little endian, METHOD_CALL, no flags, version 1 */
	bus_put_u32(&b, (uint32_t)body->len);
	bus_put_u32(&b, serial);
	bus_put_u32(&b, 0); /* length of the fields, below */
	start = b.len;
	put_field(&b, FIELD_PATH, 'o', path);
	put_field(&b, FIELD_INTERFACE, 's', interface);
	put_field(&b, FIELD_MEMBER, 's', member);
	put_field(&b, FIELD_DESTINATION, 's', dest);
	if (*signature)
		put_field(&b, FIELD_SIGNATURE, 'g', signature);
	end = b.len;
	n = htole32((uint32_t)(end - start));
	memcpy(b.data + start - 4, &n, 4);
	bus_pad(&b, 8);
	buf_add(out, b.data, b.len);
	buf_add(out, body->data, body->len);
}

static int bus_connect(const char *socket_path, struct error *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval timeout = { .tv_sec = 10 };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_errno(e, errno, "socket");
	if (strlen(socket_path) >= sizeof(sa.sun_path))
		return error_set(e, ENAMETOOLONG, "the path of the bus is too long");
	strcpy(sa.sun_path, socket_path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return error_errno(e, errno, "cannot connect to %s", sa.sun_path);
	return steal_fd(&fd);
}

static int read_full(int fd, void *out, size_t n)
{
	for (char *p = out; n > 0;) {
		ssize_t r = read(fd, p, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -ECONNRESET;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

/* One line of the authentication, which ends with "\r\n". */
static int read_line(int fd, char *out, size_t size)
{
	for (size_t n = 0; n + 1 < size; n++) {
		int r = read_full(fd, out + n, 1);

		if (r < 0)
			return r;
		if (out[n] == '\n') {
			out[n] = 0;
			return 0;
		}
	}
	return -EMSGSIZE;
}

static uint32_t get_u32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return le32toh(v);
}

/* A string "length, bytes, NUL" at `p` of at most `left` bytes. */
static bool get_string(const unsigned char *p, size_t left, char *out, size_t size, size_t *used)
{
	uint32_t n;

	if (left < 5)
		return false;
	n = get_u32(p);
	if (n > left - 5 || p[4 + n])
		return false;
	snprintf(out, size, "%s", (const char *)p + 4);
	*used = 5 + n;
	return true;
}

/* Header fields: an array of (byte, variant), each at a multiple of 8. */
static int parse_reply(const unsigned char *m, size_t fields, size_t body, struct bus_reply *r)
{
	size_t at = 16, end = 16 + fields, used;
	char drop[4];

	while (at < end) {
		at = (at + 7) & ~(size_t)7;
		if (at >= end)
			break;
		if (end - at < 5 || m[at + 1] != 1)
			return -EBADMSG;
		int code = m[at], type = m[at + 2];

		at += 4;
		if (type == 'u') {
			if (end - at < 4)
				return -EBADMSG;
			if (code == FIELD_REPLY_SERIAL)
				r->serial = get_u32(m + at);
			at += 4;
		} else if (type == 's' || type == 'o') {
			bool name = code == FIELD_ERROR_NAME;

			if (!get_string(m + at, end - at, name ? r->name : drop, name ? sizeof(r->name) : sizeof(drop),
					&used))
				return -EBADMSG;
			at += used;
		} else if (type == 'g') {
			if (end - at < 2u + m[at])
				return -EBADMSG;
			at += 2u + m[at];
		} else {
			return -EBADMSG;
		}
	}
	at = (end + 7) & ~(size_t)7;
	if (r->type == METHOD_ERROR && !get_string(m + at, body, r->text, sizeof(r->text), &used))
		r->text[0] = 0;
	return 0;
}

static int read_reply(int fd, struct bus_reply *out)
{
	_cleanup_free_ unsigned char *m = xmalloc(MESSAGE_MAX);
	size_t body, fields, rest;
	int r = read_full(fd, m, 16);

	if (r < 0)
		return r;
	if (m[0] != 'l') /* the daemon answers in the caller's byte order */
		return -EBADMSG;
	body = get_u32(m + 4);
	fields = get_u32(m + 12);
	if (fields > MESSAGE_MAX / 2 || body > MESSAGE_MAX / 4)
		return -EMSGSIZE;
	rest = ((fields + 7) & ~(size_t)7) + body;
	r = read_full(fd, m + 16, rest);
	if (r < 0)
		return r;
	*out = (struct bus_reply){ .type = m[1] };
	return parse_reply(m, fields, body, out);
}

void bus_close(struct bus *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

int bus_open(struct bus *b, const char *socket_path, struct error *e)
{
	_cleanup_buf_ struct buf auth = { 0 }, none = { 0 };
	char uid[16], hex[40], line[256];
	int r;

	*b = (struct bus){ .fd = bus_connect(socket_path, e) };
	if (b->fd < 0)
		return b->fd;
	snprintf(uid, sizeof(uid), "%u", geteuid());
	hex_encode(uid, strlen(uid), hex);
	buf_add(&auth, "", 1);
	buf_printf(&auth, "AUTH EXTERNAL %s\r\nBEGIN\r\n", hex);
	r = fd_write_all(b->fd, auth.data, auth.len);
	if (r == 0)
		r = read_line(b->fd, line, sizeof(line));
	if (r == 0 && !str_after(line, "OK "))
		r = -EACCES;
	if (r < 0)
		error_errno(e, r, "the bus at %s did not answer", socket_path);
	else
		r = bus_call(b, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", "", &none,
			     NULL, e);
	if (r < 0)
		bus_close(b);
	return r;
}

int bus_call(struct bus *b, const char *dest, const char *path, const char *interface, const char *member,
	     const char *signature, const struct buf *body, struct bus_reply *reply, struct error *e)
{
	_cleanup_buf_ struct buf request = { 0 };
	struct bus_reply got = { 0 };
	int r;

	put_call(&request, ++b->serial, dest, path, interface, member, signature, body);
	r = fd_write_all(b->fd, request.data, request.len);
	/* Signals come in between. */
	while (r == 0 && !(got.serial == b->serial && (got.type == METHOD_RETURN || got.type == METHOD_ERROR)))
		r = read_reply(b->fd, &got);
	if (r < 0)
		return error_errno(e, r, "the bus did not answer to %s", member);
	if (reply)
		*reply = got;
	if (got.type != METHOD_ERROR)
		return 0;
	_cleanup_free_ char *text = str_escape(got.text), *name = str_escape(got.name);
	return error_set(e, EREMOTEIO, "%s (%s)", text, name);
}
