/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who changes a file of a package changes its record too, when he thinks of it. What he forgets: the version that stayed the same from one
 * layer to the next, the times (a record is as old as the package, a list as old as its installation), the size that the package was
 * recorded with, entries that an installer always writes, the digest that an rpm header carries.
 */
#include "base/cleanup.h"
#include "vet/integrity.h"

#include <pthread.h>
#include <string.h>

static const char edited[] = "V3-database-edited";
static const char why_edited[] = "whoever changed a file and its record wanted that nobody sees it";

/* ---- from one layer to the next ---- */

/* The file as the nearest lower layer has it. */
static const struct vet_file *lower_file(const struct integrity *in, const char *path, int above)
{
	for (int layer = above - 1; layer >= 0; layer--) {
		size_t low = in->layer_first[layer], high = in->layer_first[layer + 1];

		while (low < high) {
			size_t mid = low + (high - low) / 2;
			int c = table_path_cmp(in->v->files[mid].path, path);

			if (c == 0)
				return in->v->files[mid].whiteout ? NULL : &in->v->files[mid];
			if (c < 0)
				low = mid + 1;
			else
				high = mid;
		}
	}
	return NULL;
}

/* What a database of one layer had installed: read once, kept without the files. */
struct past {
	const struct vet_file *database;
	struct past_pkg {
		char *name, *arch, *version;
	} *list;
	size_t n;
};

struct pasts {
	pthread_mutex_t lock;
	struct past *list;
	size_t n;
};

struct pasts *integrity_pasts_new(void)
{
	struct pasts *p = xcalloc(1, sizeof(*p));

	pthread_mutex_init(&p->lock, NULL);
	return p;
}

static void parse_past(struct integrity *in, const struct pkg *pkg, struct past *past)
{
	const struct vet_file *f = past->database;
	_cleanup_pkgs_ struct pkgs set = { 0 };
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 };

	if (vet_read(in->v, f, 512 << 20, &b) < 0)
		return;
	if (pkg->type == PKG_DEB)
		dpkg_parse_status(&set, f->path, (const char *)b.data, b.size);
	else if (pkg->type == PKG_APK)
		apk_parse_installed(&set, f->path, (const char *)b.data, b.size);
	else if (str_ends(pkg->path, ".sqlite"))
		rpm_parse_sqlite(&set, f->path, b.data, b.size, NULL, 0);
	else if (str_ends(pkg->path, ".db"))
		rpm_parse_ndb(&set, f->path, b.data, b.size);
	else
		rpm_parse_bdb(&set, f->path, b.data, b.size);
	past->list = xcalloc(set.n + 1, sizeof(*past->list));
	for (size_t i = 0; i < set.n; i++)
		past->list[past->n++] = (struct past_pkg){ xstrdup(set.list[i].name), xstrdup(set.list[i].arch), xstrdup(set.list[i].version) };
}

void integrity_pasts_free(struct pasts *p)
{
	for (size_t i = 0; i < p->n; i++) {
		for (size_t k = 0; k < p->list[i].n; k++) {
			free(p->list[i].list[k].name);
			free(p->list[i].list[k].arch);
			free(p->list[i].list[k].version);
		}
		free(p->list[i].list);
	}
	free(p->list);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* The lists themselves stay where they are when another database comes. */
static struct past past_of(struct integrity *in, const struct pkg *pkg, const struct vet_file *database)
{
	struct pasts *p = in->pasts;
	struct past found = { 0 };

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n; i++)
		if (p->list[i].database == database)
			found = p->list[i];
	if (!found.database) {
		found.database = database;
		parse_past(in, pkg, &found);
		p->list = xrealloc(p->list, p->n + 1, sizeof(*p->list));
		p->list[p->n++] = found;
	}
	pthread_mutex_unlock(&p->lock);
	return found;
}

/* The version of a package in the database as the layers up to `layer` show it; NULL: it is not in there. */
static const char *version_at(struct integrity *in, const struct pkg *pkg, int layer)
{
	const struct vet_file *f = lower_file(in, pkg->path, layer + 1);
	struct past past;

	if (!f)
		return NULL;
	past = past_of(in, pkg, f);
	for (size_t i = 0; i < past.n; i++)
		if (streq(past.list[i].name, pkg->name) && (!pkg->arch || streq(past.list[i].arch, pkg->arch)))
			return past.list[i].version;
	return NULL;
}

