/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/criu.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

void criu_free(struct criu *c)
{
	strv_free(c->argv);
	free(c->work);
	free(c->log);
	cleanup_close(&c->images);
}

void criu_arg(struct criu *c, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	strv_add(&c->argv, text);
}

bool criu_path(int fd, char out[static PATH_MAX])
{
	char link[32];
	ssize_t n;

	path_of_fd(fd, link);
	n = fd < 0 ? -1 : readlink(link, out, PATH_MAX - 1);
	if (n > 0)
		out[n] = 0;
	return n > 0;
}

static int find(const struct oci_criu_options *o, char *out, size_t size, struct error *e)
{
	if (!o->program && proc_find("criu", out, size) == 0)
		return 0;
	if (!o->program) {
		error_set(e, ENOENT, "criu is not installed");
		error_hint(e, "install it (package criu), or name it by --criu");
		return e->code;
	}
	if (o->program[0] != '/' || access(o->program, X_OK) < 0)
		return error_set(e, ENOENT, "--criu %s: is no absolute path of a program", o->program);
	snprintf(out, size, "%s", o->program);
	return 0;
}

static int folder(const char *path, bool make, char **out, struct error *e)
{
	_cleanup_free_ char *safe = str_escape(path);
	char full[PATH_MAX];

	/* Images hold the memory of all processes. */
	if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_errno(e, errno, "cannot make %s", safe);
	if (!realpath(path, full))
		return error_errno(e, errno, "%s", safe);
	*out = xstrdup(full);
	return 0;
}

static void common(struct criu *c, const struct oci_criu_options *o)
{
	if (o->tcp_established)
		criu_arg(c, "--tcp-established");
	if (o->ext_unix_sk)
		criu_arg(c, "--ext-unix-sk");
	if (o->shell_job)
		criu_arg(c, "--shell-job");
	if (o->file_locks)
		criu_arg(c, "--file-locks");
	if (o->auto_dedup)
		criu_arg(c, "--auto-dedup");
	strv_foreach (ns, o->empty_ns) {
		criu_arg(c, "--empty-ns");
		criu_arg(c, "%s", *ns);
	}
	if (o->cgroups_mode)
		criu_arg(c, "--manage-cgroups=%s", o->cgroups_mode);
	else
		criu_arg(c, "--manage-cgroups");
}

static int check_options(const struct oci_criu_options *o, struct error *e)
{
	static const char *const modes[] = {"cpuset", "soft", "full", "strict", "ignore"};
	bool known = !o->cgroups_mode;

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		known |= streq(o->cgroups_mode, modes[i]);
	if (!known)
		return error_set(e, EINVAL,
			"unknown --manage-cgroups-mode \"%s\": soft, full, strict or ignore",
			o->cgroups_mode);
	strv_foreach (ns, o->empty_ns)
		if (!streq(*ns, "network"))
			return error_set(e, EINVAL, "--empty-ns %s: only network can be", *ns);
	if (geteuid() != 0)
		return error_set(e, EPERM, "criu needs root's rights");
	return 0;
}

int criu_begin(
	struct criu *c, const char *action, const struct oci_criu_options *o, bool make, struct error *e)
{
	const char *image = o->image_path ? o->image_path : "checkpoint";
	char program[PATH_MAX];
	_cleanup_free_ char *dir = NULL;
	int r = check_options(o, e);

	*c = (struct criu){.images = -1};
	if (r == 0)
		r = find(o, program, sizeof(program), e);
	if (r == 0)
		r = folder(image, make, &dir, e);
	if (r == 0)
		r = folder(o->work_path ? o->work_path : image, o->work_path != NULL || make, &c->work, e);
	if (r < 0)
		return r;
	c->images = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->images < 0)
		return error_errno(e, errno, "%s", dir);
	c->log = xasprintf("%s.log", action);
	criu_arg(c, "%s", program);
	criu_arg(c, "%s", action);
	criu_arg(c, "--images-dir");
	criu_arg(c, "%s", dir);
	criu_arg(c, "--work-dir");
	criu_arg(c, "%s", c->work);
	criu_arg(c, "--log-file");
	criu_arg(c, "%s", c->log);
	criu_arg(c, "-v4");
	common(c, o);
	return 0;
}

