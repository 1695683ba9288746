/* SPDX-License-Identifier: Apache-2.0 */
#include "base/signal.h"

#include "base/str.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

enum { RT_FIRST = 34, RT_LAST = 64 };

int signal_number(const char *s)
{
	uint64_t n;

	if (parse_u64(s, 1, RT_LAST, &n) == 0)
		return (int)n;
	if (strncasecmp(s, "SIG", 3) == 0)
		s += 3;
	if (strncasecmp(s, "RTMIN", 5) == 0) {
		if (!s[5])
			return RT_FIRST;
		return s[5] == '+' && parse_u64(s + 6, 0, RT_LAST - RT_FIRST, &n) == 0 ? RT_FIRST + (int)n : -EINVAL;
	}
	if (strncasecmp(s, "RTMAX", 5) == 0) {
		if (!s[5])
			return RT_LAST;
		return s[5] == '-' && parse_u64(s + 6, 0, RT_LAST - RT_FIRST, &n) == 0 ? RT_LAST - (int)n : -EINVAL;
	}
	for (int i = 1; i < RT_FIRST; i++) {
		const char *name = sigabbrev_np(i);

		if (name && strcasecmp(name, s) == 0)
			return i;
	}
	/* Second names of the same numbers, signal(7). */
	return strcasecmp(s, "IOT") == 0 ? SIGABRT : strcasecmp(s, "CLD") == 0 ? SIGCHLD :
	       strcasecmp(s, "POLL") == 0 ? SIGPOLL : -EINVAL;
}
