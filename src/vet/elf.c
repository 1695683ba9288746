/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/elf.h"

#include <elf.h>
#include <math.h>
#include <string.h>

enum {
	PHNUM_MAX = 512,	     /* the kernel stops at 64 KiB of program headers */
	SAMPLE = 4096, SAMPLES = 64, /* entropy is judged by at most this much */
	SAMPLE_MIN = 1024,	     /* less says nothing about entropy */
};

/* Compiled code has 5.8 to 6.7 bits a byte on all machines that Debian has; compressed data more than 7.8. */
static const double packed_entropy = 7.3;

struct view {
	const unsigned char *data;
	size_t n;
	bool big, wide;
};

struct segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, filesz, memsz;
};

struct section {
	uint32_t name, type, link;
	uint64_t flags, offset, size;
};

static bool inside(const struct view *v, uint64_t offset, uint64_t len)
{
	return offset <= v->n && len <= v->n - offset;
}

/* Callers have checked the bounds. */
static uint64_t get(const struct view *v, uint64_t offset, unsigned width)
{
	uint64_t r = 0;

	for (unsigned i = 0; i < width; i++)
		r = r << 8 | v->data[offset + (v->big ? i : width - 1 - i)];
	return r;
}

static uint64_t get_word(const struct view *v, uint64_t offset)
{
	return get(v, offset, v->wide ? 8 : 4);
}

/* The string at `offset` of a table that lies in [start, start+size) of the file; NULL when it does not end there. */
static const char *string_at(const struct view *v, uint64_t start, uint64_t size, uint64_t offset)
{
	const char *s;

	if (offset >= size)
		return NULL;
	s = (const char *)v->data + start + offset;
	return memchr(s, 0, size - offset) ? s : NULL;
}

static void read_segment(const struct view *v, uint64_t at, struct segment *s)
{
	s->type = (uint32_t)get(v, at, 4);
	if (v->wide) {
		s->flags = (uint32_t)get(v, at + 4, 4);
		s->offset = get(v, at + 8, 8);
		s->vaddr = get(v, at + 16, 8);
		s->filesz = get(v, at + 32, 8);
		s->memsz = get(v, at + 40, 8);
	} else {
		s->offset = get(v, at + 4, 4);
		s->vaddr = get(v, at + 8, 4);
		s->filesz = get(v, at + 16, 4);
		s->memsz = get(v, at + 20, 4);
		s->flags = (uint32_t)get(v, at + 24, 4);
	}
}

static void read_section(const struct view *v, uint64_t at, struct section *s)
{
	s->name = (uint32_t)get(v, at, 4);
	s->type = (uint32_t)get(v, at + 4, 4);
	s->flags = get_word(v, at + 8);
	s->offset = get_word(v, at + (v->wide ? 24 : 16));
	s->size = get_word(v, at + (v->wide ? 32 : 20));
	s->link = (uint32_t)get(v, at + (v->wide ? 40 : 24), 4);
}

double elf_entropy(const void *data, size_t n)
{
	const unsigned char *p = data;
	size_t count[256] = { 0 };
	double bits = 0;

	for (size_t i = 0; i < n; i++)
		count[p[i]]++;
	for (int i = 0; i < 256; i++) {
		if (count[i]) {
			double share = (double)count[i] / (double)n;

			bits -= share * log2(share);
		}
	}
	return bits;
}

/* The mean over pieces spread evenly: a piece of plain data next to packed code does not hide it, nor the other way round. */
static double sampled_entropy(const unsigned char *p, uint64_t n)
{
	uint64_t pieces = n / SAMPLE;
	double sum = 0;

	if (pieces < 2)
		return n >= SAMPLE_MIN ? elf_entropy(p, n) : 0;
	if (pieces > SAMPLES)
		pieces = SAMPLES;
	for (uint64_t i = 0; i < pieces; i++)
		sum += elf_entropy(p + (n - SAMPLE) / (pieces - 1) * i, SAMPLE);
	return sum / (double)pieces;
}

