/* SPDX-License-Identifier: Apache-2.0 */
/* From a container's configuration to the specification of one start. */
#include "engine/container.h"

#include "base/cleanup.h"
#include "base/conf.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"
#include "confine/caps.h"
#include "confine/wall.h"
#include "engine/ids.h"
#include "engine/life.h"
#include "engine/secret.h"
#include "engine/volume.h"
#include "image/seen.h"
#include "image/store.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct prepare {
	int tree_fd, objects_fd;
	const char *slot;
	bool full;
};

static int prepare(void *ctx, struct error *e)
{
	struct prepare *p = ctx;

	return tree_prepare(p->tree_fd, p->objects_fd, p->slot, p->full, e);
}

/* Makes the tree for this container's ids if it is not there yet, in the namespace of those ids. */
static int open_tree_slot(const struct container *c, struct spec *s, struct error *e)
{
	const char *tree = c->config.tree, *slot = c->config.slot;
	_cleanup_close_ int tree_fd = -1, objects = -1;
	struct prepare p;
	int r = tree_open(tree, slot, &s->root.lower_fd, &s->root.data_fd);

	if (r != -ENOENT)
		return r < 0 ? error_errno(e, r, "image tree %.12s", tree) : 0;
	tree_fd = tree_dir(tree, e);
	if (tree_fd < 0)
		return tree_fd;
	objects = store_objects(e);
	if (objects < 0)
		return objects;
	p = (struct prepare){ tree_fd, objects, slot, !tree_kernel_joins() };
	/* What was seen of an earlier one says nothing about this. */
	seen_forget(tree, slot);
	r = home_is_root() ? prepare(&p, e) : ids_run(s, -1, prepare, &p, e);
	if (r < 0 && r != -EEXIST)
		return error_wrap(e, "cannot prepare the image's tree");
	r = tree_open(tree, slot, &s->root.lower_fd, &s->root.data_fd);
	return r < 0 ? error_errno(e, r, "image tree %.12s", tree) : 0;
}

