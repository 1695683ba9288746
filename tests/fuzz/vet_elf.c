/* SPDX-License-Identifier: Apache-2.0 */
/* An ELF file: every string that comes out ends inside of the input, and numbers are within what the header promises. */
#include "vet/elf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *begin, *stop;

static void check(const char *s)
{
	const uint8_t *p = (const uint8_t *)s;

	if (s && (p < begin || p >= stop || !memchr(p, 0, (size_t)(stop - p))))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = { 0 };
	struct elf f;
	int r;

	begin = data, stop = data + size;
	r = elf_read(data, size, &f, &e);
	if (r < 0 && (!e.text[0] || (r != -ENOEXEC && r != -EBADMSG)))
		abort();
	check(f.interpreter);
	check(f.soname);
	check(f.rpath);
	check(f.runpath);
	if (f.n_needed > ELF_NEEDED_MAX || f.entropy < 0 || f.entropy > 8.001 || strlen(f.build_id) > 2 * ELF_BUILD_ID_MAX)
		abort();
	for (size_t i = 0; i < f.n_needed; i++) {
		if (!f.needed[i] && r == 0)
			abort();
		check(f.needed[i]);
	}
	return 0;
}
