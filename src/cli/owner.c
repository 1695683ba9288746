/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/owner.h"

#include "engine/ids.h"

int cli_as_owner(int (*fn)(void *arg, struct error *e), void *arg, struct error *e)
{
	return ids_run_all(fn, arg, e);
}
