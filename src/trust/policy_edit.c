/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/policy_edit.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "trust/policy.h"
#include "trust/readfile.h"
#include "trust/trust.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 4 * 1024 * 1024 };

/* --- the key ------------------------------------------------------------------------------------------------------ */

struct key_kind {
	const char *type, *field, *ending;
};

static const struct key_kind gpg_kind = { "signedBy", "keyPath", "asc" }, sigstore_kind = { "sigstoreSigned", "keyPath", "pub" },
			     notation_kind = { "notationSigned", "caPath", "pem" };

static int kind_of(const char *data, size_t n, const char *file, const struct key_kind **out, struct error *e)
{
	unsigned char c = n ? (unsigned char)data[0] : 0;
	unsigned tag = c & 0x40 ? c & 0x3f : (c & 0x3f) >> 2;

	if (strstr(data, "PRIVATE KEY"))
		return error_set(e, EINVAL, "%s is a private key: keep it, and give the public one", file);
	if (strstr(data, "-----BEGIN PGP PUBLIC KEY BLOCK-----") || ((c & 0x80) && tag == 6))
		*out = &gpg_kind;
	else if (strstr(data, "-----BEGIN PUBLIC KEY-----"))
		*out = &sigstore_kind;
	else if (strstr(data, "-----BEGIN CERTIFICATE-----"))
		*out = &notation_kind;
	else
		return error_set(e, EINVAL, "%s: neither an OpenPGP public key nor a PEM public key or certificate", file);
	return 0;
}

