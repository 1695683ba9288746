/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/create_options.h"

#include "base/cleanup.h"
#include "base/conf.h"
#include "cli/create_refused.h"
#include "cli/pull_for.h"
#include "cli/trust_offer.h"
#include "engine/config.h"
#include "engine/envfile.h"
#include "engine/passwd.h"
#include "engine/volume.h"
#include "image/store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SECOND_NS 1000000000ull

/* What is gathered on the way; freed at its end. */
struct making {
	const struct create_options *o;
	struct container_config *c;
	struct image_defaults image;
	char **command; /* positionals after the image */
	char ***notes;
};

static void making_free(struct making *m)
{
	image_defaults_free(&m->image);
}

/* --- image -------------------------------------------------------------------------------------------------------- */

static int use_image(struct making *m, const char *ref, struct error *e)
{
	_cleanup_free_ char *fetched = NULL;
	struct image img = { 0 };
	int r = pull_for(ref, m->o->pull, m->o->platform, m->o->quiet, &fetched, e);

	if (r == 0)
		r = image_find(fetched ? fetched : ref, &img, e);
	if (r < 0)
		return r;
	m->c->image_name = xstrdup(fetched ? fetched : ref);
	m->c->image_id = xstrdup(img.id);
	m->c->image_known = xstrdup(img.name);
	m->c->image_manifest = xstrdup(img.manifest);
	m->c->image_pulled = xstrdup(img.pulled);
	m->c->image_local = img.local;
	m->c->tree = xstrdup(img.tree);
	r = image_defaults_read(img.config, &m->image, e);
	if (r == 0)
		r = config_set_platform(m->c, m->o->platform, &m->image, m->notes, e);
	image_free(&img);
	return r < 0 ? error_wrap(e, "image %s", ref) : 0;
}

static int use_rootfs(struct making *m, struct error *e)
{
	_cleanup_free_ char *safe = str_escape(m->o->rootfs);
	struct stat st;

	m->c->rootfs = realpath(m->o->rootfs, NULL);
	if (!m->c->rootfs || stat(m->c->rootfs, &st) < 0)
		return error_errno(e, errno, "--rootfs %s", safe);
	if (!S_ISDIR(st.st_mode) || streq(m->c->rootfs, "/"))
		return error_set(e, EINVAL, "--rootfs %s: give a folder, and not the host's root", safe);
	return config_set_platform(m->c, m->o->platform, &m->image, m->notes, e);
}

/* --- program ------------------------------------------------------------------------------------------------------ */

/* --entrypoint PROGRAM, or a list as JSON: ["PROGRAM","ARG"]. */
static int set_entrypoint(struct container_config *c, const char *arg, struct error *e)
{
	_cleanup_json_ json_t *j = NULL, *obj = NULL;

	if (arg[0] != '[') {
		if (*arg)
			strv_add_copy(&c->entrypoint, arg);
		return 0;
	}
	j = json_parse(arg, strlen(arg), "--entrypoint", e);
	if (!j)
		return e->code;
	obj = json_pack("{s:O}", "entrypoint", j);
	return json_get_strv(obj, "", "entrypoint", &c->entrypoint, e);
}

static int set_program(struct making *m, struct error *e)
{
	struct container_config *c = m->c;
	int r;

	if (m->o->entrypoint) {
		r = set_entrypoint(c, m->o->entrypoint, e);
		if (r < 0)
			return r;
	} else {
		c->entrypoint = strv_copy(m->image.entrypoint);
	}
	/* As docker: the image's arguments belong to the image's program. */
	if (*m->command)
		c->command = strv_copy(m->command);
	else if (!m->o->entrypoint)
		c->command = strv_copy(m->image.command);
	if (strv_len(c->entrypoint) + strv_len(c->command) == 0) {
		error_set(e, EINVAL, "no command: neither the image nor you name a program");
		error_hint(e, "put one behind the image: brig run %s /bin/sh", c->image_name ? c->image_name : "--rootfs DIR");
		return -EINVAL;
	}
	strv_foreach(a, c->entrypoint)
		if (!env_text_ok(*a))
			return error_set(e, EINVAL, "--entrypoint: longer than %d bytes or not UTF-8", ENV_ENTRY_MAX);
	strv_foreach(a, c->command)
		if (!env_text_ok(*a))
			return error_set(e, EINVAL, "an argument of the command is longer than %d bytes or not UTF-8",
					 ENV_ENTRY_MAX);
	if (m->o->workdir && !streq(m->o->workdir, "/"))
		return config_target(m->o->workdir, false, &c->cwd, e) < 0 ? error_wrap(e, "--workdir") : 0;
	c->cwd = xstrdup(m->o->workdir ? "/" : m->image.cwd ? m->image.cwd : "/");
	return 0;
}

