/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of volumes. */
#include "cli/cli.h"
#include "cli/show.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "engine/envfile.h"
#include "engine/volume.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* --- create ------------------------------------------------------------------------------------------------------- */

struct create {
	char *driver, *name;
	char **label, **opt;
};

static const struct cli_option create_options[] = {
	CLI_OPT(struct create, label, "label", 0, CLI_LIST, "KEY=VALUE", "label it", NULL),
	CLI_OPT(struct create, name, "name", 0, CLI_STRING, "NAME", NULL, NULL),
	CLI_OPT(struct create, driver, "driver", 'd', CLI_STRING, "DRIVER", NULL, NULL),
	CLI_OPT(struct create, opt, "opt", 'o', CLI_LIST, "KEY=VALUE", NULL, NULL),
	CLI_END,
};

static int create(void *opts, int argc, char **argv, struct error *e)
{
	const struct create *o = opts;
	_cleanup_strv_ char **labels = NULL;
	_cleanup_free_ char *random = NULL;
	const char *name = argc > 0 ? argv[0] : o->name;
	int r = 0;

	if (o->driver && !streq(o->driver, "local"))
		return error_set(e, EINVAL, "--driver %s: volumes are local folders", o->driver);
	if (o->opt) {
		error_set(e, EINVAL, "--opt %s: volumes are plain folders without options", o->opt[0]);
		error_hint(e, "mount what you need on the host and bind it: -v /PATH:TARGET; a folder in memory is --tmpfs TARGET");
		return -EINVAL;
	}
	if (argc > 0 && o->name)
		return error_set(e, EINVAL, "the name is given twice");
	strv_foreach(l, o->label)
		if (r == 0)
			r = env_argument(&labels, *l, true, e) < 0 ? error_wrap(e, "--label") : 0;
	if (r < 0)
		return r;
	if (!name) {
		name = random = volume_random_name();
		if (!name)
			return error_errno(e, errno, "no random bytes");
	}
	r = volume_create(name, labels, !!random, NULL, e);
	if (r == 0)
		printf("%s\n", name);
	return r;
}

const struct cli_command cmd_volume_create = {
	.name = "volume create",
	.group = "Volumes",
	.args = "[OPTIONS] [VOLUME]",
	.summary = "make a volume, a folder that outlives containers",
	.description = "Prints its name; one that is there already stays as it is. `brig run -v NAME:TARGET` makes a volume by "
		       "itself where it is missing.",
	.options = create_options,
	.options_size = sizeof(struct create),
	.max_args = 1,
	.run = create,
};

/* --- ls and inspect ----------------------------------------------------------------------------------------------- */

static json_t *labels_json(const struct volume *v)
{
	json_t *obj = json_object();

	strv_foreach(l, v->labels) {
		const char *eq = strchr(*l, '=');

		if (eq) {
			_cleanup_free_ char *key = xstrndup(*l, (size_t)(eq - *l));

			json_object_set_new(obj, key, json_string(eq + 1));
		}
	}
	return obj;
}

json_t *show_volume(const struct volume *v)
{
	_cleanup_free_ char *path = volume_path(v->name);
	char created[40];

	clock_format(v->created_ns, created);
	return json_pack("{s:s, s:s, s:o, s:s, s:s, s:n, s:s, s:b, s:s}", "CreatedAt", created, "Driver", "local", "Labels",
			 labels_json(v), "Mountpoint", path, "Name", v->name, "Options", "Scope", "local", "Anonymous",
			 (int)v->anonymous, "UsedBy", v->used_by);
}

struct filter {
	char **names, **labels;
	int dangling; /* -1: does not matter */
};

static int parse_filter(char *const *args, struct filter *f, struct error *e)
{
	f->dangling = -1;
	strv_foreach(a, args) {
		const char *name = str_after(*a, "name="), *label = str_after(*a, "label="), *d = str_after(*a, "dangling=");

		if (name)
			strv_add_copy(&f->names, name);
		else if (label)
			strv_add_copy(&f->labels, label);
		else if (d && (streq(d, "true") || streq(d, "1")))
			f->dangling = 1;
		else if (d && (streq(d, "false") || streq(d, "0")))
			f->dangling = 0;
		else if (!streq(*a, "driver=local"))
			return error_set(e, EINVAL, "--filter %s: give name=, label=, dangling=true or dangling=false", *a);
	}
	return 0;
}

static void filter_free(struct filter *f)
{
	strv_free(f->names);
	strv_free(f->labels);
}

