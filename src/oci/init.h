/* SPDX-License-Identifier: Apache-2.0 */
/* The first process of an OCI container between clone3 and exec; see create.h for what its maker does meanwhile. */
#pragma once

#include "oci/rootfs.h"
#include "oci/state.h"

#include <linux/filter.h>

struct oci_init {
	struct oci_config *cfg;
	struct oci_container *container; /* its pid comes with the first message */
	const struct oci_cgroup *cgroup; /* NULL: none */
	struct sock_filter *filter;	 /* compiled seccomp profile; NULL: none */
	unsigned n_filter;
	int *sources;			 /* see struct oci_setup */
	int sync;			 /* to the maker, until it has recorded the container */
	int listener;			 /* the socket ROOT/ID/start: who connects and sends a byte starts the program */
	int console;			 /* a connected console socket, -1: none */
	int notify;			 /* a connected seccomp listener socket, -1: none */
	int joins[OCI_CG_HIERARCHIES];	 /* for cgroup_join() */
	size_t n_joins;
	int ns[OCI_NS_COUNT];		 /* namespaces by path that this process enters itself, -1: not */
	bool in_userns;			 /* it is in a user namespace that it was made in, or has entered */
	bool no_pivot, no_keyring, starts_now;
	int ruleset; /* Landlock, from oci_process_landlock(); -1: none */
	unsigned preserve;		 /* descriptors 3 to 2 + preserve go to the program */
};

/* CLONE_NEW* of each namespace. */
extern const int oci_ns_flags[OCI_NS_COUNT];
/* It is to be made, neither shared with the caller nor given by path. */
static inline bool oci_ns_new(const struct oci_config *c, int kind)
{
	return c->ns[kind].set && !c->ns[kind].path;
}

/* Does not return. */
void oci_init_main(struct oci_init *i) __attribute__((noreturn));
