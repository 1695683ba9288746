/* SPDX-License-Identifier: Apache-2.0 */
/* Being root over one's own subordinate ids, for removing what containers' ids own. A store_run, see image/store.h. */
#pragma once

#include "base/error.h"

int cli_as_owner(int (*fn)(void *arg, struct error *e), void *arg, struct error *e);
