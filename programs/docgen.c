/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Build-time only: makes man pages and completions from what the programs answer to __describe.
 *
 *	docgen man DIR PROGRAM...		DIR/brig-NAME.1 for each command; DIR is emptied first
 *	docgen bash|zsh|fish FILE PROGRAM...
 *	docgen overview IN OUT PROGRAM...	copies IN, with the list of commands in place of the line @COMMANDS@
 *	docgen walls IN OUT			copies IN, with the table of walls in place of the line @WALLS@
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/proc.h"
#include "cli/cli.h"
#include "cli/docs.h"
#include "confine/wall.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { TABLE_MAX = 8 * 1024 * 1024 };

static json_t *describe(const char *program, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	json_t *table;
	size_t n = 0;
	int p[2], r;

	if (pipe2(p, O_CLOEXEC) < 0) {
		error_errno(e, errno, "pipe");
		return NULL;
	}
	pid_t pid = fork();
	if (pid == 0) {
		dup2(p[1], 1);
		execl(program, "brig", "__describe", NULL);
		_exit(127);
	}
	close(p[1]);
	r = pid < 0 ? -errno : fd_read_all(p[0], TABLE_MAX, &text, &n);
	close(p[0]);
	if (r == 0)
		r = proc_wait(pid);
	if (r != 0) {
		error_set(e, EIO, "%s __describe failed", program);
		return NULL;
	}
	table = json_parse(text, n, program, e);
	if (table && !json_is_array(table)) {
		error_set(e, EBADMSG, "%s __describe gave no list", program);
		json_decref(table);
		return NULL;
	}
	return table;
}

static json_t *describe_all(char **programs, struct error *e)
{
	_cleanup_json_ json_t *all = json_array();

	for (; *programs; programs++) {
		json_t *table = describe(*programs, e);

		if (!table)
			return NULL;
		json_array_append_new(all, table);
	}
	return docs_merge(all, e);
}

static int put_file(int dirfd, const char *path, const struct buf *b, struct error *e)
{
	int r = file_replace(dirfd, path, b->data, b->len, 0644, false);

	return r < 0 ? error_errno(e, r, "cannot write %s", path) : 0;
}

static int write_page(int dir, const json_t *command, struct error *e)
{
	_cleanup_free_ char *page = docs_page_name(docs_str(command, "name"));
	_cleanup_free_ char *file = xasprintf("%s.1", page);
	_cleanup_buf_ struct buf b = { 0 };
	const json_t *alias;
	size_t i;
	int r;

	docs_man(command, &b);
	r = put_file(dir, file, &b, e);
	json_array_foreach(json_object_get(command, "aliases"), i, alias) {
		_cleanup_free_ char *name = docs_page_name(json_string_value(alias));
		_cleanup_free_ char *other = xasprintf("%s.1", name);
		_cleanup_buf_ struct buf link = { 0 };

		buf_printf(&link, ".so man1/%s\n", file);
		if (r == 0)
			r = put_file(dir, other, &link, e);
	}
	return r;
}

static int pages(const char *path, const json_t *commands, struct error *e)
{
	_cleanup_close_ int dir = -1;
	const json_t *command;
	size_t i;
	int r = path_remove_tree(AT_FDCWD, path);

	if (r < 0 || mkdir(path, 0755) < 0)
		return error_errno(e, r < 0 ? r : errno, "%s", path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_errno(e, errno, "%s", path);
	json_array_foreach(commands, i, command) {
		r = write_page(dir, command, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The page `from` with `list` in place of the line `mark`. */
static int fill(const char *from, const char *to, const char *mark, const struct buf *list, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_buf_ struct buf b = { 0 };
	size_t n;
	int r = file_read(AT_FDCWD, from, TABLE_MAX, &text, &n);

	if (r < 0)
		return error_errno(e, r, "cannot read %s", from);
	const char *at = strstr(text, mark);
	if (!at)
		return error_set(e, EINVAL, "%s has no line %s", from, mark);
	buf_add(&b, text, (size_t)(at - text));
	buf_add(&b, list->data, list->len);
	buf_puts(&b, at + strlen(mark));
	return put_file(AT_FDCWD, to, &b, e);
}

static int overview(const char *from, const char *to, const json_t *commands, struct error *e)
{
	_cleanup_buf_ struct buf list = { 0 };

	docs_scdoc_list(commands, &list);
	return fill(from, to, "@COMMANDS@\n", &list, e);
}

static int walls_page(const char *from, const char *to, struct error *e)
{
	_cleanup_buf_ struct buf list = { 0 };

	for (int i = 0; i < WALL_COUNT; i++) {
		const struct wall *w = walls[i];

		buf_printf(&list, "*%s*\n\t%s.", w->name, w->what);
		for (const char *const *d = w->details; d && *d; d++)
			buf_printf(&list, "%s *%s*", d == w->details ? " Parts:" : ",", *d);
		buf_puts(&list, w->details ? "." : "");
		if (!w->can_lower)
			buf_puts(&list, w->details ? " It cannot be lowered as a whole." : " It cannot be lowered.");
		buf_puts(&list, "\n\n");
	}
	return fill(from, to, "@WALLS@\n", &list, e);
}

static int make(int argc, char **argv, struct error *e)
{
	bool with_input = argc > 1 && streq(argv[1], "overview");
	int first = with_input ? 4 : 3;
	_cleanup_json_ json_t *commands = NULL;
	_cleanup_buf_ struct buf b = { 0 };

	if (argc == 4 && streq(argv[1], "walls"))
		return walls_page(argv[2], argv[3], e);
	if (argc <= first)
		return error_set(e, EINVAL, "usage: docgen man|bash|zsh|fish|overview|walls ...");
	commands = describe_all(argv + first, e);
	if (!commands)
		return e->code;
	if (with_input)
		return overview(argv[2], argv[3], commands, e);
	if (streq(argv[1], "man"))
		return pages(argv[2], commands, e);
	if (streq(argv[1], "bash"))
		docs_bash(commands, &b);
	else if (streq(argv[1], "zsh"))
		docs_zsh(commands, &b);
	else if (streq(argv[1], "fish"))
		docs_fish(commands, &b);
	else
		return error_set(e, EINVAL, "docgen does not make %s", argv[1]);
	return put_file(AT_FDCWD, argv[2], &b, e);
}

int main(int argc, char **argv)
{
	struct error e = { 0 };

	return make(argc, argv, &e) < 0 ? cli_fail(&e) : 0;
}
