/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Check "accounts" (catalogue V2): who can log in, who is root under another name, which keys and passwords let somebody in, who may become
 * root without being asked. passwd(5), shadow(5), sshd(8) "AUTHORIZED_KEYS FILE FORMAT", sudoers(5), doas.conf(5).
 *
 * Facts: "accounts" [{"name", "uid", "shell", "password": "none"|"locked"|"empty"|"set", "keys"}] of those that could log in.
 */
#include "vet/lines.h"

#include "base/cleanup.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

enum { ACCOUNTS_FILE_MAX = 4 * 1024 * 1024, ACCOUNTS_MAX = 10000, KEYS_MAX = 50, TRIES_MAX = 8 };

enum password { PASSWORD_NONE, PASSWORD_LOCKED, PASSWORD_EMPTY, PASSWORD_SET };

struct account {
	char *name, *home, *shell, *hash;
	uint64_t uid;
	enum password password;
	size_t keys;
};

struct accounts {
	struct vet *v;
	struct account *list;
	size_t n;
	const struct vet_file *passwd, *shadow;
	unsigned tried; /* hashes that were tried against known passwords */
};

static enum password password_of(const char *field)
{
	if (!*field)
		return PASSWORD_EMPTY;
	/* "x": shadow has it; "*", "!", "!!", "!$6$...": nothing that is typed gives that. */
	return field[0] == '*' || field[0] == '!' || streq(field, "x") ? PASSWORD_LOCKED : PASSWORD_SET;
}

static void broken(struct accounts *a, const struct vet_file *f, size_t line, const char *what)
{
	vet_add(a->v, "accounts", "V2-broken-line", VET_LOW, f, NULL, "programs read such lines differently: what one skips, another takes",
		"line %zu: %s", line, what);
}

static void read_passwd(struct accounts *a)
{
	_cleanup_lines_ struct lines l = { 0 };

	if (!lines_open(&l, a->v, a->passwd, ACCOUNTS_FILE_MAX))
		return;
	while (lines_next(&l) && a->n < ACCOUNTS_MAX) {
		char *at = l.text, *name, *hash, *uid, *gid, *gecos, *home;
		struct account *to;
		uint64_t number;

		if (!*lines_trim(at) || *at == '#')
			continue;
		name = lines_field(&at, ':');
		hash = lines_field(&at, ':');
		uid = lines_field(&at, ':');
		gid = lines_field(&at, ':');
		gecos = lines_field(&at, ':');
		home = lines_field(&at, ':');
		if (!gid || !gecos || !home || !at || parse_u64(uid, 0, UINT32_MAX, &number) < 0) {
			broken(a, a->passwd, l.number, "not an account");
			continue;
		}
		a->list = xrealloc(a->list, a->n + 1, sizeof(*a->list));
		to = &a->list[a->n++];
		*to = (struct account){ .name = xstrdup(name), .home = xstrdup(home), .shell = xstrdup(at), .uid = number,
					.password = password_of(hash), .hash = xstrdup(hash) };
	}
}

static struct account *find(struct accounts *a, const char *name)
{
	for (size_t i = 0; i < a->n; i++)
		if (streq(a->list[i].name, name))
			return &a->list[i];
	return NULL;
}

static void read_shadow(struct accounts *a)
{
	_cleanup_lines_ struct lines l = { 0 };

	if (!lines_open(&l, a->v, a->shadow, ACCOUNTS_FILE_MAX))
		return;
	while (lines_next(&l)) {
		char *at = l.text, *name = lines_field(&at, ':'), *hash = lines_field(&at, ':');
		struct account *to = find(a, name);

		if (!hash && *name && *name != '#')
			broken(a, a->shadow, l.number, "not a password");
		/* Only an "x" in passwd sends to shadow. */
		if (!hash || !to || !streq(to->hash, "x"))
			continue;
		free(to->hash);
		to->hash = xstrdup(hash);
		to->password = password_of(hash);
	}
}

static bool has_shell(const struct account *a)
{
	static const char *const none[] = { "nologin", "false", "sync", "halt", "shutdown", "true" };
	const char *slash = strrchr(a->shell, '/'), *base = slash ? slash + 1 : a->shell;

	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		if (streq(base, none[i]))
			return false;
	return true;
}

/* Passwords that everybody tries first. */
static const char *guess(const struct account *who)
{
	static const char *const known[] = { "root", "toor", "password", "admin", "123456", "12345678", "changeme", "secret", "docker", "test",
					     "1234", "qwerty", "letmein", "debian", "ubuntu", "alpine", "raspberry", "pass", "default", "guest" };
	_cleanup_free_ struct crypt_data *data = xcalloc(1, sizeof(*data));

	for (size_t i = 0; i <= ARRAY_SIZE(known); i++) {
		const char *word = i ? known[i - 1] : who->name, *made = crypt_r(word, who->hash, data);

		if (made && streq(made, who->hash))
			return word;
	}
	return NULL;
}

