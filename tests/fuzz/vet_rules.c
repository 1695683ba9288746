/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of secrets: what is refused says where; what is accepted can be used on the rules' own text. */
#include "vet/secret.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *begin;
static size_t length;

static void found(void *arg, const struct secret *s)
{
	(void)arg;
	if (s->offset > length || s->len > length - s->offset || s->text != begin + s->offset)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct secret_rules r = { 0 };
	struct error e = { 0 };

	begin = data, length = size;
	if (secret_rules_parse(&r, (const char *)data, size, "f", &e) < 0) {
		if (strncmp(e.text, "f:", 2) != 0)
			abort();
	} else if (secret_rules_ready(&r, &e) == 0) {
		secret_scan(&r, "etc/x", data, size, found, NULL);
		secret_scan(&r, ":env", data, size, found, NULL);
	}
	secret_rules_free(&r);
	return 0;
}