void integrity_rewritten(struct integrity *in, const struct owned *o, const struct vet_file *f)
{
	const struct pkg *pkg = &in->inv->set.list[o->pkg];
	const struct vet_file *before = f->layer > 0 ? lower_file(in, f->path, f->layer) : NULL;
	const char *was, *is;
	json_t *more;

	if (!before || !before->inode || before->inode->type != 'f' ||
		(before->inode->size == f->inode->size && streq(before->inode->object, f->inode->object)))
		return;
	was = version_at(in, pkg, before->layer);
	is = version_at(in, pkg, f->layer);
	if (!was || !is || !streq(was, is))
		return;
	more = integrity_more(pkg);
	json_object_set_new(more, "layer_before", json_integer(before->layer));
	vet_add(in->v, "integrity", edited, VET_HIGH, f, more, why_edited,
		"%s: changed in layer %u together with its record, while %s stayed at version %s", f->path, f->layer, pkg->name, pkg->version);
}

/* ---- dpkg ---- */

struct deb {
	const struct pkg *pkg;
	struct pkg_state *state;
	const struct vet_file *list, *sums;
};

static const struct vet_file *info(struct integrity *in, const struct pkg *pkg, const char *suffix)
{
	_cleanup_free_ char *multi = xasprintf("var/lib/dpkg/info/%s:%s.%s", pkg->name, pkg->arch ? pkg->arch : "", suffix);
	_cleanup_free_ char *plain = xasprintf("var/lib/dpkg/info/%s.%s", pkg->name, suffix);
	const struct vet_file *f = vet_find(in->v, pkg->foreign ? multi : plain);

	return f ? f : vet_find(in->v, pkg->foreign ? plain : multi);
}

static bool has_digest(const struct inventory *inv, const struct owned *o)
{
	for (; o; o = inventory_next(inv, o))
		if (inv->set.list[o->pkg].files[o->file].digest_len)
			return true;
	return false;
}

/* Listed, there, a program, but without digest, while the package's other files have one. */
static void look_at_digests(struct integrity *in, const struct deb *d)
{
	for (size_t i = 0; d->sums && i < d->pkg->n_files; i++) {
		const struct pkg_file *want = &d->pkg->files[i];
		const struct vet_file *f;
		_cleanup_vet_bytes_ struct vet_bytes b = { 0 };
		const struct owned *o;
		enum nature nature;

		if (want->digest_len || want->flags & PKG_FILE_CONF)
			continue;
		f = vet_lookup(in->v, want->path);
		o = f && f->inode->type == 'f' ? inventory_owned(in->inv, f->path) : NULL;
		/* Another package may have the digest, and a diverted file is somebody else's. */
		if (!o || has_digest(in->inv, o) || vet_read(in->v, f, 1 << 30, &b) < 0)
			continue;
		nature = integrity_nature(f->path, f, b.data, b.size);
		if (nature == NATURE_DOC)
			continue;
		vet_add(in->v, "integrity", edited, nature == NATURE_DATA ? VET_LOW : VET_HIGH, f, integrity_more(d->pkg),
			"a package's digests name every file but configuration: who takes one out makes a change invisible",
			"%s: listed by %s, but its digest is missing", f->path, d->pkg->name);
	}
}

/* No digests at all, although it has files. Debian's own packages always have them, those of others mostly. */
static void look_for_digests(struct integrity *in, const struct deb *d)
{
	const char *by = d->pkg->maintainer ? d->pkg->maintainer : "";
	bool own = strstr(by, "debian.org") || strstr(by, "ubuntu.com");

	for (size_t i = 0; d->list && !d->sums && i < d->pkg->n_files; i++) {
		const struct vet_file *f = d->pkg->files[i].flags & PKG_FILE_CONF ? NULL : vet_lookup(in->v, d->pkg->files[i].path);

		if (!f || f->inode->type != 'f')
			continue;
		vet_add(in->v, "integrity", own ? edited : "V3-no-digests", own ? VET_HIGH : VET_MEDIUM, d->list, integrity_more(d->pkg),
			"without digests nobody can tell whether its files were changed", "%s has no digests of its files", d->pkg->name);
		return;
	}
}

/* The digests are as old as the package, its list as old as the installation, and the status is written last. */
static void look_at_times(struct integrity *in, const struct deb *d, const struct vet_file *status)
{
	const struct vet_file *late = NULL;

	if (d->list && d->sums && d->sums->inode->mtime > d->list->inode->mtime)
		late = d->sums;
	else if (d->list && d->list->inode->mtime > status->inode->mtime)
		late = d->list;
	if (late)
		vet_add(in->v, "integrity", edited, VET_HIGH, late, integrity_more(d->pkg), why_edited,
			"the %s of %s were written after it was installed", late == d->sums ? "digests" : "names of files", d->pkg->name);
}

