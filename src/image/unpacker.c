/* SPDX-License-Identifier: Apache-2.0 */
#include "image/unpacker.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "image/inflate.h"
#include "image/layers.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct unpacker {
	const struct load_request *req;
	struct staging *st;
	struct source source;
	struct objects objects;
	struct oci_platform platform;
	int socket;
	_Atomic uint64_t *bytes; /* shared with the processes of the layers */
	uint64_t told;
	char (*loaded)[DIGEST_SIZE]; /* configurations */
	size_t n_loaded;
};

static void tell(struct unpacker *u, const struct room_message *m)
{
	/* If the parent is gone, nothing that happens here matters. */
	if (socket_send(u->socket, m, sizeof(*m), NULL, 0) < 0)
		_exit(1);
}

static void progress(void *arg, uint64_t bytes)
{
	struct unpacker *u = arg;
	struct room_message m = { .word = ROOM_PROGRESS };

	m.bytes = atomic_fetch_add(u->bytes, bytes) + bytes;
	if (m.bytes - u->told < 4 * 1024 * 1024)
		return;
	u->told = m.bytes;
	tell(u, &m);
}

/* Waits for a blob that is still on its way. */
static void next_blob(void *arg, char hex[static DIGEST_SIZE])
{
	struct unpacker *u = arg;
	ssize_t n;

	tell(u, &(struct room_message){ .word = ROOM_NEXT });
	n = read(u->socket, hex, DIGEST_SIZE);
	if (n < 1 || hex[n - 1])
		_exit(1);
}

static void layer_failed(void *arg, const struct error *e)
{
	tell(arg, &(struct room_message){ .word = ROOM_ERROR, .error = *e });
}

static bool may_use(void *arg, const char *diff)
{
	struct unpacker *u = arg;
	struct room_message m = { .word = ROOM_ASK };
	char answer;

	memcpy(m.diff, diff, DIGEST_SIZE);
	tell(u, &m);
	/* recv(2) is not among the calls of the room, and read(2) does the same. */
	if (read(u->socket, &answer, 1) != 1)
		_exit(1);
	return answer == 'y';
}

__attribute__((format(printf, 2, 3))) static void note(struct unpacker *u, const char *fmt, ...)
{
	struct room_message m = { .word = ROOM_NOTE };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m.note, sizeof(m.note), fmt, ap);
	va_end(ap);
	tell(u, &m);
}

static void tell_left_out(struct unpacker *u, const struct assembled *a, const char *id)
{
	if (a->seen.devices)
		note(u, "image %.12s: %llu device nodes below /dev were left out; a container gets a /dev of its own", id,
		     (unsigned long long)a->seen.devices);
	if (a->seen.xattrs)
		note(u, "image %.12s: %llu extended attributes were left out: only user.* are kept, no file capabilities",
		     id, (unsigned long long)a->seen.xattrs);
}

/* A claim that is too long for a message is no name either. */
static int tell_image(struct unpacker *u, const struct room_message *image, const char *claim, bool tag_only,
		      struct error *e)
{
	struct room_message m = *image;

	if (claim && strlen(claim) >= CLAIM_MAX)
		return error_set(e, EINVAL, "\"%.60s...\" is no name for an image", claim);
	m.image.tag_only = tag_only;
	snprintf(m.image.claim, sizeof(m.image.claim), "%s", claim ? claim : "");
	tell(u, &m);
	return 0;
}

static int check_platform(struct unpacker *u, const struct oci_config *c, struct error *e)
{
	if (u->req->again || oci_platform_fits(&u->platform, c->os, c->architecture, c->variant))
		return 0;
	error_set(e, EBADMSG, "it is for %.30s/%.30s, asked for is %s/%s", c->os, c->architecture, u->platform.os,
		  u->platform.architecture);
	error_hint(e, "--platform %.30s/%.30s takes it anyway", c->os, c->architecture);
	return -EBADMSG;
}

