/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Check "sarif": what another tool found (--sarif-in) stands in the same report, before the same gate. Its rules are named TOOL/RULE, so that
 * policies and exceptions can mean them. A log that is damaged stops the look: what it would have said is not known. What its author
 * suppressed in the log itself is told at level info.
 */
#include "vet/sarif.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>

enum { SARIF_FILE_MAX = 128 << 20 };

static struct {
	char **names, **texts;
	size_t *sizes, n;
} prepared;

static int prepare(struct vet *v, struct error *e)
{
	size_t n = strv_len(v->options->sarif);

	prepared.names = v->options->sarif;
	prepared.texts = xcalloc(n + 1, sizeof(char *));
	prepared.sizes = xcalloc(n + 1, sizeof(size_t));
	for (prepared.n = 0; prepared.n < n; prepared.n++) {
		int r = file_read(AT_FDCWD, prepared.names[prepared.n], SARIF_FILE_MAX, &prepared.texts[prepared.n],
				  &prepared.sizes[prepared.n]);

		if (r < 0)
			return error_errno(e, r, "%s", prepared.names[prepared.n]);
	}
	return 0;
}

/* "Trivy Scanner" and "SV-1 x" as words without blanks, as a policy writes them. */
static char *rule_name(const struct sarif_result *r)
{
	char *name = xasprintf("%s/%s", r->tool, *r->rule ? r->rule : "finding");

	for (char *c = name; *c; c++)
		if (isspace((unsigned char)*c))
			*c = '-';
	return name;
}

static void give(void *ctx, const struct sarif_result *r)
{
	struct vet *v = ctx;
	const struct vet_file *f = r->path ? vet_lookup(v, r->path) : NULL;
	_cleanup_free_ char *name = rule_name(r), *help = NULL;
	json_t *more = json_pack("{s:o,s:o,s:o,s:b}", "tool", vet_json(r->tool), "version", vet_json(r->version), "rule", vet_json(r->rule),
				 "suppressed", r->suppressed);
	size_t line = strcspn(r->message, "\r\n");

	help = xasprintf("%s found it%s%.400s", r->tool, r->suppressed ? ", and it was suppressed there" : r->help ? ": " : "",
			 r->help && !r->suppressed ? r->help : "");
	vet_add(v, "sarif", name, r->suppressed ? VET_INFO : r->level, f, more, help, "%.*s", (int)(line < 500 ? line : 500), r->message);
	if (!f && r->path)
		v->findings[v->n_findings - 1].path = xstrdup(r->path);
}

static int run(struct vet *v, struct error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < prepared.n; i++)
		r = sarif_read(prepared.names[i], prepared.texts[i], prepared.sizes[i], give, v, e);
	return r;
}

const struct vet_check vet_check_sarif = { .name = "sarif", .prepare = prepare, .run = run };
