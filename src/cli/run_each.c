/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_each.h"

#include "base/cleanup.h"
#include "cli/cli.h"

#include <stdio.h>

int run_each(char **argv, bool missing_ok, int (*fn)(struct container *c, void *arg, struct error *e), void *arg)
{
	int result = 0;

	strv_foreach(name, argv) {
		struct error e = { 0 };
		struct container c;
		int r = container_find(*name, &c, &e);

		if (r == -ENOENT && missing_ok)
			continue;
		if (r == 0) {
			r = fn(&c, arg, &e);
			container_free(&c);
		}
		if (r < 0) {
			fflush(stdout);
			cli_fail(&e);
			result = 1;
		} else {
			_cleanup_free_ char *safe = str_escape(*name);

			printf("%s\n", safe);
		}
	}
	return result;
}