bool elf_is(const void *data, size_t n)
{
	return n >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0;
}

struct header {
	uint16_t type, phentsize, phnum, shentsize, shnum, shstrndx;
	uint64_t phoff, shoff;
};

static int read_header(struct view *v, struct header *h, struct elf *out, struct error *e)
{
	if (!elf_is(v->data, v->n) || v->n < EI_NIDENT)
		return error_set(e, -ENOEXEC, "not an ELF file");
	if (v->data[EI_CLASS] != ELFCLASS32 && v->data[EI_CLASS] != ELFCLASS64)
		return error_set(e, -EBADMSG, "ELF header: word size %u", v->data[EI_CLASS]);
	if (v->data[EI_DATA] != ELFDATA2LSB && v->data[EI_DATA] != ELFDATA2MSB)
		return error_set(e, -EBADMSG, "ELF header: byte order %u", v->data[EI_DATA]);
	v->wide = v->data[EI_CLASS] == ELFCLASS64;
	v->big = v->data[EI_DATA] == ELFDATA2MSB;
	out->bits = v->wide ? 64 : 32;
	out->big_endian = v->big;
	if (v->n < (v->wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)))
		return error_set(e, -EBADMSG, "ELF header: cut");
	h->type = (uint16_t)get(v, 16, 2);
	out->machine = (uint16_t)get(v, 18, 2);
	h->phoff = get_word(v, v->wide ? 32 : 28);
	h->shoff = get_word(v, v->wide ? 40 : 32);
	h->phentsize = (uint16_t)get(v, v->wide ? 54 : 42, 2);
	h->phnum = (uint16_t)get(v, v->wide ? 56 : 44, 2);
	h->shentsize = (uint16_t)get(v, v->wide ? 58 : 46, 2);
	h->shnum = (uint16_t)get(v, v->wide ? 60 : 48, 2);
	h->shstrndx = (uint16_t)get(v, v->wide ? 62 : 50, 2);
	switch (h->type) {
	case ET_REL:
		out->kind = ELF_OBJECT;
		break;
	case ET_EXEC:
		out->kind = ELF_PROGRAM;
		break;
	case ET_DYN:
		out->kind = ELF_LIBRARY;
		break;
	case ET_CORE:
		out->kind = ELF_CORE;
		break;
	default:
		return error_set(e, -EBADMSG, "ELF header: type %u", h->type);
	}
	return 0;
}

/* Where in the file an address of the loaded program comes from; false when it is not in it. `*left`: bytes until that segment's end. */
static bool address(const struct view *v, const struct segment *s, size_t n, uint64_t addr, uint64_t *offset, uint64_t *left)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i].type != PT_LOAD || addr < s[i].vaddr || addr - s[i].vaddr >= s[i].filesz)
			continue;
		*offset = s[i].offset + (addr - s[i].vaddr);
		*left = s[i].filesz - (addr - s[i].vaddr);
		return inside(v, *offset, *left);
	}
	return false;
}

/* Is `name` one of the strings of the table? The linker may have laid it on the end of a longer one. */
static bool table_has(const struct view *v, uint64_t start, uint64_t size, const char *name)
{
	return memmem(v->data + start, size, name, strlen(name) + 1) != NULL;
}

/* Functions of which FORTIFY has made the checking kind. */
static bool table_fortified(const struct view *v, uint64_t start, uint64_t size)
{
	static const char end[] = "_chk";
	const unsigned char *p = v->data + start, *stop = p + size;

	while ((p = memmem(p, (size_t)(stop - p), end, sizeof(end)))) {
		const unsigned char *first = p;

		while (first > v->data + start && first[-1])
			first--;
		if (p - first > 2 && memcmp(first, "__", 2) == 0)
			return true;
		p += sizeof(end);
	}
	return false;
}

