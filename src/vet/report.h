/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of a finished look, whose findings are sorted. Everything that came from an image is escaped as the format asks. */
#pragma once

#include "base/str.h"
#include "vet/vet.h"

/* One document: {"vet":1,"name","digest","findings":[...],"counts","packages","facts"}; every finding has the members of struct vet_finding. */
void vet_report_json(const struct vet *v, struct buf *out);

/* For people: the worst first, for each what, where, and why it matters. */
void vet_report_table(const struct vet *v, struct buf *out);
