/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's end of the attach socket. See engine/attach.h for what is said on it. */
#include "engine/monitor_loop.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool welcome(const struct monitor *m, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	return cred.uid == 0 || cred.uid == m->kit->owner;
}

void client_accept(struct monitor *m)
{
	int fd = accept4(m->listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (int i = 0; i < ATTACH_CLIENTS && welcome(m, fd); i++) {
		if (m->client[i].fd < 0) {
			m->client[i] = (struct client){ .fd = fd };
			/* Its hello may be there already: then it wants what is read next. */
			client_read(m, &m->client[i]);
			return;
		}
	}
	close(fd);
}

void client_drop(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	*c = (struct client){ .fd = -1 };
}

static ssize_t put(const struct client *c, const void *data, size_t n)
{
	ssize_t r;

	do
		r = send(c->fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r;
}

/* A small answer. A client that has no room for it does not read, and goes. */
static void answer(struct client *c, uint8_t type, const void *data, size_t n)
{
	char msg[1 + sizeof(struct attach_status)];

	msg[0] = (char)type;
	memcpy(msg + 1, data, n);
	if (put(c, msg, n + 1) < 0)
		client_drop(c);
}

void client_send(struct monitor *m, struct client *c)
{
	if (put(c, m->chunk, m->chunk_len + 1) >= 0)
		c->due = false;
	else if (errno != EAGAIN && errno != ENOBUFS)
		client_drop(c);
}

static void status(struct monitor *m, struct client *c)
{
	struct attach_status s = { .pid = m->kit->pid, .log_bytes = m->log.bytes, .log_dropped = m->log.dropped,
				   .refused = m->refused };

	for (int i = 0; i < ATTACH_CLIENTS; i++)
		s.clients += m->client[i].fd >= 0 && m->client[i].greeted;
	answer(c, ATTACH_STATUS, &s, sizeof(s));
}

static void resize(struct monitor *m, const void *data)
{
	struct attach_size s;
	struct winsize w = { 0 };

	memcpy(&s, data, sizeof(s));
	w.ws_row = s.rows;
	w.ws_col = s.cols;
	if (m->tty)
		ioctl(m->kit->fd[MFD_TTY], TIOCSWINSZ, &w);
}

/* recv(2) with the descriptor that may have come along; *passed is -1 without. */
static ssize_t receive(int sock, void *data, size_t size, int *passed)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { data, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&msg);

	*passed = -1;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(passed, CMSG_DATA(c), sizeof(int));
	return n;
}

/* One message but input; `n` counts the type, *passed is its descriptor, taken or left. False: it is not sound. */
static bool take(struct monitor *m, struct client *c, const char *msg, size_t n, int *passed)
{
	uint32_t want;
	int fd;

	switch (msg[0]) {
	case ATTACH_HELLO:
		if (n != 1 + sizeof(struct attach_hello) || c->greeted)
			return false;
		memcpy(&want, msg + 1, sizeof(want));
		c->want = want & (ATTACH_WANT_STDIN | ATTACH_WANT_STDOUT | ATTACH_WANT_STDERR);
		if (c->want != want)
			return false;
		c->greeted = true;
		answer(c, ATTACH_READY, "", 0);
		return true;
	case ATTACH_SIZE:
		if (n != 1 + sizeof(struct attach_size))
			return false;
		resize(m, msg + 1);
		return true;
	case ATTACH_PING:
		if (n != 1)
			return false;
		status(m, c);
		return true;
	case ATTACH_NOTIFY:
		fd = *passed;
		*passed = -1;
		if (n != 1 || fd < 0 || !monitor_notify_add(m, fd))
			return false;
		answer(c, ATTACH_READY, "", 0);
		return true;
	case ATTACH_EOF:
		if (n != 1 || !(c->want & ATTACH_WANT_STDIN))
			return false;
		m->in_end |= m->kit->stdin_once;
		input_write(m);
		return true;
	}
	return false;
}

/* Input goes on at once when the container takes it, else it stays in the socket. */
static bool input(struct monitor *m, struct client *c)
{
	ssize_t n;

	if (!(c->want & ATTACH_WANT_STDIN))
		return false;
	if (m->in_len > 0) {
		c->stalled = true;
		return true;
	}
	c->stalled = false;
	n = recv(c->fd, m->input, sizeof(m->input), MSG_DONTWAIT);
	if (n < 1)
		return false;
	m->in_off = 1;
	m->in_len = (size_t)n;
	m->idle_at = bare_ticks() + (uint64_t)IDLE_MS * NS_PER_MS;
	input_write(m);
	return true;
}

void client_read(struct monitor *m, struct client *c)
{
	/* Larger than any message but input by one byte, so that a longer one is seen to be. */
	char msg[1 + sizeof(struct attach_hello) + 1];
	ssize_t n = recv(c->fd, msg, sizeof(msg), MSG_PEEK | MSG_DONTWAIT);
	int passed = -1;
	bool good;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && msg[0] == ATTACH_STDIN) {
		good = input(m, c);
	} else {
		/* End of file, an error, or an empty message, which is the same to recv(2). */
		good = n > 0 && receive(c->fd, msg, sizeof(msg), &passed) == n && take(m, c, msg, (size_t)n, &passed);
		if (passed >= 0)
			close(passed);
	}
	if (!good)
		client_drop(c);
}

void client_farewell(struct monitor *m)
{
	uint64_t until = bare_ticks() + (uint64_t)ATTACH_PATIENCE_MS * NS_PER_MS;
	char msg[1 + sizeof(int32_t)];
	int32_t s = m->status;

	msg[0] = ATTACH_EXIT;
	memcpy(msg + 1, &s, sizeof(s));
	for (int i = 0; i < ATTACH_CLIENTS; i++) {
		struct client *c = &m->client[i];
		struct pollfd p = { .fd = c->fd, .events = POLLOUT };

		if (c->fd < 0 || !c->greeted)
			continue;
		while (put(c, msg, sizeof(msg)) < 0 && errno == EAGAIN) {
			uint64_t now = bare_ticks();

			if (now >= until || poll(&p, 1, (int)((until - now) / NS_PER_MS) + 1) < 0)
				break;
		}
	}
}
