/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image_json.h"

#include "base/cleanup.h"
#include "image/name.h"
#include "image/tree.h"

#include <unistd.h>

enum { VETTED_MAX = 1000 }; /* entries of one kind that are listed; all are counted */

static void note(json_t *vetting, const char *kind, json_t *what)
{
	json_t *list = json_object_get(vetting, kind);

	if (json_array_size(list) < VETTED_MAX)
		json_array_append_new(list, what);
	else
		json_decref(what);
}

/* Names that are not UTF-8 are shown as str_escape() spells them: JSON holds no other bytes. */
static json_t *path_json(const char *path)
{
	_cleanup_free_ char *absolute = xasprintf("/%s", path), *safe = str_escape(absolute);

	return json_string(safe);
}

static void vet_line(json_t *vetting, const struct table_line *l)
{
	const struct inode *in = &l->inode;

	if (in->type == 'f' && (in->mode & 06000)) {
		json_t *file = json_object();
		char mode[8];

		snprintf(mode, sizeof(mode), "%04o", in->mode);
		json_object_set_new(file, "Path", path_json(l->path));
		json_object_set_new(file, "Mode", json_string(mode));
		json_object_set_new(file, "Uid", json_integer(in->uid));
		json_object_set_new(file, "Gid", json_integer(in->gid));
		note(vetting, "SetId", file);
	}
	if (in->type == 'p')
		note(vetting, "Fifos", path_json(l->path));
	for (const struct xattr *x = in->dropped; x; x = x->next) {
		bool caps = streq(x->name, "security.capability");
		_cleanup_free_ char *hex = xmalloc(2 * x->len + 1);
		json_t *attr = json_object();

		hex_encode(x->value, x->len, hex);
		json_object_set_new(attr, "Path", path_json(l->path));
		if (caps)
			json_object_set_new(attr, "Value", json_string(hex));
		else
			json_object_set_new(attr, "Name", json_string(x->name));
		note(vetting, caps ? "Capabilities" : "Attributes", attr);
	}
}

static int vet(const struct image *img, json_t *vetting, struct error *e)
{
	_cleanup_(table_unmap) struct table_map m = { 0 };
	_cleanup_(table_line_free) struct table_line line = { 0 };
	_cleanup_close_ int dir = tree_dir(img->tree, e);
	const char *p, *end;
	int r;

	if (dir < 0)
		return dir;
	r = table_map(dir, &m);
	p = r < 0 ? NULL : table_body(m.data, m.size, NULL);
	end = m.data + m.size;
	while (p && p < end) {
		if (table_line_parse(&p, end, &line) < 0)
			p = NULL;
		else
			vet_line(vetting, &line);
	}
	return p ? 0 : error_set(e, r < 0 ? r : -EBADMSG, "the table of image %.12s cannot be read", img->id);
}

static json_t *names_json(const struct image *img, bool digests)
{
	json_t *list = json_array();

	strv_foreach(it, img->names) {
		size_t n;

		name_tag(*it, &n);
		_cleanup_free_ char *pinned = xasprintf("%.*s@sha256:%s", (int)n, *it, img->manifest);
		json_array_append_new(list, json_string(digests ? pinned : *it));
	}
	return list;
}

static void copy_member(json_t *to, const char *name, const json_t *from, const char *key)
{
	json_t *v = json_object_get(from, key);

	json_object_set(to, name, v ? v : json_null());
}

json_t *image_json(const struct image *img, struct error *e)
{
	_cleanup_free_ char *id = xasprintf("sha256:%s", img->id);
	_cleanup_json_ json_t *vetting = json_pack("{s:[],s:[],s:[],s:[]}", "SetId", "Capabilities", "Attributes", "Fifos");
	json_t *j = json_object(), *rootfs = json_object_get(img->config, "rootfs");
	struct tree_ids ids;

	if (vet(img, vetting, e) < 0 || tree_ids_read(img->tree, &ids, e) < 0) {
		json_decref(j);
		return NULL;
	}
	json_object_set_new(j, "Id", json_string(id));
	json_object_set_new(j, "RepoTags", names_json(img, false));
	json_object_set_new(j, "RepoDigests", names_json(img, true));
	copy_member(j, "Created", img->config, "created");
	copy_member(j, "Author", img->config, "author");
	copy_member(j, "Architecture", img->config, "architecture");
	copy_member(j, "Variant", img->config, "variant");
	copy_member(j, "Os", img->config, "os");
	json_object_set_new(j, "Size", json_integer((json_int_t)img->size));
	copy_member(j, "Config", img->config, "config");
	json_object_set_new(j, "RootFS", json_pack("{s:s,s:O?}", "Type", "layers", "Layers",
						   json_object_get(rootfs, "diff_ids")));
	json_object_set_new(j, "Pulled", img->pulled ? json_string(img->pulled) : json_null());
	json_object_set_new(j, "Local", json_boolean(img->local));
	json_object_set_new(j, "Tree", json_string(img->tree));
	json_object_set_new(j, "Ids", json_integer((json_int_t)(ids.n_uids > ids.n_gids ? ids.n_uids : ids.n_gids)));
	json_object_set(j, "Vetting", vetting);
	tree_ids_free(&ids);
	return j;
}
