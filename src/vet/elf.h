/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an ELF file says of itself, read from bytes that are not trusted. Both word sizes, both byte orders; nothing is mapped, relocated
 * or run. Sources: System V gABI chapters 4 and 5 (ELF header, sections, program loading, dynamic section), elf(5), and the kernel's
 * fs/binfmt_elf.c for what it looks at: the kernel and the loader use program headers alone, so what decides is read from those; section
 * headers, which anybody may strip or forge, only add the symbol table, names and notes.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ELF_NEEDED_MAX = 64, ELF_BUILD_ID_MAX = 64 };

enum elf_kind {
	ELF_OBJECT,  /* relocatable: .o, kernel module */
	ELF_PROGRAM, /* can be executed: ET_EXEC, or ET_DYN with an interpreter or DF_1_PIE */
	ELF_LIBRARY, /* ET_DYN otherwise */
	ELF_CORE,
};

enum elf_packer {
	ELF_NOT_PACKED,
	ELF_UPX,	  /* its marks stand where UPX puts them */
	ELF_PACKED,	  /* code that looks compressed or encrypted, without what compilers leave */
};

/* "unknown" is an answer: a stripped static program shows no names. */
enum elf_answer { ELF_NO, ELF_YES, ELF_UNKNOWN };

/* Strings point into the file's bytes, are not escaped and end with NUL inside of it. */
struct elf {
	enum elf_kind kind;
	uint8_t bits;		  /* 32 or 64 */
	bool big_endian;
	uint16_t machine;	  /* EM_* of <elf.h> */
	bool pie;		  /* a program that can be loaded anywhere */
	bool is_static;		  /* no interpreter and no DT_NEEDED */
	bool relro, now;	  /* PT_GNU_RELRO; and with `now` all of the table of functions as well */
	bool stack_exec;	  /* PT_GNU_STACK asks for an executable stack */
	bool stack_unsaid;	  /* no PT_GNU_STACK: executable on 32-bit x86, not elsewhere on current kernels */
	bool write_exec;	  /* a segment that is written and executed */
	bool text_relocs;	  /* DT_TEXTREL or DF_TEXTREL: code is written while it is loaded */
	bool sections;		  /* has a section table that can be read */
	bool stripped;		  /* no symbol table (.symtab) */
	bool debug_only;	  /* split-off debug data: its code is not in the file */
	bool go;		  /* made by the Go compiler, to which canary and FORTIFY mean nothing */
	enum elf_answer canary, fortify;
	const char *interpreter;  /* NULL: none */
	const char *soname, *rpath, *runpath;
	const char *needed[ELF_NEEDED_MAX];
	size_t n_needed;	  /* of those in `needed`; `needed_more` counts the rest */
	size_t needed_more;
	char build_id[2 * ELF_BUILD_ID_MAX + 1]; /* hex, "" when there is none */
	double entropy;		  /* bits a byte of executable segments, sampled; 0 when there are none */
	enum elf_packer packer;
};

/* Does it begin like one? Cheap, for a first look. */
bool elf_is(const void *data, size_t n);

/*
 * Reads `n` bytes. -ENOEXEC: no ELF file at all. -EBADMSG: damaged, or made so that two readers would disagree; `e` says where, and what had
 * been read until then stands in `out`.
 */
int elf_read(const void *data, size_t n, struct elf *out, struct error *e);

/* Shannon's entropy in bits a byte, 0 to 8. */
double elf_entropy(const void *data, size_t n);
