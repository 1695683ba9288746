/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "cli/remote_name.h"
#include "image/registry.h"
#include "trust/trust.h"
#include "vet/gate.h"

#include <stdio.h>

struct pull_options {
	char *platform;
	bool quiet, for_run;
};

static const struct cli_option options[] = {
	CLI_OPT(struct pull_options, platform, "platform", 0, CLI_STRING, "PLATFORM",
		"take the image for linux/ARCHITECTURE[/VARIANT], not this machine's", NULL),
	CLI_OPT(struct pull_options, quiet, "quiet", 'q', CLI_FLAG, NULL, "show no progress", NULL),
	/* `brig run` asks the policy of vet itself, with what its --lower says. */
	CLI_OPT(struct pull_options, for_run, "for-run", 0, CLI_FLAG, NULL, NULL, NULL),
	CLI_END,
};

/* What `brig run` will say of it is said now, where it is not too late to look at the image. */
static void say_trust(const char *name)
{
	struct image img;
	struct trust_answer a;
	struct error e = { 0 };

	if (image_find(name, &img, NULL) < 0)
		return;
	struct trust_question q = { .name = img.name, .manifest = img.manifest, .pulled = img.pulled, .local = img.local };

	if (trust_check(&q, &a, &e) == 0) {
		cli_say("it may run: %s", a.reason);
	} else if (a.command[0]) {
		cli_say("it is here, and does not run before somebody trusts it: %s", a.command);
		if (a.asked)
			cli_say("  because %s", a.reason);
	} else {
		cli_say("it is here, and does not run: %s", a.reason);
	}
	image_free(&img);
}

/* The policy of what may be in an image is asked while the person looks, and its answer kept for the first start. */
static int ask_gate(const char *name, bool quiet, struct error *e)
{
	struct gate_answer a = { 0 };
	struct image img;
	int r = image_find(name, &img, e);

	if (r < 0)
		return r;
	r = gate_ask(img.id, img.name, &a, e);
	if (r == 0 && a.refused) {
		r = error_set(e, EKEYREJECTED, "the policy of vet refuses it: %s%s%s%s (%s)", a.title, *a.path ? " (/" : "", a.path, *a.path ? ")" : "",
			      a.rules);
		error_hint(e, "it is here and does not run; brig vet %s shows all that was found, brig rmi %s removes it", name, name);
	} else if (r == 0 && a.asked && !quiet) {
		cli_say("the policy of vet lets it pass");
	}
	gate_answer_free(&a);
	image_free(&img);
	return r < 0 ? error_wrap(e, "image %s", name) : 0;
}

static int pull(const struct pull_options *o, const struct conf *conf, const char *typed, struct error *e)
{
	_cleanup_reference_ struct reference ref = { 0 };
	_cleanup_free_ char *name = NULL, *bar_name = NULL;
	struct cli_progress bar;
	struct pull_request r = { .ref = &ref, .platform = o->platform, .conf = conf };
	_cleanup_(pins_free) struct pins pins = { 0 };
	const struct pin *pin;
	struct pulled got;
	int err = remote_name(typed, &ref, e);

	if (err == 0)
		err = pins_read(&pins, e);
	if (err < 0)
		return err;
	name = reference_name(&ref);
	/* Who names a digest has said what is meant; whether it may run is asked when it shall. */
	pin = name && !ref.digest[0] ? pins_find(&pins, name) : NULL;
	r.pinned = pin ? pin->digest : NULL;
	if (!name || ref.digest[0]) {
		free(name);
		name = reference_pulled(&ref, ref.digest);
	}
	bar_name = xasprintf("Pulling %s", name);
	r.report.note = cli_note_tell;
	r.report.arg = &bar;
	if (!o->quiet) {
		r.report.progress = cli_progress_tell;
		cli_progress_start(&bar, bar_name, 0);
	}
	err = image_pull(&r, &got, e);
	if (!o->quiet)
		cli_progress_end(&bar);
	if (err < 0)
		return err;
	if (got.here && !o->quiet)
		cli_say("%s is up to date", name);
	if (got.moved)
		cli_warn("%s was another image before, which stays under its id", name);
	if (!o->quiet)
		cli_say("digest sha256:%s", got.digest);
	if (!pin && !o->quiet)
		say_trust(name);
	if (got.unasked[0] && !o->for_run) {
		error_set(e, EIO, "%s is here, but it could not be asked whether it is signed: %s", name, got.unasked);
		error_hint(e, "pull again when that is mended; until then only a pin or signatures that were here before can vouch for it");
		return -EIO;
	}
	if (got.unasked[0])
		cli_warn("it could not be asked whether %s is signed: %s", name, got.unasked);
	printf("%s\n", name);
	return o->for_run ? 0 : ask_gate(name, o->quiet, e);
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	const struct pull_options *o = options_;
	struct conf conf;
	int r = conf_load(&conf, e);

	if (r < 0)
		return r;
	for (int i = 0; r == 0 && i < argc; i++)
		r = pull(o, &conf, argv[i], e);
	conf_free(&conf);
	return r;
}

const struct cli_command cmd_pull = {
	.name = "pull",
	.aliases = "image pull",
	.group = "Images",
	.args = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "fetch an image from a registry",
	.description =
		"IMAGE is HOST[:PORT]/NAME[:TAG][@DIGEST]. A name without a host is never guessed at: an alias of "
		"registries.conf is followed; on a terminal brig asks which of its unqualified-search-registries is meant.\n\n"
		"Connections have TLS, unless insecure_registries in brig.conf names the registry. Passwords are those of "
		"brig login, podman login, docker login and their credential helpers; authorities and client certificates lie "
		"in certs.d/HOST[:PORT]/ beside brig.conf, as docker and podman keep them. One process speaks with the "
		"registry, another one without a network verifies every digest and unpacks; both are confined.\n\n"
		"Prints the whole name of each image.",
	.options = options,
	.options_size = sizeof(struct pull_options),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
