/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "vet/elf.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Writes ELF files of both widths and orders, by hand: fields go where the gABI says. */
struct maker {
	unsigned char b[65536];
	size_t n;
	bool wide, big;
	unsigned phnum;
};

static void put(struct maker *m, size_t at, uint64_t value, unsigned width)
{
	for (unsigned i = 0; i < width; i++)
		m->b[at + (m->big ? width - 1 - i : i)] = (unsigned char)(value >> 8 * i);
	if (at + width > m->n)
		m->n = at + width;
}

static void word(struct maker *m, size_t at, uint64_t value)
{
	put(m, at, value, m->wide ? 8 : 4);
}

enum { PHOFF = 64, BODY = 1024, BASE = 0x10000 };

static void start(struct maker *m, bool wide, bool big, unsigned type)
{
	memset(m, 0, sizeof(*m));
	m->wide = wide, m->big = big;
	memcpy(m->b, ELFMAG, SELFMAG);
	m->b[EI_CLASS] = wide ? ELFCLASS64 : ELFCLASS32;
	m->b[EI_DATA] = big ? ELFDATA2MSB : ELFDATA2LSB;
	put(m, 16, type, 2);
	put(m, 18, 62, 2);
	word(m, wide ? 32 : 28, PHOFF);
	put(m, wide ? 54 : 42, wide ? 56 : 32, 2);
	m->n = BODY;
}

static void segment(struct maker *m, unsigned type, unsigned flags, uint64_t offset, uint64_t size)
{
	size_t at = PHOFF + m->phnum++ * (m->wide ? 56 : 32);

	put(m, at, type, 4);
	put(m, at + (m->wide ? 4 : 24), flags, 4);
	word(m, at + (m->wide ? 8 : 4), offset);
	word(m, at + (m->wide ? 16 : 8), BASE + offset);
	word(m, at + (m->wide ? 32 : 16), size);
	word(m, at + (m->wide ? 40 : 20), size);
	put(m, m->wide ? 56 : 44, m->phnum, 2);
}

static const char strings[] = "\0libc.so.6\0libz.so.1\0__stack_chk_fail\0__memcpy_chk\0/opt/lib\0libme.so";
enum { S_LIBC = 1, S_LIBZ = 11, S_CANARY = 21, S_CHK = 38, S_RPATH = 51, S_SONAME = 60 };

/* A dynamic section at BODY + 512, its strings at BODY. */
static void dynamic(struct maker *m, const uint64_t (*entries)[2], size_t n)
{
	size_t at = BODY + 512, step = m->wide ? 8 : 4;

	memcpy(m->b + BODY, strings, sizeof(strings));
	for (size_t i = 0; i < n; i++, at += 2 * step) {
		word(m, at, entries[i][0]);
		word(m, at + step, entries[i][1]);
	}
	word(m, at, DT_STRTAB), word(m, at + step, BASE + BODY), at += 2 * step;
	word(m, at, DT_STRSZ), word(m, at + step, sizeof(strings)), at += 2 * step;
	word(m, at, DT_NULL), word(m, at + step, 0), at += 2 * step;
	segment(m, PT_DYNAMIC, PF_R | PF_W, BODY + 512, at - BODY - 512);
}

static void reads_all_kinds(void **state)
{
	static struct maker m;
	static const uint64_t entries[][2] = {
		{ DT_NEEDED, S_LIBC }, { DT_NEEDED, S_LIBZ }, { DT_RUNPATH, S_RPATH }, { DT_FLAGS_1, DF_1_NOW | DF_1_PIE },
	};

	(void)state;
	for (int k = 0; k < 4; k++) {
		struct error e = { 0 };
		struct elf f;

		start(&m, k & 1, k & 2, ET_DYN);
		segment(&m, PT_LOAD, PF_R | PF_X, 0, 4096);
		segment(&m, PT_GNU_STACK, PF_R | PF_W, 0, 0);
		segment(&m, PT_GNU_RELRO, PF_R, 0, 0);
		memcpy(m.b + 3000, "/lib/ld.so", 11);
		segment(&m, PT_INTERP, PF_R, 3000, 11);
		put(&m, 3100, 4, 4), put(&m, 3104, 3, 4), put(&m, 3108, NT_GNU_BUILD_ID, 4);
		memcpy(m.b + 3112, "GNU\0\x0a\xbc\xff", 8);
		segment(&m, PT_NOTE, PF_R, 3100, 20);
		dynamic(&m, entries, 4);
		m.n = 4096;
		assert_int_equal(elf_read(m.b, m.n, &f, &e), 0);
		assert_int_equal(f.bits, k & 1 ? 64 : 32);
		assert_true(f.big_endian == !!(k & 2));
		assert_int_equal(f.kind, ELF_PROGRAM);
		assert_int_equal(f.machine, 62);
		assert_true(f.pie && f.now && f.relro && !f.stack_exec && !f.stack_unsaid && !f.write_exec && !f.is_static);
		assert_true(f.stripped && !f.sections && !f.debug_only && !f.go && !f.text_relocs);
		assert_int_equal(f.canary, ELF_YES);
		assert_int_equal(f.fortify, ELF_YES);
		assert_int_equal(f.n_needed, 2);
		assert_string_equal(f.needed[0], "libc.so.6");
		assert_string_equal(f.needed[1], "libz.so.1");
		assert_string_equal(f.interpreter, "/lib/ld.so");
		assert_string_equal(f.runpath, "/opt/lib");
		assert_null(f.rpath);
		assert_string_equal(f.build_id, "0abcff");
		assert_int_equal(f.packer, ELF_NOT_PACKED);
	}
}

