/* SPDX-License-Identifier: Apache-2.0 */
/* The document that `brig-oci features` prints (runtime-spec, features.md and features-linux.md). */
#include "spec/oci.h"

#include "base/capname.h"
#include "base/cleanup.h"

#include <ctype.h>
#include <stdio.h>

static json_t *strings(const char *const *v)
{
	json_t *a = json_array();

	for (; *v; v++)
		json_array_append_new(a, json_string(*v));
	return a;
}

static json_t *capabilities(void)
{
	json_t *a = json_array();

	for (int c = 0; c < CAP_NAMES; c++) {
		char name[40];

		snprintf(name, sizeof(name), "CAP_%s", cap_name(c));
		for (char *p = name; *p; p++)
			*p = (char)toupper((unsigned char)*p);
		json_array_append_new(a, json_string(name));
	}
	return a;
}

static json_t *seccomp(void)
{
	static const char *const actions[] = {
		"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
		"SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP", NULL,
	};
	static const char *const operators[] = {
		"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE",
		NULL,
	};
	static const char *const archs[] = {
		"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32",
		"SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64",
		"SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64", "SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_X32",
		"SCMP_ARCH_X86", "SCMP_ARCH_X86_64", NULL,
	};
	static const char *const flags[] = {
		"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
		"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", NULL,
	};

	return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o}", "enabled", 1, "actions", strings(actions), "operators",
			 strings(operators), "archs", strings(archs), "knownFlags", strings(flags), "supportedFlags",
			 strings(flags));
}

json_t *oci_features(void)
{
	static const char *const namespaces[] = { "cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts", NULL };
	json_t *hooks = json_array(), *lin;

	for (int i = 0; i < OCI_HOOK_COUNT; i++)
		json_array_append_new(hooks, json_string(oci_hook_names[i]));
	lin = json_pack("{s:o, s:o, s:{s:b, s:b, s:b, s:b, s:b}, s:o, s:{s:b}, s:{s:b}, s:{s:b}, s:{s:{s:b}}, s:{s:b}}",
			"namespaces", strings(namespaces), "capabilities", capabilities(), "cgroup", "v1", 1, "v2", 1,
			"systemd", 0, "systemdUser", 0, "rdma", 1, "seccomp", seccomp(), "apparmor", "enabled", 1, "selinux",
			"enabled", 1, "intelRdt", "enabled", 0, "mountExtensions", "idmap", "enabled", 1, "netDevices",
			"enabled", 1);
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:{s:s}}", "ociVersionMin", "1.0.0", "ociVersionMax", "1.3.0", "hooks",
			 hooks, "mountOptions", strings(oci_mount_options()), "linux", lin, "annotations",
			 "org.opencontainers.runtime-spec.implementation", "brig " BRIG_VERSION);
}
