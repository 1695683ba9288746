/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/trust.h"

#include "base/cleanup.h"
#include "base/conf.h"
#include "image/reference.h"
#include "trust/ask.h"
#include "trust/policy.h"

#include <stdio.h>
#include <string.h>

/* HOST/PATH:TAG, or HOST/PATH@sha256:HEX of what was pulled by digest alone. */
static char *image_of(const char *pulled, const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash && strchr(slash, ':') ? xstrdup(name) : xstrdup(pulled);
}

/* Is the scope HOST/PATH of this image, or more than that? */
static bool is_own_scope(const char *scope, const char *image)
{
	const char *rest = scope ? str_after(image, scope) : NULL;
	const char *slash = scope ? strchr(scope, '/') : NULL;

	return rest && slash && (*rest == 0 || ((*rest == ':' || *rest == '@') && !strchr(rest, '/')));
}

/* Moves what asks for signatures into the question. Whether anything accepts or rejects. */
static void sort_out(struct requirements *from, uint64_t threshold, bool own_scope, struct requirements *to, bool *accepts,
		     bool *rejects)
{
	for (size_t i = 0; i < from->n; i++) {
		struct requirement *r = &from->list[i];

		*accepts |= r->type == REQUIRE_ACCEPT;
		*rejects |= r->type == REQUIRE_REJECT;
		if (r->type == REQUIRE_ACCEPT || r->type == REQUIRE_REJECT)
			continue;
		r->own_scope = own_scope;
		if (threshold > r->threshold)
			r->threshold = threshold;
		to->list = xrealloc(to->list, to->n + 1, sizeof(*to->list));
		to->list[to->n++] = *r;
		*r = (struct requirement){ .type = REQUIRE_ACCEPT };
	}
}

static int finish(struct asking *q, struct error *e)
{
	struct conf conf;
	int r = conf_load(&conf, e);

	if (r < 0)
		return r;
	q->accept_no_landlock = strv_has(conf.accept_lowered, "landlock");
	conf_free(&conf);
	return require_load(&q->require, e);
}

static int verify(struct asking *q, const char *where, struct policy_said *out, struct error *e)
{
	struct answered a;
	int r = finish(q, e);

	if (r == 0)
		r = ask_signed(q, &a, e);
	if (r < 0)
		return error_wrap(e, "%s", where);
	out->verdict = a.met ? POLICY_MET : POLICY_UNMET;
	if (a.met && a.reason[0])
		snprintf(out->reason, sizeof(out->reason), "%.200s is signed by %.250s, as %.120s wants", q->image, a.reason, where);
	else if (a.met)
		snprintf(out->reason, sizeof(out->reason), "%.120s accepts %.200s", where, q->image);
	else
		snprintf(out->reason, sizeof(out->reason), "%.110s is not met: %.350s", where, a.reason);
	return 0;
}

int policy_ask(const struct trust_question *tq, bool check, struct policy_said *out, struct error *e)
{
	_cleanup_(policy_free) struct policy p = { 0 };
	_cleanup_asking_ struct asking q = { .manifest = "" };
	_cleanup_free_ char *name = NULL, *where = NULL;
	const char *top = reference_pulled_digest(tq->pulled, &name);
	bool accepts = false, rejects = false, scoped;
	struct policy_entry *entry;
	struct extra_entry *extra;
	int r = policy_load(&p, e);

	*out = (struct policy_said){ 0 };
	if (r < 0 || !top || !hex_valid(tq->manifest, DIGEST_HEX))
		return r;
	memcpy(q.manifest, tq->manifest, DIGEST_SIZE);
	memcpy(q.top, top, DIGEST_SIZE);
	q.image = image_of(tq->pulled, name);
	entry = (struct policy_entry *)policy_find(&p, q.image);
	extra = (struct extra_entry *)policy_find_extra(&p, q.image);
	scoped = entry && entry->scope && *entry->scope;
	if (entry)
		sort_out(&entry->require, extra ? extra->threshold : 0, is_own_scope(entry->scope, q.image), &q.require, &accepts, &rejects);
	where = xasprintf("%s%s%s%s", q.require.n || !extra ? p.path ? p.path : "" : "trust.json", scoped || extra ? " (" : "",
			  scoped ? entry->scope : extra ? extra->scope : "", scoped || extra ? ")" : "");
	if (extra) {
		sort_out(&extra->require, 0, is_own_scope(extra->scope, q.image), &q.require, &accepts, &rejects);
		q.expiry_s = extra->expiry_s;
		q.not_before = extra->not_before;
		q.minimum_version = steal_ptr(&extra->minimum_version);
		out->no_pins = extra->no_pins;
	}
	if (rejects) {
		out->verdict = scoped ? POLICY_REJECTS : POLICY_UNMET;
		snprintf(out->reason, sizeof(out->reason), "%.200s rejects %.200s", where, q.image);
	} else if (q.require.n) {
		out->verdict = POLICY_UNMET;
		return check ? verify(&q, where, out, e) : 0;
	} else if (extra && (q.expiry_s || q.not_before || q.minimum_version || extra->threshold)) {
		/* Only what is signed has an age and a version that can be believed. */
		out->verdict = POLICY_UNMET;
		snprintf(out->reason, sizeof(out->reason), "trust.json (%.200s) limits signatures, and nothing asks for one", extra->scope);
	} else if (accepts && scoped) {
		out->verdict = POLICY_ACCEPTS;
		snprintf(out->reason, sizeof(out->reason), "%.200s accepts %.200s, whatever it is", where, q.image);
	} else if (accepts) {
		snprintf(out->reason, sizeof(out->reason), " (that %.60s accepts anything is no such word)", p.path);
	}
	return 0;
}
