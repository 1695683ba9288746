/* SPDX-License-Identifier: Apache-2.0 */
/* Check "packages": reads every database of packages in the merged tree and makes the inventory of it. */
#include "base/cleanup.h"
#include "vet/inventory.h"

#include <string.h>

enum { DATABASE_MAX = 512 << 20, TEXT_MAX = 64 << 20 };

const struct inventory *vet_inventory(const struct vet *v)
{
	return v->inventory;
}

void inventory_free(struct inventory *inv)
{
	if (!inv)
		return;
	pkgs_free(&inv->set);
	free(inv->owned);
	free(inv->buckets);
	free(inv->overrides);
	free(inv);
}

/* Reads a file of the merged tree; what cannot be read is a fault like any other. */
static bool slurp(struct vet *v, struct inventory *inv, const struct vet_file *f, size_t max, struct vet_bytes *out)
{
	int r = f ? vet_read(v, f, max, out) : -ENOENT;

	if (f && r < 0)
		pkgs_fault(&inv->set, f->path, "cannot be read: %s", error_name(r));
	return r == 0;
}

static void set_layer(struct inventory *inv, size_t from, int layer)
{
	for (size_t i = from; i < inv->set.n; i++)
		inv->set.list[i].layer = layer;
}

static void read_distro(struct vet *v, struct inventory *inv)
{
	const struct vet_file *f = vet_find(v, "etc/os-release");
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 };

	if (!f)
		f = vet_find(v, "usr/lib/os-release");
	if (slurp(v, inv, f, 1 << 20, &b))
		distro_parse(&inv->distro, (const char *)b.data, b.size);
}

/* ---- dpkg ---- */

/* info/NAME.list, or info/NAME:ARCH.list of a package of several architectures. */
static const struct vet_file *info_file(struct vet *v, const struct pkg *pkg, const char *suffix)
{
	_cleanup_free_ char *plain = xasprintf("var/lib/dpkg/info/%s.%s", pkg->name, suffix);
	_cleanup_free_ char *multi = xasprintf("var/lib/dpkg/info/%s:%s.%s", pkg->name, pkg->arch ? pkg->arch : "", suffix);
	const struct vet_file *f;

	if (strchr(pkg->name, '/'))
		return NULL;
	f = vet_find(v, pkg->foreign ? multi : plain);
	return f ? f : vet_find(v, pkg->foreign ? plain : multi);
}

static void read_dpkg_files(struct vet *v, struct inventory *inv, size_t i)
{
	struct pkg *pkg = &inv->set.list[i];
	const struct vet_file *list = info_file(v, pkg, "list"), *sums = info_file(v, pkg, "md5sums");
	_cleanup_vet_bytes_ struct vet_bytes l = { 0 }, s = { 0 };

	if (slurp(v, inv, list, TEXT_MAX, &l)) {
		dpkg_parse_list(&inv->set, pkg, list->path, (const char *)l.data, l.size);
		/* Written when the package was installed: the layer that brought it. */
		pkg->layer = list->layer;
	}
	if (slurp(v, inv, sums, TEXT_MAX, &s))
		dpkg_parse_md5sums(&inv->set, pkg, sums->path, (const char *)s.data, s.size);
	dpkg_join_files(pkg);
}

static void read_dpkg(struct vet *v, struct inventory *inv)
{
	const struct vet_file *f = vet_find(v, "var/lib/dpkg/status");
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 };
	size_t from = inv->set.n;

	if (!slurp(v, inv, f, DATABASE_MAX, &b))
		return;
	inv->has[PKG_DEB] = true;
	dpkg_parse_status(&inv->set, f->path, (const char *)b.data, b.size);
	set_layer(inv, from, f->layer);
	for (size_t i = from; i < inv->set.n; i++)
		read_dpkg_files(v, inv, i);
}

