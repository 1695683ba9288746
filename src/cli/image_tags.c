/* SPDX-License-Identifier: Apache-2.0 */
/* `brig image tags` */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/remote_name.h"
#include "image/name.h"
#include "image/registry.h"

#include <stdio.h>

struct tags_options {
	char *format, *last, *filter;
	uint64_t most;
};

static const struct cli_option options[] = {
	CLI_OPT(struct tags_options, filter, "filter", 0, CLI_STRING, "PATTERN", "only tags that fit: * any characters, ? one, [a-z] one of these", NULL),
	CLI_OPT(struct tags_options, most, "limit", 'n', CLI_U64, "N", "at most N of them", NULL),
	CLI_OPT(struct tags_options, last, "last", 0, CLI_STRING, "TAG", "only those behind TAG in their order: the next page after it", NULL),
	CLI_OPT(struct tags_options, format, "format", 'f', CLI_STRING, "FORMAT", "\"json\": one document", "json"),
	CLI_END,
};

static int run(void *options_, int argc, char **argv, struct error *e)
{
	const struct tags_options *o = options_;
	_cleanup_reference_ struct reference ref = { 0 };
	_cleanup_strv_ char **tags = NULL;
	struct tags_wanted wanted = { .last = o->last, .match = o->filter, .most = o->most };
	struct conf conf;
	int r = remote_name(argv[0], &ref, e);

	(void)argc;
	if (r < 0)
		return r;
	if (o->format && !streq(o->format, "json"))
		return error_set(e, EINVAL, "--format %s: give json", o->format);
	if (o->last && !tag_valid(o->last))
		return error_set(e, EINVAL, "--last %s: that is no tag", o->last);
	r = conf_load(&conf, e);
	if (r < 0)
		return r;
	r = registry_tags(&ref, &wanted, &conf, &tags, e);
	conf_free(&conf);
	if (r < 0)
		return r;
	if (o->format) {
		_cleanup_json_ json_t *list = json_array(), *j = NULL;
		_cleanup_free_ char *name = xasprintf("%s/%s", ref.host, ref.path);

		strv_foreach(it, tags)
			json_array_append_new(list, json_string(*it));
		j = json_pack("{s:s,s:O}", "Name", name, "Tags", list);
		cli_print_json(j, 4);
		return 0;
	}
	strv_foreach(it, tags)
		printf("%s\n", *it);
	return 0;
}

const struct cli_command cmd_image_tags = {
	.name = "image tags",
	.group = "Images",
	.args = "[OPTIONS] IMAGE",
	.summary = "list the tags that a registry has of an image",
	.description = "IMAGE is HOST[:PORT]/NAME, as brig pull takes it; a tag in it means nothing. A tag a line, sorted by their bytes.",
	.options = options,
	.options_size = sizeof(struct tags_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
