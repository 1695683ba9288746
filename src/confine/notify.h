/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers to seccomp user notifications (seccomp_unotify(2)), for the monitor: small, no allocation, no library.
 *
 * A reported call is never carried out and nothing behind its pointers is read: the answer is EPERM, the record is what
 * the registers held.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct notify_event {
	pid_t pid;	  /* the thread that called, as our pid namespace numbers it; 0 when it has no number here */
	int nr;		  /* number of the call, in the numbers of `arch` */
	uint32_t arch;	  /* AUDIT_ARCH_* */
	uint64_t args[6]; /* registers, not to be trusted: pointers are addresses of the caller */
	char comm[16];	  /* its name (PR_SET_NAME), chosen by the caller: escape before printing; "" when gone */
};

/*
 * Receives one notification and answers it. Call when poll(2) says POLLIN; POLLHUP means that no process has the filter
 * any more. Returns 1 with `out` filled, 0 when the caller went away first, or a negative errno.
 */
int notify_answer(int notify_fd, struct notify_event *out);

/* The name of a reported call ("mount"), or NULL when the number is none of the reported ones. Static storage. */
const char *notify_name(uint32_t arch, int nr);

/*
 * The call in words for a record: "socket(AF_ALG, 0x5, 0x0)", "clone(0x10000011)", "mount". Numbers and constant names
 * only, printable whatever the caller did.
 */
void notify_words(const struct notify_event *ev, char out[static 96]);

/*
 * Keeps a container from making its monitor work and write without end. Zero-initialise one for each listener.
 *
 * Answers: NOTIFY_BURST at once, then NOTIFY_RATE a second. While notify_wait_ms() is positive, leave the descriptor out
 * of poll: the callers sleep until it is their turn.
 *
 * Records: each call's first one always, NOTIFY_RECORDS others, then one in NOTIFY_RECORD_NS. notify_record() says whether to
 * write an event; *missed gets how many events were left out since the last record.
 */
struct notify_bucket {
	uint64_t last_ns; /* until when tokens were given back */
	uint32_t spent;
};
struct notify_meter {
	struct notify_bucket answers, records;
	uint64_t seen[2]; /* bits by the place of the call among the reported ones */
	uint32_t missed;
};
#define NOTIFY_RECORD_NS UINT64_C(10000000000)
enum { NOTIFY_BURST = 200, NOTIFY_RATE = 50, NOTIFY_RECORDS = 64 };
int notify_wait_ms(struct notify_meter *m, uint64_t now_ns);
bool notify_record(struct notify_meter *m, const struct notify_event *ev, uint64_t now_ns, uint32_t *missed);
