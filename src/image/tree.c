/* SPDX-License-Identifier: Apache-2.0 */
#include "image/tree.h"

#include "base/cleanup.h"

#include <string.h>
#include <sys/random.h>

/* Nodes are many, small and die together. */
struct block {
	struct block *next;
	size_t used, size;
	_Alignas(16) char data[];
};

enum { BLOCK_FIRST = 4 * 1024, BLOCK_MAX = 256 * 1024 };

void *tree_alloc(struct tree *t, size_t n)
{
	struct block *b = t->blocks;

	n = (n + 15) & ~(size_t)15;
	if (!b || b->size - b->used < n) {
		size_t size = !b ? BLOCK_FIRST : b->size * 4 < BLOCK_MAX ? b->size * 4 : BLOCK_MAX;

		size = n > size ? n : size;
		b = xmalloc(sizeof(*b) + size);
		b->next = t->blocks;
		b->used = 0;
		b->size = size;
		t->blocks = b;
	}
	void *p = b->data + b->used;
	b->used += n;
	memset(p, 0, n);
	return p;
}

char *tree_strdup(struct tree *t, const char *s, size_t n)
{
	char *copy = tree_alloc(t, n + 1);

	memcpy(copy, s, n);
	return copy;
}

struct xattr *tree_xattr(struct tree *t, const struct xattr *next, const char *name, const void *value, size_t len)
{
	struct xattr *x = tree_alloc(t, sizeof(*x));

	x->next = (struct xattr *)next;
	x->name = tree_strdup(t, name, strlen(name));
	x->value = tree_strdup(t, value ? value : "", len);
	x->len = len;
	return x;
}

struct inode *tree_inode(struct tree *t, char type)
{
	struct inode *i = tree_alloc(t, sizeof(*i));

	i->type = type;
	return i;
}

static struct node *node_new(struct tree *t, struct node *parent, const char *name, size_t n)
{
	struct node *node = tree_alloc(t, sizeof(*node) + n + 1);

	memcpy(node->name, name, n);
	node->name_len = (uint8_t)n;
	node->parent = parent;
	if (parent) {
		node->depth = (uint8_t)(parent->depth + 1);
		node->sibling = parent->children;
		parent->children = node;
	}
	t->n_nodes++;
	return node;
}

void tree_init(struct tree *t)
{
	*t = (struct tree){ 0 };
	/* A secret start makes it hopeless to prepare names that all fall into one bucket. */
	if (getrandom(&t->seed, sizeof(t->seed), 0) != sizeof(t->seed))
		t->seed = 0x9e3779b97f4a7c15u ^ (uintptr_t)t;
	t->n_buckets = 1024;
	t->buckets = xcalloc(t->n_buckets, sizeof(*t->buckets));
	t->root = node_new(t, NULL, "", 0);
}

void tree_free(struct tree *t)
{
	while (t->blocks) {
		struct block *b = t->blocks;

		t->blocks = b->next;
		free(b);
	}
	free(t->buckets);
	*t = (struct tree){ 0 };
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	__uint128_t r = (__uint128_t)(a ^ 0xa0761d6478bd642fu) * (b ^ 0xe7037ed1a0b428dbu);

	return (uint64_t)r ^ (uint64_t)(r >> 64);
}

static uint64_t hash_name(const struct tree *t, const struct node *dir, const char *name, size_t n)
{
	uint64_t h = mix(t->seed, (uintptr_t)dir), w;

	for (; n >= 8; n -= 8, name += 8) {
		memcpy(&w, name, 8);
		h = mix(h ^ w, t->seed);
	}
	w = 0;
	memcpy(&w, name, n);
	return mix(h ^ w, t->seed + n);
}

static void grow(struct tree *t)
{
	size_t n = t->n_buckets * 4;
	struct node **b = xcalloc(n, sizeof(*b));

	for (size_t i = 0; i < t->n_buckets; i++) {
		for (struct node *node = t->buckets[i], *next; node; node = next) {
			next = node->chain;
			node->chain = b[node->hash & (n - 1)];
			b[node->hash & (n - 1)] = node;
		}
	}
	free(t->buckets);
	t->buckets = b;
	t->n_buckets = n;
}

struct node *tree_child(struct tree *t, struct node *dir, const char *name, size_t n, bool make)
{
	uint64_t hash = hash_name(t, dir, name, n);
	struct node *node;

	for (node = t->buckets[hash & (t->n_buckets - 1)]; node; node = node->chain)
		if (node->hash == hash && node->parent == dir && node->name_len == n &&
		    memcmp(node->name, name, n) == 0)
			return node;
	if (!make)
		return NULL;
	if (t->n_nodes >= t->n_buckets)
		grow(t);
	node = node_new(t, dir, name, n);
	node->hash = hash;
	node->chain = t->buckets[hash & (t->n_buckets - 1)];
	t->buckets[hash & (t->n_buckets - 1)] = node;
	return node;
}

