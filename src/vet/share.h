/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at many files at once: work that is shared out to threads of the process that looks, whose room they are born in. */
#pragma once

#include "vet/vet.h"

/*
 * One of the things. `mine` is the worker's own view of the image: findings and notes that are added to it appear in the end as if all
 * things had been done in their order, however many workers there are. Nothing else that threads share may be changed but what `i` alone owns.
 * `worker` is below vet_workers(), for what each needs for itself.
 */
typedef void vet_each(struct vet *mine, size_t i, unsigned worker, void *arg);

/* 1 to 64: options->jobs, else a worker for each processor that this process may use, at most 8. */
unsigned vet_workers(const struct vet *v);
/* Does things 0 to n - 1. A thread that cannot be made is work for the others. */
void vet_share(struct vet *v, size_t n, vet_each *each, void *arg);
