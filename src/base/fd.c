/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int fd_write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

int fd_read_all(int fd, size_t max, char **out, size_t *len)
{
	_cleanup_free_ char *data = NULL;
	size_t used = 0, cap = 4096;

	data = xmalloc(cap + 1);
	for (;;) {
		if (used == cap) {
			cap *= 2;
			data = xrealloc(data, cap + 1, 1);
		}
		ssize_t r = read(fd, data + used, cap - used);
		if (r < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (r == 0)
			break;
		used += (size_t)r;
		if (used > max)
			return -EFBIG;
	}
	data[used] = 0;
	*out = steal_ptr(&data);
	if (len)
		*len = used;
	return 0;
}

int file_read(int dirfd, const char *path, size_t max, char **out, size_t *len)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);

	return fd < 0 ? -errno : fd_read_all(fd, max, out, len);
}

int file_read_line(int dirfd, const char *path, char *out, size_t size)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do
		n = read(fd, out, size - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n > 0 && out[n - 1] == '\n')
		n--;
	out[n] = 0;
	return 0;
}

int file_write(int dirfd, const char *path, const char *data)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do
		n = write(fd, data, strlen(data));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int file_replace(int dirfd, const char *name, const void *data, size_t n, mode_t mode, bool sync)
{
	_cleanup_close_ int fd = -1;
	struct stat old;
	char tmp[64];
	uint64_t rnd;
	int r;

	if (getrandom(&rnd, sizeof(rnd), 0) != sizeof(rnd))
		return -EIO;
	snprintf(tmp, sizeof(tmp), ".tmp-%016llx", (unsigned long long)rnd);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data, n);
	if (r == 0 && geteuid() == 0 && fstatat(dirfd, name, &old, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fchown(fd, old.st_uid, old.st_gid) < 0)
		r = -errno;
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r == 0 && sync && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dirfd, tmp, dirfd, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dirfd, tmp, 0);
	else if (sync)
		fsync(dirfd);
	return r;
}

int memfd_sealed(const char *name, const void *data, size_t n)
{
	_cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data, n);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	return steal_fd(&fd);
}

int socket_send(int sock, const void *data, size_t n, const int *fds, size_t nfds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FD_PASS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r;

	if (nfds > FD_PASS_MAX)
		return -E2BIG;
	if (nfds > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	do
		r = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

ssize_t socket_recv(int sock, void *data, size_t size, int *fds, size_t *nfds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FD_PASS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	size_t room = nfds ? *nfds : 0, got = 0;
	ssize_t r;

	do
		r = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (got < room)
				fds[got++] = fd;
			else
				close(fd);
		}
	}
	if (nfds)
		*nfds = got;
	if (msg.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	return r;
}

int fds_arrange(int *fds, size_t n, int first)
{
	/* Lift everything above the target window first, so that no dup2 overwrites one still needed. */
	for (size_t i = 0; i < n; i++) {
		int up = fcntl(fds[i], F_DUPFD_CLOEXEC, first + (int)n);

		if (up < 0)
			return -errno;
		close(fds[i]);
		fds[i] = up;
	}
	for (size_t i = 0; i < n; i++) {
		if (dup2(fds[i], first + (int)i) < 0)
			return -errno;
		close(fds[i]);
		fds[i] = first + (int)i;
	}
	return 0;
}

int fd_set_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}
