/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the kernel and of the host: opened for writing and closed, or one byte read. */
#include "probe.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	const char *id, *path;
};

/* Writing to these is how containers took hosts. */
static const struct file writes[] = {
	{ "R8", "/proc/sys/kernel/core_pattern" },
	{ "R8", "/proc/sys/kernel/modprobe" },
	{ "R8", "/proc/sys/kernel/hotplug" },
	{ "R8", "/proc/sys/kernel/poweroff_cmd" },
	{ "R8", "/proc/sys/kernel/sysrq" },
	{ "R8", "/proc/sys/kernel/randomize_va_space" },
	{ "R8", "/proc/sys/kernel/kptr_restrict" },
	{ "R8", "/proc/sys/kernel/usermodehelper/bset" },
	{ "R8", "/proc/sys/kernel/hostname" },
	{ "R8", "/proc/sys/vm/panic_on_oom" },
	{ "R8", "/proc/sys/vm/overcommit_memory" },
	{ "R8", "/proc/sys/fs/protected_symlinks" },
	{ "R8", "/proc/sys/fs/binfmt_misc/register" },
	{ "R8", "/proc/sys/net/ipv4/ip_forward" },
	{ "R8", "/proc/sysrq-trigger" },
	{ "R8", "/proc/irq/default_smp_affinity" },
	{ "R8", "/proc/mtrr" },
	{ "R8", "/sys/kernel/uevent_helper" },
	{ "R8", "/sys/power/state" },
	{ "R8", "/sys/kernel/mm/transparent_hugepage/enabled" },
	{ "R8", "/sys/module/printk/parameters/time" },
	{ "R7", "/sys/fs/cgroup/release_agent" },
	{ "R7", "/sys/fs/cgroup/memory/release_agent" },
	{ "R7", "/sys/fs/cgroup/rdma/release_agent" },
	{ "R30", "/sys/fs/cgroup/cgroup.procs" },
	{ "R30", "/sys/fs/cgroup/cgroup.subtree_control" },
	{ "R30", "/sys/fs/cgroup/memory.max" },
	{ "R30", "/sys/fs/cgroup/pids.max" },
	{ "R30", "/sys/fs/cgroup/cgroup.freeze" },
	{ "R30", "/sys/fs/cgroup/pids/cgroup.procs" },
	{ "R30", "/sys/fs/cgroup/devices/devices.allow" },
	{ "R30", "/sys/fs/cgroup/unified/cgroup.procs" },
	{ "R10", "/dev/kmsg" },
	{ "R2", "/proc/1/root/proc/sys/kernel/core_pattern" },
};

/* Reading these tells about the host or reaches its hardware. Only opened: reading some of them takes something away. */
static const struct file opens[] = {
	{ "R10", "/dev/mem" },	 { "R10", "/dev/port" },   { "R10", "/dev/kmem" },	  { "R10", "/dev/vda" },
	{ "R10", "/dev/sda" },	 { "R10", "/dev/nvme0n1" }, { "R10", "/dev/loop-control" }, { "R10", "/dev/loop0" },
	{ "R10", "/dev/fuse" },	 { "R10", "/dev/net/tun" }, { "R10", "/dev/kvm" },	  { "R10", "/dev/vhost-net" },
	{ "R10", "/dev/vsock" }, { "R10", "/dev/tty0" },    { "R31", "/dev/rtc0" },	  { "R10", "/dev/userfaultfd" },
	{ "R10", "/dev/mapper/control" }, { "R10", "/dev/cpu_dma_latency" },
};

static const struct file reads[] = {
	{ "R26", "/proc/kallsyms" },	   { "R26", "/proc/kcore" },	      { "R26", "/proc/timer_list" },
	{ "R26", "/proc/keys" },	   { "R26", "/proc/key-users" },      { "R26", "/proc/sched_debug" },
	{ "R26", "/proc/scsi/scsi" },	   { "R26", "/proc/interrupts" },     { "R26", "/proc/softirqs" },
	{ "R26", "/proc/config.gz" },	   { "R26", "/proc/cmdline" },	      { "R26", "/proc/iomem" },
	{ "R26", "/proc/ioports" },	   { "R26", "/proc/modules" },	      { "R26", "/proc/slabinfo" },
	{ "R26", "/proc/vmallocinfo" },	   { "R26", "/proc/pagetypeinfo" },   { "R26", "/proc/zoneinfo" },
	{ "R26", "/proc/buddyinfo" },	   { "R26", "/proc/schedstat" },      { "R26", "/proc/diskstats" },
	{ "R26", "/proc/partitions" },	   { "R26", "/proc/crypto" },	      { "R26", "/proc/locks" },
	{ "R26", "/proc/devices" },	   { "R26", "/proc/misc" },	      { "R26", "/proc/kpagecount" },
	{ "R26", "/proc/acpi/wakeup" },	   { "R26", "/proc/bus/pci/devices" }, { "R26", "/proc/driver/rtc" },
	{ "R26", "/sys/firmware/dmi/tables/DMI" }, { "R26", "/sys/kernel/notes" }, { "R26", "/sys/kernel/vmcoreinfo" },
	{ "R26", "/sys/class/net/lo/address" }, { "R26", "/sys/block/vda/size" },
	{ "R26", "/sys/devices/system/cpu/vulnerabilities/meltdown" },
	{ "R26", "/sys/devices/virtual/powercap/intel-rapl/intel-rapl:0/energy_uj" },
	{ "R26", "/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count" },
};