/* Hashes that would take long: an image must not decide how long we look. crypt(5). */
static bool is_costly(const char *hash)
{
	const char *rounds = strstr(hash, "rounds="), *cost = NULL;

	if (rounds)
		return strtoul(rounds + 7, NULL, 10) > 20000;
	if (str_after(hash, "$2"))
		cost = strchr(hash + 1, '$');
	if (cost)
		return strtoul(cost + 1, NULL, 10) > 10;
	/* yescrypt's parameters: "j9T" is what distributions use; more memory or time has later letters or more of them. */
	if (str_after(hash, "$y$") || str_after(hash, "$gy$"))
		return !strstr(hash, "$j9T$") && !strstr(hash, "$j75$") && !strstr(hash, "$j8T$");
	return str_after(hash, "$7$") || str_after(hash, "$sha1$") || str_after(hash, "$md5,rounds");
}

static void look_password(struct accounts *a, const struct account *who)
{
	const struct vet_file *f = a->shadow && a->shadow->inode->type == 'f' ? a->shadow : a->passwd;
	const char *word;

	if (who->password == PASSWORD_EMPTY)
		vet_add(a->v, "accounts", "V2-empty-password", has_shell(who) ? VET_HIGH : VET_MEDIUM, f, NULL,
			"whoever gets to a login, or runs su, is in without being asked", "%s has an empty password", who->name);
	if (who->password != PASSWORD_SET)
		return;
	if (is_costly(who->hash) || a->tried >= TRIES_MAX) {
		vet_not_looked(a->v, "whether the password of %s is a known one: trying takes too long", who->name);
	} else {
		a->tried++;
		word = guess(who);
		if (word) {
			vet_add(a->v, "accounts", "V2-known-password", VET_CRITICAL, f, NULL, "it is among the first that everybody tries",
				"the password of %s is \"%s\"", who->name, word);
			return;
		}
	}
	vet_add(a->v, "accounts", "V2-password", has_shell(who) ? VET_MEDIUM : VET_LOW, f, NULL,
		"it is the same in every container of the image, and whoever made the image knows it", "%s has a password", who->name);
}

static void look_account(struct accounts *a, const struct account *who)
{
	if (who->uid == 0 && !streq(who->name, "root"))
		vet_add(a->v, "accounts", "V2-uid-0", who->password == PASSWORD_LOCKED && !has_shell(who) ? VET_MEDIUM : VET_HIGH, a->passwd, NULL,
			"it is root under a name that nobody watches", "the account %s is root: its uid is 0", who->name);
	look_password(a, who);
}

/* ---------------------------------------------------------------------------------------------------------------- keys */

/* The type and the comment of a key, behind its options if it has some. */
static bool is_key(char *line, const char **type, const char **comment)
{
	static const char *const types[] = { "ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-" };

	for (char *p = line; *p; p++) {
		if (p > line && p[-1] != ' ' && p[-1] != '\t')
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
			char *at = p;

			if (!str_after(p, types[i]))
				continue;
			*type = lines_field(&at, ' ');
			if (!lines_field(&at, ' '))
				return false;
			*comment = at ? lines_trim(at) : "";
			return true;
		}
	}
	return false;
}

static void look_keys(struct accounts *a, const struct vet_file *f, const char *who, size_t *count)
{
	_cleanup_lines_ struct lines l = { 0 };
	const char *type, *comment;

	if (!f || f->inode->type != 'f' || !lines_open(&l, a->v, f, ACCOUNTS_FILE_MAX))
		return;
	while (lines_next(&l)) {
		char *line = lines_trim(l.text);

		if (*line == '#' || !is_key(line, &type, &comment))
			continue;
		if ((*count)++ < KEYS_MAX)
			vet_add(a->v, "accounts", "V2-authorized-key", VET_HIGH, f, NULL,
				"whoever has the other half of it gets in, in every container of the image", "a key that lets somebody in as %s: %s%s%.80s",
				who, type, *comment ? " " : "", comment);
	}
}

static void look_homes(struct accounts *a)
{
	static const char *const names[] = { ".ssh/authorized_keys", ".ssh/authorized_keys2" };
	_cleanup_strv_ char **seen = NULL;

	for (size_t i = 0; i < a->n; i++) {
		struct account *who = &a->list[i];

		for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
			_cleanup_free_ char *path = xasprintf("%s/%s", who->home, names[k]);
			const struct vet_file *f = vet_find(a->v, path);

			if (!f || strv_has(seen, f->path))
				continue;
			strv_add_copy(&seen, f->path);
			look_keys(a, f, who->name, &who->keys);
		}
	}
	/* Where no account lives, and where sshd may be told to look. */
	for (size_t i = 0; i < a->v->n_merged; i++) {
		const struct vet_file *f = a->v->merged[i];
		size_t count = 0;

		if (strstr(f->path, "authorized_keys") && !strv_has(seen, f->path) && f->inode->type == 'f' && !strstr(f->path, "/share/"))
			look_keys(a, f, "somebody", &count);
	}
}

