/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/docs.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <string.h>

static const char head[] =
	"# brig(1) completion for fish\n"
	"\n"
	"# The command that the line has so far: one word, or two where the first is a group.\n"
	"function __brig_command\n"
	"    set -l words (commandline -opc)\n"
	"    set -e words[1]\n"
	"    test (count $words) -gt 0; or return\n"
	"    if contains -- $words[1] $__brig_groups\n"
	"        echo -- (string join ' ' $words[1..2])\n"
	"    else\n"
	"        echo -- $words[1]\n"
	"    end\n"
	"end\n"
	"\n"
	"function __brig_is\n"
	"    set -l command (__brig_command)\n"
	"    contains -- \"$command\" $argv\n"
	"end\n"
	"\n"
	"function __brig_names\n"
	"    command brig __complete $argv[1] 2>/dev/null\n"
	"end\n"
	"\n"
	"complete -c brig -f\n";

/* Text inside '...': fish knows \' and \\ there. */
static void put_text(const char *s, struct buf *out)
{
	for (; *s; s++) {
		if (*s == '\'' || *s == '\\')
			buf_puts(out, "\\");
		buf_add(out, s, 1);
	}
}

static void put_kind(const char *kind, struct buf *out)
{
	if (streq(kind, "files") || streq(kind, "dirs"))
		buf_puts(out, " -F");
	else if (streq(kind, "paths"))
		buf_puts(out, " -F -a '(__brig_names containers | string replace -r \"$\" :)'");
	else if (*kind && docs_kind(kind))
		buf_printf(out, " -a '(__brig_names %s)'", kind);
	else if (*kind)
		buf_printf(out, " -a '%s'", kind);
}

static void put_condition(const json_t *c, struct buf *out)
{
	const json_t *alias;
	size_t i;

	buf_printf(out, "complete -c brig -n '__brig_is \"%s\"", docs_str(c, "name"));
	json_array_foreach(json_object_get(c, "aliases"), i, alias)
		buf_printf(out, " \"%s\"", json_string_value(alias));
	buf_puts(out, "'");
}

static void put_command(const json_t *c, struct buf *out)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(c, "options"), i, o) {
		if (!*docs_str(o, "help") || *docs_str(o, "heading"))
			continue;
		put_condition(c, out);
		buf_printf(out, " -l %s", docs_str(o, "name"));
		if (*docs_str(o, "letter"))
			buf_printf(out, " -s %s", docs_str(o, "letter"));
		if (*docs_str(o, "arg")) {
			buf_puts(out, " -r");
			put_kind(docs_str(o, "complete"), out);
		}
		buf_puts(out, " -d '");
		put_text(docs_str(o, "help"), out);
		buf_puts(out, "'\n");
	}
	if (*docs_str(c, "complete")) {
		put_condition(c, out);
		put_kind(docs_str(c, "complete"), out);
		buf_puts(out, "\n");
	}
}

static void put_second(const char *name, const char *summary, struct buf *out)
{
	const char *blank = strchr(name, ' ');

	if (!blank)
		return;
	buf_printf(out, "complete -c brig -n '__brig_is \"%.*s\"' -a %s -d '", (int)(blank - name), name, blank + 1);
	put_text(summary, out);
	buf_puts(out, "'\n");
}

void docs_fish(const json_t *commands, struct buf *out)
{
	_cleanup_strv_ char **groups = docs_first_words(commands, true);
	const json_t *c, *alias;
	size_t i, k;

	buf_puts(out, head);
	buf_puts(out, "\nset -g __brig_groups");
	strv_foreach(g, groups)
		buf_printf(out, " %s", *g);
	buf_puts(out, "\n\ncomplete -c brig -n '__brig_is \"\"' -a help -d 'explain a command'\n"
		      "complete -c brig -n '__brig_is help' -a '(__brig_names commands)'\n");
	strv_foreach(g, groups)
		buf_printf(out, "complete -c brig -n '__brig_is \"\"' -a %s -d 'commands of %s'\n", *g, *g);
	json_array_foreach(commands, i, c) {
		if (!strchr(docs_str(c, "name"), ' ')) {
			buf_printf(out, "complete -c brig -n '__brig_is \"\"' -a %s -d '", docs_str(c, "name"));
			put_text(docs_str(c, "summary"), out);
			buf_puts(out, "'\n");
		}
		put_second(docs_str(c, "name"), docs_str(c, "summary"), out);
		json_array_foreach(json_object_get(c, "aliases"), k, alias)
			put_second(json_string_value(alias), docs_str(c, "summary"), out);
	}
	buf_puts(out, "\n");
	json_array_foreach(commands, i, c)
		put_command(c, out);
}
