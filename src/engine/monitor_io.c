/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's output and input: container to log, clients and front; clients and front to container. */
#include "engine/monitor_loop.h"

#include "engine/relay.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

bool output_busy(const struct monitor *m)
{
	return m->chunk_len > 0;
}

/* The front and each client that wants this stream are owed the chunk. */
static void address(struct monitor *m, int stream)
{
	uint8_t wanted = stream ? ATTACH_WANT_STDERR : ATTACH_WANT_STDOUT;

	m->front_done = 0;
	m->front_due = m->front && (stream ? m->front->err : m->front->out) >= 0;
	for (int i = 0; i < ATTACH_CLIENTS; i++)
		m->client[i].due = m->client[i].fd >= 0 && (m->client[i].want & wanted);
}

/* A flood of output costs the host's processor as well as the container's: what is too fast stays in the pipe. */
static void account(struct monitor *m, size_t n, uint64_t now)
{
	if (now - m->rate_start >= NS_PER_S / 10) {
		m->rate_start = now;
		m->rate_bytes = 0;
	}
	m->rate_bytes += n;
	if (!m->front && m->rate_bytes >= OUTPUT_RATE / 10)
		m->pause_until = m->rate_start + NS_PER_S / 10;
}

/* Closes one of the container's pipes, so that its program hears of it. A terminal stays. */
static void close_pipe(struct monitor *m, int which)
{
	if (m->kit->fd[which] >= 0)
		close(m->kit->fd[which]);
	m->kit->fd[which] = -1;
}

void output_close(struct monitor *m, int stream)
{
	m->out[stream] = -1;
	close_pipe(m, stream ? MFD_STDERR : MFD_STDOUT);
}

static void log_chunk(struct monitor *m, int stream, size_t n)
{
	log_write(&m->log, stream ? LOG_STDERR : LOG_STDOUT, m->chunk + 1, n, bare_now());
	if (!!m->log.error == m->log_failed)
		return;
	m->log_failed = m->log.error != 0;
	if (m->log_failed)
		monitor_event(m, "log_failed",
			      &(struct event_attr){ "error", m->log.error == ENOSPC ? "no space left on device" : "cannot write" },
			      1);
}

/* Pipe to front without a copy, when nothing else wants the bytes. False: read them. */
static bool output_splice(struct monitor *m, int stream, uint64_t now)
{
	ssize_t n;

	if (!m->front || m->logging)
		return false;
	for (int i = 0; i < ATTACH_CLIENTS; i++)
		if (m->client[i].want)
			return false;
	n = m->front->ops->splice(m->front, stream, m->out[stream]);
	/* -EAGAIN: nothing there, or the front's side is full, which only the other way can wait for. */
	if (n == -EOPNOTSUPP || n == -EAGAIN)
		return false;
	if (n <= 0)
		output_close(m, stream);
	else
		account(m, (size_t)n, now);
	return true;
}

bool output_read(struct monitor *m, int stream)
{
	uint64_t now = bare_ticks();
	ssize_t n;

	if (output_splice(m, stream, now))
		return m->out[stream] >= 0;
	do
		n = read(m->out[stream], m->chunk + 1, sizeof(m->chunk) - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		/* EIO: the last process closed the terminal; while the container runs another may open it again. */
		if (n < 0 && errno == EIO && m->tty && !m->ended)
			m->pause_until = now + NS_PER_S / 10;
		else
			output_close(m, stream);
		return false;
	}
	m->chunk[0] = stream ? ATTACH_STDERR : ATTACH_STDOUT;
	m->chunk_len = (size_t)n;
	m->chunk_since = now;
	account(m, (size_t)n, now);
	m->idle_at = now + (uint64_t)IDLE_MS * NS_PER_MS;
	if (m->logging)
		log_chunk(m, stream, (size_t)n);
	if (!m->logging || !log_holds(&m->log))
		m->rest_at = 0;
	else if (!m->rest_at)
		m->rest_at = now + (uint64_t)LOG_REST_MS * NS_PER_MS;
	address(m, stream);
	output_deliver(m);
	return true;
}