/* What both kinds of archives share: config and layers are known by digest, and the layers' blobs are there. */
static int unpack_layers(struct unpacker *u, const char *const *blobs, const uint64_t *sizes, size_t n,
			 const struct oci_config *c, struct assembled *a, struct error *e)
{
	struct layers l = { .st = u->st, .source = &u->source, .objects = &u->objects, .blobs = blobs, .sizes = sizes,
			    .diffs = (const char(*)[DIGEST_SIZE])c->diff_ids, .n = n, .streamed = u->req->streamed, .next = next_blob,
			    .failed = layer_failed, .arg = u };
	int r;

	if (n != c->n)
		return error_set(e, EBADMSG, "the manifest has %zu layers, the configuration %zu", n, c->n);
	r = n > 1 || l.streamed ? layers_unpack(&l, a, e) : 0;
	if (r < 0)
		return r;
	/* All is done, but what layers have in common, and what has to be said of it. */
	for (size_t i = 0; i < n; i++) {
		_cleanup_close_ int fd = source_blob(&u->source, blobs[i], sizes[i], e);
		char diff[DIGEST_SIZE];

		memcpy(diff, c->diff_ids[i], DIGEST_SIZE);
		r = fd < 0 ? fd : assemble_layer(u->st, &u->objects, fd, blobs[i], diff, false, a, e);
		if (r < 0)
			return error_wrap(e, "layer %zu of %zu (sha256:%.12s)", i + 1, n, blobs[i]);
	}
	return assemble_tree(u->st, (const char(*)[DIGEST_SIZE])c->diff_ids, n, a, e);
}

static void remember(struct unpacker *u, const char *config)
{
	u->loaded = xrealloc(u->loaded, u->n_loaded + 1, sizeof(*u->loaded));
	memcpy(u->loaded[u->n_loaded++], config, DIGEST_SIZE);
}

static json_t *read_blob_json(struct unpacker *u, const char *hex, uint64_t size, const char *what, struct error *e)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r;

	if (size != UINT64_MAX && size > OCI_DOCUMENT_MAX) {
		error_set(e, EFBIG, "%s sha256:%.12s: larger than %d bytes", what, hex, OCI_DOCUMENT_MAX);
		return NULL;
	}
	fd = source_blob(&u->source, hex, size, e);
	if (fd < 0) {
		error_wrap(e, "%s", what);
		return NULL;
	}
	r = fd_read_all(fd, OCI_DOCUMENT_MAX, &text, &n);
	if (r < 0) {
		error_errno(e, r, "%s sha256:%.12s", what, hex);
		return NULL;
	}
	return json_parse(text, n, what, e);
}

static int load_config(struct unpacker *u, const char *hex, uint64_t size, struct oci_config *c, struct error *e)
{
	json_t *j = read_blob_json(u, hex, size, "config", e);
	int r;

	if (!j)
		return e->code;
	r = oci_config_read(j, u->st->limits, c, e);
	return r < 0 ? error_wrap(e, "configuration sha256:%.12s", hex) : 0;
}

static int load_manifest(struct unpacker *u, json_t *doc, const struct oci_descriptor *d, const char *claim,
			 struct error *e)
{
	_cleanup_(oci_manifest_free) struct oci_manifest m = { 0 };
	_cleanup_(oci_config_free) struct oci_config c = { 0 };
	_cleanup_free_ const char **blobs = NULL;
	_cleanup_free_ uint64_t *sizes = NULL;
	struct room_message image = { .word = ROOM_IMAGE };
	struct assembled a = { 0 };
	int r = oci_manifest_read(doc, u->st->limits, &m, e);

