/* SPDX-License-Identifier: Apache-2.0 */
/* Options in docker's spelling (spf13/pflag): see cli_parse() in cli.h. */
#include "cli/cli.h"

#include "base/cleanup.h"

#include <string.h>

const char *cli_program = "brig";

static void *member(void *options, const struct cli_option *o)
{
	return (char *)options + o->offset;
}

static const struct cli_option *by_letter(const struct cli_command *c, char letter)
{
	for (const struct cli_option *o = c->options; o && o->name; o++)
		if (o->type != CLI_HEADING && o->letter == letter && letter)
			return o;
	return NULL;
}

static const struct cli_option *by_name(const struct cli_command *c, const char *name, size_t n)
{
	for (const struct cli_option *o = c->options; o && o->name; o++)
		if (o->type != CLI_HEADING && strlen(o->name) == n && memcmp(o->name, name, n) == 0)
			return o;
	return NULL;
}

static int parse_flag(const char *s, bool *out)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (streq(s, yes[i]) || streq(s, no[i])) {
			*out = streq(s, yes[i]);
			return 0;
		}
	}
	return -EINVAL;
}

static const char *wanted(enum cli_type type)
{
	switch (type) {
	case CLI_FLAG:
		return "true or false";
	case CLI_U64:
		return "a whole number";
	case CLI_SIZE:
		return "a size such as 64m or 1.5g";
	default:
		return "seconds, or a time such as 1m30s";
	}
}

/* `value` NULL: a flag without one. */
static int set_option(const struct cli_option *o, void *options, char *value, struct error *e)
{
	void *to = member(options, o);
	int r = 0;

	switch (o->type) {
	case CLI_FLAG:
		*(bool *)to = true;
		if (value)
			r = parse_flag(value, to);
		break;
	case CLI_STRING:
		*(char **)to = value;
		break;
	case CLI_LIST:
		strv_add_copy(to, value);
		break;
	case CLI_U64:
		r = parse_u64(value, 0, UINT64_MAX, to);
		break;
	case CLI_SIZE:
		r = parse_size(value, to);
		break;
	case CLI_SECONDS:
		r = parse_duration(value, to);
		break;
	case CLI_HEADING:
		break;
	}
	if (r < 0)
		return error_set(e, EINVAL, "invalid value \"%s\" for --%s: %s%s", value, o->name,
				 r == -ERANGE ? "too large for " : "give ", wanted(o->type));
	return 0;
}

static int unknown_long(const struct cli_command *c, const char *name, size_t n, struct error *e)
{
	_cleanup_free_ char *word = xstrndup(name, n);
	struct cli_nearest near = { .word = word };

	for (const struct cli_option *o = c->options; o && o->name; o++)
		if (o->type != CLI_HEADING && o->help)
			cli_nearest_offer(&near, o->name);
	error_set(e, EINVAL, "unknown option --%s", word);
	if (near.best)
		error_hint(e, "did you mean --%s?", near.best);
	return -EINVAL;
}

static int no_value(const struct cli_option *o, const char *spelling, struct error *e)
{
	return error_set(e, EINVAL, "option %s needs a value: %s %s", spelling, spelling, o->arg ? o->arg : "VALUE");
}

/* "--name", "--name=value". `*next` is the following argument or NULL; set to NULL when it was used. */
static int parse_long(const struct cli_command *c, char *arg, char **next, void *options, struct error *e)
{
	char *name = arg + 2, *eq = strchr(name, '=');
	size_t n = eq ? (size_t)(eq - name) : strlen(name);
	const struct cli_option *o = by_name(c, name, n);
	char *value = eq ? eq + 1 : NULL;

	if (!o && n == 4 && memcmp(name, "help", 4) == 0)
		return 1;
	if (!o)
		return unknown_long(c, name, n, e);
	if (!value && o->type != CLI_FLAG) {
		if (!*next)
			return no_value(o, arg, e);
		value = *next;
		*next = NULL;
	}
	return set_option(o, options, value, e);
}

/* "-it", "-e KEY=V", "-eKEY=V", "-e=KEY=V", "-i=false". */
static int parse_letters(const struct cli_command *c, char *arg, char **next, void *options, struct error *e)
{
	for (char *p = arg + 1; *p; p++) {
		const struct cli_option *o = by_letter(c, *p);
		char spelling[3] = { '-', *p, 0 }, *value = NULL;
		int r;

		if (!o && *p == 'h')
			return 1;
		if (!o)
			return error_set(e, EINVAL, "unknown option -%.*s%s%s", (*p & 0x80) ? 4 : 1, p,
					 arg[2] ? " in " : "", arg[2] ? arg : "");
		if (p[1] == '=')
			value = p + 2;
		else if (o->type != CLI_FLAG && p[1])
			value = p + 1;
		if (!value && o->type != CLI_FLAG) {
			if (!*next)
				return no_value(o, spelling, e);
			value = *next;
			*next = NULL;
		}
		r = set_option(o, options, value, e);
		if (r < 0 || value)
			return r;
	}
	return 0;
}

static int check_count(const struct cli_command *c, int n, struct error *e)
{
	const char *s = c->args ? c->args : "";

	if (n >= c->min_args && (c->max_args < 0 || n <= c->max_args))
		return 0;
	if (c->max_args == 0)
		error_set(e, EINVAL, "\"%s %s\" takes no arguments", cli_program, c->name);
	else if (c->min_args == c->max_args)
		error_set(e, EINVAL, "\"%s %s\" takes %d argument%s, not %d", cli_program, c->name, c->min_args,
			  c->min_args == 1 ? "" : "s", n);
	else if (n < c->min_args)
		error_set(e, EINVAL, "\"%s %s\" needs at least %d argument%s", cli_program, c->name, c->min_args,
			  c->min_args == 1 ? "" : "s");
	else
		error_set(e, EINVAL, "\"%s %s\" takes at most %d argument%s, not %d", cli_program, c->name, c->max_args,
			  c->max_args == 1 ? "" : "s", n);
	error_hint(e, "usage: %s %s %s", cli_program, c->name, s);
	return -EINVAL;
}

int cli_parse(const struct cli_command *c, int argc, char **argv, void *options, char ***args, struct error *e)
{
	_cleanup_free_ char **rest = xcalloc((size_t)argc + 1, sizeof(char *));
	int n = 0, r;
	bool ended = false;

	for (int i = 0; i < argc; i++) {
		char *arg = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL, *had = next;

		if (ended || arg[0] != '-' || !arg[1]) {
			rest[n++] = arg;
			ended = ended || c->stop_at_first;
			continue;
		}
		if (streq(arg, "--")) {
			ended = true;
			continue;
		}
		r = arg[1] == '-' ? parse_long(c, arg, &next, options, e) :
				    parse_letters(c, arg, &next, options, e);
		if (r != 0)
			return r;
		if (had && !next)
			i++;
	}
	r = check_count(c, n, e);
	if (r < 0)
		return r;
	*args = steal_ptr(&rest);
	return 0;
}

void cli_options_free(const struct cli_command *c, void *options)
{
	for (const struct cli_option *o = c->options; o && o->name; o++) {
		if (o->type == CLI_LIST) {
			char ***list = member(options, o);

			strv_free(*list);
			*list = NULL;
		}
	}
}
