/* SPDX-License-Identifier: Apache-2.0 */
#include "image/credentials.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1024 * 1024, FILES = 5 };

static void wipe(char **s)
{
	if (*s)
		OPENSSL_cleanse(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

void credentials_free(struct credentials *c)
{
	wipe(&c->user);
	wipe(&c->password);
}

/* What docker's hub is called in files: by docker, by podman, by people. */
static const char *const hub[] = { "docker.io", "index.docker.io", "registry-1.docker.io", NULL };

static bool is_hub(const char *host)
{
	for (size_t i = 0; hub[i]; i++)
		if (streq(host, hub[i]))
			return true;
	return false;
}

/* True when the key of a file, "reg.example", "reg.example/team" or "https://reg.example/v1/", names `name`. */
static bool key_names(const char *key, const char *name)
{
	const char *rest = str_after(key, "https://");
	_cleanup_free_ char *plain = NULL;

	if (!rest)
		rest = str_after(key, "http://");
	/* With a scheme it is docker's old spelling, whose path is the version of the API. */
	plain = rest ? xstrndup(rest, strcspn(rest, "/")) : xstrdup(key);
	return streq(plain, name) || (is_hub(plain) && is_hub(name));
}

static json_t *lookup(const json_t *map, const char *name)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)map, key, value)
		if (key_names(key, name))
			return value;
	return NULL;
}

/* base64("USER:PASSWORD") */
static int read_auth(const char *auth, struct credentials *out)
{
	size_t n = strlen(auth);
	_cleanup_free_ unsigned char *text = xmalloc(n + 4);
	int len = n % 4 || n > INT_MAX / 2 ? -1 : EVP_DecodeBlock(text, (const unsigned char *)auth, (int)n);
	char *colon;

	while (len > 0 && n > 0 && auth[n - 1] == '=') {
		len--;
		n--;
	}
	if (len <= 0)
		return -EBADMSG;
	text[len] = 0;
	colon = strchr((char *)text, ':');
	/* docker pads passwords with NULs; nothing may come behind one. */
	if (!colon || colon == (char *)text)
		return -EBADMSG;
	out->user = xstrndup((char *)text, (size_t)(colon - (char *)text));
	out->password = xstrdup(colon + 1);
	OPENSSL_cleanse(text, (size_t)len);
	return 0;
}

static int read_entry(const json_t *entry, const char *name, struct credentials *out, struct error *e)
{
	const char *auth = NULL, *token = NULL;
	int r = json_is_object(entry) ? json_get_str(entry, name, "auth", &auth, e) :
					error_set(e, EBADMSG, "auths.%s: not an object", name);

	if (r == 0)
		r = json_get_str(entry, name, "identitytoken", &token, e);
	if (r < 0)
		return r;
	if (token && *token) {
		error_set(e, EOPNOTSUPP, "auths.%s has an identity token, which brig cannot use", name);
		error_hint(e, "brig login %.*s", (int)strcspn(name, "/"), name);
		return -EOPNOTSUPP;
	}
	if (!auth || !*auth)
		return 0; /* docker leaves an empty one where a helper has it */
	r = read_auth(auth, out);
	return r < 0 ? error_set(e, EBADMSG, "auths.%s.auth: not the base64 of USER:PASSWORD", name) : 1;
}

int credentials_read(const json_t *file, const char *name, struct credentials *out, char **helper, struct error *e)
{
	json_t *auths = NULL, *helpers = NULL, *entry;
	const char *store = NULL;
	_cleanup_free_ char *at = xstrdup(name);
	int r;

	*helper = NULL;
	if (!json_is_object(file))
		return error_set(e, EBADMSG, "not a JSON object");
	if ((r = json_get_obj(file, "", "auths", &auths, e)) < 0 ||
	    (r = json_get_obj(file, "", "credHelpers", &helpers, e)) < 0 ||
	    (r = json_get_str(file, "", "credsStore", &store, e)) < 0)
		return r;
	/* HOST/a/b, HOST/a, HOST: the most specific first. */
	for (;;) {
		char *slash = strrchr(at, '/');

		entry = lookup(helpers, at);
		if (entry && json_is_string(entry)) {
			*helper = xstrdup(json_string_value(entry));
			return 1;
		}
		entry = lookup(auths, at);
		r = entry ? read_entry(entry, at, out, e) : 0;
		if (r != 0)
			return r;
		if (!slash)
			break;
		*slash = 0;
	}
	if (store && *store) {
		*helper = xstrdup(store);
		return 1;
	}
	return 0;
}