	if (r == 0)
		r = load_config(u, m.config.hex, m.config.size, &c, e);
	if (r == 0)
		r = check_platform(u, &c, e);
	if (r < 0)
		return r;
	blobs = xcalloc(m.n, sizeof(*blobs));
	sizes = xcalloc(m.n, sizeof(*sizes));
	for (size_t i = 0; i < m.n; i++) {
		blobs[i] = m.layers[i].hex;
		sizes[i] = m.layers[i].size;
	}
	r = unpack_layers(u, blobs, sizes, m.n, &c, &a, e);
	if (r < 0)
		return r;
	memcpy(image.image.config, m.config.hex, DIGEST_SIZE);
	memcpy(image.image.manifest, d->hex, DIGEST_SIZE);
	memcpy(image.image.tree, a.tree, DIGEST_SIZE);
	image.image.manifest_size = d->size;
	image.image.size = a.size;
	image.image.docker = streq(d->media_type, DOCKER_MANIFEST);
	tell_left_out(u, &a, m.config.hex);
	remember(u, m.config.hex);
	return tell_image(u, &image, claim, claim && !strpbrk(claim, "/:"), e);
}

static int load_descriptor(struct unpacker *u, const struct oci_descriptor *d, const char *claim, int depth,
			   struct error *e);

/* Of an index of platforms, the one that fits; whatever else stands in it is not looked at. */
static int load_index(struct unpacker *u, json_t *doc, const char *claim, int depth, struct error *e)
{
	_cleanup_(oci_index_free) struct oci_index x = { 0 };
	int r = oci_index_read(doc, &x, e);

	if (r < 0)
		return r;
	if (depth > 3)
		return error_set(e, EBADMSG, "an index in an index in an index");
	for (size_t i = 0; i < x.n; i++) {
		const struct oci_descriptor *d = &x.manifests[i];

		if (!d->attestation && oci_platform_fits(&u->platform, d->os, d->architecture, d->variant))
			return load_descriptor(u, d, claim, depth + 1, e);
	}
	error_set(e, EBADMSG, "the index has no image for %s/%s", u->platform.os, u->platform.architecture);
	for (size_t i = 0; i < x.n && i < 20; i++)
		if (x.manifests[i].os && !x.manifests[i].attestation)
			error_hint(e, "--platform %.30s/%.30s", x.manifests[i].os,
				   x.manifests[i].architecture ? x.manifests[i].architecture : "?");
	return -EBADMSG;
}

static int load_descriptor(struct unpacker *u, const struct oci_descriptor *d, const char *claim, int depth,
			   struct error *e)
{
	json_t *doc = read_blob_json(u, d->hex, d->size, "manifest", e);
	int kind;

	if (!doc)
		return e->code;
	kind = oci_kind(doc, d->media_type, "manifest", e);
	if (kind < 0) {
		json_decref(doc);
		return kind;
	}
	return kind == KIND_INDEX ? load_index(u, doc, claim, depth, e) : load_manifest(u, doc, d, claim, e);
}

/*
 * What lies beside the images of a layout and is about them: signatures and attestations under the tags sha256-HEX.sig, .att and sha256-HEX,
 * and referrers. They are no images, and a load takes none of them.
 */
static bool is_about_another(const struct oci_descriptor *d, const json_t *raw)
{
	const char *type = json_string_value(json_object_get(raw, "artifactType")), *rest = d->name ? str_after(d->name, "sha256-") : NULL;

	if (type && (str_after(type, "application/vnd.dev.sigstore.bundle") || streq(type, "application/vnd.cncf.notary.signature") ||
		     streq(type, "application/vnd.oci.empty.v1+json")))
		return true;
	return rest && strspn(rest, "0123456789abcdef") == DIGEST_HEX &&
	       (!rest[DIGEST_HEX] || streq(rest + DIGEST_HEX, ".sig") || streq(rest + DIGEST_HEX, ".att") || streq(rest + DIGEST_HEX, ".sbom"));
}

