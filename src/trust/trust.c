/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/trust.h"

#include "base/cleanup.h"
#include "image/name.h"
#include "image/reference.h"

#include <stdio.h>
#include <string.h>

const char *trust_basis_name(enum trust_basis b)
{
	static const char *const names[] = { "none", "local", "pinned", "signed", "policy" };

	return names[b];
}

static const char *digest_of(const struct trust_question *q, const char *pulled_hex)
{
	return pulled_hex ? pulled_hex : q->manifest;
}

/* A pin holds for the digest of what the tag meant, and for that of the manifest. */
static bool pin_fits(const struct pin *pin, const struct trust_question *q, const char *pulled_hex)
{
	return streq(pin->digest, q->manifest) || (pulled_hex && streq(pin->digest, pulled_hex));
}

static void set_command(struct trust_answer *out, const char *name, const char *hex, bool replace)
{
	/* A name that does not fit would be cut into another command. */
	if (strlen(name) + 128 < sizeof(out->command))
		snprintf(out->command, sizeof(out->command), "brig trust pin %s%s@sha256:%s", replace ? "--replace " : "", name, hex);
}

static void allow(struct trust_answer *out, enum trust_basis basis)
{
	out->allowed = true;
	out->basis = basis;
}

/* A name that means something else than it was pinned to. */
static bool decide_moved(const struct trust_question *q, const struct pins *pins, const char *const names[2], const char *pulled_hex,
			 struct trust_answer *out)
{
	for (size_t i = 0; i < 2; i++) {
		const struct pin *pin = names[i] ? pins_find(pins, names[i]) : NULL;

		if (!pin || pin_fits(pin, q, pulled_hex))
			continue;
		out->moved = true;
		snprintf(out->reason, sizeof(out->reason), "%.250s is pinned to sha256:%s, but is now sha256:%s", names[i],
			 pin->digest, digest_of(q, pulled_hex));
		set_command(out, names[i], digest_of(q, pulled_hex), true);
		return true;
	}
	return false;
}

static bool decide_pinned(const struct pins *pins, const char *const names[2], struct trust_answer *out)
{
	for (size_t i = 0; i < 2; i++) {
		const struct pin *pin = names[i] ? pins_find(pins, names[i]) : NULL;

		if (!pin)
			continue;
		allow(out, TRUST_PINNED);
		snprintf(out->reason, sizeof(out->reason), "%.250s is pinned to sha256:%s", names[i], pin->digest);
		return true;
	}
	return false;
}

void trust_decide(const struct trust_question *q, const struct pins *pins, const struct policy_said *said, struct trust_answer *out)
{
	static const struct policy_said silent = { 0 };
	_cleanup_free_ char *pulled_name = NULL;
	const char *pulled_hex = reference_pulled_digest(q->pulled, &pulled_name);
	const char *const names[2] = { q->name, pulled_name };

	if (!said)
		said = &silent;
	*out = (struct trust_answer){ 0 };
	if (!q->manifest || !hex_valid(q->manifest, DIGEST_HEX) || (q->pulled && !pulled_hex)) {
		snprintf(out->reason, sizeof(out->reason), "what is known of the image's origin cannot be read");
		return;
	}
	/* First what speaks against it: both the name that is used and the one that it came by must mean what they meant. */
	if (decide_moved(q, pins, names, pulled_hex, out))
		return;
	if (said->verdict == POLICY_REJECTS && !q->local) {
		snprintf(out->reason, sizeof(out->reason), "%.500s", said->reason);
		return;
	}
	if ((!said->no_pins || q->local) && decide_pinned(pins, names, out))
		return;
	if (q->local) {
		allow(out, TRUST_LOCAL);
		snprintf(out->reason, sizeof(out->reason), "it was loaded or imported on this machine");
		return;
	}
	if (!q->pulled) {
		snprintf(out->reason, sizeof(out->reason), "nobody knows where it came from");
		return;
	}
	if (said->verdict == POLICY_MET || said->verdict == POLICY_ACCEPTS) {
		allow(out, said->verdict == POLICY_MET ? TRUST_SIGNED : TRUST_POLICY);
		snprintf(out->reason, sizeof(out->reason), "%.500s", said->reason);
		return;
	}
	out->asked = said->verdict == POLICY_UNMET;
	if (out->asked)
		snprintf(out->reason, sizeof(out->reason), "%.500s", said->reason);
	else
		snprintf(out->reason, sizeof(out->reason), "it was pulled from a registry, and nobody has said that %.200s is to be "
			 "trusted as sha256:%s%.150s", pulled_name, pulled_hex, said->reason);
	if (!said->no_pins)
		set_command(out, pulled_name, pulled_hex, false);
}

static int cannot_decide(struct trust_answer *a, const char *what, struct error *e)
{
	*a = (struct trust_answer){ 0 };
	snprintf(a->reason, sizeof(a->reason), "%s", what);
	return error_wrap(e, "whether the image may run cannot be decided");
}

int trust_check(const struct trust_question *q, struct trust_answer *out, struct error *e)
{
	_cleanup_(pins_free) struct pins pins = { 0 };
	struct trust_answer own, *a = out ? out : &own;
	int r = pins_read(&pins, e);

	if (r < 0)
		return cannot_decide(a, "the pins cannot be read", e);
	trust_decide(q, &pins, NULL, a);
	/* Policies are about what comes from registries. */
	if (!a->moved && q->pulled && !q->local) {
		struct policy_said said = { 0 };

		r = policy_ask(q, !a->allowed, &said, e);
		if (r == 0 && a->allowed && said.no_pins)
			r = policy_ask(q, true, &said, e);
		if (r < 0)
			return cannot_decide(a, "the policy cannot be read or its signatures not be verified", e);
		trust_decide(q, &pins, &said, a);
	}
	if (a->allowed)
		return 0;
	if (a->moved)
		error_set(e, EKEYREJECTED, "THE IMAGE IS NOT WHAT IT WAS: %s. It does not run", a->reason);
	else
		error_set(e, EKEYREJECTED, "the image does not run: %s", a->reason);
	if (a->command[0])
		error_hint(e, "%s%s", a->moved ? "somebody moved the tag; if you know why: " : "if you trust exactly these bytes: ",
			   a->command);
	error_hint(e, "or load it from a file that you trust: brig load -i FILE");
	return -EKEYREJECTED;
}
