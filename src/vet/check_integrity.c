/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Check "integrity" (catalogue V3 to V5): every file of every package against what its database recorded. What images do to packages on
 * purpose is no alarm: documentation left out, configuration changed, files moved aside by a diversion.
 */
#include "base/cleanup.h"
#include "vet/integrity.h"
#include "vet/share.h"
#include "vet/window.h"

#include <ctype.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

static const size_t content_max = 4ULL << 30;
enum { RECORDS_MAX = 1000 }; /* of one link that are compared: no real database comes near */

static bool below(const char *path, const char *const *dirs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *rest = str_after(path, dirs[i]);

		if (rest && *rest == '/')
			return true;
	}
	return false;
}

static bool is_doc(const char *path)
{
	/* What debian:*-slim, mmdebstrap and rpm's nodocs leave out. */
	static const char *const dirs[] = { "usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian",
		"usr/share/linda", "usr/share/groff", "usr/share/bug", "usr/share/gtk-doc", "usr/share/help", "usr/share/doc-base",
		"usr/share/omf", "usr/share/gnome/help", "usr/share/licenses", "usr/share/reportbug" };

	return below(path, dirs, ARRAY_SIZE(dirs));
}

static bool is_guard(const char *path)
{
	return fnmatch("*/security/pam_*.so*", path, 0) == 0 || fnmatch("*/libnss_*.so*", path, 0) == 0 ||
	       fnmatch("*/libpam*.so*", path, 0) == 0;
}

enum nature integrity_nature(const char *path, const struct vet_file *f, const unsigned char *data, size_t n)
{
	static const char *const endings[] = { ".so", ".py", ".pl", ".pm", ".rb", ".js", ".mjs", ".cjs", ".php", ".sh", ".lua", ".tcl",
		".jar", ".class", ".ko", ".service", ".timer", ".socket", ".path", ".target" };
	static const char *const dirs[] = { "bin", "sbin", "usr/bin", "usr/sbin", "usr/games", "usr/libexec" };

	if (is_guard(path))
		return NATURE_GUARD;
	if (is_doc(path))
		return NATURE_DOC;
	if (n >= 4 && memcmp(data, "\177ELF", 4) == 0)
		return NATURE_CODE;
	if (n >= 2 && memcmp(data, "#!", 2) == 0)
		return NATURE_CODE;
	if ((f && f->inode->type == 'f' && (f->inode->mode & 0111)) || below(path, dirs, ARRAY_SIZE(dirs)))
		return NATURE_CODE;
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		if (str_ends(path, endings[i]))
			return NATURE_CODE;
	/* libx.so.1.2 */
	return fnmatch("*.so.[0-9]*", path, 0) == 0 ? NATURE_CODE : NATURE_DATA;
}

json_t *integrity_more(const struct pkg *pkg)
{
	json_t *more = json_object();

	json_object_set_new(more, "package", vet_json(pkg->name));
	json_object_set_new(more, "version", vet_json(pkg->version));
	return more;
}

/* ---- digests ---- */

