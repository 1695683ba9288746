/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/loading.h"
#include "image/change.h"
#include "image/oci.h"

#include <string.h>

struct import_options {
	char **change, *message, *platform;
	bool quiet;
};

static const struct cli_option options[] = {
	CLI_OPT(struct import_options, change, "change", 'c', CLI_LIST, "INSTRUCTION",
		"set CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME or WORKDIR, as in a Dockerfile", NULL),
	CLI_OPT(struct import_options, message, "message", 'm', CLI_STRING, "TEXT", "comment in the image's history", NULL),
	CLI_OPT(struct import_options, platform, "platform", 0, CLI_STRING, "PLATFORM",
		"what the files are for: linux/ARCHITECTURE[/VARIANT]", NULL),
	CLI_OPT(struct import_options, quiet, "quiet", 'q', CLI_FLAG, NULL, "show no progress", NULL),
	CLI_END,
};

/* The configuration but for its layers. */
static json_t *make_config(const struct import_options *o, const char *from, struct error *e)
{
	_cleanup_json_ json_t *config = json_object(), *doc = json_object(), *step = json_object();
	struct oci_platform p;
	char now[40];

	if (oci_platform_parse(o->platform, &p, e) < 0)
		return NULL;
	strv_foreach(it, o->change) {
		if (change_apply(config, *it, e) < 0)
			return NULL;
	}
	clock_format(clock_now_ns(), now);
	json_object_set_new(doc, "created", json_string(now));
	json_object_set_new(doc, "architecture", json_string(p.architecture));
	if (p.variant[0])
		json_object_set_new(doc, "variant", json_string(p.variant));
	json_object_set_new(doc, "os", json_string(p.os));
	json_object_set(doc, "config", config);
	json_object_set_new(step, "created", json_string(now));
	json_object_set_new(step, "comment", json_string(o->message ? o->message : from));
	json_object_set_new(doc, "history", json_pack("[O]", step));
	return steal_ptr(&doc);
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct import_options *o = options_;
	bool from_stdin = streq(argv[0], "-");
	_cleanup_free_ char *from = xasprintf("Imported from %s", from_stdin ? "-" : argv[0]);
	_cleanup_free_ char *safe = str_escape(from);
	_cleanup_json_ json_t *config = make_config(o, safe, e);
	_cleanup_close_ int fd = -1;
	struct load_request r = {
		.what = from_stdin ? "standard input" : argv[0],
		.name = argc > 1 ? argv[1] : NULL,
		.platform = o->platform,
		.import = config,
	};

	if (!config)
		return e->code;
	fd = loading_input(argv[0], e);
	if (fd < 0)
		return fd;
	r.input = fd;
	return loading_run(&r, o->quiet, "Imported image", e);
}

const struct cli_command cmd_import = {
	.name = "import",
	.aliases = "image import",
	.group = "Images",
	.args = "[OPTIONS] FILE|- [NAME[:TAG]]",
	.summary = "make an image of a root file system in a tar archive",
	.description = "FILE is a tar archive, plain or compressed with gzip or zstd, of one root file system, as mmdebstrap, "
		       "docker export or tar -C ROOT -c . make it. It becomes an image of one layer.",
	.options = options,
	.options_size = sizeof(struct import_options),
	.min_args = 1,
	.max_args = 2,
	.complete = "files",
	.run = run,
};
