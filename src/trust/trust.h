/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May this image run? One function, one answer with its reason. Asked where a container is made and where it is started (law 2:
 * a question that cannot be answered is a no; law 6: asked again at each start, against the pins of that moment).
 *
 *   - A name that a person pinned (`brig trust pin`) means the digest that it was pinned to. If it means another one, that is a no,
 *     whoever vouches for the image otherwise: the tag moved.
 *   - An image that this person loaded or imported on this machine may run.
 *   - What a policy rejects under a scope of its own does not run, pinned or not.
 *   - An image from a registry may run when policy.json and trust.json (policy.h) have an entry for it that its signatures meet. They
 *     are verified at each start, by brig-trust, or remembered for an hour while nothing changed (ask.h).
 *   - An image from a registry may run when its digest is pinned, under the name that it was pulled by. The digest is that of what
 *     the tag meant there (an index of platforms, or a manifest), or of the image's own manifest.
 *
 * Pins are lines of CONFIG/pins.json (BRIG_CONFIG, see home.h): {"pins":[{"name":"quay.io/a/b:1","digest":"sha256:HEX",
 * "pinned":"2026-..."}]}. The file must belong to this person or to root, and nobody else may write it.
 */
#pragma once

#include "base/error.h"
#include "image/store.h"

struct pin {
	char *name;		  /* HOST/PATH:TAG, or HOST/PATH for what was pulled by digest alone */
	char digest[DIGEST_SIZE]; /* hex */
	uint64_t pinned_ns;
};

struct pins {
	struct pin *list;
	size_t n;
};

/* A file that is missing has no pins. -EPERM: others can write it; -EBADMSG: damaged. */
int pins_read(struct pins *p, struct error *e);
/* The same from text; for tests and the fuzzer. */
int pins_parse(struct pins *p, const char *text, size_t n, const char *what, struct error *e);
void pins_free(struct pins *p);
const struct pin *pins_find(const struct pins *p, const char *name);

/* Pins `name`, which may be pinned to another digest only with `replace` (-EEXIST). Durable when it returns. */
int pin_add(const char *name, const char *digest, bool replace, struct error *e);
/* -ENOENT: it was not pinned. */
int pin_remove(const char *name, struct error *e);

struct trust_question {
	const char *name;     /* the store's name by which the image is meant; NULL: an id */
	const char *manifest; /* hex */
	const char *pulled;   /* as in image/index.h; NULL: no registry sent it */
	bool local;	      /* loaded or imported here */
};

enum trust_basis { TRUST_NONE, TRUST_LOCAL, TRUST_PINNED, TRUST_SIGNED, TRUST_POLICY };

struct trust_answer {
	bool allowed;
	bool moved;		/* a pinned name means something else now */
	bool asked;		/* a policy asks for signatures that it has not */
	enum trust_basis basis;
	char reason[512];	/* one line, for a person and the events; not escaped */
	char command[512];	/* what would allow it ("brig trust pin NAME@sha256:..."); empty: nothing */
};

/* What policies say of it. */
struct policy_said {
	enum policy_verdict {
		POLICY_SILENT,	/* nothing that counts */
		POLICY_ACCEPTS, /* under a scope of its own, whatever it is */
		POLICY_REJECTS, /* under a scope of its own */
		POLICY_MET,	/* by signatures */
		POLICY_UNMET,	/* signatures are asked for, and are not there or not good */
	} verdict;
	bool no_pins;	  /* a pin is not enough */
	char reason[700]; /* not escaped */
};

/*
 * Never fails: what cannot be read is a no, with the reason. `said` NULL: policies were not asked, which is right where the answer is no
 * other for them (what was loaded here, a pin that moved).
 */
void trust_decide(const struct trust_question *q, const struct pins *pins, const struct policy_said *said, struct trust_answer *out);

/*
 * Asks the policies. `verify` false: whether signatures are good is left open (POLICY_UNMET). An error when files or the verifier do not
 * let it be said: then the answer is a no.
 */
int policy_ask(const struct trust_question *q, bool verify, struct policy_said *out, struct error *e);

/* "local", "pinned", "signed", "policy", "none": for events. */
const char *trust_basis_name(enum trust_basis b);

/* The same with the pins read now; a refusal becomes an error (-EKEYREJECTED) with the ways forward. `out` may be NULL. */
int trust_check(const struct trust_question *q, struct trust_answer *out, struct error *e);
