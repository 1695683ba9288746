/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/vet.h"

#include "base/cleanup.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const levels[] = { "critical", "high", "medium", "low", "info" };

const char *vet_level_name(enum vet_level level)
{
	return level < VET_LEVELS ? levels[level] : "?";
}

int vet_level_parse(const char *word, enum vet_level *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (!streq(word, levels[i]))
			continue;
		*out = (enum vet_level)i;
		return 0;
	}
	return -EINVAL;
}

__attribute__((format(printf, 1, 0))) static char *format(const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		return xstrdup(fmt);
	return text;
}

static struct vet_finding *next(struct vet *v)
{
	/* Room grows by halves: the number of findings is the image's to choose. */
	if ((v->n_findings & (v->n_findings - 1)) == 0)
		v->findings = xrealloc(v->findings, v->n_findings ? v->n_findings * 2 : 1, sizeof(*v->findings));
	return &v->findings[v->n_findings++];
}

void vet_take(struct vet *v, const struct vet_finding *f)
{
	*next(v) = *f;
}

void vet_add(struct vet *v, const char *check, const char *rule, enum vet_level level, const struct vet_file *f, json_t *more,
	     const char *why, const char *title, ...)
{
	struct vet_finding *to = next(v);
	va_list ap;

	*to = (struct vet_finding){ .check = xstrdup(check), .rule = xstrdup(rule), .level = level, .why = xstrdup(why), .layer = -1,
				    .more = more };
	if (f) {
		to->path = xstrdup(f->path);
		to->layer = f->layer;
		to->hidden = f->hidden;
	}
	va_start(ap, title);
	to->title = format(title, ap);
	va_end(ap);
}

json_t *vet_json(const char *s)
{
	json_t *j = s ? json_string(s) : json_null();

	if (!j) {
		_cleanup_free_ char *safe = str_escape(s);

		j = json_string(safe);
	}
	return j;
}

void vet_not_looked(struct vet *v, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	json_t *list;
	va_list ap;

	va_start(ap, fmt);
	text = format(fmt, ap);
	va_end(ap);
	if (!v->facts)
		v->facts = json_object();
	list = json_object_get(v->facts, "not_looked");
	if (!list) {
		list = json_array();
		json_object_set_new(v->facts, "not_looked", list);
	}
	json_array_append_new(list, vet_json(text));
}