static int load_layout(struct unpacker *u, struct error *e)
{
	_cleanup_(oci_index_free) struct oci_index x = { 0 };
	_cleanup_free_ char *layout = NULL, *text = NULL;
	_cleanup_json_ json_t *version = NULL;
	const char *v = NULL;
	json_t *doc;
	size_t n, left = 0;
	int r = source_document(&u->source, "oci-layout", &layout, &n, e);

	if (r < 0)
		return r;
	version = json_parse(layout, n, "oci-layout", e);
	if (!version)
		return e->code;
	r = json_is_object(version) ? json_get_str(version, "oci-layout", "imageLayoutVersion", &v, e) : 0;
	if (r < 0 || !streq(v, "1.0.0"))
		return error_set(e, EBADMSG, "oci-layout: not version 1.0.0");
	r = source_document(&u->source, "index.json", &text, &n, e);
	doc = r < 0 ? NULL : json_parse(text, n, "index.json", e);
	if (!doc)
		return e->code;
	r = oci_kind(doc, NULL, "index.json", e);
	if (r == KIND_MANIFEST)
		r = error_set(e, EBADMSG, "index.json: a manifest, not an index");
	if (r < 0) {
		json_decref(doc);
		return r;
	}
	r = oci_index_read(doc, &x, e);
	for (size_t i = 0; r == 0 && i < x.n; i++) {
		const struct oci_descriptor *d = &x.manifests[i];

		/* Several platforms side by side are common; one that does not fit is an error only if none does. */
		if (d->attestation)
			continue;
		if (is_about_another(d, json_array_get(json_object_get(x.json, "manifests"), i))) {
			left++;
			continue;
		}
		if (x.n > 1 && !oci_platform_fits(&u->platform, d->os, d->architecture, d->variant))
			continue;
		r = load_descriptor(u, d, d->name, 0, e);
	}
	if (r == 0 && u->n_loaded == 0)
		r = error_set(e, EBADMSG, "no image for %s/%s in it", u->platform.os, u->platform.architecture);
	if (r == 0 && left)
		note(u, "signatures or attestations in it (%zu) were not taken: what you load needs none here", left);
	return r;
}

/* ".../HEX.json" and "blobs/sha256/HEX" promise a digest: it must be kept. */
static int check_promise(const char *name, const char *hex, struct error *e)
{
	const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
	size_t n = strspn(base, "0123456789abcdef");

	if (n == DIGEST_HEX && (base[n] == 0 || streq(base + n, ".json")) && memcmp(base, hex, n) != 0)
		return error_set(e, EBADMSG, "archive member \"%.100s\": its bytes have the digest sha256:%s", name, hex);
	return 0;
}

static json_t *descriptor(const char *type, const char *hex, uint64_t size)
{
	_cleanup_free_ char *digest = xasprintf("sha256:%s", hex);
	json_t *d = json_object();

	json_object_set_new(d, "mediaType", json_string(type));
	json_object_set_new(d, "digest", json_string(digest));
	json_object_set_new(d, "size", json_integer((json_int_t)size));
	return d;
}

static json_t *layer_descriptor(struct unpacker *u, const char *hex, uint64_t size, struct error *e)
{
	static const char *const types[] = { OCI_LAYER, OCI_LAYER "+gzip", OCI_LAYER "+zstd" };
	_cleanup_close_ int fd = source_blob(&u->source, hex, size, e);
	char head[8] = { 0 };
	ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof(head), 0);
	int how = n < 0 ? -1 : compression_of(head, (size_t)n, e);

	if (fd >= 0 && n < 0)
		error_errno(e, errno, "cannot read a blob");
	return how < 0 ? NULL : descriptor(types[how], hex, size);
}

/* Makes the manifest that such an archive lacks, and tells of the image. */
static int tell_made(struct unpacker *u, const char *config, uint64_t config_size, json_t *layers,
		     const struct assembled *a, const char *const *names, size_t n_names, struct error *e)
{
	_cleanup_json_ json_t *manifest = json_object();
	_cleanup_free_ char *text = NULL;
	struct room_message image = { .word = ROOM_IMAGE };
	int r;

	json_object_set_new(manifest, "schemaVersion", json_integer(2));
	json_object_set_new(manifest, "mediaType", json_string(OCI_MANIFEST));
	json_object_set_new(manifest, "config", descriptor(OCI_CONFIG, config, config_size));
	json_object_set(manifest, "layers", layers);
	text = json_text(manifest);
	image.image.manifest_size = strlen(text);
	r = staging_put(u->st, text, strlen(text), image.image.manifest, e);
	if (r < 0)
		return r;
	memcpy(image.image.config, config, DIGEST_SIZE);
	memcpy(image.image.tree, a->tree, DIGEST_SIZE);
	image.image.size = a->size;
	tell_left_out(u, a, config);
	remember(u, config);
	for (size_t i = 0; r == 0 && i < n_names; i++)
		r = tell_image(u, &image, names[i], false, e);
	return r == 0 && n_names == 0 ? tell_image(u, &image, NULL, false, e) : r;
}

