/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/own_file.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int own_file_read(int dirfd, const char *name, const char *shown, size_t max, char **out, size_t *n, struct error *e)
{
	_cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0)
		return error_errno(e, errno, "cannot open %s", shown);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(e, EINVAL, "%s is not a regular file", shown);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022)) {
		error_set(e, EPERM, "%s can be written by others than this user and root", shown);
		error_hint(e, "look at what is in it, then: chown %u %s && chmod go-w %s", geteuid(), shown, shown);
		return -EPERM;
	}
	r = fd_read_all(fd, max, out, n);
	return r < 0 ? error_errno(e, r, "cannot read %s", shown) : 0;
}

char *share_path(const char *name)
{
	const char *share = getenv("BRIG_SHARE");

	return share ? xasprintf("%s/%s", share, name) : proc_share(name);
}