/* Is there a line in `a` that `b` has not? Both lists come from dpkg in the same order, but need not: a hostile one is compared as it is. */
static bool has_new_line(const struct vet_bytes *a, const struct vet_bytes *b)
{
	const unsigned char *s = a->data, *end = s + a->size, *t = b->data, *stop = t + b->size;

	while (s < end) {
		const unsigned char *nl = memchr(s, '\n', (size_t)(end - s));
		size_t n = (size_t)((nl ? nl : end) - s);

		/* Lines are only ever taken out: what is left stands in the old order. */
		for (;; t++) {
			const unsigned char *next = t < stop ? memchr(t, '\n', (size_t)(stop - t)) : NULL;
			size_t m = t < stop ? (size_t)((next ? next : stop) - t) : 0;

			if (t >= stop)
				return true;
			if (m == n && memcmp(s, t, n) == 0)
				break;
			t += m;
		}
		t += n + 1;
		s += n + 1;
	}
	return false;
}

/*
 * A record that a higher layer changed while the version stayed. Digests never change then; a list loses what another package takes over
 * (deb, Replaces), and gains nothing.
 */
static void look_at_record(struct integrity *in, const struct deb *d, const struct vet_file *f, bool list)
{
	const struct vet_file *before = f && f->layer > 0 ? lower_file(in, f->path, f->layer) : NULL;
	_cleanup_vet_bytes_ struct vet_bytes now = { 0 }, then = { 0 };
	const char *was, *is;

	if (!before || !before->inode || before->inode->type != 'f' || streq(before->inode->object, f->inode->object))
		return;
	was = version_at(in, d->pkg, before->layer);
	is = version_at(in, d->pkg, f->layer);
	if (!was || !is || !streq(was, is) || vet_read(in->v, f, 64 << 20, &now) < 0 || vet_read(in->v, before, 64 << 20, &then) < 0)
		return;
	if ((now.size == then.size && memcmp(now.data, then.data, now.size) == 0) || (list && !has_new_line(&now, &then)))
		return;
	vet_add(in->v, "integrity", edited, VET_HIGH, f, integrity_more(d->pkg), why_edited,
		"the %s of %s were changed in layer %u, while its version stayed", list ? "names of files" : "digests", d->pkg->name, f->layer);
}

/* A file that a package brought is no younger than the package. */
static void look_at_files(struct integrity *in, const struct deb *d)
{
	const char *first = NULL;
	const struct vet_file *at = NULL;
	size_t n = 0;

	for (size_t i = 0; d->sums && i < d->pkg->n_files; i++) {
		const struct pkg_file *want = &d->pkg->files[i];
		const struct vet_file *f = want->digest_len && !(want->flags & PKG_FILE_CONF) ? vet_lookup(in->v, want->path) : NULL;

		if (!f || f->inode->type != 'f' || f->inode->mtime <= d->sums->inode->mtime + 86400)
			continue;
		n++;
		if (!first) {
			first = want->path;
			at = f;
		}
	}
	/* What differs from its record was told already. */
	if (n && d->state->changed == 0)
		vet_add(in->v, "integrity", "V3-touched", VET_MEDIUM, at, integrity_more(d->pkg),
			"files keep the time of their package: these were written again, with content that matches the record",
			"%s: %zu of its files are younger than the package, such as %s", d->pkg->name, n, first);
}

/* Names of one file: the same in all that a copy of a folder keeps of them. */
static int by_content(const void *a, const void *b)
{
	const struct inode *x = *(const struct inode *const *)a, *y = *(const struct inode *const *)b;

	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	if (x->mtime != y->mtime)
		return x->mtime < y->mtime ? -1 : 1;
	return strcmp(x->object, y->object);
}

/* Bytes of the package's own regular files, each once however many names it may have: too few rather than too many. */
static uint64_t bytes_of(struct integrity *in, const struct pkg *pkg)
{
	_cleanup_free_ const struct inode **inodes = xcalloc(pkg->n_files + 1, sizeof(*inodes));
	uint64_t bytes = 0;
	size_t n = 0;

	for (size_t i = 0; i < pkg->n_files; i++) {
		const struct vet_file *f = pkg->files[i].flags & PKG_FILE_CONF ? NULL : vet_lookup(in->v, pkg->files[i].path);
		const struct owned *o = f && f->inode->type == 'f' ? inventory_owned(in->inv, f->path) : NULL;

		/* What it shares with another package, or was taken over by one, may not be its own. */
		if (o && !o->next && &in->inv->set.list[o->pkg] == pkg)
			inodes[n++] = f->inode;
	}
	qsort(inodes, n, sizeof(*inodes), by_content);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || by_content(&inodes[i], &inodes[i - 1]) != 0)
			bytes += inodes[i]->size;
	return bytes;
}

