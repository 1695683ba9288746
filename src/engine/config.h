/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what a person and an image say to a container's configuration. Everything is checked here, before anything is made:
 * the image's part is hostile (labels do nothing, only KEY=value is environment, numbers are in range, paths are absolute
 * and clean), the person's part gets errors that name the option and the way out.
 *
 * config_add_*() and config_set_*() read one option's text into the configuration: 0, or a negative errno with `e` filled.
 */
#pragma once

#include "base/conf.h"
#include "base/error.h"
#include "base/json.h"
#include "engine/container.h"

enum {
	CONFIG_PORTS_MAX = 1024,      /* published */
	CONFIG_IMAGE_PORTS_MAX = 128, /* that an image declares */
	CONFIG_MOUNTS_MAX = 256,
	CONFIG_PATH_MAX = 4095,	      /* bytes of a path inside */
};

/* An exposed port. */
struct config_port {
	uint16_t port;
	bool udp;
};

/* What an image's configuration (OCI image-spec 1.1 config.md, with docker's Healthcheck) contributes, checked. */
struct image_defaults {
	char **entrypoint, **command, **env, **labels;
	char *user, *cwd;	 /* NULL: not said */
	struct config_port *ports;
	size_t n_ports;
	char **volumes;		 /* targets */
	char *stop_signal;	 /* "SIGTERM" or a number; NULL */
	struct health_config health;
	char *os, *architecture; /* NULL: not said */
	char **notes;		 /* what was left out and why, one line each, for the person; escaped */
};
int image_defaults_read(const json_t *image, struct image_defaults *out, struct error *e);
void image_defaults_free(struct image_defaults *d);

/* Limits, sizes and timeouts of a container that names none; `c` is zeroed before. */
void config_defaults(struct container_config *c, const struct conf *conf);

/*
 * A path inside the container, made clean: absolute, no "." or "..", no doubled or last slash, not "/" itself. With
 * `mount`, also nothing that would cover what the walls stand on (/proc, /sys, /dev but /dev/shm and /dev/log).
 */
int config_target(const char *path, bool mount, char **out, struct error *e);

/* -v [SOURCE:]TARGET[:OPTIONS], --mount type=...,..., --tmpfs TARGET[:OPTIONS]. The same target twice is an error. */
int config_add_volume(struct container_config *c, const char *arg, struct error *e);
int config_add_mount(struct container_config *c, const char *arg, struct error *e);
int config_add_tmpfs(struct container_config *c, const char *arg, struct error *e);
/* The image's Volumes: an anonymous volume at each target that the person did not mount something at. */
int config_add_image_volumes(struct container_config *c, char *const *targets, struct error *e);
/* Looks at the sources of binds on the host; `notes` gets hints for those that the container will not be able to read. */
int config_check_binds(const struct container_config *c, char ***notes, struct error *e);

/* -p [[ADDRESS:]PORT[-PORT]:]PORT[-PORT][/tcp|/udp] */
int config_add_port(struct container_config *c, const char *arg, struct error *e);
/* --expose and ExposedPorts: PORT[-PORT][/tcp|/udp]; appends to the list. */
int config_expose_parse(const char *arg, struct config_port **list, size_t *n, struct error *e);
/* Into expose_tcp: what is exposed and what is published; with `publish_all` (-P), a free host port for each exposed one. */
int config_set_exposed(struct container_config *c, const struct config_port *list, size_t n, bool publish_all,
		       struct error *e);
int config_set_network(struct container_config *c, const char *arg, struct error *e);
int config_add_host(struct container_config *c, const char *arg, struct error *e);	/* NAME:ADDRESS */
int config_add_dns(struct container_config *c, const char *arg, struct error *e);	/* an address */
int config_add_dns_search(struct container_config *c, const char *arg, struct error *e);
int config_add_dns_option(struct container_config *c, const char *arg, struct error *e);
int config_set_hostname(struct container_config *c, const char *arg, struct error *e);
int config_set_domainname(struct container_config *c, const char *arg, struct error *e);

int config_add_ulimit(struct container_config *c, const char *arg, struct error *e);	/* NAME=SOFT[:HARD] */
int config_set_restart(struct container_config *c, const char *arg, struct error *e);
int config_add_secret(struct container_config *c, const char *arg, struct error *e);	/* id=,source=,mode= */
int config_set_apparmor(struct container_config *c, const char *arg, struct error *e); /* name of a loaded profile */
int config_add_lower(struct container_config *c, const char *arg, struct error *e);
int config_add_cap(struct container_config *c, bool add, const char *arg, struct error *e);
int config_add_sysctl(struct container_config *c, const char *arg, struct error *e);	/* NAME=VALUE */
int config_set_log(struct container_config *c, const char *driver, char *const *opts, struct error *e);
int config_set_storage(struct container_config *c, const char *arg, struct error *e);	/* size=, inodes= */
int config_set_signal(struct container_config *c, const char *arg, struct error *e);

/* CPU and memory options as docker names them. Zero and NULL: not given. */
struct config_resources {
	uint64_t memory, memory_reservation;
	const char *memory_swap; /* memory and swap together, "-1" for no limit */
	const char *cpus, *cpuset_cpus, *cpuset_mems, *pids_limit;
	uint64_t cpu_shares, cpu_weight, cpu_period_us, cpu_quota_us;
};
int config_set_resources(struct container_config *c, const struct config_resources *r, struct error *e);

/* True when the person lowered WALL, or WALL=DETAIL. */
bool config_lowered(const struct container_config *c, const char *wall, const char *detail);
/* The machine's name for its architecture as images write it ("amd64", "arm64"), and --platform OS[/ARCH[/VARIANT]]. */
const char *config_architecture(void);
int config_set_platform(struct container_config *c, const char *arg, const struct image_defaults *d, char ***notes,
			struct error *e);
