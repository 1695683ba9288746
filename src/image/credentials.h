/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords of registries, where docker and podman keep them (containers-auth.json(5)): JSON files with the members auths, credHelpers
 * and credsStore, and programs docker-credential-NAME that keep them elsewhere. Read in this order:
 *
 *	$REGISTRY_AUTH_FILE
 *	$XDG_RUNTIME_DIR/containers/auth.json, for root also /run/containers/0/auth.json
 *	$XDG_CONFIG_HOME/containers/auth.json (~/.config/containers/auth.json)
 *	$DOCKER_CONFIG/config.json (~/.docker/config.json)
 *
 * `brig login` writes to the first of them that could exist: where podman and skopeo look first as well.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"

struct credentials {
	char *user, *password; /* NULL: none */
};
void credentials_free(struct credentials *c); /* and wipes */
#define _cleanup_credentials_ __attribute__((cleanup(credentials_free)))

/* For the repository HOST/PATH; the most specific entry counts. `name` HOST alone: that of the registry. Nothing found is 0. */
int credentials_find(const char *name, struct credentials *out, struct error *e);

/* Keeps or forgets those of a registry. forget: 1 when there were some. `where` (to free) says in which file or program. */
int credentials_keep(const char *host, const struct credentials *c, char **where, struct error *e);
int credentials_forget(const char *host, char **where, struct error *e);

/* One file: 1 when it names something for `name`; `helper` (to free) is set when a program has it. For tests and the fuzzer. */
int credentials_read(const json_t *file, const char *name, struct credentials *out, char **helper, struct error *e);

/* `docker-credential-NAME ACTION` with `input`; its output (to free), at most 64 KiB. -ENOENT: it knows nothing of that server. */
int credential_helper(const char *name, const char *action, const char *input, char **out, struct error *e);
