/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OCI bundle's config.json (runtime-spec 1.2 and 1.3: config.md, config-linux.md) in plain C, for brig-oci. What a caller
 * asked for is kept as it is; what has a wrong type, a value out of range or a meaning that Linux does not have is an error
 * that names its JSON path. Properties that the specification does not know are ignored, as it demands.
 *
 * All strings and arrays are owned; oci_config_free() frees. Sizes are bytes and times seconds where nothing else is said.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "spec/spec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { OCI_CONFIG_MAX = 16 << 20 }; /* bytes of a config.json */

/* A number that need not be given. */
struct oci_num {
	bool set;
	int64_t v;
};

struct oci_mount {
	char *destination;	 /* absolute, or (as older callers write it) relative to / */
	char *type;		 /* file system; "bind" for binds; NULL: none given */
	char *source;		 /* NULL: none given */
	char *data;		 /* options that are the file system's own, joined by commas; NULL: none */
	bool bind, rbind;	 /* from the options */
	uint64_t attr_set, attr_clr;	    /* MOUNT_ATTR_*, mount_setattr(2) */
	uint64_t rec_set, rec_clr;	    /* the same for all mounts below ("rro", "rnodev", ...) */
	unsigned long sb_flags;		    /* MS_SYNCHRONOUS, MS_DIRSYNC, MS_LAZYTIME, MS_REMOUNT, ... of mount(2) */
	unsigned long propagation[4];	    /* MS_PRIVATE, MS_SLAVE | MS_REC, ... in order */
	size_t n_propagation;
	bool tmpcopyup;
	bool src_nofollow, dest_nofollow;   /* "src-nofollow", "dest-nofollow" */
	bool idmap, idmap_recursive;	    /* "idmap", "ridmap", or mappings below */
	struct spec_idmap *uidmap, *gidmap; /* empty with idmap: the container's own */
	size_t n_uidmap, n_gidmap;
};

struct oci_rlimit {
	int resource;
	uint64_t soft, hard; /* RLIM_INFINITY: none */
};

struct oci_caps {
	bool set;	       /* process.capabilities was given */
	uint64_t bounding, effective, inheritable, permitted, ambient;
};

struct oci_scheduler { /* sched_setattr(2) */
	bool set;
	uint32_t policy, nice_set;
	int32_t nice, priority;
	uint64_t flags, runtime, deadline, period;
};

struct oci_process {
	bool terminal;
	unsigned short rows, columns;
	uint32_t uid, gid;
	uint32_t *groups;
	size_t n_groups;
	int64_t umask; /* -1: as it is (0022) */
	char **args, **env;
	char *cwd;
	struct oci_caps caps;
	struct oci_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privs;
	char *apparmor, *selinux;
	struct oci_num oom_score_adj;
	struct oci_scheduler scheduler;
	int io_class, io_priority;		/* ioprio_set(2); class 0: not given */
	char *cpu_initial, *cpu_final;		/* execCPUAffinity */
};

struct oci_hook {
	char *path;
	char **args, **env;
	int64_t timeout; /* seconds; 0: none */
};

enum oci_hook_kind {
	OCI_HOOK_PRESTART,
	OCI_HOOK_CREATE_RUNTIME,
	OCI_HOOK_CREATE_CONTAINER,
	OCI_HOOK_START_CONTAINER,
	OCI_HOOK_POSTSTART,
	OCI_HOOK_POSTSTOP,
	OCI_HOOK_COUNT,
};
extern const char *const oci_hook_names[OCI_HOOK_COUNT];

struct oci_namespace {
	bool set;
	char *path; /* NULL: a new one */
};

enum oci_ns {
	OCI_NS_USER,
	OCI_NS_PID,
	OCI_NS_NETWORK,
	OCI_NS_IPC,
	OCI_NS_UTS,
	OCI_NS_CGROUP,
	OCI_NS_TIME,
	OCI_NS_MOUNT,
	OCI_NS_COUNT,
};

struct oci_device {
	char *path;
	mode_t type; /* S_IFCHR, S_IFBLK, S_IFIFO */
	int64_t major, minor;
	mode_t mode;
	uint32_t uid, gid;
};

struct oci_device_rule {
	bool allow;
	char type;	      /* 'a', 'c', 'b' */
	int64_t major, minor; /* -1: all */
	char access[4];	      /* some of "rwm" */
};

struct oci_throttle {
	int64_t major, minor;
	uint64_t rate;	      /* bytes or operations a second; weight_device: weight */
	struct oci_num leaf;  /* weight_device: leafWeight */
};

struct oci_throttles {
	struct oci_throttle *v;
	size_t n;
};

struct oci_pair {
	char *name, *value;
};

struct oci_resources {
	struct oci_device_rule *devices;
	size_t n_devices;

