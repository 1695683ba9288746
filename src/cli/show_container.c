/* SPDX-License-Identifier: Apache-2.0 */
/* The document of `inspect` for a container: docker's fields, so that scripts find what they look for, and "Brig". */
#include "cli/show.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "confine/rlimits.h"

#include <string.h>

static void put(json_t *obj, const char *key, json_t *value)
{
	json_object_set_new(obj, key, value);
}

/* A string; NULL is "". What is not UTF-8 is shown with its bytes spelled out. */
static json_t *str(const char *s)
{
	json_t *j = json_string(s ? s : "");

	if (!j) {
		_cleanup_free_ char *safe = str_escape(s);

		j = json_string(safe);
	}
	return j;
}

static json_t *list(char *const *v)
{
	json_t *arr = json_array();

	strv_foreach(s, v)
		json_array_append_new(arr, str(*s));
	return arr;
}

/* Docker writes null where a list was not given. */
static json_t *list_or_null(char *const *v)
{
	return v && *v ? list(v) : json_null();
}

static json_t *number(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static json_t *when(uint64_t ns)
{
	char text[40];

	if (ns == 0)
		return json_string(SHOW_NEVER);
	clock_format(ns, text);
	return json_string(text);
}

static json_t *health_state(const struct container_state *s)
{
	json_t *log = json_array();

	for (size_t i = 0; i < s->n_health_log; i++) {
		const struct health_result *r = &s->health_log[i];

		json_array_append_new(log, json_pack("{s:o,s:o,s:i,s:o}", "Start", when(r->start_ns), "End", when(r->end_ns),
						     "ExitCode", r->exit_code, "Output", str(r->output)));
	}
	if (s->health)
		return json_pack("{s:o,s:o,s:o}", "Status", str(s->health), "FailingStreak", number(s->health_failing), "Log",
				 log);
	json_decref(log);
	return json_null();
}

static json_t *state(const struct container *c)
{
	const struct container_state *s = &c->state;
	json_t *j = json_object();

	put(j, "Status", json_string(container_status_name(s->status)));
	put(j, "Running", json_boolean(s->status == ST_RUNNING || s->status == ST_PAUSED ||
				       s->status == ST_RESTARTING));
	put(j, "Paused", json_boolean(s->status == ST_PAUSED));
	put(j, "Restarting", json_boolean(s->status == ST_RESTARTING));
	put(j, "OOMKilled", json_boolean(s->oom_killed));
	put(j, "Dead", json_boolean(s->status == ST_DEAD));
	put(j, "Pid", json_integer(container_running(c) ? s->pid : 0));
	put(j, "ExitCode", json_integer(s->exit_code));
	put(j, "Error", str(s->error));
	put(j, "StartedAt", when(s->started_ns));
	put(j, "FinishedAt", when(s->finished_ns));
	put(j, "Health", health_state(s));
	return j;
}

static char *port_key(uint16_t port, bool udp)
{
	return xasprintf("%u/%s", port, udp ? "udp" : "tcp");
}

static void add_port(const char *addr, uint16_t host_port, uint16_t port, bool udp, void *arg)
{
	_cleanup_free_ char *key = port_key(port, udp), *text = xasprintf("%u", host_port);
	json_t *ports = arg, *bindings = json_object_get(ports, key);

	if (!json_is_array(bindings)) {
		bindings = json_array();
		json_object_set_new(ports, key, bindings);
	}
	json_array_append_new(bindings, json_pack("{s:o,s:s}", "HostIp", str(addr), "HostPort", text));
}

static json_t *exposed(const struct container_config *k, bool null_values)
{
	json_t *ports = json_object();

	for (size_t i = 0; i < k->n_expose_tcp; i++) {
		_cleanup_free_ char *key = port_key(k->expose_tcp[i], false);

		json_object_set_new(ports, key, null_values ? json_null() : json_object());
	}
	return ports;
}

static json_t *network(const struct container *c)
{
	json_t *ports = exposed(&c->config, true);

	if (container_running(c))
		show_each_port(c, add_port, ports);
	return json_pack("{s:o,s:{s:{}}}", "Ports", ports, "Networks", c->config.network ? c->config.network : "none");
}

/* As asked for: an empty address means both loopback addresses, port "" lets brig choose. */
static json_t *port_bindings(const struct container_config *k)
{
	json_t *all = json_object();

	for (size_t i = 0; i < k->n_ports; i++) {
		const struct spec_port *p = &k->ports[i];
		_cleanup_free_ char *key = port_key(p->port, p->udp);
		_cleanup_free_ char *text = p->host_port ? xasprintf("%u", p->host_port) : xstrdup("");
		json_t *one = json_object_get(all, key);

		if (!one) {
			one = json_array();
			json_object_set_new(all, key, one);
		}
		json_array_append_new(one, json_pack("{s:o,s:s}", "HostIp", str(p->host_addr), "HostPort", text));
	}
	return all;
}

static json_t *mounts(const struct container_config *k)
{
	json_t *arr = json_array();

	for (size_t i = 0; i < k->n_mounts; i++) {
		const struct volume_mount *m = &k->mounts[i];
		json_t *j = json_pack("{s:o}", "Type", str(m->type));

		if (streq(m->type, "volume")) {
			put(j, "Name", str(m->source));
			put(j, "Driver", json_string("local"));
		}
		put(j, "Source", str(m->source));
		put(j, "Destination", str(m->target));
		put(j, "Mode", str(m->options));
		put(j, "RW", json_boolean(!m->read_only));
		put(j, "Propagation", json_string(streq(m->type, "bind") ? "rprivate" : ""));
		json_array_append_new(arr, j);
	}
	return arr;
}

static json_t *binds(const struct container_config *k)
{
	json_t *arr = json_array();

	for (size_t i = 0; i < k->n_mounts; i++) {
		const struct volume_mount *m = &k->mounts[i];
		_cleanup_free_ char *text = xasprintf("%s:%s%s", m->source ? m->source : "", m->target,
						      m->read_only ? ":ro" : "");

		if (!streq(m->type, "tmpfs"))
			json_array_append_new(arr, str(text));
	}
	return arr;
}

static json_t *tmpfs(const struct container_config *k)
{
	json_t *obj = json_object();

	for (size_t i = 0; i < k->n_mounts; i++)
		if (streq(k->mounts[i].type, "tmpfs"))
			json_object_set_new(obj, k->mounts[i].target, str(k->mounts[i].options));
	return obj;
}

static json_t *ulimits(const struct container_config *k)
{
	json_t *arr = json_array();

	for (size_t i = 0; i < k->n_rlimits; i++) {
		const struct spec_rlimit *l = &k->rlimits[i];
		const char *name = rlimit_name(l->resource);

		json_array_append_new(arr, json_pack("{s:s,s:I,s:I}", "Name", name ? name : "?", "Hard",
						     (json_int_t)l->hard, "Soft", (json_int_t)l->soft));
	}
	return arr;
}

static const char *restart_name(enum restart_policy p)
{
	static const char *const names[] = { "no", "on-failure", "always", "unless-stopped" };

	return names[p];
}

/* Docker counts memory and swap together; -1 is no limit. */
static json_t *memory_swap(const struct spec_limits *l)
{
	if (l->memory_swap == UINT64_MAX)
		return json_integer(-1);
	return number(l->memory ? l->memory + l->memory_swap : 0);
}

static json_t *host_config(const struct container_config *k)
{
	const struct spec_limits *l = &k->limits;
	uint64_t nano = l->cpu_period_us ? l->cpu_quota_us * 1000000 / l->cpu_period_us * 1000 : 0;
	_cleanup_free_ char *log_size = xasprintf("%llu", (unsigned long long)k->log_size);
	_cleanup_free_ char *log_files = xasprintf("%llu", (unsigned long long)k->log_files);
	json_t *j = json_object();

	put(j, "Binds", binds(k));
	put(j, "LogConfig", json_pack("{s:s,s:{s:s,s:s}}", "Type", "json-file", "Config", "max-size", log_size,
				      "max-file", log_files));
	put(j, "NetworkMode", str(k->network));
	put(j, "PortBindings", port_bindings(k));
	put(j, "RestartPolicy", json_pack("{s:s,s:o}", "Name", restart_name(k->restart), "MaximumRetryCount",
					  number(k->restart_max)));
	put(j, "AutoRemove", json_boolean(k->auto_remove));
	put(j, "CapAdd", list_or_null(k->cap_add));
	put(j, "CapDrop", list_or_null(k->cap_drop));
	put(j, "Dns", list(k->dns));
	put(j, "DnsOptions", list(k->dns_options));
	put(j, "DnsSearch", list(k->dns_search));
	put(j, "ExtraHosts", list_or_null(k->add_host));
	put(j, "Init", json_boolean(k->init));
	put(j, "IpcMode", json_string("private"));
	put(j, "PidMode", json_string(""));
	put(j, "CgroupnsMode", json_string("private"));
	put(j, "Privileged", json_false());
	put(j, "ReadonlyRootfs", json_boolean(k->read_only));
	put(j, "ShmSize", number(k->shm_size));
	put(j, "Tmpfs", tmpfs(k));
	put(j, "Sysctls", show_pairs(k->sysctl));
	put(j, "Memory", number(l->memory));
	put(j, "MemorySwap", memory_swap(l));
	put(j, "MemoryReservation", number(l->memory_low));
	put(j, "NanoCpus", number(nano));
	put(j, "CpuPeriod", number(l->cpu_period_us));
	put(j, "CpuQuota", number(l->cpu_quota_us));
	put(j, "CpusetCpus", str(l->cpuset_cpus));
	put(j, "CpusetMems", str(l->cpuset_mems));
	put(j, "PidsLimit", number(l->pids));
	put(j, "Ulimits", ulimits(k));
	return j;
}

static json_t *health(const struct health_config *h)
{
	if (!h->test)
		return json_null();
	return json_pack("{s:o,s:o,s:o,s:o,s:o}", "Test", list(h->test), "Interval", number(h->interval_ns), "Timeout",
			 number(h->timeout_ns), "StartPeriod", number(h->start_period_ns), "Retries",
			 number(h->retries));
}

static json_t *config(const struct container_config *k)
{
	json_t *j = json_object();

	put(j, "Hostname", str(k->hostname));
	put(j, "Domainname", str(k->domainname));
	put(j, "User", str(k->user));
	put(j, "AttachStdin", json_boolean(k->interactive && !k->detached));
	put(j, "AttachStdout", json_boolean(!k->detached));
	put(j, "AttachStderr", json_boolean(!k->detached));
	put(j, "ExposedPorts", exposed(k, false));
	put(j, "Tty", json_boolean(k->tty));
	put(j, "OpenStdin", json_boolean(k->interactive));
	put(j, "Env", list(k->env));
	put(j, "Cmd", list_or_null(k->command));
	put(j, "Healthcheck", health(&k->health));
	put(j, "Image", str(k->image_name));
	put(j, "WorkingDir", str(k->cwd));
	put(j, "Entrypoint", list_or_null(k->entrypoint));
	put(j, "Labels", show_pairs(k->labels));
	put(j, "StopSignal", str(k->stop_signal ? k->stop_signal : "SIGTERM"));
	put(j, "StopTimeout", number(k->stop_timeout_s));
	return j;
}

static json_t *lowered(const struct container_config *k)
{
	json_t *arr = json_array();

	for (size_t i = 0; i < k->n_lower; i++) {
		const struct spec_lower *l = &k->lower[i];
		_cleanup_free_ char *text = xasprintf("%s%s%s", l->wall, l->detail ? "=" : "", l->detail ? l->detail : "");

		json_array_append_new(arr, str(text));
	}
	return arr;
}

static json_t *namespaces(const struct container_state *s)
{
	static const char *const names[] = { "user", "pid", "ipc", "uts", "cgroup", "time", "net", "mnt" };
	json_t *j = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		put(j, names[i], number(s->ns[i]));
	return j;
}

/* Every limit as it is in force, with those that docker does not have; 0: none. */
static json_t *limits(const struct container_config *k)
{
	const struct spec_limits *l = &k->limits;
	json_t *j = json_object();

	put(j, "Memory", number(l->memory));
	put(j, "MemorySwap", l->memory_swap == UINT64_MAX ? json_integer(-1) : number(l->memory_swap));
	put(j, "Pids", number(l->pids));
	put(j, "CpuWeight", number(l->cpu_weight));
	put(j, "IoWeight", number(l->io_weight));
	put(j, "Disk", number(k->disk));
	put(j, "DiskInodes", number(k->disk_inodes));
	put(j, "RootTmpfs", number(k->root_tmpfs));
	put(j, "TmpSize", number(k->tmp_size));
	put(j, "ShmSize", number(k->shm_size));
	put(j, "LogSize", number(k->log_size));
	put(j, "LogFiles", number(k->log_files));
	return j;
}

static json_t *secrets(const struct container_config *k)
{
	json_t *arr = json_array();

	for (size_t i = 0; i < k->n_secrets; i++)
		json_array_append_new(arr, json_pack("{s:o,s:o,s:o}", "Name", str(k->secrets[i].name), "Path",
						     str(k->secrets[i].path), "Mode", number(k->secrets[i].mode)));
	return arr;
}

static json_t *brig(const struct container *c)
{
	const struct container_config *k = &c->config;
	json_t *j = json_object();

	put(j, "Ids", json_pack("{s:o,s:o,s:o}", "FirstUid", number(k->id_first_uid), "FirstGid",
				number(k->id_first_gid), "Count", number(k->id_count)));
	put(j, "Lowered", lowered(k));
	put(j, "Limits", limits(k));
	put(j, "Annotations", show_pairs(k->annotations));
	put(j, "Secrets", secrets(k));
	put(j, "Rootfs", str(k->rootfs));
	put(j, "Tree", str(k->tree));
	put(j, "Slot", str(k->slot));
	put(j, "Cgroup", str(c->state.cgroup));
	put(j, "Monitor", json_integer(c->state.monitor));
	put(j, "Network", json_integer(c->state.net_pid));
	put(j, "Namespaces", namespaces(&c->state));
	return j;
}

json_t *show_container(const struct container *c)
{
	const struct container_config *k = &c->config;
	_cleanup_free_ char *name = xasprintf("/%s", k->name ? k->name : "");
	_cleanup_free_ char *image = k->image_id ? xasprintf("sha256:%s", k->image_id) : NULL;
	char **first = k->entrypoint && *k->entrypoint ? k->entrypoint : k->command;
	json_t *j = json_object(), *args = json_array();

	strv_foreach(a, first ? first + (*first ? 1 : 0) : NULL)
		json_array_append_new(args, str(*a));
	strv_foreach(a, first == k->entrypoint ? k->command : NULL)
		json_array_append_new(args, str(*a));
	put(j, "Id", str(k->id));
	put(j, "Created", when(k->created_ns));
	put(j, "Path", str(first ? *first : NULL));
	put(j, "Args", args);
	put(j, "State", state(c));
	put(j, "Image", str(image));
	put(j, "Name", str(name));
	put(j, "RestartCount", number(c->state.restarts));
	put(j, "Driver", json_string("overlay"));
	put(j, "Platform", str(k->platform ? k->platform : "linux"));
	put(j, "HostConfig", host_config(k));
	put(j, "Mounts", mounts(k));
	put(j, "Config", config(k));
	put(j, "NetworkSettings", network(c));
	put(j, "Brig", brig(c));
	return j;
}
