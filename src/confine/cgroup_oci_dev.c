/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources.devices. Every access starts as denied; of the caller's rules and, after them, those for the standard
 * devices the last that fits decides. v1: the devices hierarchy, cgroup-v1/devices.rst. v2, or beside a v1 that has
 * none: a program of type BPF_PROG_TYPE_CGROUP_DEVICE, bpf(2).
 *
 * A user may set neither; nor may root of a user namespace. There the rules are left out: nobody in such a container can
 * make a device node, or open one that the user itself could not.
 */
#include "confine/cgroup_oci_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROGRAM_NAME "brig_oci_device"

/* Nodes of any device may be made, the usual ones be used; what runc and crun allow on top of every configuration. */
static const struct oci_device_rule standard[] = {
	{ true, 'c', -1, -1, "m" },  { true, 'b', -1, -1, "m" },  { true, 'c', 1, 3, "rwm" },	 { true, 'c', 1, 8, "rwm" },
	{ true, 'c', 1, 7, "rwm" },  { true, 'c', 5, 0, "rwm" },  { true, 'c', 1, 5, "rwm" },	 { true, 'c', 1, 9, "rwm" },
	{ true, 'c', 136, -1, "rwm" }, { true, 'c', 5, 2, "rwm" },
};

struct oci_device_rule *oci_devices_all(const struct oci_resources *r, size_t *n)
{
	struct oci_device_rule *all = xcalloc(r->n_devices + ARRAY_SIZE(standard), sizeof(*all));

	if (r->n_devices)
		memcpy(all, r->devices, r->n_devices * sizeof(*all));
	memcpy(all + r->n_devices, standard, sizeof(standard));
	*n = r->n_devices + ARRAY_SIZE(standard);
	return all;
}

static int bpf(int cmd, union bpf_attr *attr, size_t size)
{
	long r = syscall(SYS_bpf, cmd, attr, size);

	return r < 0 ? -errno : (int)r;
}

/* In the numbers of struct bpf_cgroup_dev_ctx. */
static int access_bits(const char *access)
{
	int bits = 0;

	for (; *access; access++)
		bits |= *access == 'r' ? BPF_DEVCG_ACC_READ : *access == 'w' ? BPF_DEVCG_ACC_WRITE : BPF_DEVCG_ACC_MKNOD;
	return bits;
}

#define INSN(c, d, s, o, i) \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (short)(o), .imm = (int)(i) })
enum { ACCESS_ALL = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE };
enum { RULE_INSNS = 7, FRAME_INSNS = 8 };

static size_t answer(struct bpf_insn *p, bool allow)
{
	p[0] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, allow);
	p[1] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return 2;
}

/* True for a rule behind which nothing is asked any more. */
static bool decides_all(const struct oci_device_rule *r)
{
	return r->type == 'a' && r->major < 0 && r->minor < 0 && access_bits(r->access) == ACCESS_ALL;
}

/* r2 type, r3 what of the access is not decided yet, r4 major, r5 minor. */
static size_t program_rule(const struct oci_device_rule *r, struct bpf_insn *p)
{
	int bits = access_bits(r->access);
	size_t n = 0, jumps;

	if (r->type != 'a')
		p[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 2, 0, 0, r->type == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK);
	if (r->major >= 0)
		p[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 4, 0, 0, r->major);
	if (r->minor >= 0)
		p[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 5, 0, 0, r->minor);
	jumps = n;
	if (r->allow) {
		p[n++] = INSN(BPF_ALU64 | BPF_AND | BPF_K, 3, 0, 0, ~bits);
		p[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 3, 0, 2, 0);
	} else {
		p[n++] = INSN(BPF_JMP | BPF_JSET | BPF_K, 3, 0, 1, bits);
		p[n++] = INSN(BPF_JMP | BPF_JA, 0, 0, 2, 0);
	}
	n += answer(p + n, r->allow);
	for (size_t i = 0; i < jumps; i++)
		p[i].off = (short)(n - i - 1);
	return n;
}

