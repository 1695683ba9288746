/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/self.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "confine/sys.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

enum { PROGRAM_MAX = 64 << 20 };

static bool is_sealed(int exe)
{
	return fcntl(exe, F_GET_SEALS) >= 0 && (fcntl(exe, F_GET_SEALS) & F_SEAL_WRITE);
}

static int read_only(int exe)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	_cleanup_close_ int m = sys_open_tree(exe, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);

	if (m < 0 || sys_mount_setattr(m, "", AT_EMPTY_PATH, &attr) < 0)
		return -errno;
	return steal_fd(&m);
}

static int copy(int exe)
{
	_cleanup_free_ char *data = NULL;
	size_t n;
	int r = fd_read_all(exe, PROGRAM_MAX, &data, &n);

	return r < 0 ? r : memfd_sealed("brig-oci", data, n);
}

int oci_self_protect(char **argv, struct error *e)
{
	_cleanup_close_ int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), again = -1;
	struct statvfs fs;
	struct stat st;

	if (exe < 0 || fstatvfs(exe, &fs) < 0 || fstat(exe, &st) < 0)
		return error_errno(e, errno, "/proc/self/exe");
	if ((fs.f_flag & ST_RDONLY) || is_sealed(exe))
		return 0;
	again = read_only(exe);
	if (again == -EPERM && st.st_uid != geteuid() && faccessat(exe, "", W_OK, AT_EMPTY_PATH | AT_EACCESS) < 0)
		return 0; /* nobody in a container of this user has more rights than this user */
	if (again < 0)
		again = copy(exe);
	if (again < 0)
		return error_errno(e, again, "cannot put this program out of the container's reach");
	syscall(SYS_execveat, again, "", argv, environ, AT_EMPTY_PATH);
	return error_errno(e, errno, "cannot execute this program from out of the container's reach");
}
