/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/readfile.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int trust_read_file(int dirfd, const char *path, const char *what, size_t max, char **out, size_t *n, struct error *e)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? -ENOENT : error_errno(e, errno, "cannot open %s", what);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(e, EINVAL, "%s is not a regular file", what);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022)) {
		error_set(e, EPERM, "%s can be written by others than this user and root", what);
		error_hint(e, "look at what is in it, then: chown %u %s && chmod go-w %s", geteuid(), what, what);
		return -EPERM;
	}
	r = fd_read_all(fd, max, out, n);
	return r < 0 ? error_errno(e, r, "cannot read %s", what) : 0;
}
