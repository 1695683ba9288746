/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/error.h"

struct create_options;

/* -EINVAL when an option was given that brig does not have on purpose; the error says what there is instead. */
int create_refused(const struct create_options *o, struct error *e);
