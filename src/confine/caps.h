/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities by name, capabilities(7). */
#pragma once

#include "base/error.h"

#include <linux/capability.h>
#include <stdint.h>

#define CAP_BIT(c) (1ULL << (c))

/*
 * What root inside keeps: to hand files and sockets to the users of its services and to become them. Each is worth
 * nothing outside the container's user namespace.
 */
#define CAPS_ROOT_IMAGE                                                                               \
	(CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) | \
	 CAP_BIT(CAP_KILL) | CAP_BIT(CAP_NET_BIND_SERVICE) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_SETUID) | \
	 CAP_BIT(CAP_SYS_CHROOT))

/* "chown, kill, setuid" in the kernel's order; "none" for 0. The caller frees. */
char *caps_text(uint64_t caps);

/* "NET_ADMIN", "cap_net_admin", "ALL": the bit or bits, or -EINVAL with the nearest name. */
int caps_parse(const char *name, uint64_t *bits, struct error *e);
