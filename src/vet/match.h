/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the packages of an inventory are vulnerable, by the index of advisories. */
#pragma once

#include "vet/index.h"
#include "vet/version.h"

struct vuln_match {
	char *id;	    /* "CVE-2023-0286" */
	char *package;	    /* the name that the advisory speaks of: the source's where it has one */
	char *version;	    /* the installed version of that */
	char *fixed;	    /* the first version without it; NULL: none is known */
	char *advisory, *feed, *summary, *release; /* summary: NULL when there is none */
	char *kev_added, *kev_due; /* NULL: not known to be used in attacks */
	enum advisory_status status; /* never ADVISORY_NOT_AFFECTED */
	int level;	    /* enum vet_level, all things considered: match_level() */
	bool ransomware;
	double cvss, epss;  /* 0, -1: not known */
	const json_t *packages; /* the entries of the inventory that are made of it; an array of the result's */
};

struct vuln_result {
	struct vuln_match *list; /* by package, then id */
	size_t n, cap;
	json_t *groups;	       /* keeps `packages` alive */
	size_t looked;	       /* entries of the inventory for which there are advisories */
	json_t *not_covered;   /* {"ECOSYSTEM RELEASE": number of entries} without any */
	json_t *newest;	       /* {"ECOSYSTEM RELEASE": date}: nothing newer was looked at */
};

/* Is this module stream ("nodejs:12") enabled in the image? */
typedef bool match_module(void *ctx, const char *module);

/* `inventory` is v->packages, see packages.h. Entries without name, version or known type are passed over. */
int match_packages(struct advdb_db *db, const json_t *inventory, match_module *module, void *ctx,
	struct vuln_result *out, struct error *e);
void vuln_result_free(struct vuln_result *r);

/*
 * How bad: KEV is critical. Else what the distribution says, or the CVSS score where it says nothing, or medium where nobody
 * does; not above low for what the distribution calls minor; info for what nobody has looked at; and at least high where EPSS
 * gives an even chance of an attack within 30 days.
 */
int match_level(const struct advdb_row *row);

/* "deb/debian" of an entry; the caller frees. NULL: its type, or the distribution it needs, is not known. */
char *match_ecosystem(const json_t *entry);
bool match_scheme(const char *ecosystem, enum version_scheme *out);