static bool has_label(const struct volume *v, const char *want)
{
	size_t n = strcspn(want, "=");

	strv_foreach(l, v->labels)
		if (want[n] ? streq(*l, want) : strncmp(*l, want, n) == 0 && (*l)[n] == '=')
			return true;
	return false;
}

static bool fits(const struct filter *f, const struct volume *v)
{
	bool named = !f->names;

	strv_foreach(n, f->names)
		named = named || strstr(v->name, *n);
	strv_foreach(l, f->labels)
		if (!has_label(v, *l))
			return false;
	if (named && f->dangling >= 0) {
		_cleanup_strv_ char **users = NULL;

		if (volume_users(v->name, &users, NULL) < 0)
			return false;
		return f->dangling == !users;
	}
	return named;
}

struct ls {
	bool quiet;
	char *format;
	char **filter;
};

static const struct cli_option ls_options[] = {
	CLI_OPT(struct ls, quiet, "quiet", 'q', CLI_FLAG, NULL, "names only", NULL),
	CLI_OPT(struct ls, filter, "filter", 'f', CLI_LIST, "KEY=VALUE", "only those that fit: name=, label=, dangling=",
		"name= label= dangling=true dangling=false"),
	CLI_OPT(struct ls, format, "format", 0, CLI_STRING, "TEMPLATE", "print each by a Go template, or json", "json table"),
	CLI_END,
};

static json_t *ls_row(const struct volume *v)
{
	json_t *row = show_volume(v), *labels = json_incref(json_object_get(row, "Labels"));
	_cleanup_buf_ struct buf text = { 0 };

	strv_foreach(l, v->labels)
		buf_printf(&text, "%s%s", text.len ? "," : "", *l);
	json_object_set_new(row, ".Label", labels);
	json_object_set_new(row, "Labels", json_string(text.data ? text.data : ""));
	json_object_del(row, "Options");
	return row;
}

static int list(void *opts, int argc, char **argv, struct error *e)
{
	static const struct cli_column columns[] = {
		{ "Driver", "DRIVER", true },	  { "Name", "VOLUME NAME", true }, { "Scope", "SCOPE", false },
		{ "Mountpoint", "MOUNTPOINT", false }, { "Labels", "LABELS", false },   { "CreatedAt", "CREATED AT", false },
		{ "UsedBy", "USED BY", false },	  { NULL, NULL, false },
	};
	const struct ls *o = opts;
	_cleanup_(filter_free) struct filter f = { 0 };
	_cleanup_strv_ char **notes = NULL;
	_cleanup_json_ json_t *rows = json_array();
	struct volume *all = NULL;
	size_t n = 0;
	int r = parse_filter(o->filter, &f, e);

	(void)argc;
	(void)argv;
	if (r == 0)
		r = volume_list(&all, &n, &notes, e);
	strv_foreach(w, notes)
		cli_warn("%s", *w);
	for (size_t i = 0; i < n; i++) {
		if (fits(&f, &all[i]))
			json_array_append_new(rows, ls_row(&all[i]));
		volume_free(&all[i]);
	}
	free(all);
	if (r < 0)
		return r;
	return cli_list(o->quiet ? "{{.Name}}" : o->format, columns, rows, e);
}

const struct cli_command cmd_volume_ls = {
	.name = "volume ls",
	.aliases = "volume list",
	.group = "Volumes",
	.args = "[OPTIONS]",
	.summary = "list volumes",
	.options = ls_options,
	.options_size = sizeof(struct ls),
	.run = list,
};

struct inspect {
	char *format;
};

static const struct cli_option inspect_options[] = {
	CLI_OPT(struct inspect, format, "format", 'f', CLI_STRING, "TEMPLATE", "print by a Go template, or json", "json"),
	CLI_END,
};

static int inspect(void *opts, int argc, char **argv, struct error *e)
{
	const struct inspect *o = opts;
	_cleanup_json_ json_t *all = json_array();
	int result = 0;

	(void)argc;
	strv_foreach(name, argv) {
		struct volume v;
		int r = volume_find(*name, &v, e);

		if (r < 0) {
			result = r;
			continue;
		}
		_cleanup_json_ json_t *doc = show_volume(&v);
		volume_free(&v);
		if (o->format) {
			r = cli_print_format(o->format, doc, e);
			if (r < 0)
				return r;
		}
		json_array_append(all, doc);
	}
	if (!o->format)
		cli_print_json(all, 4);
	if (result < 0)
		e->exit = 1;
	return result;
}

