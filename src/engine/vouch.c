/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/vouch.h"

#include "base/cleanup.h"
#include "base/home.h"
#include "engine/events.h"
#include "trust/trust.h"
#include "vet/gate.h"

void vouch_question(const struct container_config *c, struct trust_question *q)
{
	*q = (struct trust_question){ .name = c->image_known, .manifest = c->image_manifest, .pulled = c->image_pulled,
				      .local = c->image_local };
}

/* What --lower vet (all) and --lower vet=RULE of the container waive. */
static bool waived(const struct container *c, const struct gate_answer *a)
{
	const char **rules = xcalloc(c->config.n_lower + 1, sizeof(*rules));
	size_t n = 0;
	bool all;

	for (size_t i = 0; i < c->config.n_lower; i++)
		if (streq(c->config.lower[i].wall, "vet"))
			rules[n++] = c->config.lower[i].detail ? c->config.lower[i].detail : "";
	all = n > 0 && gate_waived(a, rules, n);
	free(rules);
	return all;
}

static void record(const struct container *c, const struct gate_answer *a, const char *action)
{
	const struct event_attr attrs[] = { { "rules", a->rules }, { "finding", a->title }, { "path", a->path }, { "rootfs", c->config.rootfs } };

	event_record("image", c->config.image_id ? c->config.image_id : "", c->config.image_name, action, attrs, c->config.rootfs ? 4 : 3, NULL);
}

/* What is judged, to a person. */
static const char *subject(const struct container *c)
{
	return c->config.rootfs ? c->config.rootfs : c->config.image_name ? c->config.image_name : "?";
}

/* What the gate answered: said here, and in the events first. */
static int judge(const struct container *c, const struct gate_answer *a, struct error *e)
{
	static bool told;

	if (!a->refused)
		return 0;
	if (waived(c, a)) {
		_cleanup_free_ char *text = xasprintf("the policy of vet refuses this %s, and --lower vet lets it run: %s (%s)",
						      c->config.rootfs ? "folder" : "image", a->title, a->rules);

		record(c, a, "vet_waive");
		/* `run` asks twice: where it makes the container, and where it starts it. */
		if (c->warn && !told)
			c->warn(text);
		told = true;
		return 0;
	}
	record(c, a, "vet_refuse");
	error_set(e, EKEYREJECTED, "the policy of vet refuses it: %s%s%s%s (%s)", a->title, *a->path ? " (/" : "", a->path, *a->path ? ")" : "",
		  a->rules);
	error_hint(e, "brig vet %s shows all that was found", subject(c));
	error_hint(e, "who has looked and accepts it: an exception with a reason in vet.json (brig-vet-policy(5)), or for one container "
		      "--lower vet=%s", a->rule);
	return -EKEYREJECTED;
}

/* The person's policy of what may be in an image (vet/gate.h). */
static int pass_gate(const struct container *c, struct error *e)
{
	struct gate_answer a = { 0 };
	int r = c->config.image_id ? gate_ask(c->config.image_id, c->config.image_known, &a, e) : 0;

	if (r == 0)
		r = judge(c, &a, e);
	gate_answer_free(&a);
	return r < 0 ? error_wrap(e, "image %s", subject(c)) : 0;
}

int vouch_folder(const struct container *c, struct error *e)
{
	struct gate_answer a = { 0 };
	int r = c->config.rootfs ? gate_ask_folder(c->config.rootfs, &a, e) : 0;

	if (r == 0)
		r = judge(c, &a, e);
	gate_answer_free(&a);
	return r < 0 ? error_wrap(e, "--rootfs %s", subject(c)) : 0;
}

int vouch(const struct container *c, const char **basis, struct error *e)
{
	struct trust_question q;
	struct trust_answer a = { 0 };
	struct event_attr attrs[3];
	int r;

	if (basis)
		*basis = c->config.rootfs ? "rootfs" : "local";
	/* A folder that the person names, or a container from when brig had only what a person had loaded. */
	if (c->config.rootfs || !c->config.image_manifest)
		return c->config.rootfs ? 0 : pass_gate(c, e);
	vouch_question(&c->config, &q);
	r = trust_check(&q, &a, e);
	if (r == 0) {
		if (basis)
			*basis = trust_basis_name(a.basis);
		return pass_gate(c, e);
	}
	attrs[0] = (struct event_attr){ "reason", a.reason };
	attrs[1] = (struct event_attr){ "moved", a.moved ? "yes" : "no" };
	attrs[2] = (struct event_attr){ "pulled", q.pulled ? q.pulled : "" };
	event_record("image", c->config.image_id ? c->config.image_id : "", c->config.image_name, "trust_refuse", attrs, 3, NULL);
	return error_wrap(e, "image %s", c->config.image_name ? c->config.image_name : "?");
}

int vouch_again(const struct container *c, struct error *e)
{
	/* A preset folder is a descriptor that root gave; pins, policy, keys and signatures are behind it, and root's. */
	return home_is_preset("containers") ? 0 : vouch(c, NULL, e);
}
