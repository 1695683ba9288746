/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/report.h"

#include "base/cleanup.h"

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n"
	"<style>\n"
	"body { font: 15px/1.45 sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff; }\n"
	"table { border-collapse: collapse; width: 100%; }\n"
	"td, th { text-align: left; vertical-align: top; padding: .4em .7em; border-bottom: 1px solid #ddd; overflow-wrap: anywhere; }\n"
	"code { font-size: 90%; }\n"
	"small { color: #555; }\n"
	".critical, .high { color: #a00; font-weight: bold; }\n"
	".medium { color: #950; font-weight: bold; }\n"
	"</style>\n<title>brig vet: ";

static void put_row(const struct vet *v, const struct vet_finding *f, struct buf *out)
{
	const char *level = vet_level_name(f->level);

	buf_printf(out, "<tr><td class=\"%s\">%s</td><td><code>", level, level);
	vet_put_xml(out, f->rule);
	buf_puts(out, "</code></td><td>");
	vet_put_xml(out, f->title);
	buf_puts(out, "<br><small>");
	vet_put_xml(out, f->why);
	buf_puts(out, "</small></td><td>");
	if (f->path) {
		buf_puts(out, "<code>/");
		vet_put_xml(out, f->path);
		buf_puts(out, "</code>");
	}
	if (f->layer >= 0 && v->n_layers > 1)
		buf_printf(out, "<br><small>layer %d of %zu%s</small>", f->layer + 1, v->n_layers, f->hidden ? ", removed by a higher one" : "");
	buf_puts(out, "</td></tr>\n");
}

static void put_summary(const struct vet *v, struct buf *out)
{
	size_t by_level[VET_LEVELS], i;
	const json_t *text;

	vet_count(v, by_level);
	buf_printf(out, "<p>%zu files in %zu %s", v->n_files, v->n_layers, v->n_layers == 1 ? "layer" : "layers");
	for (i = 0; i < VET_LEVELS; i++)
		if (by_level[i])
			buf_printf(out, "; %zu %s", by_level[i], vet_level_name((enum vet_level)i));
	buf_puts(out, v->n_findings ? ".</p>\n" : "; nothing found.</p>\n");
	if (v->digest) {
		buf_puts(out, "<p><code>sha256:");
		vet_put_xml(out, v->digest);
		buf_puts(out, "</code></p>\n");
	}
	json_array_foreach(json_object_get(v->facts, "not_looked"), i, text) {
		buf_puts(out, "<p>Not looked at: ");
		vet_put_xml(out, json_string_value(text));
		buf_puts(out, "</p>\n");
	}
}

void vet_report_html(const struct vet *v, struct buf *out)
{
	buf_puts(out, head);
	vet_put_xml(out, v->name);
	buf_puts(out, "</title>\n</head>\n<body>\n<h1>");
	vet_put_xml(out, v->name);
	buf_puts(out, "</h1>\n");
	put_summary(v, out);
	if (v->n_findings) {
		buf_puts(out, "<table>\n<tr><th>Level</th><th>Rule</th><th>What, and why it matters</th><th>Where</th></tr>\n");
		for (size_t i = 0; i < v->n_findings; i++)
			put_row(v, &v->findings[i], out);
		buf_puts(out, "</table>\n");
	}
	buf_puts(out, "</body>\n</html>\n");
}