static void sees_what_is_missing(void **state)
{
	static struct maker m;
	static const uint64_t entries[][2] = { { DT_NEEDED, S_LIBC }, { DT_TEXTREL, 0 }, { DT_RPATH, S_RPATH } };
	struct error e = { 0 };
	struct elf f;

	(void)state;
	start(&m, true, false, ET_EXEC);
	segment(&m, PT_LOAD, PF_R | PF_W | PF_X, 0, 4096);
	segment(&m, PT_GNU_STACK, PF_R | PF_W | PF_X, 0, 0);
	dynamic(&m, entries, 3);
	memset(m.b + BODY + S_CANARY, 'x', 29);
	m.n = 4096;
	assert_int_equal(elf_read(m.b, m.n, &f, &e), 0);
	assert_true(!f.pie && !f.relro && !f.now && f.stack_exec && f.write_exec && f.text_relocs);
	assert_int_equal(f.canary, ELF_NO);
	assert_int_equal(f.fortify, ELF_NO);
	assert_string_equal(f.rpath, "/opt/lib");
}

static void noise(unsigned char *p, size_t n)
{
	uint64_t x = 88172645463325252ULL;

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		p[i] = (unsigned char)(x >> 32);
	}
}

static void tells_packers(void **state)
{
	static struct maker m;
	struct elf f;

	(void)state;
	assert_true(elf_entropy("aaaaaaaa", 8) < 0.01);
	assert_true(elf_entropy("abababab", 8) > 0.99 && elf_entropy("abababab", 8) < 1.01);
	start(&m, true, false, ET_EXEC);
	segment(&m, PT_LOAD, PF_R | PF_X, 0, 60000);
	for (size_t i = BODY; i < 60000; i++)
		m.b[i] = (unsigned char)(i % 50); /* as orderly as code */
	m.n = 60000;
	assert_int_equal(elf_read(m.b, m.n, &f, NULL), 0);
	assert_int_equal(f.packer, ELF_NOT_PACKED);
	assert_true(f.is_static && f.entropy > 4 && f.entropy < 6);
	noise(m.b + BODY, 60000 - BODY);
	assert_int_equal(elf_read(m.b, m.n, &f, NULL), 0);
	assert_int_equal(f.packer, ELF_PACKED);
	assert_true(f.entropy > 7.8);
	memcpy(m.b + PHOFF + 56 + 4, "UPX!", 4);
	assert_int_equal(elf_read(m.b, m.n, &f, NULL), 0);
	assert_int_equal(f.packer, ELF_UPX);
}

