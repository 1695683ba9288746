/* SPDX-License-Identifier: Apache-2.0 */
/* The list of files that checks see: layers laid over each other, what is hidden, links, folders, and bytes that are not what they should be. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "image/hash.h"
#include "vet/source.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
	struct vet_source src;
	struct vet v;
	char *dir;
};

static struct table_map table(const char *lines)
{
	char *text = xasprintf("{\"table\":1,\"entries\":0,\"bytes\":0}\n%s", lines);

	return (struct table_map){ .data = text, .size = strlen(text) };
}

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	const char *tmp = getenv("TMPDIR");

	vet_source_init(&w->src);
	w->dir = xasprintf("%s/vet-subject-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(w->dir));
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < w->src.n_tables; i++)
		free((void *)w->src.tables[i].data);
	w->src.n_tables = 0;
	vet_subject_free(&w->v);
	vet_source_free(&w->src);
	for (size_t i = 0; i < w->v.n_findings; i++) {
		free((char *)w->v.findings[i].check);
		free((char *)w->v.findings[i].rule);
		free(w->v.findings[i].title);
		free(w->v.findings[i].why);
		free(w->v.findings[i].path);
	}
	free(w->v.findings);
	json_decref(w->v.facts);
	path_remove_tree(AT_FDCWD, w->dir);
	free(w->dir);
	free(w);
	return 0;
}

static void add_layer(struct world *w, const char *lines)
{
	struct vet_source *s = &w->src;

	s->tables = xrealloc(s->tables, s->n_tables + 1, sizeof(*s->tables));
	s->diff_ids = xrealloc(s->diff_ids, s->n_tables + 1, sizeof(*s->diff_ids));
	memset(s->diff_ids[s->n_tables], 0, DIGEST_SIZE);
	s->tables[s->n_tables++] = table(lines);
}

#define DIR(path) "{\"p\":\"" path "\",\"t\":\"d\",\"m\":\"755\",\"u\":0,\"g\":0,\"T\":1}\n"
#define FILE0(path) "{\"p\":\"" path "\",\"t\":\"f\",\"m\":\"644\",\"u\":0,\"g\":0,\"T\":1}\n"
#define GONE(path) "{\"p\":\"" path "\",\"t\":\"-\",\"w\":1}\n"
#define LINK(path, to) "{\"p\":\"" path "\",\"t\":\"l\",\"m\":\"777\",\"u\":0,\"g\":0,\"T\":1,\"l\":\"" to "\"}\n"

static void read_it(struct world *w)
{
	struct error e = { 0 };
	int r = vet_subject_read(&w->v, &w->src, &e);

	if (r < 0)
		fail_msg("%s", e.text);
}

/* The merged tree as "path@layer path@layer ...". */
static char *merged(const struct vet *v)
{
	struct buf out = { 0 };

	for (size_t i = 0; i < v->n_merged; i++)
		buf_printf(&out, "%s%s@%u", i ? " " : "", v->merged[i]->path, v->merged[i]->layer);
	return buf_steal(&out);
}

static char *hidden(const struct vet *v)
{
	struct buf out = { 0 };

	for (size_t i = 0; i < v->n_files; i++)
		if (v->files[i].hidden)
			buf_printf(&out, "%s%s@%u", out.len ? " " : "", v->files[i].path, v->files[i].layer);
	return buf_steal(&out);
}

static void expect(struct world *w, const char *shown, const char *gone)
{
	_cleanup_free_ char *m = merged(&w->v), *h = hidden(&w->v);

	assert_string_equal(m, shown);
	assert_string_equal(h, gone);
}

static void test_layers(void **state)
{
	struct world *w = *state;

	add_layer(w, DIR("") DIR("a") FILE0("a/x") FILE0("a/y") DIR("b") FILE0("b/z") FILE0("c"));
	add_layer(w, DIR("") DIR("a") GONE("a/x") FILE0("a/y") GONE("b") FILE0("d"));
	read_it(w);
	expect(w, "@1 a@1 a/y@1 c@0 d@1", "@0 a@0 a/x@0 a/y@0 b@0 b/z@0");
	assert_int_equal(w->v.n_files, 13);
	assert_true(w->v.files[9].whiteout);
	assert_string_equal(w->v.files[9].path, "a/x");
	assert_null(w->v.files[9].inode);
}

