/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/attest.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "image/hash.h"
#include "trust/sigstore.h"
#include "vet/import.h"
#include "vet/index.h"
#include "vet/own_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { BASIS_FILE_MAX = 64 << 20 };

void attest_basis_free(struct attest_basis *b)
{
	json_decref(b->rules);
	json_decref(b->exceptions);
	json_decref(b->policy);
	json_decref(b->advisories);
	*b = (struct attest_basis){ 0 };
}

static json_t *digest_of(const void *data, size_t n)
{
	char hex[DIGEST_SIZE];

	hash_hex(data, n, hex);
	return json_pack("{s:s}", "sha256", hex);
}

/* {"name", "digest"}; NULL: it cannot be read, with `e` filled. */
static json_t *describe(const char *path, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	const char *slash = strrchr(path, '/');
	size_t n;
	int r = file_read(AT_FDCWD, path, BASIS_FILE_MAX, &text, &n);

	if (r < 0) {
		error_errno(e, r, "%s", path);
		return NULL;
	}
	return json_pack("{s:o,s:o}", "name", vet_json(slash ? slash + 1 : path), "digest", digest_of(text, n));
}

static int add(json_t *list, const char *path, struct error *e)
{
	json_t *one = describe(path, e);

	return one ? json_array_append_new(list, one) : e->code;
}

