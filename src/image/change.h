/* SPDX-License-Identifier: Apache-2.0 */
/* `--change INSTRUCTION`: the part of a Dockerfile that alters an image's configuration. */
#pragma once

#include "base/error.h"
#include "base/json.h"

/*
 * Applies one line ("ENV A=b C=\"d e\"", "CMD [\"sh\", \"-c\", \"x\"]", "EXPOSE 80/tcp 53/udp") to the configuration
 * ("config" of an image's configuration). No variables are expanded. -EINVAL with `e` filled.
 */
int change_apply(json_t *config, const char *line, struct error *e);