static void test_replaced_folders(void **state)
{
	struct world *w = *state;

	/* An opaque folder, a file in place of a folder, a folder that the layer only implies, a whiteout with something new in its place. */
	add_layer(w, DIR("") DIR("a") DIR("a/s") FILE0("a/s/t") FILE0("a/x") DIR("b") FILE0("b/x") DIR("c") FILE0("c/x") DIR("d") FILE0("d/x"));
	add_layer(w, "{\"p\":\"a\",\"t\":\"d\",\"m\":\"755\",\"u\":0,\"g\":0,\"T\":1,\"q\":1}\n" FILE0("a/n") FILE0("b")
		  "{\"p\":\"c\",\"t\":\"d\",\"m\":\"755\",\"u\":0,\"g\":0,\"T\":0,\"i\":1}\n" FILE0("c/y")
		  "{\"p\":\"d\",\"t\":\"d\",\"m\":\"700\",\"u\":0,\"g\":0,\"T\":1,\"w\":1}\n" FILE0("d/y"));
	read_it(w);
	expect(w, "@0 a@1 a/n@1 b@1 c@0 c/x@0 c/y@1 d@1 d/y@1", "a@0 a/s@0 a/s/t@0 a/x@0 b@0 b/x@0 d@0 d/x@0");
}

static void test_hard_links(void **state)
{
	struct world *w = *state;

	add_layer(w, DIR("") "{\"p\":\"x\",\"t\":\"f\",\"m\":\"4755\",\"u\":7,\"g\":0,\"T\":1}\n"
		  "{\"p\":\"y\",\"t\":\"h\",\"l\":\"x\"}\n");
	add_layer(w, DIR("") "{\"p\":\"z\",\"t\":\"H\",\"m\":\"0\",\"u\":0,\"g\":0,\"T\":0,\"l\":\"x\"}\n");
	read_it(w);
	expect(w, "@1 x@0 y@0 z@1", "@0");
	assert_ptr_equal(vet_find(&w->v, "y")->inode, vet_find(&w->v, "/z")->inode);
	assert_int_equal(vet_find(&w->v, "z")->inode->mode, 04755);
	assert_int_equal(vet_find(&w->v, "z")->inode->type, 'f');
}

static void test_links(void **state)
{
	struct world *w = *state;

	add_layer(w, DIR("") LINK("bin", "usr/bin") DIR("etc") LINK("etc/alt", "/bin/sh") FILE0("etc/passwd") LINK("loop", "loop")
		  LINK("out", "../../../etc/passwd") DIR("usr") DIR("usr/bin") FILE0("usr/bin/sh") LINK("usr/bin/x", "../../etc/./alt"));
	read_it(w);
	assert_string_equal(vet_find(&w->v, "/bin/sh")->path, "usr/bin/sh");
	assert_string_equal(vet_find(&w->v, "bin/x")->path, "usr/bin/sh");
	assert_string_equal(vet_lookup(&w->v, "bin/x")->path, "usr/bin/x");
	assert_string_equal(vet_find(&w->v, "out")->path, "etc/passwd");
	assert_string_equal(vet_find(&w->v, "//etc//passwd/")->path, "etc/passwd");
	assert_null(vet_find(&w->v, "loop"));
	assert_non_null(vet_lookup(&w->v, "loop"));
	assert_null(vet_find(&w->v, "etc/passwd/x"));
	assert_null(vet_find(&w->v, "nothing"));
	assert_string_equal(vet_find(&w->v, "/")->path, "");
}

static void test_below(void **state)
{
	struct world *w = *state;
	size_t first, n;

	/* "a-b" sorts between "a" and "a/x" as bytes, and not here. */
	add_layer(w, DIR("") DIR("a") FILE0("a/x") DIR("a/y") FILE0("a/y/z") FILE0("a-b") FILE0("ab"));
	read_it(w);
	vet_below(&w->v, "/a", &first, &n);
	assert_int_equal(n, 3);
	assert_string_equal(w->v.merged[first]->path, "a/x");
	vet_below(&w->v, "a/y", &first, &n);
	assert_int_equal(n, 1);
	vet_below(&w->v, "", &first, &n);
	assert_int_equal(n, 6);
	vet_below(&w->v, "no", &first, &n);
	assert_int_equal(n, 0);
}

static void test_damaged(void **state)
{
	struct world *w = *state;
	struct error e = { 0 };

	add_layer(w, DIR("") DIR("b") DIR("a"));
	assert_int_equal(vet_subject_read(&w->v, &w->src, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "line 4"));
}

