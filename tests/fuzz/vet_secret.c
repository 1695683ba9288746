/* SPDX-License-Identifier: Apache-2.0 */
/* The scanner of secrets with the real rules: every secret lies within the input, and no more than four characters of it are told. */
#include "base/fd.h"
#include "vet/secret.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *begin, *stop;
#ifdef FUZZ_PLANT
static unsigned seen;
#endif

static void found(void *arg, const struct secret *s)
{
	char *said = secret_preview(s);

	(void)arg;
	if (s->text < begin || s->len == 0 || s->len > (size_t)(stop - s->text) || s->text != begin + s->offset)
		abort();
	if (strcspn(said, ".") > 4 && s->text[0] != '.')
		abort();
	free(said);
#ifdef FUZZ_PLANT
	seen |= s->rule->checks & SECRET_USERPASS ? 1 : s->rule->checks & SECRET_PEM ? 2 : 0;
	if (seen == 3) {
		fprintf(stderr, "PLANTED BUG reached\n");
		abort();
	}
#endif
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = { "srv/a", "root/.docker/config.json", "root/.netrc", ":env", "srv/.env" };
	static struct secret_rules rules;

	if (!rules.n) {
		struct error e = { 0 };
		char *text;
		size_t n;

		if (file_read(AT_FDCWD, TEST_DATA "/vet-secrets.rules", 1 << 20, &text, &n) < 0 ||
		    secret_rules_parse(&rules, text, n, "rules", &e) < 0 || secret_rules_ready(&rules, &e) < 0)
			abort();
		free(text);
	}
	if (size == 0)
		return 0;
	begin = data + 1, stop = data + size;
	secret_scan(&rules, paths[data[0] % 5], data + 1, size - 1, found, NULL);
	return 0;
}
