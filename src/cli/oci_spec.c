/* SPDX-License-Identifier: Apache-2.0 */
/* brig-oci spec and brig-oci features: what needs no container. */
#include "cli/oci.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"
#include "spec/oci.h"

#include <fcntl.h>
#include <string.h>

struct spec_options {
	char *bundle;
	bool rootless;
};

static int run_spec(void *options, int argc, char **argv, struct error *e)
{
	struct spec_options *o = options;
	_cleanup_close_ int dir = open(o->bundle ? o->bundle : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), out = -1;
	_cleanup_json_ json_t *j = NULL;
	_cleanup_free_ char *text = NULL;
	int r;

	(void)argc;
	(void)argv;
	if (dir < 0)
		return error_errno(e, errno, "%s", o->bundle ? o->bundle : ".");
	/* As runc does: what is there is never overwritten. */
	out = openat(dir, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (out < 0)
		return errno == EEXIST ? error_set(e, EEXIST, "File config.json exists. Remove it first") :
					 error_errno(e, errno, "config.json");
	j = oci_spec_example(o->rootless);
	text = json_dumps(j, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	r = text ? fd_write_all(out, text, strlen(text)) : -ENOMEM;
	if (r == 0)
		r = fd_write_all(out, "\n", 1);
	return r < 0 ? error_errno(e, r, "config.json") : 0;
}

static const struct cli_option spec_table[] = {
	CLI_OPT(struct spec_options, bundle, "bundle", 'b', CLI_STRING, "DIR", "where to write it (default: here)", "dirs"),
	CLI_OPT(struct spec_options, rootless, "rootless", 0, CLI_FLAG, NULL, "for an ordinary user", NULL),
	CLI_END,
};

const struct cli_command cmd_oci_spec = {
	.name = "spec", .group = "Documents", .args = "[OPTIONS]", .summary = "Write an example config.json", .options = spec_table,
	.options_size = sizeof(struct spec_options), .run = run_spec,
};

static int run_features(void *options, int argc, char **argv, struct error *e)
{
	_cleanup_json_ json_t *j = oci_features();
	_cleanup_free_ char *text = json_dumps(j, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

	(void)options;
	(void)argc;
	(void)argv;
	if (!text)
		return error_set(e, ENOMEM, "features");
	printf("%s\n", text);
	return 0;
}

const struct cli_command cmd_oci_features = {
	.name = "features", .group = "Documents", .args = "", .summary = "Print what this runtime can do, as JSON", .run = run_features,
};
