/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/docs.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <string.h>

/*
 * It reads the line itself: bash-completion need not be installed, and "=" and ":" in words do no harm. No name is ever
 * given to `compgen -W`, which would expand it.
 */
static const char script[] =
	"_brig_offer() {\n"
	"    local word\n"
	"    while IFS= read -r word; do\n"
	"        [[ ! $word || $word != \"$value\"* ]] || COMPREPLY+=(\"$word\")\n"
	"    done\n"
	"}\n"
	"\n"
	"# What completes an option's value or a positional, by its kind, for the text in $value.\n"
	"_brig_by_kind() {\n"
	"    case $1 in\n"
	"    '') ;;\n"
	"    files | dirs)\n"
	"        compopt -o filenames 2>/dev/null\n"
	"        mapfile -t COMPREPLY < <(compgen \"$([[ $1 == files ]] && echo -f || echo -d)\" -- \"$value\")\n"
	"        ;;\n"
	"    paths)\n"
	"        if [[ $value == */* || $value == .* ]]; then\n"
	"            _brig_by_kind files\n"
	"        else\n"
	"            _brig_offer < <(\"$brig\" __complete containers 2>/dev/null | sed 's/$/:/')\n"
	"            compopt -o nospace 2>/dev/null\n"
	"        fi\n"
	"        ;;\n"
	"    commands) _brig_offer <<<\"${_brig_first// /$'\\n'}\" ;;\n"
	"    *,*) _brig_offer <<<\"${1//,/$'\\n'}\" ;;\n"
	"    *) _brig_offer < <(\"$brig\" __complete \"$1\" 2>/dev/null) ;;\n"
	"    esac\n"
	"}\n"
	"\n"
	"# True when option $1 takes a value; $kind is then what completes it.\n"
	"_brig_takes() {\n"
	"    [[ \" $vals \" == *\" $1=\"* ]] || return 1\n"
	"    kind=\" $vals \"\n"
	"    kind=${kind#*\" $1=\"}\n"
	"    kind=${kind%% *}\n"
	"}\n"
	"\n"
	"_brig() {\n"
	"    local line=${COMP_LINE:0:COMP_POINT} cur='' value='' words=() word kind opts vals pos stop max\n"
	"    local brig=$1 n=0 ended='' expect='' skip i cut=''\n"
	"    COMPREPLY=()\n"
	"    read -ra words <<<\"$line\"\n"
	"    if [[ $line != *[[:space:]] ]]; then\n"
	"        cur=${words[-1]}\n"
	"        unset 'words[-1]'\n"
	"    fi\n"
	"    value=$cur\n"
	"    if ((${#words[@]} <= 1)); then\n"
	"        _brig_by_kind commands\n"
	"        return\n"
	"    fi\n"
	"    if _brig_spec \"${words[1]} ${words[2]-}\"; then\n"
	"        skip=3\n"
	"    elif _brig_spec \"${words[1]}\"; then\n"
	"        skip=2\n"
	"    else\n"
	"        ((${#words[@]} > 2)) || _brig_group \"${words[1]}\"\n"
	"        return\n"
	"    fi\n"
	"    for word in \"${words[@]:skip}\"; do\n"
	"        if [[ $expect ]]; then\n"
	"            expect=''\n"
	"        elif [[ $ended || $word != -?* ]]; then\n"
	"            n=$((n + 1))\n"
	"            [[ ! $stop ]] || ended=1\n"
	"        elif [[ $word == -- ]]; then\n"
	"            ended=1\n"
	"        elif [[ $word == --* ]]; then\n"
	"            [[ $word == *=* ]] || { _brig_takes \"$word\" && expect=1; }\n"
	"        else\n"
	"            for ((i = 1; i < ${#word}; i++)); do\n"
	"                if _brig_takes \"-${word:i:1}\"; then\n"
	"                    ((i + 1 < ${#word})) || expect=1\n"
	"                    break\n"
	"                fi\n"
	"            done\n"
	"        fi\n"
	"    done\n"
	"    if [[ $expect ]]; then\n"
	"        _brig_by_kind \"$kind\"\n"
	"    elif [[ ! $ended && $cur == --*=* ]]; then\n"
	"        value=${cur#*=}\n"
	"        ! _brig_takes \"${cur%%=*}\" || _brig_by_kind \"$kind\"\n"
	"    elif [[ ! $ended && $cur == -* ]]; then\n"
	"        _brig_offer <<<\"${opts// /$'\\n'}\"\n"
	"    elif [[ $stop && $n -gt 0 ]]; then\n"
	"        _brig_by_kind files\n"
	"    elif ((max < 0 || n < max)); then\n"
	"        _brig_by_kind \"$pos\"\n"
	"    fi\n"
	"    # readline replaces only what follows the last \":\" or \"=\".\n"
	"    for ((i = 0; i < ${#value}; i++)); do\n"
	"        [[ ${value:i:1} != [:=] || $COMP_WORDBREAKS != *\"${value:i:1}\"* ]] || cut=${value:0:i+1}\n"
	"    done\n"
	"    COMPREPLY=(\"${COMPREPLY[@]#\"$cut\"}\")\n"
	"}\n"
	"\n"
	"complete -F _brig brig\n";

