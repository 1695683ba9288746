/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's tar archive: whatever is accepted becomes a tree whose table is read back the same, in which every name is
 * one harmless part, every hard link has its file, and which can be laid over another one or is refused as a whole.
 */
#include "base/cleanup.h"
#include "base/path.h"
#include "image/layer.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t left, chunk;
};

static ssize_t read_input(void *arg, void *to, size_t n, struct error *e)
{
	struct input *in = arg;

	(void)e;
	n = n < in->chunk ? n : in->chunk;
	n = n < in->left ? n : in->left;
	memcpy(to, in->data, n);
	in->data += n;
	in->left -= n;
	return (ssize_t)n;
}

static void need(int ok)
{
	if (!ok)
		abort();
}

/* A folder below the working folder, emptied now and then. */
static int staging(void)
{
	static const char name[] = "objects";
	static int fd = -1;
	static unsigned runs;

	if (fd < 0 || ++runs % 4096 == 0) {
		if (fd >= 0)
			close(fd);
		path_remove_tree(AT_FDCWD, name);
		need(mkdir(name, 0700) == 0);
		fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		need(fd >= 0);
	}
	return fd;
}

static void check_names(const struct node *n)
{
	for (const struct node *c = n->children; c; c = c->sibling) {
		need(path_is_part(c->name));
		need(!str_after(c->name, ".wh."));
		need(!c->inode || n->inode);
		need(!c->inode || n->inode->type == 'd');
		check_names(c);
	}
}

static char *table_of(struct tree *t, size_t *n)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, n);

	if (table_write(t, f, NULL, NULL) < 0) {
		fclose(f);
		free(text);
		return NULL;
	}
	fclose(f);
	return text;
}

static void check_tree(struct tree *tree)
{
	_cleanup_free_ char *first = NULL, *second = NULL;
	_cleanup_(table_line_free) struct table_line line = { 0 };
	_cleanup_tree_ struct tree again = { 0 }, lower = { 0 };
	const char *p, *end;
	size_t n, m;

	check_names(tree->root);
	first = table_of(tree, &n);
	if (!first)
		return;
	tree_init(&again);
	need(table_read(&again, first, n, "table", NULL) == 0);
	second = table_of(&again, &m);
	need(second && n == m && memcmp(first, second, n) == 0);
	/* each entry is found by its name */
	end = first + n;
	for (p = table_body(first, n, NULL); p < end;) {
		_cleanup_free_ char *path = NULL;

		need(table_line_parse(&p, end, &line) == 0);
		path = xstrdup(line.path);
		need(table_find(first, n, path, &line) == 0);
		need(streq(line.path, path));
	}
	tree_init(&lower);
	if (tree_apply(&lower, tree, NULL) == 0)
		check_names(lower.root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct image_limits limits = { .bytes = 1 << 24, .file = 1 << 20, .entries = 2000, .ratio = 100 };
	struct input in = { data, size, size & 1 ? 700 : 1 << 20 };
	struct tar t = { .read = read_input, .arg = &in, .need_end = size & 2 };
	static struct objects o; /* its buffer is large: one for all runs */
	struct layer_seen seen;
	struct error e = { 0 };
	struct tree tree;

	if (!o.hash)
		objects_init(&o, -1, -1);
	o.staging = staging();
	tar_open(&t);
	tree_init(&tree);
	if (layer_read(&t, &tree, &o, &limits, size & 4, &seen, &e) == 0)
		check_tree(&tree);
	else
		need(e.code < 0 && e.text[0]);
	tree_free(&tree);
	tar_close(&t);
	return 0;
}
