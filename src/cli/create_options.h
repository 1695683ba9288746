/* SPDX-License-Identifier: Apache-2.0 */
/* The options that `run` and `create` share, in docker's spelling, and what they make of a container's configuration. */
#pragma once

#include "cli/cli.h"
#include "engine/container.h"

struct create_options {
	char *name, *user, *workdir, *hostname, *domainname, *entrypoint, *network, *restart, *cidfile, *pull, *platform, *rootfs,
		*stop_signal, *stop_timeout, *log_driver, *health_cmd, *memory_swap, *cpus, *cpuset_cpus, *cpuset_mems,
		*pids_limit;
	char **env, **env_file, **volume, **mount, **tmpfs, **publish, **expose, **add_host, **dns, **dns_search, **dns_option,
		**ulimit, **label, **label_file, **annotation, **secret, **cap_add, **cap_drop, **sysctl, **group_add, **log_opt,
		**storage_opt, **lower;
	bool interactive, tty, rm, publish_all, init, read_only, no_healthcheck, quiet;
	uint64_t memory, memory_reservation, shm_size, tmpfs_root, cpu_shares, cpu_weight, cpu_period, cpu_quota;
	uint64_t health_interval, health_timeout, health_start_period, health_retries;
	/* what brig does not have on purpose, so that the error can say what it has instead */
	bool privileged;
	char *userns, *pid, *ipc, *uts, *cgroupns, *gpus;
	char **security_opt, **device, **volumes_from;
};

