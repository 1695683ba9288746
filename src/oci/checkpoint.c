/* SPDX-License-Identifier: Apache-2.0 */
/* brig-oci checkpoint: what criu has to be told of a container, from config.json and from the kernel. */
#include "oci/criu.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

/* mountinfo of the container by mount id, proc_pid_mountinfo(5). */
struct mounts {
	char *text;
};

/* The mount point, as the container sees it; NULL: it is not in its tree. The caller frees. */
static char *point_of(const struct mounts *m, uint64_t id)
{
	for (const char *line = m->text; line && *line;
		line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		unsigned long long here;
		char target[4096];

		if (sscanf(line, "%llu %*u %*s %*s %4095s", &here, target) == 2 && here == id)
			return xstrdup(target);
	}
	return NULL;
}

/* The mount whose root `path` is, inside the container; NULL: it is none, or not there. */
static char *mounted_at(const struct mounts *m, int root, const char *path, mode_t *type)
{
	_cleanup_close_ int fd = path_open_in(root, path, O_PATH, 0);
	struct statx sx;

	if (fd < 0 || syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &sx) < 0 ||
		!(sx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return NULL;
	*type = sx.stx_mode & S_IFMT;
	return point_of(m, sx.stx_mnt_id);
}

static void external(
	struct criu *criu, const struct mounts *m, int root, const char *kind, const char *path, bool folders)
{
	mode_t type = 0;
	_cleanup_free_ char *at = mounted_at(m, root, path, &type);

	if (!at || (!folders && type == S_IFDIR))
		return;
	criu_arg(criu, "--external");
	criu_arg(criu, "mnt[%s]:%s:%s", at, kind, path);
}

/* v1 without a cgroup namespace: each hierarchy is shown from the container's folder on, which is the host's.
 */
static void tell_cgroups(struct criu *criu, const struct oci_config *cfg, const struct mounts *m)
{
	if (cfg->ns[OCI_NS_CGROUP].set)
		return;
	for (const char *line = m->text; line && *line;
		line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		const char *type = strstr(line, " - "), *end = strchrnul(line, '\n');
		char target[4096];

		if (!type || type > end || !str_after(type, " - cgroup ") ||
			sscanf(line, "%*u %*u %*s %*s %4095s", target) != 1)
			continue;
		criu_arg(criu, "--external");
		criu_arg(criu, "mnt[%s]:cgroup:%s", target, strrchr(target, '/') + 1);
	}
}

static void tell_mounts(struct criu *criu, const struct oci_config *cfg, const struct mounts *m, int root)
{
	static const char *const devices[] = {
		"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"};

	for (size_t i = 0; i < cfg->n_mounts; i++)
		if (cfg->mounts[i].bind || cfg->mounts[i].rbind)
			external(criu, m, root, "to", cfg->mounts[i].destination, true);
	for (char **p = cfg->masked; p && *p; p++)
		external(criu, m, root, "mask", *p, false);
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		external(criu, m, root, "dev", devices[i], false);
	for (size_t i = 0; i < cfg->n_devices; i++)
		external(criu, m, root, "dev", cfg->devices[i].path, false);
}

/* What one of the three is, by criu's name; a file of the host is told to criu as such. */
static json_t *tell_stdio(struct criu *criu, const struct mounts *m, pid_t pid, int fd)
{
	_cleanup_free_ char *text = NULL, *at = NULL;
	char path[64], link[PATH_MAX] = "", key[64];
	const char *id;
	struct stat st;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0 || stat(path, &st) < 0)
		return json_string("");
	link[n] = 0;
	if (link[0] != '/')
		return json_string(link);
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	id = file_read(AT_FDCWD, path, 65536, &text, NULL) == 0 ? strstr(text, "mnt_id:") : NULL;
	if (!id)
		return json_string(link);
	at = point_of(m, strtoull(id + 7, NULL, 10));
	if (at)
		return json_string(link);
	snprintf(key, sizeof(key), "file[%llx:%llx]", strtoull(id + 7, NULL, 10),
		(unsigned long long)st.st_ino);
	criu_arg(criu, "--external");
	criu_arg(criu, "%s", key);
	return json_string(key);
}

static int tell_net(struct criu *criu, const struct oci_config *cfg, pid_t pid, struct error *e)
{
	char path[48];
	struct stat st;

	if (!cfg->ns[OCI_NS_NETWORK].path)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	if (stat(path, &st) < 0)
		return error_errno(e, errno, "the network namespace");
	criu_arg(criu, "--external");
	criu_arg(criu, "net[%llu]:" CRIU_NET, (unsigned long long)st.st_ino);
	return 0;
}