static void refuses(void **state)
{
	static struct maker m;
	static const uint64_t entries[][2] = { { DT_NEEDED, S_LIBC } }, beyond[][2] = { { DT_NEEDED, 5000 } };
	struct error e = { 0 };
	struct elf f;

	(void)state;
	assert_int_equal(elf_read("#!/bin/sh\n", 10, &f, &e), -ENOEXEC);
	assert_int_equal(elf_read("", 0, &f, &e), -ENOEXEC);
	assert_false(elf_is("\177EL", 3));
	assert_int_equal(elf_read("\177ELF\3\1\1\0\0\0\0\0\0\0\0\0", 16, &f, &e), -EBADMSG);
	start(&m, true, false, ET_EXEC);
	assert_int_equal(elf_read(m.b, 40, &f, &e), -EBADMSG);
	assert_string_equal(e.text, "ELF header: cut");
	assert_int_equal(elf_read(m.b, m.n, &f, &e), -EBADMSG);
	assert_string_equal(e.text, "ELF header: nothing to load");
	segment(&m, PT_LOAD, PF_R, 0, 4096);
	assert_int_equal(elf_read(m.b, m.n, &f, &e), -EBADMSG); /* 1024 bytes are there */
	assert_string_equal(e.text, "program header 0: reaches beyond the file");
	put(&m, 54, 55, 2);
	assert_int_equal(elf_read(m.b, m.n, &f, &e), -EBADMSG);
	assert_string_equal(e.text, "ELF header: program headers of 55 bytes");
	start(&m, true, false, ET_EXEC);
	word(&m, 32, UINT64_MAX - 8);
	put(&m, 56, 1, 2);
	assert_int_equal(elf_read(m.b, m.n, &f, &e), -EBADMSG);
	assert_string_equal(e.text, "ELF header: program headers beyond the file");
	start(&m, false, true, ET_DYN);
	segment(&m, PT_LOAD, PF_R, 0, 4096);
	segment(&m, PT_INTERP, PF_R, 4000, 8);
	memset(m.b + 4000, 'a', 8);
	m.n = 4096;
	assert_int_equal(elf_read(m.b, m.n, &f, &e), -EBADMSG);
	assert_string_equal(e.text, "program header 1: the interpreter's name has no end");
	start(&m, false, false, ET_DYN);
	dynamic(&m, entries, 1); /* no segment holds the strings */
	assert_int_equal(elf_read(m.b, m.n, &f, &e), -EBADMSG);
	assert_string_equal(e.text, "dynamic section: its strings are not in the file");
	assert_int_equal(f.n_needed, 0);
	start(&m, false, false, ET_DYN);
	segment(&m, PT_LOAD, PF_R, 0, 4096);
	dynamic(&m, beyond, 1);
	m.n = 4096;
	assert_int_equal(elf_read(m.b, m.n, &f, &e), -EBADMSG);
	assert_string_equal(e.text, "dynamic section: a needed library without a name");
}

static void each_length_is_safe(void **state)
{
	static struct maker m;
	static const uint64_t entries[][2] = { { DT_NEEDED, S_LIBC }, { DT_SONAME, S_SONAME } };
	struct elf f;

	(void)state;
	start(&m, true, false, ET_DYN);
	segment(&m, PT_LOAD, PF_R | PF_X, 0, 2048);
	dynamic(&m, entries, 2);
	m.n = 2048;
	for (size_t n = 0; n <= m.n; n++) {
		_cleanup_free_ unsigned char *copy = xmalloc(n + 1);

		memcpy(copy, m.b, n);
		assert_int_equal(elf_read(copy, n, &f, NULL), n == m.n ? 0 : n < SELFMAG || n < EI_NIDENT ? -ENOEXEC : -EBADMSG);
	}
	assert_int_equal(elf_read(m.b, m.n, &f, NULL), 0);
	assert_string_equal(f.soname, "libme.so");
	assert_int_equal(f.kind, ELF_LIBRARY);
}

static void map(const char *path, const void **data, size_t *n)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	*n = (size_t)st.st_size;
	*data = mmap(NULL, *n, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(*data != MAP_FAILED);
	close(fd);
}

/* This test is built with everything that the house asks for, and so is the static monitor. */
static void reads_real_ones(void **state)
{
	const void *data;
	struct elf f;
	size_t n;

	(void)state;
	map("/proc/self/exe", &data, &n);
	assert_int_equal(elf_read(data, n, &f, NULL), 0);
	assert_true(f.pie && f.relro && f.now && !f.stack_exec && !f.is_static && !f.stripped && f.sections && !f.write_exec);
	assert_int_equal(f.canary, ELF_YES);
	assert_true(strstr(f.interpreter, "/ld") != NULL);
	assert_true(f.n_needed > 0 && f.entropy > 3 && f.entropy < 7);
	assert_int_equal(f.packer, ELF_NOT_PACKED);
	if (access(getenv("BRIG_TEST_MONITOR"), R_OK) < 0)
		return;
	map(getenv("BRIG_TEST_MONITOR"), &data, &n);
	assert_int_equal(elf_read(data, n, &f, NULL), 0);
	assert_true(f.pie && !f.stack_exec && f.kind == ELF_PROGRAM);
	assert_int_equal(f.packer, ELF_NOT_PACKED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_all_kinds),
		cmocka_unit_test(sees_what_is_missing),
		cmocka_unit_test(tells_packers),
		cmocka_unit_test(refuses),
		cmocka_unit_test(each_length_is_safe),
		cmocka_unit_test(reads_real_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