/* Folders that must be absent or empty. */
static const struct file folders[] = {
	{ "R26", "/sys/kernel/debug" }, { "R26", "/sys/kernel/tracing" }, { "R26", "/sys/kernel/security" },
	{ "R26", "/sys/fs/bpf" },	{ "R26", "/sys/firmware" },	  { "R26", "/sys/kernel" },
	{ "R26", "/sys/module" },	{ "R26", "/proc/bus" },		  { "R26", "/proc/irq" },
	{ "R26", "/proc/asound" },	{ "R26", "/proc/tty" },		  { "R26", "/proc/fs" },
	{ "R26", "/proc/driver" },
};

static long do_write(void *arg)
{
	return open(arg, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) < 0 ? -errno : 0;
}

static long do_open(void *arg)
{
	return open(arg, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) < 0 ? -errno : 0;
}

/* An empty file counts as stopped, and so do kernel symbols whose addresses are all zero. */
static long do_read(void *arg)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char line[20] = "";
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, line, sizeof(line) - 1);
	if (n < 0)
		return -errno;
	if (n == 0 || (strcmp(arg, "/proc/kallsyms") == 0 && strspn(line, "0") >= 16))
		return -ENODATA;
	return n;
}

static long do_folder(void *arg)
{
	DIR *d = opendir(arg);
	struct dirent *de;

	if (!d)
		return -errno;
	while ((de = readdir(d)))
		if (de->d_name[0] != '.')
			return 0;
	return -ENODATA;
}

static void list(const struct file *files, size_t n, const char *verb, probe_fn *fn)
{
	char name[256];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s:%s", verb, files[i].path);
		if (probe_wanted(files[i].id, name))
			probe_result(files[i].id, name, probe_isolated(fn, (void *)files[i].path));
	}
}

void probe_files(void)
{
	list(writes, ARRAY_SIZE(writes), "write", do_write);
	list(opens, ARRAY_SIZE(opens), "open", do_open);
	list(reads, ARRAY_SIZE(reads), "read", do_read);
	list(folders, ARRAY_SIZE(folders), "list", do_folder);
}

/* ---------------------------------------------------------------------------------------------------------- walk */

static unsigned walked;

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *name = path + ftw->base;

	/* Processes are the container's own; their files are judged elsewhere. */
	if (ftw->level == 1 && strncmp(path, "/proc/", 6) == 0 &&
	    (strspn(name, "0123456789") == strlen(name) || strcmp(name, "self") == 0 || strcmp(name, "thread-self") == 0))
		return FTW_SKIP_SUBTREE;
	if (type != FTW_F || !S_ISREG(st->st_mode))
		return FTW_CONTINUE;
	walked++;
	long w = probe_isolated(do_write, (void *)path);

	if (w >= 0)
		probe_line("R8", path, "reached", "write");
	if (probe_isolated(do_read, (void *)path) > 0)
		probe_line("A15", path, "reached", "read");
	return FTW_CONTINUE;
}

/* Every file: which can be opened for writing, and which say something. */
int probe_walk(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	nftw("/proc", visit, 16, FTW_PHYS | FTW_ACTIONRETVAL);
	nftw("/sys", visit, 16, FTW_PHYS | FTW_ACTIONRETVAL);
	probe_line("A15", "files", "fact", "%u", walked);
	return 0;
}

/* ---------------------------------------------------------------------------------------------------------- path */

static long do_dotdot(void *arg)
{
	const char *path = arg;

	for (int i = 0; i < 64; i++)
		if (chdir("..") < 0)
			return -errno;
	return open(path + 1, O_RDONLY | O_CLOEXEC) < 0 ? -errno : 0;
}

/* The old way out of a chroot: keep a descriptor outside of the new root. */
static long do_chroot_out(void *arg)
{
	const char *path = arg;
	char folder[] = "/tmp/probe-XXXXXX";
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long r;

	if (fd < 0 || !mkdtemp(folder))
		return -errno;
	r = chroot(folder) < 0 ? -errno : 0;
	if (r == 0 && fchdir(fd) == 0)
		r = do_dotdot((void *)path);
	/* Back to where the folder can be named. */
	if (fchdir(fd) == 0)
		unlinkat(fd, folder + 1, AT_REMOVEDIR);
	return r;
}

static long do_link(void *arg)
{
	char link[] = "/tmp/probe-link-XXXXXX";
	long r;
	int fd = mkstemp(link);

	if (fd < 0)
		return -errno;
	unlink(link);
	if (symlink(arg, link) < 0)
		return -errno;
	r = do_open(link);
	unlink(link);
	return r;
}

int probe_path(int argc, char **argv)
{
	static const char *const roots[] = { "", "/proc/1/root", "/proc/self/root", "/proc/1/cwd", "/proc/self/root/../..",
					     "/proc/thread-self/root", "/dev/fd/0/..", "/proc/self/fd/1/.." };
	char path[4096], name[4200];

	for (int i = 0; i < argc; i++) {
		for (size_t r = 0; r < ARRAY_SIZE(roots); r++) {
			snprintf(path, sizeof(path), "%s%s", roots[r], argv[i]);
			snprintf(name, sizeof(name), "path:%s", path);
			probe_result("R32", name, probe_isolated(do_open, path));
		}
		snprintf(name, sizeof(name), "dotdot:%s", argv[i]);
		probe_result("R32", name, probe_isolated(do_dotdot, argv[i]));
		snprintf(name, sizeof(name), "chroot:%s", argv[i]);
		probe_result("R32", name, probe_isolated(do_chroot_out, argv[i]));
		snprintf(name, sizeof(name), "link:%s", argv[i]);
		probe_result("R32", name, probe_isolated(do_link, argv[i]));
	}
	return 0;
}
