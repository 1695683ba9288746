/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <string.h>
#include <sys/utsname.h>

struct version_options {
	char *format;
};

static const struct cli_option options[] = {
	CLI_OPT(struct version_options, format, "format", 'f', CLI_STRING, "TEMPLATE",
		"print by a Go template, or \"json\"", "json"),
	CLI_END,
};

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct version_options *o = options_;
	_cleanup_json_ json_t *doc = NULL;
	struct utsname u;

	(void)argc;
	(void)argv;
	uname(&u);
	doc = json_pack("{s:{s:s,s:s,s:s,s:s}}", "Client", "Version", BRIG_VERSION, "Os", "linux", "Arch", u.machine,
			"KernelVersion", u.release);
	if (!o->format) {
		printf("brig version " BRIG_VERSION "\n");
		return 0;
	}
	return cli_print_format(o->format, doc, e);
}

const struct cli_command cmd_version = {
	.name = "version",
	.group = "System",
	.args = "[OPTIONS]",
	.summary = "show the version",
	.options = options,
	.options_size = sizeof(struct version_options),
	.run = run,
};