size_t oci_devices_program(const struct oci_device_rule *rules, size_t n, struct bpf_insn *p, size_t max)
{
	size_t used = 0;

	if (max < FRAME_INSNS || (max - FRAME_INSNS) / RULE_INSNS < n)
		return 0;
	p[used++] = INSN(BPF_LDX | BPF_W | BPF_MEM, 2, 1, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
	p[used++] = INSN(BPF_ALU64 | BPF_MOV | BPF_X, 3, 2, 0, 0);
	p[used++] = INSN(BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
	p[used++] = INSN(BPF_ALU64 | BPF_RSH | BPF_K, 3, 0, 0, 16);
	p[used++] = INSN(BPF_LDX | BPF_W | BPF_MEM, 4, 1, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
	p[used++] = INSN(BPF_LDX | BPF_W | BPF_MEM, 5, 1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
	while (n-- > 0) {
		/* The kernel refuses a program with code that nothing reaches. */
		if (decides_all(&rules[n]))
			return used + answer(p + used, rules[n].allow);
		used += program_rule(&rules[n], p + used);
	}
	return used + answer(p + used, false);
}

/* Our own program on exactly this folder, from an earlier call, or -1. */
static int attached(int cgroup)
{
	union bpf_attr query = { 0 };
	uint32_t ids[64];

	query.query.target_fd = (uint32_t)cgroup;
	query.query.attach_type = BPF_CGROUP_DEVICE;
	query.query.prog_ids = (uint64_t)(uintptr_t)ids;
	query.query.prog_cnt = ARRAY_SIZE(ids);
	if (bpf(BPF_PROG_QUERY, &query, sizeof(query)) < 0)
		return -1;
	for (uint32_t i = 0; i < query.query.prog_cnt; i++) {
		struct bpf_prog_info info = { 0 };
		union bpf_attr by_id = { .prog_id = ids[i] }, about = { 0 };
		_cleanup_close_ int fd = bpf(BPF_PROG_GET_FD_BY_ID, &by_id, sizeof(by_id));

		about.info.bpf_fd = (uint32_t)fd;
		about.info.info_len = sizeof(info);
		about.info.info = (uint64_t)(uintptr_t)&info;
		if (fd >= 0 && bpf(BPF_OBJ_GET_INFO_BY_FD, &about, sizeof(about)) == 0 && streq(info.name, PROGRAM_NAME))
			return steal_fd(&fd);
	}
	return -1;
}

static int load(const struct oci_device_rule *rules, size_t n)
{
	size_t max = FRAME_INSNS + RULE_INSNS * n;
	_cleanup_free_ struct bpf_insn *insns = xcalloc(max, sizeof(*insns));
	union bpf_attr attr = { 0 };

	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uint64_t)(uintptr_t)insns;
	attr.insn_cnt = (uint32_t)oci_devices_program(rules, n, insns, max);
	attr.license = (uint64_t)(uintptr_t) "Apache-2.0";
	memcpy(attr.prog_name, PROGRAM_NAME, sizeof(PROGRAM_NAME));
	return bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* The new program takes the old one's place in one step: no access slips through, none is refused, in between. */
static int apply_v2(int cgroup, const struct oci_device_rule *rules, size_t n, bool fresh)
{
	_cleanup_close_ int prog = load(rules, n), old = -1;
	union bpf_attr attr = { 0 };

	if (prog < 0)
		return prog;
	if (!fresh)
		old = attached(cgroup);
	attr.target_fd = (uint32_t)cgroup;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI | (old >= 0 ? BPF_F_REPLACE : 0);
	attr.replace_bpf_fd = old >= 0 ? (uint32_t)old : 0;
	return bpf(BPF_PROG_ATTACH, &attr, sizeof(attr));
}

/* Opened once each: a list has a dozen rules. */
struct device_files {
	int dir, allow, deny; /* -1: not yet */
};

static int write_line(struct device_files *f, bool allow, const char *line)
{
	int *fd = allow ? &f->allow : &f->deny;
	ssize_t n;

	if (*fd < 0)
		*fd = openat(f->dir, allow ? "devices.allow" : "devices.deny", O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (*fd < 0)
		return -errno;
	do
		n = write(*fd, line, strlen(line));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int write_rule(struct device_files *f, const struct oci_device_rule *r, char type)
{
	char line[64], major[24] = "*", minor[24] = "*";

	if (r->major >= 0)
		snprintf(major, sizeof(major), "%lld", (long long)r->major);
	if (r->minor >= 0)
		snprintf(minor, sizeof(minor), "%lld", (long long)r->minor);
	snprintf(line, sizeof(line), "%c %s:%s %s", type, major, minor, r->access);
	return write_line(f, r->allow, line);
}

/* "a" means everything to the kernel, whatever else the line says. */
static int write_rules(struct device_files *f, const struct oci_device_rule *rules, size_t n, bool fresh)
{
	size_t first = 0;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		if (decides_all(&rules[i]))
			first = i;
	if (fresh && !(n && decides_all(&rules[first])))
		r = write_line(f, false, "a");
	for (size_t i = first; r == 0 && i < n; i++) {
		if (decides_all(&rules[i])) {
			r = write_line(f, rules[i].allow, "a");
		} else if (rules[i].type == 'a') {
			r = write_rule(f, &rules[i], 'c');
			if (r == 0)
				r = write_rule(f, &rules[i], 'b');
		} else {
			r = write_rule(f, &rules[i], rules[i].type);
		}
	}
	return r;
}

static int apply_v1(int fd, const struct oci_device_rule *rules, size_t n, bool fresh)
{
	struct device_files f = { fd, -1, -1 };
	int r = write_rules(&f, rules, n, fresh);

	cleanup_close(&f.allow);
	cleanup_close(&f.deny);
	return r;
}

static bool initial_user_namespace(void)
{
	char text[128];

	return file_read_line(AT_FDCWD, "/proc/self/uid_map", text, sizeof(text)) == 0 && strstr(text, "4294967295");
}

int oci_devices_apply(const struct oci_cgroup *cg, const struct oci_resources *r, bool fresh, struct error *e)
{
	int fd = oci_hierarchy_fd(cg, "devices"), v2 = oci_hierarchy_fd(cg, NULL), s;
	size_t n;
	_cleanup_free_ struct oci_device_rule *rules = oci_devices_all(r, &n);

	if (cg->version != 2 && fd >= 0)
		s = apply_v1(fd, rules, n, fresh);
	else if (v2 >= 0)
		s = apply_v2(v2, rules, n, fresh);
	else
		s = r->n_devices ? -EOPNOTSUPP : 0;
	if (s < 0 && (geteuid() != 0 || ((s == -EPERM || s == -EOPNOTSUPP) && !initial_user_namespace())))
		return 0;
	if (s == -EOPNOTSUPP)
		return oci_refuse(e, "devices", "the machine has no devices controller and no cgroup v2 mounted");
	return s < 0 ? error_errno(e, s, "linux.resources.devices: cannot set the list of devices") : 0;
}
