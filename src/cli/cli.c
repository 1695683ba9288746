/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/proc.h"

#include <fcntl.h>
#include <string.h>

const struct cli_command *const *cli_commands;

static const struct cli_command *find(const struct cli_command *const *commands, const char *name)
{
	for (; *commands; commands++)
		if (cli_named(*commands, name))
			return *commands;
	return NULL;
}

/* True when `word` is the first of a two-word name or alias. */
static bool is_group(const struct cli_command *const *commands, const char *word)
{
	size_t n = strlen(word);

	for (; *commands; commands++) {
		const char *s = (*commands)->aliases;

		if (str_after((*commands)->name, word) && (*commands)->name[n] == ' ')
			return true;
		for (; s; s = strchr(s, '|') ? strchr(s, '|') + 1 : NULL)
			if (str_after(s, word) && s[n] == ' ')
				return true;
	}
	return false;
}

static int unknown_command(const struct cli_command *const *commands, const char *name, struct error *e)
{
	struct cli_nearest near = { .word = name };
	_cleanup_strv_ char **aliases = NULL;

	for (; *commands; commands++) {
		_cleanup_strv_ char **more = NULL;

		if ((*commands)->hidden)
			continue;
		cli_nearest_offer(&near, (*commands)->name);
		more = (*commands)->aliases ? strv_split((*commands)->aliases, '|') : NULL;
		strv_foreach(a, more) {
			strv_add_copy(&aliases, *a);
			cli_nearest_offer(&near, aliases[strv_len(aliases) - 1]);
		}
	}
	error_set(e, EINVAL, "there is no command \"%s\"", name);
	if (near.best)
		error_hint(e, "did you mean brig %s?", near.best);
	error_hint(e, "see brig --help");
	return -EINVAL;
}

/* The command that argv[1] (and argv[2]) name; *used is how many words. NULL: help was printed, or `e` is filled. */
static const struct cli_command *resolve(const struct cli_command *const *commands, int argc, char **argv, int *used,
					 struct error *e)
{
	_cleanup_free_ char *two = argc > 2 ? xasprintf("%s %s", argv[1], argv[2]) : NULL;
	const struct cli_command *c = two ? find(commands, two) : NULL;
	bool group;

	*used = 2;
	if (c)
		return c;
	*used = 1;
	c = find(commands, argv[1]);
	if (c)
		return c;
	group = is_group(commands, argv[1]);
	if (group && (!two || streq(argv[2], "--help") || streq(argv[2], "-h")))
		cli_help_group(commands, argv[1], 0);
	else
		unknown_command(commands, group ? two : argv[1], e);
	return NULL;
}

static int run_external(const struct cli_command *c, char **argv, struct error *e)
{
	_cleanup_free_ char *path = xasprintf("%s%s", proc_libexec(), c->program);

	fflush(stdout);
	execv(path, argv);
	error_errno(e, errno, "\"brig %s\" needs %s", c->name, path);
	error_hint(e, "install brig as a whole, or set the program's mode to 0755");
	return e->code;
}

static int run_here(const struct cli_command *c, int argc, char **argv, struct error *e)
{
	_cleanup_free_ void *options = xcalloc(1, c->options_size);
	_cleanup_free_ char **args = NULL;
	int r;

	if (c->defaults)
		c->defaults(options);
	r = cli_parse(c, argc, argv, options, &args, e);
	if (r > 0) {
		cli_help_command(c, 0);
		r = 0;
	} else if (r < 0) {
		error_hint(e, "see brig %s --help", c->name);
	} else {
		r = c->run(options, (int)strv_len(args), args, e);
		/* Nobody but the command itself knows whether a negative result has been told. */
		if (r < 0 && e->code == 0)
			error_errno(e, r, "brig %s", c->name);
	}
	cli_options_free(c, options);
	return r;
}

static int help(const struct cli_command *const *commands, int argc, char **argv, struct error *e)
{
	_cleanup_free_ char *two = NULL;
	const struct cli_command *c;
	int used;

	if (argc < 3 || (argc == 3 && streq(argv[2], "help"))) {
		cli_help_all(commands, 0);
		return 0;
	}
	/* What is no command has help as well: "help walls". */
	two = xasprintf("help %s", argv[2]);
	c = find(commands, two);
	if (c)
		return run_here(c, argc - 3, argv + 3, e);
	c = resolve(commands, argc - 1, argv + 1, &used, e);
	if (!c)
		return e->code;
	if (c->program) {
		char *words[5] = { argv[0], argv[2], argv[3] };

		words[1 + used] = (char[]){ "--help" };
		return run_external(c, words, e);
	}
	cli_help_command(c, 0);
	return 0;
}

static int dispatch(const struct cli_command *const *commands, int argc, char **argv, struct error *e)
{
	const struct cli_command *c;
	int used;

	if (argc < 2 || streq(argv[1], "--help") || streq(argv[1], "-h")) {
		cli_help_all(commands, 0);
		return 0;
	}
	if (streq(argv[1], "help"))
		return help(commands, argc, argv, e);
	if (streq(argv[1], "__describe")) {
		cli_describe(commands);
		return 0;
	}
	if (streq(argv[1], "--version") || streq(argv[1], "-v")) {
		printf("brig version " BRIG_VERSION "\n");
		return 0;
	}
	if (argv[1][0] == '-') {
		error_set(e, EINVAL, "unknown option %s before the command", argv[1]);
		error_hint(e, "see brig --help");
		return e->code;
	}
	c = resolve(commands, argc, argv, &used, e);
	if (!c)
		return e->code;
	if (c->program)
		return run_external(c, argv, e);
	return run_here(c, argc - 1 - used, argv + 1 + used, e);
}

/* A caller may have closed one of the three; a file opened later must not become somebody's stdout. */
static void open_stdio(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
}

int cli_main(const struct cli_command *const *commands, int argc, char **argv)
{
	struct error e = { 0 };
	int r;

	open_stdio();
	cli_commands = commands;
	r = dispatch(commands, argc, argv, &e);
	if (r < 0)
		return cli_fail(&e);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		error_errno(&e, errno ? errno : EIO, "cannot write to standard output");
		return cli_fail(&e);
	}
	return r;
}
