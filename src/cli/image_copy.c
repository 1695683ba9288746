/* SPDX-License-Identifier: Apache-2.0 */
/* `brig image copy` */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "cli/remote_name.h"
#include "image/copy.h"

#include <stdio.h>

struct copy_options {
	char *platform;
	bool all, signatures, quiet;
};

static const struct cli_option options[] = {
	CLI_OPT(struct copy_options, all, "all", 'a', CLI_FLAG, NULL, "of an image for several platforms, all of it", NULL),
	CLI_OPT(struct copy_options, platform, "platform", 0, CLI_STRING, "PLATFORM",
		"of an image for several platforms the one for linux/ARCHITECTURE[/VARIANT], not this machine's", NULL),
	CLI_OPT(struct copy_options, signatures, "signatures", 0, CLI_FLAG, NULL,
		"take along signatures, attestations and what else refers to it", NULL),
	CLI_OPT(struct copy_options, quiet, "quiet", 'q', CLI_FLAG, NULL, "show no progress", NULL),
	CLI_END,
};

/* A short name is asked about as for a pull; where something is written nothing is chosen for the person. */
static int read_source(const char *typed, struct copy_end *out, struct error *e)
{
	if (str_after(typed, "oci:"))
		return copy_end_parse(typed, out, e);
	*out = (struct copy_end){ 0 };
	return remote_name(typed, &out->ref, e);
}

static int copy(const struct copy_options *o, const struct copy_end *from, const struct copy_end *to, const struct conf *conf,
		struct error *e)
{
	struct cli_progress bar;
	struct copy_request r = { .from = from, .to = to, .platform = o->platform, .all = o->all, .referrers = o->signatures, .conf = conf,
				  .report = { .progress = o->quiet ? NULL : cli_progress_tell, .note = cli_note_tell, .arg = &bar } };
	struct copied got;
	int err;

	if (!o->quiet)
		cli_progress_start(&bar, "Copying", 0);
	err = image_copy(&r, &got, e);
	if (!o->quiet)
		cli_progress_end(&bar);
	if (err < 0)
		return err;
	if (!o->quiet) {
		cli_say("%zu of %zu blobs were not there yet", got.sent, got.blobs);
		if (o->signatures)
			cli_say("%zu signatures and other referrers came along", got.extras);
		cli_say("copied as it is, not verified: a copy asks nobody whether the image may run");
	}
	if (to->folder) {
		printf("oci:%s%s%s@sha256:%s\n", to->folder, to->tag ? ":" : "", to->tag ? to->tag : "", got.digest);
	} else {
		_cleanup_free_ char *name = reference_pulled(&to->ref, got.digest);

		printf("%s\n", name);
	}
	return 0;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	const struct copy_options *o = options_;
	_cleanup_(copy_end_free) struct copy_end from = { 0 }, to = { 0 };
	struct conf conf;
	int r = o->all && o->platform ? error_set(e, EINVAL, "--all and --platform: one of them") : 0;

	(void)argc;
	if (r == 0)
		r = read_source(argv[0], &from, e);
	if (r == 0)
		r = copy_end_parse(argv[1], &to, e);
	if (r == 0 && !to.folder && to.ref.digest[0])
		r = error_set(e, EINVAL, "an image is copied to a tag, not to a digest");
	if (r < 0)
		return r;
	r = conf_load(&conf, e);
	if (r < 0)
		return r;
	r = copy(o, &from, &to, &conf, e);
	conf_free(&conf);
	return r;
}

const struct cli_command cmd_image_copy = {
	.name = "image copy",
	.group = "Images",
	.args = "[OPTIONS] SOURCE DESTINATION",
	.summary = "copy an image between registries and OCI layouts",
	.description = "SOURCE and DESTINATION are HOST[:PORT]/NAME[:TAG] (docker:// before it is allowed) or oci:DIR[:TAG]. Digests stay "
		       "what they are, and every byte is verified against them. What the destination has already is not sent; between "
		       "repositories of one registry it is mounted. The store here is not touched: brig push and brig save send what is in it.\n\n"
		       "Nothing runs, so nobody is asked whether the image is trusted, and no signature is verified. With --signatures what the "
		       "source keeps beside the image comes along: cosign's tags, and referrers with their fallback tag.\n\n"
		       "Prints the destination and the digest.",
	.options = options,
	.options_size = sizeof(struct copy_options),
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
