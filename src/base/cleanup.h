/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources that are freed by scope, with the compiler's cleanup attribute.
 *
 *	_cleanup_free_ char *s = strdup(x);
 *	_cleanup_close_ int fd = open(...);
 *	return steal_fd(&fd);			// ownership leaves the scope
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <dirent.h>
#include <unistd.h>
#include <errno.h>

/* Unused: clang warns of a variable that is there only to be freed. */
#define _cleanup_(f) __attribute__((cleanup(f), unused))

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

/* Closes a descriptor when it is >= 0, which is -1 afterwards, and keeps errno. */
static inline void cleanup_close(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		close(*fd);
		*fd = -1;
		errno = saved;
	}
}

static inline void cleanup_closedir(DIR **d)
{
	if (*d)
		closedir(*d);
}

static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)
#define _cleanup_closedir_ _cleanup_(cleanup_closedir)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)

static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Takes a pointer out of the variable at `pp`, which becomes NULL. */
#define steal_ptr(pp)                            \
	({                                       \
		__typeof__(*(pp)) taken_ = *(pp); \
		*(pp) = NULL;                    \
		taken_;                          \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