/*
 * dpkg-gencontrol(1) records the sum of all files, each rounded up to 1 KiB, and 1 KiB for everything else; other tools do not round. What
 * is there can be less (documentation left out), not more.
 */
static void look_at_size(struct integrity *in, const struct deb *d)
{
	uint64_t kib, recorded = (uint64_t)d->pkg->installed_kib;

	if (d->pkg->installed_kib <= 0 || d->state->changed)
		return;
	kib = bytes_of(in, d->pkg) / 1024;
	if (kib > recorded)
		vet_add(in->v, "integrity", "V3-size", VET_HIGH, d->list, integrity_more(d->pkg),
			"a package cannot be larger than it was when it was built", "the files of %s have %llu KiB, its record says %llu",
			d->pkg->name, (unsigned long long)kib, (unsigned long long)recorded);
}

static void look_at_debs(struct integrity *in)
{
	const struct vet_file *status = vet_find(in->v, "var/lib/dpkg/status");
	size_t n = 0, listless = 0, late = 0;
	_cleanup_free_ struct deb *debs = xcalloc(in->inv->n_system + 1, sizeof(*debs));

	for (size_t i = 0; i < in->inv->n_system; i++) {
		const struct pkg *pkg = &in->inv->set.list[i];
		struct deb *d = &debs[n];

		/* Distroless images have neither lists nor times. */
		if (pkg->type != PKG_DEB || !streq(pkg->path, "var/lib/dpkg/status"))
			continue;
		*d = (struct deb){ pkg, &in->states[i], info(in, pkg, "list"), info(in, pkg, "md5sums") };
		listless += !d->list;
		late += d->list && (d->list->inode->mtime > status->inode->mtime ||
					   (d->sums && d->sums->inode->mtime > d->list->inode->mtime));
		n++;
	}
	if (n > 0 && listless == n) {
		vet_add(in->v, "integrity", "V3-no-lists", VET_MEDIUM, NULL, NULL,
			"without them nobody can tell which files belong to the distribution, and which were changed",
			"the lists of files of all %zu packages were removed", n);
		vet_not_looked(in->v, "whether files of packages were changed: dpkg's lists and digests were removed");
		return;
	}
	/* Most of them late: the folder was copied without its times, so that they tell nothing. */
	if (late > 3 && late > n / 4)
		vet_not_looked(in->v, "the times of packages: files were copied without them");
	for (size_t i = 0; i < n; i++) {
		if (!debs[i].list)
			vet_add(in->v, "integrity", edited, VET_HIGH, NULL, integrity_more(debs[i].pkg),
				"dpkg writes a list for every package: without it no file of the package can be compared",
				"%s is recorded as installed, but its list of files is gone", debs[i].pkg->name);
		look_for_digests(in, &debs[i]);
		look_at_digests(in, &debs[i]);
		look_at_record(in, &debs[i], debs[i].list, true);
		look_at_record(in, &debs[i], debs[i].sums, false);
		look_at_size(in, &debs[i]);
		if (late > 3 && late > n / 4)
			continue;
		look_at_times(in, &debs[i], status);
		look_at_files(in, &debs[i]);
	}
}

/* ---- rpm ---- */

static void look_at_rpms(struct integrity *in)
{
	size_t sealed = 0;

	for (size_t i = 0; i < in->inv->n_system; i++)
		sealed += in->inv->set.list[i].type == PKG_RPM && in->inv->set.list[i].sealed > 0;
	for (size_t i = 0; i < in->inv->n_system; i++) {
		const struct pkg *pkg = &in->inv->set.list[i];
		const struct vet_file *f = pkg->type == PKG_RPM ? vet_find(in->v, pkg->path) : NULL;

		if (pkg->type != PKG_RPM)
			continue;
		if (pkg->sealed < 0)
			vet_add(in->v, "integrity", edited, VET_HIGH, f, integrity_more(pkg), why_edited,
				"the record of %s does not have the digest that it was installed with", pkg->name);
		else if (pkg->sealed == 0 && sealed > 0)
			vet_add(in->v, "integrity", edited, VET_MEDIUM, f, integrity_more(pkg), why_edited,
				"the record of %s has no digest of its own, those of other packages have", pkg->name);
	}
}

void integrity_edited(struct integrity *in)
{
	look_at_debs(in);
	look_at_rpms(in);
}
