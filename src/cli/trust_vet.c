/* SPDX-License-Identifier: Apache-2.0 */
/* What brig vet finds in an image, in a few lines: for whoever is asked whether to trust it. */
#include "cli/trust_offer.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/cli.h"
#include "vet/gate.h"

#include <string.h>

enum { REPORT_MAX = 256 * 1024 * 1024, SHOWN_MAX = 5 };

static const char *const levels[] = { "critical", "high", "medium", "low", "info" };

static bool is_shown(const char *level)
{
	return !streq(level, "low") && !streq(level, "info");
}

static void show_counts(const json_t *report)
{
	const json_t *counts = json_object_get(report, "counts");
	_cleanup_buf_ struct buf b = { 0 };
	bool follow = false;

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		json_int_t n = json_integer_value(json_object_get(counts, levels[i]));

		follow |= n > 0 && is_shown(levels[i]);
		if (n > 0)
			buf_printf(&b, "%s%lld %s", b.len ? ", " : "", (long long)n, levels[i]);
	}
	cli_say("  brig vet found %s%s", b.len ? b.data : "nothing", follow ? ":" : "");
}

/* The report has the worst first; what is worth a sentence here is medium or worse. */
static void show_findings(const json_t *report)
{
	const json_t *item;
	size_t i, shown = 0, more = 0;

	json_array_foreach(json_object_get(report, "findings"), i, item) {
		const char *level = json_string_value(json_object_get(item, "level")), *title = json_string_value(json_object_get(item, "title")),
			   *path = json_string_value(json_object_get(item, "path"));
		_cleanup_free_ char *what = str_escape(title ? title : "?"), *where = str_escape(path ? path : "");

		if (!is_shown(level))
			continue;
		if (shown == SHOWN_MAX) {
			more++;
			continue;
		}
		shown++;
		cli_say("    %s: %s%s%s%s", level ? level : "?", what, *where ? " (/" : "", where, *where ? ")" : "");
	}
	if (more)
		cli_say("    and %zu more that are medium or worse", more);
}

static void show_not_looked(const json_t *report)
{
	const json_t *list = json_object_get(json_object_get(report, "facts"), "not_looked"), *item;
	size_t i;

	json_array_foreach(list, i, item) {
		_cleanup_free_ char *what = str_escape(json_string_value(item) ? json_string_value(item) : "?");

		if (i == SHOWN_MAX) {
			cli_say("    and %zu more things", json_array_size(list) - i);
			break;
		}
		cli_say("    not looked at: %s", what);
	}
}

void trust_show_vetted(const char *id, const char *name)
{
	_cleanup_free_ char *ref = xasprintf("sha256:%s", id), *text = NULL;
	char *argv[] = { (char[]){ "brig" }, (char[]){ "vet" }, (char[]){ "--format" }, (char[]){ "json" }, (char[]){ "--fail-on" },
			 (char[]){ "never" }, (char[]){ "--type" }, (char[]){ "image" }, (char[]){ "--name" }, (char *)name, ref, NULL };
	struct error e = { 0 };
	int r = gate_vet(argv, REPORT_MAX, &text, &e);
	_cleanup_json_ json_t *report = r == 0 ? json_parse(text, strlen(text), "report", &e) : NULL;

	if (!report) {
		cli_say("  brig vet could not look into it%s%s", e.code ? ": " : "", e.code ? e.text : "");
		return;
	}
	show_counts(report);
	show_findings(report);
	show_not_looked(report);
	cli_say("  all of it: brig vet %.12s", id);
}
