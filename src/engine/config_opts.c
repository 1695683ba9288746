/* SPDX-License-Identifier: Apache-2.0 */
/* Limits, restart, logs, secrets, walls: the options that are one word or number each. */
#include "engine/config.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/signal.h"
#include "confine/lsm.h"
#include "confine/caps.h"
#include "confine/rlimits.h"
#include "confine/wall.h"
#include "engine/envfile.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CPUS_MAX = 8192 };

#define MEMORY_MIN (6ull << 20) /* docker's: below it not even a shell starts */

/* brig.conf cannot give more open files than the caller may have, unless the caller may raise the limit. */
static uint64_t open_files(uint64_t wanted)
{
	struct rlimit own;

	if (rlimits_can_raise() || getrlimit(RLIMIT_NOFILE, &own) < 0 || wanted <= own.rlim_max)
		return wanted;
	return own.rlim_max;
}

void config_defaults(struct container_config *c, const struct conf *conf)
{
	uint64_t memory = conf->memory, files = open_files(conf->nofile);

	if (memory == 0)
		memory = (uint64_t)sysconf(_SC_PHYS_PAGES) / 2 * (uint64_t)sysconf(_SC_PAGESIZE);
	c->limits = (struct spec_limits){ .memory = memory, .memory_swap = conf->memory_swap, .pids = conf->pids,
					  .cpu_weight = conf->cpu_weight, .io_weight = conf->io_weight };
	c->shm_size = conf->shm_size;
	c->tmp_size = conf->tmp_size;
	c->disk = conf->disk;
	c->disk_inodes = conf->disk_inodes;
	c->log_size = conf->log_size;
	c->log_files = conf->log_files;
	c->stop_timeout_s = conf->stop_timeout;
	c->network = xstrdup(conf->network);
	c->apparmor = lsm_default_profile() ? xstrdup(lsm_default_profile()) : NULL;
	c->rlimits = xcalloc(2, sizeof(*c->rlimits));
	c->rlimits[0] = (struct spec_rlimit){ RLIMIT_CORE, 0, 0 };
	c->rlimits[1] = (struct spec_rlimit){ RLIMIT_NOFILE, files, files };
	c->n_rlimits = 2;
}

static int bad(struct error *e, const char *option, const char *value, const char *want)
{
	_cleanup_free_ char *safe = str_escape(value);

	return error_set(e, EINVAL, "--%s %s: %s", option, safe, want);
}

int config_add_ulimit(struct container_config *c, const char *arg, struct error *e)
{
	struct spec_rlimit l;
	int r = rlimit_parse(arg, &l, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < c->n_rlimits; i++) {
		if (c->rlimits[i].resource == l.resource) {
			c->rlimits[i] = l;
			return 0;
		}
	}
	c->rlimits = xrealloc(c->rlimits, c->n_rlimits + 1, sizeof(*c->rlimits));
	c->rlimits[c->n_rlimits++] = l;
	return 0;
}

int config_set_restart(struct container_config *c, const char *arg, struct error *e)
{
	const char *max = str_after(arg, "on-failure:");

	c->restart_max = 0;
	if (streq(arg, "no") || streq(arg, ""))
		c->restart = RESTART_NO;
	else if (streq(arg, "always"))
		c->restart = RESTART_ALWAYS;
	else if (streq(arg, "unless-stopped"))
		c->restart = RESTART_UNLESS_STOPPED;
	else if (streq(arg, "on-failure") || (max && parse_u64(max, 0, INT32_MAX, &c->restart_max) == 0))
		c->restart = RESTART_ON_FAILURE;
	else
		return bad(e, "restart", arg, "give no, on-failure[:MAX], always or unless-stopped");
	return 0;
}

static bool file_name(const char *s)
{
	if (!path_is_part(s))
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= 0x20 || *s == 0x7f || *s == '\\')
			return false;
	return true;
}

