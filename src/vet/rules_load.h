/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "vet/rules.h"

/* All rules of this machine and of `more` (files that the person names, may be NULL), into zeroed `r`. */
int rules_load(struct rules *r, char *const *more, struct error *e);
