/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/attach.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MS = 1000 };

/* The socket's path through procfs: a folder of any depth fits into sun_path. */
static socklen_t address(int run_dir, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d/attach", run_dir);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(a->sun_path) + 1);
}

int attach_listen(int run_dir, struct error *e)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a;
	socklen_t len = address(run_dir, &a);
	mode_t mask;
	int r;

	if (fd < 0)
		return error_errno(e, errno, "attach socket");
	if (unlinkat(run_dir, "attach", 0) < 0 && errno != ENOENT)
		return error_errno(e, errno, "cannot remove the old attach socket");
	/* The mode is right from the first moment on. */
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&a, len) < 0 ? -errno : 0;
	umask(mask);
	if (r == 0 && listen(fd, ATTACH_CLIENTS) < 0)
		r = -errno;
	if (r < 0)
		return error_errno(e, r, "cannot make the attach socket");
	return steal_fd(&fd);
}

int attach_connect(int run_dir, struct error *e)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct timeval patience = { .tv_sec = ANSWER_MS / 1000 };
	struct sockaddr_un a;
	socklen_t len = address(run_dir, &a);

	if (fd < 0)
		return error_errno(e, errno, "attach socket");
	/* A monitor that takes no connections (SIGSTOP) is not waited for without end. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&a, len) < 0)
		return error_errno(e, errno == EAGAIN ? ETIMEDOUT : errno, "cannot reach the container's monitor");
	patience.tv_sec = 0;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return steal_fd(&fd);
}

int attach_ping(int run_dir, struct attach_status *out, struct error *e)
{
	_cleanup_close_ int fd = attach_connect(run_dir, e);
	char type = ATTACH_PING, msg[1 + sizeof(*out) + 1];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	if (fd < 0)
		return fd;
	r = socket_send(fd, &type, 1, NULL, 0);
	if (r < 0)
		return error_errno(e, r, "cannot ask the container's monitor");
	if (poll(&p, 1, ANSWER_MS) <= 0)
		return error_errno(e, ETIMEDOUT, "the container's monitor does not answer");
	if (recv(fd, msg, sizeof(msg), 0) != 1 + (ssize_t)sizeof(*out) || msg[0] != ATTACH_STATUS)
		return error_set(e, EPROTO, "the container's monitor refused");
	memcpy(out, msg + 1, sizeof(*out));
	return 0;
}

int attach_resize(int run_dir, uint16_t rows, uint16_t cols, struct error *e)
{
	_cleanup_close_ int fd = attach_connect(run_dir, e);
	struct attach_size size = { rows, cols };
	char msg[1 + sizeof(size)];
	int r;

	if (fd < 0)
		return fd;
	msg[0] = ATTACH_SIZE;
	memcpy(msg + 1, &size, sizeof(size));
	r = socket_send(fd, msg, sizeof(msg), NULL, 0);
	return r < 0 ? error_errno(e, r, "cannot set the terminal's size") : 0;
}

int attach_notify(int run_dir, int notify_fd, struct error *e)
{
	_cleanup_close_ int fd = attach_connect(run_dir, e);
	char type = ATTACH_NOTIFY, answer;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	if (fd < 0)
		return fd;
	r = socket_send(fd, &type, 1, &notify_fd, 1);
	if (r < 0)
		return error_errno(e, r, "cannot reach the container's monitor");
	if (poll(&p, 1, ANSWER_MS) <= 0)
		return error_errno(e, ETIMEDOUT, "the container's monitor does not answer");
	if (recv(fd, &answer, 1, 0) != 1 || answer != ATTACH_READY)
		return error_set(e, EBUSY, "the container's monitor answers for %d commands already", ATTACH_LISTENERS);
	return 0;
}
