/* SPDX-License-Identifier: Apache-2.0 */
/* `brig trust pin`, `unpin`, `show`, `test` */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/trust_offer.h"
#include "engine/events.h"
#include "image/name.h"
#include "image/reference.h"
#include "trust/policy.h"
#include "trust/trust.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct cli_option no_options[] = { CLI_END };

/* --- pin ---------------------------------------------------------------------------------------------------------- */

struct pin_options {
	bool replace, yes;
};

static const struct cli_option pin_options[] = {
	CLI_OPT(struct pin_options, replace, "replace", 0, CLI_FLAG, NULL, "the name may be pinned to another digest", NULL),
	CLI_OPT(struct pin_options, yes, "yes", 'y', CLI_FLAG, NULL, "do not ask: what is here is pinned, whatever is found in it", NULL),
	CLI_END,
};

/* NAME@sha256:HEX says all: nothing needs to be here, and nobody is asked. */
static int pin_explicit(const char *arg, bool replace, struct error *e)
{
	_cleanup_reference_ struct reference ref = { 0 };
	_cleanup_free_ char *name = NULL;
	int r = reference_parse(arg, &ref, e);

	if (r < 0)
		return r;
	name = reference_name(&ref);
	if (!name)
		name = xasprintf("%s/%s", ref.host, ref.path);
	r = trust_pin(name, ref.digest, replace, e);
	if (r == 0)
		printf("%s is pinned to sha256:%s\n", name, ref.digest);
	return r;
}

static int pin_asked(const char *arg, const struct pin_options *o, struct error *e)
{
	_cleanup_free_ char *pulled_name = NULL;
	const char *hex, *name;
	struct image img;
	int r = image_find(arg, &img, e);

	if (r < 0)
		return r;
	hex = reference_pulled_digest(img.pulled, &pulled_name);
	name = pulled_name ? pulled_name : img.name;
	if (!hex)
		hex = img.manifest;
	if (!name) {
		r = error_set(e, EINVAL, "%s has no name that could be pinned", arg);
	} else if (!o->yes && (!isatty(0) || !isatty(2))) {
		r = error_set(e, ENOTTY, "there is no terminal to ask on");
		error_hint(e, "say it whole: brig trust pin %s@sha256:%s", name, hex);
		error_hint(e, "or pin what is here unasked: brig trust pin --yes %s", arg);
	} else if (o->yes ? (trust_tell(&img, name, hex), false) : !trust_ask(&img, name, hex)) {
		r = error_set(e, ECANCELED, "%s was not pinned", name);
	} else {
		r = trust_pin(name, hex, o->replace, e);
		if (r == 0)
			printf("%s is pinned to sha256:%s\n", name, hex);
	}
	image_free(&img);
	return r;
}

static int pin(void *options_, int argc, char **argv, struct error *e)
{
	const struct pin_options *o = options_;

	(void)argc;
	return strchr(argv[0], '@') ? pin_explicit(argv[0], o->replace, e) : pin_asked(argv[0], o, e);
}

const struct cli_command cmd_trust_pin = {
	.name = "trust pin",
	.group = "Images",
	.args = "[OPTIONS] NAME[@sha256:DIGEST]",
	.summary = "trust exactly these bytes under this name",
	.description = "An image that came from a registry runs only when somebody has pinned the digest of its name. Without a digest the "
		       "image must be here: what is known of it and what brig vet finds in it is shown, and a terminal asked; --yes asks nobody. From then on the name means this digest, "
		       "in pull as in run: when a registry sends another one, brig says so and stops.",
	.options = pin_options,
	.options_size = sizeof(struct pin_options),
	.min_args = 1,
	.max_args = 1,
	.complete = "images",
	.run = pin,
};

/* --- unpin -------------------------------------------------------------------------------------------------------- */

static int unpin(void *options_, int argc, char **argv, struct error *e)
{
	_cleanup_reference_ struct reference ref = { 0 };
	_cleanup_(pins_free) struct pins pins = { 0 };
	_cleanup_free_ char *name = NULL;
	int r = pins_read(&pins, e);

	(void)options_;
	(void)argc;
	if (r < 0)
		return r;
	if (pins_find(&pins, argv[0]))
		name = xstrdup(argv[0]);
	else if (reference_parse(argv[0], &ref, NULL) == 0)
		name = reference_name(&ref);
	if (!name)
		return error_set(e, ENOENT, "%s is not pinned", argv[0]);
	event_record("image", name, name, "trust_unpin", NULL, 0, NULL);
	r = pin_remove(name, e);
	if (r == 0)
		printf("%s is not pinned any more\n", name);
	return r;
}

const struct cli_command cmd_trust_unpin = {
	.name = "trust unpin",
	.group = "Images",
	.args = "NAME",
	.summary = "forget the digest of a name",
	.description = "What came from a registry under that name does not start any more; containers that run are not ended.",
	.options = no_options,
	.options_size = 1,
	.min_args = 1,
	.max_args = 1,
	.run = unpin,
};

/* --- show --------------------------------------------------------------------------------------------------------- */

struct show_options {
	char *format;
};

static const struct cli_option show_options[] = {
	CLI_OPT(struct show_options, format, "format", 'f', CLI_STRING, "TEMPLATE", "print by a Go template, or \"json\"", "json"),
	CLI_END,
};

static void add_row(json_t *rows, const char *scope, const char *by, const char *from)
{
	json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:s,s:s}", "Name", scope, "Digest", "", "Pinned", "", "By", by, "From", from));
}

