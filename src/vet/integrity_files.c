/* SPDX-License-Identifier: Apache-2.0 */
/* Files that no package brought, and rights beyond those that packages bring. */
#include "base/cleanup.h"
#include "vet/setid_list.h"
#include "vet/integrity.h"

#include <string.h>

/* ---- nobody's ---- */

/* Where only packages put programs, and where people do. Few of the latter are worth a line each. */
static const char *const system_dirs[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr/bin", "usr/sbin", "usr/lib", "usr/lib32",
	"usr/lib64", "usr/libx32", "usr/libexec", "usr/games" };

enum { TOLD_MAX = 50 };

struct unowned {
	size_t own, system;
	const struct vet_file *first;
};

static bool in_dir(const char *path, const char *dir)
{
	const char *rest = str_after(path, dir);

	return rest && *rest == '/';
}

static bool is_system(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(system_dirs); i++)
		if (in_dir(path, system_dirs[i]))
			return true;
	return false;
}

/* Made by the maintainer scripts of packages, by installers of images and by compilers, always in the same places. */
static bool is_made_later(const char *path)
{
	static const char *const known[] = { "usr/sbin/policy-rc.d", "usr/lib/ssl/certs", "usr/lib/locale/locale-archive", "sbin/initctl",
		"usr/sbin/initctl" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (streq(path, known[i]))
			return true;
	/* Maintainer scripts are dpkg's own files. */
	return strstr(path, "/__pycache__/") != NULL || str_after(path, "var/lib/dpkg/info/") || str_after(path, "lib/apk/");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void gather_recorded(struct integrity *in)
{
	size_t n = 0;

	for (size_t i = in->inv->n_system; i < in->inv->set.n; i++)
		n += in->inv->set.list[i].n_files;
	in->recorded = xcalloc(n + 1, sizeof(*in->recorded));
	for (size_t i = in->inv->n_system; i < in->inv->set.n; i++)
		for (size_t k = 0; k < in->inv->set.list[i].n_files; k++)
			in->recorded[in->n_recorded++] = in->inv->set.list[i].files[k].path;
	qsort(in->recorded, in->n_recorded, sizeof(*in->recorded), by_name);
}

/* Below a package of a language: its own installer put it there. */
static bool is_language(const struct integrity *in, const char *path)
{
	static const char *const places[] = { "/site-packages/", "/dist-packages/", "/node_modules/", "/gems/" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (strstr(path, places[i]))
			return true;
	return bsearch(&path, in->recorded, in->n_recorded, sizeof(*in->recorded), by_name) != NULL;
}

/* ELF or script; the bytes decide, whatever the mode says. */
static bool is_program(struct integrity *in, const struct vet_file *f)
{
	bool candidate = (f->inode->mode & 0111) || strstr(f->path, ".so");
	unsigned char head[4] = { 0 };

	if (!candidate || vet_head(in->v, f, head, sizeof(head)) < 2)
		return false;
	return memcmp(head, "\177ELF", 4) == 0 || (head[0] == '#' && head[1] == '!');
}

/* The package that brought the same bytes under another name; NULL: none. CUPS' backends are such links, busybox' applets. */
static const char *twin(struct integrity *in, const struct vet_file *f)
{
	const EVP_MD *const kinds[] = { [PKG_HASH_MD5] = EVP_md5(), [PKG_HASH_SHA1] = EVP_sha1(), [PKG_HASH_SHA256] = EVP_sha256() };
	unsigned char digests[ARRAY_SIZE(kinds)][EVP_MAX_MD_SIZE] = { { 0 } };
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 };
	unsigned len;

	if (vet_read(in->v, f, 1 << 30, &b) < 0)
		return NULL;
	for (size_t i = PKG_HASH_MD5; i < ARRAY_SIZE(kinds); i++)
		integrity_digest(in->md, kinds[i], b.data, b.size, digests[i], &len);
	for (size_t i = 0; i < in->inv->n_system; i++) {
		const struct pkg *pkg = &in->inv->set.list[i];

		for (size_t k = 0; k < pkg->n_files; k++) {
			const struct pkg_file *want = &pkg->files[k];

			if (want->digest_len >= 16 && want->hash < ARRAY_SIZE(kinds) && memcmp(want->digest, digests[want->hash], want->digest_len) == 0)
				return pkg->name;
		}
	}
	return NULL;
}

static void tell_unowned(struct integrity *in, struct unowned *u, const struct vet_file *f)
{
	const char *name;

	/* Modules of PAM and NSS are the check "files"'s. */
	if (integrity_nature(f->path, NULL, NULL, 0) == NATURE_GUARD || is_made_later(f->path) || is_language(in, f->path) || !is_program(in, f))
		return;
	if (!is_system(f->path)) {
		u->own++;
		if (!u->first)
			u->first = f;
		return;
	}
	if (u->system++ >= TOLD_MAX)
		return;
	name = twin(in, f);
	if (name)
		vet_add(in->v, "integrity", "V4-copy", VET_LOW, f, NULL, "a known program under a name that its package does not give it",
			"%s: the same bytes as a file of %s", f->path, name);
	else
		vet_add(in->v, "integrity", "V4-unowned", VET_MEDIUM, f, NULL,
			"where the distribution keeps its programs, a program without package has no one who vouches for it",
			"%s: a program that no package brought", f->path);
}

void integrity_unowned(struct integrity *in)
{
	struct unowned u = { 0 };

	gather_recorded(in);
	for (size_t i = 0; i < in->v->n_merged; i++) {
		const struct vet_file *f = in->v->merged[i];

		if (f->inode->type == 'f' && !inventory_owned(in->inv, f->path))
			tell_unowned(in, &u, f);
	}
	if (u.own)
		vet_add(in->v, "integrity", "V4-own-programs", VET_INFO, u.first, NULL,
			"they are the image's own: nobody but its maker vouches for them", "%zu programs no package brought, such as %s", u.own,
			u.first->path);
	if (u.system > TOLD_MAX)
		vet_add(in->v, "integrity", "V4-unowned", VET_MEDIUM, NULL, NULL,
			"where the distribution keeps its programs, a program without package has no one who vouches for it",
			"%zu more programs in the system's folders that no package brought", u.system - TOLD_MAX);
}

/* ---- set-uid, set-gid, capabilities ---- */

static bool has_caps(const struct vet_file *f)
{
	for (const struct xattr *x = f->inode->dropped; x; x = x->next)
		if (streq(x->name, "security.capability"))
			return true;
	return false;
}

/* "u", "g", "c" of data/setid.list. */
static bool listed(const char *path, char right)
{
	for (size_t i = 0; i < ARRAY_SIZE(setid_list); i++) {
		const char *known = setid_list[i].path;
		/* A merged /usr: the list says usr/bin, the tree may have bin. */
		const char *plain = str_after(known, "usr/");

		if ((streq(known, path) || (plain && streq(plain, path))) && strchr(setid_list[i].rights, right))
			return true;
	}
	return false;
}

static bool overridden(const struct integrity *in, const char *path, uint16_t bits)
{
	for (size_t i = 0; i < in->inv->n_overrides; i++) {
		const struct vet_file *f = vet_find(in->v, in->inv->overrides[i].path);

		if (f && streq(f->path, path) && (in->inv->overrides[i].mode & bits) == bits)
			return true;
	}
	return false;
}

/* rpm and apk record modes and capabilities, dpkg does not. */
static bool brought(const struct integrity *in, const struct owned *o, const char *path, char right)
{
	int32_t bit = right == 'u' ? 04000 : 02000;

	for (; o; o = inventory_next(in->inv, o)) {
		const struct pkg *pkg = &in->inv->set.list[o->pkg];
		const struct pkg_file *want = &pkg->files[o->file];

		if (pkg->type == PKG_DEB || (pkg->type == PKG_APK && right == 'c'))
			return listed(path, right);
		if (right == 'c' ? want->caps != NULL : want->mode >= 0 && (want->mode & bit))
			return true;
	}
	return false;
}

static void tell_right(struct integrity *in, const struct vet_file *f, char right)
{
	static const char why[] = "whoever runs it has its rights: a door to root that the distribution does not have";
	const struct owned *o = inventory_owned(in->inv, f->path);
	const char *what = right == 'u' ? "set-uid" : right == 'g' ? "set-gid" : "file capabilities";
	const char *rule = right == 'c' ? "V5-capabilities" : right == 'u' ? "V5-set-uid" : "V5-set-gid";

	if (o && brought(in, o, f->path, right))
		return;
	/* Its owner is who one becomes. */
	if (right == 'g' && f->inode->gid != 0 && o) {
		vet_add(in->v, "integrity", rule, VET_MEDIUM, f, integrity_more(&in->inv->set.list[o->pkg]), why,
			"%s: %s for group %u, which its package does not ask for", f->path, what, f->inode->gid);
		return;
	}
	if (right != 'c' && overridden(in, f->path, right == 'u' ? 04000 : 02000)) {
		vet_add(in->v, "integrity", rule, VET_MEDIUM, f, NULL, why, "%s: %s by an override of dpkg", f->path, what);
		return;
	}
	if (o)
		vet_add(in->v, "integrity", rule, VET_HIGH, f, integrity_more(&in->inv->set.list[o->pkg]), why,
			"%s: %s, which the package %s does not ask for", f->path, what, in->inv->set.list[o->pkg].name);
	else
		vet_add(in->v, "integrity", rule, VET_HIGH, f, NULL, why, "%s: %s, and no package brought it", f->path, what);
}

void integrity_set_ids(struct integrity *in)
{
	for (size_t i = 0; i < in->v->n_merged; i++) {
		const struct vet_file *f = in->v->merged[i];

		if (f->inode->type != 'f')
			continue;
		if (f->inode->mode & 04000)
			tell_right(in, f, 'u');
		/* Set-gid without the group's execute bit is a mark for locks, not a right. */
		if ((f->inode->mode & 02010) == 02010)
			tell_right(in, f, 'g');
		if (has_caps(f))
			tell_right(in, f, 'c');
	}
}