void output_deliver(struct monitor *m)
{
	bool due = false;
	int stream = m->chunk[0] == ATTACH_STDERR;

	if (m->front_due) {
		ssize_t n = m->front->ops->write(m->front, stream, m->chunk + 1 + m->front_done, m->chunk_len - m->front_done);

		if (n >= 0)
			m->front_done += (size_t)n;
		if (n < 0 && n != -EAGAIN) {
			/* Nobody reads any more: the container's program finds out as in any pipeline. */
			m->front_due = false;
			if (!m->tty)
				output_close(m, stream);
		} else {
			m->front_due = m->front_done < m->chunk_len;
		}
		due = m->front_due;
	}
	for (int i = 0; i < ATTACH_CLIENTS; i++) {
		if (m->client[i].due)
			client_send(m, &m->client[i]);
		due |= m->client[i].due;
	}
	if (!due)
		m->chunk_len = 0;
}

/* Whole pages within the range go back to the kernel; they read as zeros again. */
static void release(void *p, size_t n)
{
	uintptr_t start = ((uintptr_t)p + 4095) & ~(uintptr_t)4095, end = ((uintptr_t)p + n) & ~(uintptr_t)4095;

	if (end > start)
		madvise((void *)start, end - start, MADV_DONTNEED);
}

static void go_idle(struct monitor *m)
{
	m->idle_at = 0;
	if (m->role != ROLE_MOVER)
		return;
	if (m->logging && !log_holds(&m->log))
		release(m->log.line, sizeof(m->log.line) + sizeof(m->log.out));
	if (m->chunk_len == 0 && m->in_len == 0)
		release(m->chunk + 1, sizeof(m->chunk) - 1 + sizeof(m->input));
}

void output_timers(struct monitor *m, uint64_t now, uint64_t *next)
{
	const uint64_t patience = (uint64_t)ATTACH_PATIENCE_MS * NS_PER_MS;

	if (m->pause_until && now >= m->pause_until)
		m->pause_until = 0;
	if (m->notify_at && now >= m->notify_at)
		m->notify_at = 0;
	if (m->rest_at && now >= m->rest_at) {
		log_flush(&m->log, bare_now());
		m->rest_at = 0;
	}
	if (m->idle_at && now >= m->idle_at)
		go_idle(m);
	for (int i = 0; i < ATTACH_CLIENTS; i++) {
		struct client *c = &m->client[i];

		if (!c->due)
			continue;
		if (now >= m->chunk_since + patience) {
			client_drop(c);
			output_deliver(m);
		} else {
			sooner(next, m->chunk_since + patience);
		}
	}
	sooner(next, m->pause_until);
	sooner(next, m->notify_at);
	sooner(next, m->rest_at);
	sooner(next, m->idle_at);
}

void input_close(struct monitor *m)
{
	m->in_len = m->in_off = 0;
	m->in = -1;
	close_pipe(m, MFD_STDIN);
}

void input_write(struct monitor *m)
{
	while (m->in >= 0 && m->in_len > m->in_off) {
		ssize_t n = write(m->in, m->input + m->in_off, m->in_len - m->in_off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			/* The container closed its end. A terminal without a reader drops what is typed. */
			if (m->tty)
				break;
			input_close(m);
			return;
		}
		m->in_off += (size_t)n;
	}
	m->in_len = m->in_off = 0;
	if (m->in_end && !m->tty)
		input_close(m);
}

void input_front(struct monitor *m)
{
	ssize_t n = m->front->ops->read(m->front, m->input, sizeof(m->input));

	if (n > 0)
		m->in_len = (size_t)n;
	else if (n == 0 && m->front->in_ended)
		m->in_end = true;
	input_write(m);
}
