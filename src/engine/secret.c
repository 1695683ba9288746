/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/secret.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TARGET "/run/secrets"

static int read_one(const struct secret_mount *m, struct buf *out, struct error *e)
{
	_cleanup_free_ char *safe = str_escape(m->path), *data = NULL;
	_cleanup_close_ int fd = open(m->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	size_t len;
	uint64_t head;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(e, errno, "secret %s: %s", m->name, safe);
	if (!S_ISREG(st.st_mode))
		return error_set(e, EINVAL, "secret %s: %s is not a regular file", m->name, safe);
	r = fd_read_all(fd, SECRET_MAX, &data, &len);
	if (r < 0)
		return error_errno(e, r, "secret %s: %s (at most %d bytes)", m->name, safe, SECRET_MAX);
	head = len;
	buf_add(out, &head, sizeof(head));
	buf_add(out, data, len);
	explicit_bzero(data, len);
	return 0;
}

static int read_all(const struct container_config *k, struct error *e)
{
	struct buf all = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < k->n_secrets; i++)
		r = read_one(&k->secrets[i], &all, e);
	if (r == 0) {
		r = memfd_sealed("secrets", all.data, all.len);
		if (r < 0)
			error_errno(e, r, "secrets");
	}
	if (all.data)
		explicit_bzero(all.data, all.cap);
	buf_free(&all);
	return r;
}

int secret_mounts(const struct container *c, int kept_fd, struct spec *s, struct error *e)
{
	const struct container_config *k = &c->config;
	_cleanup_close_ int fd = -1;
	struct spec_mount *m;
	uint64_t at = 0, pages = 0;

	if (k->n_secrets == 0)
		return 0;
	fd = kept_fd >= 0 ? fcntl(kept_fd, F_DUPFD_CLOEXEC, 3) : read_all(k, e);
	if (fd < 0)
		return kept_fd >= 0 ? error_errno(e, errno, "secrets") : fd;
	m = spec_add_mount(s, "tmpfs", NULL, TARGET, NULL, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC);
	m->files = xcalloc(k->n_secrets, sizeof(*m->files));
	for (size_t i = 0; i < k->n_secrets; i++) {
		struct spec_file *f = &m->files[i];
		uint64_t len;

		if (pread(fd, &len, sizeof(len), (off_t)at) != sizeof(len) || len > SECRET_MAX)
			return error_set(e, EBADMSG, "secrets: not what was kept");
		*f = (struct spec_file){ .name = xstrdup(k->secrets[i].name), .fd = fcntl(fd, F_DUPFD_CLOEXEC, 3),
					 .offset = at + sizeof(len), .len = len, .uid = k->uid, .gid = k->gid,
					 .mode = k->secrets[i].mode };
		m->n_files++;
		if (f->fd < 0)
			return error_errno(e, errno, "secrets");
		at += sizeof(len) + len;
		pages += (len + 4095) & ~4095ull;
	}
	m->data = xasprintf("mode=0755,size=%llu,nr_inodes=%zu", (unsigned long long)pages + 4096, k->n_secrets + 8);
	return 0;
}

int secret_fd(const struct spec *s)
{
	for (size_t i = 0; i < s->n_mounts; i++)
		if (streq(s->mounts[i].target, TARGET) && s->mounts[i].n_files > 0)
			return s->mounts[i].files[0].fd;
	return -1;
}

bool secret_is_fd(int fd)
{
	/* fcntl(2): only memory files have seals; these have every one of them. */
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & F_SEAL_WRITE);
}
