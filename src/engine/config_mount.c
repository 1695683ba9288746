/* SPDX-License-Identifier: Apache-2.0 */
/* -v, --mount, --tmpfs and the volumes of images. */
#include "engine/config.h"

#include "base/cleanup.h"
#include "base/home.h"
#include "base/path.h"
#include "engine/volume.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The targets that no mount may cover: the walls put their own there. */
static bool is_protected(const char *path)
{
	static const char *const tops[] = { "/proc", "/sys", "/dev" };
	static const char *const allowed[] = { "/dev/shm", "/dev/log" };

	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		if (streq(path, allowed[i]))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
		const char *rest = str_after(path, tops[i]);

		if (rest && (!*rest || *rest == '/'))
			return true;
	}
	return false;
}

int config_target(const char *path, bool mount, char **out, struct error *e)
{
	_cleanup_free_ char *safe = str_escape_n(path, strnlen(path, 200));
	_cleanup_strv_ char **parts = NULL;
	_cleanup_buf_ struct buf b = { 0 };

	if (path[0] != '/')
		return error_set(e, EINVAL, "\"%s\" is not an absolute path inside the container", safe);
	if (strlen(path) > CONFIG_PATH_MAX)
		return error_set(e, ENAMETOOLONG, "\"%s...\" is longer than %d bytes", safe, CONFIG_PATH_MAX);
	parts = strv_split(path, '/');
	strv_foreach(p, parts) {
		if (!**p)
			continue;
		if (!path_is_part(*p))
			return error_set(e, EINVAL, "\"%s\" has a part \".\", \"..\" or one of more than 255 bytes", safe);
		buf_printf(&b, "/%s", *p);
	}
	if (b.len == 0)
		return error_set(e, EINVAL, "the container's root cannot be the target");
	for (size_t i = 0; i < b.len; i++)
		if ((unsigned char)b.data[i] < 0x20 || b.data[i] == 0x7f)
			return error_set(e, EINVAL, "\"%s\" has a control character", safe);
	if (mount && is_protected(b.data))
		return error_set(e, EINVAL, "nothing can be mounted at %s: the container's walls stand on it", safe);
	*out = buf_steal(&b);
	return 0;
}

static void mount_free(struct volume_mount *m)
{
	free(m->type);
	free(m->source);
	free(m->target);
	free(m->options);
	memset(m, 0, sizeof(*m));
}
#define _cleanup_mount_ _cleanup_(mount_free)

/* Takes what is in `m`. */
static int add(struct container_config *c, struct volume_mount *m, struct error *e)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		if (streq(c->mounts[i].target, m->target))
			return error_set(e, EEXIST, "two mounts have the target %s", m->target);
	if (c->n_mounts >= CONFIG_MOUNTS_MAX)
		return error_set(e, E2BIG, "more than %d mounts", CONFIG_MOUNTS_MAX);
	c->mounts = xrealloc(c->mounts, c->n_mounts + 1, sizeof(*c->mounts));
	c->mounts[c->n_mounts++] = *m;
	memset(m, 0, sizeof(*m));
	return 0;
}

/* A host path as the person sees it from here: "./x" is below the current folder, as docker takes it. */
static int host_path(const char *path, char **out, struct error *e)
{
	_cleanup_free_ char *safe = str_escape(path), *full = realpath(path, NULL);

	if (!full && errno == ENOENT) {
		error_set(e, ENOENT, "bind source %s does not exist", safe);
		error_hint(e, "make it first: mkdir -p %s (brig makes no folders outside its own)", safe);
		return -ENOENT;
	}
	if (!full)
		return error_errno(e, errno, "bind source %s", safe);
	if (strpbrk(full, "\n\r"))
		return error_set(e, EINVAL, "bind source %s: a line break in the path", safe);
	*out = steal_ptr(&full);
	return 0;
}

static bool is_host_path(const char *s)
{
	return s[0] == '/' || streq(s, ".") || streq(s, "..") || str_after(s, "./") || str_after(s, "../");
}