/* The files in their order; NULL where the environment names none. */
static void file_paths(char *out[static FILES])
{
	const char *named = getenv("REGISTRY_AUTH_FILE"), *run = getenv("XDG_RUNTIME_DIR"), *home = getenv("HOME");
	const char *config = getenv("XDG_CONFIG_HOME"), *docker = getenv("DOCKER_CONFIG");

	memset(out, 0, FILES * sizeof(*out));
	if (named && *named)
		out[0] = xstrdup(named);
	if (run && *run == '/')
		out[1] = xasprintf("%s/containers/auth.json", run);
	if (geteuid() == 0)
		out[2] = xstrdup("/run/containers/0/auth.json");
	if (config && *config == '/')
		out[3] = xasprintf("%s/containers/auth.json", config);
	else if (home && *home == '/')
		out[3] = xasprintf("%s/.config/containers/auth.json", home);
	if (docker && *docker)
		out[4] = xasprintf("%s/config.json", docker);
	else if (home && *home == '/')
		out[4] = xasprintf("%s/.docker/config.json", home);
}

static void free_paths(char *paths[static FILES])
{
	for (size_t i = 0; i < FILES; i++)
		free(paths[i]);
}

/* NULL with e->code 0: there is none. */
static json_t *read_file(const char *path, struct error *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r;

	e->code = 0;
	if (fd < 0) {
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
			error_errno(e, errno, "cannot open %s", path);
		return NULL;
	}
	r = fd_read_all(fd, FILE_MAX, &text, &n);
	if (r < 0) {
		error_errno(e, r, "cannot read %s", path);
		return NULL;
	}
	return n ? json_parse(text, n, path, e) : NULL;
}

static int ask_helper(const char *helper, const char *name, struct credentials *out, struct error *e)
{
	_cleanup_free_ char *host = xstrndup(name, strcspn(name, "/")), *text = NULL;
	_cleanup_json_ json_t *j = NULL;
	const char *user = NULL, *secret = NULL;
	int r = credential_helper(helper, "get", is_hub(host) ? "https://index.docker.io/v1/" : host, &text, e);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	j = json_parse(text, strlen(text), "its answer", e);
	OPENSSL_cleanse(text, strlen(text));
	if (!j)
		return error_wrap(e, "docker-credential-%s", helper);
	if (!json_is_object(j))
		return error_set(e, EBADMSG, "docker-credential-%s: its answer is not an object", helper);
	r = json_get_str(j, "", "Username", &user, e);
	if (r == 0)
		r = json_get_str(j, "", "Secret", &secret, e);
	if (r < 0)
		return error_wrap(e, "docker-credential-%s", helper);
	if (streq(user, "<token>"))
		return error_set(e, EOPNOTSUPP, "docker-credential-%s has an identity token, which brig cannot use", helper);
	if (!user || !secret)
		return error_set(e, EBADMSG, "docker-credential-%s: its answer has no Username and Secret", helper);
	out->user = xstrdup(user);
	out->password = xstrdup(secret);
	return 1;
}

int credentials_find(const char *name, struct credentials *out, struct error *e)
{
	char *paths[FILES];
	int r = 0;

	*out = (struct credentials){ 0 };
	file_paths(paths);
	for (size_t i = 0; r == 0 && i < FILES; i++) {
		_cleanup_json_ json_t *j = NULL;
		_cleanup_free_ char *helper = NULL;
		struct error own = { 0 };

		if (!paths[i])
			continue;
		j = read_file(paths[i], &own);
		r = own.code;
		if (j) {
			r = credentials_read(j, name, out, &helper, &own);
			if (r < 0)
				error_wrap(&own, "%s", paths[i]);
		}
		if (r > 0 && helper)
			r = ask_helper(helper, name, out, &own);
		if (r < 0 && e)
			*e = own;
	}
	free_paths(paths);
	return r < 0 ? r : 0;
}

static char *encode(const struct credentials *c)
{
	_cleanup_free_ char *both = xasprintf("%s:%s", c->user, c->password);
	size_t n = strlen(both);
	char *out = xcalloc(n * 4 / 3 + 8, 1);

	EVP_EncodeBlock((unsigned char *)out, (unsigned char *)both, (int)n);
	OPENSSL_cleanse(both, n);
	return out;
}

