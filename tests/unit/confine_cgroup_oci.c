/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "confine/cgroup_bus.h"
#include "confine/cgroup_oci_internal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------------------- a machine of folders */

static const char v1_text[] = "9:name=systemd:/s\n8:pids:/own\n5:devices:/own\n4:memory:/own/x\n3:cpuset:/\n2:cpu,cpuacct:/own\n"
			      "6:freezer:/../..\n7:blkio:/\n10:hugetlb:/\n11:net_cls,net_prio:/\n12:rdma:/\n0::/own\n";
static const char *const v1_folders[] = { "systemd", "pids", "devices", "memory", "cpuset", "cpu", "freezer", "blkio",
					  "hugetlb", "net_cls,net_prio", "rdma", "unified" };

struct fake {
	char dir[64];
	int fd;
	struct oci_cgroup cg;
};

static void fake_v1(struct fake *f)
{
	strcpy(f->dir, "/tmp/brig-cgroup-oci-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->fd = open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(v1_folders); i++)
		assert_int_equal(mkdirat(f->fd, v1_folders[i], 0755), 0);
	assert_int_equal(oci_cgroup_look(&f->cg, f->fd, false, v1_text, false), 0);
}

static void fake_v2(struct fake *f, const char *own)
{
	_cleanup_free_ char *text = xasprintf("1:name=old:/left\n0::%s\n", own);

	strcpy(f->dir, "/tmp/brig-cgroup-oci-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->fd = open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(oci_cgroup_look(&f->cg, f->fd, true, text, false), 0);
}

static void fake_end(struct fake *f)
{
	oci_cgroup_close(&f->cg);
	close(f->fd);
	path_remove_tree(AT_FDCWD, f->dir);
}

static void place(struct fake *f, const char *path)
{
	struct oci_cgroup_request rq = { .path = path, .id = "box" };
	struct error e = { 0 };

	if (oci_cgroup_place(&f->cg, &rq, &e) < 0)
		fail_msg("%s", e.text);
}

/* The file of a controller in the container's folder, made when it is not there. */
static int file_of(struct fake *f, const char *controller, const char *file)
{
	const struct oci_hierarchy *h = oci_hierarchy(&f->cg, controller);
	int fd;

	assert_non_null(h);
	fd = openat(h->fd, file, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	return fd;
}

static void has(struct fake *f, const char *controller, const char *file)
{
	close(file_of(f, controller, file));
}

static void is(struct fake *f, const char *controller, const char *file, const char *want)
{
	char text[256];

	assert_int_equal(file_read_line(oci_hierarchy(&f->cg, controller)->fd, file, text, sizeof(text)), 0);
	assert_string_equal(text, want);
}

static void fails(int r, int want, struct error *e, const char *text)
{
	assert_int_equal(r, want);
	if (strncmp(e->text, text, strlen(text)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", e->text, text);
	memset(e, 0, sizeof(*e));
}

#define NUM(x) ((struct oci_num){ .set = true, .v = (x) })

/* --------------------------------------------------------------------------------------------------------- places */

static const char *path_in(struct fake *f, const char *controller)
{
	return oci_hierarchy(&f->cg, controller)->path;
}

static void paths_v1(void **state)
{
	struct fake f;

	(void)state;
	fake_v1(&f);
	assert_int_equal(f.cg.version, 1);
	assert_int_equal(f.cg.n, ARRAY_SIZE(v1_folders));
	assert_ptr_equal(oci_hierarchy(&f.cg, "cpu"), oci_hierarchy(&f.cg, "cpuacct"));
	assert_null(oci_hierarchy(&f.cg, "perf_event"));
	assert_null(oci_hierarchy(&f.cg, "pid"));
	place(&f, "/a//b/./c");
	assert_string_equal(path_in(&f, "memory"), "a/b/c");
	assert_string_equal(path_in(&f, NULL), "a/b/c");
	place(&f, "a");
	assert_string_equal(path_in(&f, "memory"), "own/x/a");
	assert_string_equal(path_in(&f, "cpuset"), "a");
	assert_string_equal(path_in(&f, "freezer"), "a"); /* out of our namespace: the top */
	place(&f, NULL);
	assert_true(str_ends(path_in(&f, "pids"), "/box"));
	fake_end(&f);
}

static void paths_v2(void **state)
{
	struct oci_cgroup_request rq = { .id = "box" };
	struct error e = { 0 };
	struct fake f;

	(void)state;
	fake_v2(&f, "/user/session");
	assert_int_equal(f.cg.version, 2);
	assert_int_equal(f.cg.n, 1);
	place(&f, "a");
	assert_string_equal(path_in(&f, NULL), "user/a");
	place(&f, "/a");
	assert_string_equal(path_in(&f, "memory"), "a");
	rq.path = "/a/../../b";
	fails(oci_cgroup_place(&f.cg, &rq, &e), -EINVAL, &e, "linux.cgroupsPath: is not a plain path");
	rq.path = "/./";
	fails(oci_cgroup_place(&f.cg, &rq, &e), -EINVAL, &e, "linux.cgroupsPath: is the top of the tree");
	fake_end(&f);
	fake_v2(&f, "/");
	place(&f, "a");
	assert_string_equal(path_in(&f, NULL), "a");
	fake_end(&f);
}

static void slices(void **state)
{
	char out[128];

	(void)state;
	assert_int_equal(oci_slice_expand("a.slice", out, sizeof(out)), 0);
	assert_string_equal(out, "a.slice");
	assert_int_equal(oci_slice_expand("kubepods-burstable-pod1.slice", out, sizeof(out)), 0);
	assert_string_equal(out, "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice");
	assert_int_equal(oci_slice_expand("a.scope", out, sizeof(out)), -EINVAL);
	assert_int_equal(oci_slice_expand("-a.slice", out, sizeof(out)), -EINVAL);
	assert_int_equal(oci_slice_expand("a--b.slice", out, sizeof(out)), -EINVAL);
	assert_int_equal(oci_slice_expand("a-.slice", out, sizeof(out)), -EINVAL);
	assert_int_equal(oci_slice_expand("a/b.slice", out, sizeof(out)), -EINVAL);
	assert_int_equal(oci_slice_expand(".slice", out, sizeof(out)), -EINVAL);
	assert_int_equal(oci_slice_expand("long-long.slice", out, 12), -ENAMETOOLONG);
}

static void systemd_paths(void **state)
{
	struct oci_cgroup_request rq = { .id = "box", .systemd = true, .path = "machine.slice:libpod:1234" };
	struct error e = { 0 };
	struct fake f;

	(void)state;
	fake_v2(&f, "/");
	assert_int_equal(oci_cgroup_place(&f.cg, &rq, &e), 0);
	assert_true(oci_cgroup_by_systemd(&f.cg));
	assert_string_equal(f.cg.unit, "libpod-1234.scope");
	assert_string_equal(f.cg.slice, "machine.slice");
	assert_string_equal(path_in(&f, NULL), "machine.slice/libpod-1234.scope");
	rq.path = "a-b.slice:x:a-b-c.slice";
	assert_int_equal(oci_cgroup_place(&f.cg, &rq, &e), 0);
	assert_string_equal(path_in(&f, NULL), "a.slice/a-b.slice/a-b-c.slice");
	rq.path = "";
	assert_int_equal(oci_cgroup_place(&f.cg, &rq, &e), 0);
	assert_string_equal(f.cg.unit, "brig-box.scope");
	rq.path = "/docker/1234";
	fails(oci_cgroup_place(&f.cg, &rq, &e), -EINVAL, &e, "linux.cgroupsPath: with --systemd-cgroup");
	rq.path = "a.slice::";
	fails(oci_cgroup_place(&f.cg, &rq, &e), -EINVAL, &e, "linux.cgroupsPath: there is no unit name");
	rq.path = "a.slice:x:../y";
	fails(oci_cgroup_place(&f.cg, &rq, &e), -EINVAL, &e, "linux.cgroupsPath: there is no unit name");
	rq.path = "a:x:y";
	fails(oci_cgroup_place(&f.cg, &rq, &e), -EINVAL, &e, "linux.cgroupsPath: its first part");
	fake_end(&f);
}

static void recorded(void **state)
{
	struct oci_cgroup again;
	struct error e = { 0 };
	struct fake f;

	(void)state;
	fake_v1(&f);
	place(&f, "/a/b");
	assert_int_equal(oci_cgroup_make(&f.cg, &e), 0);
	_cleanup_json_ json_t *j = oci_cgroup_record(&f.cg);
	json_t *paths = json_object_get(j, "paths");
	assert_string_equal(json_string_value(json_object_get(paths, "cpu,cpuacct")), "/a/b");
	assert_string_equal(json_string_value(json_object_get(paths, "")), "/a/b");
	assert_int_equal(json_object_size(paths), ARRAY_SIZE(v1_folders));
	_cleanup_free_ char *text = oci_cgroup_text(&f.cg);
	assert_string_equal(text, "/a/b");
	/* On the real machine the folders are not there; a path that leaves the tree is refused. */
	assert_int_equal(oci_cgroup_open(&again, j, &e), 0);
	for (size_t i = 0; i < again.n; i++)
		assert_int_equal(again.h[i].fd, -1);
	oci_cgroup_close(&again);
	_cleanup_json_ json_t *nothing = json_object();
	if (oci_cgroup_open(&again, nothing, &e) == 0 && again.n) {
		json_object_set_new(paths, again.h[0].names, json_string("/../../etc"));
		assert_true(oci_cgroup_open(&again, j, &e) < 0);
	}
	oci_cgroup_close(&again);
	fake_end(&f);
}

static void a_failed_make_leaves_nothing(void **state)
{
	struct error e = { 0 };
	struct stat st;
	struct fake f;
	int fd;

	(void)state;
	fake_v1(&f);
	place(&f, "/new/box");
	fd = openat(f.fd, "unified/new", O_CREAT | O_WRONLY | O_CLOEXEC, 0644); /* no folder */
	assert_true(fd >= 0);
	close(fd);
	assert_true(oci_cgroup_make(&f.cg, &e) < 0);
	assert_int_equal(fstatat(f.fd, "memory/new/box", &st, 0), -1);
	fake_end(&f);

	/* Nor is one taken that has processes; and it is left as it was. */
	fake_v2(&f, "/");
	place(&f, "/old");
	assert_int_equal(mkdirat(f.fd, "old", 0755), 0);
	fd = openat(f.fd, "old/cgroup.procs", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, "17\n", 3), 3);
	close(fd);
	memset(&e, 0, sizeof(e));
	fails(oci_cgroup_make(&f.cg, &e), -EBUSY, &e, "linux.cgroupsPath: the cgroup /old is not empty");
	assert_int_equal(fstatat(f.fd, "old/cgroup.procs", &st, 0), 0);
	fake_end(&f);
}

/* ------------------------------------------------------------------------------------------------------ resources */

static void make(struct fake *f, const char *path)
{
	struct error e = { 0 };

	place(f, path);
	if (oci_cgroup_make(&f->cg, &e) < 0)
		fail_msg("%s", e.text);
}

static void update(struct fake *f, const struct oci_resources *r)
{
	struct error e = { 0 };

	if (oci_cgroup_update(&f->cg, r, &e) < 0)
		fail_msg("%s", e.text);
}

static void all_of_v2(void **state)
{
	static const char *const files[] = { "memory.max", "memory.low", "memory.swap.max", "cpu.weight", "cpu.max",
					     "cpu.max.burst", "cpuset.cpus", "cpuset.mems", "cpu.idle", "pids.max", "io.weight",
					     "io.max", "hugetlb.2MB.max", "hugetlb.2MB.rsvd.max", "rdma.max", "memory.high" };
	struct oci_pair huge = { (char[]){ "2MB" }, (char[]){ "4194304" } },
			uni = { (char[]){ "memory.high" }, (char[]){ "1000" } };
	struct oci_throttle dev = { .major = 8, .minor = 16, .rate = 1000 };
	struct oci_resources r = { 0 };
	struct fake f;

	(void)state;
	fake_v2(&f, "/");
	make(&f, "/a");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		has(&f, NULL, files[i]);
	r.memory.limit = NUM(1 << 20);
	r.memory.swap = NUM(3 << 20);
	r.memory.reservation = NUM(1 << 19);
	r.memory.kernel = NUM(-1);
	r.cpu.shares = NUM(1024);
	r.cpu.quota = NUM(20000);
	r.cpu.period = NUM(50000);
	r.cpu.burst = NUM(1000);
	r.cpu.cpus = (char[]){ "0-1" };
	r.cpu.mems = (char[]){ "0" };
	r.pids = NUM(7);
	r.block_io.weight = NUM(500);
	r.block_io.write_iops = (struct oci_throttles){ &dev, 1 };
	r.hugepages = &huge;
	r.n_hugepages = 1;
	r.unified = &uni;
	r.n_unified = 1;
	r.rdma = xcalloc(1, sizeof(*r.rdma));
	r.rdma[0].device = (char[]){ "mlx5_1" };
	r.rdma[0].objects = NUM(9);
	r.n_rdma = 1;
	update(&f, &r);
	is(&f, NULL, "memory.max", "1048576");
	is(&f, NULL, "memory.swap.max", "2097152");
	is(&f, NULL, "memory.low", "524288");
	is(&f, NULL, "cpu.weight", "100");
	is(&f, NULL, "cpu.max", "20000 50000");
	is(&f, NULL, "cpu.max.burst", "1000");
	is(&f, NULL, "cpuset.cpus", "0-1");
	is(&f, NULL, "cpuset.mems", "0");
	is(&f, NULL, "pids.max", "7");
	is(&f, NULL, "io.weight", "default 4950");
	is(&f, NULL, "io.max", "8:16 wiops=1000");
	is(&f, NULL, "hugetlb.2MB.max", "4194304");
	is(&f, NULL, "hugetlb.2MB.rsvd.max", "4194304");
	is(&f, NULL, "rdma.max", "mlx5_1 hca_object=9");
	is(&f, NULL, "memory.high", "1000");
	free(r.rdma);

	/* A part of what is in one file; no limits; what is not given stays. */
	r = (struct oci_resources){ .cpu.period = NUM(60000), .pids = NUM(-1), .memory.limit = NUM(-1) };
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(unlinkat(oci_hierarchy_fd(&f.cg, NULL), files[i], 0), 0), has(&f, NULL, files[i]);
	assert_int_equal(unlinkat(oci_hierarchy_fd(&f.cg, NULL), "pids.max", 0), 0);
	has(&f, NULL, "pids.max");
	update(&f, &r);
	is(&f, NULL, "cpu.max", "20000 60000");
	is(&f, NULL, "memory.max", "max");
	is(&f, NULL, "memory.swap.max", "max");
	is(&f, NULL, "memory.low", "");
	is(&f, NULL, "pids.max", "max");
	fake_end(&f);
}

static void v2_says_what_it_lacks(void **state)
{
	struct oci_pair prio = { (char[]){ "eth0" }, (char[]){ "5" } }, uni = { (char[]){ "../x" }, (char[]){ "1" } };
	struct oci_throttle dev = { .major = 8, .leaf = NUM(10) };
	struct oci_resources r;
	struct error e = { 0 };
	struct fake f;

	(void)state;
	fake_v2(&f, "/");
	make(&f, "/a");
#define REFUSED(err, text, ...)                                      \
	do {                                                          \
		r = (struct oci_resources){ __VA_ARGS__ };             \
		fails(oci_cgroup_update(&f.cg, &r, &e), err, &e, text); \
	} while (0)
	REFUSED(-EOPNOTSUPP, "linux.resources.memory.limit: the kernel has no memory.max", .memory.limit = NUM(1 << 20));
	REFUSED(-EOPNOTSUPP, "linux.resources.memory.kernel:", .memory.kernel = NUM(1 << 20));
	REFUSED(-EOPNOTSUPP, "linux.resources.memory.kernelTCP:", .memory.kernel_tcp = NUM(1 << 20));
	REFUSED(-EOPNOTSUPP, "linux.resources.memory.swappiness:", .memory.swappiness = NUM(10));
	REFUSED(-EOPNOTSUPP, "linux.resources.memory.disableOOMKiller:", .memory.disable_oom_killer = true);
	REFUSED(-EINVAL, "linux.resources.memory.swap:", .memory.swap = NUM(1 << 20));
	REFUSED(-EINVAL, "linux.resources.memory.swap:", .memory.swap = NUM(1 << 20), .memory.limit = NUM(-1));
	REFUSED(-EINVAL, "linux.resources.memory.swap:", .memory.swap = NUM(1 << 20), .memory.limit = NUM(2 << 20));
	REFUSED(-EOPNOTSUPP, "linux.resources.cpu.realtimeRuntime:", .cpu.realtime_runtime = NUM(5));
	REFUSED(-EOPNOTSUPP, "linux.resources.cpu.realtimePeriod:", .cpu.realtime_period = NUM(5));
	REFUSED(-EOPNOTSUPP, "linux.resources.cpu.idle: the kernel has no cpu.idle", .cpu.idle = NUM(1));
	REFUSED(-EOPNOTSUPP, "linux.resources.cpu.burst: the kernel has no cpu.max.burst", .cpu.burst = NUM(1));
	REFUSED(-EOPNOTSUPP, "linux.resources.pids.limit:", .pids = NUM(1));
	REFUSED(-EOPNOTSUPP, "linux.resources.blockIO.weight: the kernel has no io.weight", .block_io.weight = NUM(10));
	REFUSED(-EOPNOTSUPP, "linux.resources.blockIO.leafWeight:", .block_io.leaf_weight = NUM(10));
	REFUSED(-EOPNOTSUPP, "linux.resources.blockIO.weightDevice[0]:", .block_io.weight_device = { &dev, 1 });
	REFUSED(-EOPNOTSUPP, "linux.resources.blockIO.throttleReadBpsDevice[0]:", .block_io.read_bps = { &dev, 1 });
	REFUSED(-EOPNOTSUPP, "linux.resources.network.classID:", .net_class = NUM(1));
	REFUSED(-EOPNOTSUPP, "linux.resources.network.priorities:", .net_prios = &prio, .n_net_prios = 1);
	REFUSED(-EINVAL, "linux.resources.unified[\"../x\"]: is no file", .unified = &uni, .n_unified = 1);
	uni.name = (char[]){ "no.such" };
	REFUSED(-EOPNOTSUPP, "linux.resources.unified[\"no.such\"]: the kernel has no such file", .unified = &uni,
		.n_unified = 1);
	close(file_of(&f, NULL, "memory.max"));
	int fd = file_of(&f, NULL, "memory.current");
	assert_int_equal(write(fd, "2000000\n", 8), 8);
	close(fd);
	REFUSED(-EBUSY, "linux.resources.memory.limit: 1000000 bytes are less than the 2000000 in use",
		.memory.limit = NUM(1000000), .memory.check_before_update = true);
	is(&f, NULL, "memory.max", "");
	/* What means nothing, or no limit, asks for nothing. */
	r = (struct oci_resources){ .memory.kernel = NUM(-1), .memory.swap = NUM(0), .cpu.quota = NUM(0), .cpu.idle = NUM(0),
				    .cpu.realtime_runtime = NUM(0), .block_io.weight = NUM(0), .net_class = NUM(0) };
	update(&f, &r);
	fake_end(&f);
}

static void all_of_v1(void **state)
{
	static const struct {
		const char *controller, *file;
	} files[] = { { "memory", "memory.limit_in_bytes" }, { "memory", "memory.memsw.limit_in_bytes" },
		      { "memory", "memory.soft_limit_in_bytes" }, { "memory", "memory.swappiness" },
		      { "memory", "memory.oom_control" }, { "cpu", "cpu.shares" }, { "cpu", "cpu.cfs_quota_us" },
		      { "cpu", "cpu.cfs_period_us" }, { "cpu", "cpu.cfs_burst_us" }, { "cpu", "cpu.rt_period_us" },
		      { "cpu", "cpu.rt_runtime_us" }, { "pids", "pids.max" }, { "blkio", "blkio.bfq.weight" },
		      { "blkio", "blkio.throttle.read_bps_device" }, { "hugetlb", "hugetlb.1GB.limit_in_bytes" },
		      { "net_cls", "net_cls.classid" }, { "net_prio", "net_prio.ifpriomap" }, { "rdma", "rdma.max" },
		      { NULL, "cgroup.max.depth" } };
	struct oci_pair huge = { (char[]){ "1GB" }, (char[]){ "1073741824" } }, prio = { (char[]){ "eth0" }, (char[]){ "5" } },
			uni = { (char[]){ "cgroup.max.depth" }, (char[]){ "3" } };
	struct oci_throttle dev = { .major = 8, .minor = 0, .rate = 4096 };
	struct oci_resources r = { 0 };
	struct error e = { 0 };
	struct fake f;

	(void)state;
	fake_v1(&f);
	/* The folder above has what an empty cpuset gets. */
	for (int i = 0; i < 2; i++) {
		_cleanup_close_ int fd = openat(f.fd, i ? "cpuset/cpuset.mems" : "cpuset/cpuset.cpus", O_CREAT | O_WRONLY | O_CLOEXEC,
						0644);
		assert_int_equal(write(fd, i ? "0\n" : "0-7\n", i ? 2 : 4), i ? 2 : 4);
	}
	make(&f, "/a");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		has(&f, files[i].controller, files[i].file);
	r.memory.limit = NUM(1 << 20);
	r.memory.swap = NUM(3 << 20);
	r.memory.reservation = NUM(1 << 19);
	r.memory.swappiness = NUM(0);
	r.memory.disable_oom_killer = true;
	r.cpu.shares = NUM(512);
	r.cpu.quota = NUM(-1);
	r.cpu.period = NUM(50000);
	r.cpu.burst = NUM(0);
	r.cpu.realtime_period = NUM(1000000);
	r.cpu.realtime_runtime = NUM(1000);
	r.pids = NUM(0);
	r.block_io.weight = NUM(500);
	r.block_io.read_bps = (struct oci_throttles){ &dev, 1 };
	r.hugepages = &huge;
	r.n_hugepages = 1;
	r.net_class = NUM(0x100001);
	r.net_prios = &prio;
	r.n_net_prios = 1;
	r.unified = &uni;
	r.n_unified = 1;
	update(&f, &r);
	is(&f, "memory", "memory.limit_in_bytes", "1048576");
	is(&f, "memory", "memory.memsw.limit_in_bytes", "3145728");
	is(&f, "memory", "memory.soft_limit_in_bytes", "524288");
	is(&f, "memory", "memory.swappiness", "0");
	is(&f, "memory", "memory.oom_control", "1");
	is(&f, "cpu", "cpu.shares", "512");
	is(&f, "cpu", "cpu.cfs_quota_us", "-1");
	is(&f, "cpu", "cpu.cfs_period_us", "50000");
	is(&f, "cpu", "cpu.cfs_burst_us", "0");
	is(&f, "cpu", "cpu.rt_runtime_us", "1000");
	is(&f, "pids", "pids.max", "max");
	is(&f, "blkio", "blkio.bfq.weight", "500");
	is(&f, "blkio", "blkio.throttle.read_bps_device", "8:0 4096");
	is(&f, "hugetlb", "hugetlb.1GB.limit_in_bytes", "1073741824");
	is(&f, "net_cls", "net_cls.classid", "1048577");
	is(&f, "net_prio", "net_prio.ifpriomap", "eth0 5");
	is(&f, NULL, "cgroup.max.depth", "3");
	REFUSED(-EOPNOTSUPP, "linux.resources.memory.kernel: the kernel has no memory.kmem", .memory.kernel = NUM(1 << 20));
	REFUSED(-EOPNOTSUPP, "linux.resources.blockIO.leafWeight: the kernel has no", .block_io.leaf_weight = NUM(10));
	REFUSED(-EINVAL, "linux.resources.memory.swap:", .memory.swap = NUM(1 << 20), .memory.limit = NUM(2 << 20));
	fake_end(&f);
	fake_v1(&f);
	uni.name = (char[]){ "x" };
	f.cg.n = 1; /* a machine with name=systemd alone */
	make(&f, "/a");
	REFUSED(-EOPNOTSUPP, "linux.resources.cpu.shares: the machine has no such controller", .cpu.shares = NUM(2));
	REFUSED(-EOPNOTSUPP, "linux.resources.unified[\"x\"]: there is no cgroup v2", .unified = &uni, .n_unified = 1);
	fake_end(&f);
}

static void weights(void **state)
{
	(void)state;
	assert_int_equal(oci_cpu_weight(0), 1);
	assert_int_equal(oci_cpu_weight(2), 1);
	assert_int_equal(oci_cpu_weight(102), 17);
	assert_int_equal(oci_cpu_weight(1024), 100);
	assert_int_equal(oci_cpu_weight(262144), 10000);
	assert_int_equal(oci_cpu_weight(UINT64_MAX), 10000);
	for (uint64_t s = 3, last = 1; s < 262144; last = oci_cpu_weight(s), s++)
		assert_true(oci_cpu_weight(s) >= last);
	assert_int_equal(oci_io_weight(10), 1);
	assert_int_equal(oci_io_weight(1000), 10000);
}

/* -------------------------------------------------------------------------------------------------- device rules */

struct ctx {
	int type;
	unsigned access;
	long long major, minor;
};

/* What the program uses of BPF; -1 for anything else, for a jump out of the program and for an endless one. */
static int interpret(const struct bpf_insn *p, size_t n, const struct ctx *c)
{
	uint64_t r[11] = { 0 };
	size_t steps = 0;

	for (size_t i = 0; i < n && steps < 100000; i++, steps++) {
		uint64_t imm = (uint64_t)(int64_t)p[i].imm, *d = &r[p[i].dst_reg];
		bool jump = false;

		switch (p[i].code) {
		case BPF_LDX | BPF_W | BPF_MEM:
			*d = p[i].off == 0 ? (uint64_t)(c->access << 16 | (unsigned)c->type) :
			     p[i].off == 4 ? (uint64_t)c->major : (uint64_t)c->minor;
			break;
		case BPF_ALU64 | BPF_MOV | BPF_X: *d = r[p[i].src_reg]; break;
		case BPF_ALU64 | BPF_MOV | BPF_K: *d = imm; break;
		case BPF_ALU64 | BPF_AND | BPF_K: *d &= imm; break;
		case BPF_ALU64 | BPF_RSH | BPF_K: *d >>= imm; break;
		case BPF_JMP | BPF_JNE | BPF_K: jump = *d != imm; break;
		case BPF_JMP | BPF_JSET | BPF_K: jump = (*d & imm) != 0; break;
		case BPF_JMP | BPF_JA: jump = true; break;
		case BPF_JMP | BPF_EXIT: return (int)r[0];
		default: return -1;
		}
		if (jump)
			i += (size_t)p[i].off;
	}
	return -1;
}

/* The same said plainly: for each kind of access, the last rule that fits. */
static int naive(const struct oci_device_rule *rules, size_t n, const struct ctx *c)
{
	static const struct {
		unsigned bit;
		char letter;
	} kinds[] = { { BPF_DEVCG_ACC_MKNOD, 'm' }, { BPF_DEVCG_ACC_READ, 'r' }, { BPF_DEVCG_ACC_WRITE, 'w' } };

	for (size_t k = 0; k < 3; k++) {
		bool allow = false;

		if (!(c->access & kinds[k].bit))
			continue;
		for (size_t i = 0; i < n; i++)
			if ((rules[i].type == 'a' || (rules[i].type == 'c') == (c->type == BPF_DEVCG_DEV_CHAR)) &&
			    (rules[i].major < 0 || rules[i].major == c->major) &&
			    (rules[i].minor < 0 || rules[i].minor == c->minor) && strchr(rules[i].access, kinds[k].letter))
				allow = rules[i].allow;
		if (!allow)
			return 0;
	}
	return 1;
}

static void the_program_decides_as_the_rules_say(void **state)
{
	static const char *const accesses[] = { "r", "w", "m", "rw", "rm", "wm", "rwm", "rwm" };
	unsigned seed = 1, allowed = 0, asked = 0;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct oci_device_rule rules[12];
		struct bpf_insn insns[12 * 7 + 8];
		size_t n = (size_t)(rand_r(&seed) % 13), used;

		for (size_t i = 0; i < n; i++) {
			rules[i] = (struct oci_device_rule){ .allow = rand_r(&seed) % 2, .type = "acb"[rand_r(&seed) % 3],
							     .major = rand_r(&seed) % 4 - 1, .minor = rand_r(&seed) % 4 - 1 };
			strcpy(rules[i].access, accesses[rand_r(&seed) % 8]);
		}
		used = oci_devices_program(rules, n, insns, ARRAY_SIZE(insns));
		assert_true(used > 0 && used <= ARRAY_SIZE(insns));
		for (int type = 1; type <= 2; type++)
			for (unsigned access = 1; access < 8; access++)
				for (int dev = 0; dev < 9; dev++) {
					struct ctx c = { type, access, dev / 3, dev % 3 };
					int want = naive(rules, n, &c);

					assert_int_equal(interpret(insns, used, &c), want);
					allowed += (unsigned)want;
					asked++;
				}
	}
	/* Not an answer that is always the same. */
	assert_true(allowed > asked / 20 && allowed < asked - asked / 20);
	assert_int_equal(oci_devices_program(NULL, 3, NULL, 10), 0);
}

static void device_lines_of_v1(void **state)
{
	struct oci_device_rule rules[] = { { false, 'a', -1, -1, "rwm" }, { true, 'c', 10, 229, "rw" } };
	struct oci_resources r = { .devices = rules, .n_devices = 2 };
	struct error e = { 0 };
	struct fake f;

	(void)state;
	fake_v1(&f);
	make(&f, "/a");
	has(&f, "devices", "devices.allow");
	has(&f, "devices", "devices.deny");
	assert_int_equal(oci_devices_apply(&f.cg, &r, true, &e), 0);
	is(&f, "devices", "devices.deny", "a");
	/* A file keeps the longest last line; the kernel sees each. */
	fake_end(&f);
}

/* ------------------------------------------------------------------------------------------------------- systemd */

static bool listens(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
}

/* A message bus of our own, which checks each message's marshalling against its signature; its pid, or -1. */
static pid_t start_bus(const char *dir)
{
	_cleanup_free_ char *config = xasprintf("%s/config", dir), *socket = xasprintf("%s/bus", dir);
	_cleanup_free_ char *text = xasprintf(
		"<busconfig><type>session</type><listen>unix:path=%s</listen><auth>EXTERNAL</auth><policy context=\"default\">"
		"<allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>\n", socket);
	_cleanup_free_ char *option = xasprintf("--config-file=%s", config);
	pid_t pid;

	if (access("/usr/bin/dbus-daemon", X_OK) < 0)
		return -1;
	assert_int_equal(file_replace(AT_FDCWD, config, text, strlen(text), 0644, false), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/usr/bin/dbus-daemon", "dbus-daemon", option, "--nofork", (char *)NULL);
		_exit(1);
	}
	/* The file is there a moment before the bus listens. */
	for (int i = 0; i < 500 && !listens(socket); i++)
		usleep(10000);
	return pid;
}

static void requests_to_systemd_are_well_formed(void **state)
{
	struct oci_cgroup_request rq = { .id = "box", .systemd = true, .path = "machine.slice:libpod:1234" };
	struct oci_resources r = { .memory.limit = NUM(1 << 20), .memory.swap = NUM(2 << 20), .pids = NUM(7),
				   .cpu.shares = NUM(1024), .cpu.quota = NUM(20000), .cpu.period = NUM(50000) };
	char dir[] = "/tmp/brig-cgroup-bus-XXXXXX";
	_cleanup_bus_ struct bus bus = { .fd = -1 };
	_cleanup_buf_ struct buf bad = { 0 };
	struct error e = { 0 };
	struct fake f;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	pid = start_bus(dir);
	if (pid < 0) {
		print_message("SKIP: there is no dbus-daemon\n");
		path_remove_tree(AT_FDCWD, dir);
		skip();
	}
	_cleanup_free_ char *path = xasprintf("%s/bus", dir), *address = xasprintf("unix:path=%s", path);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	setenv("XDG_RUNTIME_DIR", dir, 1);
	fake_v2(&f, "/");
	assert_int_equal(oci_cgroup_place(&f.cg, &rq, &e), 0);
	/* Nobody is there who would answer; that the bus says so means that it could read the message. */
	static const char *const units[] = { "machine.slice:libpod:1234", "machine.slice:x:machine-a.slice" };
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		rq.path = units[i];
		assert_int_equal(oci_cgroup_place(&f.cg, &rq, &e), 0);
		assert_int_equal(oci_cgroup_start_scope(&f.cg, getpid(), &r, &e), -EREMOTEIO);
		assert_non_null(strstr(e.text, "org.freedesktop.DBus.Error.ServiceUnknown"));
		memset(&e, 0, sizeof(e));
		assert_int_equal(oci_cgroup_tell_systemd(&f.cg, &r, &e), -EREMOTEIO);
		assert_non_null(strstr(e.text, "org.freedesktop.DBus.Error.ServiceUnknown"));
		memset(&e, 0, sizeof(e));
		if (i > 0)
			continue;
		assert_int_equal(oci_cgroup_end_scope(&f.cg, &e), -EREMOTEIO);
		assert_non_null(strstr(e.text, "systemd does not end libpod-1234"));
		assert_non_null(strstr(e.text, "org.freedesktop.DBus.Error.ServiceUnknown"));
		memset(&e, 0, sizeof(e));
	}
	assert_int_equal(oci_cgroup_end_scope(&f.cg, &e), 0); /* a slice may have others' units in it */
	/* One that it cannot read it does not answer. */
	assert_int_equal(bus_open(&bus, path, &e), 0);
	bus_put_u32(&bad, 1000);
	assert_int_equal(bus_call(&bus, "org.example", "/", "org.example", "X", "s", &bad, NULL, &e), -ECONNRESET);
	fake_end(&f);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	path_remove_tree(AT_FDCWD, dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_v1),
		cmocka_unit_test(paths_v2),
		cmocka_unit_test(slices),
		cmocka_unit_test(systemd_paths),
		cmocka_unit_test(recorded),
		cmocka_unit_test(a_failed_make_leaves_nothing),
		cmocka_unit_test(all_of_v2),
		cmocka_unit_test(v2_says_what_it_lacks),
		cmocka_unit_test(all_of_v1),
		cmocka_unit_test(weights),
		cmocka_unit_test(the_program_decides_as_the_rules_say),
		cmocka_unit_test(device_lines_of_v1),
		cmocka_unit_test(requests_to_systemd_are_well_formed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