static const EVP_MD *digest_of(enum pkg_hash hash)
{
	switch (hash) {
	case PKG_HASH_MD5:
		return EVP_md5();
	case PKG_HASH_SHA1:
		return EVP_sha1();
	case PKG_HASH_SHA256:
		return EVP_sha256();
	case PKG_HASH_SHA384:
		return EVP_sha384();
	case PKG_HASH_SHA512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

int integrity_digest(EVP_MD_CTX *ctx, const EVP_MD *md, const void *data, size_t n, unsigned char out[EVP_MAX_MD_SIZE], unsigned *len)
{
	const unsigned char *p = data;
	int ok = EVP_DigestInit_ex(ctx, md, NULL);

	for (size_t at = 0, k; ok && at < n; at += k) {
		k = n - at > WINDOW ? WINDOW : n - at;
		ok = EVP_DigestUpdate(ctx, p + at, k);
		window_passed(p + at, k);
	}
	return ok && EVP_DigestFinal_ex(ctx, out, len);
}

/* The digests of one content, each made when it is asked for first: a file may have many records. */
struct content {
	const void *data;
	size_t n;
	struct {
		unsigned len; /* 0: not made yet */
		unsigned char bytes[EVP_MAX_MD_SIZE];
	} digests[PKG_HASH_SHA512 + 1];
};

/* True as well when the record has no digest. The last that was compared is in `found`, as long as the recorded one. */
static bool same_digest(struct integrity *in, struct content *c, const struct pkg_file *want, char found[static 2 * EVP_MAX_MD_SIZE + 1])
{
	const EVP_MD *md = digest_of((enum pkg_hash)want->hash);
	unsigned *len = &c->digests[want->hash].len;
	unsigned char *digest = c->digests[want->hash].bytes;

	if (!md || (*len == 0 && !integrity_digest(in->md, md, c->data, c->n, digest, len)))
		return true;
	hex_encode(digest, want->digest_len < *len ? want->digest_len : *len, found);
	return want->digest_len <= *len && memcmp(digest, want->digest, want->digest_len) == 0;
}

static json_t *digest_more(const struct pkg *pkg, const struct pkg_file *want, const char *found)
{
	char hex[2 * sizeof(want->digest) + 1];
	json_t *more = integrity_more(pkg);

	hex_encode(want->digest, want->digest_len, hex);
	json_object_set_new(more, "expected", json_string(hex));
	json_object_set_new(more, "found", json_string(found));
	return more;
}

/* ---- what changed ---- */

/* Configuration that decides who may come in or what is loaded. */
static enum vet_level config_level(const char *path)
{
	static const char *const deciding[] = { "etc/pam.d", "etc/security", "etc/sudoers.d", "etc/ld.so.conf.d" };

	if (below(path, deciding, ARRAY_SIZE(deciding)) || streq(path, "etc/sudoers") || streq(path, "etc/pam.conf") ||
		streq(path, "etc/nsswitch.conf") || streq(path, "etc/ld.so.conf"))
		return VET_MEDIUM;
	return VET_INFO;
}

static void tell_changed(struct integrity *in, const struct owned *o, const struct vet_file *f, enum nature nature, json_t *more)
{
	const struct pkg *pkg = &in->inv->set.list[o->pkg];
	const struct pkg_file *want = &pkg->files[o->file];
	const char *path = f->path;

	if (want->flags & PKG_FILE_CONF) {
		vet_add(in->v, "integrity", "V3-config-changed", config_level(path), f, more,
			"configuration is made to be changed; this is where to look at how", "%s: configuration of %s was changed", path, pkg->name);
		return;
	}
	__atomic_fetch_add(&in->states[o->pkg].changed, 1, __ATOMIC_RELAXED);
	if (nature == NATURE_GUARD)
		vet_add(in->v, "integrity", "V3-changed", VET_CRITICAL, f, more,
			"modules of PAM and NSS see every password and decide who is who", "%s: not what the package %s brought", path, pkg->name);
	else if (nature == NATURE_CODE)
		vet_add(in->v, "integrity", "V3-changed", VET_HIGH, f, more,
			"a program that was changed after it was installed does something else than its package's",
			"%s: not what the package %s brought", path, pkg->name);
	else
		vet_add(in->v, "integrity", "V3-changed", nature == NATURE_DOC ? VET_LOW : VET_MEDIUM, f, more,
			"nothing that is installed changes the files of a package but its configuration",
			"%s: not what the package %s brought", path, pkg->name);
}

/* The record of a symbolic link: its target (rpm), or its target's digest (apk). */
static bool link_matches(struct integrity *in, const struct pkg_file *want, const struct vet_file *f)
{
	const char *target = f->inode->target ? f->inode->target : "";
	char found[2 * EVP_MAX_MD_SIZE + 1];
	struct content own = { target, strlen(target), { { 0 } } }, moved = { 0 };
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 };
	const struct vet_file *to;

	if (want->target)
		return streq(want->target, target);
	if (want->digest_len == 0 || same_digest(in, &own, want, found))
		return true;
	/* Moved, with a link left in its place. */
	to = vet_find(in->v, f->path);
	if (!to || vet_read(in->v, to, content_max, &b) < 0)
		return false;
	moved.data = b.data;
	moved.n = b.size;
	return same_digest(in, &moved, want, found);
}

/* Any record that the file fulfils is enough: files move between packages. */
static void compare_link(struct integrity *in, struct owned *first, const struct vet_file *f)
{
	const struct pkg *pkg = &in->inv->set.list[first->pkg];
	size_t tried = 0;
	json_t *more;

	for (const struct owned *o = first; o && tried++ < RECORDS_MAX; o = inventory_next(in->inv, o)) {
		const struct pkg_file *want = &in->inv->set.list[o->pkg].files[o->file];

		if (want->flags & (PKG_FILE_GHOST | PKG_FILE_ABSENT | PKG_FILE_CONF | PKG_FILE_DIR) || link_matches(in, want, f))
			return;
	}
	more = integrity_more(pkg);
	json_object_set_new(more, "found", vet_json(f->inode->target));
	tell_changed(in, first, f, integrity_nature(f->path, NULL, NULL, 0), more);
}

static bool wants_content(const struct pkg_file *want)
{
	return want->digest_len && !(want->flags & (PKG_FILE_GHOST | PKG_FILE_ABSENT | PKG_FILE_OBSOLETE));
}

static void compare_file(struct integrity *in, struct owned *first, const struct vet_file *f)
{
	char found[2 * EVP_MAX_MD_SIZE + 1] = "";
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 };
	const struct owned *failed = NULL;
	struct content c = { 0 };
	int r;

	for (const struct owned *o = first; o; o = inventory_next(in->inv, o)) {
		const struct pkg *pkg = &in->inv->set.list[o->pkg];
		const struct pkg_file *want = &pkg->files[o->file];

		if (want->target && want->mode >= 0 && S_ISLNK(want->mode) && !(want->flags & (PKG_FILE_GHOST | PKG_FILE_ABSENT)))
			failed = o;
		if (wants_content(want)) {
			r = b.data ? 0 : vet_read(in->v, f, content_max, &b);
			if (r < 0) {
				vet_add(in->v, "integrity", "V3-unreadable", VET_MEDIUM, f, NULL, "what cannot be read cannot be compared",
					"%s: cannot be read (%s)", f->path, error_name(r));
				return;
			}
			c.data = b.data;
			c.n = b.size;
			if (same_digest(in, &c, want, found)) {
				if (!(want->flags & PKG_FILE_CONF))
					integrity_rewritten(in, o, f);
				return;
			}
			failed = o;
		}
	}
	if (failed) {
		const struct pkg *pkg = &in->inv->set.list[failed->pkg];

		tell_changed(in, failed, f, integrity_nature(f->path, f, b.data, b.size), digest_more(pkg, &pkg->files[failed->file], found));
	}
}