static int load_docker_image(struct unpacker *u, const struct docker_image *img, struct error *e)
{
	_cleanup_(oci_config_free) struct oci_config c = { 0 };
	_cleanup_free_ char (*hexes)[DIGEST_SIZE] = xcalloc(img->n_layers, DIGEST_SIZE);
	_cleanup_free_ const char **blobs = xcalloc(img->n_layers, sizeof(*blobs));
	_cleanup_free_ uint64_t *sizes = xcalloc(img->n_layers, sizeof(*sizes));
	_cleanup_json_ json_t *layers = json_array();
	struct assembled a = { 0 };
	char config[DIGEST_SIZE];
	uint64_t config_size;
	int r = source_member(&u->source, img->config, config, &config_size, e);

	if (r == 0)
		r = check_promise(img->config, config, e);
	if (r == 0)
		r = load_config(u, config, config_size, &c, e);
	if (r == 0)
		r = check_platform(u, &c, e);
	for (size_t i = 0; r == 0 && i < img->n_layers; i++) {
		r = source_member(&u->source, img->layers[i], hexes[i], &sizes[i], e);
		blobs[i] = hexes[i];
		json_t *layer = r < 0 ? NULL : layer_descriptor(u, hexes[i], sizes[i], e);
		if (!layer)
			return e->code;
		json_array_append_new(layers, layer);
	}
	if (r == 0)
		r = unpack_layers(u, blobs, sizes, img->n_layers, &c, &a, e);
	return r < 0 ? r : tell_made(u, config, config_size, layers, &a, img->names, img->n_names, e);
}

static int read_docker_manifest(struct unpacker *u, struct docker_manifest *m, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	json_t *doc;
	int r = source_document(&u->source, "manifest.json", &text, &n, e);

	if (r < 0)
		return r;
	doc = json_parse(text, n, "manifest.json", e);
	return doc ? docker_manifest_read(doc, u->st->limits, m, e) : e->code;
}

/* `docker save` writes both kinds into one archive. They must mean the same images, or two readers see two things. */
static int compare_manifests(struct unpacker *u, const struct docker_manifest *m, struct error *e)
{
	_cleanup_free_ bool *seen = xcalloc(u->n_loaded, sizeof(bool));

	for (size_t i = 0; i < m->n; i++) {
		char hex[DIGEST_SIZE];
		bool found = false;
		uint64_t size;
		int r = source_member(&u->source, m->images[i].config, hex, &size, e);

		if (r < 0)
			return r;
		for (size_t k = 0; k < u->n_loaded; k++) {
			if (streq(u->loaded[k], hex))
				found = seen[k] = true;
		}
		if (!found)
			return error_set(e, EBADMSG, "manifest.json has an image that index.json does not (sha256:%.12s)",
					 hex);
	}
	for (size_t k = 0; k < u->n_loaded; k++)
		if (!seen[k])
			return error_set(e, EBADMSG, "index.json has an image that manifest.json does not (sha256:%.12s)",
					 u->loaded[k]);
	return 0;
}

