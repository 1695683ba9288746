/* SPDX-License-Identifier: Apache-2.0 */
/* Three versions, a line each: every scheme orders them, and the order is one. */
#include "vet/version.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void plant(const char *a, const char *b)
{
#ifdef FUZZ_PLANT
	/* What only inputs that reach into two orders show: a pair that dpkg and rpm disagree about. */
	if (strchr(a, '~') && strchr(b, ':') && version_compare(VERSION_DPKG, a, b) < 0 && version_compare(VERSION_RPM, a, b) > 0) {
		fprintf(stderr, "PLANTED BUG reached\n");
		abort();
	}
#else
	(void)a;
	(void)b;
#endif
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[256], *part[3], *save = NULL;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	part[0] = strtok_r(text, "\n", &save);
	part[1] = part[0] ? strtok_r(NULL, "\n", &save) : NULL;
	part[2] = part[1] ? strtok_r(NULL, "\n", &save) : NULL;
	if (!part[2])
		return 0;
	plant(part[0], part[1]);
	for (int s = 0; s < VERSION_SCHEMES; s++)
		for (int i = 0; i < 3; i++) {
			const char *a = part[i], *b = part[(i + 1) % 3];

			if (version_compare((enum version_scheme)s, a, a) != 0 ||
			    sign(version_compare((enum version_scheme)s, a, b)) != -sign(version_compare((enum version_scheme)s, b, a)))
				abort();
		}
	return 0;
}
