/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planted bug: a fuzz job that cannot find it is not fuzzing. Linked into plant_NAME beside the target, this
 * replaces error_set() and error_errno() and aborts when the code under test has refused input at three different
 * places. A target whose code does not speak struct error plants its own bug under #ifdef FUZZ_PLANT.
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { PLANT_SITES = 3 };

__attribute__((format(printf, 3, 4))) int __wrap_error_set(struct error *e, int err, const char *fmt, ...);
__attribute__((format(printf, 3, 4))) int __wrap_error_errno(struct error *e, int err, const char *fmt, ...);

static void plant_reach(const void *site)
{
	static const void *sites[PLANT_SITES];
	static unsigned n;

	for (unsigned i = 0; i < n; i++)
		if (sites[i] == site)
			return;
	sites[n++] = site;
	if (n == PLANT_SITES) {
		fprintf(stderr, "PLANTED BUG reached\n");
		abort();
	}
}

__attribute__((format(printf, 3, 0))) static int plant_fill(struct error *e, int err, const char *fmt, va_list ap)
{
	int code = err > 0 ? -err : err;

	if (e) {
		e->code = code;
		e->exit = 0;
		vsnprintf(e->text, sizeof(e->text), fmt, ap);
	}
	return code;
}

int __wrap_error_set(struct error *e, int err, const char *fmt, ...)
{
	va_list ap;

	plant_reach(__builtin_return_address(0));
	va_start(ap, fmt);
	int r = plant_fill(e, err, fmt, ap);
	va_end(ap);
	return r;
}

int __wrap_error_errno(struct error *e, int err, const char *fmt, ...)
{
	va_list ap;

	plant_reach(__builtin_return_address(0));
	va_start(ap, fmt);
	int r = plant_fill(e, err, fmt, ap);
	va_end(ap);
	return r;
}
