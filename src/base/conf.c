/* SPDX-License-Identifier: Apache-2.0 */
#include "base/conf.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/str.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum { CONF_FILE_MAX = 64 << 10 };

enum kind { K_NUMBER, K_SIZE, K_SECONDS, K_LIST, K_URLS, K_CHOICE };

#define AT(member) offsetof(struct conf, member)

static const struct key {
	const char *name;
	enum kind kind;
	size_t offset;
	uint64_t min, max;
	const char *choices; /* K_CHOICE: words between spaces */
} keys[] = {
	{ "memory", K_SIZE, AT(memory), 0, INT64_MAX, NULL },
	{ "memory_swap", K_SIZE, AT(memory_swap), 0, INT64_MAX, NULL },
	{ "pids", K_NUMBER, AT(pids), 1, 4194304, NULL },
	{ "cpu_weight", K_NUMBER, AT(cpu_weight), 1, 10000, NULL },
	{ "io_weight", K_NUMBER, AT(io_weight), 0, 10000, NULL },
	{ "nofile", K_NUMBER, AT(nofile), 16, 1 << 30, NULL },
	{ "shm_size", K_SIZE, AT(shm_size), 4096, INT64_MAX, NULL },
	{ "tmp_size", K_SIZE, AT(tmp_size), 4096, INT64_MAX, NULL },
	{ "disk", K_SIZE, AT(disk), 1 << 20, INT64_MAX, NULL },
	{ "disk_inodes", K_NUMBER, AT(disk_inodes), 100, 1ULL << 40, NULL },
	{ "log_size", K_SIZE, AT(log_size), 4096, INT64_MAX, NULL },
	{ "log_files", K_NUMBER, AT(log_files), 1, 1000, NULL },
	{ "stop_timeout", K_SECONDS, AT(stop_timeout), 0, 86400, NULL },
	{ "image_size", K_SIZE, AT(image_size), 1 << 20, INT64_MAX / 2, NULL },
	{ "image_file_size", K_SIZE, AT(image_file_size), 1 << 20, INT64_MAX / 2, NULL },
	{ "image_entries", K_NUMBER, AT(image_entries), 1, 100000000, NULL },
	{ "image_layers", K_NUMBER, AT(image_layers), 1, 1000, NULL },
	{ "image_ratio", K_NUMBER, AT(image_ratio), 2, 1000000, NULL },
	{ "insecure_registries", K_LIST, AT(insecure_registries), 0, 0, NULL },
	{ "token_servers", K_LIST, AT(token_servers), 0, 0, NULL },
	{ "registry_timeout", K_SECONDS, AT(registry_timeout), 1, 3600, NULL },
	{ "advisories", K_URLS, AT(advisories), 0, 0, NULL },
	{ "accept_lowered", K_LIST, AT(accept_lowered), 0, 0, NULL },
	{ "network", K_CHOICE, AT(network), 0, 0, "private none" },
	{ "oci_landlock", K_CHOICE, AT(oci_landlock), 0, 0, "off on" },
};

const char *conf_key_name(size_t n)
{
	return n < ARRAY_SIZE(keys) ? keys[n].name : NULL;
}

void conf_defaults(struct conf *c)
{
	*c = (struct conf){
		.memory = 0,
		.memory_swap = 0,
		.pids = 2048,
		.cpu_weight = 100,
		.io_weight = 0,
		.nofile = 65536,
		.shm_size = 64 << 20,
		.tmp_size = 256 << 20,
		.disk = 10ULL << 30,
		.disk_inodes = 1000000,
		.log_size = 16 << 20,
		.log_files = 3,
		.stop_timeout = 10,
		.image_size = 64ULL << 30,
		.image_file_size = 32ULL << 30,
		.image_entries = 1000000,
		.image_layers = 128,
		.image_ratio = 200,
		.registry_timeout = 30,
		.network = xstrdup("private"),
		.oci_landlock = xstrdup("off"),
	};
}

uint64_t conf_memory(const struct conf *c)
{
	struct sysinfo si;

	if (c->memory || sysinfo(&si) < 0)
		return c->memory;
	return (uint64_t)si.totalram * si.mem_unit / 2;
}

void conf_free(struct conf *c)
{
	strv_free(c->accept_lowered);
	strv_free(c->advisories);
	strv_free(c->insecure_registries);
	strv_free(c->token_servers);
	free(c->network);
	free(c->oci_landlock);
	*c = (struct conf){ 0 };
}