static int load_archive(struct unpacker *u, struct error *e)
{
	_cleanup_(docker_manifest_free) struct docker_manifest m = { 0 };
	struct error none = { 0 };
	bool layout, docker;
	int r = source_archive(&u->source, u->st, u->req->input, e);

	if (r < 0)
		return r;
	r = read_docker_manifest(u, &m, &none);
	docker = r == 0;
	if (r < 0 && r != -ENOENT) {
		*e = none;
		return r;
	}
	layout = source_has(&u->source, "oci-layout") || source_has(&u->source, "index.json");
	if (layout) {
		r = load_layout(u, e);
		return r == 0 && docker ? compare_manifests(u, &m, e) : r;
	}
	if (!docker) {
		error_set(e, EBADMSG, "neither an OCI image layout nor an archive of docker save: it has no index.json and "
				      "no manifest.json");
		error_hint(e, "a root file system is taken by: brig import FILE NAME");
		return -EBADMSG;
	}
	for (size_t i = 0; i < m.n; i++) {
		r = load_docker_image(u, &m.images[i], e);
		if (r < 0)
			return m.n > 1 ? error_wrap(e, "image %zu of %zu", i + 1, m.n) : r;
	}
	return 0;
}

/* A root file system becomes an image of one layer. */
static int import(struct unpacker *u, struct error *e)
{
	_cleanup_json_ json_t *config = json_deep_copy(u->req->import), *layers = json_array();
	_cleanup_(oci_config_free) struct oci_config checked = { 0 };
	_cleanup_free_ char *text = NULL, *digest = NULL;
	_cleanup_close_ int fd = -1;
	char blob[DIGEST_SIZE], diffs[1][DIGEST_SIZE] = { "" }, hex[DIGEST_SIZE];
	struct assembled a = { 0 };
	json_t *layer;
	uint64_t size;
	int r = staging_copy(u->st, u->req->input, u->st->limits->bytes, blob, &size, e);

	if (r < 0)
		return r;
	source_folder(&u->source, u->st, -1);
	fd = source_blob(&u->source, blob, size, e);
	if (fd < 0)
		return fd;
	r = assemble_layer(u->st, &u->objects, fd, blob, diffs[0], true, &a, e);
	if (r == 0)
		r = assemble_tree(u->st, (const char(*)[DIGEST_SIZE])diffs, 1, &a, e);
	layer = r < 0 ? NULL : layer_descriptor(u, blob, size, e);
	if (!layer)
		return e->code;
	json_array_append_new(layers, layer);
	digest = xasprintf("sha256:%s", diffs[0]);
	json_object_set_new(config, "rootfs", json_pack("{s:s,s:[s]}", "type", "layers", "diff_ids", digest));
	r = oci_config_read(json_incref(config), u->st->limits, &checked, e);
	if (r < 0)
		return r;
	text = json_text(config);
	r = staging_put(u->st, text, strlen(text), hex, e);
	return r < 0 ? r : tell_made(u, hex, strlen(text), layers, &a, NULL, 0, e);
}

static int work(struct unpacker *u, struct error *e)
{
	struct stat st;

	if (fstat(u->req->input, &st) < 0)
		return error_errno(e, errno, "cannot look at it");
	objects_init(&u->objects, u->st->objects, u->st->store_objects);
	u->objects.suspects = u->req->suspects;
	if (u->req->import)
		return import(u, e);
	if (!S_ISDIR(st.st_mode))
		return load_archive(u, e);
	source_folder(&u->source, u->st, u->req->input);
	u->source.take = u->req->take;
	return load_layout(u, e);
}

void unpacker_run(const struct load_request *r, const struct oci_platform *platform, struct staging *st, int socket)
{
	struct unpacker u = { .req = r, .st = st, .socket = socket, .platform = *platform,
			      .source = { .dir = -1 } };
	struct room_message m = { .word = ROOM_DONE };

	u.bytes = mmap(NULL, sizeof(*u.bytes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (u.bytes == MAP_FAILED) {
		error_errno(&m.error, errno, "no memory");
		m.word = ROOM_ERROR;
		tell(&u, &m);
		_exit(1);
	}
	st->progress = progress;
	st->may_use = may_use;
	st->arg = &u;
	if (work(&u, &m.error) < 0)
		m.word = ROOM_ERROR;
	else
		tell(&u, &(struct room_message){ .word = ROOM_PROGRESS, .bytes = *u.bytes });
	tell(&u, &m);
	_exit(0);
}
