/* SPDX-License-Identifier: Apache-2.0 */
/* brig.conf: whatever a file says, the result is within the ranges that the program relies on. */
#include "base/conf.h"
#include "base/str.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size);
	struct error e = { 0 };
	struct conf c;

	conf_defaults(&c);
	if (conf_parse(&c, text, "fuzz", &e) == 0) {
		if (c.pids < 1 || c.pids > 4194304 || c.cpu_weight < 1 || c.cpu_weight > 10000 || c.io_weight > 10000 ||
		    c.nofile < 16 || c.log_files < 1 || c.log_files > 1000 || c.memory > INT64_MAX ||
		    c.stop_timeout > 86400 || c.disk < 1 << 20)
			abort();
		if (!streq(c.network, "private") && !streq(c.network, "none"))
			abort();
		strv_foreach(it, c.accept_lowered)
			if (!**it || strpbrk(*it, " ,\t\n"))
				abort();
	} else if (!strstr(e.text, "fuzz:")) {
		abort(); /* every error names its line */
	}
	conf_free(&c);
	free(text);
	return 0;
}
