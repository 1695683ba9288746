/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/source.h"

#include "base/cleanup.h"
#include "base/conf.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"
#include "image/index.h"
#include "image/load.h"
#include "image/name.h"
#include "image/proof.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t bill_max = 256 << 20;

void vet_source_init(struct vet_source *s)
{
	*s = (struct vet_source){ .objects = -1, .folder = -1 };
}

void vet_source_free(struct vet_source *s)
{
	for (size_t i = 0; i < s->n_tables; i++)
		table_unmap(&s->tables[i]);
	free(s->tables);
	free(s->bill);
	free(s->diff_ids);
	free(s->name);
	free(s->image);
	free(s->digest);
	json_decref(s->config);
	strv_free(s->not_looked);
	cleanup_close(&s->objects);
	cleanup_close(&s->folder);
	vet_source_init(s);
}

/* That the table is what its bytes were unpacked to: brig says so when it does that, under a key outside of the store (image/proof.h). */
static int check_table(int dir, const char *kind, const char *hex, struct error *e)
{
	struct store_key key;
	const char *what;
	int r = store_key_read(&key, e);

	if (r < 0)
		return r;
	r = proof_check(dir, streq(kind, "trees") ? PROOF_TREE : PROOF_LAYER, hex, &key, &what);
	explicit_bzero(&key, sizeof(key));
	if (r == 0)
		return 0;
	if (r == -ENOKEY)
		error_set(e, EUCLEAN, "%s/%.12s: nothing proves its table of files: it was unpacked under another key, or before brig kept one", kind, hex);
	else
		error_set(e, EUCLEAN, "%s/%.12s/%s is not what was unpacked", kind, hex, what);
	error_hint(e, "brig image rm it, then load or pull it again");
	return -EUCLEAN;
}

/* The table of layers/HEX or trees/HEX. */
static int add_table(struct vet_source *s, const char *kind, const char *hex, struct error *e)
{
	_cleanup_close_ int all = home_data_dir(kind, e), dir = -1;
	struct table_map map;
	int r;

	if (all < 0)
		return all;
	dir = openat(all, hex, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return error_errno(e, errno, "%s/%.12s", kind, hex);
	r = check_table(dir, kind, hex, e);
	if (r < 0)
		return r;
	r = table_map(dir, &map);
	if (r < 0)
		return error_errno(e, r, "%s/%.12s", kind, hex);
	s->tables = xrealloc(s->tables, s->n_tables + 1, sizeof(*s->tables));
	s->diff_ids = xrealloc(s->diff_ids, s->n_tables + 1, sizeof(*s->diff_ids));
	s->tables[s->n_tables] = map;
	memcpy(s->diff_ids[s->n_tables++], hex, DIGEST_SIZE);
	return 0;
}

static int add_layers(struct vet_source *s, const struct image *img, struct error *e)
{
	const json_t *ids = json_object_get(json_object_get(img->config, "rootfs"), "diff_ids"), *item;
	size_t i;

	if (!json_is_array(ids))
		return error_set(e, EBADMSG, "image %.12s: its configuration names no layers", img->id);
	if (json_array_size(ids) >= UINT16_MAX)
		return error_set(e, EFBIG, "image %.12s: too many layers", img->id);
	json_array_foreach(ids, i, item) {
		const char *text = json_string_value(item), *hex = text ? digest_hex(text) : NULL;
		int r = hex ? add_table(s, "layers", hex, e) :
			      error_set(e, EBADMSG, "image %.12s: layer %zu has no digest", img->id, i + 1);

		if (r < 0)
			return r;
	}
	return 0;
}

static int open_objects(struct vet_source *s, struct error *e)
{
	s->objects = store_objects(e);
	return s->objects < 0 ? s->objects : 0;
}

static int take_image(struct vet_source *s, struct image *img, struct error *e)
{
	int r = add_layers(s, img, e);

	if (r == 0)
		r = open_objects(s, e);
	if (r == 0) {
		s->digest = xstrdup(img->manifest);
		s->config = json_incref(img->config);
		s->image = xstrdup(img->name ? img->name : img->names[0]);
	}
	return r;
}

int vet_source_image(struct vet_source *s, const char *ref, struct error *e)
{
	_cleanup_close_ int lock = -1;
	struct image img;
	int r;

	/* Nobody removes what is being opened; once it is open, it stays readable. */
	lock = store_lock(false, true, e);
	if (lock < 0)
		return lock;
	r = image_find(ref, &img, e);
	if (r < 0)
		return r;
	r = take_image(s, &img, e);
	s->name = xstrdup(s->image ? s->image : ref);
	image_free(&img);
	return r;
}

int vet_source_layers(struct vet_source *s, const char *image_id, const char *tree, struct error *e)
{
	_cleanup_free_ char *ref = image_id ? xasprintf("sha256:%s", image_id) : NULL;
	_cleanup_close_ int lock = store_lock(false, true, e);
	struct image img;
	int r;

	if (lock < 0)
		return lock;
	if (ref && image_find(ref, &img, NULL) == 0) {
		r = take_image(s, &img, e);
		image_free(&img);
		return r;
	}
	strv_add_copy(&s->not_looked, "the image's layers one by one, and its configuration: the image was removed, its files are looked at as "
				      "the container sees them");
	r = add_table(s, "trees", tree, e);
	return r < 0 ? r : open_objects(s, e);
}

int vet_source_folder(struct vet_source *s, const char *path, struct error *e)
{
	s->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->folder < 0)
		return error_errno(e, errno, "cannot open %s", path);
	s->name = xstrdup(path);
	return 0;
}

