/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/seek.h"
#include "vet/window.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <string.h>

enum { STATES_MAX = UINT16_MAX };

struct text {
	char *data;
	size_t n;
	uint16_t end; /* state */
};

struct seek {
	struct text *texts;
	size_t n_texts, cap_texts;
	uint8_t class_of[256]; /* bytes that occur in no text share class 0 */
	unsigned n_classes;
	uint16_t *next;	       /* state * n_classes + class */
	uint16_t *fail, *out;  /* out: the text that ends here plus 1, 0: none */
	uint16_t *more;	       /* next state on the way of failures at which a text ends, 0: none */
	size_t n_states, bytes;
};

struct seek *seek_new(void)
{
	return xcalloc(1, sizeof(struct seek));
}

void seek_free(struct seek **mp)
{
	struct seek *m = *mp;

	if (!m)
		return;
	for (size_t i = 0; i < m->n_texts; i++)
		free(m->texts[i].data);
	free(m->texts);
	free(m->next);
	free(m->fail);
	free(m->out);
	free(m->more);
	free(m);
	*mp = NULL;
}

size_t seek_count(const struct seek *m)
{
	return m->n_texts;
}

int seek_add(struct seek *m, const void *text, size_t n)
{
	if (n == 0)
		return -EINVAL;
	for (size_t i = 0; i < m->n_texts; i++)
		if (m->texts[i].n == n && memcmp(m->texts[i].data, text, n) == 0)
			return (int)i;
	if (n > STATES_MAX - 2 - m->bytes)
		return -E2BIG;
	if (m->n_texts == m->cap_texts) {
		m->cap_texts = m->cap_texts ? m->cap_texts * 2 : 64;
		m->texts = xrealloc(m->texts, m->cap_texts, sizeof(*m->texts));
	}
	m->texts[m->n_texts] = (struct text){ .data = xmalloc(n), .n = n };
	memcpy(m->texts[m->n_texts].data, text, n);
	m->bytes += n;
	return (int)m->n_texts++;
}

static uint16_t *step(const struct seek *m, size_t state, uint8_t byte)
{
	return &m->next[state * m->n_classes + m->class_of[byte]];
}

static void make_classes(struct seek *m)
{
	m->n_classes = 1;
	for (size_t i = 0; i < m->n_texts; i++)
		for (size_t k = 0; k < m->texts[i].n; k++) {
			uint8_t *class = &m->class_of[(uint8_t)m->texts[i].data[k]];

			/* At most 256 classes: a full set leaves none for other bytes, of which there are none then. */
			if (*class == 0 && m->n_classes < 256)
				*class = (uint8_t)m->n_classes++;
		}
}

static void make_trie(struct seek *m)
{
	m->n_states = 1;
	for (size_t i = 0; i < m->n_texts; i++) {
		uint16_t state = 0;

		for (size_t k = 0; k < m->texts[i].n; k++) {
			uint16_t *to = step(m, state, (uint8_t)m->texts[i].data[k]);

			if (!*to)
				*to = (uint16_t)m->n_states++;
			state = *to;
		}
		m->texts[i].end = state;
		m->out[state] = (uint16_t)(i + 1);
	}
}

/* Breadth first: where a state has no way on for a byte, it goes where its failure state goes. */
static void make_failures(struct seek *m)
{
	_cleanup_free_ uint16_t *queue = xcalloc(m->n_states, sizeof(*queue));
	size_t head = 0, tail = 0;

	for (unsigned c = 0; c < m->n_classes; c++)
		if (m->next[c])
			queue[tail++] = m->next[c];
	while (head < tail) {
		uint16_t state = queue[head++], fail = m->fail[state];

		m->more[state] = m->out[fail] ? fail : m->more[fail];
		for (unsigned c = 0; c < m->n_classes; c++) {
			uint16_t *to = &m->next[(size_t)state * m->n_classes + c], other = m->next[(size_t)fail * m->n_classes + c];

			if (*to) {
				m->fail[*to] = other;
				queue[tail++] = *to;
			} else {
				*to = other;
			}
		}
	}
}

void seek_compile(struct seek *m)
{
	size_t states = m->bytes + 1;

	make_classes(m);
	m->next = xcalloc(states * m->n_classes, sizeof(*m->next));
	m->fail = xcalloc(states, sizeof(*m->fail));
	m->out = xcalloc(states, sizeof(*m->out));
	m->more = xcalloc(states, sizeof(*m->more));
	make_trie(m);
	make_failures(m);
}

static size_t note(const struct seek *m, uint16_t state, bool *seen)
{
	size_t fresh = 0;

	if (!m->out[state])
		state = m->more[state];
	for (; state; state = m->more[state]) {
		bool *s = &seen[m->out[state] - 1];

		fresh += !*s;
		*s = true;
	}
	return fresh;
}

size_t seek_scan(const struct seek *m, const void *data, size_t n, bool *seen)
{
	const uint8_t *p = data, *end = p + n;
	uint16_t state = 0;
	size_t fresh = 0;

	while (p < end) {
		const uint8_t *from = p, *stop = end - p > WINDOW ? p + WINDOW : end;

		while (p < stop) {
			state = *step(m, state, *p++);
			if (state && (m->out[state] || m->more[state]))
				fresh += note(m, state, seen);
		}
		window_passed(from, (size_t)(stop - from));
	}
	return fresh;
}