const struct cli_command cmd_volume_inspect = {
	.name = "volume inspect",
	.group = "Volumes",
	.args = "[OPTIONS] VOLUME [VOLUME...]",
	.summary = "show all that is known of volumes",
	.options = inspect_options,
	.options_size = sizeof(struct inspect),
	.min_args = 1,
	.max_args = -1,
	.complete = "volumes",
	.run = inspect,
};

/* --- rm and prune ------------------------------------------------------------------------------------------------- */

struct rm {
	bool force;
};

static const struct cli_option rm_options[] = {
	CLI_OPT(struct rm, force, "force", 'f', CLI_FLAG, NULL, "one that is not there is fine", NULL),
	CLI_END,
};

static int rm(void *opts, int argc, char **argv, struct error *e)
{
	const struct rm *o = opts;
	int result = 0;

	(void)argc;
	(void)e;
	strv_foreach(name, argv) {
		struct error why = { 0 };
		int r = volume_remove(*name, &why);

		if (r == -ENOENT && o->force)
			continue;
		if (r < 0) {
			fflush(stdout);
			cli_fail(&why);
			result = 1;
		} else {
			printf("%s\n", *name);
		}
	}
	return result;
}

const struct cli_command cmd_volume_rm = {
	.name = "volume rm",
	.aliases = "volume remove",
	.group = "Volumes",
	.args = "[OPTIONS] VOLUME [VOLUME...]",
	.summary = "remove volumes that no container has",
	.options = rm_options,
	.options_size = sizeof(struct rm),
	.min_args = 1,
	.max_args = -1,
	.complete = "volumes",
	.run = rm,
};

struct prune {
	bool all, force;
	char **filter;
};

static const struct cli_option prune_options[] = {
	CLI_OPT(struct prune, all, "all", 'a', CLI_FLAG, NULL, "named ones too", NULL),
	CLI_OPT(struct prune, filter, "filter", 0, CLI_LIST, "KEY=VALUE", "only those that fit: name=, label=", "name= label="),
	CLI_OPT(struct prune, force, "force", 'f', CLI_FLAG, NULL, "do not ask", NULL),
	CLI_END,
};

/* Anything but y or yes, an end of input included, is no. */
static bool agreed(const char *what)
{
	char line[16];

	fprintf(stderr, "This removes %s.\nGo on? [y/N] ", what);
	if (!fgets(line, sizeof(line), stdin))
		return false;
	line[strcspn(line, "\n")] = 0;
	return streq(line, "y") || streq(line, "Y") || streq(line, "yes");
}

/* 1 removed, 0 not one of those, negative errno. */
static int prune_one(const struct prune *o, const struct filter *f, const struct volume *v, uint64_t *bytes)
{
	uint64_t size = 0;
	struct error e = { 0 };
	int r;

	if ((!o->all && !v->anonymous) || !fits(f, v))
		return 0;
	volume_size(v->name, &size, NULL);
	r = volume_remove(v->name, &e);
	if (r == -EBUSY || r == -ENOENT)
		return 0;
	if (r < 0) {
		cli_fail(&e);
		return r;
	}
	*bytes += size;
	printf("%s\n", v->name);
	return 1;
}

static int prune(void *opts, int argc, char **argv, struct error *e)
{
	const struct prune *o = opts;
	_cleanup_(filter_free) struct filter f = { 0 };
	struct volume *all = NULL;
	uint64_t bytes = 0;
	size_t n = 0, removed = 0;
	int r = parse_filter(o->filter, &f, e), result = 0;
	char size[24];

	(void)argc;
	(void)argv;
	if (r < 0)
		return r;
	if (!o->force && !agreed(o->all ? "all volumes that no container has" : "all unnamed volumes that no container has"))
		return 1;
	f.dangling = 1;
	r = volume_list(&all, &n, NULL, e);
	for (size_t i = 0; i < n; i++) {
		int one = prune_one(o, &f, &all[i], &bytes);

		removed += one > 0;
		result = one < 0 ? 1 : result;
		volume_free(&all[i]);
	}
	free(all);
	if (r < 0)
		return r;
	format_size(bytes, false, size);
	printf("%sTotal reclaimed space: %s\n", removed ? "\n" : "", size);
	return result;
}

const struct cli_command cmd_volume_prune = {
	.name = "volume prune",
	.group = "Volumes",
	.args = "[OPTIONS]",
	.summary = "remove the volumes that no container has",
	.options = prune_options,
	.options_size = sizeof(struct prune),
	.run = prune,
};
