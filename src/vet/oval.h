/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of an OVAL document, and the statements that they make together: oval.c. The XML is advisory_oval.c's. */
#pragma once

#include "base/str.h"
#include "vet/advisory.h"

enum oval_list { OVAL_TESTS, OVAL_OBJECTS, OVAL_STATES, OVAL_VARIABLES, OVAL_LISTS };

struct oval_item {
	char *id, *ref; /* test: its object; object: the variable that has the names */
	char **values;	/* test: ids of states; object: names; state: the version; variable: values */
	bool less;	/* state: the version is less than that */
	unsigned depth; /* the reader's */
};

struct oval_cve {
	char *id;
	int level;
	double cvss;
};

struct oval_test {
	char *id, *module; /* NULL: no condition */
};

struct oval_def {
	bool patch; /* class "patch": says what is fixed; "vulnerability" also says what is not */
	char *advisory, *title, **platforms;
	int level;
	struct oval_cve *cves;
	size_t n_cves, cap_cves;
	struct oval_test *tests;
	size_t n_tests, cap_tests;
};

struct oval {
	char *published;
	struct oval_def **defs;
	size_t n_defs, cap_defs;
	struct oval_item **items[OVAL_LISTS];
	size_t n_items[OVAL_LISTS], cap_items[OVAL_LISTS];
};

/* NULL: too many. Pointers stay valid. */
struct oval_def *oval_def_add(struct oval *o, const char *class);
struct oval_item *oval_item_add(struct oval *o, enum oval_list list, const char *id);
/* -E2BIG: too many. */
int oval_def_test(struct oval_def *d, const char *test, const char *module);
/* Adds it, or completes what was known of it. */
void oval_def_cve(struct oval_def *d, const char *id, int level, double cvss);
int oval_give(struct oval *o, const char *what, struct advisory_sink *sink, struct error *e);
void oval_free(struct oval *o);
