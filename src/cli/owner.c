/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/owner.h"

#include "base/home.h"
#include "engine/ids.h"

int cli_as_owner(int (*fn)(void *arg, struct error *e), void *arg, struct error *e)
{
	struct ids_range range;
	struct spec maps;
	int r;

	if (home_is_root())
		return fn(arg, e);
	r = ids_own_range(&range, e);
	if (r < 0)
		return r;
	spec_init(&maps);
	maps.uidmap = xcalloc(1, sizeof(*maps.uidmap));
	maps.gidmap = xcalloc(1, sizeof(*maps.gidmap));
	maps.uidmap[0] = (struct spec_idmap){ 0, range.uid_first, range.uid_count };
	maps.gidmap[0] = (struct spec_idmap){ 0, range.gid_first, range.gid_count };
	maps.n_uidmap = maps.n_gidmap = 1;
	r = ids_run(&maps, -1, fn, arg, e);
	spec_free(&maps);
	return r;
}
