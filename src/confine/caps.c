/* SPDX-License-Identifier: Apache-2.0 */
#include "confine/caps.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>

static const char *const names[] = {
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
	"linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
	"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
	"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
	"mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
	"checkpoint_restore",
};

char *caps_text(uint64_t caps)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (caps >> i & 1)
			buf_printf(&b, "%s%s", b.len ? ", " : "", names[i]);
	if (!b.len)
		buf_puts(&b, "none");
	return buf_steal(&b);
}

int caps_parse(const char *name, uint64_t *bits, struct error *e)
{
	_cleanup_free_ char *safe = NULL;

	if (strcasecmp(name, "all") == 0) {
		*bits = CAP_BIT(ARRAY_SIZE(names)) - 1;
		return 0;
	}
	if (strncasecmp(name, "cap_", 4) == 0)
		name += 4;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcasecmp(name, names[i]) == 0) {
			*bits = CAP_BIT(i);
			return 0;
		}
	}
	safe = str_escape(name);
	return error_set(e, EINVAL, "\"%s\" is not a capability (capabilities(7) lists them)", safe);
}
