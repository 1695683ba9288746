/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths inside a tree that somebody else shapes. The kernel resolves them (openat2(2)); brig never checks a path
 * string and then uses it (law 4).
 */
#pragma once

#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>

/*
 * Opens `path` as a process chroot-ed to `rootfd` would: absolute links and ".." stay inside. No magic links
 * (/proc/self/fd/N). `flags` as open(2), O_CLOEXEC is added; a missing last part with O_CREAT is made with `mode`.
 * Returns the descriptor or a negative errno.
 */
int path_open_in(int rootfd, const char *path, int flags, mode_t mode);

/* As open(2) relative to `dirfd`, links followed, but no magic link (/proc/self/exe, /proc/self/fd/N): -ELOOP. */
int path_open_plain(int dirfd, const char *path, int flags);

/* As above with RESOLVE_BENEATH and no symbolic links at all: any link or ".." upwards is an error. */
int path_open_beneath(int rootfd, const char *path, int flags, mode_t mode);

/*
 * Makes the folder `path` inside `rootfd` with all that lead to it, following links inside the root, and returns an
 * O_PATH|O_DIRECTORY descriptor of it, or a negative errno (-ENOTDIR when a part is something else). The kernel's
 * umask applies to `mode`; what was made is owned by the process's fsuid and fsgid.
 */
int path_mkdirs_in(int rootfd, const char *path, mode_t mode);

/* Makes an empty file, if nothing is there, with the folders that lead to it; O_PATH descriptor or negative errno. */
int path_mkfile_in(int rootfd, const char *path, mode_t mode);

/*
 * Empties and removes the tree `name` below `dirfd` without following links, at any depth with at most 18 descriptors and 90 KB
 * of stack, and on one file system only. A name that does not exist is 0. Returns 0 or the first negative errno, having
 * gone on with the rest.
 */
int path_remove_tree(int dirfd, const char *name);

/*
 * The names in the folder `name` ("." for itself) below `dirfd`, which is no link, sorted by bytes; without "." and "..".
 * *names is NULL-terminated, the caller frees it with strv_free(). Returns 0 or a negative errno, and nothing then: half a
 * listing is none.
 */
int path_list(int dirfd, const char *name, char ***names);

/* True when `name` is one harmless path part: not empty, ".", "..", no '/', at most 255 bytes. */
bool path_is_part(const char *name);

/* The text for /proc/self/fd/N; needs a procfs at /proc. */
void path_of_fd(int fd, char out[static 32]);
