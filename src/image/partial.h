/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an interrupted pull had of large blobs: DATA/partial/HEX, the first bytes of the blob with that digest, for the next pull to go on
 * from. They are believed nothing: the whole blob is verified as if all of it had come at once, and fetched anew when it is wrong.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { PARTIAL_MIN = 1024 * 1024 /* bytes; less is fetched again as quickly */, PARTIAL_SECONDS = 24 * 60 * 60 };

/* Takes them out of the staging folder `staging` of a pull that is over, or whose process is gone. */
void partial_keep(int staging);
/* Moves the part of a blob of `size` bytes into `folder`, under its digest. False: there is none. */
bool partial_take(const char *hex, uint64_t size, int folder);
/* Removes those that nobody went on with for PARTIAL_SECONDS. */
void partial_sweep(void);
