/* SPDX-License-Identifier: Apache-2.0 */
/* Names of signals, as people and image configurations write them. */
#pragma once

/*
 * "TERM", "SIGTERM", "sigterm", "15", "RTMIN", "SIGRTMIN+3", "RTMAX-1": the number, 1 to 64; else -EINVAL. RTMIN is the C
 * library's (34), as kill(1) and docker count.
 */
int signal_number(const char *s);
