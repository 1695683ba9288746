/* SPDX-License-Identifier: Apache-2.0 */
/* Which package a file belongs to, and the packages of languages. */
#include "base/cleanup.h"
#include "vet/inventory.h"

#include <string.h>

enum { TEXT_MAX = 16 << 20, ARCHIVE_MAX = 512 << 20, PROGRAM_MAX = 1 << 30 };

static uint64_t hash_path(const char *s)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3;
	return h ^ h >> 29;
}

struct owned *inventory_owned(const struct inventory *inv, const char *path)
{
	if (!inv || inv->n_buckets == 0)
		return NULL;
	for (size_t i = hash_path(path) & (inv->n_buckets - 1); inv->buckets[i]; i = (i + 1) & (inv->n_buckets - 1))
		if (streq(inv->owned[inv->buckets[i] - 1].path, path))
			return &inv->owned[inv->buckets[i] - 1];
	return NULL;
}

const char *vet_owner(const struct vet *v, const char *path)
{
	const struct owned *o = inventory_owned(v->inventory, path);

	return o ? v->inventory->set.list[o->pkg].name : NULL;
}

static void map_add(struct inventory *inv, const char *path, uint32_t pkg, uint32_t file)
{
	uint32_t at = (uint32_t)inv->n_owned++;
	struct owned *first = inventory_owned(inv, path);

	inv->owned[at] = (struct owned){ .path = path, .pkg = pkg, .file = file };
	if (first) {
		inv->owned[at].next = first->next;
		first->next = at + 1;
		return;
	}
	size_t i = hash_path(path) & (inv->n_buckets - 1);

	while (inv->buckets[i])
		i = (i + 1) & (inv->n_buckets - 1);
	inv->buckets[i] = at + 1;
}

/* The folder that was asked for last: lists of files are sorted by folders. */
struct folder {
	char *asked;
	const char *real;
};

/* The path in the merged tree: the links of its folders followed. */
static const char *real_path(struct vet *v, struct inventory *inv, struct folder *last, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;
	_cleanup_free_ char *whole = NULL;

	if (!slash)
		return path;
	if (!last->asked || strlen(last->asked) != n || strncmp(last->asked, path, n) != 0) {
		const struct vet_file *f;

		free(last->asked);
		last->asked = xstrndup(path, n);
		f = vet_find(v, last->asked);
		last->real = f && f->inode->type == 'd' ? f->path : NULL;
	}
	if (!last->real || (strlen(last->real) == n && strncmp(last->real, path, n) == 0))
		return path;
	whole = xasprintf("%s%s%s", last->real, *last->real ? "/" : "", slash + 1);
	return pkgs_strdup(&inv->set, whole, strlen(whole));
}

static const char *diverted(const struct pkg *pkg, const char *path, const struct dpkg_diversion *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pkg->type == PKG_DEB && streq(d[i].from, path) && !streq(d[i].by, pkg->name))
			return pkg->name[0] ? d[i].to : path;
	return path;
}

void inventory_map(struct vet *v, struct inventory *inv, const struct dpkg_diversion *diversions, size_t n)
{
	struct folder last = { 0 };
	size_t total = 0;

	for (size_t i = 0; i < inv->n_system; i++)
		total += inv->set.list[i].n_files;
	for (inv->n_buckets = 64; inv->n_buckets < 2 * total; inv->n_buckets *= 2)
		;
	inv->owned = xcalloc(total + 1, sizeof(*inv->owned));
	inv->buckets = xcalloc(inv->n_buckets, sizeof(*inv->buckets));
	for (size_t i = 0; i < inv->n_system; i++) {
		const struct pkg *pkg = &inv->set.list[i];

		for (size_t k = 0; k < pkg->n_files; k++) {
			const char *path = diverted(pkg, pkg->files[k].path, diversions, n);

			map_add(inv, real_path(v, inv, &last, path), (uint32_t)i, (uint32_t)k);
		}
	}
	free(last.asked);
}

/* ---- languages ---- */