int criu_version(const struct criu *c, char **text)
{
	_cleanup_close_ int in = -1;
	int p[2], status, r;
	pid_t pid;
	size_t n;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	in = p[0];
	pid = fork();
	if (pid == 0) {
		dup2(p[1], 1);
		execl(c->argv[0], c->argv[0], "--version", NULL);
		_exit(127);
	}
	close(p[1]);
	if (pid < 0)
		return -errno;
	r = fd_read_all(in, 4096, text, &n);
	status = proc_wait(pid);
	return r < 0 ? r : status == 0 ? 0 : -EIO;
}

int criu_failed(const struct criu *c, struct error *e)
{
	_cleanup_close_ int dir = open(c->work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL, *safe = NULL;
	char *const check[] = {c->argv[0], (char[]){"check"}, NULL};
	_cleanup_buf_ struct buf last = {0};
	struct error unable = {0};
	char *lines[3] = {0}, *rest, *line;

	if (proc_run(c->argv[0], check, NULL, -1, &unable) < 0) {
		char *line_end = strstr(unable.text, "\\x0a"); /* proc_run() has escaped it */

		if (line_end)
			*line_end = 0;
		error_set(e, EOPNOTSUPP, "criu cannot work on this kernel: %s", unable.text);
		error_hint(e, "criu check --all tells more; a newer criu may know this kernel (--criu)");
		return e->code;
	}
	if (dir < 0 || file_read(dir, c->log, 256 << 20, &text, NULL) < 0)
		return error_set(e, EIO, "criu failed, and %s/%s cannot be read", c->work, c->log);
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		if (!strstr(line, "Error ("))
			continue;
		lines[0] = lines[1];
		lines[1] = lines[2];
		lines[2] = line;
	}
	for (int i = 0; i < 3; i++)
		if (lines[i])
			buf_printf(&last, "%s%s", last.len ? " | " : "", strstr(lines[i], "Error ("));
	safe = str_escape(last.len ? last.data : "no error is in it");
	return error_set(e, EIO, "criu failed, see %s/%s: %.900s", c->work, c->log, safe);
}

int criu_refuse(const struct oci_config *cfg, bool landlock, struct error *e)
{
	static const char *const names[] = {
		"user", "pid", "network", "ipc", "uts", "cgroup", "time", "mount"};

	if (cfg->process.terminal)
		return error_set(e, EOPNOTSUPP,
			"process.terminal: a container with a terminal cannot be checkpointed and restored");
	if (cfg->seccomp.notifies)
		return error_set(e, EOPNOTSUPP,
			"linux.seccomp: criu cannot keep a filter that notifies (SCMP_ACT_NOTIFY)");
	/* criu keeps no Landlock domain: what is restored would be without. */
	if (landlock)
		return error_set(
			e, EOPNOTSUPP, "Landlock (oci_landlock of brig.conf) does not outlive a checkpoint");
	if (!cfg->ns[OCI_NS_MOUNT].set)
		return error_set(e, EOPNOTSUPP, "linux.namespaces: criu needs a mount namespace");
	for (int k = 0; k < OCI_NS_COUNT; k++)
		if (cfg->ns[k].path && k != OCI_NS_NETWORK)
			return error_set(e, EOPNOTSUPP,
				"linux.namespaces: criu cannot keep a %s namespace by path", names[k]);
	for (size_t i = 0; i < cfg->n_mounts; i++) {
		const struct oci_mount *m = &cfg->mounts[i];

		if (m->idmap || m->n_uidmap)
			return error_set(e, EOPNOTSUPP, "mounts[%zu]: criu cannot keep an idmapped mount", i);
		if (strpbrk(m->destination, ":[]"))
			return error_set(e, EOPNOTSUPP,
				"mounts[%zu].destination: criu cannot keep one with : [ or ]", i);
	}
	if (cfg->n_netdevs)
		return error_set(e, EOPNOTSUPP, "linux.netDevices: criu cannot keep a device of the host");
	return 0;
}