static int check_scope(const char *scope, struct error *e)
{
	size_t host = strcspn(scope, "/"), ok = strspn(scope, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/@");
	const char *wildcard = str_after(scope, "*.");

	if (wildcard ? *wildcard && !strpbrk(wildcard, "/*:@") : scope[ok] == 0 && host > 0 && scope[strlen(scope) - 1] != '/' &&
	    (memchr(scope, '.', host) || memchr(scope, ':', host) || strncmp(scope, "localhost", host) == 0))
		return 0;
	_cleanup_free_ char *safe = str_escape_n(scope, strnlen(scope, 200));
	error_set(e, EINVAL, "\"%s\" is no scope: give HOST, HOST/NAME, HOST/NAME:TAG or *.DOMAIN", safe);
	return -EINVAL;
}

/* A copy under a name of its own. */
static int keep_key(int config, const char *scope, const struct key_kind *kind, const char *data, size_t n, char **path, struct error *e)
{
	_cleanup_free_ char *base = xstrdup(scope);
	_cleanup_close_ int dir = -1;

	for (char *p = base; *p; p++)
		if (strchr("/:@*", *p))
			*p = '_';
	if (mkdirat(config, "keys", 0700) < 0 && errno != EEXIST)
		return error_errno(e, errno, "cannot make %s/keys", home_config_path(NULL));
	dir = openat(config, "keys", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return error_errno(e, errno, "cannot open %s/keys", home_config_path(NULL));
	for (int i = 1; i <= KEYS_MAX; i++) {
		_cleanup_free_ char *name = xasprintf("%.180s-%d.%s", base, i, kind->ending);
		int r;

		if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		r = file_replace(dir, name, data, n, 0644, true);
		*path = xasprintf("%s/keys/%s", home_config_path(NULL), name);
		return r < 0 ? error_errno(e, r, "cannot write %s", *path) : 0;
	}
	return error_set(e, EFBIG, "%s has %d keys already", scope, KEYS_MAX);
}

/* --- the documents ------------------------------------------------------------------------------------------------ */

static int read_document(int config, const char *name, json_t **out, struct error *e)
{
	_cleanup_free_ char *text = NULL, *path = xasprintf("%s/%s", home_config_path(NULL), name);
	size_t n;
	int r = trust_read_file(config, name, path, FILE_BYTES_MAX, &text, &n, e);

	*out = NULL;
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	*out = json_parse(text, n, path, e);
	return json_is_object(*out) ? 0 : *out ? error_set(e, EBADMSG, "%s: not an object", path) : e->code;
}

/* What has counted until now is the beginning of brig's own. */
static int read_policy(int config, json_t **out, struct error *e)
{
	_cleanup_(policy_free) struct policy p = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r = policy_load(&p, e);

	if (r < 0)
		return r;
	r = read_document(config, "policy.json", out, e);
	if (r < 0 || *out)
		return r;
	if (!p.path) {
		*out = json_pack("{s:[{s:s}]}", "default", "type", "reject");
		return 0;
	}
	r = trust_read_file(AT_FDCWD, p.path, p.path, FILE_BYTES_MAX, &text, &n, e);
	if (r < 0)
		return r;
	*out = json_parse(text, n, p.path, e);
	return *out ? 0 : e->code;
}

static json_t *member(json_t *obj, const char *key)
{
	json_t *v = json_object_get(obj, key);

	if (!v) {
		json_object_set_new(obj, key, json_object());
		v = json_object_get(obj, key);
	}
	return v;
}

static int write_checked(int config, const char *name, const json_t *j,
			 int (*parse)(struct policy *p, const char *text, size_t n, const char *what, struct error *e), struct error *e)
{
	_cleanup_(policy_free) struct policy p = { 0 };
	_cleanup_free_ char *text = json_text(j);
	int r = parse(&p, text, strlen(text), name, e);

	return r < 0 ? r : json_write(config, name, j, 0644, true, e);
}

/* One more key beside those of the same kind, any of which may sign. */
static int add_to_list(json_t *list, const struct policy_addition *a, const struct key_kind *kind, const char *path, struct error *e)
{
	_cleanup_free_ char *plural = xasprintf("%ss", kind->field);
	json_t *item, *fresh;
	size_t i;

	json_array_foreach(list, i, item) {
		const char *one = json_string_value(json_object_get(item, kind->field));

		if (!streq(json_string_value(json_object_get(item, "type")), kind->type) || a->identity)
			continue;
		if (one) {
			json_object_set_new(item, plural, json_pack("[s]", one));
			json_object_del(item, kind->field);
		}
		if (json_is_array(json_object_get(item, plural))) {
			json_array_append_new(json_object_get(item, plural), json_string(path));
			return 0;
		}
	}
	json_array_foreach(list, i, item) {
		const char *type = json_string_value(json_object_get(item, "type"));

		/* A second requirement would have to be met as well. */
		if (!streq(type, "reject") && !streq(type, "insecureAcceptAnything")) {
			error_set(e, EEXIST, "%s asks for something else already", a->scope);
			error_hint(e, "brig trust show tells; brig trust remove %s takes it away", a->scope);
			return -EEXIST;
		}
	}
	json_array_clear(list);
	fresh = json_pack("{s:s,s:s}", "type", kind->type, kind->field, path);
	if (kind == &gpg_kind)
		json_object_set_new(fresh, "keyType", json_string("GPGKeys"));
	if (a->identity || kind == &sigstore_kind)
		json_object_set_new(fresh, "signedIdentity", json_pack("{s:s}", "type", a->identity ? a->identity : "matchRepository"));
	json_array_append_new(list, fresh);
	return 0;
}

static int open_locked(int *out, struct error *e)
{
	int fd = home_config(true, e);

	if (fd < 0)
		return fd;
	while (flock(fd, LOCK_EX) < 0) {
		int err = errno;

		if (err == EINTR)
			continue;
		close(fd);
		return error_errno(e, err, "cannot lock %s", home_config_path(NULL));
	}
	*out = fd;
	return 0;
}

static int add_entry(int config, const struct policy_addition *a, const struct key_kind *kind, const char *path, char **written,
		     struct error *e)
{
	bool own = kind == &notation_kind; /* policy.json has no such type */
	_cleanup_json_ json_t *policy = NULL, *extra = NULL;
	json_t *list, *scopes, *at;
	int r = read_document(config, "trust.json", &extra, e);

	if (r == 0 && !own)
		r = read_policy(config, &policy, e);
	if (r < 0)
		return r;
	if (!extra)
		extra = json_pack("{s:{}}", "scopes");
	if (own || a->threshold) {
		at = member(member(extra, "scopes"), a->scope);
		if (a->threshold)
			json_object_set_new(at, "threshold", json_integer((json_int_t)a->threshold));
	}
	scopes = own ? member(member(extra, "scopes"), a->scope) : member(member(policy, "transports"), "docker");
	list = json_object_get(scopes, own ? "require" : a->scope);
	if (!json_is_array(list)) {
		json_object_set_new(scopes, own ? "require" : a->scope, json_array());
		list = json_object_get(scopes, own ? "require" : a->scope);
	}
	r = add_to_list(list, a, kind, path, e);
	if (r == 0 && (own || a->threshold))
		r = write_checked(config, "trust.json", extra, policy_parse_extra, e);
	if (r == 0 && !own)
		r = write_checked(config, "policy.json", policy, policy_parse, e);
	if (r == 0)
		*written = xasprintf("%s/%s", home_config_path(NULL), own ? "trust.json" : "policy.json");
	return r;
}

int policy_add(const struct policy_addition *a, char **written, struct error *e)
{
	_cleanup_free_ char *data = NULL, *path = NULL;
	_cleanup_close_ int config = -1;
	const struct key_kind *kind;
	size_t n;
	int r = check_scope(a->scope, e);

	if (r < 0)
		return r;
	_cleanup_close_ int fd = open(a->key_file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	r = fd < 0 ? -errno : fd_read_all(fd, KEY_FILE_MAX, &data, &n);
	if (r < 0)
		return error_errno(e, r, "cannot read %s", a->key_file);
	r = kind_of(data, n, a->key_file, &kind, e);
	if (r == 0)
		r = open_locked(&config, e);
	if (r == 0)
		r = keep_key(config, a->scope, kind, data, n, &path, e);
	if (r < 0)
		return r;
	r = add_entry(config, a, kind, path, written, e);
	if (r < 0)
		unlink(path);
	return r;
}

/* --- removal ------------------------------------------------------------------------------------------------------ */

static void unlink_key(const json_t *v)
{
	const char *path = json_string_value(v), *rest = path ? str_after(path, home_config_path(NULL)) : NULL;
	const char *name = rest ? str_after(rest, "/keys/") : NULL;

	if (name && *name && !strchr(name, '/'))
		unlink(path);
}

static void unlink_keys(const json_t *list)
{
	static const char *const fields[] = { "keyPath", "caPath", "keyPaths", "caPaths" };
	const json_t *item, *path;
	size_t i, k;

	json_array_foreach(list, i, item) {
		for (size_t f = 0; f < ARRAY_SIZE(fields); f++) {
			const json_t *v = json_object_get(item, fields[f]);

			unlink_key(v);
			json_array_foreach(v, k, path)
				unlink_key(path);
		}
	}
}

int policy_remove(const char *scope, struct error *e)
{
	_cleanup_json_ json_t *policy = NULL, *extra = NULL, *gone = NULL;
	_cleanup_close_ int config = -1;
	json_t *docker, *scopes;
	bool found = false;
	int r = open_locked(&config, e);

	if (r == 0)
		r = read_document(config, "policy.json", &policy, e);
	if (r == 0)
		r = read_document(config, "trust.json", &extra, e);
	if (r < 0)
		return r;
	gone = json_array();
	docker = json_object_get(json_object_get(policy, "transports"), "docker");
	scopes = json_object_get(extra, "scopes");
	if (json_object_get(docker, scope)) {
		json_array_extend(gone, json_object_get(docker, scope));
		json_object_del(docker, scope);
		found = true;
		r = write_checked(config, "policy.json", policy, policy_parse, e);
	}
	if (r == 0 && json_object_get(scopes, scope)) {
		json_array_extend(gone, json_object_get(json_object_get(scopes, scope), "require"));
		json_object_del(scopes, scope);
		found = true;
		r = write_checked(config, "trust.json", extra, policy_parse_extra, e);
	}
	if (r == 0)
		unlink_keys(gone);
	return r < 0 || found ? r : error_set(e, ENOENT, "%s/policy.json and trust.json have no entry for %s", home_config_path(NULL), scope);
}