static void write_file(const char *dir, const char *name, const char *text, mode_t mode)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void test_objects(void **state)
{
	struct world *w = *state;
	_cleanup_hash_ struct hash *h = hash_new();
	_cleanup_free_ char *lines = NULL;
	unsigned char sha[SHA256_LEN];
	char good[23], bad[23];
	struct vet_bytes b;

	hash_start(h);
	hash_add(h, "hello", 5);
	hash_end(h, sha);
	object_name(sha, good);
	object_name((const unsigned char *)"another thirty-two bytes long key", bad);
	write_file(w->dir, good, "hello", 0444);
	write_file(w->dir, bad, "hello", 0444);
	w->src.objects = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	lines = xasprintf(DIR("") "{\"p\":\"bad\",\"t\":\"f\",\"m\":\"644\",\"u\":0,\"g\":0,\"T\":1,\"s\":5,\"o\":\"%s\"}\n"
			  FILE0("empty") "{\"p\":\"good\",\"t\":\"f\",\"m\":\"644\",\"u\":0,\"g\":0,\"T\":1,\"s\":5,\"o\":\"%s\"}\n"
			  "{\"p\":\"lost\",\"t\":\"f\",\"m\":\"644\",\"u\":0,\"g\":0,\"T\":1,\"s\":5,\"o\":\"AAAAAAAAAAAAAAAAAAAAAA\"}\n", bad, good);
	add_layer(w, lines);
	read_it(w);
	assert_int_equal(vet_read(&w->v, vet_find(&w->v, "good"), 5, &b), 0);
	assert_int_equal(b.size, 5);
	assert_memory_equal(b.data, "hello", 5);
	vet_bytes_free(&b);
	assert_int_equal(vet_read(&w->v, vet_find(&w->v, "good"), 4, &b), -EFBIG);
	assert_int_equal(vet_read(&w->v, vet_find(&w->v, "empty"), 0, &b), 0);
	assert_int_equal(b.size, 0);
	assert_int_equal(vet_read(&w->v, vet_find(&w->v, "bad"), 5, &b), -EBADMSG);
	assert_int_equal(vet_read(&w->v, vet_find(&w->v, "lost"), 5, &b), -EIO);
	assert_int_equal(vet_read(&w->v, vet_find(&w->v, ""), 5, &b), -EINVAL);
	assert_int_equal(vet_bytes_read(&w->v), 5);
}

static void test_folder(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *sub = xasprintf("%s/sub", w->dir), *link = xasprintf("%s/link", w->dir), *pipe = xasprintf("%s/pipe", w->dir);
	struct vet_bytes b;
	struct error e = { 0 };

	assert_int_equal(mkdir(sub, 0755), 0);
	write_file(w->dir, "sub/file", "text", 0644);
	write_file(w->dir, "sub-x", "", 0755);
	assert_int_equal(symlink("/etc/passwd", link), 0);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_int_equal(vet_source_folder(&w->src, w->dir, &e), 0);
	read_it(w);
	expect(w, "@0 link@0 pipe@0 sub@0 sub/file@0 sub-x@0", "");
	assert_int_equal(vet_read(&w->v, vet_find(&w->v, "sub/file"), 100, &b), 0);
	assert_string_equal((const char *)b.data, "text");
	vet_bytes_free(&b);
	/* The link leads nowhere inside; the host's file of that name is not in the folder. */
	assert_null(vet_find(&w->v, "link"));
	assert_int_equal(vet_read(&w->v, vet_lookup(&w->v, "link"), 100, &b), -EINVAL);
	assert_int_equal(vet_read(&w->v, vet_find(&w->v, "pipe"), 100, &b), -EINVAL);
	/* What takes the file's place while we look is not followed. */
	_cleanup_free_ char *file = xasprintf("%s/sub/file", w->dir);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(symlink("/etc/passwd", file), 0);
	assert_int_equal(vet_read(&w->v, vet_find(&w->v, "sub/file"), 1000000, &b), -EIO);
}

static void test_folder_over_layers(void **state)
{
	struct world *w = *state;
	struct error e = { 0 };

	add_layer(w, DIR("") DIR("etc") FILE0("etc/passwd") FILE0("keep"));
	_cleanup_free_ char *etc = xasprintf("%s/etc", w->dir);
	assert_int_equal(mkdir(etc, 0755), 0);
	write_file(w->dir, "etc/passwd", "new", 0644);
	assert_int_equal(vet_source_folder(&w->src, w->dir, &e), 0);
	w->src.overlay = true;
	read_it(w);
	expect(w, "@0 etc@1 etc/passwd@1 keep@0", "etc@0 etc/passwd@0");
	assert_int_equal(w->v.n_layers, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_layers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replaced_folders, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hard_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_below, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_objects, setup, teardown),
		cmocka_unit_test_setup_teardown(test_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_folder_over_layers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
