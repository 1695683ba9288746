/* SPDX-License-Identifier: Apache-2.0 */
#include "image/mend.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "image/load.h"
#include "image/oci.h"
#include "image/publish.h"
#include "image/seen.h"
#include "image/verify.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct mend {
	const struct mend_request *req;
	struct mended *out;
	char **suspects; /* blobs and objects */
	char *first;	 /* what is wrong, for the person */
	bool chain;
	struct error *e;
};

static void note_bad(void *arg, const struct verify_message *m)
{
	struct mend *d = arg;

	if (m->word == VERIFY_PROGRESS && d->req->report.progress)
		d->req->report.progress(d->req->report.arg, m->bytes.done, m->bytes.total);
	if (m->word != VERIFY_BAD)
		return;
	if (!d->first)
		d->first = m->bad.path[0] ? xasprintf("%s: %s", m->bad.path, m->bad.text) : xstrdup(m->bad.text);
	switch (m->bad.kind) {
	case VERIFY_BLOB:
		d->out->blobs++;
		strv_add_copy(&d->suspects, m->bad.name);
		break;
	case VERIFY_OBJECT:
		d->out->objects++;
		strv_add_copy(&d->suspects, m->bad.name);
		break;
	case VERIFY_TABLE:
		d->out->tables = true;
		break;
	case VERIFY_CHAIN:
		d->chain = true;
		break;
	}
}

static int look(struct mend *d, bool deep)
{
	const struct index_entry *i = d->req->entry;
	struct verify_request r = { .tree = i->tree, .manifest = i->manifest, .config = i->config, .deep = deep, .all = true,
				    .limits = image_limits_of(d->req->conf), .tell = note_bad, .arg = d,
				    .accept_no_landlock = strv_has(d->req->conf->accept_lowered, "landlock") };

	return verify_tree(&r, d->e);
}

static int load_from(struct mend *d, int input, const char *what, bool take)
{
	struct load_request r = { .input = input, .what = what, .take = take, .again = d->req->entry->config, .suspects = d->suspects,
				  .limits = image_limits_of(d->req->conf), .note = d->req->report.note, .arg = d->req->report.arg,
				  .accept_no_landlock = strv_has(d->req->conf->accept_lowered, "landlock") };
	struct load_result result;
	int err = image_load(&r, &result, d->e);

	if (err == 0)
		load_result_free(&result);
	return err;
}

/* Everything that is needed is here: a layout that names the one manifest, whose blobs the store has. */
static int from_store(struct mend *d)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	const struct index_entry *i = d->req->entry;
	_cleanup_free_ char *digest = xasprintf("sha256:%s", i->manifest), *text = NULL;
	_cleanup_json_ json_t *j = json_pack("{s:i,s:s,s:[{s:s,s:s,s:I}]}", "schemaVersion", 2, "mediaType", OCI_INDEX, "manifests",
					     "mediaType", i->media_type, "digest", digest, "size", (json_int_t)i->manifest_size);
	struct staging_dirs dirs;
	int r;

	if (!j)
		return error_set(d->e, EBADMSG, "index.json does not describe the manifest");
	text = json_text(j);
	r = staging_open(&dirs, d->e);
	if (r < 0)
		return r;
	r = file_replace(dirs.members, "index.json", text, strlen(text), 0600, false);
	if (r == 0)
		r = file_replace(dirs.members, "oci-layout", layout, sizeof(layout) - 1, 0600, false);
	r = r < 0 ? error_errno(d->e, r, "cannot write to the store") : load_from(d, dirs.members, "the store's own blobs", true);
	staging_close(&dirs);
	return r;
}

/* By the manifest's own digest, from where it was pulled. */
static int from_registry(struct mend *d)
{
	const struct index_entry *i = d->req->entry;
	_cleanup_reference_ struct reference ref = { 0 };
	struct pull_request r = { .ref = &ref, .again = i->config, .suspects = &d->suspects, .conf = d->req->conf, .report = d->req->report };
	struct pulled got;
	int err = reference_parse(i->pulled, &ref, d->e);

	if (err < 0)
		return err;
	memcpy(ref.digest, i->manifest, DIGEST_SIZE);
	d->out->fetched = true;
	return image_pull(&r, &got, d->e);
}

static int mend(struct mend *d)
{
	const struct mend_request *q = d->req;

	if (d->chain)
		return error_set(d->e, EUCLEAN, "index.json names documents that do not belong together: %s", d->first);
	if (q->input >= 0)
		return load_from(d, q->input, q->what, false);
	if (d->out->blobs == 0)
		return from_store(d);
	if (q->entry->pulled)
		return from_registry(d);
	error_set(d->e, ENOENT, "%s; and no registry is known to have it", d->first);
	error_hint(d->e, "brig image repair --from FILE %s, with the archive or layout that it was loaded from",
		   q->entry->name ? q->entry->name : q->entry->config);
	return -ENOENT;
}

int image_mend(const struct mend_request *req, struct mended *out, struct error *e)
{
	struct mend d = { .req = req, .out = out, .e = e };
	struct mended found;
	int r;

	*out = (struct mended){ 0 };
	r = look(&d, true);
	if (r == -EUCLEAN) {
		r = mend(&d);
		found = *out;
		free(steal_ptr(&d.first));
		if (r == 0)
			r = look(&d, false);
		*out = found;
		if (r == -EUCLEAN)
			error_set(e, EUCLEAN, "it is still not what it was: %s", d.first ? d.first : "?");
	}
	free(d.first);
	strv_free(d.suspects);
	return r;
}