static void compare_one(struct vet *mine, size_t i, unsigned worker, void *arg)
{
	const struct vet_file *f = mine->merged[i];
	struct integrity *in = &((struct integrity *)arg)[worker];
	struct owned *o = inventory_owned(in->inv, f->path);

	if (!o)
		return;
	in->v = mine;
	o->seen = true;
	if (f->inode->type == 'f')
		compare_file(in, o, f);
	else if (f->inode->type == 'l')
		compare_link(in, o, f);
}

/* Each worker has a digest of its own; what it counts and remembers is shared. */
static int compare_all(const struct integrity *in, struct error *e)
{
	unsigned n = vet_workers(in->v);
	_cleanup_free_ struct integrity *each = xcalloc(n, sizeof(*each));
	int r = 0;

	for (unsigned k = 0; k < n; k++) {
		each[k] = *in;
		each[k].md = EVP_MD_CTX_new();
		if (!each[k].md)
			r = error_set(e, ENOMEM, "no memory for digests");
	}
	if (r == 0)
		vet_share(in->v, in->v->n_merged, compare_one, each);
	for (unsigned k = 0; k < n; k++)
		EVP_MD_CTX_free(each[k].md);
	return r;
}

/* ---- what is missing ---- */

static void count_missing(struct integrity *in)
{
	for (size_t i = 0; i < in->inv->n_buckets; i++) {
		const struct owned *o = in->inv->buckets[i] ? &in->inv->owned[in->inv->buckets[i] - 1] : NULL;
		struct pkg_state *state = o ? &in->states[o->pkg] : NULL;
		const struct pkg_file *want = o ? &in->inv->set.list[o->pkg].files[o->file] : NULL;

		if (!o || o->seen || !wants_content(want) || (want->flags & PKG_FILE_CONF))
			continue;
		if ((want->flags & PKG_FILE_DOC) || is_doc(o->path)) {
			in->docs_missing++;
			continue;
		}
		if (state->missing++ == 0 || strcmp(o->path, state->first_missing) < 0)
			state->first_missing = o->path;
	}
}

