/* SPDX-License-Identifier: Apache-2.0 */
/* linux.maskedPaths and linux.readonlyPaths. What does not exist needs neither. */
#include "oci/rootfs.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "confine/mount.h"
#include "confine/sys.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

static int mask(struct oci_setup *s, const char *path, struct error *e)
{
	_cleanup_close_ int at = path_open_in(s->root_fd, path, O_PATH, 0), m = -1;
	struct stat st;

	if (at == -ENOENT || at == -ENOTDIR)
		return 0;
	if (at < 0 || fstat(at, &st) < 0)
		return error_errno(e, at < 0 ? at : errno, "cannot be opened");
	if (S_ISDIR(st.st_mode))
		m = oci_new_fs_labelled("tmpfs", "tmpfs", "mode=0755,size=0k,nr_inodes=1", 0,
					MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
					s->cfg->mount_label, e);
	else
		m = mount_clone(s->null_fd, 0, false, e);
	return m < 0 ? m : mount_attach(m, at, e);
}

static int read_only(struct oci_setup *s, const char *path, struct error *e)
{
	_cleanup_close_ int at = path_open_in(s->root_fd, path, O_PATH, 0), m = -1;

	if (at == -ENOENT || at == -ENOTDIR)
		return 0;
	if (at < 0)
		return error_errno(e, at, "cannot be opened");
	m = mount_clone(at, MOUNT_ATTR_RDONLY, true, e);
	return m < 0 ? m : mount_attach(m, at, e);
}

int oci_paths_all(struct oci_setup *s, struct error *e)
{
	const struct oci_config *c = s->cfg;
	int r = 0;

	for (size_t i = 0; r == 0 && c->readonly_paths && c->readonly_paths[i]; i++) {
		r = read_only(s, c->readonly_paths[i], e);
		if (r < 0)
			error_wrap(e, "linux.readonlyPaths[%zu]", i);
	}
	for (size_t i = 0; r == 0 && c->masked && c->masked[i]; i++) {
		r = mask(s, c->masked[i], e);
		if (r < 0)
			error_wrap(e, "linux.maskedPaths[%zu]", i);
	}
	return r;
}