static int set_env(struct making *m, const char *home, struct error *e)
{
	struct container_config *c = m->c;
	_cleanup_free_ char *home_entry = xasprintf("HOME=%s", home);
	int r = 0;

	c->env = strv_copy(m->image.env);
	if (!env_get(c->env, "PATH"))
		r = env_set(&c->env, DEFAULT_PATH, e);
	if (r == 0 && m->o->tty && !env_get(c->env, "TERM"))
		r = env_set(&c->env, "TERM=xterm", e);
	strv_foreach(f, m->o->env_file)
		if (r == 0)
			r = env_file_read(&c->env, *f, false, e) < 0 ? error_wrap(e, "--env-file") : 0;
	strv_foreach(v, m->o->env)
		if (r == 0)
			r = env_argument(&c->env, *v, false, e) < 0 ? error_wrap(e, "--env") : 0;
	if (r == 0 && !env_get(c->env, "HOME") && env_text_ok(home_entry))
		r = env_set(&c->env, home_entry, e);
	return r;
}

static int set_labels(struct making *m, struct error *e)
{
	struct container_config *c = m->c;
	int r = 0;

	c->labels = strv_copy(m->image.labels);
	strv_foreach(f, m->o->label_file)
		if (r == 0)
			r = env_file_read(&c->labels, *f, true, e) < 0 ? error_wrap(e, "--label-file") : 0;
	strv_foreach(l, m->o->label)
		if (r == 0)
			r = env_argument(&c->labels, *l, true, e) < 0 ? error_wrap(e, "--label") : 0;
	strv_foreach(a, m->o->annotation)
		if (r == 0)
			r = env_set(&c->annotations, *a, e) < 0 ? error_wrap(e, "--annotation") : 0;
	return r;
}

