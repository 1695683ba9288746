/* SPDX-License-Identifier: Apache-2.0 */
#include "image/change.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Words separated by spaces; "..." and '...' keep spaces, a backslash keeps the next character (not in '...'). */
static int split_words(const char *s, char ***out, struct error *e)
{
	while (*s) {
		_cleanup_buf_ struct buf word = { 0 };
		char quote = 0;

		while (isspace((unsigned char)*s))
			s++;
		if (!*s)
			break;
		buf_puts(&word, "");
		for (; *s && (quote || !isspace((unsigned char)*s)); s++) {
			if (quote && *s == quote) {
				quote = 0;
			} else if (!quote && (*s == '"' || *s == '\'')) {
				quote = *s;
			} else {
				if (*s == '\\' && quote != '\'' && s[1])
					s++;
				buf_add(&word, s, 1);
			}
		}
		if (quote)
			return error_set(e, EINVAL, "a quote %c that is not closed", quote);
		strv_add(out, buf_steal(&word));
	}
	return *out ? 0 : error_set(e, EINVAL, "nothing behind the instruction");
}

/* A JSON list is the program and its arguments; other text goes to a shell, as docker has it. */
static int set_command(json_t *config, const char *key, const char *rest, struct error *e)
{
	_cleanup_json_ json_t *list = NULL;
	json_t *item;
	size_t i;

	if (*rest != '[') {
		json_object_set_new(config, key, json_pack("[sss]", "/bin/sh", "-c", rest));
		return 0;
	}
	list = json_parse(rest, strlen(rest), key, e);
	if (!list)
		return e ? e->code : -EBADMSG;
	json_array_foreach(list, i, item) {
		if (!json_is_string(item))
			return error_set(e, EINVAL, "not a list of strings");
	}
	json_object_set(config, key, list);
	return 0;
}

static int set_env(json_t *config, const char *rest, struct error *e)
{
	_cleanup_strv_ char **words = NULL;
	json_t *env = json_object_get(config, "Env");
	int r = split_words(rest, &words, e);

	if (r < 0)
		return r;
	if (!env) {
		env = json_array();
		json_object_set_new(config, "Env", env);
	}
	strv_foreach(it, words) {
		const char *equals = strchr(*it, '=');
		json_t *old;
		size_t i, n = equals ? (size_t)(equals - *it) + 1 : 0;

		if (n < 2)
			return error_set(e, EINVAL, "\"%.60s\" is not NAME=VALUE", *it);
		json_array_foreach(env, i, old) {
			if (strncmp(json_string_value(old), *it, n) == 0)
				break;
		}
		if (i < json_array_size(env))
			json_array_set_new(env, i, json_string(*it));
		else
			json_array_append_new(env, json_string(*it));
	}
	return 0;
}

static int set_labels(json_t *config, const char *rest, struct error *e)
{
	_cleanup_strv_ char **words = NULL;
	json_t *labels = json_object_get(config, "Labels");
	int r = split_words(rest, &words, e);

	if (r < 0)
		return r;
	if (!labels) {
		labels = json_object();
		json_object_set_new(config, "Labels", labels);
	}
	strv_foreach(it, words) {
		char *equals = strchr(*it, '=');

		if (!equals || equals == *it)
			return error_set(e, EINVAL, "\"%.60s\" is not KEY=VALUE", *it);
		*equals = 0;
		json_object_set_new(labels, *it, json_string(equals + 1));
	}
	return 0;
}

static int add_to_set(json_t *config, const char *key, const char *rest, struct error *e)
{
	_cleanup_strv_ char **words = NULL;
	_cleanup_json_ json_t *list = NULL;
	json_t *set = json_object_get(config, key), *item;
	bool ports = streq(key, "ExposedPorts");
	size_t i;
	int r = 0;

	if (*rest == '[' && !ports) {
		list = json_parse(rest, strlen(rest), key, e);
		if (!list)
			return e ? e->code : -EBADMSG;
		json_array_foreach(list, i, item)
			strv_add_copy(&words, json_is_string(item) ? json_string_value(item) : "");
	} else {
		r = split_words(rest, &words, e);
	}
	if (r < 0)
		return r;
	if (!set) {
		set = json_object();
		json_object_set_new(config, key, set);
	}
	strv_foreach(it, words) {
		_cleanup_free_ char *name = ports && !strchr(*it, '/') ? xasprintf("%s/tcp", *it) : xstrdup(*it);

		json_object_set_new(set, name, json_object());
	}
	return 0;
}

static int set_text(json_t *config, const char *key, const char *rest, struct error *e)
{
	_cleanup_strv_ char **words = NULL;
	int r = split_words(rest, &words, e);

	if (r == 0 && words[1])
		r = error_set(e, EINVAL, "one word is expected");
	if (r == 0)
		json_object_set_new(config, key, json_string(words[0]));
	return r;
}

int change_apply(json_t *config, const char *line, struct error *e)
{
	static const struct {
		const char *word, *key;
		int (*set)(json_t *config, const char *key, const char *rest, struct error *e);
	} instructions[] = {
		{ "CMD", "Cmd", set_command },
		{ "ENTRYPOINT", "Entrypoint", set_command },
		{ "EXPOSE", "ExposedPorts", add_to_set },
		{ "VOLUME", "Volumes", add_to_set },
		{ "USER", "User", set_text },
		{ "WORKDIR", "WorkingDir", set_text },
		{ "STOPSIGNAL", "StopSignal", set_text },
		{ "ENV", NULL, NULL },
		{ "LABEL", NULL, NULL },
	};
	size_t n;
	int r = -ENOENT;

	while (isspace((unsigned char)*line))
		line++;
	n = strcspn(line, " \t");
	const char *rest = line + n;
	while (isspace((unsigned char)*rest))
		rest++;
	for (size_t i = 0; i < ARRAY_SIZE(instructions); i++) {
		if (strlen(instructions[i].word) != n || strncasecmp(line, instructions[i].word, n) != 0)
			continue;
		if (!*rest)
			r = error_set(e, EINVAL, "nothing behind the instruction");
		else if (instructions[i].set)
			r = instructions[i].set(config, instructions[i].key, rest, e);
		else
			r = instructions[i].word[0] == 'E' ? set_env(config, rest, e) : set_labels(config, rest, e);
		return r < 0 ? error_wrap(e, "--change \"%.80s\"", line) : 0;
	}
	return error_set(e, EINVAL, "--change \"%.80s\": not one of CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, "
				    "VOLUME, WORKDIR", line);
}
