/* SPDX-License-Identifier: Apache-2.0 */
/* Signals by name, as kill(1) and docker spell them: "TERM", "SIGTERM", "15", "RTMIN+3". */
#pragma once

#include "base/error.h"

/* 1 to 64, or -EINVAL. */
int signal_parse(const char *name, struct error *e);
