/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind cgroup_oci.h share. */
#pragma once

#include "confine/cgroup_oci.h"

#include <linux/bpf.h>

/*
 * Finds the hierarchies below `mount` (O_PATH of /sys/fs/cgroup) from the text of /proc/self/cgroup. `real` demands cgroup
 * file systems; tests pass false with plain folders.
 */
int oci_cgroup_look(struct oci_cgroup *cg, int mount, bool v2, const char *text, bool real);
/* Fills the paths of a machine that was looked at. */
int oci_cgroup_place(struct oci_cgroup *cg, const struct oci_cgroup_request *rq, struct error *e);
/* The hierarchy of a v1 controller, or on v2 (and for NULL) the v2 tree; NULL: none. */
const struct oci_hierarchy *oci_hierarchy(const struct oci_cgroup *cg, const char *controller);
/* Its folder, or -1. */
/* The caller as the host numbers it: rootless podman calls us as root of a user namespace of its own. */
uid_t oci_cgroup_user(void);
int oci_hierarchy_fd(const struct oci_cgroup *cg, const char *controller);
/* v2: gives every controller that the top has to the folder, as far as that is possible. */
void oci_cgroup_enable(const struct oci_hierarchy *h);
/* "a-b.slice" -> "a.slice/a-b.slice". -EINVAL: no slice name. */
int oci_slice_expand(const char *slice, char *out, size_t size);

/* Calls `fn` for the folder and all below it, children first. */
int oci_cgroup_walk(int fd, int depth, int (*fn)(int dir, void *arg), void *arg);

/* The v2 weight for v1 shares, as runc 1.4 and crun 1.23 convert: 2 is 1, 1024 is 100, 262144 is 10000. */
unsigned oci_cpu_weight(uint64_t shares);
/* io.weight (1 to 10000) for a blkio weight (10 to 1000). */
unsigned oci_io_weight(uint64_t weight);
/* v2's swap alone from memory and swap together: -1 none, -2 not given. */
int oci_swap_v2(const struct oci_resources *r, int64_t *swap, struct error *e);

/* One value into one file; the error begins with linux.resources.FIELD. */
__attribute__((format(printf, 6, 7))) int oci_put(const struct oci_cgroup *cg, const char *controller, const char *field,
						  const char *file, struct error *e, const char *fmt, ...);
int oci_refuse(struct error *e, const char *field, const char *why);
int oci_apply_v1(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e);
int oci_apply_v2(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e);

/* Device rules. */
int oci_devices_apply(const struct oci_cgroup *cg, const struct oci_resources *r, bool fresh, struct error *e);
/* The program for rules of which the last that fits decides, bit by bit; `max` is in instructions. 0: too many rules. */
size_t oci_devices_program(const struct oci_device_rule *rules, size_t n, struct bpf_insn *out, size_t max);
/* The caller's rules and the standard ones. The caller frees; *n is the number. */
struct oci_device_rule *oci_devices_all(const struct oci_resources *r, size_t *n);

/* Tells systemd of changed limits, so that it does not undo them. */
int oci_cgroup_tell_systemd(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e);