static size_t min2(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits that turn one word into another (Levenshtein); 99 for words too long to be a typo. */
static size_t distance(const char *a, const char *b)
{
	size_t row[32], n = strlen(b), m = strlen(a);

	if (n >= ARRAY_SIZE(row) || m >= ARRAY_SIZE(row))
		return 99;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; i <= m; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t above = row[j];

			row[j] = min2(min2(above, row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[n];
}

static const struct key *find_key(const char *name, const char **nearest)
{
	size_t best = 99;

	*nearest = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t d = distance(name, keys[i].name);

		if (d == 0)
			return &keys[i];
		if (d < best) {
			best = d;
			*nearest = keys[i].name;
		}
	}
	if (best > 4)
		*nearest = NULL;
	return NULL;
}

static bool choice_ok(const char *choices, const char *word)
{
	_cleanup_strv_ char **all = strv_split(choices, ' ');

	return strv_has(all, word);
}

static char *trim(char *s)
{
	char *end;

	while (*s == ' ' || *s == '\t')
		s++;
	end = s + strlen(s);
	while (end > s && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	*end = 0;
	return s;
}

/* A line that names the list replaces what an earlier file said: the later one is the whole truth. */
/* Without a user in it: passwords do not belong into brig.conf. */
static bool url_ok(const char *s)
{
	const char *host = str_after(s, "https://");

	for (const char *p = s; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '"' || *p == '#')
			return false;
	return host && strcspn(host, "/?") > 0 && !memchr(host, '@', strcspn(host, "/?"));
}

static bool word_ok(const char *s)
{
	for (const char *p = s; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '_' || *p == '=' || *p == '.' || *p == '/' ||
		      *p == ':'))
			return false;
	return true;
}

static int set_list(const struct key *k, char ***out, char *value, const char *where, struct error *e)
{
	_cleanup_strv_ char **parts = strv_split(value, ','), **list = NULL;

	strv_foreach(it, parts) {
		char *part = trim(*it);

		if (!*part) {
			if (strv_len(parts) == 1)
				break;
			return error_set(e, EINVAL, "%s: %s has an empty part", where, k->name);
		}
		if (!(k->kind == K_URLS ? url_ok(part) : word_ok(part)))
			return error_set(e, EINVAL, "%s: %s: \"%s\" is not %s", where, k->name, part,
					 k->kind == K_URLS		  ? "a URL like https://mirror.example/file" :
					 streq(k->name, "accept_lowered") ? "WALL or WALL=DETAIL" :
									    "HOST or HOST:PORT");
		strv_add_copy(&list, part);
	}
	strv_free(*out);
	*out = steal_ptr(&list);
	return 0;
}

static int set_number(const struct key *k, void *at, const char *value, const char *where, struct error *e)
{
	uint64_t v = 0;
	int r;

	switch (k->kind) {
	case K_SIZE:
		r = parse_size(value, &v);
		break;
	case K_SECONDS:
		r = parse_duration(value, &v);
		v /= 1000000000u;
		break;
	default:
		r = parse_u64(value, 0, UINT64_MAX, &v);
	}
	if (r < 0)
		return error_set(e, r, "%s: %s = %s: not a %s", where, k->name, value,
				 k->kind == K_SIZE    ? "size (\"512m\", \"2g\")" :
				 k->kind == K_SECONDS ? "duration (\"10\", \"1m30s\")" :
							"number");
	if (v < k->min || v > k->max)
		return error_set(e, ERANGE, "%s: %s = %s: must be from %llu to %llu", where, k->name, value,
				 (unsigned long long)k->min, (unsigned long long)k->max);
	*(uint64_t *)at = v;
	return 0;
}

static int set_key(struct conf *c, const char *name, char *value, const char *where, struct error *e)
{
	const char *nearest;
	const struct key *k = find_key(name, &nearest);
	void *at;

	if (!k) {
		error_set(e, EINVAL, "%s: unknown key \"%s\"", where, name);
		if (nearest)
			error_hint(e, "the nearest is \"%s\"", nearest);
		return -EINVAL;
	}
	at = (char *)c + k->offset;
	switch (k->kind) {
	case K_LIST:
	case K_URLS:
		return set_list(k, at, value, where, e);
	case K_CHOICE:
		if (!choice_ok(k->choices, value))
			return error_set(e, EINVAL, "%s: %s = %s: must be one of: %s", where, name, value, k->choices);
		free(*(char **)at);
		*(char **)at = xstrdup(value);
		return 0;
	default:
		return set_number(k, at, value, where, e);
	}
}

int conf_parse(struct conf *c, const char *text, const char *name, struct error *e)
{
	_cleanup_strv_ char **lines = strv_split(text, '\n');
	bool seen[ARRAY_SIZE(keys)] = { 0 };

	for (size_t i = 0; lines[i]; i++) {
		_cleanup_free_ char *where = xasprintf("%s:%zu", name, i + 1);
		char *line = trim(lines[i]), *eq, *key;
		int r;

		if (!*line || *line == '#')
			continue;
		eq = strchr(line, '=');
		if (!eq)
			return error_set(e, EINVAL, "%s: not a line \"key = value\"", where);
		*eq = 0;
		key = trim(line);
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
			if (!streq(keys[k].name, key))
				continue;
			if (seen[k])
				return error_set(e, EINVAL, "%s: %s is set a second time", where, key);
			seen[k] = true;
		}
		r = set_key(c, key, trim(eq + 1), where, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What a file says must be what root or this user wrote: whoever else may write it would lower their walls. */
static int check_owner(int fd, const char *path, struct error *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(e, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(e, EINVAL, "%s is not a regular file", path);
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		error_set(e, EPERM, "%s belongs to uid %u, not to root or to this user", path, st.st_uid);
		error_hint(e, "chown %u %s", geteuid(), path);
		return -EPERM;
	}
	if (st.st_mode & 022) {
		error_set(e, EPERM, "%s may be written by others (mode %04o)", path, st.st_mode & 07777);
		error_hint(e, "chmod go-w %s", path);
		return -EPERM;
	}
	return 0;
}

static int load_file(struct conf *c, const char *path, struct error *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : error_errno(e, errno, "cannot open %s", path);
	r = check_owner(fd, path, e);
	if (r < 0)
		return r;
	r = fd_read_all(fd, CONF_FILE_MAX, &text, &n);
	if (r < 0)
		return error_errno(e, r, "cannot read %s", path);
	if (strlen(text) != n)
		return error_set(e, EINVAL, "%s holds a NUL byte", path);
	return conf_parse(c, text, path, e);
}

int conf_load(struct conf *c, struct error *e)
{
	const char *dir = home_config_path(NULL);
	int r;

	conf_defaults(c);
	r = load_file(c, "/etc/brig/brig.conf", e);
	if (r == 0 && dir && !streq(dir, "/etc/brig")) {
		_cleanup_free_ char *own = xasprintf("%s/brig.conf", dir);

		r = load_file(c, own, e);
	}
	if (r < 0)
		conf_free(c);
	return r;
}
