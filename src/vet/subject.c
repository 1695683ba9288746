/* SPDX-License-Identifier: Apache-2.0 */
/* From tables and folders to one list of files, layer by layer, and to what a container sees of them. */
#include "vet/internal.h"

#include "base/cleanup.h"

#include <string.h>

struct vet_entry *vet_entry_add(struct vet_entries *to)
{
	if (to->n == to->cap) {
		to->cap = to->cap ? to->cap * 2 : 1024;
		to->list = xrealloc(to->list, to->cap, sizeof(*to->list));
	}
	to->list[to->n] = (struct vet_entry){ 0 };
	return &to->list[to->n++];
}

static const struct inode *entry_find(const struct vet_entries *in, const char *path)
{
	size_t low = 0, high = in->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = table_path_cmp(path, in->list[mid].file.path);

		if (c == 0)
			return in->list[mid].file.inode;
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* Indices into the files, in order of paths: what the layers so far show. */
struct view {
	uint32_t *at;
	size_t n, cap;
};

static void view_add(struct view *w, uint32_t i)
{
	if (w->n == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 1024;
		w->at = xrealloc(w->at, w->cap, sizeof(*w->at));
	}
	w->at[w->n++] = i;
}

static const struct inode *view_find(const struct vet_subject *s, const struct view *w, const char *path)
{
	size_t low = 0, high = w->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = table_path_cmp(path, s->files[w->at[mid]].path);

		if (c == 0)
			return s->files[w->at[mid]].inode;
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static const struct inode *copy_inode(struct tree *t, const struct inode *from)
{
	struct inode *to = tree_inode(t, from->type);

	*to = *from;
	to->mark = NULL;
	to->xattrs = to->dropped = NULL;
	if (from->target)
		to->target = tree_strdup(t, from->target, strlen(from->target));
	for (const struct xattr *x = from->xattrs; x; x = x->next)
		to->xattrs = tree_xattr(t, to->xattrs, x->name, x->value, x->len);
	for (const struct xattr *x = from->dropped; x; x = x->next)
		to->dropped = tree_xattr(t, to->dropped, x->name, x->value, x->len);
	return to;
}

/* A hard link's inode is that of its target: of this layer, or (H) of what lies below. */
static int take_line(struct vet_subject *s, const struct view *below, const struct table_line *l, uint16_t layer, struct vet_entries *to)
{
	const struct inode *inode = NULL;
	struct vet_entry *entry;

	if (to->n && table_path_cmp(to->list[to->n - 1].file.path, l->path) >= 0)
		return -EBADMSG;
	if (l->inode.type == 'h' || l->inode.type == 'H') {
		inode = l->inode.type == 'h' ? entry_find(to, l->inode.target) : view_find(s, below, l->inode.target);
		if (!inode || inode->type != 'f')
			return -EBADMSG;
	} else if (l->inode.type != '-') {
		inode = copy_inode(&s->arena, &l->inode);
	}
	entry = vet_entry_add(to);
	entry->file.path = tree_strdup(&s->arena, l->path, l->path_len);
	entry->file.inode = inode;
	entry->file.layer = layer;
	entry->file.whiteout = !inode;
	entry->white = l->white;
	entry->opaque = l->opaque;
	entry->implied = l->implied;
	return 0;
}

static int read_table(struct vet_subject *s, const struct view *below, const struct table_map *m, uint16_t layer, struct vet_entries *to,
		      struct error *e)
{
	_cleanup_(table_line_free) struct table_line line = { 0 };
	const char *p = table_body(m->data, m->size, NULL), *end = m->data + m->size;

	if (!p)
		return error_set(e, EBADMSG, "layer %u: no table of files", layer);
	for (size_t number = 2; p < end; number++) {
		int r = table_line_parse(&p, end, &line);

		if (r == 0)
			r = take_line(s, below, &line, layer, to);
		if (r < 0)
			return error_set(e, r, "layer %u: its table of files is damaged in line %zu", layer, number);
	}
	return 0;
}

static uint32_t add_file(struct vet_subject *s, const struct vet_file *f)
{
	if (s->n_files == s->cap_files) {
		s->cap_files = s->cap_files ? s->cap_files * 2 : 4096;
		s->files = xrealloc(s->files, s->cap_files, sizeof(*s->files));
	}
	s->files[s->n_files] = *f;
	if (f->inode && f->inode->type == 'f')
		s->bytes += f->inode->size;
	return (uint32_t)s->n_files++;
}

static bool is_below(const char *dir, const char *path)
{
	const char *rest = dir ? str_after(path, dir) : NULL;

	return rest && (*dir ? *rest == '/' : *rest != 0);
}

/* True when a folder of the layer joins the folder below it. */
static bool joins(const struct vet_file *below, const struct vet_entry *entry)
{
	return below && !entry->white && entry->file.inode && entry->file.inode->type == 'd' && below->inode->type == 'd';
}

struct merge {
	struct vet_subject *s;
	struct view next;
	const char *gone; /* what is below this path in lower layers is hidden: everything of a folder follows it in the order of paths */
};

static void hide(struct merge *m, const char *dir)
{
	if (!is_below(m->gone, dir))
		m->gone = dir;
}

/* One entry over what stands at the same path below it (index `under`, or -1), which is dealt with. */
static void lay(struct merge *m, const struct vet_entry *entry, ssize_t under)
{
	struct vet_subject *s = m->s;
	bool join = joins(under < 0 ? NULL : &s->files[under], entry), shown = entry->file.inode && entry->file.inode->type != 'c';
	uint32_t at;

	if (join && entry->implied) {
		view_add(&m->next, (uint32_t)under);
		if (entry->opaque)
			hide(m, entry->file.path);
		return;
	}
	at = add_file(s, &entry->file);
	if (!shown && !entry->white) {
		if (under >= 0)
			view_add(&m->next, (uint32_t)under);
		return;
	}
	if (under >= 0)
		s->files[under].hidden = true;
	if (!join || entry->opaque)
		hide(m, s->files[at].path);
	if (shown)
		view_add(&m->next, at);
}

/* Both lists are in the order of paths; so is the result. */
static void merge_layer(struct vet_subject *s, struct view *below, const struct vet_entries *layer)
{
	struct merge m = { .s = s };
	size_t i = 0, j = 0;

	while (i < below->n || j < layer->n) {
		struct vet_file *under = i < below->n ? &s->files[below->at[i]] : NULL;
		const struct vet_entry *over = j < layer->n ? &layer->list[j] : NULL;
		int c = !under ? 1 : !over ? -1 : table_path_cmp(under->path, over->file.path);

		if (c <= 0 && is_below(m.gone, under->path)) {
			under->hidden = true;
			i++;
		} else if (c < 0) {
			view_add(&m.next, below->at[i++]);
		} else {
			lay(&m, over, c == 0 ? (ssize_t)below->at[i] : -1);
			i += c == 0;
			j++;
		}
	}
	free(below->at);
	*below = m.next;
}

/* The lines of the image's history that made layers, in order. */
static void note_history(const struct vet_source *src, struct vet_layer *layers, size_t n)
{
	const json_t *history = json_object_get(src->config, "history"), *item;
	size_t i, at = 0;

	json_array_foreach(history, i, item) {
		if (json_is_true(json_object_get(item, "empty_layer")))
			continue;
		if (at >= n)
			return;
		layers[at++].history = json_string_value(json_object_get(item, "created_by"));
	}
}

static void finish(struct vet *v, struct vet_subject *s, const struct view *w)
{
	s->told = xcalloc(s->n_files + 1, 1);
	s->merged = xcalloc(w->n + 1, sizeof(*s->merged));
	for (size_t i = 0; i < w->n; i++)
		s->merged[i] = &s->files[w->at[i]];
	v->files = s->files;
	v->n_files = s->n_files;
	v->merged = s->merged;
	v->n_merged = w->n;
	for (size_t i = 0; i < s->n_files; i++)
		if (s->files[i].inode && s->files[i].inode->type == 'f')
			s->layers[s->files[i].layer].size += s->files[i].inode->size;
}

int vet_subject_read(struct vet *v, const struct vet_source *src, struct error *e)
{
	struct vet_subject *s = xcalloc(1, sizeof(*s));
	struct view w = { 0 };
	size_t n = src->n_tables + (src->folder >= 0);
	int r = 0;

	tree_init(&s->arena);
	s->objects = src->objects;
	s->folder = src->folder;
	s->folder_layer = src->folder >= 0 ? (uint16_t)src->n_tables : UINT16_MAX;
	s->layers = xcalloc(n + 1, sizeof(*s->layers));
	v->subject = s;
	v->layers = s->layers;
	v->n_layers = n;
	note_history(src, s->layers, src->n_tables);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct vet_entries entries = { 0 };

		if (i < src->n_tables) {
			memcpy(s->layers[i].diff_id, src->diff_ids[i], sizeof(s->layers[i].diff_id));
			r = read_table(s, &w, &src->tables[i], (uint16_t)i, &entries, e);
		} else {
			r = vet_folder_read(v, src, (uint16_t)i, &entries, e);
		}
		if (r == 0)
			merge_layer(s, &w, &entries);
		free(entries.list);
	}
	finish(v, s, &w);
	free(w.at);
	return r;
}

void vet_subject_free(struct vet *v)
{
	struct vet_subject *s = v->subject;

	if (!s)
		return;
	tree_free(&s->arena);
	free(s->layers);
	free(s->files);
	free(s->merged);
	free(s->told);
	free(s);
	v->subject = NULL;
	v->files = NULL;
	v->merged = NULL;
	v->layers = NULL;
	v->n_files = v->n_merged = v->n_layers = 0;
}

uint64_t vet_subject_bytes(const struct vet *v)
{
	return v->subject->bytes;
}

uint64_t vet_bytes_read(const struct vet *v)
{
	return v->subject->read;
}
