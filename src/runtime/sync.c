/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/sync.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "runtime/launch.h"

#include <string.h>

struct message {
	uint32_t type, size;
	char body[sizeof(struct error)];
};

int sync_send(int sock, enum sync_type type, const void *body, size_t n, const int *fds, size_t nfds)
{
	struct message m = { .type = type, .size = (uint32_t)n };

	if (n > sizeof(m.body))
		return -EMSGSIZE;
	if (n)
		memcpy(m.body, body, n);
	return socket_send(sock, &m, offsetof(struct message, body) + n, fds, nfds);
}

int sync_send_error(int sock, const struct error *e)
{
	return sync_send(sock, SYNC_ERROR, e, sizeof(*e), NULL, 0);
}

int sync_recv_any(int sock, void *body, size_t n, int *fds, size_t *nfds, struct error *e)
{
	struct message m;
	ssize_t r = socket_recv(sock, &m, sizeof(m), fds, nfds);

	/* A peer that died with unread messages shows as a reset connection. */
	if (r == 0 || r == -ECONNRESET)
		return 0;
	if (r < 0)
		return error_errno(e, (int)r, "cannot receive");
	if ((size_t)r < offsetof(struct message, body) || (size_t)r != offsetof(struct message, body) + m.size)
		return error_set(e, EPROTO, "a message of the wrong size");
	if (m.type == SYNC_ERROR && m.size == sizeof(*e)) {
		struct error other;

		memcpy(&other, m.body, sizeof(other));
		other.text[sizeof(other.text) - 1] = 0;
		if (e)
			*e = other;
		return other.code < 0 ? other.code : -EIO;
	}
	if (m.size != n)
		return error_set(e, EPROTO, "a message of the wrong kind");
	if (n)
		memcpy(body, m.body, n);
	return (int)m.type;
}

int sync_recv(int sock, enum sync_type want, void *body, size_t n, int *fds, size_t *nfds, const char *gone,
	      struct error *e)
{
	int r = sync_recv_any(sock, body, n, fds, nfds, e);

	if (r < 0)
		return r;
	if (r == 0)
		return error_set(e, EPIPE, "%s", gone);
	return r == (int)want ? 0 : error_set(e, EPROTO, "an unexpected message");
}

int sync_wait_ready(struct launched *out, struct error *e)
{
	struct sync_ready ready;
	int fds[8], at = 0;
	size_t n = 8;
	int r = sync_recv(out->sync, SYNC_READY, &ready, sizeof(ready), fds, &n, "the new process died before it ran", e);

	if (r < 0)
		return r;
	if (ready.tty && (size_t)at < n)
		out->tty_fd = fds[at++];
	for (int i = 0; i < 3; i++)
		if (ready.pipes >> i & 1 && (size_t)at < n)
			out->stdio[i] = fds[at++];
	if (ready.notify && (size_t)at < n)
		out->notify_fd = fds[at++];
	return 0;
}

int sync_wait_running(struct launched *l, struct error *e)
{
	char none;
	int r = sync_recv_any(l->sync, &none, 0, NULL, NULL, e);

	if (r != 0)
		return r < 0 ? r : error_set(e, EPROTO, "an unexpected message");
	cleanup_close(&l->sync);
	return 0;
}
