/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to systemd: put a process into a folder below a unit that is delegated to its user. A user's shell stands in
 * a session scope of root's, from where the kernel lets only root move a process into the user's own part.
 * org.freedesktop.systemd1(5), Manager.AttachProcessesToUnit.
 */
#include "confine/cgroup_internal.h"

#include "base/cleanup.h"
#include "confine/cgroup_bus.h"

#include <unistd.h>

bool cgroup_systemd_runs(void)
{
	return access("/run/systemd/system", F_OK) == 0; /* sd_booted(3) */
}

int cgroup_systemd_attach(const char *unit, const char *below, pid_t pid, struct error *e)
{
	_cleanup_bus_ struct bus bus = { .fd = -1 };
	_cleanup_buf_ struct buf body = { 0 };
	int r = bus_open(&bus, "/run/dbus/system_bus_socket", e);

	if (r < 0)
		return r;
	bus_put_string(&body, unit);
	bus_put_string(&body, below);
	bus_put_u32(&body, 4);
	bus_put_u32(&body, (uint32_t)pid);
	r = bus_call(&bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
		     "AttachProcessesToUnit", "ssau", &body, NULL, e);
	if (r == -EREMOTEIO && e)
		e->code = -EACCES;
	return r < 0 ? error_wrap(e, "systemd does not put a process into %s%s", unit, below) : 0;
}
