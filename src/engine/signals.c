/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/signals.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <signal.h>
#include <string.h>
#include <strings.h>

int signal_parse(const char *name, struct error *e)
{
	const char *s = strncasecmp(name, "SIG", 3) == 0 ? name + 3 : name;
	_cleanup_free_ char *safe = NULL;
	uint64_t n;

	if (parse_u64(s, 1, 64, &n) == 0)
		return (int)n;
	for (int i = 1; i < 32; i++) {
		const char *known = sigabbrev_np(i);

		if (known && strcasecmp(known, s) == 0)
			return i;
	}
	/* 32 and 33 are the C library's own: SIGRTMIN is 34 for everybody who writes a number. */
	if (strncasecmp(s, "RTMIN", 5) == 0 && (!s[5] || (s[5] == '+' && parse_u64(s + 6, 0, 30, &n) == 0)))
		return 34 + (s[5] ? (int)n : 0);
	if (strncasecmp(s, "RTMAX", 5) == 0 && (!s[5] || (s[5] == '-' && parse_u64(s + 6, 0, 30, &n) == 0)))
		return 64 - (s[5] ? (int)n : 0);
	safe = str_escape(name);
	return error_set(e, EINVAL, "\"%s\" is not a signal", safe);
}
