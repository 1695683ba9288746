/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/template.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/format.h"

#include <stdarg.h>
#include <string.h>

enum { STEPS_MAX = 1000000, OUT_MAX = 16 * 1024 * 1024 };

__attribute__((format(printf, 3, 4))) int tpl_fail(struct tpl_run *run, size_t at, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_set(run->e, EINVAL, "format, column %zu: %s", at + 1, text);
}

static int step(struct tpl_run *run, size_t at)
{
	if (++run->steps > STEPS_MAX || run->out->len > OUT_MAX)
		return tpl_fail(run, at, "the template does not come to an end within bounds");
	return 0;
}

/* A member of `*v`, which it replaces. A missing one is an error, but no value in a condition. */
static int take_field(struct tpl_run *run, struct tpl_val *v, const char *name, size_t at)
{
	json_t *j = json_is_object(v->j) ? json_object_get(v->j, name) : NULL;

	if (!j && !run->lenient) {
		struct cli_nearest near = { .word = name };
		const char *key;
		json_t *item;

		if (!json_is_object(v->j))
			return tpl_fail(run, at, "no field .%s in %s", name, tpl_type_name(v->j));
		json_object_foreach(v->j, key, item)
			if (*key != '.')
				cli_nearest_offer(&near, key);
		return tpl_fail(run, at, "there is no field .%s%s%s%s", name,
				near.best ? "; did you mean ." : "", near.best ? near.best : "",
				near.best ? "?" : "");
	}
	json_incref(j);
	json_decref(v->j);
	*v = (struct tpl_val){ .j = j };
	return 0;
}

static struct tpl_variable *find_variable(struct tpl_run *run, const char *name)
{
	for (size_t i = run->n_vars; i-- > 0;)
		if (streq(run->vars[i].name, name))
			return &run->vars[i];
	return NULL;
}

static int push_variable(struct tpl_run *run, const char *name, struct tpl_val v, size_t at)
{
	if (run->n_vars == ARRAY_SIZE(run->vars)) {
		json_decref(v.j);
		return tpl_fail(run, at, "too many variables");
	}
	run->vars[run->n_vars++] = (struct tpl_variable){ .name = name, .value = v };
	return 0;
}

static void pop_variables(struct tpl_run *run, size_t down_to)
{
	while (run->n_vars > down_to)
		json_decref(run->vars[--run->n_vars].value.j);
}

static int eval_pipe(struct tpl_run *run, const struct tpl_pipe *pipe, const struct tpl_val *dot, struct tpl_val *out);

static struct tpl_val ref(const struct tpl_val *v)
{
	return (struct tpl_val){ .j = json_incref(v->j), .safe = v->safe };
}

static int eval_operand(struct tpl_run *run, const struct tpl_operand *o, const struct tpl_val *dot,
			struct tpl_val *out)
{
	struct tpl_variable *var;
	int r = 0;

	switch (o->kind) {
	case TPL_DOT:
		*out = ref(dot);
		break;
	case TPL_VAR:
		var = find_variable(run, o->name);
		if (!var)
			return tpl_fail(run, o->at, "there is no variable $%s", o->name);
		*out = ref(&var->value);
		break;
	case TPL_VALUE:
		*out = (struct tpl_val){ .j = json_incref(o->value), .safe = true };
		break;
	case TPL_PARENS:
		r = eval_pipe(run, o->pipe, dot, out);
		break;
	case TPL_FUNC:
		return tpl_call(run, o->name, o->at, NULL, 0, out);
	}
	for (size_t i = 0; r == 0 && i < o->n_fields; i++)
		r = take_field(run, out, o->fields[i], o->at);
	return r;
}

/* `.Label "x"`: a field that is called stands under ".Label" in the row and is an object of such answers. */
static int call_field(struct tpl_run *run, const struct tpl_operand *o, struct tpl_val *args, size_t n,
		      const struct tpl_val *dot, struct tpl_val *out)
{
	_cleanup_free_ char *key = o->n_fields == 1 ? xasprintf(".%s", o->fields[0]) : NULL;
	json_t *table = key ? json_object_get(dot->j, key) : NULL;

	if (o->kind != TPL_DOT || !table || n != 1 || !json_is_string(args[0].j))
		return tpl_fail(run, o->at, "a value takes no arguments");
	/* In the row of heads the name of the label is the head. */
	json_t *found = json_is_object(table) ? json_object_get(table, json_string_value(args[0].j)) : args[0].j;
	*out = (struct tpl_val){ .j = found ? json_incref(found) : json_string("") };
	return 0;
}

/* A command of a pipeline; `piped`, when not NULL, is its last argument. */
static int eval_command(struct tpl_run *run, const struct tpl_command *c, const struct tpl_val *dot,
			const struct tpl_val *piped, struct tpl_val *out)
{
	const struct tpl_operand *head = &c->args[0];
	struct tpl_val args[17] = { 0 };
	size_t n = 0;
	int r = step(run, head->at);
	unsigned lenient = run->lenient;
	bool call = head->kind == TPL_FUNC || c->n > 1 || piped;

	if (r < 0)
		return r;
	if (!call)
		return eval_operand(run, head, dot, out);
	if (head->kind == TPL_FUNC && (streq(head->name, "and") || streq(head->name, "or") ||
				       streq(head->name, "not")))
		run->lenient++;
	for (size_t i = 1; r == 0 && i < c->n; i++)
		r = eval_operand(run, &c->args[i], dot, &args[n++]);
	run->lenient = lenient;
	if (r == 0 && piped)
		args[n++] = ref(piped);
	if (r == 0)
		r = head->kind == TPL_FUNC ? tpl_call(run, head->name, head->at, args, n, out) :
					     call_field(run, head, args, n, dot, out);
	for (size_t i = 0; i < n; i++)
		json_decref(args[i].j);
	return r;
}