/* Distroless: a file for each package, digests beside it. */
static void read_status_d(struct vet *v, struct inventory *inv)
{
	size_t first, n;

	vet_below(v, "var/lib/dpkg/status.d", &first, &n);
	for (size_t i = first; i < first + n; i++) {
		const struct vet_file *f = v->merged[i], *sums;
		_cleanup_free_ char *name = xasprintf("%s.md5sums", f->path);
		_cleanup_vet_bytes_ struct vet_bytes b = { 0 }, s = { 0 };
		size_t from = inv->set.n;

		if (f->inode->type != 'f' || str_ends(f->path, ".md5sums") || !slurp(v, inv, f, TEXT_MAX, &b))
			continue;
		inv->has[PKG_DEB] = true;
		dpkg_parse_status(&inv->set, f->path, (const char *)b.data, b.size);
		set_layer(inv, from, f->layer);
		sums = vet_find(v, name);
		if (inv->set.n == from + 1 && slurp(v, inv, sums, TEXT_MAX, &s)) {
			dpkg_parse_md5sums(&inv->set, &inv->set.list[from], sums->path, (const char *)s.data, s.size);
			dpkg_join_files(&inv->set.list[from]);
		}
	}
}

/* ---- apk, rpm ---- */

static void read_apk(struct vet *v, struct inventory *inv)
{
	static const char *const places[] = { "lib/apk/db/installed", "usr/lib/apk/db/installed" };
	const struct vet_file *seen = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const struct vet_file *f = vet_find(v, places[i]);
		_cleanup_vet_bytes_ struct vet_bytes b = { 0 };
		size_t from = inv->set.n;

		if (f == seen || !slurp(v, inv, f, DATABASE_MAX, &b))
			continue;
		seen = f;
		inv->has[PKG_APK] = true;
		apk_parse_installed(&inv->set, f->path, (const char *)b.data, b.size);
		set_layer(inv, from, f->layer);
	}
}

static void read_rpm_database(struct vet *v, struct inventory *inv, const struct vet_file *f, const char *dir, const char *name)
{
	_cleanup_free_ char *log = xasprintf("%s/%s-wal", dir, name);
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 }, w = { 0 };
	size_t from = inv->set.n;

	if (!slurp(v, inv, f, DATABASE_MAX, &b))
		return;
	inv->has[PKG_RPM] = true;
	if (streq(name, "rpmdb.sqlite")) {
		slurp(v, inv, vet_find(v, log), DATABASE_MAX, &w);
		rpm_parse_sqlite(&inv->set, f->path, b.data, b.size, w.data, w.size);
	} else if (streq(name, "Packages.db")) {
		rpm_parse_ndb(&inv->set, f->path, b.data, b.size);
	} else {
		rpm_parse_bdb(&inv->set, f->path, b.data, b.size);
	}
	set_layer(inv, from, f->layer);
}

static void read_rpm(struct vet *v, struct inventory *inv)
{
	static const char *const dirs[] = { "var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm" };
	static const char *const names[] = { "rpmdb.sqlite", "Packages.db", "Packages" };
	const struct vet_file *seen[ARRAY_SIZE(dirs) * ARRAY_SIZE(names)], *empty = NULL;
	size_t n_seen = 0;

	for (size_t d = 0; d < ARRAY_SIZE(dirs); d++) {
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			_cleanup_free_ char *path = xasprintf("%s/%s", dirs[d], names[i]);
			const struct vet_file *f = vet_find(v, path);
			bool again = false;

			/* One folder is a link to the other in many distributions. */
			for (size_t k = 0; k < n_seen; k++)
				again |= seen[k] == f;
			if (f && f->inode->type == 'f' && f->inode->size == 0)
				empty = f;
			if (!f || again || f->inode->type != 'f' || f->inode->size == 0)
				continue;
			seen[n_seen++] = f;
			read_rpm_database(v, inv, f, dirs[d], names[i]);
		}
	}
	/* Beside another database it is what an upgrade left; alone it hides everything. */
	if (empty && !inv->has[PKG_RPM])
		vet_add(v, "packages", "V3-database-empty", VET_MEDIUM, empty, NULL, "nobody can tell which files belong to the distribution",
			"rpm's database is an empty file");
}

