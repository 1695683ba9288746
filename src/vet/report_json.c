/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/report.h"

#include "base/cleanup.h"

#include <stdlib.h>

static json_t *finding(const struct vet_finding *f)
{
	json_t *j = json_object();

	json_object_set_new(j, "level", json_string(vet_level_name(f->level)));
	json_object_set_new(j, "check", vet_json(f->check));
	json_object_set_new(j, "rule", vet_json(f->rule));
	json_object_set_new(j, "title", vet_json(f->title));
	json_object_set_new(j, "why", vet_json(f->why));
	if (f->path)
		json_object_set_new(j, "path", vet_json(f->path));
	if (f->layer >= 0)
		json_object_set_new(j, "layer", json_integer(f->layer));
	if (f->hidden)
		json_object_set_new(j, "hidden", json_true());
	if (f->more)
		json_object_set(j, "more", f->more);
	return j;
}

static json_t *layers(const struct vet *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n_layers; i++) {
		const struct vet_layer *l = &v->layers[i];
		json_t *j = json_object();

		if (l->diff_id[0])
			json_object_set_new(j, "diff_id", json_sprintf("sha256:%s", l->diff_id));
		if (l->history)
			json_object_set_new(j, "history", vet_json(l->history));
		json_object_set_new(j, "size", json_integer((json_int_t)l->size));
		json_array_append_new(list, j);
	}
	return list;
}

void vet_report_json(const struct vet *v, struct buf *out)
{
	_cleanup_json_ json_t *doc = json_object();
	json_t *counts = json_object(), *list = json_array();
	size_t by_level[VET_LEVELS];
	char *text;

	vet_count(v, by_level);
	for (size_t i = 0; i < v->n_findings; i++)
		json_array_append_new(list, finding(&v->findings[i]));
	for (int i = 0; i < VET_LEVELS; i++)
		json_object_set_new(counts, vet_level_name((enum vet_level)i), json_integer((json_int_t)by_level[i]));
	json_object_set_new(doc, "vet", json_integer(1));
	json_object_set_new(doc, "brig", json_string(BRIG_VERSION));
	json_object_set_new(doc, "name", vet_json(v->name));
	if (v->digest)
		json_object_set_new(doc, "digest", json_sprintf("sha256:%s", v->digest));
	json_object_set_new(doc, "counts", counts);
	json_object_set_new(doc, "findings", list);
	json_object_set_new(doc, "layers", layers(v));
	json_object_set_new(doc, "files", json_integer((json_int_t)v->n_files));
	if (v->facts)
		json_object_set(doc, "facts", v->facts);
	if (v->packages)
		json_object_set(doc, "packages", v->packages);
	text = json_dumps(doc, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	buf_puts(out, text ? text : "{}");
	buf_puts(out, "\n");
	free(text);
}