int tree_walk(struct tree *t, const char *path, bool make, struct node **out)
{
	struct node *node = t->root;

	*out = NULL;
	if (strlen(path) > TREE_PATH_MAX)
		return -ENAMETOOLONG;
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 0 || (n == 1 && path[0] == '.') || (n == 2 && path[0] == '.' && path[1] == '.'))
			return -EINVAL;
		if (n > TREE_NAME_MAX || node->depth >= TREE_DEPTH_MAX)
			return -ENAMETOOLONG;
		node = tree_child(t, node, path, n, make);
		if (!node)
			return -ENOENT;
		path += n;
		if (*path == '/' && !*++path)
			return -EINVAL;
	}
	*out = node;
	return 0;
}

void tree_remove_children(struct node *n)
{
	for (struct node *c = n->children; c; c = c->sibling)
		tree_remove(c);
}

/* Depth is bounded by TREE_DEPTH_MAX. A node without inode has no living children. */
void tree_remove(struct node *n)
{
	if (!n->inode)
		return;
	n->inode = NULL;
	n->white = n->opaque = n->implied = false;
	tree_remove_children(n);
}

char *tree_path(const struct node *n)
{
	size_t len = 0;
	char *path, *p;

	for (const struct node *i = n; i->parent; i = i->parent)
		len += i->name_len + 1u;
	if (len == 0)
		return xstrdup("");
	path = xmalloc(len);
	p = path + len - 1;
	*p = 0;
	for (const struct node *i = n; i->parent; i = i->parent) {
		p -= i->name_len;
		memcpy(p, i->name, i->name_len);
		if (p > path)
			*--p = '/';
	}
	return path;
}

static int wrong(struct error *e, int err, const struct node *n, const char *what)
{
	_cleanup_free_ char *path = tree_path(n), *shown = str_escape(path);

	return error_set(e, err, "entry \"%s\": %s", shown, what);
}

struct apply {
	struct tree *to;
	struct error *e;
	/* Hard links into lower layers, found before anything is changed; their inodes are marked with the target's. */
	struct link {
		const struct node *node;
		const struct node *target;
	} *links;
	size_t n_links, cap_links;
};

static int find_links(struct apply *a, const struct node *n)
{
	for (const struct node *c = n->children; c; c = c->sibling) {
		struct node *target;
		int r;

		if (!c->inode)
			continue;
		r = find_links(a, c);
		if (r < 0)
			return r;
		if (c->inode->type != 'H')
			continue;
		r = tree_walk(a->to, c->inode->target, false, &target);
		if (r < 0 || !target->inode)
			return wrong(a->e, ENOENT, c, "a hard link to a file that does not exist");
		if (target->inode->type != 'f')
			return wrong(a->e, EINVAL, c, "a hard link to something that is not a regular file");
		if (a->n_links == a->cap_links) {
			a->cap_links = a->cap_links ? a->cap_links * 2 : 16;
			a->links = xrealloc(a->links, a->cap_links, sizeof(*a->links));
		}
		a->links[a->n_links++] = (struct link){ c, target };
		c->inode->mark = target->inode;
	}
	return 0;
}

/* The inode in the target tree for one of the layer; hard-linked ones stay shared through their mark. */
static struct inode *carry_inode(struct tree *t, struct inode *from)
{
	struct inode *to;

	if (from->mark)
		return (struct inode *)from->mark;
	to = tree_inode(t, from->type);
	*to = *from;
	to->mark = NULL;
	to->xattrs = to->dropped = NULL;
	if (from->target)
		to->target = tree_strdup(t, from->target, strlen(from->target));
	for (const struct xattr *x = from->xattrs; x; x = x->next)
		to->xattrs = tree_xattr(t, to->xattrs, x->name, x->value, x->len);
	for (const struct xattr *x = from->dropped; x; x = x->next)
		to->dropped = tree_xattr(t, to->dropped, x->name, x->value, x->len);
	from->mark = to;
	return to;
}

static int apply_node(struct apply *a, struct node *from, struct node *to);

static int apply_children(struct apply *a, struct node *from, struct node *to)
{
	for (struct node *c = from->children; c; c = c->sibling) {
		int r;

		if (!c->inode && !c->white)
			continue;
		r = apply_node(a, c, tree_child(a->to, to, c->name, c->name_len, true));
		if (r < 0)
			return r;
	}
	return 0;
}

static int apply_node(struct apply *a, struct node *from, struct node *to)
{
	struct inode *in = from->inode;

	if (from->white)
		tree_remove(to);
	if (!in || in->type == 'c')
		return 0;
	if (in->type != 'd') {
		tree_remove(to);
		to->inode = carry_inode(a->to, in);
		return 0;
	}
	if (to->inode && to->inode->type != 'd') {
		if (from->implied)
			return wrong(a->e, ENOTDIR, from,
				     "things are put below it, but in a lower layer it is not a folder");
		tree_remove(to);
	}
	if (from->opaque)
		tree_remove_children(to);
	if (!to->inode || !from->implied)
		to->inode = carry_inode(a->to, in);
	return apply_children(a, from, to);
}

int tree_apply(struct tree *t, struct tree *layer, struct error *e)
{
	struct apply a = { .to = t, .e = e };
	int r;

	r = find_links(&a, layer->root);
	if (r == 0)
		r = apply_node(&a, layer->root, t->root);
	for (size_t i = 0; r == 0 && i < a.n_links; i++)
		if (a.links[i].target->inode != a.links[i].node->inode->mark)
			r = wrong(e, EINVAL, a.links[i].node, "a hard link to a file that the same layer removes");
	free(a.links);
	return r;
}
