/* SPDX-License-Identifier: Apache-2.0 */
/* brig-oci pause, resume, update, events: a running container's cgroup. */
#include "cli/oci.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"
#include "confine/cgroup_oci.h"
#include "oci/state.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>

/* Open, with its cgroup. */
static int open_with_cgroup(const char *id, struct oci_container *c, struct oci_cgroup *cg, struct error *e)
{
	int r = oci_container_open(oci_global.root, id, false, c, e);

	if (r == 0 && c->pid == 0)
		r = error_set(e, EINVAL, "container %s is being made", id);
	if (r == 0 && !c->cgroup)
		r = error_set(e, EOPNOTSUPP, "container %s has no cgroup", id);
	return r < 0 ? r : oci_cgroup_open(cg, c->cgroup, e);
}

static int freeze(const char *id, bool frozen, struct error *e)
{
	_cleanup_oci_container_ struct oci_container c;
	_cleanup_oci_cgroup_ struct oci_cgroup cg = { 0 };
	enum oci_status s;
	int r;

	oci_container_init(&c);
	r = open_with_cgroup(id, &c, &cg, e);
	if (r < 0)
		return r;
	s = oci_container_status(&c);
	if (frozen ? s != OCI_RUNNING && s != OCI_CREATED : s != OCI_PAUSED)
		return error_set(e, EINVAL, "container not %s: it is %s", frozen ? "running or created" : "paused", oci_status_names[s]);
	return oci_cgroup_freeze(&cg, frozen, 10000, e);
}

static int run_pause(void *options, int argc, char **argv, struct error *e)
{
	(void)options;
	(void)argc;
	return freeze(argv[0], true, e);
}

static int run_resume(void *options, int argc, char **argv, struct error *e)
{
	(void)options;
	(void)argc;
	return freeze(argv[0], false, e);
}

const struct cli_command cmd_oci_pause = {
	.name = "pause", .group = "Life cycle", .args = "ID", .summary = "Suspend all processes of a container", .min_args = 1, .max_args = 1, .run = run_pause,
};

const struct cli_command cmd_oci_resume = {
	.name = "resume", .group = "Life cycle", .args = "ID", .summary = "Let a paused container go on", .min_args = 1, .max_args = 1, .run = run_resume,
};

/* --- update ------------------------------------------------------------------------------------------------------ */

struct update_options {
	char *resources, *l3_cache, *mem_bw;
	char *value[20]; /* in the order of `fields` */
};

/* Where each option's value stands in a resources object (config-linux.md). */
static const struct {
	const char *group, *key; /* group NULL: no group */
	bool text;
} fields[] = {
	{ "blockIO", "weight", false },	    { "cpu", "period", false },	     { "cpu", "quota", false },
	{ "cpu", "burst", false },	    { "cpu", "shares", false },	     { "cpu", "realtimePeriod", false },
	{ "cpu", "realtimeRuntime", false }, { "cpu", "cpus", true },	     { "cpu", "mems", true },
	{ "cpu", "idle", false },	    { "memory", "limit", false },    { "memory", "reservation", false },
	{ "memory", "swap", false },	    { "memory", "kernel", false },   { "memory", "kernelTCP", false },
	{ "pids", "limit", false },
};

#define FIELD(n, name, arg, help) CLI_OPT(struct update_options, value[n], name, 0, CLI_STRING, arg, help, NULL)

static const struct cli_option update_table[] = {
	CLI_OPT(struct update_options, resources, "resources", 'r', CLI_STRING, "FILE", "with a resources object, - for stdin", "files"),
	FIELD(0, "blkio-weight", "N", "block IO weight, 10 to 1000"),
	FIELD(1, "cpu-period", "USEC", "CPU period"),
	FIELD(2, "cpu-quota", "USEC", "CPU time in each period"),
	FIELD(3, "cpu-burst", "USEC", "CPU time that may be saved up"),
	FIELD(4, "cpu-share", "N", "CPU shares, 2 to 262144"),
	FIELD(5, "cpu-rt-period", "USEC", "real-time period"),
	FIELD(6, "cpu-rt-runtime", "USEC", "real-time CPU time in each period"),
	FIELD(7, "cpuset-cpus", "LIST", "CPUs, 0-3,7"),
	FIELD(8, "cpuset-mems", "LIST", "memory nodes"),
	FIELD(9, "cpu-idle", "0|1", "only when nobody else wants the CPU"),
	FIELD(10, "memory", "BYTES", "memory limit"),
	FIELD(11, "memory-reservation", "BYTES", "memory that is kept"),
	FIELD(12, "memory-swap", "BYTES", "memory and swap together, -1 for no limit"),
	FIELD(13, "kernel-memory", "BYTES", "kernel memory limit"),
	FIELD(14, "kernel-memory-tcp", "BYTES", "memory limit of TCP buffers"),
	FIELD(15, "pids-limit", "N", "tasks, -1 for no limit"),
	CLI_OPT(struct update_options, l3_cache, "l3-cache-schema", 0, CLI_STRING, "SCHEMA", NULL, NULL),
	CLI_OPT(struct update_options, mem_bw, "mem-bw-schema", 0, CLI_STRING, "SCHEMA", NULL, NULL),
	CLI_END,
};

static int number(const char *text, int64_t *out)
{
	uint64_t size;
	int r = parse_i64(text, INT64_MIN, INT64_MAX, out);

	if (r == 0)
		return 0;
	r = parse_size(text, &size); /* "64m", as crun and podman write it */
	if (r < 0 || size > INT64_MAX)
		return -EINVAL;
	*out = (int64_t)size;
	return 0;
}