static int set_source(struct volume_mount *m, const char *source, struct error *e)
{
	if (streq(m->type, "bind"))
		return host_path(source, &m->source, e);
	m->anonymous = !*source;
	if (m->anonymous) {
		m->source = volume_random_name();
		return m->source ? 0 : error_errno(e, errno, "no random bytes");
	}
	if (volume_name_check(source, e) < 0)
		return e ? e->code : -EINVAL;
	m->source = xstrdup(source);
	return 0;
}

/* A word that -v and --mount's bind-propagation may carry. Private is what every mount of brig is. */
static int propagation(const char *word, struct error *e)
{
	if (streq(word, "private") || streq(word, "rprivate"))
		return 0;
	return error_set(e, EINVAL, "%s: mounts made later do not pass between a container and the host", word);
}

/* SELinux labels are what z and Z are for; without SELinux there is nothing to do, as in docker. */
static int relabel(const char *word, struct error *e)
{
	if (access("/sys/fs/selinux/enforce", F_OK) != 0)
		return 0;
	error_set(e, EINVAL, "option %s: brig does not change the SELinux labels of your files", word);
	error_hint(e, "chcon -R -t container_file_t SOURCE");
	return -EINVAL;
}

static int volume_word(struct volume_mount *m, const char *word, struct error *e)
{
	static const char *const nothing[] = { "rw", "cached", "delegated", "consistent", "nosuid", "nodev", "exec" };
	static const char *const spread[] = { "private", "rprivate", "shared", "rshared", "slave", "rslave" };

	for (size_t i = 0; i < ARRAY_SIZE(nothing); i++)
		if (streq(word, nothing[i]))
			return 0;
	for (size_t i = 0; i < ARRAY_SIZE(spread); i++)
		if (streq(word, spread[i]))
			return propagation(word, e);
	if (streq(word, "ro"))
		m->read_only = true;
	else if (streq(word, "noexec"))
		m->no_exec = true;
	else if (streq(word, "nocopy") && streq(m->type, "volume"))
		m->no_copy = true;
	else if (streq(word, "bind") && streq(m->type, "bind"))
		m->recursive = false;
	else if (streq(word, "rbind") && streq(m->type, "bind"))
		m->recursive = true;
	else if (streq(word, "z") || streq(word, "Z"))
		return relabel(word, e);
	else
		return error_set(e, EINVAL, "unknown option \"%s\": give ro, rw, noexec%s", word,
				 streq(m->type, "volume") ? ", nocopy" : ", bind, rbind");
	return 0;
}

