/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "image/registry.h"
#include "trust/sign.h"

#include <stdio.h>
#include <time.h>

struct push_options {
	bool quiet, attestations;
};

static const struct cli_option options[] = {
	CLI_OPT(struct push_options, attestations, "attestations", 0, CLI_FLAG, NULL,
		"send also the attestations about the image that are kept here, see brig vet --attest", NULL),
	CLI_OPT(struct push_options, quiet, "quiet", 'q', CLI_FLAG, NULL, "show no progress", NULL),
	CLI_END,
};

/* Behind the image, so that there is something that they are about. */
static int push_attestations(const struct push_options *o, const struct conf *conf, const char *image, const struct reference *to,
			     struct error *e)
{
	struct cli_progress bar;
	struct sign_request q = { .image = image, .to = to, .conf = conf, .now = (int64_t)time(NULL),
				  .report = { .progress = o->quiet ? NULL : cli_progress_tell, .arg = &bar } };
	size_t n;
	int r;

	if (!o->quiet)
		cli_progress_start(&bar, "Pushing attestations", 0);
	r = image_push_attestations(&q, &n, e);
	if (!o->quiet)
		cli_progress_end(&bar);
	if (r == 0)
		cli_say("attestations: %zu", n);
	return r;
}

static int push(const struct push_options *o, const struct conf *conf, const char *image, const struct reference *to,
		struct error *e)
{
	_cleanup_free_ char *name = reference_name(to), *bar_name = xasprintf("Pushing %s", name), *pushed = NULL;
	struct cli_progress bar;
	struct registry_report report = { .progress = o->quiet ? NULL : cli_progress_tell, .arg = &bar };
	char digest[DIGEST_SIZE];
	int r;

	if (!o->quiet)
		cli_progress_start(&bar, bar_name, 0);
	r = image_push(image, to, conf, &report, digest, e);
	if (!o->quiet)
		cli_progress_end(&bar);
	if (r < 0)
		return r;
	pushed = reference_pulled(to, digest);
	printf("%s\n", pushed);
	fflush(stdout);
	return o->attestations ? push_attestations(o, conf, image, to, e) : 0;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	const struct push_options *o = options_;
	_cleanup_reference_ struct reference to = { 0 };
	struct conf conf;
	int r = reference_parse(argv[argc - 1], &to, e);

	if (r == 0 && to.digest[0])
		r = error_set(e, EINVAL, "an image is pushed to a tag, not to a digest");
	if (r < 0)
		return r;
	r = conf_load(&conf, e);
	if (r < 0)
		return r;
	r = push(o, &conf, argv[0], &to, e);
	conf_free(&conf);
	return r;
}

const struct cli_command cmd_push = {
	.name = "push",
	.aliases = "image push",
	.group = "Images",
	.args = "[OPTIONS] IMAGE [HOST[:PORT]/NAME[:TAG]]",
	.summary = "send an image to a registry",
	.description = "Without a second name IMAGE must name its registry itself. The image arrives as it is here, with the same "
		       "digests; what the registry has already is not sent. Every blob is verified against its digest while it is "
		       "sent. Prints name and digest.",
	.options = options,
	.options_size = sizeof(struct push_options),
	.min_args = 1,
	.max_args = 2,
	.complete = "images",
	.run = run,
};