static int open_root(const struct container *c, struct spec *s, struct error *e)
{
	const struct container_config *k = &c->config;
	int r;

	s->root.kind = k->rootfs ? SPEC_ROOT_DIR : SPEC_ROOT_IMAGE;
	s->root.read_only = k->read_only;
	s->root.tmpfs_size = k->root_tmpfs;
	s->root.discard = k->auto_remove;
	if (kept_is_owner()) {
		s->root.staged = true;
	} else if (k->rootfs) {
		s->root.lower_fd = open(k->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (s->root.lower_fd < 0)
			return error_errno(e, errno, "--rootfs %s", k->rootfs);
	} else {
		r = open_tree_slot(c, s, e);
		if (r < 0)
			return r;
	}
	if (k->read_only || k->root_tmpfs)
		return 0;
	/* Open to all within a folder that only we enter: container root makes its own folders in it. */
	if (mkdirat(c->dir_fd, "rw", 0700) < 0 && errno != EEXIST)
		return error_errno(e, errno, "cannot make the writable layer");
	s->root.rw_fd = openat(c->dir_fd, "rw", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (s->root.rw_fd < 0 || fchmod(s->root.rw_fd, 0777) < 0)
		return error_errno(e, errno, "cannot open the writable layer");
	return 0;
}

int container_spec_files(const struct container *c, struct spec *s, struct error *e)
{
	static const char *const files[] = { "hosts", "hostname", "resolv.conf" };
	_cleanup_close_ int run = container_run_dir(c, e);

	if (run < 0)
		return run;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int fd = openat(run, files[i], O_PATH | O_CLOEXEC | O_NOFOLLOW);
		char target[32];

		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return error_errno(e, errno, "%s", files[i]);
		snprintf(target, sizeof(target), "/etc/%s", files[i]);
		struct spec_mount *m = spec_add_mount(s, "bind", NULL, target, NULL, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC);
		m->file = true;
		m->fd = fd;
	}
	/* A running one is only looked at: its secrets are not read again. */
	return container_running(c) ? 0 : secret_mounts(c, kept_secrets(), s, e);
}

static void add_tmpfs_defaults(const struct container *c, struct spec *s)
{
	static const struct {
		const char *target, *mode;
	} places[] = { { "/tmp", "mode=1777," }, { "/run", "" }, { "/var/tmp", "mode=1777," } };
	_cleanup_free_ char *shm = xasprintf("mode=1777,size=%llu", (unsigned long long)c->config.shm_size);

	spec_add_mount(s, "tmpfs", NULL, "/dev/shm", shm, MOUNT_ATTR_NOEXEC)->writable = true;
	for (size_t i = 0; c->config.read_only && i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *o = xasprintf("%ssize=%llu", places[i].mode, (unsigned long long)c->config.tmp_size);
		bool asked = false;

		for (size_t k = 0; k < c->config.n_mounts; k++)
			asked |= streq(c->config.mounts[k].target, places[i].target);
		if (asked)
			continue;
		struct spec_mount *m = spec_add_mount(s, "tmpfs", NULL, places[i].target, o, 0);
		m->writable = m->copy_up = true;
	}
}

static int sum_caps(char *const *names, const char *option, uint64_t *sum, struct error *e)
{
	*sum = 0;
	strv_foreach(it, names) {
		uint64_t bits;

		if (caps_parse(*it, &bits, e) < 0)
			return error_wrap(e, "%s", option);
		*sum |= bits;
	}
	return 0;
}

/* As docker: what is added stays, also beside --cap-drop ALL. */
static int add_caps(const struct container_config *k, struct spec *s, struct error *e)
{
	uint64_t add, drop;
	int r = sum_caps(k->cap_add, "--cap-add", &add, e);

	if (r == 0)
		r = sum_caps(k->cap_drop, "--cap-drop", &drop, e);
	if (r == 0)
		s->caps = ((k->uid == 0 ? CAPS_ROOT_IMAGE : 0) & ~drop) | add;
	return r;
}

static int add_net(const struct container_config *k, struct spec *s, struct error *e)
{
	const char *other = str_after(k->network, "container:");

	if (streq(k->network, "none"))
		s->net = SPEC_NET_NONE;
	else if (streq(k->network, "private"))
		s->net = SPEC_NET_PRIVATE;
	else if (streq(k->network, "host"))
		s->net = SPEC_NET_HOST;
	else if (other)
		s->net = SPEC_NET_JOIN;
	else
		return error_set(e, EINVAL, "network \"%s\" is not known", k->network);
	if (!other)
		return 0;
	/* A restart without root: this process is in that network (settle()), and may not look for the other container. */
	if (kept_is_owner()) {
		s->net_entered = true;
		s->net_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		return s->net_fd < 0 ? error_errno(e, errno, "--network %s", k->network) : 0;
	}
	struct container c;
	char path[48];
	int r = container_find(other, &c, e);
	if (r < 0)
		return error_wrap(e, "--network container:%s", other);
	if (!container_running(&c)) {
		r = error_set(e, ESRCH, "--network container:%s: it does not run", c.config.name);
	} else {
		snprintf(path, sizeof(path), "/proc/%d/ns/net", c.state.pid);
		s->net_fd = open(path, O_RDONLY | O_CLOEXEC);
		if (s->net_fd < 0)
			r = error_errno(e, errno, "--network container:%s", c.config.name);
	}
	container_free(&c);
	return r;
}

static void copy_simple(const struct container *c, struct spec *s)
{
	const struct container_config *k = &c->config;

	s->id = xstrdup(k->id);
	s->hostname = k->hostname ? xstrdup(k->hostname) : xstrndup(k->id, 12);
	s->domainname = xstrdup(k->domainname);
	s->apparmor = xstrdup(k->apparmor);
	strv_foreach(it, k->entrypoint)
		strv_add_copy(&s->args, *it);
	strv_foreach(it, k->command)
		strv_add_copy(&s->args, *it);
	s->env = strv_copy(k->env);
	s->cwd = xstrdup(k->cwd && *k->cwd ? k->cwd : "/");
	s->terminal = k->tty;
	s->init = k->init;
	s->uid = k->uid;
	s->gid = k->gid;
	s->n_groups = k->n_groups;
	s->groups = xcalloc(k->n_groups, sizeof(uint32_t));
	if (k->n_groups)
		memcpy(s->groups, k->groups, k->n_groups * sizeof(uint32_t));
	s->limits = k->limits;
	s->limits.cpuset_cpus = xstrdup(k->limits.cpuset_cpus);
	s->limits.cpuset_mems = xstrdup(k->limits.cpuset_mems);
	for (size_t i = 0; i < k->n_rlimits; i++)
		spec_add_rlimit(s, k->rlimits[i].resource, k->rlimits[i].soft, k->rlimits[i].hard);
	s->sysctl = strv_copy(k->sysctl);
	s->n_ports = k->n_ports;
	s->ports = xcalloc(k->n_ports, sizeof(*s->ports));
	for (size_t i = 0; i < k->n_ports; i++) {
		s->ports[i] = k->ports[i];
		s->ports[i].host_addr = xstrdup(k->ports[i].host_addr);
	}
	s->n_expose_tcp = k->n_expose_tcp;
	s->expose_tcp = xcalloc(k->n_expose_tcp, sizeof(uint16_t));
	if (k->n_expose_tcp)
		memcpy(s->expose_tcp, k->expose_tcp, k->n_expose_tcp * sizeof(uint16_t));
	s->lower = xcalloc(k->n_lower, sizeof(*s->lower));
	for (size_t i = 0; i < k->n_lower; i++)
		if (!streq(k->lower[i].wall, "vet")) /* no wall: vouch() knows it */
			s->lower[s->n_lower++] = (struct spec_lower){ .wall = xstrdup(k->lower[i].wall), .detail = xstrdup(k->lower[i].detail),
						   .accept = k->lower[i].accept };
}

/* What a person accepted once, in brig.conf: counts only where the machine lacks it. */
static int add_accepted(const struct container *c, struct spec *s, struct error *e)
{
	struct conf conf = { 0 };
	int r = kept_is_owner() ? 0 : conf_load(&conf, e);

	if (r < 0)
		return r;
	for (char *const *it = kept_is_owner() ? c->state.accepted : conf.accept_lowered; r == 0 && it && *it; it++) {
		s->lower = xrealloc(s->lower, s->n_lower + 1, sizeof(*s->lower));
		r = lower_parse(*it, &s->lower[s->n_lower], e);
		if (r == 0)
			s->lower[s->n_lower++].accept = true;
		else
			error_wrap(e, "brig.conf: accept_lowered");
	}
	conf_free(&conf);
	return r;
}

void life_note_accepted(struct container_state *s, const struct spec *spec)
{
	strv_free(s->accepted);
	s->accepted = NULL;
	for (size_t i = 0; i < spec->n_lower; i++) {
		const struct spec_lower *l = &spec->lower[i];

		if (l->accept)
			strv_add(&s->accepted, l->detail ? xasprintf("%s=%s", l->wall, l->detail) : xstrdup(l->wall));
	}
}

int container_spec(const struct container *c, struct spec *s, struct error *e)
{
	struct tree_ids tree = { 0 };
	int r = 0;

	spec_init(s);
	copy_simple(c, s);
	if (!s->args)
		return error_set(e, EINVAL, "no command: neither the image nor the command line names one");
	if (c->config.tree && !kept_is_owner())
		r = tree_ids_read(c->config.tree, &tree, e);
	if (r == 0)
		r = ids_maps(c, &tree, s, e);
	tree_ids_free(&tree);
	if (r == 0)
		r = add_accepted(c, s, e);
	if (r == 0)
		r = add_caps(&c->config, s, e);
	if (r == 0)
		r = add_net(&c->config, s, e);
	if (r == 0)
		r = open_root(c, s, e);
	if (r == 0)
		add_tmpfs_defaults(c, s);
	if (r == 0)
		r = volume_mounts(c, s, e);
	return r;
}
