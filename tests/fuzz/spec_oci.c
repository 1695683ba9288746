/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bundle's config.json, parsed, and its seccomp profile planned: what is refused leaves nothing and says where; a filter that is
 * made jumps forwards, inside, to answers only.
 */
#include "base/cleanup.h"
#include "confine/seccomp_oci.h"
#include "spec/oci_parse.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_jumps(const struct sock_filter *f, unsigned n)
{
	if (n == 0 || n > BPF_MAXINSNS || BPF_CLASS(f[n - 1].code) != BPF_RET)
		abort();
	for (unsigned i = 0; i < n; i++) {
		unsigned far = 0;

		if (BPF_CLASS(f[i].code) == BPF_JMP)
			far = BPF_OP(f[i].code) == BPF_JA ? f[i].k : f[i].jt > f[i].jf ? f[i].jt : f[i].jf;
		if (far >= n - i - 1 && BPF_CLASS(f[i].code) != BPF_RET)
			abort();
	}
}

static void plan(const struct oci_config *c)
{
	_cleanup_free_ struct sock_filter *f = NULL;
	struct error e = { 0 };
	unsigned n = 0;

	if (!c->seccomp.set)
		return;
	if (seccomp_oci_compile(&c->seccomp, &f, &n, &e) == 0)
		check_jumps(f, n);
	else if (!strstr(e.text, "linux.seccomp"))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct oci_config empty = { .process.umask = -1 };
	/* As oci_config_read() does after reading the file, which ends with a NUL there. */
	_cleanup_free_ char *text = xmalloc(size + 1), *longer = NULL;
	_cleanup_json_ json_t *j = NULL;
	struct error e = { 0 };
	struct oci_config c;

	memcpy(text, data, size);
	text[size] = 0;
	longer = oci_long_numbers(text, size);
	j = json_parse(longer ? longer : text, longer ? strlen(longer) : size, "config.json", &e);
	if (!j)
		return 0;
	if (oci_config_parse(j, &c, &e) < 0) {
		if (strncmp(e.text, "config.json: ", 13) != 0 || e.code >= 0 || memcmp(&c, &empty, sizeof(c)) != 0)
			abort();
		return 0;
	}
	plan(&c);
	oci_config_free(&c);
	return 0;
}
