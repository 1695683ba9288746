/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/gate.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/json.h"
#include "base/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RULING_MAX = 64 * 1024, KEPT_MAX = 256 * 1024 };

void gate_answer_free(struct gate_answer *a)
{
	free(a->rules);
	free(a->rule);
	free(a->title);
	free(a->path);
	*a = (struct gate_answer){ 0 };
}

/* ------------------------------------------------------------------------------------------- what an answer comes from */

static void identify(struct buf *out, int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, 0) < 0 || !S_ISREG(st.st_mode))
		return;
	buf_printf(out, "%s %llu %llu %lld.%09ld %lld.%09ld\n", name, (unsigned long long)st.st_ino, (unsigned long long)st.st_size,
		   (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All files of a folder whose names begin with `start`. */
static void identify_all(struct buf *out, const char *path, const char *start)
{
	_cleanup_closedir_ DIR *d = opendir(path);
	_cleanup_strv_ char **names = NULL;
	struct dirent *de;

	while (d && (de = readdir(d)))
		if (str_after(de->d_name, start) && de->d_name[0] != '.')
			strv_add_copy(&names, de->d_name);
	if (names)
		qsort(names, strv_len(names), sizeof(char *), by_name);
	strv_foreach(name, names)
		identify(out, dirfd(d), *name);
}

static char *make_key(const char *config)
{
	_cleanup_free_ char *share = proc_share(""), *own = xasprintf("%s/vet.rules.d", config), *db = NULL;
	const char *data = home_data_path(NULL);
	_cleanup_free_ char *program = xasprintf("%sbrig-vet", proc_libexec());
	struct buf out = { 0 };

	buf_puts(&out, "brig " BRIG_VERSION "\n");
	identify(&out, AT_FDCWD, program);
	identify_all(&out, share, "vet");
	identify_all(&out, config, "vet");
	identify_all(&out, own, "");
	if (data) {
		db = xasprintf("%s/vet", data);
		identify_all(&out, db, "");
	}
	return buf_steal(&out);
}

/* --------------------------------------------------------------------------------------------------------- the answer */

static char *text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return xstrdup(s ? s : "");
}

static int take_ruling(const json_t *j, struct gate_answer *out, struct error *e)
{
	const json_t *refused = json_object_get(j, "refused");

	if (!json_is_boolean(refused) || !json_is_string(json_object_get(j, "rules")))
		return error_set(e, EPROTO, "brig-vet talks nonsense");
	out->refused = json_is_true(refused);
	out->rules = text_of(j, "rules");
	out->rule = text_of(j, "rule");
	out->title = text_of(j, "title");
	out->path = text_of(j, "path");
	return 0;
}

/* FNV-1a: a name for a file, nothing rests on it. */
static char *file_name(const char *id, const char *name)
{
	uint64_t h = 14695981039346656037u;

	for (const char *p = name ? name : ""; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	return xasprintf("%.64s-%016llx.json", id, (unsigned long long)h);
}

static bool remembered(int dir, const char *file, const char *name, const char *key, struct gate_answer *out)
{
	_cleanup_json_ json_t *j = json_read(dir, file, KEPT_MAX, NULL);
	uint64_t until;

	if (!j || !streq(json_string_value(json_object_get(j, "key")), key) ||
	    !streq(json_string_value(json_object_get(j, "name")), name ? name : ""))
		return false;
	until = (uint64_t)json_integer_value(json_object_get(j, "until"));
	if (until && until <= clock_now_ns())
		return false;
	return take_ruling(j, out, NULL) == 0;
}

int gate_vet(char *const argv[], size_t max, char **text, struct error *e)
{
	_cleanup_free_ char *path = xasprintf("%sbrig-vet", proc_libexec());
	_cleanup_close_ int from = -1, to = -1;
	int pipes[2], r, status;
	size_t len = 0;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe2");
	from = pipes[0];
	to = pipes[1];
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (dup2(to, 1) == 1)
			execv(path, argv);
		_exit(127);
	}
	cleanup_close(&to);
	if (pid < 0)
		return error_errno(e, errno, "fork");
	r = fd_read_all(from, max, text, &len);
	status = proc_wait(pid);
	if (r < 0)
		return error_errno(e, r, "brig-vet's report");
	if (status < 0 || proc_exit_code(status) == 127) {
		error_set(e, ENOENT, "%s cannot be run", path);
		error_hint(e, "install brig as a whole");
		return -ENOENT;
	}
	return proc_exit_code(status);
}

/* Runs brig-vet and reads what it rules. Its progress is the person's to see. */
static json_t *look(const char *policy, const char *type, const char *ref, const char *name, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	char option[] = "--name"; /* outlives the block below */
	char *argv[12] = { (char[]){ "brig" }, (char[]){ "vet" }, (char[]){ "--policy" }, (char *)policy, (char[]){ "--format" },
			   (char[]){ "ruling" }, (char[]){ "--type" }, (char *)type };
	struct error why = { 0 };
	int r, n = 8;

	if (name) {
		argv[n++] = option;
		argv[n++] = (char *)name;
	}
	argv[n++] = (char *)ref;
	r = gate_vet(argv, RULING_MAX, &text, &why);
	if (r != 0) {
		error_set(e, EKEYREJECTED, "it could not be looked at, and the policy %s wants that", policy);
		if (r == -ENOENT)
			error_hint(e, "%s", why.text);
		return NULL;
	}
	return json_parse(text, strlen(text), "brig-vet's ruling", e);
}

static int look_and_keep(int dir, const char *file, const char *policy, const char *id, const char *name, const char *key,
			 struct gate_answer *out, struct error *e)
{
	_cleanup_free_ char *ref = xasprintf("sha256:%s", id);
	_cleanup_json_ json_t *j = look(policy, "image", ref, name, e);
	int r = j ? take_ruling(j, out, e) : (e && e->code < 0 ? e->code : -EKEYREJECTED);

	if (r < 0)
		return r;
	json_object_set_new(j, "key", json_string(key));
	json_object_set_new(j, "name", json_string(name ? name : ""));
	/* That it could not be kept costs the next start time, not safety. */
	json_write(dir, file, j, 0600, false, NULL);
	return 0;
}

/* CONFIG/vet.json; *out stays NULL where there is none. */
static int find_policy(const char **config, char **out, struct error *e)
{
	_cleanup_free_ char *path = NULL;

	*config = home_config_path(e);
	if (!*config)
		return e ? e->code : -ENOENT;
	path = xasprintf("%s/vet.json", *config);
	if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : error_errno(e, errno, "%s", path);
	*out = steal_ptr(&path);
	return 0;
}

int gate_ask(const char *id, const char *name, struct gate_answer *out, struct error *e)
{
	_cleanup_free_ char *policy = NULL, *key = NULL, *file = NULL;
	_cleanup_close_ int dir = -1;
	const char *config;
	int r;

	*out = (struct gate_answer){ 0 };
	r = find_policy(&config, &policy, e);
	if (r < 0 || !policy)
		return r;
	out->asked = true;
	dir = home_data_dir("verdicts", e);
	if (dir < 0)
		return dir;
	key = make_key(config);
	file = file_name(id, name);
	if (remembered(dir, file, name, key, out)) {
		out->known = true;
		return 0;
	}
	gate_answer_free(out);
	out->asked = true;
	return look_and_keep(dir, file, policy, id, name, key, out, e);
}

int gate_ask_folder(const char *path, struct gate_answer *out, struct error *e)
{
	_cleanup_free_ char *policy = NULL;
	_cleanup_json_ json_t *j = NULL;
	const char *config;
	int r;

	*out = (struct gate_answer){ 0 };
	r = find_policy(&config, &policy, e);
	if (r < 0 || !policy)
		return r;
	out->asked = true;
	j = look(policy, "folder", path, NULL, e);
	return j ? take_ruling(j, out, e) : (e && e->code < 0 ? e->code : -EKEYREJECTED);
}

bool gate_waived(const struct gate_answer *a, const char *const *rules, size_t n)
{
	_cleanup_strv_ char **refusing = strv_split(a->rules ? a->rules : "", ' ');

	strv_foreach(rule, refusing) {
		bool found = false;

		for (size_t i = 0; i < n; i++)
			found |= !*rules[i] || streq(rules[i], *rule);
		if (!found)
			return false;
	}
	return true;
}