int config_add_secret(struct container_config *c, const char *arg, struct error *e)
{
	_cleanup_strv_ char **words = strv_split(arg, ',');
	_cleanup_free_ char *full = NULL;
	const char *id = NULL, *source = NULL, *target = NULL, *mode = "0400";
	struct stat st;

	strv_foreach(w, words) {
		char *value = strchr(*w, '=');

		if (!value)
			return bad(e, "secret", arg, "give id=NAME,source=FILE[,mode=0400]");
		*value++ = 0;
		if (streq(*w, "id"))
			id = value;
		else if (streq(*w, "source") || streq(*w, "src"))
			source = value;
		else if (streq(*w, "target") || streq(*w, "dst"))
			target = value;
		else if (streq(*w, "mode"))
			mode = value;
		else if (!streq(*w, "type") || !(streq(value, "file") || streq(value, "mount")))
			return bad(e, "secret", arg, "give id=NAME,source=FILE[,mode=0400]; other keys are unknown");
	}
	if (target && str_after(target, "/run/secrets/"))
		target = str_after(target, "/run/secrets/");
	if (!target)
		target = id;
	if (!source)
		return bad(e, "secret", arg, "source=FILE is missing: brig keeps no secrets of its own");
	if (!target || !file_name(target))
		return bad(e, "secret", arg, "id is missing or not a file name: the secret is shown as /run/secrets/ID");
	if (!*mode || strlen(mode) > 4 || mode[strspn(mode, "01234567")] || strtoul(mode, NULL, 8) > 0777)
		return bad(e, "secret", arg, "mode is an octal number up to 0777");
	for (size_t i = 0; i < c->n_secrets; i++)
		if (streq(c->secrets[i].name, target))
			return bad(e, "secret", arg, "two secrets of one name");
	full = realpath(source, NULL);
	if (!full || access(full, R_OK) < 0)
		return bad(e, "secret", arg, strerror(errno));
	if (stat(full, &st) < 0 || !S_ISREG(st.st_mode))
		return bad(e, "secret", arg, "the source is not a regular file");
	c->secrets = xrealloc(c->secrets, c->n_secrets + 1, sizeof(*c->secrets));
	c->secrets[c->n_secrets++] = (struct secret_mount){ xstrdup(target), steal_ptr(&full),
							    (uint32_t)strtoul(mode, NULL, 8) };
	return 0;
}

