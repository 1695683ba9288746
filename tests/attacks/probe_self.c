/* SPDX-License-Identifier: Apache-2.0 */
/* What this process is and has: facts for the test to compare with what was planned. */
#include "probe.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

extern char **environ;

static void status(void)
{
	static const char *const fields[] = { "Uid",	"Gid",	  "Groups", "CapInh", "CapPrm",	    "CapEff",
					      "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters", "NSpid" };
	_cleanup_fclose_ FILE *f = fopen("/proc/self/status", "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
			size_t n = strlen(fields[i]);

			if (strncmp(line, fields[i], n) == 0 && line[n] == ':') {
				char *v = line + n + 1 + strspn(line + n + 1, "\t ");

				v[strcspn(v, "\n")] = 0;
				for (char *p = v; *p; p++)
					if (*p == '\t')
						*p = ' ';
				probe_line("status", fields[i], "fact", "%s", v);
			}
		}
}

static void descriptors(void)
{
	_cleanup_closedir_ DIR *d = opendir("/proc/self/fd");
	char link[512];
	unsigned n = 0;
	struct dirent *de;

	while (d && (de = readdir(d))) {
		int fd = atoi(de->d_name);

		if (de->d_name[0] == '.' || fd <= 2 || fd == dirfd(d))
			continue;
		ssize_t len = readlinkat(dirfd(d), de->d_name, link, sizeof(link) - 1);

		link[len > 0 ? len : 0] = 0;
		probe_line("R2", "descriptor", "reached", "%d %s", fd, link);
		n++;
	}
	if (!n)
		probe_line("R2", "descriptor", "stopped", "none beyond stdio");
}

static void place(void)
{
	char cwd[4096];
	struct stat root, up;
	ssize_t n = readlink("/proc/self/cwd", cwd, sizeof(cwd) - 1);

	cwd[n > 0 ? n : 0] = 0;
	probe_line("R2", "cwd", "fact", "%s", cwd);
	if (stat("/", &root) == 0 && stat("/..", &up) == 0)
		probe_line("R32", "root_parent", root.st_ino == up.st_ino && root.st_dev == up.st_dev ? "stopped" : "reached",
			   "/.. is %s", root.st_ino == up.st_ino ? "/" : "elsewhere");
	for (char **e = environ; *e; e++)
		probe_line("env", "variable", "fact", "%.*s", (int)strcspn(*e, "="), *e);
}

/* Every mount has nosuid and nodev, and none hears of mounts outside. */
static void mounts(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, *target, *options, *rest;
	size_t size = 0;
	unsigned suid = 0, dev = 0, shared = 0, n = 0;

	while (f && getline(&line, &size, f) > 0) {
		char *save = NULL;

		strtok_r(line, " ", &save);
		for (int i = 0; i < 3; i++)
			strtok_r(NULL, " ", &save);
		target = strtok_r(NULL, " ", &save);
		options = strtok_r(NULL, " ", &save);
		rest = strtok_r(NULL, "\n", &save);
		if (!target || !options || !rest)
			continue;
		n++;
		if (!strstr(options, "nosuid") && ++suid)
			probe_line("R13", "mount_without_nosuid", "reached", "%s", target);
		if (!strstr(options, "nodev") && strncmp(target, "/dev/", 5) != 0 && ++dev)
			probe_line("A18", "mount_without_nodev", "reached", "%s", target);
		if ((strstr(rest, "shared:") || strstr(rest, "master:")) && ++shared)
			probe_line("A36", "mount_propagation", "reached", "%s %s", target, rest);
	}
	free(line);
	if (!suid)
		probe_line("R13", "mount_without_nosuid", "stopped", "none of %u", n);
	if (!dev)
		probe_line("A18", "mount_without_nodev", "stopped", "none of %u", n);
	if (!shared)
		probe_line("A36", "mount_propagation", "stopped", "none of %u", n);
}

static void limits(void)
{
	static const struct {
		const char *name;
		__rlimit_resource_t what;
	} kinds[] = { { "core", RLIMIT_CORE },	     { "nofile", RLIMIT_NOFILE }, { "nproc", RLIMIT_NPROC },
		      { "memlock", RLIMIT_MEMLOCK }, { "rtprio", RLIMIT_RTPRIO }, { "msgqueue", RLIMIT_MSGQUEUE },
		      { "stack", RLIMIT_STACK },	     { "sigpending", RLIMIT_SIGPENDING } };
	struct rlimit r;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (getrlimit(kinds[i].what, &r) == 0)
			probe_line("limit", kinds[i].name, "fact", "%lld %lld", (long long)r.rlim_cur, (long long)r.rlim_max);
}

static void namespaces(void)
{
	static const char *const kinds[] = { "user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time" };
	char path[64], link[64], map[256];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
		ssize_t n = readlink(path, link, sizeof(link) - 1);

		link[n > 0 ? n : 0] = 0;
		probe_line("namespace", kinds[i], "fact", "%s", link);
	}
	_cleanup_fclose_ FILE *f = fopen("/proc/self/uid_map", "re");
	while (f && fgets(map, sizeof(map), f)) {
		unsigned in, out, count;

		if (sscanf(map, "%u %u %u", &in, &out, &count) == 3)
			probe_line("A36", "uid_map", "fact", "%u %u %u", in, out, count);
	}
}

/* The masks are the null device or an empty folder, and nothing else (R3). */
static void masks(void)
{
	static const char *const paths[] = { "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/interrupts", "/proc/acpi",
					     "/proc/scsi",  "/dev/null" };
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (stat(paths[i], &st) < 0)
			probe_line("R3", paths[i], "stopped", "absent");
		else if (S_ISCHR(st.st_mode))
			probe_line("R3", paths[i], st.st_rdev == makedev(1, 3) ? "stopped" : "reached", "device %u:%u",
				   major(st.st_rdev), minor(st.st_rdev));
		else if (S_ISDIR(st.st_mode))
			probe_line("R3", paths[i], st.st_nlink <= 2 ? "stopped" : "reached", "folder");
		else
			probe_line("R3", paths[i], "reached", "mode %o", st.st_mode);
	}
}

void probe_self(void)
{
	if (probe_wanted("status", "self"))
		status();
	if (probe_wanted("R2", "descriptor"))
		descriptors();
	if (probe_wanted("R2", "place"))
		place();
	if (probe_wanted("R13", "mounts"))
		mounts();
	if (probe_wanted("limit", "limits"))
		limits();
	if (probe_wanted("namespace", "namespaces"))
		namespaces();
	if (probe_wanted("R3", "masks"))
		masks();
}
