/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "cli/cli.h"

struct opts {
	bool interactive, tty, rm;
	char *name, **env;
	uint64_t pids, memory, timeout;
};

static const struct cli_option table[] = {
	CLI_HEAD("Process"),
	CLI_OPT(struct opts, interactive, "interactive", 'i', CLI_FLAG, NULL, "keep stdin open", NULL),
	CLI_OPT(struct opts, tty, "tty", 't', CLI_FLAG, NULL, "terminal", NULL),
	CLI_OPT(struct opts, rm, "rm", 0, CLI_FLAG, NULL, "remove", NULL),
	CLI_OPT(struct opts, name, "name", 'n', CLI_STRING, "NAME", "name", NULL),
	CLI_OPT(struct opts, env, "env", 'e', CLI_LIST, "KEY=VALUE", "environment", NULL),
	CLI_OPT(struct opts, pids, "pids-limit", 0, CLI_U64, "N", "tasks", NULL),
	CLI_OPT(struct opts, memory, "memory", 'm', CLI_SIZE, "SIZE", "memory", NULL),
	CLI_OPT(struct opts, timeout, "timeout", 0, CLI_SECONDS, "TIME", "time", NULL),
	CLI_END,
};

static const struct cli_command run_like = {
	.name = "run", .args = "[OPTIONS] IMAGE [COMMAND] [ARG...]", .options = table,
	.options_size = sizeof(struct opts), .min_args = 1, .max_args = -1, .stop_at_first = true,
};
static const struct cli_command ps_like = {
	.name = "ps", .options = table, .options_size = sizeof(struct opts), .min_args = 0, .max_args = 1,
};

/* Parses a NULL-terminated line; the number of positionals, or what cli_parse gave when that is not 0. */
static int parse(const struct cli_command *c, struct opts *o, char ***args, struct error *e, ...)
{
	char *argv[20];
	int n = 0, r;
	va_list ap;

	va_start(ap, e);
	while ((argv[n] = va_arg(ap, char *)))
		n++;
	va_end(ap);
	*o = (struct opts){ 0 };
	*e = (struct error){ 0 };
	*args = NULL;
	r = cli_parse(c, n, argv, o, args, e);
	return r == 0 ? (int)strv_len(*args) : r == 1 ? 1000 : r;
}

static void done(const struct cli_command *c, struct opts *o, char ***args)
{
	cli_options_free(c, o);
	free(*args);
	*args = NULL;
}

static void spellings(void **state)
{
	struct error e;
	struct opts o;
	char **args;

	(void)state;
	assert_int_equal(parse(&run_like, &o, &args, &e, "-it", "--rm", "-e", "A=1", "-eB=2", "-e=C=3", "--env",
			       "D=4", "--env=E=", "--name=x", "--name", "y", "img", "sh", "-c", "--", "--rm=false",
			       NULL), 5);
	assert_true(o.interactive && o.tty && o.rm);
	assert_string_equal(o.name, "y");
	assert_int_equal(strv_len(o.env), 5);
	assert_string_equal(o.env[0], "A=1");
	assert_string_equal(o.env[1], "B=2");
	assert_string_equal(o.env[2], "C=3");
	assert_string_equal(o.env[3], "D=4");
	assert_string_equal(o.env[4], "E=");
	assert_string_equal(args[0], "img");
	assert_string_equal(args[2], "-c");
	assert_string_equal(args[3], "--");
	done(&run_like, &o, &args);

	assert_int_equal(parse(&run_like, &o, &args, &e, "-itnweb", "--rm=false", "--rm=true", "--rm=0", "-m64m",
			       "--pids-limit", "7", "--timeout", "1m30s", "-", NULL), 1);
	assert_true(o.interactive && o.tty && !o.rm);
	assert_string_equal(o.name, "web");
	assert_true(o.memory == 64 << 20 && o.pids == 7 && o.timeout == 90000000000ULL);
	assert_string_equal(args[0], "-");
	done(&run_like, &o, &args);

	/* Without stop_at_first options may follow; "--" ends them; a value may look like an option. */
	assert_int_equal(parse(&ps_like, &o, &args, &e, "x", "--rm", "--name", "--tty", NULL), 1);
	assert_true(o.rm && !o.tty);
	assert_string_equal(o.name, "--tty");
	done(&ps_like, &o, &args);
	assert_int_equal(parse(&ps_like, &o, &args, &e, "--", "--rm", NULL), 1);
	assert_true(!o.rm);
	assert_string_equal(args[0], "--rm");
	done(&ps_like, &o, &args);
	assert_int_equal(parse(&run_like, &o, &args, &e, "--", "img", "--", "x", NULL), 3);
	done(&run_like, &o, &args);
	assert_int_equal(parse(&ps_like, &o, &args, &e, "-i=false", "--name=", NULL), 0);
	assert_true(!o.interactive && o.name && !*o.name);
	done(&ps_like, &o, &args);
}

