/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device list: which devices the container's processes may open, whatever nodes they find or get. v1: the devices
 * hierarchy, cgroup-v1/devices.rst. v2: a program of type BPF_PROG_TYPE_CGROUP_DEVICE, bpf(2).
 */
#include "confine/cgroup_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Character devices, for reading and writing; none may be made. Documentation/admin-guide/devices.txt */
static const struct {
	int major, minor; /* -1: all */
} allowed[] = {
	{ 1, 3 },  /* null */
	{ 1, 5 },  /* zero */
	{ 1, 7 },  /* full */
	{ 1, 8 },  /* random */
	{ 1, 9 },  /* urandom */
	{ 5, 0 },  /* tty */
	{ 5, 2 },  /* ptmx */
	{ 136, -1 }, /* pseudo terminals */
};

int cgroup_devices_v1(int fd)
{
	char rule[48];
	int r = file_write(fd, "devices.deny", "a");

	/* With folders below it cannot be changed any more: then somebody else finished it before us. */
	if (r == -EINVAL)
		return 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(allowed); i++) {
		if (allowed[i].minor < 0)
			snprintf(rule, sizeof(rule), "c %d:* rw", allowed[i].major);
		else
			snprintf(rule, sizeof(rule), "c %d:%d rw", allowed[i].major, allowed[i].minor);
		r = file_write(fd, "devices.allow", rule);
	}
	return r;
}

static int bpf(int cmd, union bpf_attr *attr, size_t size)
{
	long r = syscall(SYS_bpf, cmd, attr, size);

	return r < 0 ? -errno : (int)r;
}

#define INSN(c, d, s, o, i) \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (short)(o), .imm = (i) })

enum { PROG_MAX = 8 + 3 * ARRAY_SIZE(allowed) };

/*
 * r2 = access, r4 = major, r5 = minor. Gives 1 for a character device of the list that is not being made, else 0.
 * struct bpf_cgroup_dev_ctx: access_type is BPF_DEVCG_ACC_* << 16 | BPF_DEVCG_DEV_*.
 */
static size_t program(struct bpf_insn *p)
{
	size_t n = 0, check;

	p[n++] = INSN(BPF_LDX | BPF_W | BPF_MEM, 2, 1, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
	p[n++] = INSN(BPF_LDX | BPF_W | BPF_MEM, 4, 1, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
	p[n++] = INSN(BPF_LDX | BPF_W | BPF_MEM, 5, 1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
	p[n++] = INSN(BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff | BPF_DEVCG_ACC_MKNOD << 16);
	check = n++;
	p[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1);
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		bool any = allowed[i].minor < 0;

		p[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 4, 0, any ? 1 : 2, allowed[i].major);
		if (!any)
			p[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 5, 0, 1, allowed[i].minor);
		p[n++] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	}
	p[check] = INSN(BPF_JMP | BPF_JNE | BPF_K, 2, 0, n - check - 1, BPF_DEVCG_DEV_CHAR);
	p[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
	p[n++] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return n;
}

int cgroup_devices_v2(int fd)
{
	struct bpf_insn insns[PROG_MAX];
	size_t n = program(insns);
	union bpf_attr load = { 0 }, attach = { 0 };
	_cleanup_close_ int prog = -1;

	load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	load.insns = (uint64_t)(uintptr_t)insns;
	load.insn_cnt = (uint32_t)n;
	load.license = (uint64_t)(uintptr_t) "Apache-2.0";
	strcpy(load.prog_name, "brig_devices");
	prog = bpf(BPF_PROG_LOAD, &load, sizeof(load));
	if (prog < 0)
		return prog;
	attach.target_fd = (uint32_t)fd;
	attach.attach_bpf_fd = (uint32_t)prog;
	attach.attach_type = BPF_CGROUP_DEVICE;
	attach.attach_flags = BPF_F_ALLOW_MULTI;
	return bpf(BPF_PROG_ATTACH, &attach, sizeof(attach));
}

int cgroup_devices_v2_stands(int fd)
{
	union bpf_attr query = { 0 };
	uint32_t ids[64];
	int r;

	query.query.target_fd = (uint32_t)fd;
	query.query.attach_type = BPF_CGROUP_DEVICE;
	query.query.query_flags = BPF_F_QUERY_EFFECTIVE;
	query.query.prog_ids = (uint64_t)(uintptr_t)ids;
	query.query.prog_cnt = ARRAY_SIZE(ids);
	r = bpf(BPF_PROG_QUERY, &query, sizeof(query));
	return r < 0 ? r : query.query.prog_cnt > 0;
}
