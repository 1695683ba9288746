/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/trust.h"

#include "base/cleanup.h"
#include "image/name.h"
#include "image/reference.h"

#include <stdio.h>
#include <string.h>

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

void trust_decide(const struct trust_question *q, const struct pins *pins, struct trust_answer *out)
{
	_cleanup_free_ char *pulled_name = NULL;
	const char *pulled_hex = reference_pulled_digest(q->pulled, &pulled_name);
	const char *names[] = { q->name, pulled_name };

	*out = (struct trust_answer){ 0 };
	if (!q->manifest || !hex_valid(q->manifest, DIGEST_HEX) || (q->pulled && !pulled_hex)) {
		snprintf(out->reason, sizeof(out->reason), "what is known of the image's origin cannot be read");
		return;
	}
	/* First what speaks against it: both the name that is used and the one that it came by must mean what they meant. */
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct pin *pin = names[i] ? pins_find(pins, names[i]) : NULL;

		if (!pin || pin_fits(pin, q, pulled_hex))
			continue;
		out->moved = true;
		snprintf(out->reason, sizeof(out->reason), "%.250s is pinned to sha256:%s, but is now sha256:%s", names[i],
			 pin->digest, digest_of(q, pulled_hex));
		set_command(out, names[i], digest_of(q, pulled_hex), true);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct pin *pin = names[i] ? pins_find(pins, names[i]) : NULL;

		if (!pin)
			continue;
		out->allowed = true;
		out->basis = TRUST_PINNED;
		snprintf(out->reason, sizeof(out->reason), "%.250s is pinned to sha256:%s", names[i], pin->digest);
		return;
	}
	if (q->local) {
		out->allowed = true;
		out->basis = TRUST_LOCAL;
		snprintf(out->reason, sizeof(out->reason), "it was loaded or imported on this machine");
		return;
	}
	if (!q->pulled) {
		snprintf(out->reason, sizeof(out->reason), "nobody knows where it came from");
		return;
	}
	snprintf(out->reason, sizeof(out->reason), "it was pulled from a registry, and nobody has said that %.200s is to be trusted as "
		 "sha256:%s", pulled_name, pulled_hex);
	set_command(out, pulled_name, pulled_hex, false);
}

int trust_check(const struct trust_question *q, struct trust_answer *out, struct error *e)
{
	_cleanup_(pins_free) struct pins pins = { 0 };
	struct trust_answer own, *a = out ? out : &own;
	int r = pins_read(&pins, e);

	if (r < 0) {
		*a = (struct trust_answer){ 0 };
		snprintf(a->reason, sizeof(a->reason), "the pins cannot be read");
		return error_wrap(e, "whether the image may run cannot be decided");
	}
	trust_decide(q, &pins, a);
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