/* Rows of the option table for a structure T that has a `struct create_options` as its member M. */
#define CREATE_OPTIONS(T, M)                                                                                              \
	CLI_HEAD("Container"),                                                                                            \
	CLI_OPT(T, M.name, "name", 0, CLI_STRING, "NAME", "name it; without, two words are chosen", NULL),                \
	CLI_OPT(T, M.interactive, "interactive", 'i', CLI_FLAG, NULL, "keep its standard input open", NULL),              \
	CLI_OPT(T, M.tty, "tty", 't', CLI_FLAG, NULL, "give it a terminal", NULL),                                        \
	CLI_OPT(T, M.rm, "rm", 0, CLI_FLAG, NULL, "remove it when it ends, with its unnamed volumes", NULL),              \
	CLI_OPT(T, M.restart, "restart", 0, CLI_STRING, "POLICY",                                                         \
		"no, on-failure[:MAX], always or unless-stopped", "no on-failure always unless-stopped"),                 \
	CLI_OPT(T, M.init, "init", 0, CLI_FLAG, NULL, "run a small init that reaps processes", NULL),                     \
	CLI_OPT(T, M.stop_signal, "stop-signal", 0, CLI_STRING, "SIGNAL", "signal that asks it to end", NULL),            \
	CLI_OPT(T, M.stop_timeout, "stop-timeout", 0, CLI_STRING, "SECONDS", "wait so long before SIGKILL, -1: for ever", \
		NULL),                                                                                                    \
	CLI_OPT(T, M.label, "label", 'l', CLI_LIST, "KEY=VALUE", "label it", NULL),                                       \
	CLI_OPT(T, M.label_file, "label-file", 0, CLI_LIST, "FILE", "read labels from a file", "files"),                  \
	CLI_OPT(T, M.annotation, "annotation", 0, CLI_LIST, "KEY=VALUE", "annotate it", NULL),                            \
	CLI_OPT(T, M.cidfile, "cidfile", 0, CLI_STRING, "FILE", "write its id to a new file", "files"),                   \
	CLI_HEAD("Image and program"),                                                                                    \
	CLI_OPT(T, M.pull, "pull", 0, CLI_STRING, "WHEN", "fetch the image: missing (the default), always or never", \
		"missing always never"),                                                                                         \
	CLI_OPT(T, M.quiet, "quiet", 'q', CLI_FLAG, NULL, NULL, NULL),                                                    \
	CLI_OPT(T, M.platform, "platform", 0, CLI_STRING, "OS/ARCH", "refuse an image for another platform", NULL),       \
	CLI_OPT(T, M.rootfs, "rootfs", 0, CLI_STRING, "DIR", "use a folder in place of an image", "dirs"),                \
	CLI_OPT(T, M.entrypoint, "entrypoint", 0, CLI_STRING, "PROGRAM",                                                  \
		"run this in place of the image's program; \"\" for none", NULL),                                         \
	CLI_OPT(T, M.env, "env", 'e', CLI_LIST, "KEY=VALUE", "set a variable; KEY alone passes yours on", NULL),          \
	CLI_OPT(T, M.env_file, "env-file", 0, CLI_LIST, "FILE", "read variables from a file", "files"),                   \
	CLI_OPT(T, M.workdir, "workdir", 'w', CLI_STRING, "DIR", "folder inside in which the program starts", NULL),      \
	CLI_OPT(T, M.user, "user", 'u', CLI_STRING, "USER[:GROUP]", "run as this user of the image, or as a number",      \
		NULL),                                                                                                    \
	CLI_OPT(T, M.group_add, "group-add", 0, CLI_LIST, "GROUP", "one more group of the user", NULL),                   \
	CLI_HEAD("Files"),                                                                                                \
	CLI_OPT(T, M.volume, "volume", 'v', CLI_LIST, "[SOURCE:]TARGET[:OPTIONS]",                                        \
		"mount a volume (NAME) or a folder of the host (/PATH); options ro, noexec, nocopy", "dirs"),             \
	CLI_OPT(T, M.mount, "mount", 0, CLI_LIST, "type=TYPE,...",                                                        \
		"the same in words: type=bind|volume|tmpfs,source=,target=,readonly", NULL),                              \
	CLI_OPT(T, M.tmpfs, "tmpfs", 0, CLI_LIST, "TARGET[:OPTIONS]", "a folder in memory; options size=, mode=, exec",   \
		NULL),                                                                                                    \
	CLI_OPT(T, M.read_only, "read-only", 0, CLI_FLAG, NULL, "no writable layer: only mounts can be written", NULL),   \
	CLI_OPT(T, M.tmpfs_root, "tmpfs-root", 0, CLI_SIZE, "SIZE", "keep the writable layer in memory, at most SIZE",    \
		NULL),                                                                                                    \
	CLI_OPT(T, M.storage_opt, "storage-opt", 0, CLI_LIST, "size=SIZE", "limit of the writable layer; inodes=N", NULL), \
	CLI_OPT(T, M.shm_size, "shm-size", 0, CLI_SIZE, "SIZE", "size of /dev/shm", NULL),                                \
	CLI_OPT(T, M.secret, "secret", 0, CLI_LIST, "id=NAME,source=FILE",                                                \
		"show a file as /run/secrets/NAME to the user of the container; mode=0400", NULL),                        \
	CLI_HEAD("Network"),                                                                                              \
	CLI_OPT(T, M.network, "network", 0, CLI_STRING, "NETWORK", "private, none, container:NAME or host",               \
		"private none host"),                                                                                     \
	CLI_OPT(T, M.network, "net", 0, CLI_STRING, "NETWORK", NULL, "private none host"),                                \
	CLI_OPT(T, M.publish, "publish", 'p', CLI_LIST, "[[ADDRESS:]PORT:]PORT[/udp]",                                    \
		"open a port of the host, on 127.0.0.1 unless an address is given", NULL),                                \
	CLI_OPT(T, M.publish_all, "publish-all", 'P', CLI_FLAG, NULL, "publish every exposed port on a free one", NULL),  \
	CLI_OPT(T, M.expose, "expose", 0, CLI_LIST, "PORT[/udp]", "let the container listen on a port", NULL),            \
	CLI_OPT(T, M.hostname, "hostname", 'h', CLI_STRING, "NAME", "its host name", NULL),                               \
	CLI_OPT(T, M.domainname, "domainname", 0, CLI_STRING, "NAME", "its NIS domain name", NULL),                       \
	CLI_OPT(T, M.add_host, "add-host", 0, CLI_LIST, "NAME:ADDRESS", "a line in its /etc/hosts", NULL),                \
	CLI_OPT(T, M.dns, "dns", 0, CLI_LIST, "ADDRESS", "ask this name server", NULL),                                   \
	CLI_OPT(T, M.dns_search, "dns-search", 0, CLI_LIST, "DOMAIN", "complete names with this domain", NULL),           \
	CLI_OPT(T, M.dns_option, "dns-option", 0, CLI_LIST, "OPTION", "an option of its resolv.conf", NULL),              \
	CLI_OPT(T, M.dns_option, "dns-opt", 0, CLI_LIST, "OPTION", NULL, NULL),                                           \
	CLI_HEAD("Limits"),                                                                                               \
	CLI_OPT(T, M.memory, "memory", 'm', CLI_SIZE, "SIZE", "memory", NULL),                                            \
	CLI_OPT(T, M.memory_swap, "memory-swap", 0, CLI_STRING, "SIZE", "memory and swap together, -1: no limit", NULL),  \
	CLI_OPT(T, M.memory_reservation, "memory-reservation", 0, CLI_SIZE, "SIZE", "memory that stays when it is short", \
		NULL),                                                                                                    \
	CLI_OPT(T, M.cpus, "cpus", 0, CLI_STRING, "NUMBER", "CPUs, such as 1.5", NULL),                                   \
	CLI_OPT(T, M.cpu_shares, "cpu-shares", 'c', CLI_U64, "SHARES", "weight against others, docker's scale (1024)", NULL), \
	CLI_OPT(T, M.cpu_weight, "cpu-weight", 0, CLI_U64, "WEIGHT", "weight against others, 1 to 10000 (100)", NULL),    \
	CLI_OPT(T, M.cpu_period, "cpu-period", 0, CLI_U64, "MICROSECONDS", "period of --cpu-quota", NULL),                \
	CLI_OPT(T, M.cpu_quota, "cpu-quota", 0, CLI_U64, "MICROSECONDS", "CPU time in each period", NULL),                \
	CLI_OPT(T, M.cpuset_cpus, "cpuset-cpus", 0, CLI_STRING, "LIST", "only these CPUs, such as 0-3,7", NULL),          \
	CLI_OPT(T, M.cpuset_mems, "cpuset-mems", 0, CLI_STRING, "LIST", "only these memory nodes", NULL),                 \
	CLI_OPT(T, M.pids_limit, "pids-limit", 0, CLI_STRING, "NUMBER", "tasks, -1: no limit", NULL),                     \
	CLI_OPT(T, M.ulimit, "ulimit", 0, CLI_LIST, "NAME=SOFT[:HARD]", "a limit of each process, see getrlimit(2)", NULL), \
	CLI_OPT(T, M.log_driver, "log-driver", 0, CLI_STRING, "DRIVER", "local, or none: keep no log", "local none"),     \
	CLI_OPT(T, M.log_opt, "log-opt", 0, CLI_LIST, "max-size=SIZE", "size of a log file; max-file=N: how many", NULL), \
	CLI_HEAD("Walls"),                                                                                                \
	CLI_OPT(T, M.lower, "lower", 0, CLI_LIST, "WALL[=PART]", "take a wall, or a part of it, down by name", "walls"),  \
	CLI_OPT(T, M.cap_add, "cap-add", 0, CLI_LIST, "CAPABILITY", "keep one more capability", NULL),                    \
	CLI_OPT(T, M.cap_drop, "cap-drop", 0, CLI_LIST, "CAPABILITY", "keep one less; ALL: none", NULL),                  \
	CLI_OPT(T, M.sysctl, "sysctl", 0, CLI_LIST, "NAME=VALUE", "set a kernel parameter of its own namespaces", NULL),  \
	CLI_HEAD("Health"),                                                                                               \
	CLI_OPT(T, M.health_cmd, "health-cmd", 0, CLI_STRING, "COMMAND", "shell command that tells whether it is well", NULL), \
	CLI_OPT(T, M.health_interval, "health-interval", 0, CLI_SECONDS, "TIME", "time between checks (30s)", NULL),      \
	CLI_OPT(T, M.health_timeout, "health-timeout", 0, CLI_SECONDS, "TIME", "a check that takes longer failed (30s)", NULL), \
	CLI_OPT(T, M.health_retries, "health-retries", 0, CLI_U64, "NUMBER", "failures that make it unhealthy (3)", NULL), \
	CLI_OPT(T, M.health_start_period, "health-start-period", 0, CLI_SECONDS, "TIME",                                  \
		"time after the start in which failures do not count", NULL),                                             \
	CLI_OPT(T, M.no_healthcheck, "no-healthcheck", 0, CLI_FLAG, NULL, "do not check, whatever the image says", NULL), \
	CLI_OPT(T, M.privileged, "privileged", 0, CLI_FLAG, NULL, NULL, NULL),                                            \
	CLI_OPT(T, M.userns, "userns", 0, CLI_STRING, "MODE", NULL, NULL),                                                \
	CLI_OPT(T, M.pid, "pid", 0, CLI_STRING, "MODE", NULL, NULL),                                                      \
	CLI_OPT(T, M.ipc, "ipc", 0, CLI_STRING, "MODE", NULL, NULL),                                                      \
	CLI_OPT(T, M.uts, "uts", 0, CLI_STRING, "MODE", NULL, NULL),                                                      \
	CLI_OPT(T, M.cgroupns, "cgroupns", 0, CLI_STRING, "MODE", NULL, NULL),                                            \
	CLI_OPT(T, M.gpus, "gpus", 0, CLI_STRING, "GPUS", NULL, NULL),                                                    \
	CLI_OPT(T, M.security_opt, "security-opt", 0, CLI_LIST, "OPTION", NULL, NULL),                                    \
	CLI_OPT(T, M.device, "device", 0, CLI_LIST, "DEVICE", NULL, NULL),                                                \
	CLI_OPT(T, M.volumes_from, "volumes-from", 0, CLI_LIST, "CONTAINER", NULL, NULL)

/*
 * Fills the configuration of an initialised container from the options and the positionals (IMAGE COMMAND..., or COMMAND...
 * with --rootfs): brig.conf first, then the image, then the person. Nothing is made yet. `notes` gets lines for the person.
 */
int create_options_apply(const struct create_options *o, char **argv, struct container *c, char ***notes, struct error *e);

/* Makes the container and its cidfile, and prints the notes as warnings. The lock is held afterwards. */
int create_container(const struct create_options *o, char **argv, struct container *c, struct error *e);
