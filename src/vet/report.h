/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of a finished look, whose findings are sorted. Everything that came from an image is escaped as the format asks. */
#pragma once

#include "base/str.h"
#include "vet/vet.h"

typedef void (*vet_report)(const struct vet *v, struct buf *out);

/* By its name: table, json, sarif, junit, html, spdx, cyclonedx. NULL: none of them. */
vet_report vet_report_named(const char *name);

/* Bills of materials of the inventory: SPDX 2.3 and CycloneDX 1.6, JSON. Created now, or at $SOURCE_DATE_EPOCH. */
void vet_report_spdx(const struct vet *v, struct buf *out);
void vet_report_cyclonedx(const struct vet *v, struct buf *out);

/* For people: the worst first, for each what, where, and why it matters. */
void vet_report_table(const struct vet *v, struct buf *out);
/*
 * One document: {"vet":1,"name","digest","counts","findings":[...],"layers":[...],"files","facts","packages"}; every finding has the
 * members of struct vet_finding, levels by name, layers counted from 0.
 */
void vet_report_json(const struct vet *v, struct buf *out);
/* SARIF 2.1.0 (OASIS, sarif-schema-2.1.0.json): a run with one result for each finding. */
void vet_report_sarif(const struct vet *v, struct buf *out);
/* JUnit's XML as CI servers read it: a test case for each finding, and one for each check that found nothing. */
void vet_report_junit(const struct vet *v, struct buf *out);
/* A page that needs nothing else and runs nothing (its policy forbids scripts and loading). */
void vet_report_html(const struct vet *v, struct buf *out);

/* Text as XML or HTML has it, in attributes too; what could harm a terminal or is not XML is escaped as str_escape() does. */
void vet_put_xml(struct buf *out, const char *s);
/* Levels counted. */
void vet_count(const struct vet *v, size_t out[static VET_LEVELS]);
