/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that go to a caller over its UNIX socket: the terminal's outer side, the seccomp listener. */
#pragma once

#include "oci/state.h"

/* A connected stream socket, close-on-exec, or a negative errno; `what` names it in the error. */
int oci_socket_connect(const char *path, const char *what, struct error *e);

/* The terminal's outer side, with its name as the message, as runc and crun send it. */
int oci_console_send(int sock, int ptmx, struct error *e);

/* A pidfd (pidfd_open(2)), with that word as the message, as runc sends it. */
int oci_pidfd_send(int sock, int pidfd, struct error *e);

/*
 * The listener with the "container process state" of config-linux.md: of process `pid` (as the host numbers it), which is the
 * container's first one ("creating") or one that joins it ("running").
 */
int oci_notify_send(int sock, int listener, const struct oci_container *c, pid_t pid, const char *status,
		    const struct oci_config *cfg, struct error *e);
