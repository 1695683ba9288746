/* SPDX-License-Identifier: Apache-2.0 */
#include "base/capname.h"

#include <stddef.h>
#include <strings.h>

static const char *const names[CAP_NAMES] = {
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
	"linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
	"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
	"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
	"mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
	"checkpoint_restore",
};

const char *cap_name(int cap)
{
	return cap >= 0 && cap < CAP_NAMES ? names[cap] : NULL;
}

int cap_by_name(const char *name)
{
	if (strncasecmp(name, "cap_", 4) == 0)
		name += 4;
	for (int i = 0; i < CAP_NAMES; i++)
		if (strcasecmp(name, names[i]) == 0)
			return i;
	return -1;
}