int vet_source_bill(struct vet_source *s, const char *path, struct error *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r = fd < 0 ? -errno : fd_read_all(fd, bill_max, &s->bill, &s->bill_size);

	if (r < 0)
		return error_errno(e, r, "cannot read %s", path);
	s->name = xstrdup(path);
	return 0;
}

/* A store that nobody else knows, as brig's data folder until home_data_use(NULL). */
static int make_scratch(char **scratch, struct error *e)
{
	const char *tmp = getenv("TMPDIR");
	_cleanup_free_ char *path = xasprintf("%s/brig-vet-XXXXXX", tmp && tmp[0] == '/' ? tmp : "/var/tmp");

	if (!mkdtemp(path))
		return error_errno(e, errno, "cannot make %s", path);
	*scratch = steal_ptr(&path);
	return home_data_use(*scratch, e);
}

int vet_source_archive(struct vet_source *s, const struct vet_archive *a, char **scratch, struct error *e)
{
	_cleanup_close_ int input = open(a->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct load_request req = { .what = a->path, .platform = a->platform, .accept_no_landlock = a->accept_no_landlock,
				    .keep_names = true, .progress = a->progress, .arg = a->arg };
	struct load_result got = { 0 };
	struct conf conf;
	int r, back;

	if (input < 0)
		return error_errno(e, errno, "cannot open %s", a->path);
	r = conf_load(&conf, e);
	if (r < 0)
		return r;
	req.limits = image_limits_of(&conf);
	conf_free(&conf);
	r = make_scratch(scratch, e);
	if (r < 0)
		return r;
	req.input = input;
	r = image_load(&req, &got, e);
	if (r == 0 && got.n > 1 && !streq(got.images[0].id, got.images[got.n - 1].id))
		strv_add_copy(&s->not_looked, "all images but the first: there are several in it");
	if (r == 0) {
		_cleanup_free_ char *ref = xasprintf("sha256:%s", got.images[0].id);

		r = vet_source_image(s, ref, e);
	}
	load_result_free(&got);
	/* What is looked at is open; the advisories and all else are this machine's. */
	back = home_data_use(NULL, r == 0 ? e : NULL);
	return r < 0 ? r : back;
}
