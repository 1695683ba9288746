/* SPDX-License-Identifier: Apache-2.0 */
/* `PROGRAM __describe`: the command table as JSON, from which man pages and completions are made (src/cli/docs.h). */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/json.h"

static void put_str(json_t *obj, const char *key, const char *value)
{
	if (value)
		json_object_set_new(obj, key, json_string(value));
}

static json_t *options_json(const struct cli_option *o)
{
	json_t *list = json_array();

	for (; o && o->name; o++) {
		json_t *obj = json_object();
		char letter[2] = { o->letter, 0 };

		json_array_append_new(list, obj);
		if (o->type == CLI_HEADING) {
			put_str(obj, "heading", o->help);
			continue;
		}
		put_str(obj, "name", o->name);
		put_str(obj, "letter", o->letter ? letter : NULL);
		if (o->type != CLI_FLAG)
			put_str(obj, "arg", o->arg ? o->arg : "VALUE");
		put_str(obj, "help", o->help);
		put_str(obj, "complete", o->complete);
		if (o->type == CLI_LIST)
			json_object_set_new(obj, "list", json_true());
	}
	return list;
}

void cli_describe(const struct cli_command *const *commands)
{
	_cleanup_json_ json_t *list = json_array();
	_cleanup_free_ char *text = NULL;

	for (; *commands; commands++) {
		const struct cli_command *c = *commands;
		json_t *obj = json_object();

		json_array_append_new(list, obj);
		put_str(obj, "name", c->name);
		put_str(obj, "program", c->program);
		if (c->aliases) {
			_cleanup_strv_ char **aliases = strv_split(c->aliases, '|');

			json_object_set_new(obj, "aliases", json_from_strv(aliases));
		}
		put_str(obj, "group", c->group);
		put_str(obj, "args", c->args);
		put_str(obj, "summary", c->summary);
		put_str(obj, "description", c->description);
		put_str(obj, "complete", c->complete);
		json_object_set_new(obj, "max_args", json_integer(c->max_args));
		json_object_set_new(obj, "stop_at_first", json_boolean(c->stop_at_first));
		json_object_set_new(obj, "hidden", json_boolean(c->hidden));
		json_object_set_new(obj, "options", options_json(c->options));
	}
	text = json_text(list);
	printf("%s\n", text);
}