static void add_requirements(json_t *rows, const char *scope, const struct requirements *r, const char *from)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct requirement *q = &r->list[i];
		_cleanup_free_ char *words = require_words(q);

		add_row(rows, scope, q->type == REQUIRE_ACCEPT ? "anybody" : q->type == REQUIRE_REJECT ? "nobody" : words, from);
	}
}

/* What extras say beside whom. */
static void add_limits(json_t *rows, const struct extra_entry *x)
{
	_cleanup_buf_ struct buf b = { 0 };
	char when[40];

	if (x->threshold)
		buf_printf(&b, "%llu different signers; ", (unsigned long long)x->threshold);
	if (x->expiry_s)
		buf_printf(&b, "not older than %lld s; ", (long long)x->expiry_s);
	if (x->not_before) {
		clock_format((uint64_t)x->not_before * 1000000000, when);
		buf_printf(&b, "since %s; ", when);
	}
	if (x->minimum_version)
		buf_printf(&b, "version %s up; ", x->minimum_version);
	if (x->no_pins)
		buf_puts(&b, "pins do not do; ");
	if (b.len) {
		b.data[b.len - 2] = 0;
		add_row(rows, x->scope, b.data, "trust.json");
	}
}

static int add_policy(json_t *rows, struct error *e)
{
	_cleanup_(policy_free) struct policy p = { 0 };
	int r = policy_load(&p, e);

	for (size_t i = 0; r == 0 && i < p.n; i++)
		add_requirements(rows, !p.entries[i].scope ? "(default)" : *p.entries[i].scope ? p.entries[i].scope : "(any)",
				 &p.entries[i].require, p.path);
	for (size_t i = 0; r == 0 && i < p.n_extras; i++) {
		add_requirements(rows, p.extras[i].scope, &p.extras[i].require, "trust.json");
		add_limits(rows, &p.extras[i]);
	}
	return r;
}

static int show(void *options_, int argc, char **argv, struct error *e)
{
	static const struct cli_column columns[] = {
		{ "Name", "NAME", true }, { "Digest", "DIGEST", true }, { "Pinned", "PINNED", true }, { "By", "BY", true },
		{ "From", "FROM", true }, { 0 },
	};
	const struct show_options *o = options_;
	_cleanup_(pins_free) struct pins pins = { 0 };
	_cleanup_json_ json_t *rows = json_array();
	int r = pins_read(&pins, e);

	(void)argc;
	(void)argv;
	if (r < 0)
		return r;
	for (size_t i = 0; i < pins.n; i++) {
		_cleanup_free_ char *digest = xasprintf("sha256:%s", pins.list[i].digest);
		char when[40];

		clock_format(pins.list[i].pinned_ns, when);
		json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:s,s:s}", "Name", pins.list[i].name, "Digest", digest, "Pinned", when, "By",
						      "a person", "From", "pins.json"));
	}
	r = add_policy(rows, e);
	return r < 0 ? r : cli_list(o->format, columns, rows, e);
}

const struct cli_command cmd_trust_show = {
	.name = "trust show",
	.group = "Images",
	.args = "[OPTIONS]",
	.summary = "list what is pinned, and whose signatures count for what",
	.description = "BY says who must have signed the images of a scope; PINNED when a name was pinned to DIGEST, FROM the file. An entry that "
		       "accepts anything counts only under a scope of its own.",
	.options = show_options,
	.options_size = sizeof(struct show_options),
	.max_args = 0,
	.run = show,
};

/* --- test --------------------------------------------------------------------------------------------------------- */

static json_t *test_row(const char *image, const struct trust_answer *a)
{
	return json_pack("{s:s,s:b,s:s,s:b,s:s,s:s}", "Image", image, "Runs", a->allowed, "Basis", trust_basis_name(a->basis), "Moved",
			 a->moved, "Reason", a->reason, "Command", a->command);
}

static int test_one(const char *arg, struct trust_answer *a, struct error *e)
{
	struct image img;
	int r = image_find(arg, &img, e);

	if (r < 0)
		return r;
	struct trust_question q = { .name = img.name, .manifest = img.manifest, .pulled = img.pulled, .local = img.local };
	r = trust_check(&q, a, e);
	image_free(&img);
	return r == -EKEYREJECTED ? 0 : r;
}

static int test(void *options_, int argc, char **argv, struct error *e)
{
	static const struct cli_column columns[] = { { "Image", "IMAGE", true }, { "Runs", "RUNS", true }, { "Basis", "BASIS", true },
						     { "Reason", "REASON", true }, { 0 } };
	const struct show_options *o = options_;
	_cleanup_json_ json_t *rows = json_array();
	int refused = 0, r;

	for (int i = 0; i < argc; i++) {
		struct trust_answer a = { 0 };

		r = test_one(argv[i], &a, e);
		if (r < 0)
			return r;
		refused |= !a.allowed;
		if (o->format) {
			json_array_append_new(rows, test_row(argv[i], &a));
			continue;
		}
		_cleanup_free_ char *shown = str_escape(argv[i]), *reason = str_escape(a.reason);
		printf("%s: %s: %s\n", shown, a.allowed ? "runs" : "does not run", reason);
		if (!a.allowed && a.command[0])
			printf("  %s\n", a.command);
	}
	r = o->format ? cli_list(o->format, columns, rows, e) : 0;
	return r < 0 ? r : refused;
}

const struct cli_command cmd_trust_test = {
	.name = "trust test",
	.group = "Images",
	.args = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "say whether an image would run, and why",
	.description = "Exit code 0 when all would, 1 when one would not.",
	.options = show_options,
	.options_size = sizeof(struct show_options),
	.min_args = 1,
	.max_args = -1,
	.complete = "images",
	.run = test,
};
