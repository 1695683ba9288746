/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large files are mapped while they are looked at. What a pass is behind may leave memory again (it comes back from the file when it is
 * touched), so that a look needs some MB, however large the files are; and who cuts a file of a folder meanwhile gets zeros, and a finding,
 * instead of ending the look (SIGBUS, mmap(2)). Threads may call all of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { WINDOW = 4 << 20 }; /* bytes of a file that a pass may keep in memory behind itself */

/* Zeros for what is cut: once, in the process that looks. */
void window_guard(void);
/* Maps all of a file to be read; NULL: errno says why. */
void *window_map(int fd, size_t n);
void window_unmap(void *p, size_t n);
/* The bytes from p on were passed. Does nothing for memory that no window_map() gave. */
void window_passed(const void *p, size_t n);
/* How many files were cut while they were mapped. */
unsigned window_cut(void);