static void read_names(const struct view *v, uint64_t start, uint64_t size, struct elf *out)
{
	if (out->canary != ELF_YES)
		out->canary = table_has(v, start, size, "__stack_chk_fail") || table_has(v, start, size, "__stack_chk_guard") ||
				table_has(v, start, size, "__intel_security_cookie") ? ELF_YES : ELF_NO;
	if (out->fortify != ELF_YES)
		out->fortify = table_fortified(v, start, size) ? ELF_YES : ELF_NO;
}

struct dynamic {
	uint64_t strtab, strsz, soname, rpath, runpath, needed[ELF_NEEDED_MAX];
	bool has_soname, has_rpath, has_runpath, pie;
};

static void dynamic_entry(struct dynamic *d, uint64_t tag, uint64_t value, struct elf *out)
{
	switch (tag) {
	case DT_NEEDED:
		if (out->n_needed < ELF_NEEDED_MAX)
			d->needed[out->n_needed++] = value;
		else
			out->needed_more++;
		break;
	case DT_STRTAB:
		d->strtab = value;
		break;
	case DT_STRSZ:
		d->strsz = value;
		break;
	case DT_SONAME:
		d->soname = value, d->has_soname = true;
		break;
	case DT_RPATH:
		d->rpath = value, d->has_rpath = true;
		break;
	case DT_RUNPATH:
		d->runpath = value, d->has_runpath = true;
		break;
	case DT_BIND_NOW:
		out->now = true;
		break;
	case DT_TEXTREL:
		out->text_relocs = true;
		break;
	case DT_FLAGS:
		out->now |= !!(value & DF_BIND_NOW);
		out->text_relocs |= !!(value & DF_TEXTREL);
		break;
	case DT_FLAGS_1:
		out->now |= !!(value & DF_1_NOW);
		d->pie |= !!(value & DF_1_PIE);
		break;
	}
}

static int read_dynamic(const struct view *v, const struct segment *segs, size_t n, const struct segment *dyn, struct elf *out,
			bool *pie, struct error *e)
{
	unsigned step = v->wide ? 16 : 8;
	struct dynamic d = { 0 };
	uint64_t start, left;

	for (uint64_t at = 0; dyn->filesz - at >= step; at += step) {
		uint64_t tag = get_word(v, dyn->offset + at), value = get_word(v, dyn->offset + at + step / 2);

		if (tag == DT_NULL)
			break;
		dynamic_entry(&d, tag, value, out);
	}
	*pie = d.pie;
	if (!d.strsz && !out->n_needed)
		return 0;
	if (!address(v, segs, n, d.strtab, &start, &left) || d.strsz > left) {
		out->n_needed = 0;
		return error_set(e, -EBADMSG, "dynamic section: its strings are not in the file");
	}
	read_names(v, start, d.strsz, out);
	if (d.has_soname)
		out->soname = string_at(v, start, d.strsz, d.soname);
	if (d.has_rpath)
		out->rpath = string_at(v, start, d.strsz, d.rpath);
	if (d.has_runpath)
		out->runpath = string_at(v, start, d.strsz, d.runpath);
	for (size_t i = 0; i < out->n_needed; i++) {
		out->needed[i] = string_at(v, start, d.strsz, d.needed[i]);
		if (!out->needed[i]) {
			out->n_needed = i;
			return error_set(e, -EBADMSG, "dynamic section: a needed library without a name");
		}
	}
	return 0;
}

