/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/window.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Few files are mapped at a time: some for each thread. */
enum { SLOTS = 256, WORTH = 1 << 20 /* small files are given back soon enough */ };

struct slot {
	atomic_uintptr_t start; /* 0: free */
	atomic_size_t n;
	atomic_bool cut;
};

static struct slot slots[SLOTS];
static atomic_uint cuts;

static size_t page_size(void)
{
	static atomic_size_t size;

	if (!size)
		size = (size_t)sysconf(_SC_PAGESIZE);
	return size;
}

static struct slot *slot_of(uintptr_t at)
{
	for (size_t i = 0; i < SLOTS; i++) {
		uintptr_t start = atomic_load(&slots[i].start);

		/* The mapping goes on to the end of its last page. */
		if (start && at >= start && at - start < ((atomic_load(&slots[i].n) + page_size() - 1) & ~(page_size() - 1)))
			return &slots[i];
	}
	return NULL;
}

/* Async-signal-safe: atomics and mmap(2). */
static void cut_off(int sig, siginfo_t *si, void *context)
{
	uintptr_t page = (uintptr_t)si->si_addr & ~(uintptr_t)(page_size() - 1);
	struct slot *s = si->si_code > 0 ? slot_of(page) : NULL;
	int before = errno;

	(void)context;
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): the address that the kernel names */
	if (s && mmap((void *)page, page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) {
		if (!atomic_exchange(&s->cut, true))
			atomic_fetch_add(&cuts, 1);
	} else {
		signal(sig, SIG_DFL); /* not ours: the same access ends the process */
	}
	errno = before;
}

void window_guard(void)
{
	struct sigaction sa = { .sa_sigaction = cut_off, .sa_flags = SA_SIGINFO };

	page_size();
	sigemptyset(&sa.sa_mask);
	sigaction(SIGBUS, &sa, NULL);
}

void *window_map(int fd, size_t n)
{
	void *p = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);

	for (size_t i = 0; p != MAP_FAILED && i < SLOTS; i++) {
		uintptr_t none = 0;

		if (atomic_load(&slots[i].start) || !atomic_compare_exchange_strong(&slots[i].start, &none, (uintptr_t)p))
			continue;
		atomic_store(&slots[i].cut, false);
		atomic_store(&slots[i].n, n);
		return p;
	}
	if (p != MAP_FAILED) {
		munmap(p, n);
		errno = ENFILE;
	}
	return NULL;
}

void window_unmap(void *p, size_t n)
{
	struct slot *s = slot_of((uintptr_t)p);

	if (s) {
		atomic_store(&s->n, 0);
		atomic_store(&s->start, 0);
	}
	munmap(p, n);
}

void window_passed(const void *p, size_t n)
{
	size_t mask = page_size() - 1;
	uintptr_t from = ((uintptr_t)p + mask) & ~(uintptr_t)mask, to = ((uintptr_t)p + n) & ~(uintptr_t)mask;

	/* NOLINTNEXTLINE(performance-no-int-to-ptr): whole pages of what was passed */
	if (n >= WORTH && slot_of(from))
		madvise((void *)from, to - from, MADV_DONTNEED);
}

unsigned window_cut(void)
{
	return atomic_load(&cuts);
}