static int add_all(json_t **list, char *const *paths, struct error *e)
{
	int r = 0;

	strv_foreach(path, paths) {
		if (!*list)
			*list = json_array();
		if (r == 0)
			r = add(*list, *path, e);
	}
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The files of a folder whose names begin with `start`, in order; a folder that is missing has none. */
static int add_folder(json_t **list, const char *path, const char *start, struct error *e)
{
	_cleanup_closedir_ DIR *d = opendir(path);
	_cleanup_strv_ char **names = NULL;
	struct dirent *de;

	while (d && (de = readdir(d))) {
		struct stat st;

		if (str_after(de->d_name, start) && de->d_name[0] != '.' && !streq(de->d_name, "vet.json") &&
		    fstatat(dirfd(d), de->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
			strv_add(&names, xasprintf("%s/%s", path, de->d_name));
	}
	if (names)
		qsort(names, strv_len(names), sizeof(char *), by_name);
	return add_all(list, names, e);
}

static int read_rules(char *const *more, json_t **out, struct error *e)
{
	_cleanup_free_ char *share = share_path(""), *own = NULL;
	const char *config = home_config_path(e);
	int r = config ? add_folder(out, share, "vet", e) : e->code;

	own = xasprintf("%s/vet.rules.d", config ? config : "");
	if (r == 0)
		r = add_folder(out, config, "vet", e);
	if (r == 0)
		r = add_folder(out, own, "", e);
	return r < 0 ? r : add_all(out, more, e);
}

static json_t *feeds(const json_t *status)
{
	json_t *out = json_array(), *feed;
	size_t i;

	json_array_foreach(json_object_get(status, "feeds"), i, feed) {
		json_t *one = json_object();

		json_object_set(one, "name", json_object_get(feed, "name"));
		json_object_set(one, "published", json_object_get(feed, "published"));
		json_object_set(one, "imported", json_object_get(feed, "imported"));
		json_array_append_new(out, one);
	}
	return out;
}

static int read_advisories(struct attest_basis *b, struct error *e)
{
	_cleanup_close_ int fd = advisory_index_open(e);
	_cleanup_advdb_ struct advdb_db *db = NULL;
	_cleanup_json_ json_t *status = NULL;
	void *data;
	size_t n;
	int r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (fstat(fd, &b->index) < 0 || b->index.st_size == 0)
		return error_set(e, EBADMSG, "the index of advisories is empty");
	n = (size_t)b->index.st_size;
	data = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return error_errno(e, errno, "the index of advisories");
	r = advdb_open_read(data, n, &db, e);
	if (r == 0)
		r = advdb_status(db, &status, e);
	if (r == 0)
		b->advisories = json_pack("{s:o,s:o}", "digest", digest_of(data, n), "feeds", feeds(status));
	advdb_close(steal_ptr(&db));
	munmap(data, n);
	return r;
}

/* All but the advisories, which are large. */
static int read_files(const struct vet_options *o, const char *policy, struct attest_basis *out, struct error *e)
{
	int r = read_rules(o->rules, &out->rules, e);

	if (r == 0)
		r = add_all(&out->exceptions, o->vex, e);
	if (r == 0)
		r = add_all(&out->exceptions, o->ignore, e);
	if (r == 0 && policy) {
		out->policy = describe(policy, e);
		r = out->policy ? 0 : e->code;
	}
	return r;
}

int attest_basis_read(const struct vet_options *o, const char *policy, struct attest_basis *out, struct error *e)
{
	int r = read_files(o, policy, out, e);

	return r < 0 ? r : read_advisories(out, e);
}

static bool same(const json_t *a, const json_t *b)
{
	return (!a && !b) || json_equal(a, b);
}

int attest_basis_check(const struct attest_basis *b, const struct vet_options *o, const char *policy, struct error *e)
{
	_cleanup_basis_ struct attest_basis now = { 0 };
	_cleanup_close_ int fd = advisory_index_open(e);
	struct stat st = { 0 };
	int r = fd < 0 && fd != -ENOENT ? fd : read_files(o, policy, &now, e);

	if (r < 0)
		return r;
	if (fd >= 0 && fstat(fd, &st) < 0)
		return error_errno(e, errno, "the index of advisories");
	if (same(now.rules, b->rules) && same(now.exceptions, b->exceptions) && same(now.policy, b->policy) &&
	    st.st_ino == b->index.st_ino && st.st_size == b->index.st_size && st.st_mtim.tv_sec == b->index.st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == b->index.st_mtim.tv_nsec)
		return 0;
	return error_set(e, ESTALE, "rules, policy or advisories were changed while it was looked at: vet it again");
}

static json_t *counts(const struct vet_verdict *v)
{
	json_t *out = json_object();

	for (int i = 0; i < VET_LEVELS; i++)
		json_object_set_new(out, vet_level_name((enum vet_level)i), json_integer(v->counts[i]));
	return out;
}

static const char *fail_on(const struct vet_options *o)
{
	bool never = o->policy ? o->policy->never : o->never;

	return never ? "never" : vet_level_name(o->policy ? o->policy->fail_on : o->fail_on);
}

char *attest_statement(const struct attest_basis *b, const struct vet_options *o, const struct vet_verdict *v, const char *name,
		       const char *digest, uint64_t now_ns)
{
	time_t now = (time_t)(now_ns / 1000000000);
	_cleanup_json_ json_t *j = NULL;
	json_t *p;
	struct tm tm;
	char when[32];

	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	p = json_pack("{s:{s:s,s:s},s:s,s:s,s:s,s:o,s:i}", "verifier", "id", "https://brig.dev/vet", "version", BRIG_VERSION, "timeVerified",
		      when, "verdict", "passed", "failOn", fail_on(o), "counts", counts(v), "notLooked", (int)v->not_looked);
	if (b->policy)
		json_object_set(p, "policy", b->policy);
	json_object_set_new(p, "rules", b->rules ? json_incref(b->rules) : json_array());
	if (b->exceptions)
		json_object_set(p, "exceptions", b->exceptions);
	json_object_set_new(p, "advisories", b->advisories ? json_incref(b->advisories) : json_null());
	j = json_pack("{s:s,s:[{s:o,s:{s:s}}],s:s,s:o}", "_type", "https://in-toto.io/Statement/v1", "subject", "name", vet_json(name),
		      "digest", "sha256", digest, "predicateType", VET_PREDICATE, "predicate", p);
	return json_text(j);
}