/* Notes: name size, descriptor size, type, then both padded to 4 bytes (gABI "Note Section"). */
static void read_notes(const struct view *v, uint64_t offset, uint64_t size, struct elf *out)
{
	while (size >= 12) {
		uint64_t name = get(v, offset, 4), desc = get(v, offset + 4, 4), type = get(v, offset + 8, 4);
		uint64_t name_pad = (name + 3) & ~3ULL, whole = 12 + name_pad + ((desc + 3) & ~3ULL);
		const unsigned char *p = v->data + offset + 12;

		if (12 + name_pad + desc > size)
			return;
		if (name == 4 && type == NT_GNU_BUILD_ID && desc && desc <= ELF_BUILD_ID_MAX && memcmp(p, "GNU", 4) == 0) {
			static const char hex[] = "0123456789abcdef";

			for (uint64_t i = 0; i < desc; i++) {
				out->build_id[2 * i] = hex[p[name_pad + i] >> 4];
				out->build_id[2 * i + 1] = hex[p[name_pad + i] & 15];
			}
			out->build_id[2 * desc] = 0;
		} else if (name == 4 && type == 4 && memcmp(p, "Go\0", 4) == 0) {
			out->go = true;
		}
		if (whole >= size)
			return;
		offset += whole;
		size -= whole;
	}
}

static int read_segments(const struct view *v, const struct header *h, struct segment *segs, struct elf *out, struct error *e)
{
	const struct segment *dynamic = NULL;
	bool stack = false, pie = false;
	int r = 0;

	for (size_t i = 0; i < h->phnum; i++) {
		struct segment *s = &segs[i];

		read_segment(v, h->phoff + (uint64_t)i * h->phentsize, s);
		if (s->type == PT_GNU_STACK) {
			stack = true;
			out->stack_exec |= !!(s->flags & PF_X);
			continue;
		}
		if (s->type == PT_GNU_RELRO)
			out->relro = true;
		if (s->type != PT_LOAD && s->type != PT_DYNAMIC && s->type != PT_INTERP && s->type != PT_NOTE)
			continue;
		if (out->debug_only && !inside(v, s->offset, s->filesz))
			continue; /* the file that this belongs to has those bytes */
		if (!inside(v, s->offset, s->filesz))
			return error_set(e, -EBADMSG, "program header %zu: reaches beyond the file", i);
		if (s->type == PT_LOAD && s->filesz > s->memsz)
			return error_set(e, -EBADMSG, "program header %zu: more in the file than in memory", i);
		if (s->type == PT_LOAD && (s->flags & (PF_W | PF_X)) == (PF_W | PF_X))
			out->write_exec = true;
		if (s->type == PT_NOTE)
			read_notes(v, s->offset, s->filesz, out);
		if (s->type == PT_INTERP && !out->debug_only) {
			if (out->interpreter)
				return error_set(e, -EBADMSG, "program header %zu: a second interpreter", i);
			out->interpreter = string_at(v, s->offset, s->filesz, 0);
			if (!out->interpreter)
				return error_set(e, -EBADMSG, "program header %zu: the interpreter's name has no end", i);
		}
		if (s->type == PT_DYNAMIC) {
			if (dynamic)
				return error_set(e, -EBADMSG, "program header %zu: a second dynamic section", i);
			dynamic = s;
		}
	}
	out->stack_unsaid = !stack && out->kind != ELF_OBJECT;
	if (dynamic && !out->debug_only)
		r = read_dynamic(v, segs, h->phnum, dynamic, out, &pie, e);
	if (h->type == ET_DYN && (pie || out->interpreter)) {
		out->kind = ELF_PROGRAM;
		out->pie = true;
	}
	out->is_static = !out->interpreter && !out->n_needed && out->kind == ELF_PROGRAM;
	return r;
}

