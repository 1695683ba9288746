/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that the container's filter hands to the monitor: answered with EPERM, and told in the container's events. */
#include "engine/monitor_loop.h"

#include <unistd.h>

static void record(struct monitor *m, const struct notify_event *ev, uint32_t missed)
{
	char words[96], pid[24], left_out[24];
	struct event_attr attrs[] = {
		{ "call", words },
		{ "program", ev->comm },
		{ "pid", pid },
		{ "missed", missed ? left_out : NULL },
	};

	notify_words(ev, words);
	bare_decimal(ev->pid > 0 ? (uint64_t)ev->pid : 0, 1, pid);
	bare_decimal(missed, 1, left_out);
	monitor_event(m, "refused", attrs, sizeof(attrs) / sizeof(attrs[0]));
}

/* The kit's own listener stays the caller's. */
static void drop(struct monitor *m, int *listener)
{
	if (listener != &m->notify)
		close(*listener);
	*listener = -1;
}

bool monitor_notify_add(struct monitor *m, int fd)
{
	for (int i = 0; i < ATTACH_LISTENERS; i++) {
		if (m->joined[i] < 0) {
			m->joined[i] = fd;
			return true;
		}
	}
	close(fd);
	return false;
}

void monitor_notify(struct monitor *m, int *listener, short revents)
{
	struct notify_event ev;
	uint32_t missed;
	int wait, r;

	if (!(revents & POLLIN)) {
		/* POLLHUP: no process is left that has the filter. */
		drop(m, listener);
		return;
	}
	wait = notify_wait_ms(&m->meter, bare_ticks());
	if (wait > 0) {
		m->notify_at = bare_ticks() + (uint64_t)wait * NS_PER_MS;
		return;
	}
	r = notify_answer(*listener, &ev);
	if (r < 0)
		drop(m, listener);
	if (r <= 0)
		return;
	m->refused++;
	if (notify_record(&m->meter, &ev, bare_ticks(), &missed))
		record(m, &ev, missed);
}