static int eval_value(struct tpl_run *run, const struct tpl_pipe *pipe, const struct tpl_val *dot,
		      struct tpl_val *out)
{
	struct tpl_val v = { 0 };

	for (const struct tpl_command *c = pipe->first; c; c = c->next) {
		struct tpl_val next = { 0 };
		int r = eval_command(run, c, dot, c == pipe->first ? NULL : &v, &next);

		json_decref(v.j);
		v = next;
		if (r < 0) {
			json_decref(v.j);
			return r;
		}
	}
	*out = v;
	return 0;
}

static int eval_pipe(struct tpl_run *run, const struct tpl_pipe *pipe, const struct tpl_val *dot, struct tpl_val *out)
{
	int r = eval_value(run, pipe, dot, out);

	if (r < 0 || pipe->n_vars == 0)
		return r;
	if (!pipe->assign)
		return push_variable(run, pipe->vars[0], ref(out), pipe->at);
	struct tpl_variable *var = find_variable(run, pipe->vars[0]);
	if (!var)
		return tpl_fail(run, pipe->at, "there is no variable $%s", pipe->vars[0]);
	json_decref(var->value.j);
	var->value = ref(out);
	return 0;
}

static int run_list(struct tpl_run *run, const struct tpl_node *node, const struct tpl_val *dot);

/* One turn of a range; takes `key`. */
static int turn(struct tpl_run *run, const struct tpl_node *node, json_t *key, json_t *item)
{
	const struct tpl_pipe *pipe = node->pipe;
	struct tpl_val v = { .j = item };
	size_t vars = run->n_vars;
	int r = step(run, node->at);

	if (r == 0 && pipe->n_vars == 2)
		r = push_variable(run, pipe->vars[0], (struct tpl_val){ .j = json_incref(key) }, pipe->at);
	if (r == 0 && pipe->n_vars)
		r = push_variable(run, pipe->vars[pipe->n_vars - 1], ref(&v), pipe->at);
	if (r == 0)
		r = run_list(run, node->body, &v);
	pop_variables(run, vars);
	json_decref(key);
	return r;
}

static int run_range(struct tpl_run *run, const struct tpl_node *node, const struct tpl_val *dot)
{
	struct tpl_val v = { 0 };
	int r;

	run->lenient++;
	r = eval_value(run, node->pipe, dot, &v);
	run->lenient--;
	if (r < 0)
		return r;
	if (json_is_array(v.j) && json_array_size(v.j) > 0) {
		for (size_t i = 0; r == 0 && i < json_array_size(v.j); i++)
			r = turn(run, node, json_integer((json_int_t)i), json_array_get(v.j, i));
	} else if (json_is_object(v.j) && json_object_size(v.j) > 0) {
		_cleanup_strv_ char **keys = tpl_sorted_keys(v.j);

		for (char **k = keys; r == 0 && *k; k++)
			r = turn(run, node, json_string(*k), json_object_get(v.j, *k));
	} else if (!v.j || json_is_null(v.j) || json_is_array(v.j) || json_is_object(v.j)) {
		r = run_list(run, node->otherwise, dot);
	} else {
		r = tpl_fail(run, node->pipe->at, "range over %s", tpl_type_name(v.j));
	}
	json_decref(v.j);
	return r;
}

static int run_condition(struct tpl_run *run, const struct tpl_node *node, const struct tpl_val *dot)
{
	size_t vars = run->n_vars;
	struct tpl_val v = { 0 };
	int r;

	run->lenient++;
	r = eval_pipe(run, node->pipe, dot, &v);
	run->lenient--;
	if (r == 0 && tpl_true(v.j))
		r = run_list(run, node->body, node->kind == TPL_WITH ? &v : dot);
	else if (r == 0)
		r = run_list(run, node->otherwise, dot);
	json_decref(v.j);
	pop_variables(run, vars);
	return r;
}

static int run_print(struct tpl_run *run, const struct tpl_node *node, const struct tpl_val *dot)
{
	struct tpl_val v = { 0 };
	int r = eval_pipe(run, node->pipe, dot, &v);

	if (r == 0 && node->pipe->n_vars == 0)
		tpl_print(run, &v, run->out);
	json_decref(v.j);
	return r;
}

static int run_list(struct tpl_run *run, const struct tpl_node *node, const struct tpl_val *dot)
{
	int r = 0;

	for (; r == 0 && node; node = node->next) {
		r = step(run, node->at);
		if (r < 0)
			break;
		switch (node->kind) {
		case TPL_TEXT:
			buf_puts(run->out, node->text);
			break;
		case TPL_PRINT:
			r = run_print(run, node, dot);
			break;
		case TPL_IF:
		case TPL_WITH:
			r = run_condition(run, node, dot);
			break;
		case TPL_RANGE:
			r = run_range(run, node, dot);
			break;
		}
	}
	return r;
}

int cli_format(const char *template, const json_t *data, bool escape, struct buf *out, struct error *e)
{
	_cleanup_(tpl_free) struct tpl t = { 0 };
	struct tpl_run *run;
	struct tpl_val root = { .j = json_incref((json_t *)data) };
	size_t before = out->len;
	int r = tpl_parse(&t, template, e);

	buf_puts(out, "");
	run = xcalloc(1, sizeof(*run));
	*run = (struct tpl_run){ .escape = escape, .out = out, .e = e };
	if (r == 0)
		r = push_variable(run, "", ref(&root), 0);
	if (r == 0)
		r = run_list(run, t.first, &root);
	pop_variables(run, 0);
	json_decref(root.j);
	free(run);
	if (r < 0)
		out->data[out->len = before] = 0;
	return r;
}
