/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/vouch.h"

#include "base/home.h"
#include "engine/events.h"
#include "trust/trust.h"

void vouch_question(const struct container_config *c, struct trust_question *q)
{
	*q = (struct trust_question){ .name = c->image_known, .manifest = c->image_manifest, .pulled = c->image_pulled,
				      .local = c->image_local };
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
		return 0;
	vouch_question(&c->config, &q);
	r = trust_check(&q, &a, e);
	if (r == 0) {
		if (basis)
			*basis = trust_basis_name(a.basis);
		return 0;
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
