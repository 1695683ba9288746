/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void cut_mark(struct error *e, int n)
{
	if (n >= ERROR_TEXT_MAX)
		memcpy(e->text + ERROR_TEXT_MAX - 4, "...", 4);
}

static int negative(int err)
{
	if (err == 0)
		err = EINVAL;
	return err < 0 ? err : -err;
}

int error_set(struct error *e, int err, const char *fmt, ...)
{
	va_list ap;

	err = negative(err);
	if (!e)
		return err;
	e->code = err;
	e->hint = 0;
	va_start(ap, fmt);
	cut_mark(e, vsnprintf(e->text, sizeof(e->text), fmt, ap));
	va_end(ap);
	return err;
}

int error_errno(struct error *e, int err, const char *fmt, ...)
{
	va_list ap;
	size_t used;
	int n;

	err = negative(err);
	if (!e)
		return err;
	e->code = err;
	e->hint = 0;
	va_start(ap, fmt);
	n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	cut_mark(e, n);
	used = strlen(e->text);
	cut_mark(e, (int)used + snprintf(e->text + used, sizeof(e->text) - used, ": %s", strerror(-err)));
	return err;
}

int error_wrap(struct error *e, const char *fmt, ...)
{
	char head[ERROR_TEXT_MAX / 2], tail[ERROR_TEXT_MAX];
	va_list ap;

	if (!e || e->code == 0)
		return -EINVAL;
	va_start(ap, fmt);
	vsnprintf(head, sizeof(head), fmt, ap);
	va_end(ap);
	memcpy(tail, e->text, sizeof(tail));
	cut_mark(e, snprintf(e->text, sizeof(e->text), "%s: %s", head, tail));
	if (e->hint) {
		e->hint += (unsigned)strlen(head) + 2;
		if (e->hint >= ERROR_TEXT_MAX)
			e->hint = 0;
	}
	return e->code;
}

void error_hint(struct error *e, const char *fmt, ...)
{
	va_list ap;
	size_t used;
	int n;

	if (!e)
		return;
	used = strlen(e->text);
	n = snprintf(e->text + used, sizeof(e->text) - used, "\n  hint: ");
	if (n < 0 || used + (size_t)n >= sizeof(e->text))
		return;
	if (!e->hint)
		e->hint = (unsigned)used;
	used += (size_t)n;
	va_start(ap, fmt);
	cut_mark(e, (int)used + vsnprintf(e->text + used, sizeof(e->text) - used, fmt, ap));
	va_end(ap);
}

const char *error_name(int err)
{
	const char *name = strerrorname_np(err < 0 ? -err : err);

	return name ? name : "E?";
}
