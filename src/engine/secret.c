/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/secret.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_secret(const struct secret_mount *m, size_t *len, struct error *e)
{
	_cleanup_free_ char *safe = str_escape(m->path), *data = NULL;
	_cleanup_close_ int fd = open(m->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int r, mem;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(e, errno, "secret %s: %s", m->name, safe);
	if (!S_ISREG(st.st_mode))
		return error_set(e, EINVAL, "secret %s: %s is not a regular file", m->name, safe);
	r = fd_read_all(fd, SECRET_MAX, &data, len);
	if (r < 0)
		return error_errno(e, r, "secret %s: %s (at most %d bytes)", m->name, safe, SECRET_MAX);
	mem = memfd_sealed("secret", data, *len);
	explicit_bzero(data, *len);
	return mem < 0 ? error_errno(e, mem, "secret %s", m->name) : mem;
}

int secret_mounts(const struct container *c, struct spec *s, struct error *e)
{
	const struct container_config *k = &c->config;
	struct spec_mount *m;
	size_t total = 0;

	if (k->n_secrets == 0)
		return 0;
	m = spec_add_mount(s, "tmpfs", NULL, "/run/secrets", NULL, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC);
	m->files = xcalloc(k->n_secrets, sizeof(*m->files));
	for (size_t i = 0; i < k->n_secrets; i++) {
		size_t len;
		int fd = read_secret(&k->secrets[i], &len, e);

		if (fd < 0)
			return fd;
		m->files[m->n_files++] = (struct spec_file){ xstrdup(k->secrets[i].name), fd, k->uid, k->gid,
							     k->secrets[i].mode };
		total += (len + 4095) & ~(size_t)4095;
	}
	m->data = xasprintf("mode=0755,size=%zu,nr_inodes=%zu", total + 4096, k->n_secrets + 8);
	return 0;
}