/* "…/node_modules/NAME/package.json" or with a scope in between. */
static bool is_node_package(const char *path)
{
	static const char modules[] = "node_modules/";
	const char *last = NULL, *s = path;

	if (!str_ends(path, "/package.json"))
		return false;
	while ((s = strstr(s, modules))) {
		if (s == path || s[-1] == '/')
			last = s;
		s += sizeof(modules) - 1;
	}
	if (!last)
		return false;
	last += sizeof(modules) - 1;
	if (*last == '@' && !(last = strchr(last, '/')))
		return false;
	last = strchr(last + (*last == '/'), '/');
	return last && streq(last, "/package.json");
}

static bool is_gemspec(const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *dir = slash && str_ends(path, ".gemspec") ? xstrndup(path, (size_t)(slash - path)) : NULL;

	return dir && (str_ends(dir, "/specifications") || str_ends(dir, "/specifications/default"));
}

static bool is_archive(const char *path)
{
	return str_ends(path, ".jar") || str_ends(path, ".war") || str_ends(path, ".ear") || str_ends(path, ".jpi") || str_ends(path, ".hpi");
}

/* RECORD beside METADATA; its paths begin at the folder that holds the dist-info folder. */
static void read_record(struct vet *v, struct inventory *inv, const struct vet_file *f)
{
	const char *slash = strrchr(f->path, '/');
	_cleanup_free_ char *dir = xstrndup(f->path, (size_t)(slash - f->path)), *base = NULL, *path = xasprintf("%s/RECORD", dir);
	const struct vet_file *record = vet_find(v, path);
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 };

	slash = strrchr(dir, '/');
	base = xstrndup(dir, slash ? (size_t)(slash - dir) : 0);
	if (record && vet_read(v, record, TEXT_MAX, &b) == 0)
		lang_parse_record(&inv->set, &inv->set.list[inv->set.n - 1], record->path, base, (const char *)b.data, b.size);
}

enum kind { NOTHING, PYTHON, NODE, GEM, ARCHIVE, PROGRAM };

static enum kind kind_of(const struct vet_file *f)
{
	if (f->inode->type != 'f' || f->inode->size == 0)
		return NOTHING;
	if (str_ends(f->path, ".dist-info/METADATA") || str_ends(f->path, ".egg-info/PKG-INFO") || str_ends(f->path, ".egg-info"))
		return PYTHON;
	if (is_node_package(f->path))
		return NODE;
	if (is_gemspec(f->path))
		return GEM;
	if (is_archive(f->path))
		return ARCHIVE;
	return (f->inode->mode & 0111) && f->inode->size > 4096 ? PROGRAM : NOTHING;
}

static void read_language(struct vet *v, struct inventory *inv, const struct vet_file *f, enum kind kind)
{
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 };
	size_t from = inv->set.n;
	int r = vet_read(v, f, kind == PROGRAM ? PROGRAM_MAX : kind == ARCHIVE ? ARCHIVE_MAX : TEXT_MAX, &b);
	const char *text = (const char *)b.data;

	if (r < 0) {
		pkgs_fault(&inv->set, f->path, "cannot be read: %s", error_name(r));
		return;
	}
	if (kind == PYTHON)
		lang_parse_python(&inv->set, f->path, text, b.size);
	else if (kind == NODE)
		lang_parse_node(&inv->set, f->path, text, b.size);
	else if (kind == GEM)
		lang_parse_gemspec(&inv->set, f->path, text, b.size);
	else if (kind == ARCHIVE)
		lang_parse_jar(&inv->set, f->path, b.data, b.size);
	else
		lang_parse_elf(&inv->set, f->path, b.data, b.size);
	if (kind == PYTHON && inv->set.n > from && str_ends(f->path, "/METADATA"))
		read_record(v, inv, f);
	for (size_t i = from; i < inv->set.n; i++) {
		inv->set.list[i].layer = f->layer;
		inv->set.list[i].owner = vet_owner(v, f->path);
		inv->has[inv->set.list[i].type] = true;
	}
}

void inventory_languages(struct vet *v, struct inventory *inv)
{
	for (size_t i = 0; i < v->n_merged; i++) {
		enum kind kind = kind_of(v->merged[i]);

		if (kind != NOTHING)
			read_language(v, inv, v->merged[i], kind);
	}
}