static int set_user(struct making *m, struct error *e)
{
	struct container_config *c = m->c;
	const char *user = m->o->user ? m->o->user : m->image.user;
	struct passwd_user u;
	int r = passwd_resolve_in(c->tree, c->rootfs, user, m->o->group_add, &u, e);

	if (r < 0)
		return error_wrap(e, m->o->user ? "--user" : "user of the image");
	c->user = xstrdup(user ? user : "");
	c->uid = u.uid;
	c->gid = u.gid;
	c->groups = steal_ptr(&u.groups);
	c->n_groups = u.n_groups;
	r = set_env(m, u.home, e);
	passwd_user_free(&u);
	return r;
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

static int set_health(struct making *m, struct error *e)
{
	const struct create_options *o = m->o;
	struct health_config *h = &m->c->health;
	bool given = o->health_cmd || o->health_interval || o->health_timeout || o->health_retries || o->health_start_period;

	if (o->no_healthcheck && given)
		return error_set(e, EINVAL, "--no-healthcheck contradicts the other --health options");
	if (o->health_retries > 1000000)
		return error_set(e, EINVAL, "--health-retries: at most 1000000");
	if ((o->health_interval && o->health_interval < SECOND_NS / 1000) || o->health_interval > INT64_MAX ||
	    (o->health_timeout && o->health_timeout < SECOND_NS / 1000) || o->health_timeout > INT64_MAX ||
	    o->health_start_period > INT64_MAX)
		return error_set(e, EINVAL, "--health-interval and --health-timeout: 1ms up");
	*h = m->image.health;
	h->test = strv_copy(m->image.health.test);
	if (o->health_cmd) {
		strv_free(h->test);
		h->test = NULL;
		if (!env_text_ok(o->health_cmd) || !*o->health_cmd)
			return error_set(e, EINVAL, "--health-cmd: empty, too long or not UTF-8");
		strv_add_copy(&h->test, streq(o->health_cmd, "none") ? "NONE" : "CMD-SHELL");
		strv_add_copy(&h->test, o->health_cmd);
	}
	if (o->no_healthcheck || !h->test || streq(h->test[0], "NONE")) {
		strv_free(h->test);
		*h = (struct health_config){ 0 };
		return 0;
	}
	h->interval_ns = o->health_interval ? o->health_interval : h->interval_ns ? h->interval_ns : 30 * SECOND_NS;
	h->timeout_ns = o->health_timeout ? o->health_timeout : h->timeout_ns ? h->timeout_ns : 30 * SECOND_NS;
	h->retries = o->health_retries ? o->health_retries : h->retries ? h->retries : 3;
	if (o->health_start_period)
		h->start_period_ns = o->health_start_period;
	return 0;
}

/* One option's list through its function. */
static int each(struct container_config *c, char *const *list,
		int (*add)(struct container_config *c, const char *arg, struct error *e), struct error *e)
{
	strv_foreach(v, list) {
		int r = add(c, *v, e);

		if (r < 0)
			return r;
	}
	return 0;
}

static int set_mounts(struct making *m, struct error *e)
{
	const struct create_options *o = m->o;
	struct container_config *c = m->c;
	int r;

	if (o->tmpfs_root > INT64_MAX || o->shm_size > INT64_MAX)
		return error_set(e, EINVAL, "--tmpfs-root, --shm-size: too large");
	if (o->read_only && o->tmpfs_root)
		return error_set(e, EINVAL, "--read-only contradicts --tmpfs-root");
	c->read_only = o->read_only;
	c->root_tmpfs = o->tmpfs_root;
	if (o->shm_size)
		c->shm_size = o->shm_size;
	r = each(c, o->storage_opt, config_set_storage, e);
	if (r == 0)
		r = each(c, o->volume, config_add_volume, e);
	if (r == 0)
		r = each(c, o->mount, config_add_mount, e);
	if (r == 0)
		r = each(c, o->tmpfs, config_add_tmpfs, e);
	if (r == 0)
		r = config_add_image_volumes(c, m->image.volumes, e);
	if (r == 0)
		r = each(c, o->secret, config_add_secret, e);
	if (r == 0)
		r = config_check_binds(c, m->notes, e);
	return r;
}

static int set_ports(struct making *m, struct error *e)
{
	struct container_config *c = m->c;
	struct config_port *list = NULL;
	size_t n = 0;
	int r = 0;

	strv_foreach(x, m->o->expose)
		if (r == 0)
			r = config_expose_parse(*x, &list, &n, e);
	if (r == 0)
		r = each(c, m->o->publish, config_add_port, e);
	if (r == 0)
		r = config_set_exposed(c, list, n, m->o->publish_all, e);
	if (r == 0)
		r = config_set_exposed(c, m->image.ports, m->image.n_ports, m->o->publish_all, e);
	free(list);
	if (r == 0 && m->o->publish && !streq(c->network, "private")) {
		error_set(e, EINVAL, "--publish needs a private network, not %.20s", c->network);
		error_hint(e, "leave --network out%s", streq(c->network, "host") ? ": or -p, the ports are the host's already" : "");
		r = -EINVAL;
	}
	return r;
}

static int set_network(struct making *m, struct error *e)
{
	const struct create_options *o = m->o;
	struct container_config *c = m->c;
	int r = o->network ? config_set_network(c, o->network, e) : 0;

	if (r == 0 && o->hostname)
		r = config_set_hostname(c, o->hostname, e);
	strv_foreach(it, o->security_opt)
		if (r == 0 && (str_after(*it, "apparmor=") || str_after(*it, "apparmor:")))
			r = config_set_apparmor(c, *it + strlen("apparmor="), e);
	if (r == 0 && o->domainname)
		r = config_set_domainname(c, o->domainname, e);
	if (r == 0)
		r = each(c, o->add_host, config_add_host, e);
	if (r == 0)
		r = each(c, o->dns, config_add_dns, e);
	if (r == 0)
		r = each(c, o->dns_search, config_add_dns_search, e);
	if (r == 0)
		r = each(c, o->dns_option, config_add_dns_option, e);
	return r == 0 ? set_ports(m, e) : r;
}

static int set_walls(struct making *m, struct error *e)
{
	const struct create_options *o = m->o;
	struct container_config *c = m->c;
	int r = each(c, o->lower, config_add_lower, e);

	if (r == 0 && geteuid() == 0 && config_lowered(c, "user", "caller"))
		r = error_set(e, EINVAL, "--lower user=caller is for ordinary users: root itself is never in a container");

	strv_foreach(a, o->cap_add)
		if (r == 0)
			r = config_add_cap(c, true, *a, e);
	strv_foreach(a, o->cap_drop)
		if (r == 0)
			r = config_add_cap(c, false, *a, e);
	if (r == 0)
		r = each(c, o->sysctl, config_add_sysctl, e);
	if (r == 0)
		r = each(c, o->ulimit, config_add_ulimit, e);
	return r;
}

static int set_limits(struct making *m, struct error *e)
{
	const struct create_options *o = m->o;
	const struct config_resources res = {
		.memory = o->memory, .memory_reservation = o->memory_reservation, .memory_swap = o->memory_swap,
		.cpus = o->cpus, .cpuset_cpus = o->cpuset_cpus, .cpuset_mems = o->cpuset_mems, .pids_limit = o->pids_limit,
		.cpu_shares = o->cpu_shares, .cpu_weight = o->cpu_weight, .cpu_period_us = o->cpu_period,
		.cpu_quota_us = o->cpu_quota,
	};
	int64_t timeout;
	int r = config_set_resources(m->c, &res, e);

	if (r == 0)
		r = config_set_log(m->c, o->log_driver, o->log_opt, e);
	if (r == 0 && o->stop_timeout) {
		if (parse_i64(o->stop_timeout, -1, INT32_MAX, &timeout) < 0)
			return error_set(e, EINVAL, "--stop-timeout %s: give seconds, or -1 to wait for ever", o->stop_timeout);
		m->c->stop_timeout_s = timeout < 0 ? INT32_MAX : (uint64_t)timeout;
	}
	return r;
}

static int set_life(struct making *m, struct error *e)
{
	const struct create_options *o = m->o;
	struct container_config *c = m->c;
	const char *signal = o->stop_signal ? o->stop_signal : m->image.stop_signal;
	int r = o->name ? container_name_check(o->name, e) : 0;

	c->name = xstrdup(o->name);
	c->tty = o->tty;
	c->interactive = o->interactive;
	c->init = o->init;
	c->auto_remove = o->rm;
	if (r == 0 && o->restart)
		r = config_set_restart(c, o->restart, e);
	if (r == 0 && o->rm && c->restart != RESTART_NO)
		r = error_set(e, EINVAL, "--rm contradicts --restart %s", o->restart);
	if (r == 0 && signal)
		r = config_set_signal(c, signal, e);
	if (r == 0 && o->cidfile) {
		c->cidfile = xstrdup(o->cidfile);
		if (!env_text_ok(o->cidfile))
			r = error_set(e, EINVAL, "--cidfile: not UTF-8");
		else if (faccessat(AT_FDCWD, o->cidfile, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			r = error_set(e, EEXIST, "--cidfile %s: the file is there already", o->cidfile);
	}
	return r;
}

static void add_id(uint32_t **list, size_t *n, uint32_t id)
{
	for (size_t i = 0; i < *n; i++)
		if ((*list)[i] == id)
			return;
	*list = xrealloc(*list, *n + 1, sizeof(**list));
	(*list)[(*n)++] = id;
}

/* The ids that the container must have though its image may not know them. */
static int set_ids(struct making *m, struct error *e)
{
	struct container_config *c = m->c;

	add_id(&c->more_uids, &c->n_more_uids, c->uid);
	add_id(&c->more_gids, &c->n_more_gids, c->gid);
	for (size_t i = 0; i < c->n_groups; i++)
		add_id(&c->more_gids, &c->n_more_gids, c->groups[i]);
	for (size_t i = 0; i < c->n_mounts; i++) {
		int r = 0;

		if (streq(c->mounts[i].type, "volume") && !c->mounts[i].anonymous)
			r = volume_ids(c->mounts[i].source, &c->more_uids, &c->n_more_uids, &c->more_gids, &c->n_more_gids, e);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

static int apply(struct making *m, const struct conf *conf, char **argv, struct error *e)
{
	int r;

	config_defaults(m->c, conf);
	r = m->o->rootfs ? use_rootfs(m, e) : use_image(m, argv[0], e);
	m->command = m->o->rootfs ? argv : argv + 1;
	if (r == 0)
		r = set_life(m, e);
	if (r == 0)
		r = set_program(m, e);
	if (r == 0)
		r = set_labels(m, e);
	if (r == 0)
		r = set_limits(m, e);
	if (r == 0)
		r = set_walls(m, e);
	if (r == 0)
		r = set_user(m, e);
	if (r == 0)
		r = set_mounts(m, e);
	if (r == 0)
		r = set_network(m, e);
	if (r == 0)
		r = set_health(m, e);
	return r == 0 ? set_ids(m, e) : r;
}

int create_options_apply(const struct create_options *o, char **argv, struct container *c, char ***notes, struct error *e)
{
	struct making m = { .o = o, .c = &c->config, .notes = notes };
	struct conf conf;
	int r = create_refused(o, e);

	if (r == 0 && !o->rootfs && !argv[0])
		r = error_set(e, EINVAL, "no image named");
	if (r < 0)
		return r;
	r = conf_load(&conf, e);
	if (r < 0)
		return r;
	r = apply(&m, &conf, argv, e);
	strv_foreach(n, m.image.notes)
		strv_add_copy(notes, *n);
	making_free(&m);
	conf_free(&conf);
	return r;
}

static int write_cidfile(const struct container *c, const char *path, struct error *e)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, c->config.id, CONTAINER_ID_LEN) != CONTAINER_ID_LEN)
		return error_errno(e, errno, "--cidfile %s", path);
	return 0;
}

int create_container(const struct create_options *o, char **argv, struct container *c, struct error *e)
{
	_cleanup_strv_ char **notes = NULL;
	int r = create_options_apply(o, argv, c, &notes, e);

	strv_foreach(n, notes)
		cli_warn("%s", *n);
	if (r == 0)
		r = trust_offer(c, e);
	if (r == 0)
		r = container_create(c, e);
	if (r < 0 || !o->cidfile)
		return r;
	r = write_cidfile(c, o->cidfile, e);
	if (r < 0)
		container_remove(c, true, true, NULL);
	return r;
}
