/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors: reading, writing, passing. Every descriptor that brig opens is close-on-exec (law 5). */
#pragma once

#include "base/error.h"
#include "base/str.h"

#include <sys/types.h>

/* Writes all of it, through EINTR and short writes. 0 or a negative errno. */
int fd_write_all(int fd, const void *data, size_t n);

/* Reads until end of file; more than `max` bytes is -EFBIG. `*out` is NUL-terminated; the caller frees. */
int fd_read_all(int fd, size_t max, char **out, size_t *len);

/* As above for a file below `dirfd` (AT_FDCWD allowed). Follows no link in the last part of `path`. */
int file_read(int dirfd, const char *path, size_t max, char **out, size_t *len);

/* Reads a small kernel file (procfs, sysfs, cgroupfs) in one go, without its last newline. */
int file_read_line(int dirfd, const char *path, char *out, size_t size);

/* Writes to an existing file with one write(2), as kernel files want it. 0 or a negative errno. */
int file_write(int dirfd, const char *path, const char *data);

/*
 * Replaces `name` below `dirfd` atomically: temporary file, write, rename. With `sync`, fsync of file and folder,
 * so that it is there after a power cut. When root replaces a file, its owner and group stay. 0 or a negative errno; on
 * failure the old file stands.
 */
int file_replace(int dirfd, const char *name, const void *data, size_t n, mode_t mode, bool sync);

/* A sealed memory file that holds `data`, read offset 0. Negative errno on failure. */
int memfd_sealed(const char *name, const void *data, size_t n);

/* One message of up to 64 KiB with up to 32 descriptors over a SOCK_SEQPACKET socket. */
enum { FD_PASS_MAX = 32 };
int socket_send(int sock, const void *data, size_t n, const int *fds, size_t nfds);
/* Returns the length, 0 at end of file, or a negative errno; *nfds is capacity in, count out. */
ssize_t socket_recv(int sock, void *data, size_t size, int *fds, size_t *nfds);

/* Moves descriptors so that `fds[i]` stands at `first + i`; used before exec of a helper. 0 or negative errno. */
int fds_arrange(int *fds, size_t n, int first);

/* Sets or clears close-on-exec. */
int fd_set_cloexec(int fd, bool on);