static void help_asked(void **state)
{
	struct error e;
	struct opts o;
	char **args;

	(void)state;
	assert_int_equal(parse(&run_like, &o, &args, &e, "--rm", "--help", "x", NULL), 1000);
	assert_int_equal(parse(&run_like, &o, &args, &e, "-h", NULL), 1000);
	assert_int_equal(parse(&ps_like, &o, &args, &e, "a", "--help", NULL), 1000);
	assert_int_equal(parse(&run_like, &o, &args, &e, "img", "--help", NULL), 2);
	done(&run_like, &o, &args);
}

static void says(const char *part, struct error *e)
{
	if (!strstr(e->text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, e->text);
}

static void errors(void **state)
{
	struct error e;
	struct opts o;
	char **args;

	(void)state;
	assert_int_equal(parse(&run_like, &o, &args, &e, "--evn", "x", NULL), -EINVAL);
	says("unknown option --evn", &e);
	says("did you mean --env?", &e);
	assert_int_equal(parse(&run_like, &o, &args, &e, "--zzzzzzz=1", NULL), -EINVAL);
	says("unknown option --zzzzzzz", &e);
	assert_null(strstr(e.text, "did you mean"));
	assert_int_equal(parse(&run_like, &o, &args, &e, "-iz", NULL), -EINVAL);
	says("-z in -iz", &e);
	assert_int_equal(parse(&run_like, &o, &args, &e, "img", NULL), 1);
	done(&run_like, &o, &args);
	assert_int_equal(parse(&run_like, &o, &args, &e, "--name", NULL), -EINVAL);
	says("--name NAME", &e);
	assert_int_equal(parse(&run_like, &o, &args, &e, "-it", "-n", NULL), -EINVAL);
	says("-n NAME", &e);
	assert_int_equal(parse(&run_like, &o, &args, &e, "--memory", "12q", NULL), -EINVAL);
	says("\"12q\"", &e);
	says("--memory", &e);
	assert_int_equal(parse(&run_like, &o, &args, &e, "--pids-limit=-1", "img", NULL), -EINVAL);
	assert_int_equal(parse(&run_like, &o, &args, &e, "--pids-limit=", "img", NULL), -EINVAL);
	assert_int_equal(parse(&run_like, &o, &args, &e, "--pids-limit=18446744073709551616", NULL), -EINVAL);
	says("too large", &e);
	assert_int_equal(parse(&run_like, &o, &args, &e, "--rm=maybe", NULL), -EINVAL);
	says("true or false", &e);
	/* The heading is no option. */
	assert_int_equal(parse(&run_like, &o, &args, &e, "--=x", "img", NULL), -EINVAL);
	assert_int_equal(parse(&run_like, &o, &args, &e, NULL), -EINVAL);
	says("at least 1 argument", &e);
	says("usage: brig run", &e);
	assert_int_equal(parse(&ps_like, &o, &args, &e, "a", "b", NULL), -EINVAL);
	says("at most 1 argument", &e);
	/* What was taken before the error is given back. */
	assert_int_equal(parse(&run_like, &o, &args, &e, "-e", "A=1", "--bad", NULL), -EINVAL);
	cli_options_free(&run_like, &o);
	assert_null(o.env);
}

static void nearest(void **state)
{
	static const struct {
		const char *word, *candidates[4], *best;
	} cases[] = {
		{ "isnpect", { "inspect", "import" }, "inspect" }, { "rmu", { "run", "rmi", "rm" }, "rmi" },
		{ "xyz", { "run", "rmi" }, NULL },		   { "insp", { "ps", "inspect" }, "inspect" },
		{ "", { "run" }, NULL },			   { "psx", { "ps", "rm" }, "ps" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cli_nearest n = { .word = cases[i].word };

		for (const char *const *c = cases[i].candidates; *c; c++)
			cli_nearest_offer(&n, *c);
		if (cases[i].best)
			assert_string_equal(n.best ? n.best : "(none)", cases[i].best);
		else
			assert_null(n.best);
	}
}

static void names(void **state)
{
	static const struct cli_command c = { .name = "ps", .aliases = "container ls|container list" };

	(void)state;
	assert_true(cli_named(&c, "ps"));
	assert_true(cli_named(&c, "container ls"));
	assert_true(cli_named(&c, "container list"));
	assert_false(cli_named(&c, "container"));
	assert_false(cli_named(&c, "container l"));
	assert_false(cli_named(&c, "list"));
	assert_false(cli_named(&c, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spellings), cmocka_unit_test(help_asked), cmocka_unit_test(errors),
		cmocka_unit_test(nearest),   cmocka_unit_test(names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