	struct {
		struct oci_num limit, reservation, swap, kernel, kernel_tcp, swappiness; /* -1: none */
		bool disable_oom_killer, use_hierarchy, check_before_update;
	} memory;
	struct {
		struct oci_num shares, quota, burst, period, realtime_runtime, realtime_period, idle; /* microseconds */
		char *cpus, *mems;
	} cpu;
	struct oci_num pids; /* -1: no limit */
	struct {
		struct oci_num weight, leaf_weight;
		struct oci_throttles weight_device, read_bps, write_bps, read_iops, write_iops;
	} block_io;
	struct oci_pair *hugepages; /* "2MB", bytes */
	size_t n_hugepages;
	struct oci_num net_class;
	struct oci_pair *net_prios; /* interface, priority */
	size_t n_net_prios;
	struct {
		char *device;
		struct oci_num handles, objects;
	} *rdma;
	size_t n_rdma;
	struct oci_pair *unified; /* file of cgroup v2, value */
	size_t n_unified;
};

/* In the order of libseccomp's enum scmp_compare; 64 bits, without sign. */
enum oci_cmp {
	OCI_CMP_NE = 1,
	OCI_CMP_LT,
	OCI_CMP_LE,
	OCI_CMP_EQ,
	OCI_CMP_GE,
	OCI_CMP_GT,
	OCI_CMP_MASKED_EQ, /* (argument & value) == value_two */
};

struct oci_seccomp_arg {
	uint32_t index; /* 0 to 5 */
	uint64_t value, value_two;
	uint32_t op; /* enum oci_cmp */
};

struct oci_seccomp_rule {
	char **names;
	uint32_t action; /* SECCOMP_RET_* with its data, seccomp(2) */
	struct oci_seccomp_arg *args;
	size_t n_args;
};

struct oci_seccomp {
	bool set;
	uint32_t default_action;
	char **archs;	   /* "SCMP_ARCH_X86_64", ... */
	unsigned flags;	   /* SECCOMP_FILTER_FLAG_* */
	char *listener_path, *listener_metadata;
	struct oci_seccomp_rule *rules;
	size_t n_rules;
	bool notifies;	   /* some rule, or the default, is SCMP_ACT_NOTIFY */
};

struct oci_netdev {
	char *name, *new_name; /* the host's name; inside (NULL: the same) */
};

struct oci_config {
	char *version;
	char *rootfs;	   /* as written: absolute or relative to the bundle */
	bool root_readonly;
	struct oci_process process;
	bool has_process;
	char *hostname, *domainname;
	struct oci_mount *mounts;
	size_t n_mounts;
	struct oci_hook *hooks[OCI_HOOK_COUNT];
	size_t n_hooks[OCI_HOOK_COUNT];
	json_t *annotations; /* object of strings, or NULL */

	struct oci_namespace ns[OCI_NS_COUNT];
	struct spec_idmap *uidmap, *gidmap;
	size_t n_uidmap, n_gidmap;
	struct {
		bool set;
		int64_t secs;
		uint32_t nanosecs;
	} monotonic, boottime; /* linux.timeOffsets */
	struct oci_device *devices;
	size_t n_devices;
	char *cgroups_path;
	struct oci_resources resources;
	unsigned long rootfs_propagation; /* MS_*; 0: not given */
	char **masked, **readonly_paths;
	char *mount_label;
	struct oci_pair *sysctl;
	size_t n_sysctl;
	struct oci_seccomp seccomp;
	struct oci_netdev *netdevs;
	size_t n_netdevs;
	bool has_rdt;
	struct {
		char *clos_id, *l3, *mb;
		char **schemata;
		bool monitoring;
	} rdt;
	bool has_personality;
	unsigned long personality; /* personality(2) */
	struct {
		bool set;
		int mode;
		unsigned flags;
		char *nodes;
	} memory_policy; /* set_mempolicy(2) */
};

void oci_config_free(struct oci_config *c);
static inline void cleanup_oci_config(struct oci_config *c)
{
	oci_config_free(c);
}
#define _cleanup_oci_config_ __attribute__((cleanup(cleanup_oci_config)))

/* From a parsed document. On failure *c is empty and the error begins with "config.json: PATH". */
int oci_config_parse(const json_t *j, struct oci_config *c, struct error *e);
/*
 * From a file below the folder `at`; errors call it config.json. *text, when wanted, gets the bytes that were parsed (the
 * caller frees) and *size their number.
 */
int oci_config_read(int at, const char *path, struct oci_config *c, char **text, size_t *size, struct error *e);

/* A "process" object alone, for `exec --process`. `where` names it in errors. */
int oci_process_parse(const json_t *j, const char *where, struct oci_process *p, struct error *e);
void oci_process_free(struct oci_process *p);
/* A "resources" object alone, for `update --resources`. */
int oci_resources_parse(const json_t *j, const char *where, struct oci_resources *r, struct error *e);
void oci_resources_free(struct oci_resources *r);

/* Parts of the parser that its files share; see oci_parse.h for what they have in common. */
int oci_mounts_parse(const json_t *root, struct oci_config *c, struct error *e);
int oci_linux_parse(const json_t *root, struct oci_config *c, struct error *e);
int oci_seccomp_parse(const json_t *j, const char *where, struct oci_seccomp *s, struct error *e);
void oci_seccomp_free(struct oci_seccomp *s);
void oci_mounts_free(struct oci_config *c);
/* The mount options that are understood, sorted, for `features`; NULL-terminated and static. */
const char *const *oci_mount_options(void);

/* The document of `brig-oci spec`, and of `brig-oci features`. New references. */
json_t *oci_spec_example(bool rootless);
json_t *oci_features(void);
