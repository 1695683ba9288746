/* SPDX-License-Identifier: Apache-2.0 */
#include "confine/caps.h"

#include "base/capname.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>

char *caps_text(uint64_t caps)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < CAP_NAMES; i++)
		if (caps >> i & 1)
			buf_printf(&b, "%s%s", b.len ? ", " : "", cap_name((int)i));
	if (!b.len)
		buf_puts(&b, "none");
	return buf_steal(&b);
}

int caps_parse(const char *name, uint64_t *bits, struct error *e)
{
	_cleanup_free_ char *safe = NULL;

	int cap;

	if (strcasecmp(name, "all") == 0) {
		*bits = CAP_BIT(CAP_NAMES) - 1;
		return 0;
	}
	cap = cap_by_name(name);
	if (cap >= 0) {
		*bits = CAP_BIT(cap);
		return 0;
	}
	if (strncasecmp(name, "cap_", 4) == 0)
		name += 4;
	safe = str_escape(name);
	return error_set(e, EINVAL, "\"%s\" is not a capability (capabilities(7) lists them)", safe);
}