int config_set_apparmor(struct container_config *c, const char *arg, struct error *e)
{
	/* It goes into a file of the kernel and into profiles as it is. */
	if (!*arg || strlen(arg) > 200 || arg[strspn(arg, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")])
		return bad(e, "security-opt apparmor", arg, "a profile's name has letters, digits, '_', '.' and '-' only");
	free(c->apparmor);
	c->apparmor = xstrdup(arg);
	return 0;
}

/* The limits that config_defaults() gave. What --ulimit names is added after all --lower, and stays. */
static void drop_rlimits(struct container_config *c, const char *detail)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n_rlimits; i++)
		if (detail && !streq(rlimit_name(c->rlimits[i].resource), detail))
			c->rlimits[kept++] = c->rlimits[i];
	c->n_rlimits = kept;
}

/* "vet" is no wall, but comes down by name as they do: the policy of what may be in the image, or one rule of it (engine/vouch.c). */
static int parse_vet(const char *arg, struct spec_lower *out, struct error *e)
{
	const char *rule = str_after(arg, "vet=");

	if (rule && (!*rule || rule[strspn(rule, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")]))
		return error_set(e, EINVAL, "--lower vet=RULE: letters, digits and dashes, as brig vet prints it");
	*out = (struct spec_lower){ .wall = xstrdup("vet"), .detail = xstrdup(rule) };
	return 0;
}

int config_add_lower(struct container_config *c, const char *arg, struct error *e)
{
	struct spec_lower l = { 0 };
	int r = streq(arg, "vet") || str_after(arg, "vet=") ? parse_vet(arg, &l, e) : lower_parse(arg, &l, e);

	if (r < 0)
		return r;
	c->lower = xrealloc(c->lower, c->n_lower + 1, sizeof(*c->lower));
	c->lower[c->n_lower++] = l;
	if (streq(l.wall, "rlimits"))
		drop_rlimits(c, l.detail);
	return 0;
}

bool config_lowered(const struct container_config *c, const char *wall, const char *detail)
{
	const struct spec s = { .lower = c->lower, .n_lower = c->n_lower };

	return spec_lowered(&s, wall, detail);
}

/* Kept as the person wrote it. */
int config_add_cap(struct container_config *c, bool add, const char *arg, struct error *e)
{
	char ***list = add ? &c->cap_add : &c->cap_drop;
	uint64_t bits;
	int r;

	if (add && strcasecmp(arg, "ALL") == 0) {
		error_set(e, EINVAL, "--cap-add ALL: every capability at once is no wall");
		error_hint(e, "name those that are needed, one --cap-add each");
		return -EINVAL;
	}
	r = caps_parse(arg, &bits, e);
	if (r < 0)
		return error_wrap(e, add ? "--cap-add" : "--cap-drop");
	if (!strv_has(*list, arg))
		strv_add_copy(list, arg);
	return 0;
}

/* The form only; which names are of the container's own namespaces is known to the wall that writes them. */
int config_add_sysctl(struct container_config *c, const char *arg, struct error *e)
{
	size_t n = strcspn(arg, "=");

	if (n == 0 || arg[n] != '=' || strstr(arg, "..") || arg[0] == '/' || arg[0] == '.' || !env_text_ok(arg))
		return bad(e, "sysctl", arg, "give NAME=VALUE, such as net.core.somaxconn=1024");
	for (size_t i = 0; i < n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/", arg[i]))
			return bad(e, "sysctl", arg, "the name has a character that no sysctl has");
	return env_set(&c->sysctl, arg, e);
}

int config_set_log(struct container_config *c, const char *driver, char *const *opts, struct error *e)
{
	if (driver && streq(driver, "none"))
		c->log_size = 0;
	else if (driver && !streq(driver, "local") && !streq(driver, "json-file"))
		return bad(e, "log-driver", driver, "logs are local files, or none");
	strv_foreach(o, opts) {
		const char *size = str_after(*o, "max-size="), *files = str_after(*o, "max-file=");
		uint64_t v;

		if (driver && streq(driver, "none"))
			return bad(e, "log-opt", *o, "there is no log with --log-driver none");
		if (size && parse_size(size, &v) == 0 && v >= 4096 && v <= INT64_MAX)
			c->log_size = v;
		else if (files && parse_u64(files, 1, 1000, &v) == 0)
			c->log_files = v;
		else
			return bad(e, "log-opt", *o, "give max-size=SIZE (4k up) or max-file=N (1 to 1000)");
	}
	return 0;
}

int config_set_storage(struct container_config *c, const char *arg, struct error *e)
{
	const char *size = str_after(arg, "size="), *inodes = str_after(arg, "inodes=");
	uint64_t v;

	if (size && parse_size(size, &v) == 0 && v >= 1 << 20 && v <= INT64_MAX)
		c->disk = v;
	else if (inodes && parse_u64(inodes, 16, INT64_MAX, &v) == 0)
		c->disk_inodes = v;
	else
		return bad(e, "storage-opt", arg, "give size=SIZE (1m up) or inodes=N (16 up) of the writable layer");
	return 0;
}

int config_set_signal(struct container_config *c, const char *arg, struct error *e)
{
	if (signal_number(arg) < 0)
		return bad(e, "stop-signal", arg, "there is no such signal, see signal(7)");
	free(c->stop_signal);
	c->stop_signal = xstrdup(arg);
	return 0;
}

/* A list such as "0-3,7", checked as the kernel will read it (cpuset(7), "List format"). */
static int parse_cpuset(const char *option, const char *arg, char **out, struct error *e)
{
	_cleanup_strv_ char **parts = strv_split(arg, ',');

	strv_foreach(p, parts) {
		char *dash = strchr(*p, '-');
		uint64_t a, b;

		if (dash)
			*dash++ = 0;
		if (parse_u64(*p, 0, CPUS_MAX - 1, &a) < 0 || parse_u64(dash ? dash : *p, 0, CPUS_MAX - 1, &b) < 0 ||
		    a > b)
			return bad(e, option, arg, "give numbers and ranges, such as 0-3,7");
	}
	free(*out);
	*out = xstrdup(arg);
	return 0;
}

/* "1.5" as microseconds of a period; exact to the microsecond. */
static int parse_cpus(const char *s, uint64_t period, uint64_t *quota)
{
	uint64_t whole = 0, part = 0, unit = 100000;
	const char *p = s;

	for (; *p >= '0' && *p <= '9' && whole < CPUS_MAX; p++)
		whole = whole * 10 + (uint64_t)(*p - '0');
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
			part += unit * (uint64_t)(*p - '0');
	if (*p || p == s || whole >= CPUS_MAX)
		return -EINVAL;
	*quota = whole * period + part * period / 1000000;
	return 0;
}

static int set_cpu(struct spec_limits *l, const struct config_resources *r, struct error *e)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	if (r->cpus && (r->cpu_quota_us || r->cpu_period_us))
		return error_set(e, EINVAL, "--cpus is --cpu-quota and --cpu-period in one: give the one or the others");
	if (r->cpu_period_us && (r->cpu_period_us < 1000 || r->cpu_period_us > 1000000))
		return error_set(e, EINVAL, "--cpu-period %llu: 1000 to 1000000 microseconds",
				 (unsigned long long)r->cpu_period_us);
	if (r->cpu_quota_us && (r->cpu_quota_us < 1000 || r->cpu_quota_us > 1000000ull * CPUS_MAX))
		return error_set(e, EINVAL, "--cpu-quota %llu: 1000 microseconds up", (unsigned long long)r->cpu_quota_us);
	if (r->cpu_shares && (r->cpu_shares < 2 || r->cpu_shares > 262144))
		return error_set(e, EINVAL, "--cpu-shares %llu: 2 to 262144", (unsigned long long)r->cpu_shares);
	if (r->cpu_weight && (r->cpu_weight > 10000 || r->cpu_shares))
		return error_set(e, EINVAL, "--cpu-weight is 1 to 10000, and not beside --cpu-shares");
	l->cpu_period_us = r->cpu_period_us ? r->cpu_period_us : 100000;
	l->cpu_quota_us = r->cpu_quota_us;
	if (r->cpus && (parse_cpus(r->cpus, l->cpu_period_us, &l->cpu_quota_us) < 0 || l->cpu_quota_us < 1000 ||
			(online > 0 && l->cpu_quota_us > (uint64_t)online * l->cpu_period_us)))
		return bad(e, "cpus", r->cpus, "0.01 up to the number of CPUs of this machine");
	/* docker's default of 1024 shares is the kernel's default weight of 100. */
	if (r->cpu_shares)
		l->cpu_weight = r->cpu_shares * 100 / 1024 < 1 ? 1 : r->cpu_shares * 100 / 1024;
	if (l->cpu_weight > 10000)
		l->cpu_weight = 10000;
	if (r->cpu_weight)
		l->cpu_weight = r->cpu_weight;
	if (r->cpuset_cpus && parse_cpuset("cpuset-cpus", r->cpuset_cpus, &l->cpuset_cpus, e) < 0)
		return -EINVAL;
	if (r->cpuset_mems && parse_cpuset("cpuset-mems", r->cpuset_mems, &l->cpuset_mems, e) < 0)
		return -EINVAL;
	return 0;
}

/* docker's --memory-swap is memory and swap together; the kernel's, and ours, is swap alone. */
static int set_memory(struct spec_limits *l, const struct config_resources *r, struct error *e)
{
	uint64_t total;

	if (r->memory && (r->memory < MEMORY_MIN || r->memory > INT64_MAX))
		return error_set(e, EINVAL, "--memory: at least 6m");
	if (r->memory)
		l->memory = r->memory;
	if (r->memory_swap && streq(r->memory_swap, "-1")) {
		l->memory_swap = UINT64_MAX;
	} else if (r->memory_swap) {
		if (parse_size(r->memory_swap, &total) < 0 || total > INT64_MAX)
			return bad(e, "memory-swap", r->memory_swap, "give a size such as 1g, or -1 for no limit");
		if (total && !r->memory)
			return bad(e, "memory-swap", r->memory_swap, "it is memory and swap together: give --memory too");
		if (total && total < l->memory)
			return bad(e, "memory-swap", r->memory_swap, "it is memory and swap together: less than --memory");
		if (total)
			l->memory_swap = total - l->memory;
	}
	if (r->memory_reservation > l->memory)
		return error_set(e, EINVAL, "--memory-reservation is above the memory limit of %llu bytes",
				 (unsigned long long)l->memory);
	l->memory_low = r->memory_reservation;
	return 0;
}

int config_set_resources(struct container_config *c, const struct config_resources *r, struct error *e)
{
	int64_t pids;
	int res;

	res = set_memory(&c->limits, r, e);
	if (res == 0)
		res = set_cpu(&c->limits, r, e);
	if (res == 0 && r->pids_limit) {
		if (parse_i64(r->pids_limit, -1, INT32_MAX, &pids) < 0)
			return bad(e, "pids-limit", r->pids_limit, "a number of tasks, or -1 for no limit");
		c->limits.pids = pids < 0 ? 0 : (uint64_t)pids;
	}
	return res;
}
