/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate: may an image pass the person's policy of what may be in it (CONFIG/vet.json, policy.h)? Without that file nobody is asked. Linked
 * into the front and brig-image; the look itself is brig-vet's, which is started when the answer is not known yet.
 *
 * DATA/verdicts/ID-NAME.json keeps the last answer for an image under a name (NAME: a hash of it) with all that it came from: policy, rules,
 * index of advisories, and the program, each by inode, size and times. When one of these is another, or an exception has ended, the image is
 * looked at again. What is kept was written by this process, not by the one that looked.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct gate_answer {
	bool asked;   /* there is a policy */
	bool refused;
	bool known;   /* it was not looked at again */
	char *rules;  /* every rule that refuses, blanks between */
	char *rule, *title, *path; /* the worst; text of the image, not escaped; path "" for none */
};

/*
 * Runs brig-vet with these arguments ("brig", "vet", ...); what it writes, at most `max` bytes, into `text` (to free). Its exit code, or
 * -ENOENT: it is not installed.
 */
int gate_vet(char *const argv[], size_t max, char **text, struct error *e);

/* `id`: the image's configuration digest, hex; `name`: what it is called, NULL: nothing. Negative: it cannot be decided (which is a no). */
int gate_ask(const char *id, const char *name, struct gate_answer *out, struct error *e);
/* The same for a folder that somebody wants to run (an absolute path). It has no digest, so that nothing is kept: each question is a look. */
int gate_ask_folder(const char *path, struct gate_answer *out, struct error *e);
void gate_answer_free(struct gate_answer *a);
/* True when every rule that refuses is in the list (or the list has "": all of them). */
bool gate_waived(const struct gate_answer *a, const char *const *rules, size_t n);
