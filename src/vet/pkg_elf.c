/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that say what they were built from: Go in the section .go.buildinfo (Go's debug/buildinfo package: a header of 32 bytes, then
 * two strings, or before Go 1.18 pointers to them), Rust in .dep-v0 (zlib-compressed JSON, github.com/rust-secure-code/cargo-auditable,
 * "PARSING.md"). ELF by elf(5).
 */
#include "base/cleanup.h"
#include "vet/packages.h"

#include <elf.h>
#include <string.h>
#include <zlib.h>

enum { SECTIONS_MAX = 65535, AUDIT_MAX = 16 << 20, GO_HEAD = 32, GO_SENTINEL = 16 };

struct elf {
	const unsigned char *data;
	size_t n;
	bool wide, big;
	uint64_t sections; /* offset of their table */
	uint32_t n_sections, entry, names;
};

struct part {
	const unsigned char *data;
	size_t n;
	uint64_t addr;
};

static uint64_t get(const struct elf *e, const unsigned char *p, unsigned width)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < width; i++)
		v = v << 8 | p[e->big ? i : width - 1 - i];
	return v;
}

/* A field of a structure that has two shapes. */
#define FIELD(e, p, type, field)                                                                                 \
	((e)->wide ? get((e), (p) + offsetof(Elf64_##type, field), sizeof(((Elf64_##type *)0)->field)) :         \
		     get((e), (p) + offsetof(Elf32_##type, field), sizeof(((Elf32_##type *)0)->field)))

static bool elf_open(struct elf *e, const unsigned char *data, size_t n)
{
	if (n < sizeof(Elf64_Ehdr) || memcmp(data, ELFMAG, SELFMAG) != 0)
		return false;
	*e = (struct elf){ data, n, data[EI_CLASS] == ELFCLASS64, data[EI_DATA] == ELFDATA2MSB, 0, 0, 0, 0 };
	e->sections = FIELD(e, data, Ehdr, e_shoff);
	e->n_sections = (uint32_t)FIELD(e, data, Ehdr, e_shnum);
	e->entry = (uint32_t)FIELD(e, data, Ehdr, e_shentsize);
	e->names = (uint32_t)FIELD(e, data, Ehdr, e_shstrndx);
	return e->entry >= (e->wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr)) && e->sections < n &&
	       (n - e->sections) / e->entry >= e->n_sections && e->names < e->n_sections;
}

static bool section(const struct elf *e, uint32_t i, struct part *out)
{
	const unsigned char *h = e->data + e->sections + (uint64_t)i * e->entry;
	uint64_t at = FIELD(e, h, Shdr, sh_offset), size = FIELD(e, h, Shdr, sh_size);

	if (FIELD(e, h, Shdr, sh_type) == SHT_NOBITS || at > e->n || size > e->n - at)
		return false;
	*out = (struct part){ e->data + at, (size_t)size, FIELD(e, h, Shdr, sh_addr) };
	return true;
}

static bool section_named(const struct elf *e, const char *name, struct part *out)
{
	size_t want = strlen(name) + 1;
	struct part names;

	if (!section(e, e->names, &names))
		return false;
	for (uint32_t i = 0; i < e->n_sections; i++) {
		uint64_t at = FIELD(e, e->data + e->sections + (uint64_t)i * e->entry, Shdr, sh_name);

		if (at < names.n && names.n - at >= want && memcmp(names.data + at, name, want) == 0)
			return section(e, i, out);
	}
	return false;
}

/* The bytes from a virtual address to the end of the section that holds it. */
static bool at_address(const struct elf *e, uint64_t addr, struct part *out)
{
	for (uint32_t i = 0; i < e->n_sections; i++)
		if (section(e, i, out) && out->addr && addr >= out->addr && addr - out->addr < out->n) {
			out->data += addr - out->addr;
			out->n -= (size_t)(addr - out->addr);
			return true;
		}
	return false;
}

/* ---- Go ---- */

/* An unsigned varint (encoding/binary) and as many bytes. */
static bool take_string(struct part *in, struct part *out)
{
	uint64_t len = 0;
	unsigned shift = 0;

	while (in->n > 0 && shift < 63) {
		unsigned char c = *in->data++;

		in->n--;
		len |= (uint64_t)(c & 0x7f) << shift;
		shift += 7;
		if (!(c & 0x80)) {
			if (len > in->n)
				return false;
			*out = (struct part){ in->data, (size_t)len, 0 };
			in->data += len;
			in->n -= (size_t)len;
			return true;
		}
	}
	return false;
}

/* A string's header (pointer, length) at an address. */
static bool pointed_string(const struct elf *e, uint64_t addr, unsigned width, struct part *out)
{
	struct part head;
	uint64_t len;

	if (!at_address(e, addr, &head) || head.n < 2 * (size_t)width)
		return false;
	len = get(e, head.data + width, width);
	if (!at_address(e, get(e, head.data, width), out) || len > out->n)
		return false;
	out->n = (size_t)len;
	return true;
}

static void go_package(struct pkgs *p, const char *path, const char *name, size_t n, const char *version, size_t v)
{
	struct pkg *pkg = n > 0 && *name ? pkgs_add(p, PKG_GOLANG, path) : NULL;

	if (pkg) {
		pkg->name = pkgs_strdup(p, name, n);
		pkg->version = pkgs_strdup(p, version, v);
	}
}

/* "mod\tPATH\tVERSION\tSUM", "dep\t..."; "=>\t..." replaces the dependency before it. */
static void go_modules(struct pkgs *p, const char *path, const char *s, const char *end)
{
	bool last_is_dep = false;

	while (s < end) {
		const char *nl = memchr(s, '\n', (size_t)(end - s)), *stop = nl ? nl : end, *field[3] = { s }, *to[3] = { stop, stop, stop };
		bool replaces;

		for (int i = 0; i < 3; i++) {
			const char *tab = field[i] ? memchr(field[i], '\t', (size_t)(stop - field[i])) : NULL;

			if (tab)
				to[i] = tab;
			if (tab && i < 2)
				field[i + 1] = tab + 1;
		}
		replaces = to[0] - s == 2 && memcmp(s, "=>", 2) == 0;
		if (field[2] && (replaces || (to[0] - s == 3 && (memcmp(s, "mod", 3) == 0 || memcmp(s, "dep", 3) == 0)))) {
			if (replaces && last_is_dep)
				p->n--;
			go_package(p, path, field[1], (size_t)(to[1] - field[1]), field[2], (size_t)(to[2] - field[2]));
			last_is_dep = !replaces && to[1] > field[1];
		}
		s = stop + 1;
	}
}

static void take_go(struct pkgs *p, const char *path, const struct elf *e, struct part info)
{
	struct part version, modules;
	bool good;

	if (info.n < GO_HEAD || memcmp(info.data, "\xff Go buildinf:", 14) != 0) {
		pkgs_fault(p, path, "Go build information is damaged");
		return;
	}
	if (info.data[15] & 2) {
		struct part rest = { info.data + GO_HEAD, info.n - GO_HEAD, 0 };

		good = take_string(&rest, &version) && take_string(&rest, &modules);
	} else {
		struct elf f = *e;
		unsigned width = info.data[14];

		f.big = info.data[15] & 1;
		good = (width == 4 || width == 8) && pointed_string(&f, get(&f, info.data + 16, width), width, &version) &&
		       pointed_string(&f, get(&f, info.data + 16 + width, width), width, &modules);
	}
	if (!good) {
		pkgs_fault(p, path, "Go build information is cut");
		return;
	}
	/* The compiler's library is a package of its own to advisories: "go1.21.5 X:..." is stdlib 1.21.5. */
	if (version.n > 2 && memcmp(version.data, "go", 2) == 0) {
		size_t n = 2;

		while (n < version.n && version.data[n] != ' ')
			n++;
		go_package(p, path, "stdlib", 6, (const char *)version.data + 2, n - 2);
	}
	if (modules.n >= 2 * GO_SENTINEL)
		go_modules(p, path, (const char *)modules.data + GO_SENTINEL, (const char *)modules.data + modules.n - GO_SENTINEL);
}

/* ---- Rust ---- */

static void take_rust(struct pkgs *p, const char *path, struct part audit)
{
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_buf_ struct buf text = { 0 };
	z_stream s = { .next_in = (unsigned char *)(uintptr_t)audit.data, .avail_in = (uInt)audit.n };
	unsigned char piece[16384];
	const json_t *item;
	size_t i;
	int r;

	if (inflateInit(&s) != Z_OK)
		return;
	do {
		s.next_out = piece;
		s.avail_out = sizeof(piece);
		r = inflate(&s, Z_NO_FLUSH);
		buf_add(&text, piece, sizeof(piece) - s.avail_out);
	} while (r == Z_OK && text.len < AUDIT_MAX);
	inflateEnd(&s);
	if (r != Z_STREAM_END) {
		pkgs_fault(p, path, "Rust's audit section is damaged");
		return;
	}
	doc = json_parse(text.data ? text.data : "", text.len, "audit section", &p->scratch);
	if (!json_is_array(json_object_get(doc, "packages"))) {
		pkgs_fault(p, path, "Rust's audit section is not what cargo auditable writes");
		return;
	}
	json_array_foreach(json_object_get(doc, "packages"), i, item) {
		const char *name = json_string_value(json_object_get(item, "name"));
		const char *version = json_string_value(json_object_get(item, "version"));
		const char *kind = json_string_value(json_object_get(item, "kind"));
		struct pkg *pkg;

		if (!name || !*name || !version) {
			pkgs_fault(p, path, "a crate without name or version");
			continue;
		}
		/* What only the build ran is not in the program. */
		pkg = streq(kind, "build") ? NULL : pkgs_add(p, PKG_CARGO, path);
		if (pkg) {
			pkg->name = pkgs_strdup(p, name, strlen(name));
			pkg->version = pkgs_strdup(p, version, strlen(version));
		}
	}
}

void lang_parse_elf(struct pkgs *p, const char *path, const unsigned char *data, size_t n)
{
	struct part part;
	struct elf e;

	if (!elf_open(&e, data, n))
		return;
	if (section_named(&e, ".go.buildinfo", &part))
		take_go(p, path, &e, part);
	if (section_named(&e, ".dep-v0", &part))
		take_rust(p, path, part);
}
