/* SPDX-License-Identifier: Apache-2.0 */
#include "image/scope.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <string.h>

bool scope_walk(const char *image, bool (*fn)(void *arg, const char *scope), void *arg)
{
	_cleanup_free_ char *s = xstrdup(image);
	char *slash, *at = strchr(s, '@'), *colon;

	if (fn(arg, s))
		return true;
	slash = strrchr(s, '/');
	colon = slash ? strchr(slash, ':') : NULL;
	if (at)
		*at = 0;
	else if (colon)
		*colon = 0;
	while (slash) {
		if (fn(arg, s))
			return true;
		slash = strrchr(s, '/');
		if (slash)
			*slash = 0;
	}
	/* What is left is the host; its port does not count for a wildcard, as podman has it. */
	colon = strchr(s, ':');
	if (colon)
		*colon = 0;
	for (const char *dot = strchr(s, '.'); dot; dot = strchr(dot + 1, '.')) {
		_cleanup_free_ char *wildcard = xasprintf("*%s", dot);

		if (fn(arg, wildcard))
			return true;
	}
	return false;
}
