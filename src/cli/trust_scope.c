/* SPDX-License-Identifier: Apache-2.0 */
/* `brig trust add`, `remove`: whose signatures count */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "engine/events.h"
#include "trust/policy_edit.h"

#include <stdio.h>

struct add_options {
	char **name;
	char *identity;
	uint64_t threshold;
};

static const struct cli_option add_options[] = {
	CLI_OPT(struct add_options, name, "name", 'n', CLI_LIST, "SCOPE", "which images: HOST, HOST/NAME, HOST/NAME:TAG or *.DOMAIN", NULL),
	CLI_OPT(struct add_options, identity, "identity", 0, CLI_STRING, "TYPE", "how the signed name must fit",
		"matchExact matchRepoDigestOrExact matchRepository"),
	CLI_OPT(struct add_options, threshold, "threshold", 0, CLI_U64, "N", "so many different keys must have signed", NULL),
	CLI_END,
};

static int add(void *options_, int argc, char **argv, struct error *e)
{
	const struct add_options *o = options_;
	int r = 0;

	if (!o->name) {
		error_set(e, EINVAL, "which images may these keys vouch for?");
		error_hint(e, "brig trust add %s --name HOST/NAME", argv[0]);
		return -EINVAL;
	}
	strv_foreach(scope, o->name) {
		for (int i = 0; r == 0 && i < argc; i++) {
			struct policy_addition a = { .scope = *scope, .key_file = argv[i], .identity = o->identity, .threshold = o->threshold };
			struct event_attr attr = { "key", argv[i] };
			_cleanup_free_ char *written = NULL;

			event_record("image", *scope, *scope, "trust_add", &attr, 1, NULL);
			r = policy_add(&a, &written, e);
			if (r == 0)
				printf("%s may be signed by %s (%s)\n", *scope, argv[i], written);
		}
	}
	return r;
}

const struct cli_command cmd_trust_add = {
	.name = "trust add",
	.group = "Images",
	.args = "[OPTIONS] KEYFILE [KEYFILE...] --name SCOPE",
	.summary = "let a key vouch for images",
	.description = "KEYFILE is an OpenPGP public key (GPG signatures of podman and skopeo), a PEM public key (cosign's key pairs) or PEM "
		       "certificates of the authorities of notation's signers. It is copied to keys/ beside brig.conf and entered into "
		       "policy.json there (notation's into trust.json), which podman and skopeo read as well (--policy). Images of the scope "
		       "run when one of its keys has signed them, with --threshold when N of them have; the most specific scope counts.\n\n"
		       "A GPG signature must be of the name and tag that are asked for, one of cosign's of the repository; --identity says "
		       "otherwise.",
	.options = add_options,
	.options_size = sizeof(struct add_options),
	.min_args = 1,
	.max_args = -1,
	.complete = "files",
	.run = add,
};

static const struct cli_option no_options[] = { CLI_END };

static int remove_scopes(void *options_, int argc, char **argv, struct error *e)
{
	int r = 0;

	(void)options_;
	for (int i = 0; r == 0 && i < argc; i++) {
		event_record("image", argv[i], argv[i], "trust_remove", NULL, 0, NULL);
		r = policy_remove(argv[i], e);
		if (r == 0)
			printf("%s\n", argv[i]);
	}
	return r;
}

const struct cli_command cmd_trust_remove = {
	.name = "trust remove",
	.aliases = "trust rm",
	.group = "Images",
	.args = "SCOPE [SCOPE...]",
	.summary = "forget the keys of a scope",
	.description = "Takes the scope's entry out of policy.json and trust.json beside brig.conf, and the copies of its keys away. What only "
		       "they vouched for does not start any more; containers that run are not ended.",
	.options = no_options,
	.options_size = 1,
	.min_args = 1,
	.max_args = -1,
	.run = remove_scopes,
};
