/* SPDX-License-Identifier: Apache-2.0 */
/* `brig-image __mend`: what `brig image repair` does to blobs, objects and tables. */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "cli/loading.h"
#include "image/mend.h"

#include <stdio.h>
#include <unistd.h>

struct mend_options {
	char *from;
};

static const struct cli_option options[] = {
	CLI_OPT(struct mend_options, from, "from", 0, CLI_STRING, "FILE", "the archive or layout of the image", NULL),
	CLI_END,
};

static void show(const char *name, const struct mended *m)
{
	if (!m->blobs && !m->objects && !m->tables) {
		printf("%s: nothing in its bytes was wrong\n", name);
		return;
	}
	printf("%s: repaired", name);
	if (m->objects)
		printf(" %zu file%s", m->objects, m->objects == 1 ? "" : "s");
	if (m->tables)
		printf("%s the table of its files", m->objects ? "," : "");
	if (m->blobs)
		printf("%s %zu blob%s%s", m->objects || m->tables ? "," : "", m->blobs, m->blobs == 1 ? "" : "s",
		       m->fetched ? " from the registry" : "");
	printf("\n");
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	const struct mend_options *o = options_;
	_cleanup_(index_free) struct index x = { 0 };
	_cleanup_close_ int input = -1;
	struct cli_progress bar;
	struct mended done;
	struct conf conf;
	ssize_t i;
	int r = index_read(&x, e);

	(void)argc;
	i = r < 0 ? r : index_find(&x, argv[0], NULL, e);
	if (i < 0)
		return (int)i;
	if (o->from && (input = loading_input(o->from, e)) < 0)
		return input;
	r = conf_load(&conf, e);
	if (r < 0)
		return r;
	struct mend_request q = { .entry = &x.entries[i], .input = input, .what = o->from, .conf = &conf,
				  .report = { cli_progress_tell, cli_note_tell, &bar } };
	cli_progress_start(&bar, argv[0], 0);
	r = image_mend(&q, &done, e);
	cli_progress_end(&bar);
	conf_free(&conf);
	if (r < 0)
		return error_wrap(e, "cannot repair %s", argv[0]);
	show(argv[0], &done);
	return 0;
}

const struct cli_command cmd_mend = {
	.name = "__mend",
	.args = "[OPTIONS] IMAGE",
	.summary = "make an image whole again, for brig image repair",
	.hidden = true,
	.options = options,
	.options_size = sizeof(struct mend_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
