/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the cgroup wall share. */
#pragma once

#include "confine/cgroup.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"

enum { CG_V1_ALL = CG_BIT(CG_V2) - 1 };

/*
 * The top of a controller's hierarchy (O_PATH, shared, not to close), or a negative errno. On a v2 machine, all
 * controllers give the v2 tree; on a v1 machine CG_V2 gives none.
 */
int cgroup_top(enum cgroup_controller c);
/* 2, 1 or 0, looked up once. */
int cgroup_version(void);
/* True when two controllers share one v1 hierarchy ("cpu,cpuacct"): the lower number stands for both. */
bool cgroup_shared(enum cgroup_controller c);

/* Opens, or makes and opens, the folder that holds containers' folders. See cgroup.h for where. */
int cgroup_base_path(const struct spec *s, char *out, size_t size, struct error *e);
int cgroup_base_open(enum cgroup_controller c, const char *base, bool make, struct error *e);
/* Controllers of `wanted` in which this caller can make folders below `base`. Makes nothing. */
unsigned cgroup_base_usable(const char *base, unsigned wanted);

/*
 * v2: switches controllers on for the children of `base` and of everything above it ("": of the top). One that cannot be
 * had shows when its limit is set.
 */
void cgroup_enable_v2(const char *base, unsigned controllers);
/* v1: an empty cpuset takes no process; gives `fd` what the top has, and its children what it has. */
int cgroup_cpuset_inherit(int top, int fd);

/* The caller's own place in a hierarchy, from /proc/self/cgroup; "/..." or a negative errno. */
int cgroup_own(enum cgroup_controller c, char *out, size_t size);
/* The place of a process: `text` is the content of its /proc/PID/cgroup. */
int cgroup_place(const char *text, enum cgroup_controller c, char *out, size_t size);

/*
 * A user on a v2 machine under systemd: its containers stand below user@UID.service, which is delegated to it. Where the
 * caller itself stands outside of that (in a login session), systemd moves the process.
 */
bool cgroup_systemd_runs(void);
bool cgroup_by_systemd(const char *base);
/* The process joins the folder `below` ("/brig-user-1000/ID") of a delegated unit. */
int cgroup_systemd_attach(const char *unit, const char *below, pid_t pid, struct error *e);

/* One value in one file. */
struct cgroup_setting {
	const char *limit;	/* as `--lower cgroup=` takes it */
	enum cgroup_controller controller;
	const char *file;
	char value[96];		/* as written; read back it is the same but for what cgroup_value_equal knows */
};
enum { CG_SETTINGS_MAX = 12 };
/* What the specification's limits are in files, in the order in which they have to be written. */
size_t cgroup_settings(const struct spec *s, bool v2, unsigned controllers, struct cgroup_setting *out);
/* Writes one. The error names limit, controller and file. */
int cgroup_set(int fd, const struct cgroup_setting *set, struct error *e);
bool cgroup_machine_has_swap(void);
/* Compares what was written with what the kernel gives back ("0,1" is "0-1"). */
bool cgroup_value_equal(const char *file, const char *written, const char *read);
/* The controllers that the limits of `s` need. */
unsigned cgroup_wanted(const struct spec *s);

/* The device allow list on the folder `fd` (v1 devices hierarchy, or v2 through a BPF program). */
int cgroup_devices_v1(int fd);
int cgroup_devices_v2(int fd);
/* 1 when such a program is in effect on the v2 folder, 0 when not, or a negative errno. */
int cgroup_devices_v2_stands(int fd);

void cgroup_prove(const struct plan *p, const struct subject *s, struct evidence *ev);

/* Descriptor of the container's folder that serves a controller, -1 when none. */
static inline int cgroup_fd(const struct cgroup *cg, enum cgroup_controller c)
{
	return cg->v2 && c != CG_CPUACCT ? cg->fd[CG_V2] : cg->fd[c];
}