/* So that nothing forks while criu looks. */
static void tell_freezer(struct criu *criu, const struct oci_cgroup *cg)
{
	for (size_t i = 0; i < cg->n; i++) {
		bool freezes = cg->version == 2 ? !cg->h[i].names[0] : streq(cg->h[i].names, "freezer");
		char path[PATH_MAX];

		if (!freezes || !criu_path(cg->h[i].fd, path))
			continue;
		criu_arg(criu, "--freeze-cgroup");
		criu_arg(criu, "%s", path);
	}
}

static int describe(struct criu *criu, const struct oci_container *c, const struct oci_config *cfg,
	const struct oci_cgroup *cg, struct error *e)
{
	_cleanup_json_ json_t *stdio = json_array();
	struct mounts m = {0};
	_cleanup_close_ int root = -1;
	char path[48];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/root", c->pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return error_errno(e, errno, "the container's root");
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", c->pid);
	r = file_read(AT_FDCWD, path, 16 << 20, &m.text, NULL);
	if (r < 0)
		return error_errno(e, r, "%s", path);
	tell_mounts(criu, cfg, &m, root);
	tell_cgroups(criu, cfg, &m);
	for (int fd = 0; fd < 3; fd++)
		json_array_append_new(stdio, tell_stdio(criu, &m, c->pid, fd));
	free(m.text);
	r = tell_net(criu, cfg, c->pid, e);
	tell_freezer(criu, cg);
	return r < 0 ? r : json_write(criu->images, CRIU_STDIO, stdio, 0600, false, e);
}

/* Older ones restore without it, and say nothing: such a checkpoint could never come back. */
static int check_version(const struct criu *criu, const struct oci_config *cfg, struct error *e)
{
	_cleanup_free_ char *said = NULL;
	unsigned major = 0;
	int r;

	if (!cfg->process.no_new_privs)
		return 0;
	r = criu_version(criu, &said);
	if (r < 0 || sscanf(said, "Version: %u", &major) != 1)
		return criu_failed(criu, e);
	if (major >= 4)
		return 0;
	error_set(e, EOPNOTSUPP, "process.noNewPrivileges: this criu (%u) does not restore it", major);
	error_hint(e, "criu 4 does (--criu names one)");
	return e->code;
}

static int dump(struct oci_container *c, const struct oci_criu_options *o, struct error *e)
{
	_cleanup_oci_config_ struct oci_config cfg = {0};
	_cleanup_oci_cgroup_ struct oci_cgroup cg = {0};
	_cleanup_criu_ struct criu criu = {.images = -1};
	struct error said = {0};
	int r = oci_container_config(c, &cfg, e);

	if (r == 0)
		r = criu_refuse(&cfg, c->landlock, e);
	if (r == 0 && !c->cgroup)
		r = error_set(e, EOPNOTSUPP, "a container without a cgroup cannot be checkpointed");
	if (r == 0)
		r = oci_cgroup_open(&cg, c->cgroup, e);
	/* What does not stand now cannot be proven when it is restored. */
	if (r == 0)
		r = oci_walls_prove(c->pid, &cfg, &cg, e);
	if (r == 0)
		r = criu_begin(&criu, o->pre_dump ? "pre-dump" : "dump", o, true, e);
	if (r == 0)
		r = check_version(&criu, &cfg, e);
	if (r < 0)
		return r;
	unlinkat(criu.images, CRIU_STDIO, 0);
	criu_arg(&criu, "--tree");
	criu_arg(&criu, "%d", c->pid);
	criu_arg(&criu, "--enable-external-masters");
	if (o->parent_path) {
		criu_arg(&criu, "--prev-images-dir");
		criu_arg(&criu, "%s", o->parent_path);
	}
	if (o->pre_dump || o->parent_path)
		criu_arg(&criu, "--track-mem");
	if (o->leave_running && !o->pre_dump)
		criu_arg(&criu, "--leave-running");
	r = describe(&criu, c, &cfg, &cg, e);
	if (r == 0 && proc_run(criu.argv[0], criu.argv, NULL, -1, &said) < 0)
		r = criu_failed(&criu, e);
	if (r < 0 || o->pre_dump)
		unlinkat(criu.images, CRIU_STDIO, 0);
	return r;
}

int oci_checkpoint(struct oci_container *c, const struct oci_criu_options *o, struct error *e)
{
	enum oci_status s = oci_container_status(c);
	int r;

	if (s != OCI_RUNNING)
		return error_set(e, EINVAL, "cannot checkpoint a container that is %s: it must be running",
			oci_status_names[s]);
	if (o->parent_path && o->parent_path[0] == '/')
		return error_set(e, EINVAL, "--parent-path: is relative to --image-path");
	r = dump(c, o, e);
	if (r < 0)
		return error_wrap(e, "cannot checkpoint %s", c->id);
	return o->leave_running || o->pre_dump ? 0 : oci_delete(c, true, e);
}