static int volume_words(struct volume_mount *m, const char *text, struct error *e)
{
	_cleanup_strv_ char **words = strv_split(text, ',');

	strv_foreach(w, words) {
		_cleanup_free_ char *safe = str_escape(*w);
		int r = volume_word(m, safe, e);

		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_volume(const char *arg, struct volume_mount *m, struct error *e)
{
	_cleanup_strv_ char **parts = strv_split(arg, ':');
	size_t n = strv_len(parts);
	const char *source = n > 1 ? parts[0] : "", *target = n > 1 ? parts[1] : parts[0];
	bool bind = is_host_path(source);
	int r;

	if (n > 3 || (n > 1 && !*source))
		return error_set(e, EINVAL, "give [SOURCE:]TARGET[:OPTIONS]; a path with a colon needs --mount");
	m->type = xstrdup(bind ? "bind" : "volume");
	m->recursive = bind;
	r = config_target(target, true, &m->target, e);
	if (r == 0)
		r = set_source(m, source, e);
	if (r == 0 && n == 3)
		r = volume_words(m, parts[2], e);
	return r;
}

int config_add_volume(struct container_config *c, const char *arg, struct error *e)
{
	_cleanup_mount_ struct volume_mount m = { 0 };
	_cleanup_free_ char *safe = str_escape(arg);
	int r = parse_volume(arg, &m, e);

	if (r == 0)
		r = add(c, &m, e);
	return r < 0 ? error_wrap(e, "--volume %s", safe) : 0;
}

static int tmpfs_word(struct volume_mount *m, struct buf *opts, const char *word, bool *exec, struct error *e)
{
	static const char *const numbers[] = { "size", "mode", "nr_inodes", "uid", "gid" };
	const char *eq = strchr(word, '=');
	uint64_t v;

	if (streq(word, "ro")) {
		m->read_only = true;
		return 0;
	}
	if (streq(word, "exec") || streq(word, "noexec")) {
		*exec = streq(word, "exec");
		return 0;
	}
	if (streq(word, "rw") || streq(word, "nosuid") || streq(word, "nodev") || streq(word, ""))
		return 0;
	for (size_t i = 0; eq && i < ARRAY_SIZE(numbers); i++) {
		size_t n = strlen(numbers[i]);
		bool good = false;

		if ((size_t)(eq - word) != n || memcmp(word, numbers[i], n) != 0)
			continue;
		if (i == 0)
			good = parse_size(eq + 1, &v) == 0 && v > 0 && v <= INT64_MAX;
		else if (i == 1)
			good = eq[1] && strlen(eq + 1) <= 5 && eq[1 + strspn(eq + 1, "01234567")] == 0;
		else if (i == 2)
			good = parse_size(eq + 1, &v) == 0 && v > 0 && v <= INT32_MAX;
		else
			good = parse_u64(eq + 1, 0, UINT32_MAX - 1, &v) == 0;
		if (!good)
			return error_set(e, EINVAL, "\"%s\": not a %s in range", word, numbers[i]);
		buf_printf(opts, "%s%s=", opts->len ? "," : "", numbers[i]);
		if (i == 1) /* setuid and setgid bits mean nothing on a nosuid mount */
			buf_printf(opts, "%lo", strtoul(eq + 1, NULL, 8) & 01777);
		else
			buf_printf(opts, "%llu", (unsigned long long)v);
		return 0;
	}
	return error_set(e, EINVAL, "unknown option \"%s\": give size=, mode=, nr_inodes=, uid=, gid=, ro, exec or noexec",
			 word);
}

/* `text` NULL: no options. Like docker: nothing is executed from a tmpfs unless "exec" is said. */
static int tmpfs_words(struct container_config *c, struct volume_mount *m, const char *text, struct error *e)
{
	_cleanup_strv_ char **words = text ? strv_split(text, ',') : NULL;
	_cleanup_buf_ struct buf opts = { 0 };
	bool exec = false;

	strv_foreach(w, words) {
		_cleanup_free_ char *safe = str_escape(*w);
		int r = tmpfs_word(m, &opts, safe, &exec, e);

		if (r < 0)
			return r;
	}
	if (!opts.data || (!strstr(opts.data, ",size=") && !str_after(opts.data, "size=")))
		buf_printf(&opts, "%ssize=%llu", opts.len ? "," : "", (unsigned long long)c->tmp_size);
	if (!strstr(opts.data, ",mode=") && !str_after(opts.data, "mode="))
		buf_puts(&opts, ",mode=1777");
	m->no_exec = !exec;
	m->options = buf_steal(&opts);
	return 0;
}

int config_add_tmpfs(struct container_config *c, const char *arg, struct error *e)
{
	_cleanup_mount_ struct volume_mount m = { .type = xstrdup("tmpfs") };
	_cleanup_free_ char *safe = str_escape(arg), *path = xstrdup(arg);
	char *colon = strchr(path, ':');
	int r;

	if (colon)
		*colon++ = 0;
	r = config_target(path, true, &m.target, e);
	if (r == 0)
		r = tmpfs_words(c, &m, colon, e);
	if (r == 0)
		r = add(c, &m, e);
	return r < 0 ? error_wrap(e, "--tmpfs %s", safe) : 0;
}

/* Fields of a line of comma-separated values (RFC 4180), as docker reads --mount: a field in quotes may hold commas. */
static int split_csv(const char *s, char ***out, struct error *e)
{
	for (;;) {
		_cleanup_buf_ struct buf b = { 0 };

		if (*s != '"') {
			size_t n = strcspn(s, ",");

			buf_add(&b, s, n);
			s += n;
		} else {
			for (s++; *s && (*s != '"' || s[1] == '"'); s++) {
				s += *s == '"';
				buf_add(&b, s, 1);
			}
			if (!*s++)
				return error_set(e, EINVAL, "a quote is not closed");
			if (*s && *s != ',')
				return error_set(e, EINVAL, "text after a closing quote");
		}
		strv_add(out, buf_steal(&b));
		if (!*s)
			return 0;
		s++;
	}
}

static int yes_or_no(const char *key, const char *value, bool *out, struct error *e)
{
	if (!value || streq(value, "true") || streq(value, "1"))
		*out = true;
	else if (streq(value, "false") || streq(value, "0"))
		*out = false;
	else
		return error_set(e, EINVAL, "%s: give true or false", key);
	return 0;
}

struct mount_words {
	const char *type, *source, *target;
	struct buf tmpfs;
	bool tmpfs_only, bind_only, volume_only;
};

/* One KEY[=VALUE] of --mount; `key` is cut at the '='. */
static int mount_word(struct volume_mount *m, struct mount_words *w, char *key, struct error *e)
{
	char *value = strchr(key, '=');
	_cleanup_free_ char *safe = NULL;

	if (value)
		*value++ = 0;
	safe = str_escape(key);
	if (streq(key, "readonly") || streq(key, "ro"))
		return yes_or_no(key, value, &m->read_only, e);
	if (streq(key, "volume-nocopy")) {
		w->volume_only = true;
		return yes_or_no(key, value, &m->no_copy, e);
	}
	if (!value)
		return error_set(e, EINVAL, "%s: unknown, or without its =VALUE", safe);
	if (streq(key, "type"))
		w->type = value;
	else if (streq(key, "source") || streq(key, "src"))
		w->source = value;
	else if (streq(key, "target") || streq(key, "destination") || streq(key, "dst"))
		w->target = value;
	else if (streq(key, "consistency"))
		return 0;
	else if (streq(key, "bind-propagation"))
		return propagation(value, e);
	else if (streq(key, "bind-nonrecursive") || streq(key, "bind-recursive")) {
		bool flat = false;

		w->bind_only = true;
		if (streq(key, "bind-recursive") && (streq(value, "enabled") || streq(value, "disabled")))
			flat = streq(value, "disabled");
		else if (yes_or_no(key, value, &flat, e) < 0)
			return -EINVAL;
		m->recursive = !flat;
	} else if (streq(key, "tmpfs-size") || streq(key, "tmpfs-mode")) {
		w->tmpfs_only = true;
		buf_printf(&w->tmpfs, "%s%s=%s", w->tmpfs.len ? "," : "", key + strlen("tmpfs-"), value);
	} else if (streq(key, "volume-driver") && streq(value, "local"))
		return 0;
	else
		return error_set(e, EINVAL, "%s: unknown key", safe);
	return 0;
}

static int parse_mount(struct container_config *c, char **fields, struct volume_mount *m, struct mount_words *w,
		       struct error *e)
{
	int r = 0;

	m->recursive = true;
	strv_foreach(f, fields) {
		r = mount_word(m, w, *f, e);
		if (r < 0)
			return r;
	}
	if (!w->type)
		w->type = "volume";
	if (!streq(w->type, "bind") && !streq(w->type, "volume") && !streq(w->type, "tmpfs"))
		return error_set(e, EINVAL, "type is bind, volume or tmpfs");
	if (!w->target)
		return error_set(e, EINVAL, "target=PATH is missing");
	m->type = xstrdup(w->type);
	if ((w->tmpfs_only && !streq(m->type, "tmpfs")) || (w->bind_only && !streq(m->type, "bind")) ||
	    (w->volume_only && !streq(m->type, "volume")))
		return error_set(e, EINVAL, "a key of another type than %s", m->type);
	if (!streq(m->type, "bind"))
		m->recursive = false;
	r = config_target(w->target, true, &m->target, e);
	if (r < 0)
		return r;
	if (streq(m->type, "tmpfs"))
		return w->source ? error_set(e, EINVAL, "a tmpfs has no source") : tmpfs_words(c, m, w->tmpfs.data, e);
	if (streq(m->type, "bind") && (!w->source || !is_host_path(w->source)))
		return error_set(e, EINVAL, "a bind needs source=/PATH");
	return set_source(m, w->source ? w->source : "", e);
}

int config_add_mount(struct container_config *c, const char *arg, struct error *e)
{
	_cleanup_mount_ struct volume_mount m = { 0 };
	_cleanup_free_ char *safe = str_escape(arg);
	_cleanup_strv_ char **fields = NULL;
	struct mount_words w = { 0 };
	int r = split_csv(arg, &fields, e);

	if (r == 0)
		r = parse_mount(c, fields, &m, &w, e);
	if (r == 0)
		r = add(c, &m, e);
	buf_free(&w.tmpfs);
	return r < 0 ? error_wrap(e, "--mount %s", safe) : 0;
}

int config_add_image_volumes(struct container_config *c, char *const *targets, struct error *e)
{
	strv_foreach(t, targets) {
		_cleanup_mount_ struct volume_mount m = { .type = xstrdup("volume"), .target = xstrdup(*t),
							  .anonymous = true };
		bool taken = false;
		int r;

		for (size_t i = 0; i < c->n_mounts; i++)
			taken = taken || streq(c->mounts[i].target, *t);
		if (taken)
			continue;
		m.source = volume_random_name();
		if (!m.source)
			return error_errno(e, errno, "no random bytes");
		r = add(c, &m, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* True when `path` is `top` or below it. Both come from realpath(3). */
static bool is_below(const char *path, const char *top)
{
	const char *rest = str_after(path, top);

	return rest && (!*rest || *rest == '/' || streq(top, "/"));
}

/*
 * brig's own files: whoever can write there controls every container, and who can read there reads their secrets. The
 * folders are 0700, which stops a container's ids; a container that has the caller's id (`user=caller`) must not see them.
 */
static int check_own(const struct container_config *c, const char *source, const char *own, struct error *e)
{
	_cleanup_free_ char *real = own ? realpath(own, NULL) : NULL;

	if (!real)
		return 0;
	if (is_below(source, real))
		return error_set(e, EPERM, "bind source %s is in brig's own folder", source);
	if (config_lowered(c, "user", "caller") && is_below(real, source)) {
		error_set(e, EPERM, "bind source %s holds brig's own folder %s, and --lower user=caller would open it", source,
			  real);
		error_hint(e, "bind a folder that does not hold it");
		return -EPERM;
	}
	return 0;
}

/* Root's containers have theirs in a folder "c" of brig's runtime folder. */
static int check_runtime(const struct container_config *c, const char *source, struct error *e)
{
	_cleanup_free_ char *run = xstrdup(home_run_path(NULL));

	if (run && home_is_root() && str_ends(run, "/c"))
		run[strlen(run) - 2] = 0;
	return check_own(c, source, run, e);
}

int config_check_binds(const struct container_config *c, char ***notes, struct error *e)
{
	for (size_t i = 0; i < c->n_mounts; i++) {
		const struct volume_mount *m = &c->mounts[i];
		_cleanup_free_ char *safe = NULL;
		mode_t need;
		struct stat st;
		int r;

		if (!streq(m->type, "bind"))
			continue;
		safe = str_escape(m->source);
		if (stat(m->source, &st) < 0)
			return error_errno(e, errno, "bind source %s", safe);
		r = check_own(c, m->source, home_data_path(NULL), e);
		if (r == 0)
			r = check_runtime(c, m->source, e);
		if (r < 0)
			return r;
		need = S_ISDIR(st.st_mode) ? 05 : 04;
		if (!config_lowered(c, "user", "caller") && (st.st_mode & need) != need)
			strv_add(notes, xasprintf("%s has mode %04o: nobody's id of the host is in the container, so only "
						  "the permissions of others count there. Open it (chmod o+r%s %s) or use your "
						  "own id inside (--lower user=caller)", safe, st.st_mode & 07777,
						  S_ISDIR(st.st_mode) ? "x" : "", safe));
	}
	return 0;
}
