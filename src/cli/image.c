/* SPDX-License-Identifier: Apache-2.0 */
/* `brig image inspect` */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/proc.h"
#include "cli/image_json.h"

#include <stdio.h>
#include <unistd.h>

struct inspect_options {
	char *format, *platform;
	bool remote, raw;
};

static const struct cli_option inspect_options[] = {
	CLI_OPT(struct inspect_options, format, "format", 'f', CLI_STRING, "TEMPLATE", "print by a Go template, or \"json\"",
		"json"),
	CLI_OPT(struct inspect_options, remote, "remote", 0, CLI_FLAG, NULL, "ask its registry, and fetch no layer", NULL),
	CLI_OPT(struct inspect_options, platform, "platform", 0, CLI_STRING, "PLATFORM",
		"with --remote: of an index, the image for linux/ARCHITECTURE[/VARIANT]", NULL),
	CLI_OPT(struct inspect_options, raw, "raw", 0, CLI_FLAG, NULL, "with --remote: print the manifest or index as it came", NULL),
	CLI_END,
};

/* What speaks with registries and reads what they say is a program of its own, which prints it too. */
static int ask_registry(const struct inspect_options *o, int argc, char **argv, struct error *e)
{
	_cleanup_free_ char *path = xasprintf("%sbrig-image", proc_libexec());
	_cleanup_free_ char **args = xcalloc((size_t)argc + 9, sizeof(char *));
	char raw[] = "--raw", platform[] = "--platform", format[] = "--format", end[] = "--";
	size_t n = 0;

	args[n++] = (char[]){ "brig" };
	args[n++] = (char[]){ "__remote" };
	if (o->raw)
		args[n++] = raw;
	if (o->platform) {
		args[n++] = platform;
		args[n++] = o->platform;
	}
	if (o->format) {
		args[n++] = format;
		args[n++] = o->format;
	}
	args[n++] = end;
	for (int i = 0; i < argc; i++)
		args[n++] = argv[i];
	fflush(NULL);
	execv(path, args);
	return error_errno(e, errno, "%s cannot be run: install brig as a whole", path);
}

static int inspect(void *options_, int argc, char **argv, struct error *e)
{
	struct inspect_options *o = options_;
	_cleanup_json_ json_t *all = json_array();
	int failed = 0, named = 0;

	for (int i = 0; i < argc; i++)
		named += str_after(argv[i], "docker://") != NULL;
	if (o->remote || (named && named == argc))
		return ask_registry(o, argc, argv, e);
	if (o->raw || o->platform || named)
		return error_set(e, EINVAL, named ? "docker:// asks a registry: all names have it, or give --remote" :
						    "--raw and --platform go with --remote");
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
		       "digest; Local, that it was loaded or imported here.\n\n"
		       "With --remote, or docker:// before the name, its registry is asked: what the name means, the platforms of an index, "
		       "the configuration and the layers of the one for this machine. No layer is fetched, nothing is kept, and nothing is "
		       "said of who signed it.",
	.options = inspect_options,
	.options_size = sizeof(struct inspect_options),
	.min_args = 1,
	.max_args = -1,
	.complete = "images",
	.run = inspect,
};