static void tell_missing(struct integrity *in)
{
	for (size_t i = 0; i < in->inv->n_system; i++) {
		const struct pkg *pkg = &in->inv->set.list[i];
		const struct pkg_state *state = &in->states[i];
		json_t *more;

		if (!state->missing)
			continue;
		more = integrity_more(pkg);
		json_object_set_new(more, "missing", json_integer(state->missing));
		vet_add(in->v, "integrity", "V3-missing", VET_LOW, NULL, more,
			"the package is recorded as installed, but is not whole: what relies on it may fail, or was meant to",
			"%s: %u of its files are missing, such as %s", pkg->name, state->missing, state->first_missing);
	}
	if (in->docs_missing)
		vet_add(in->v, "integrity", "V3-no-docs", VET_INFO, NULL, NULL, "images leave documentation out to be smaller",
			"%zu files of documentation and translations were left out", in->docs_missing);
}

/* ---- Python's own records ---- */

static void compare_python(struct integrity *in)
{
	char found[2 * EVP_MAX_MD_SIZE + 1];

	for (size_t i = in->inv->n_system; i < in->inv->set.n; i++) {
		const struct pkg *pkg = &in->inv->set.list[i];

		for (size_t k = 0; k < pkg->n_files; k++) {
			const struct vet_file *f = pkg->files[k].digest_len ? vet_find(in->v, pkg->files[k].path) : NULL;
			_cleanup_vet_bytes_ struct vet_bytes b = { 0 };

			/* What the distribution brought was compared with its record, which wins. */
			if (!f || pkg->owner || vet_read(in->v, f, content_max, &b) < 0)
				continue;
			struct content c = { b.data, b.size, { { 0 } } };

			if (same_digest(in, &c, &pkg->files[k], found))
				continue;
			vet_add(in->v, "integrity", "V3-changed",
				integrity_nature(f->path, f, b.data, b.size) == NATURE_DATA ? VET_MEDIUM : VET_HIGH, f,
				digest_more(pkg, &pkg->files[k], found), "code that was changed after it was installed is not its author's",
				"%s: not what the Python package %s brought", f->path, pkg->name);
		}
	}
}

/* ---- the check ---- */

static int run(struct vet *v, struct error *e)
{
	struct integrity in = { .v = v, .inv = v->inventory, .md = EVP_MD_CTX_new() };
	size_t at = 0;
	int r;

	if (!in.inv || !in.md) {
		EVP_MD_CTX_free(in.md);
		return in.inv ? error_set(e, ENOMEM, "no memory for digests") : 0;
	}
	in.states = xcalloc(in.inv->n_system + 1, sizeof(*in.states));
	in.layer_first = xcalloc(v->n_layers + 1, sizeof(*in.layer_first));
	for (size_t i = 0; i < v->n_layers; i++) {
		while (at < v->n_files && v->files[at].layer < i)
			at++;
		in.layer_first[i] = at;
	}
	in.layer_first[v->n_layers] = v->n_files;
	in.pasts = integrity_pasts_new();
	r = compare_all(&in, e);
	count_missing(&in);
	tell_missing(&in);
	compare_python(&in);
	if (in.inv->n_system) {
		integrity_unowned(&in);
		integrity_set_ids(&in);
		integrity_edited(&in);
	}
	integrity_pasts_free(in.pasts);
	EVP_MD_CTX_free(in.md);
	free(in.states);
	free(in.recorded);
	free(in.layer_first);
	return r;
}

const struct vet_check vet_check_integrity = { .name = "integrity", .run = run };
