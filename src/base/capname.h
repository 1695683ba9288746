/* SPDX-License-Identifier: Apache-2.0 */
/* Names of capabilities, capabilities(7); the table ends with what this brig knows, CAP_CHECKPOINT_RESTORE (Linux 5.9). */
#pragma once

enum { CAP_NAMES = 41 };

/* "chown" for 0; NULL beyond the last one. */
const char *cap_name(int cap);
/* "CAP_CHOWN", "chown", in any case: the number, or -1. */
int cap_by_name(const char *name);
