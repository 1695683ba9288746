/* SPDX-License-Identifier: Apache-2.0 */
/* The document that `brig-oci spec` writes: a shell in "rootfs", confined as brig would do it. */
#include "spec/oci.h"

#include "base/cleanup.h"

#include <string.h>
#include <unistd.h>

static const char *const masked[] = {
	"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kallsyms", "/proc/kcore", "/proc/keys", "/proc/kmsg",
	"/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/sysrq-trigger", "/proc/timer_list",
	"/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware", NULL,
};
static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", NULL };
static const char *const caps[] = { "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE", NULL };

static json_t *strings(const char *const *v)
{
	json_t *a = json_array();

	for (; *v; v++)
		json_array_append_new(a, json_string(*v));
	return a;
}

static void mount(json_t *to, const char *at, const char *type, const char *source, const char *options)
{
	_cleanup_strv_ char **words = strv_split(options, ',');

	json_array_append_new(to, json_pack("{s:s, s:s, s:s, s:o}", "destination", at, "type", type, "source", source,
					    "options", json_from_strv(words)));
}

static json_t *mounts(bool rootless)
{
	json_t *m = json_array();

	mount(m, "/proc", "proc", "proc", "nosuid,noexec,nodev");
	mount(m, "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k");
	mount(m, "/dev/pts", "devpts", "devpts",
	      rootless ? "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620" :
			 "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
	mount(m, "/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k");
	mount(m, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev");
	if (rootless)
		mount(m, "/sys", "none", "/sys", "rbind,nosuid,noexec,nodev,ro");
	else
		mount(m, "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro");
	mount(m, "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro");
	return m;
}

static json_t *namespaces(bool rootless)
{
	static const char *const names[] = { "pid", "network", "ipc", "uts", "mount", "cgroup", NULL };
	json_t *a = json_array();

	for (const char *const *n = names; *n; n++)
		if (!rootless || strcmp(*n, "network") != 0)
			json_array_append_new(a, json_pack("{s:s}", "type", *n));
	if (rootless)
		json_array_append_new(a, json_pack("{s:s}", "type", "user"));
	return a;
}

static json_t *one_id(unsigned id)
{
	return json_pack("[{s:i, s:I, s:i}]", "containerID", 0, "hostID", (json_int_t)id, "size", 1);
}

json_t *oci_spec_example(bool rootless)
{
	static const char *const env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm",
					   NULL };
	json_t *process, *lin;

	process = json_pack("{s:b, s:{s:i, s:i}, s:[s], s:o, s:s, s:{s:o, s:o, s:o}, s:[{s:s, s:i, s:i}], s:b}", "terminal",
			    1, "user", "uid", 0, "gid", 0, "args", "sh", "env", strings(env), "cwd", "/", "capabilities",
			    "bounding", strings(caps), "effective", strings(caps), "permitted", strings(caps), "rlimits",
			    "type", "RLIMIT_NOFILE", "hard", 1024, "soft", 1024, "noNewPrivileges", 1);
	lin = json_pack("{s:o, s:o, s:o}", "namespaces", namespaces(rootless), "maskedPaths", strings(masked),
			"readonlyPaths", strings(readonly));
	if (rootless) {
		json_object_set_new(lin, "uidMappings", one_id(geteuid()));
		json_object_set_new(lin, "gidMappings", one_id(getegid()));
	} else {
		json_object_set_new(lin, "resources", json_pack("{s:[{s:b, s:s}]}", "devices", "allow", 0, "access", "rwm"));
	}
	return json_pack("{s:s, s:o, s:{s:s, s:b}, s:s, s:o, s:o}", "ociVersion", "1.2.1", "process", process, "root", "path",
			 "rootfs", "readonly", 1, "hostname", "brig", "mounts", mounts(rootless), "linux", lin);
}
