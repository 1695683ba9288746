/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/docs.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <string.h>

static const char head[] =
	"#compdef brig\n"
	"\n"
	"_brig_names() {\n"
	"    local -a names\n"
	"    names=(${(f)\"$(command brig __complete $1 2>/dev/null)\"})\n"
	"    shift\n"
	"    compadd \"$@\" -a names\n"
	"}\n"
	"\n"
	"_brig_paths() {\n"
	"    if [[ $PREFIX != */* ]]; then\n"
	"        _brig_names containers -S : -q\n"
	"    fi\n"
	"    _files\n"
	"}\n"
	"\n";

/* Text inside '...' of an _arguments specification: quotes, and what ends a part of it. */
static void put_text(const char *s, struct buf *out)
{
	for (; *s; s++) {
		if (*s == '\'')
			buf_puts(out, "'\\''");
		else if (*s == ':' || *s == '[' || *s == ']' || *s == '\\')
			buf_printf(out, "\\%c", *s);
		else
			buf_add(out, s, 1);
	}
}

static void put_action(const char *kind, struct buf *out)
{
	if (!*kind)
		buf_puts(out, " ");
	else if (streq(kind, "files"))
		buf_puts(out, "_files");
	else if (streq(kind, "dirs"))
		buf_puts(out, "_files -/");
	else if (streq(kind, "paths"))
		buf_puts(out, "_brig_paths");
	else if (docs_kind(kind))
		buf_printf(out, "_brig_names %s", kind);
	else
		buf_printf(out, "(%s)", kind);
}

static void put_option(const json_t *o, struct buf *out)
{
	const char *name = docs_str(o, "name"), *letter = docs_str(o, "letter"), *arg = docs_str(o, "arg");
	bool list = json_is_true(json_object_get(o, "list"));

	if (!*docs_str(o, "help"))
		return;
	buf_puts(out, " \\\n            '");
	if (list)
		buf_puts(out, "*");
	else if (*letter)
		buf_printf(out, "(-%s --%s)", letter, name);
	buf_puts(out, "'");
	if (*letter)
		buf_printf(out, "{-%s%s,--%s%s}", letter, *arg ? "+" : "", name, *arg ? "=" : "");
	else
		buf_printf(out, "--%s%s", name, *arg ? "=" : "");
	buf_puts(out, "'[");
	put_text(docs_str(o, "help"), out);
	buf_puts(out, "]");
	if (*arg) {
		buf_puts(out, ":");
		put_text(arg, out);
		buf_puts(out, ":");
		put_action(docs_str(o, "complete"), out);
	}
	buf_puts(out, "'");
}

static void put_command(const json_t *c, struct buf *out)
{
	bool stop = json_is_true(json_object_get(c, "stop_at_first"));
	int max = (int)json_integer_value(json_object_get(c, "max_args"));
	const json_t *item;
	size_t i;

	buf_printf(out, "    '%s'", docs_str(c, "name"));
	json_array_foreach(json_object_get(c, "aliases"), i, item)
		buf_printf(out, "|'%s'", json_string_value(item));
	buf_printf(out, ")\n        _arguments -s -S %s'(- *)--help[explain the command]'", stop ? "-A '-*' " : "");
	json_array_foreach(json_object_get(c, "options"), i, item)
		put_option(item, out);
	for (int n = 1; n <= max && n <= 4; n++) {
		buf_printf(out, " \\\n            '%d:argument:", n);
		put_action(docs_str(c, "complete"), out);
		buf_puts(out, "'");
	}
	if (stop) {
		buf_puts(out, " \\\n            '1:argument:");
		put_action(docs_str(c, "complete"), out);
		buf_puts(out, "' '*:argument:_files'");
	} else if (max < 0) {
		buf_puts(out, " \\\n            '*:argument:");
		put_action(docs_str(c, "complete"), out);
		buf_puts(out, "'");
	}
	buf_puts(out, "\n        ;;\n");
}

/* 'second:summary' for each name and alias in the group. */
static void put_group(const json_t *commands, const char *group, struct buf *out)
{
	const json_t *c, *alias;
	size_t i, k;

	buf_printf(out, "    %s) names=(", group);
	json_array_foreach(commands, i, c) {
		const char *rest = str_after(docs_str(c, "name"), group);

		for (k = 0;; k++) {
			if (rest && *rest == ' ') {
				buf_printf(out, "'%s:", rest + 1);
				put_text(docs_str(c, "summary"), out);
				buf_puts(out, "' ");
			}
			alias = json_array_get(json_object_get(c, "aliases"), k);
			if (!alias)
				break;
			rest = str_after(json_string_value(alias), group);
		}
	}
	buf_puts(out, ") ;;\n");
}

void docs_zsh(const json_t *commands, struct buf *out)
{
	_cleanup_strv_ char **groups = docs_first_words(commands, true);
	const json_t *c;
	size_t i;

	buf_puts(out, head);
	buf_puts(out, "_brig_group() {\n    case $1 in\n");
	strv_foreach(g, groups)
		put_group(commands, *g, out);
	buf_puts(out, "    *) return 1 ;;\n    esac\n}\n\n_brig_command() {\n    case $1 in\n");
	json_array_foreach(commands, i, c)
		put_command(c, out);
	buf_puts(out, "    help) _arguments '1:command:_brig_names commands' ;;\n    *) return 1 ;;\n    esac\n}\n\n");
	buf_puts(out, "_brig() {\n    local -a names\n    if ((CURRENT == 2)); then\n        names=('help:explain a command' ");
	json_array_foreach(commands, i, c) {
		if (strchr(docs_str(c, "name"), ' '))
			continue;
		buf_printf(out, "'%s:", docs_str(c, "name"));
		put_text(docs_str(c, "summary"), out);
		buf_puts(out, "' ");
	}
	strv_foreach(g, groups)
		buf_printf(out, "'%s:commands of %s' ", *g, *g);
	buf_puts(out, ")\n"
		      "        _describe command names\n"
		      "        return\n"
		      "    fi\n"
		      "    local name=$words[2]\n"
		      "    if _brig_group $name; then\n"
		      "        if ((CURRENT == 3)); then\n"
		      "            _describe command names\n"
		      "            return\n"
		      "        fi\n"
		      "        name=\"$name $words[3]\"\n"
		      "        shift 2 words\n"
		      "        ((CURRENT -= 2))\n"
		      "    else\n"
		      "        shift words\n"
		      "        ((CURRENT -= 1))\n"
		      "    fi\n"
		      "    _brig_command $name\n"
		      "}\n"
		      "\n"
		      "_brig \"$@\"\n");
}
