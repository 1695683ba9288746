/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container shall be, as the runtime understands it: the meaning of an OCI config.json (runtime-spec 1.2) in
 * plain C, validated. The engine builds one from its container's configuration; an OCI bundle is read into one.
 *
 * All strings are owned; spec_free() frees. Descriptors are owned too (-1: none).
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* One line of a uid_map or gid_map (user_namespaces(7)): `count` ids from `inside` are host ids from `host`. */
struct spec_idmap {
	uint32_t inside, host, count;
};

/* A file of a tmpfs, written before anything of the container runs. */
struct spec_file {
	char *name;	    /* one part */
	int fd;		    /* a memory file; its bytes are `len` from `offset` */
	uint64_t offset, len;
	uint32_t uid, gid, mode;
};

struct spec_mount {
	char *target;	 /* absolute path inside; resolved in the container's root by the kernel */
	char *fstype;	 /* "bind", "tmpfs", "proc", "devpts", "mqueue", "sysfs", "cgroup" */
	char *source;	 /* host path of a bind, else NULL */
	char *data;	 /* file system options ("size=64m,mode=1777"), NULL for none */
	uint64_t attrs;	 /* MOUNT_ATTR_* of mount_setattr(2) to set: RDONLY, NOSUID, NODEV, NOEXEC ... */
	bool recursive;	 /* a bind takes the mounts below with it */
	bool writable;	 /* a declared writable place: Landlock opens it for writing */
	bool file;	 /* the target is a file, not a folder */
	bool idmap;	 /* bind, when root runs brig: ids on disk are the container's ids (idmapped mount) */
	bool copy_up;	 /* tmpfs, volume: filled with what the image has there, up to its size */
	struct spec_file *files; /* tmpfs */
	size_t n_files;
	int fd;		 /* bind: the source, opened O_PATH by the engine; -1: `source` is opened by name */
};

enum spec_root_kind {
	SPEC_ROOT_IMAGE, /* a prepared tree of the store: overlay of lower (names, owners, modes) and data (bytes) */
	SPEC_ROOT_DIR,	 /* a folder of the host as the lower layer */
};

struct spec_root {
	enum spec_root_kind kind;
	bool staged;	     /* a restart: the sources of root and mounts stand in a mount namespace, descriptors are -1 */
	int lower_fd;	     /* the tree; a detached idmapped mount when root runs brig, else a folder */
	int data_fd;	     /* the object folder (data-only lower layer), -1 when files carry their own bytes */
	int rw_fd;	     /* folder in which container root makes "up" and "work"; -1: no writable layer on disk */
	bool read_only;	     /* no writable layer at all */
	uint64_t tmpfs_size; /* >0: the writable layer is a tmpfs of this many bytes */
	bool discard;	     /* the layer goes when the container ends: nobody waits until it is on the disk */
	/*
	 * Called in the new process right before `lower` and `data` (-1: none) are joined: are they what was verified? -EUCLEAN ends
	 * the start. NULL: nothing is asked. `check_arg` is freed with the specification.
	 */
	int (*check)(void *arg, int lower, int data, struct error *e);
	void (*check_free)(void *arg);
	void *check_arg;
};

struct spec_rlimit {
	int resource; /* RLIMIT_* */
	uint64_t soft, hard;
};

struct spec_limits {
	uint64_t memory;       /* bytes; 0: no limit */
	uint64_t memory_swap;  /* bytes of swap beside memory; UINT64_MAX: no limit */
	uint64_t memory_low;   /* bytes protected from reclaim (--memory-reservation); 0: none */
	uint64_t pids;	       /* tasks; 0: no limit */
	uint64_t cpu_weight;   /* 1 to 10000; 0: kernel's default */
	uint64_t cpu_quota_us; /* CPU time for each period; 0: no limit */
	uint64_t cpu_period_us; /* microseconds, 1000 to 1000000 */
	uint64_t io_weight;    /* 1 to 10000; 0: kernel's default */
	char *cpuset_cpus, *cpuset_mems; /* "0-3,7"; NULL: all */
};