/* Only adds to what the program headers said; a table that cannot be read is the same as none. */
static void read_sections(const struct view *v, const struct header *h, struct elf *out)
{
	unsigned least = v->wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
	struct section names, s, strings;
	uint64_t count = h->shnum;

	if (!h->shoff || h->shentsize != least || !inside(v, h->shoff, least))
		return;
	read_section(v, h->shoff, &s);
	if (!count)
		count = s.size; /* gABI: more than SHN_LORESERVE sections */
	uint32_t index = h->shstrndx == SHN_XINDEX ? s.link : h->shstrndx;
	if (!count || count > v->n / least || !inside(v, h->shoff, count * least) || index >= count)
		return;
	read_section(v, h->shoff + (uint64_t)index * least, &names);
	if (names.type != SHT_STRTAB || !inside(v, names.offset, names.size))
		return;
	out->sections = true;
	for (uint64_t i = 1; i < count; i++) {
		const char *name;

		read_section(v, h->shoff + i * least, &s);
		name = string_at(v, names.offset, names.size, s.name);
		if (name && (strcmp(name, ".go.buildinfo") == 0 || strcmp(name, ".gopclntab") == 0))
			out->go = true;
		if (s.type == SHT_NOBITS && name && strcmp(name, ".text") == 0)
			out->debug_only = true;
		if (s.type != SHT_SYMTAB)
			continue;
		out->stripped = false;
		if (s.link >= count)
			continue;
		read_section(v, h->shoff + (uint64_t)s.link * least, &strings);
		if (strings.type == SHT_STRTAB && inside(v, strings.offset, strings.size))
			read_names(v, strings.offset, strings.size, out);
	}
}

/*
 * UPX puts its l_info ("UPX!") behind the program headers and its pack header at the end (upx/src/stub/src/include/linux.h tells the
 * layout). Others, and UPX with its marks wiped off, are told by what packing does: code that looks like noise, no section table, and
 * either a segment that is written and run, or no library at all.
 */
static enum elf_packer judge_packer(const struct view *v, const struct header *h, const struct segment *segs, struct elf *out)
{
	uint64_t behind = h->phoff + (uint64_t)h->phnum * h->phentsize;
	double total = 0;
	uint64_t bytes = 0;

	if (inside(v, behind, 64) && memmem(v->data + behind, 64, "UPX!", 4))
		return ELF_UPX;
	if (v->n > 256 && !out->sections && memmem(v->data + v->n - 256, 256, "UPX!", 4))
		return ELF_UPX;
	for (size_t i = 0; i < h->phnum; i++) {
		const struct segment *s = &segs[i];

		if (s->type != PT_LOAD || !(s->flags & PF_X) || !inside(v, s->offset, s->filesz) || s->filesz < SAMPLE_MIN)
			continue;
		total += sampled_entropy(v->data + s->offset, s->filesz) * (double)s->filesz;
		bytes += s->filesz;
	}
	out->entropy = bytes ? total / (double)bytes : 0;
	if (out->kind != ELF_PROGRAM || out->entropy < packed_entropy)
		return ELF_NOT_PACKED;
	return !out->sections || out->write_exec || out->is_static ? ELF_PACKED : ELF_NOT_PACKED;
}

int elf_read(const void *data, size_t n, struct elf *out, struct error *e)
{
	struct view v = { .data = data, .n = n };
	struct segment segs[PHNUM_MAX];
	struct header h = { 0 };
	int r;

	*out = (struct elf){ .stripped = true, .canary = ELF_UNKNOWN, .fortify = ELF_UNKNOWN };
	r = read_header(&v, &h, out, e);
	if (r < 0)
		return r;
	if (h.phnum && h.phentsize != (v.wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
		return error_set(e, -EBADMSG, "ELF header: program headers of %u bytes", h.phentsize);
	if (h.phnum > PHNUM_MAX)
		return error_set(e, -EBADMSG, "ELF header: %u program headers", h.phnum);
	if (h.phnum && !inside(&v, h.phoff, (uint64_t)h.phnum * h.phentsize))
		return error_set(e, -EBADMSG, "ELF header: program headers beyond the file");
	if (!h.phnum && (out->kind == ELF_PROGRAM || out->kind == ELF_LIBRARY))
		return error_set(e, -EBADMSG, "ELF header: nothing to load");
	read_sections(&v, &h, out);
	r = read_segments(&v, &h, segs, out, e);
	if (r < 0 || out->kind == ELF_CORE)
		return r;
	out->packer = judge_packer(&v, &h, segs, out);
	return 0;
}
