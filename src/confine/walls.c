/* SPDX-License-Identifier: Apache-2.0 */
/* The table of walls, in the order in which they are raised, and what works on all of them. */
#include "confine/wall.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

extern const struct wall wall_user, wall_pid, wall_ipc, wall_uts, wall_cgroupns, wall_time, wall_net, wall_cgroup,
	wall_mounts, wall_image, wall_devices, wall_keyring, wall_rlimits, wall_env, wall_fds, wall_lsm, wall_nnp,
	wall_landlock, wall_caps, wall_seccomp;

const struct wall *const walls[WALL_COUNT] = {
	[WALL_USER] = &wall_user,	  [WALL_PID] = &wall_pid,	    [WALL_IPC] = &wall_ipc,
	[WALL_UTS] = &wall_uts,		  [WALL_CGROUPNS] = &wall_cgroupns, [WALL_TIME] = &wall_time,
	[WALL_NET] = &wall_net,		  [WALL_CGROUP] = &wall_cgroup,	    [WALL_MOUNTS] = &wall_mounts,
	[WALL_IMAGE] = &wall_image,	  [WALL_DEVICES] = &wall_devices,   [WALL_KEYRING] = &wall_keyring,
	[WALL_RLIMITS] = &wall_rlimits,	  [WALL_ENV] = &wall_env,	    [WALL_FDS] = &wall_fds,
	[WALL_LSM] = &wall_lsm,		  [WALL_NNP] = &wall_nnp,	    [WALL_LANDLOCK] = &wall_landlock,
	[WALL_CAPS] = &wall_caps,	  [WALL_SECCOMP] = &wall_seccomp,
};

int plan_make(const struct spec *s, struct plan *p, struct error *e)
{
	memset(p, 0, sizeof(*p));
	p->spec = s;
	for (int i = 0; i < WALL_COUNT; i++) {
		int r = walls[i]->plan(s, p, e);

		if (r < 0)
			return error_wrap(e, "%s wall", walls[i]->name);
	}
	return 0;
}

static const struct wall *wall_by_name(const char *name)
{
	for (int i = 0; i < WALL_COUNT; i++)
		if (streq(walls[i]->name, name))
			return walls[i];
	return NULL;
}

static char *all_names(void)
{
	struct buf b = { 0 };

	for (int i = 0; i < WALL_COUNT; i++)
		if (walls[i]->can_lower || walls[i]->details)
			buf_printf(&b, "%s%s", b.len ? ", " : "", walls[i]->name);
	return buf_steal(&b);
}

int lower_parse(const char *arg, struct spec_lower *out, struct error *e)
{
	const char *eq = strchr(arg, '=');
	_cleanup_free_ char *name = eq ? xstrndup(arg, (size_t)(eq - arg)) : xstrdup(arg);
	_cleanup_free_ char *safe = str_escape(arg);
	const struct wall *w = wall_by_name(name);

	if (!w || !(w->can_lower || w->details)) {
		_cleanup_free_ char *names = all_names();

		error_set(e, EINVAL, w ? "the wall in --lower %s cannot be lowered" : "--lower %s: there is no such wall",
			  safe);
		error_hint(e, "these can: %s", names);
		return -EINVAL;
	}
	if (!eq && !w->can_lower) {
		error_set(e, EINVAL, "the %s wall cannot be lowered as a whole, only in a part", name);
		error_hint(e, "--lower %s=%s%s", name, w->details[0], w->details[1] ? " (see brig-walls(7))" : "");
		return -EINVAL;
	}
	if (eq) {
		bool known = false;

		for (const char *const *d = w->details; d && *d; d++)
			known |= streq(*d, eq + 1);
		if (!known) {
			struct buf b = { 0 };

			for (const char *const *d = w->details; d && *d; d++)
				buf_printf(&b, "%s%s", b.len ? ", " : "", *d);
			error_set(e, EINVAL, "--lower %s: the %s wall has no such part", safe, name);
			error_hint(e, "%s%s", b.len ? "its parts: " : "it has no parts", b.len ? b.data : "");
			buf_free(&b);
			return -EINVAL;
		}
	}
	*out = (struct spec_lower){ .wall = xstrdup(name), .detail = eq ? xstrdup(eq + 1) : NULL };
	return 0;
}
