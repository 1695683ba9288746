/* SPDX-License-Identifier: Apache-2.0 */
/* What other engines have and brig does not, on purpose: each is refused with the name of what does the job here. */
#include "cli/create_options.h"
#include "cli/create_refused.h"

#include "base/cleanup.h"

#include <string.h>

static int refuse(struct error *e, const char *what, const char *why, const char *hint)
{
	error_set(e, EINVAL, "%s: %s", what, why);
	error_hint(e, "%s", hint);
	return -EINVAL;
}

static int refuse_namespace(const char *option, const char *mode, struct error *e)
{
	static const char *const own[] = { "", "private", "auto", "nomap", "shareable", "none" };
	_cleanup_free_ char *safe = NULL, *what = NULL;

	if (!mode)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (streq(mode, own[i]))
			return 0;
	safe = str_escape(mode);
	what = xasprintf("--%s %s", option, safe);
	if (streq(option, "userns") && str_after(mode, "keep-id"))
		return refuse(e, what, "no container has the caller's own id unless that is named",
			      "--lower user=caller maps your id to the user of the container");
	return refuse(e, what, "every container has a namespace of its own, which cannot be given up",
		      "for the network there is --network host or container:NAME; for files there are mounts (-v)");
}

static int refuse_security(const char *opt, struct error *e)
{
	_cleanup_free_ char *safe = str_escape(opt), *what = xasprintf("--security-opt %s", safe);
	const char *value = strpbrk(opt, "=:");

	value = value ? value + 1 : "";
	if (str_after(opt, "no-new-privileges")) {
		if (streq(value, "") || streq(value, "true"))
			return 0; /* stands always */
		return refuse(e, what, "walls come down by name", "--lower nnp");
	}
	if (str_after(opt, "seccomp"))
		return refuse(e, what, streq(value, "unconfined") ? "walls come down by name" :
			      "brig has its own list of system calls", "--lower seccomp=PART allows one group of calls "
			      "(see brig-walls(7)), --lower seccomp takes the whole wall down");
	if (str_after(opt, "apparmor") && *value && !streq(value, "unconfined"))
		return 0; /* create_options.c keeps the name */
	if (str_after(opt, "apparmor") || str_after(opt, "label"))
		return refuse(e, what, "walls come down by name", "--lower lsm goes without a profile or label");
	if (str_after(opt, "systempaths") || str_after(opt, "unmask"))
		return refuse(e, what, "walls come down by name", "--lower mounts=masks shows all of /proc");
	return refuse(e, what, "unknown option", "walls come down by name: --lower WALL[=PART]");
}

int create_refused(const struct create_options *o, struct error *e)
{
	int r = 0;

	if (o->privileged)
		return refuse(e, "--privileged", "there is no switch that takes every wall down",
			      "name what the program needs: --lower WALL[=PART] (brig-walls(7)), --cap-add CAPABILITY");
	if (o->device)
		return refuse(e, "--device", "a container has the standard devices and no others",
			      "give the program a socket or a file of a service on the host that has the device: -v SOCKET:PATH");
	if (o->gpus)
		return refuse(e, "--gpus", "a container has the standard devices and no others",
			      "run the program that needs the device on the host and pass its socket: -v SOCKET:PATH");
	if (o->volumes_from)
		return refuse(e, "--volumes-from", "volumes are named one by one", "-v NAME:TARGET; brig inspect shows them");
	strv_foreach(s, o->security_opt) {
		r = refuse_security(*s, e);
		if (r < 0)
			return r;
	}
	r = refuse_namespace("userns", o->userns, e);
	if (r == 0)
		r = refuse_namespace("pid", o->pid, e);
	if (r == 0)
		r = refuse_namespace("ipc", o->ipc, e);
	if (r == 0)
		r = refuse_namespace("uts", o->uts, e);
	if (r == 0)
		r = refuse_namespace("cgroupns", o->cgroupns, e);
	return r;
}