/* ---------------------------------------------------------------------------------------------------- becoming root */

static void look_sudoers(struct accounts *a, const struct vet_file *f)
{
	_cleanup_lines_ struct lines l = { 0 };
	_cleanup_buf_ struct buf whole = { 0 };

	if (!f || f->inode->type != 'f' || !lines_open(&l, a->v, f, ACCOUNTS_FILE_MAX))
		return;
	while (lines_next(&l)) {
		char *line = lines_trim(l.text), *comment;
		size_t n = strlen(line);
		bool all;

		if (n && line[n - 1] == '\\' && whole.len < sizeof(l.text)) {
			buf_add(&whole, line, n - 1);
			continue;
		}
		buf_add(&whole, line, n + 1);
		line = lines_trim(whole.data);
		whole.len = 0;
		comment = strchr(line, '#');
		if (comment && (comment == line || comment[-1] == ' ' || comment[-1] == '\t'))
			*comment = 0;
		if (str_after(line, "Defaults") && strstr(line, "!authenticate")) {
			vet_add(a->v, "accounts", "V2-sudo-without-password", VET_HIGH, f, NULL, "whoever runs as that user is root when he likes",
				"line %zu: sudo never asks for a password", l.number);
			continue;
		}
		if (!strstr(line, "NOPASSWD:") || str_after(line, "root ") || str_after(line, "root\t"))
			continue;
		all = strstr(strstr(line, "NOPASSWD:"), "ALL") != NULL;
		vet_add(a->v, "accounts", "V2-sudo-without-password", all ? VET_HIGH : VET_MEDIUM, f, NULL,
			all ? "whoever runs as that user is root when he likes" : "whoever runs as that user does this as root", "line %zu: %.120s",
			l.number, line);
	}
}

static void look_doas(struct accounts *a, const struct vet_file *f)
{
	_cleanup_lines_ struct lines l = { 0 };

	if (!f || f->inode->type != 'f' || !lines_open(&l, a->v, f, ACCOUNTS_FILE_MAX))
		return;
	while (lines_next(&l)) {
		char *line = lines_trim(l.text);

		if (str_after(line, "permit") && strstr(line, "nopass") && !strstr(line, " root"))
			vet_add(a->v, "accounts", "V2-sudo-without-password", VET_HIGH, f, NULL, "whoever runs as that user is root when he likes",
				"line %zu: %.120s", l.number, line);
	}
}

static void look_folder(struct accounts *a, const char *dir, void (*fn)(struct accounts *a, const struct vet_file *f))
{
	size_t first, n;

	vet_below(a->v, dir, &first, &n);
	for (size_t i = first; i < first + n; i++)
		if (a->v->merged[i]->inode->type == 'f')
			fn(a, a->v->merged[i]);
}

static void note_facts(struct accounts *a)
{
	static const char *const words[] = { "none", "locked", "empty", "set" };
	json_t *list = json_array();

	for (size_t i = 0; i < a->n; i++) {
		const struct account *who = &a->list[i];

		if (who->password != PASSWORD_LOCKED || who->keys || (has_shell(who) && (who->uid == 0 || who->uid >= 1000)))
			json_array_append_new(list, json_pack("{s:o, s:I, s:o, s:s, s:I}", "name", vet_json(who->name), "uid", (json_int_t)who->uid,
							      "shell", vet_json(who->shell), "password", words[who->password], "keys",
							      (json_int_t)who->keys));
	}
	json_object_set_new(a->v->facts, "accounts", list);
}

static int run(struct vet *v, struct error *e)
{
	struct accounts a = { .v = v, .passwd = vet_find(v, "etc/passwd"), .shadow = vet_find(v, "etc/shadow") };

	(void)e;
	read_passwd(&a);
	read_shadow(&a);
	for (size_t i = 0; i < a.n; i++)
		look_account(&a, &a.list[i]);
	look_homes(&a);
	look_sudoers(&a, vet_find(v, "etc/sudoers"));
	look_folder(&a, "etc/sudoers.d", look_sudoers);
	look_doas(&a, vet_find(v, "etc/doas.conf"));
	look_folder(&a, "etc/doas.d", look_doas);
	note_facts(&a);
	for (size_t i = 0; i < a.n; i++) {
		free(a.list[i].name);
		free(a.list[i].home);
		free(a.list[i].shell);
		free(a.list[i].hash);
	}
	free(a.list);
	return 0;
}

const struct vet_check vet_check_accounts = { .name = "accounts", .run = run };