static json_t *from_options(const struct update_options *o, struct error *e)
{
	json_t *all = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		json_t *group = json_object_get(all, fields[i].group);
		int64_t v = 0;

		if (!o->value[i] || !*o->value[i])
			continue;
		if (!fields[i].text && number(o->value[i], &v) < 0) {
			error_set(e, EINVAL, "%s.%s: \"%s\" is not a number", fields[i].group, fields[i].key, o->value[i]);
			json_decref(all);
			return NULL;
		}
		if (!group) {
			group = json_object();
			json_object_set_new(all, fields[i].group, group);
		}
		json_object_set_new(group, fields[i].key, fields[i].text ? json_string(o->value[i]) : json_integer(v));
	}
	return all;
}

static json_t *from_file(const char *path, struct error *e)
{
	_cleanup_free_ char *data = NULL;
	size_t n;
	int r;

	if (!streq(path, "-"))
		return json_read(AT_FDCWD, path, OCI_CONFIG_MAX, e);
	r = fd_read_all(0, OCI_CONFIG_MAX, &data, &n);
	if (r < 0) {
		error_errno(e, r, "stdin");
		return NULL;
	}
	return json_parse(data, n, "stdin", e);
}

static int run_update(void *options, int argc, char **argv, struct error *e)
{
	struct update_options *o = options;
	_cleanup_oci_container_ struct oci_container c;
	_cleanup_oci_cgroup_ struct oci_cgroup cg = { 0 };
	_cleanup_json_ json_t *j = NULL;
	struct oci_resources res = { 0 };
	int r;

	(void)argc;
	oci_container_init(&c);
	if (o->l3_cache || o->mem_bw)
		return error_set(e, EOPNOTSUPP, "--%s-schema: linux.intelRdt is not supported", o->l3_cache ? "l3-cache" : "mem-bw");
	r = open_with_cgroup(argv[0], &c, &cg, e);
	if (r == 0 && oci_container_status(&c) == OCI_STOPPED)
		r = error_set(e, EINVAL, "container not running");
	if (r < 0)
		return r;
	j = o->resources ? from_file(o->resources, e) : from_options(o, e);
	if (!j)
		return e->code;
	r = oci_resources_parse(j, "resources", &res, e);
	if (r == 0)
		r = oci_cgroup_update(&cg, &res, e);
	oci_resources_free(&res);
	return r;
}

const struct cli_command cmd_oci_update = {
	.name = "update", .group = "Life cycle", .args = "[OPTIONS] ID", .summary = "Change a container's resource limits", .options = update_table,
	.options_size = sizeof(struct update_options), .min_args = 1, .max_args = 1, .run = run_update,
};

/* --- events ------------------------------------------------------------------------------------------------------ */

struct events_options {
	uint64_t interval;
	bool stats;
};

static const struct cli_option events_table[] = {
	CLI_OPT(struct events_options, interval, "interval", 0, CLI_SECONDS, "TIME", "between two figures (5s)", NULL),
	CLI_OPT(struct events_options, stats, "stats", 0, CLI_FLAG, NULL, "print the figures once", NULL),
	CLI_END,
};

static void events_defaults(void *options)
{
	((struct events_options *)options)->interval = 5000000000ull;
}

static int print_event(const char *id, const char *type, json_t *data, struct error *e)
{
	_cleanup_json_ json_t *j = json_pack("{s:s, s:s, s:o*}", "type", type, "id", id, "data", data);
	_cleanup_free_ char *text = j ? json_text(j) : NULL;

	if (!text)
		return error_set(e, EIO, "the figures of %s cannot be read", id);
	printf("%s\n", text);
	return fflush(stdout) != 0 ? error_errno(e, errno, "cannot write to standard output") : 0;
}

static int follow(struct oci_container *c, const struct oci_cgroup *cg, uint64_t interval, struct error *e)
{
	_cleanup_close_ int file = -1, oom = oci_cgroup_open_oom(cg, &file, NULL);
	uint64_t kills = oci_cgroup_oom_kills(cg);
	int r = 0;

	while (r == 0 && oci_container_status(c) != OCI_STOPPED) {
		struct pollfd p = { .fd = oom, .events = POLLPRI | POLLIN };

		r = print_event(c->id, "stats", oci_cgroup_stats(cg), e);
		if (r == 0 && poll(&p, 1, (int)(interval / 1000000)) > 0) {
			char gone[8];

			(void)!read(oom, gone, sizeof(gone));
			if (oci_cgroup_oom_kills(cg) != kills)
				r = print_event(c->id, "oom", NULL, e);
			kills = oci_cgroup_oom_kills(cg);
		}
	}
	return r;
}

static int run_events(void *options, int argc, char **argv, struct error *e)
{
	struct events_options *o = options;
	_cleanup_oci_container_ struct oci_container c;
	_cleanup_oci_cgroup_ struct oci_cgroup cg = { 0 };
	int r;

	(void)argc;
	oci_container_init(&c);
	if (o->interval < 1000000 || o->interval > 86400000000000ull)
		return error_set(e, EINVAL, "--interval: 1 ms to a day");
	r = open_with_cgroup(argv[0], &c, &cg, e);
	if (r == 0 && oci_container_status(&c) == OCI_STOPPED)
		r = error_set(e, EINVAL, "container with id %s is not running", argv[0]);
	if (r < 0)
		return r;
	return o->stats ? print_event(c.id, "stats", oci_cgroup_stats(&cg), e) : follow(&c, &cg, o->interval, e);
}

const struct cli_command cmd_oci_events = {
	.name = "events", .group = "Life cycle", .args = "[OPTIONS] ID", .summary = "Print resource figures and out-of-memory events as JSON",
	.options = events_table, .options_size = sizeof(struct events_options), .defaults = events_defaults, .min_args = 1, .max_args = 1,
	.run = run_events,
};
