/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "cli/loading.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct load_options {
	char *input, *platform, *name;
	bool quiet, keep_names;
};

static const struct cli_option options[] = {
	CLI_OPT(struct load_options, input, "input", 'i', CLI_STRING, "FILE",
		"read from this file or OCI layout folder instead of standard input", "paths"),
	CLI_OPT(struct load_options, quiet, "quiet", 'q', CLI_FLAG, NULL, "show no progress", NULL),
	CLI_OPT(struct load_options, platform, "platform", 0, CLI_STRING, "PLATFORM",
		"take the image for linux/ARCHITECTURE[/VARIANT], not this machine's", NULL),
	CLI_OPT(struct load_options, name, "name", 0, CLI_STRING, "NAME", "give it this name, whatever it claims", NULL),
	CLI_OPT(struct load_options, keep_names, "keep-names", 0, CLI_FLAG, NULL,
		"keep names of registries that the file claims", NULL),
	CLI_END,
};

/* The names that a person would give a file: "web" for "/tmp/web.tar.gz". */
static char *base_name(const char *path)
{
	static const char *const endings[] = { ".gz", ".zst", ".tgz", ".tar", ".oci", NULL };
	_cleanup_free_ char *copy = xstrdup(path);
	char *name = xstrdup(basename(copy));

	for (int i = 0; endings[i]; i++) {
		if (str_ends(name, endings[i]) && strlen(name) > strlen(endings[i]))
			name[strlen(name) - strlen(endings[i])] = 0;
	}
	for (char *p = name; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return name;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct load_options *o = options_;
	const char *path = o->input ? o->input : argc ? argv[0] : "-";
	_cleanup_free_ char *base = streq(path, "-") ? NULL : base_name(path);
	_cleanup_close_ int fd = -1;
	struct load_request r = {
		.what = streq(path, "-") ? "standard input" : path,
		.base = base,
		.name = o->name,
		.platform = o->platform,
		.keep_names = o->keep_names,
	};

	if (argc && o->input)
		return error_set(e, EINVAL, "one file at a time: \"%s\" and --input %s", argv[0], o->input);
	fd = loading_input(path, e);
	if (fd < 0)
		return fd;
	r.input = fd;
	return loading_run(&r, o->quiet, "Loaded image", e);
}

const struct cli_command cmd_load = {
	.name = "load",
	.aliases = "image load",
	.group = "Images",
	.args = "[OPTIONS] [FILE]",
	.summary = "load images from an OCI layout or an archive of docker save or podman save",
	.description =
		"Reads an OCI image layout (a folder, or a tar archive of one) or an archive of docker save or podman "
		"save, plain or compressed with gzip or zstd, from FILE or standard input. Every digest is verified; "
		"what cannot be verified is refused, and nothing of it is kept.\n\n"
		"Only a pull knows where bytes came from, so a file's images are named below localhost/ whatever the "
		"file claims: docker.io/library/alpine:3 becomes localhost/alpine:3, quay.io/a/b:1 becomes "
		"localhost/quay.io/a/b:1. --keep-names trusts the file's names.\n\n"
		"Extended attributes other than user.*, among them file capabilities, are left out; device nodes are "
		"left out below /dev and refused elsewhere.",
	.options = options,
	.options_size = sizeof(struct load_options),
	.max_args = 1,
	.complete = "paths",
	.run = run,
};
