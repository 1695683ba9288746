/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/report.h"

#include "base/cleanup.h"

#include <ctype.h>

static void put_where(const struct vet *v, const struct vet_finding *f, struct buf *out)
{
	_cleanup_free_ char *rule = str_escape(f->rule), *path = f->path ? str_escape(f->path) : NULL;

	buf_printf(out, "          %s", rule);
	if (path)
		buf_printf(out, "  /%s", path);
	if (f->layer >= 0 && v->n_layers > 1)
		buf_printf(out, "  (layer %d of %zu%s)", f->layer + 1, v->n_layers, f->hidden ? ", removed by a higher one" : "");
	buf_puts(out, "\n");
}

static void put_finding(const struct vet *v, const struct vet_finding *f, struct buf *out)
{
	_cleanup_free_ char *title = str_escape(f->title), *why = str_escape(f->why);
	char level[12];
	size_t i;

	for (i = 0; vet_level_name(f->level)[i] && i + 1 < sizeof(level); i++)
		level[i] = (char)toupper((unsigned char)vet_level_name(f->level)[i]);
	level[i] = 0;
	buf_printf(out, "%-8s  %s\n", level, title);
	put_where(v, f, out);
	if (*why)
		buf_printf(out, "          %s\n", why);
}

void vet_report_table(const struct vet *v, struct buf *out)
{
	_cleanup_free_ char *name = str_escape(v->name);
	size_t by_level[VET_LEVELS], i;
	const json_t *text;

	vet_count(v, by_level);
	for (i = 0; i < v->n_findings; i++)
		put_finding(v, &v->findings[i], out);
	json_array_foreach(json_object_get(v->facts, "not_looked"), i, text) {
		_cleanup_free_ char *safe = str_escape(json_string_value(text));

		buf_printf(out, "NOT LOOKED AT  %s\n", safe);
	}
	buf_printf(out, "%s%s: %zu files in %zu %s", v->n_findings ? "\n" : "", name, v->n_files, v->n_layers,
		   v->n_layers == 1 ? "layer" : "layers");
	if (!v->n_findings)
		buf_puts(out, "; nothing found");
	for (i = 0; i < VET_LEVELS; i++)
		if (by_level[i])
			buf_printf(out, "; %zu %s", by_level[i], vet_level_name((enum vet_level)i));
	buf_puts(out, "\n");
}