/* ---- the check ---- */

static void tell_faults(struct vet *v, const struct inventory *inv)
{
	for (size_t i = 0; i < inv->set.n_faults; i++) {
		const struct pkg_fault *fault = &inv->set.faults[i];
		const struct vet_file *f = vet_find(v, fault->path);
		bool system = str_after(fault->path, "var/lib/") || strstr(fault->path, "apk/db/") || strstr(fault->path, "/rpm/");

		vet_add(v, "packages", system ? "V3-database-broken" : "V3-metadata-broken", system ? VET_MEDIUM : VET_LOW, f, NULL,
			"what a database does not say right, nobody who reads it will see", "%s: %s", fault->path, fault->text);
	}
	if (inv->set.more_faults)
		vet_add(v, "packages", "V3-database-broken", VET_MEDIUM, NULL, NULL,
			"what a database does not say right, nobody who reads it will see",
			"%zu more faults in databases of packages", inv->set.more_faults);
}

static void fill_packages(struct vet *v, const struct inventory *inv)
{
	const struct distro *d = inv->distro.id[0] ? &inv->distro : NULL;

	if (!v->packages)
		v->packages = json_array();
	for (size_t i = 0; i < inv->set.n; i++)
		json_array_append_new(v->packages, pkg_json(&inv->set.list[i], d));
}

/* Instead of files: what somebody says is in there. */
static int read_bill(struct vet *v, struct error *e)
{
	_cleanup_json_ json_t *doc = json_parse(v->bill, v->bill_size, "bill of materials", e);
	json_t *fact;
	struct sbom bill;
	int r = doc ? sbom_read(doc, &bill, e) : -EBADMSG;

	if (r < 0)
		return r;
	v->packages = bill.packages;
	fact = json_object();
	json_object_set_new(fact, "format", vet_json(bill.format));
	json_object_set_new(fact, "name", vet_json(bill.name));
	json_object_set_new(v->facts, "bill", fact);
	if (bill.skipped)
		vet_not_looked(v, "%zu entries of the bill of materials: they have no package URL of a kind that is known", bill.skipped);
	vet_not_looked(v, "files: a bill of materials tells what its maker was told, not what is there");
	return 0;
}

static int run(struct vet *v, struct error *e)
{
	_cleanup_free_ struct dpkg_diversion *diversions = NULL;
	struct inventory *inv = xcalloc(1, sizeof(*inv));
	_cleanup_vet_bytes_ struct vet_bytes div = { 0 }, over = { 0 };
	const struct vet_file *f;
	size_t n = 0;

	v->inventory = inv;
	if (v->bill)
		return read_bill(v, e);
	read_distro(v, inv);
	read_dpkg(v, inv);
	read_status_d(v, inv);
	read_apk(v, inv);
	read_rpm(v, inv);
	inv->n_system = inv->set.n;
	f = vet_find(v, "var/lib/dpkg/diversions");
	if (slurp(v, inv, f, TEXT_MAX, &div))
		diversions = dpkg_parse_diversions(&inv->set, f->path, (const char *)div.data, div.size, &n);
	f = vet_find(v, "var/lib/dpkg/statoverride");
	if (slurp(v, inv, f, TEXT_MAX, &over))
		inv->overrides = dpkg_parse_overrides(&inv->set, f->path, (const char *)over.data, over.size, &inv->n_overrides);
	inventory_map(v, inv, diversions, n);
	inventory_languages(v, inv);
	fill_packages(v, inv);
	tell_faults(v, inv);
	if (inv->n_system == 0)
		vet_not_looked(v, "no database of packages: what belongs to the distribution cannot be told");
	return 0;
}

const struct vet_check vet_check_packages = { .name = "packages", .run = run };
