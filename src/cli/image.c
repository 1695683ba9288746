/* SPDX-License-Identifier: Apache-2.0 */
/* `brig image inspect` */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "cli/image_json.h"

struct inspect_options {
	char *format;
};

static const struct cli_option inspect_options[] = {
	CLI_OPT(struct inspect_options, format, "format", 'f', CLI_STRING, "TEMPLATE", "print by a Go template, or \"json\"",
		"json"),
	CLI_END,
};

static int inspect(void *options_, int argc, char **argv, struct error *e)
{
	struct inspect_options *o = options_;
	_cleanup_json_ json_t *all = json_array();
	int failed = 0;

	for (int i = 0; i < argc; i++) {
		struct error own = { 0 };
		struct image img;
		json_t *j;
		int r = image_find(argv[i], &img, &own);

		j = r < 0 ? NULL : image_json(&img, &own);
		if (r == 0)
			image_free(&img);
		if (!j) {
			cli_fail(&own);
			failed = 1;
			continue;
		}
		json_array_append_new(all, j);
		if (o->format && (r = cli_print_format(o->format, j, e)) < 0)
			return r;
	}
	if (!o->format)
		cli_print_json(all, 4);
	return failed;
}

const struct cli_command cmd_image_inspect = {
	.name = "image inspect",
	.group = "Images",
	.args = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "show an image in detail",
	.description = "Vetting lists what deserves a look: files with set-user-ID or set-group-ID, file capabilities and "
		       "extended attributes that were left out, FIFOs. Pulled says which registry sent it, under which name and "
		       "digest; Local, that it was loaded or imported here.",
	.options = inspect_options,
	.options_size = sizeof(struct inspect_options),
	.min_args = 1,
	.max_args = -1,
	.complete = "images",
	.run = inspect,
};