/* A kind, or a list of words, which is told from one by its commas: "always,never,". */
static void put_kind(const char *kind, struct buf *out)
{
	bool list = *kind && !docs_kind(kind);

	for (; *kind; kind++)
		buf_add(out, *kind == ' ' ? "," : kind, 1);
	if (list)
		buf_puts(out, ",");
}

static void put_spec(const json_t *c, struct buf *out)
{
	const json_t *item, *options = json_object_get(c, "options");
	size_t i;

	buf_printf(out, "    '%s'", docs_str(c, "name"));
	json_array_foreach(json_object_get(c, "aliases"), i, item)
		buf_printf(out, " | '%s'", json_string_value(item));
	buf_puts(out, ")\n        opts='--help");
	json_array_foreach(options, i, item) {
		if (!*docs_str(item, "help"))
			continue;
		buf_printf(out, " --%s", docs_str(item, "name"));
		if (*docs_str(item, "letter"))
			buf_printf(out, " -%s", docs_str(item, "letter"));
	}
	buf_puts(out, "'\n        vals='");
	json_array_foreach(options, i, item) {
		if (!*docs_str(item, "arg"))
			continue;
		buf_printf(out, " --%s=", docs_str(item, "name"));
		put_kind(docs_str(item, "complete"), out);
		if (*docs_str(item, "letter")) {
			buf_printf(out, " -%s=", docs_str(item, "letter"));
			put_kind(docs_str(item, "complete"), out);
		}
	}
	buf_puts(out, "'\n        pos='");
	put_kind(docs_str(c, "complete"), out);
	buf_printf(out, "' stop=%s max=%d\n        ;;\n",
		   json_is_true(json_object_get(c, "stop_at_first")) ? "1" : "''",
		   (int)json_integer_value(json_object_get(c, "max_args")));
}

static void put_second(const char *name, const char *group, struct buf *out)
{
	const char *rest = str_after(name, group);

	if (rest && *rest == ' ')
		buf_printf(out, "%s,", rest + 1);
}

/* The second words of all names that begin with `group`. */
static void put_group(const json_t *commands, const char *group, struct buf *out)
{
	const json_t *c, *alias;
	size_t i, k;

	buf_printf(out, "    %s) _brig_by_kind '", group);
	json_array_foreach(commands, i, c) {
		put_second(docs_str(c, "name"), group, out);
		json_array_foreach(json_object_get(c, "aliases"), k, alias)
			put_second(json_string_value(alias), group, out);
	}
	buf_puts(out, "' ;;\n");
}

static void add_first(char ***firsts, const char *name)
{
	char *word = xstrndup(name, strcspn(name, " "));

	if (strv_has(*firsts, word))
		free(word);
	else
		strv_add(firsts, word);
}

char **docs_first_words(const json_t *commands, bool groups_only)
{
	const json_t *c, *alias;
	char **firsts = NULL;
	size_t i, k;

	json_array_foreach(commands, i, c) {
		if (!groups_only || strchr(docs_str(c, "name"), ' '))
			add_first(&firsts, docs_str(c, "name"));
		json_array_foreach(json_object_get(c, "aliases"), k, alias)
			if (!groups_only || strchr(json_string_value(alias), ' '))
				add_first(&firsts, json_string_value(alias));
	}
	return firsts;
}

void docs_bash(const json_t *commands, struct buf *out)
{
	_cleanup_strv_ char **firsts = docs_first_words(commands, false), **groups = docs_first_words(commands, true);
	const json_t *c;
	size_t i;

	buf_puts(out, "# brig(1) completion -*- shell-script -*-\n\n_brig_first='help");
	strv_foreach(w, firsts)
		buf_printf(out, " %s", *w);
	buf_puts(out, "'\n\n_brig_group() {\n    case $1 in\n");
	strv_foreach(g, groups)
		put_group(commands, *g, out);
	buf_puts(out, "    esac\n}\n\n_brig_spec() {\n    case $1 in\n");
	json_array_foreach(commands, i, c)
		put_spec(c, out);
	buf_puts(out, "    help | 'help ') opts='' vals='' pos=commands stop='' max=1 ;;\n"
		      "    *) return 1 ;;\n    esac\n}\n\n");
	buf_puts(out, script);
}