/* Makes the folders that lead to a file, for its owner alone. */
static int open_parent(const char *path, struct error *e)
{
	_cleanup_free_ char *dir = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	int fd;

	for (char *p = dir + 1; *dir && *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (mkdir(dir, 0700) < 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
			return error_errno(e, errno, "cannot make %s", dir);
		*p = '/';
	}
	if (*dir && mkdir(dir, 0700) < 0 && errno != EEXIST)
		return error_errno(e, errno, "cannot make %s", dir);
	fd = open(*dir ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? error_errno(e, errno, "cannot open %s", dir) : fd;
}

/* Changes one file: with `c` its entry is set, without taken out (1 when there was one). A helper that it names does it instead. */
static int change_file(const char *path, const char *host, const struct credentials *c, char **where, struct error *e)
{
	_cleanup_free_ char *helper = NULL, *auth = NULL;
	_cleanup_json_ json_t *j = NULL;
	_cleanup_credentials_ struct credentials old = { 0 };
	_cleanup_close_ int dir = -1;
	struct error own = { 0 };
	json_t *auths, *value;
	const char *key;
	void *next;
	bool had = false;
	int r;

	j = read_file(path, &own);
	if (own.code < 0) {
		*e = own;
		return own.code;
	}
	if (!j && !c)
		return 0;
	if (!j)
		j = json_object();
	r = credentials_read(j, host, &old, &helper, e);
	if (r < 0 && r != -EOPNOTSUPP)
		return error_wrap(e, "%s", path);
	if (helper) {
		_cleanup_free_ char *answer = NULL, *text = NULL;
		const char *server = is_hub(host) ? "https://index.docker.io/v1/" : host;

		*where = xasprintf("docker-credential-%s", helper);
		if (!c) {
			r = credential_helper(helper, "erase", server, &answer, e);
			return r == -ENOENT ? 0 : r < 0 ? r : 1;
		}
		_cleanup_json_ json_t *doc = json_pack("{s:s,s:s,s:s}", "ServerURL", server, "Username", c->user, "Secret",
						       c->password);
		text = doc ? json_text(doc) : NULL;
		if (!text)
			return error_set(e, EINVAL, "user or password is not UTF-8");
		return credential_helper(helper, "store", text, &answer, e);
	}
	if (!json_object_get(j, "auths"))
		json_object_set_new(j, "auths", json_object());
	auths = json_object_get(j, "auths");
	json_object_foreach_safe(auths, next, key, value) {
		if (key_names(key, host)) {
			json_object_del(auths, key);
			had = true;
		}
	}
	if (!c && !had)
		return 0;
	if (c) {
		auth = encode(c);
		json_object_set_new(auths, is_hub(host) ? "docker.io" : host, json_pack("{s:s}", "auth", auth));
		OPENSSL_cleanse(auth, strlen(auth));
	}
	dir = open_parent(path, e);
	if (dir < 0)
		return dir;
	*where = xstrdup(path);
	r = json_write(dir, strrchr(path, '/') + 1, j, 0600, false, e);
	return r < 0 ? error_wrap(e, "cannot write %s", path) : had;
}

int credentials_keep(const char *host, const struct credentials *c, char **where, struct error *e)
{
	char *paths[FILES];
	int r = -ENOENT;

	*where = NULL;
	file_paths(paths);
	for (size_t i = 0; r == -ENOENT && i < FILES; i++) {
		if (!paths[i])
			continue;
		r = paths[i][0] == '/' ? change_file(paths[i], host, c, where, e) :
					 error_set(e, EINVAL, "REGISTRY_AUTH_FILE: \"%s\" is no absolute path", paths[i]);
	}
	free_paths(paths);
	return r == -ENOENT ? error_set(e, ENOENT, "no place to keep it: neither HOME nor XDG_RUNTIME_DIR is set") :
	       r < 0	    ? r :
			      0;
}

int credentials_forget(const char *host, char **where, struct error *e)
{
	char *paths[FILES];
	int found = 0, r = 0;

	*where = NULL;
	file_paths(paths);
	for (size_t i = 0; r >= 0 && i < FILES; i++) {
		_cleanup_free_ char *in = NULL;

		if (!paths[i] || paths[i][0] != '/')
			continue;
		r = change_file(paths[i], host, NULL, &in, e);
		if (r > 0 && !found) {
			*where = steal_ptr(&in);
			found = 1;
		}
	}
	free_paths(paths);
	return r < 0 ? r : found;
}
