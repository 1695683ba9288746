/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/share.h"

#include "base/cleanup.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

/* Things that a worker takes at once: few, as some files are a thousand times larger than others. */
enum { WORKERS_MAX = 8, BATCH = 8 };

unsigned vet_workers(const struct vet *v)
{
	cpu_set_t set;
	int n = 1;

	if (v->options && v->options->jobs)
		return v->options->jobs;
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (unsigned)n;
}

/* What one thing left behind: so many findings and notes, those that follow the ones before. */
struct trace {
	size_t thing, findings, notes;
	unsigned worker;
};

struct worker {
	struct vet v;
	struct trace *traces;
	size_t n, findings, notes; /* findings, notes: how many were merged */
	struct job *job;
	unsigned number;
};

struct job {
	vet_each *each;
	void *arg;
	size_t n;
	atomic_size_t next;
};

static size_t notes_of(const struct vet *v)
{
	return json_array_size(json_object_get(v->facts, "not_looked"));
}

static void do_one(struct worker *w, size_t i)
{
	size_t findings = w->v.n_findings, notes = notes_of(&w->v);

	w->job->each(&w->v, i, w->number, w->job->arg);
	if (w->v.n_findings == findings && notes_of(&w->v) == notes)
		return;
	if ((w->n & (w->n - 1)) == 0)
		w->traces = xrealloc(w->traces, w->n ? w->n * 2 : 1, sizeof(*w->traces));
	w->traces[w->n++] = (struct trace){ i, w->v.n_findings - findings, notes_of(&w->v) - notes, w->number };
}

static void *work(void *arg)
{
	struct worker *w = arg;
	size_t first;

	while ((first = atomic_fetch_add(&w->job->next, BATCH)) < w->job->n)
		for (size_t i = first; i < first + BATCH && i < w->job->n; i++)
			do_one(w, i);
	return NULL;
}

static int by_thing(const void *a, const void *b)
{
	const struct trace *x = a, *y = b;

	return x->thing < y->thing ? -1 : x->thing > y->thing;
}

static void merge(struct vet *v, struct worker *workers, unsigned n_workers)
{
	_cleanup_free_ struct trace *all = NULL;
	size_t n = 0;

	for (unsigned k = 0; k < n_workers; k++) {
		all = xrealloc(all, n + workers[k].n + 1, sizeof(*all));
		if (workers[k].n)
			memcpy(all + n, workers[k].traces, workers[k].n * sizeof(*all));
		n += workers[k].n;
	}
	if (n > 1)
		qsort(all, n, sizeof(*all), by_thing);
	for (size_t i = 0; i < n; i++) {
		struct worker *w = &workers[all[i].worker];
		const json_t *notes = json_object_get(w->v.facts, "not_looked");

		for (size_t k = 0; k < all[i].findings; k++)
			vet_take(v, &w->v.findings[w->findings++]);
		for (size_t k = 0; k < all[i].notes; k++)
			vet_not_looked(v, "%s", json_string_value(json_array_get(notes, w->notes++)));
	}
}

void vet_share(struct vet *v, size_t n, vet_each *each, void *arg)
{
	unsigned n_workers = vet_workers(v);
	_cleanup_free_ struct worker *workers = xcalloc(n_workers, sizeof(*workers));
	_cleanup_free_ pthread_t *threads = xcalloc(n_workers, sizeof(*threads));
	_cleanup_free_ bool *made = xcalloc(n_workers, sizeof(*made));
	struct job job = { .each = each, .arg = arg, .n = n };

	for (unsigned k = 0; k < n_workers; k++) {
		workers[k].v = *v;
		workers[k].v.findings = NULL;
		workers[k].v.n_findings = 0;
		workers[k].v.facts = NULL;
		workers[k].job = &job;
		workers[k].number = k;
	}
	for (unsigned k = 1; k < n_workers && k * BATCH < n; k++)
		made[k] = pthread_create(&threads[k], NULL, work, &workers[k]) == 0;
	work(&workers[0]);
	for (unsigned k = 1; k < n_workers; k++)
		if (made[k])
			pthread_join(threads[k], NULL);
	merge(v, workers, n_workers);
	for (unsigned k = 0; k < n_workers; k++) {
		free(workers[k].traces);
		free(workers[k].v.findings);
		json_decref(workers[k].v.facts);
	}
}
