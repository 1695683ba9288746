/* SPDX-License-Identifier: Apache-2.0 */
/* --env-file and --label-file: every entry that comes out is KEY=value, each key once, UTF-8, and fits execve. */
#include "engine/envfile.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(char *const *env)
{
	strv_foreach(v, env) {
		const char *eq = strchr(*v, '=');

		if (!eq || eq == *v || !env_text_ok(*v) || strchr(*v, '\n'))
			abort();
		char *key = xstrndup(*v, (size_t)(eq - *v));
		if (env_get(env, key) != eq + 1)
			abort();
		free(key);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int labels = 0; labels < 2; labels++) {
		struct error e = { 0 };
		char **env = NULL;

		if (env_file_parse(&env, (const char *)data, size, "fuzz", labels, &e) < 0 && !strstr(e.text, "fuzz:"))
			abort();
		check(env);
		strv_free(env);
	}
	return 0;
}