enum spec_net {
	SPEC_NET_NONE,	  /* own namespace with loopback only */
	SPEC_NET_PRIVATE, /* own namespace, outside through pasta */
	SPEC_NET_JOIN,	  /* another container's; spec.net_fd */
	SPEC_NET_HOST,	  /* the host's, lowered by name */
};

/* One published port: host address and port to a port inside. */
struct spec_port {
	char *host_addr;    /* NULL: 127.0.0.1 and ::1 */
	uint16_t host_port; /* 0: the engine picks a free one */
	uint16_t port;	    /* inside */
	bool udp;
};

/* A `--lower WALL[=DETAIL]` that a person named. */
struct spec_lower {
	char *wall, *detail; /* detail NULL: the whole wall */
	bool accept;	     /* from brig.conf's accept_lowered: it lowers only what this machine lacks */
};

struct spec {
	char *id;	/* 64 hex digits, or what an OCI caller chose: [A-Za-z0-9_+.-]{1,1024} */
	char *hostname; /* NULL: not set */
	char *domainname;

	char **args;  /* argv; never empty */
	char **env;   /* "KEY=value" only */
	char *cwd;    /* absolute */
	bool terminal;
	uint32_t uid, gid;   /* ids inside */
	uint32_t *groups;    /* supplementary groups inside */
	size_t n_groups;
	uint64_t umask;	     /* UINT64_MAX: 0022 */
	bool init;	     /* a small init as pid 1 */
	int preserve_fds;    /* descriptors 3..2+N are passed on purpose */

	struct spec_idmap *uidmap, *gidmap; /* empty: no user namespace (only an OCI caller may ask for that) */
	size_t n_uidmap, n_gidmap;
	uint32_t owner;	     /* host uid that owns the user namespace and runs the monitor */

	struct spec_root root;
	struct spec_mount *mounts;
	size_t n_mounts;
	char **masked, **readonly; /* paths inside */

	enum spec_net net;
	int net_fd;	     /* SPEC_NET_JOIN: the network namespace */
	int parent_fd;	     /* user namespace below which the container's is made; -1: the caller's own */
	bool net_entered;    /* the starting process is in it already: a restart without root */
	struct spec_port *ports;
	size_t n_ports;
	uint16_t *expose_tcp; /* ports that the image or -p declares: Landlock allows bind to these */
	size_t n_expose_tcp;

	char *apparmor;	     /* profile to run under; NULL: none named */
	char *selinux;	     /* label to run under; NULL: none named */
	uint64_t caps;	     /* bit mask of capabilities(7) kept in the bounding, effective and permitted sets */
	struct spec_rlimit *rlimits;
	size_t n_rlimits;
	struct spec_limits limits;
	int oom_score_adj;
	char *cgroup_parent; /* NULL: brig's own */
	char *cgroup_stands; /* a restart without the right to make one: the path of the cgroup, which still has its limits */
	char **sysctl;	     /* "net.x=1": namespaced ones only */

	struct spec_lower *lower;
	size_t n_lower;
};

void spec_init(struct spec *s); /* all empty, descriptors -1 */
void spec_free(struct spec *s);
struct spec_mount *spec_add_mount(struct spec *s, const char *fstype, const char *source, const char *target,
				  const char *data, uint64_t attrs);
void spec_add_rlimit(struct spec *s, int resource, uint64_t soft, uint64_t hard);

/* True when WALL, or WALL=DETAIL when `detail` is not NULL, was lowered by name. "WALL" alone lowers every detail. */
bool spec_lowered(const struct spec *s, const char *wall, const char *detail);
/* True when a person goes without it where the machine lacks it: lowered by name, or by accept_lowered. */
bool spec_accepts(const struct spec *s, const char *wall, const char *detail);

/* The host id of an id inside, or -ENOENT when it is not mapped. */
int64_t spec_host_id(const struct spec_idmap *map, size_t n, uint32_t inside);
