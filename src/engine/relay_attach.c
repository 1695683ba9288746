/* SPDX-License-Identifier: Apache-2.0 */
/* The person's descriptors joined to a monitor's attach socket. */
#include "engine/relay.h"

#include "base/fd.h"
#include "engine/attach.h"

#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct joined {
	struct relay *r;
	int sock, pidfd;
	char out[ATTACH_MAX + 1]; /* a message from the monitor; [0] its type */
	size_t out_len, out_done; /* payload, and how much of it was written */
	char in[ATTACH_MAX];	  /* a message to the monitor */
	size_t in_len;		  /* 0: none waits */
	bool eof_sent, ended;
	int status;
};

static void resize(struct relay *r, uint16_t rows, uint16_t cols)
{
	struct attach_size size = { rows, cols };
	char msg[1 + sizeof(size)];

	msg[0] = ATTACH_SIZE;
	memcpy(msg + 1, &size, sizeof(size));
	/* A full socket loses a size; the next change brings a new one. */
	send(r->sock, msg, sizeof(msg), MSG_DONTWAIT | MSG_NOSIGNAL);
}

int relay_hello(struct relay *r, int sock, struct error *e)
{
	struct attach_hello h = { (r->in >= 0 ? ATTACH_WANT_STDIN : 0) | (r->out >= 0 ? ATTACH_WANT_STDOUT : 0) |
				  (r->err >= 0 ? ATTACH_WANT_STDERR : 0) };
	char msg[1 + sizeof(h)] = { ATTACH_HELLO };
	int err;

	memcpy(msg + 1, &h, sizeof(h));
	err = socket_send(sock, msg, sizeof(msg), NULL, 0);
	if (err < 0)
		return error_errno(e, err, "cannot attach");
	r->greeted = true;
	return 0;
}

static int hello(struct joined *j, struct error *e)
{
	struct relay *r = j->r;
	struct winsize w;
	int err = r->greeted ? 0 : relay_hello(r, j->sock, e);

	if (err == 0 && r->raw && ioctl(r->in, TIOCGWINSZ, &w) == 0)
		resize(r, w.ws_row, w.ws_col);
	return err;
}

static void send_input(struct joined *j)
{
	while (j->in_len > 0) {
		if (send(j->sock, j->in, j->in_len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN)
				return;
			/* The monitor is gone: reading will say so. */
		}
		j->in_len = 0;
	}
	if (j->r->in_ended && !j->eof_sent) {
		j->eof_sent = true;
		j->in[0] = ATTACH_EOF;
		j->in_len = 1;
		send_input(j);
	}
}

static void take_input(struct joined *j)
{
	ssize_t n = j->r->ops->read(j->r, j->in + 1, sizeof(j->in) - 1);

	if (n > 0) {
		j->in[0] = ATTACH_STDIN;
		j->in_len = 1 + (size_t)n;
	}
	send_input(j);
}

static void give_output(struct joined *j)
{
	int stream = j->out[0] == ATTACH_STDERR;
	ssize_t n = j->r->ops->write(j->r, stream, j->out + 1 + j->out_done, j->out_len - j->out_done);

	if (n == -EAGAIN)
		return;
	if (n < 0) {
		/* Nobody reads: there is nothing more to do here. */
		j->r->detached = true;
		return;
	}
	j->out_done += (size_t)n;
	if (j->out_done == j->out_len)
		j->out_len = 0;
}

/* One message of the monitor. */
static int take_message(struct joined *j, struct error *e)
{
	ssize_t n = recv(j->sock, j->out, sizeof(j->out), MSG_DONTWAIT);
	int32_t status;

	/*
	 * A monitor that ends while it has input unread resets the connection. The kernel says so once, before the messages
	 * that still wait here, and the last of them is the exit status.
	 */
	if (n < 0 && errno == ECONNRESET)
		n = recv(j->sock, j->out, sizeof(j->out), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return error_set(e, ECONNRESET, "the container's monitor closed the connection: it ended, or output was not read for "
				 "%d seconds", ATTACH_PATIENCE_MS / 1000);
	switch (j->out[0]) {
	case ATTACH_STDOUT:
	case ATTACH_STDERR:
		j->out_len = (size_t)n - 1;
		j->out_done = 0;
		if (j->out_len > 0)
			give_output(j);
		return 0;
	case ATTACH_EXIT:
		if (n != 1 + (ssize_t)sizeof(status))
			break;
		memcpy(&status, j->out + 1, sizeof(status));
		j->status = status;
		j->ended = true;
		return 0;
	case ATTACH_READY:
		return 0;
	}
	return error_set(e, EPROTO, "the container's monitor sent what is not understood");
}

static int step(struct joined *j, struct error *e)
{
	struct relay *r = j->r;
	bool out = j->out_len > 0, in = j->in_len > 0;
	struct pollfd p[4] = {
		{ .fd = r->signals, .events = POLLIN },
		{ .fd = j->sock, .events = (short)((out ? 0 : POLLIN) | (in ? POLLOUT : 0)) },
		{ .fd = in || r->in_ended ? -1 : r->in, .events = POLLIN },
		{ .fd = !out ? -1 : j->out[0] == ATTACH_STDERR ? r->err : r->out, .events = POLLOUT },
	};

	/* Without this a closed socket would be reported although nothing is asked of it now. */
	if (!p[1].events)
		p[1].fd = -1;
	if (poll(p, 4, -1) < 0)
		return errno == EINTR ? 0 : error_errno(e, errno, "poll");
	if (p[0].revents)
		r->ops->signals(r, j->pidfd, -1);
	if (p[3].revents)
		give_output(j);
	if (p[2].revents)
		take_input(j);
	else if (p[1].revents & POLLOUT)
		send_input(j);
	if (p[1].revents & (POLLIN | POLLHUP | POLLERR) && j->out_len == 0)
		return take_message(j, e);
	return 0;
}

int relay_attach(struct relay *r, int sock, int pidfd, int *status, struct error *e)
{
	static struct joined j;
	int err;

	memset(&j, 0, sizeof(j));
	j.r = r;
	j.sock = r->sock = sock;
	j.pidfd = pidfd;
	r->resize = resize;
	err = hello(&j, e);
	while (err == 0 && !j.ended && !r->detached)
		err = step(&j, e);
	r->resize = NULL;
	if (err < 0)
		return err;
	*status = j.status;
	return j.ended ? RELAY_ENDED : RELAY_DETACHED;
}
