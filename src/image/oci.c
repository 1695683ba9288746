/* SPDX-License-Identifier: Apache-2.0 */
#include "image/oci.h"

#include "base/cleanup.h"
#include "image/name.h"

#include <string.h>
#include <sys/utsname.h>

static int missing(struct error *e, const char *where, const char *key)
{
	return error_set(e, EBADMSG, "%s%s%s is missing", where, *where ? "." : "", key);
}

int oci_kind(const json_t *doc, const char *media_type, const char *what, struct error *e)
{
	const char *own = NULL;
	bool manifest, index;
	int64_t version = 0;
	int r;

	if (!json_is_object(doc))
		return error_set(e, EBADMSG, "%s: not a JSON object", what);
	r = json_get_int(doc, what, "schemaVersion", INT32_MIN, INT32_MAX, &version, e);
	if (r == 0)
		r = json_get_str(doc, what, "mediaType", &own, e);
	if (r < 0)
		return r;
	if (version != 2)
		return error_set(e, EBADMSG, "%s: schemaVersion is not 2", what);
	manifest = json_object_get(doc, "config") || json_object_get(doc, "layers");
	index = json_object_get(doc, "manifests") != NULL;
	if (json_object_get(doc, "fsLayers") || json_object_get(doc, "history") || json_object_get(doc, "signatures"))
		return error_set(e, EBADMSG, "%s: members of docker's old schema 1", what);
	if (manifest == index)
		return error_set(e, EBADMSG, "%s: %s", what,
				 manifest ? "manifest and index at once" : "neither manifest nor index");
	if (own && media_type && !streq(own, media_type))
		return error_set(e, EBADMSG, "%s: says it is %.100s, but its descriptor says %.100s", what, own,
				 media_type);
	for (int i = 0; i < 2; i++) {
		const char *type = i ? media_type : own;
		bool fits = !type || (manifest ? streq(type, OCI_MANIFEST) || streq(type, DOCKER_MANIFEST) :
						 streq(type, OCI_INDEX) || streq(type, DOCKER_LIST));

		if (!fits)
			return error_set(e, EBADMSG, "%s: it reads like %s, but its type is %.100s", what,
					 manifest ? "a manifest" : "an index", type);
	}
	return manifest ? KIND_MANIFEST : KIND_INDEX;
}

static int read_platform(const json_t *d, const char *where, struct oci_descriptor *out, struct error *e)
{
	json_t *p = NULL;
	int r = json_get_obj(d, where, "platform", &p, e);

	if (r < 0 || !p)
		return r;
	if ((r = json_get_str(p, where, "os", &out->os, e)) < 0 ||
	    (r = json_get_str(p, where, "architecture", &out->architecture, e)) < 0)
		return r;
	return json_get_str(p, where, "variant", &out->variant, e);
}

static int read_notes(const json_t *d, const char *where, struct oci_descriptor *out, struct error *e)
{
	const char *kind = NULL;
	json_t *notes = NULL;
	int r = json_get_obj(d, where, "annotations", &notes, e);

	if (r < 0 || !notes)
		return r;
	if ((r = json_get_str(notes, where, "org.opencontainers.image.ref.name", &out->name, e)) < 0 ||
	    (r = json_get_str(notes, where, "io.containerd.image.name", &out->name, e)) < 0 ||
	    (r = json_get_str(notes, where, "vnd.docker.reference.type", &kind, e)) < 0)
		return r;
	out->attestation = streq(kind, "attestation-manifest");
	return 0;
}

int oci_descriptor_read(const json_t *d, const char *where, struct oci_descriptor *out, struct error *e)
{
	const char *digest = NULL, *hex;
	int64_t size = -1;
	int r;

	*out = (struct oci_descriptor){ 0 };
	if (!json_is_object(d))
		return error_set(e, EBADMSG, "%s: not an object", where);
	if ((r = json_get_str(d, where, "mediaType", &out->media_type, e)) < 0 ||
	    (r = json_get_str(d, where, "digest", &digest, e)) < 0 ||
	    (r = json_get_int(d, where, "size", 0, INT64_MAX, &size, e)) < 0)
		return r;
	if (!out->media_type)
		return missing(e, where, "mediaType");
	if (!digest)
		return missing(e, where, "digest");
	if (size < 0)
		return missing(e, where, "size");
	hex = digest_hex(digest);
	if (!hex)
		return error_set(e, EBADMSG, "%s.digest: \"%.100s\" is not sha256: and 64 lower-case hex digits",
				 where, digest);
	memcpy(out->hex, hex, DIGEST_SIZE);
	out->size = (uint64_t)size;
	r = read_platform(d, where, out, e);
	return r < 0 ? r : read_notes(d, where, out, e);
}

/* Layers may come from anywhere a browser would, says "urls"; brig takes only bytes that are here. */
static bool layer_type_known(const char *type)
{
	static const char *const known[] = {
		OCI_LAYER,
		OCI_LAYER "+gzip",
		OCI_LAYER "+zstd",
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.diff.tar.gzip",
		"application/vnd.docker.image.rootfs.diff.tar.zstd",
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (streq(type, known[i]))
			return true;
	return false;
}

static int check_count(size_t n, const struct image_limits *limits, const char *what, struct error *e)
{
	if (n == 0)
		return error_set(e, EBADMSG, "%s: no layers", what);
	if (n > limits->layers)
		return error_set(e, EFBIG, "%s: %zu layers, an image may have %llu", what, n,
				 (unsigned long long)limits->layers);
	return 0;
}

int oci_manifest_read(json_t *doc, const struct image_limits *limits, struct oci_manifest *out, struct error *e)
{
	json_t *config = NULL, *layers = NULL, *layer;
	char where[48];
	size_t i;
	int r;

	*out = (struct oci_manifest){ .json = doc };
	if ((r = json_get_obj(doc, "manifest", "config", &config, e)) < 0 ||
	    (r = json_get_arr(doc, "manifest", "layers", &layers, e)) < 0)
		goto failed;
	if (!config || !layers) {
		r = missing(e, "manifest", config ? "layers" : "config");
		goto failed;
	}
	r = oci_descriptor_read(config, "manifest.config", &out->config, e);
	if (r < 0)
		goto failed;
	if (!streq(out->config.media_type, OCI_CONFIG) && !streq(out->config.media_type, DOCKER_CONFIG)) {
		r = error_set(e, EBADMSG, "manifest.config: of type %.100s, so this is no image that can run",
			      out->config.media_type);
		goto failed;
	}
	r = check_count(json_array_size(layers), limits, "manifest", e);
	if (r < 0)
		goto failed;
	out->layers = xcalloc(json_array_size(layers), sizeof(*out->layers));
	json_array_foreach(layers, i, layer) {
		snprintf(where, sizeof(where), "manifest.layers[%zu]", i);
		r = oci_descriptor_read(layer, where, &out->layers[out->n], e);
		if (r == 0 && !layer_type_known(out->layers[out->n].media_type))
			r = error_set(e, EBADMSG, "%s: of type %.100s, which is no layer", where,
				      out->layers[out->n].media_type);
		if (r < 0)
			goto failed;
		out->n++;
	}
	return 0;
failed:
	oci_manifest_free(out);
	return r;
}

void oci_manifest_free(struct oci_manifest *m)
{
	json_decref(m->json);
	free(m->layers);
	*m = (struct oci_manifest){ 0 };
}

int oci_index_read(json_t *doc, struct oci_index *out, struct error *e)
{
	json_t *list = NULL, *m;
	char where[48];
	size_t i;
	int r;

	*out = (struct oci_index){ .json = doc };
	r = json_get_arr(doc, "index", "manifests", &list, e);
	if (r == 0 && !list)
		r = missing(e, "index", "manifests");
	if (r == 0 && json_array_size(list) > OCI_INDEX_MAX)
		r = error_set(e, EFBIG, "index.manifests: more than %d", OCI_INDEX_MAX);
	if (r == 0)
		out->manifests = xcalloc(json_array_size(list) + 1, sizeof(*out->manifests));
	json_array_foreach(list, i, m) {
		if (r < 0)
			break;
		snprintf(where, sizeof(where), "index.manifests[%zu]", i);
		r = oci_descriptor_read(m, where, &out->manifests[out->n++], e);
	}
	if (r < 0)
		oci_index_free(out);
	return r;
}

void oci_index_free(struct oci_index *x)
{
	json_decref(x->json);
	free(x->manifests);
	*x = (struct oci_index){ 0 };
}

/* A list of paths, each of a member that the archive must hold. */
static int read_strings(const json_t *obj, const char *where, const char *key, const char ***out, size_t *n,
			struct error *e)
{
	json_t *list = NULL, *item;
	size_t i;
	int r = json_get_arr(obj, where, key, &list, e);

	if (r < 0 || !list)
		return r;
	*out = xcalloc(json_array_size(list) + 1, sizeof(**out));
	json_array_foreach(list, i, item) {
		if (!json_is_string(item))
			return error_set(e, EBADMSG, "%s.%s[%zu]: not a string", where, key, i);
		(*out)[(*n)++] = json_string_value(item);
	}
	return 0;
}

int docker_manifest_read(json_t *doc, const struct image_limits *limits, struct docker_manifest *out, struct error *e)
{
	json_t *item;
	char where[48];
	size_t i;
	int r = 0;

	*out = (struct docker_manifest){ .json = doc };
	if (!json_is_array(doc) || json_array_size(doc) == 0 || json_array_size(doc) > OCI_INDEX_MAX) {
		r = error_set(e, EBADMSG, "manifest.json: not a list of 1 to %d images", OCI_INDEX_MAX);
		goto done;
	}
	out->images = xcalloc(json_array_size(doc), sizeof(*out->images));
	json_array_foreach(doc, i, item) {
		struct docker_image *img = &out->images[out->n++];

		snprintf(where, sizeof(where), "manifest.json[%zu]", i);
		if (!json_is_object(item)) {
			r = error_set(e, EBADMSG, "%s: not an object", where);
			goto done;
		}
		if ((r = json_get_str(item, where, "Config", &img->config, e)) < 0 ||
		    (r = read_strings(item, where, "Layers", &img->layers, &img->n_layers, e)) < 0 ||
		    (r = read_strings(item, where, "RepoTags", &img->names, &img->n_names, e)) < 0)
			goto done;
		r = img->config ? check_count(img->n_layers, limits, where, e) : missing(e, where, "Config");
		if (r < 0)
			goto done;
	}
done:
	if (r < 0)
		docker_manifest_free(out);
	return r;
}

void docker_manifest_free(struct docker_manifest *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->images[i].layers);
		free(m->images[i].names);
	}
	free(m->images);
	json_decref(m->json);
	*m = (struct docker_manifest){ 0 };
}

const char *oci_architecture(void)
{
	static const struct {
		const char *machine, *name;
	} known[] = {
		{ "x86_64", "amd64" }, { "aarch64", "arm64" }, { "i686", "386" }, { "i386", "386" },
		{ "armv7l", "arm" }, { "armv6l", "arm" }, { "ppc64le", "ppc64le" }, { "s390x", "s390x" },
		{ "riscv64", "riscv64" }, { "loongarch64", "loong64" },
	};
	static struct utsname u;

	if (uname(&u) < 0)
		return "unknown";
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (streq(u.machine, known[i].machine))
			return known[i].name;
	return u.machine;
}

int oci_platform_parse(const char *s, struct oci_platform *out, struct error *e)
{
	_cleanup_strv_ char **parts = NULL;
	size_t n;

	*out = (struct oci_platform){ .os = "linux" };
	if (!s) {
		snprintf(out->architecture, sizeof(out->architecture), "%s", oci_architecture());
		return 0;
	}
	parts = strv_split(s, '/');
	n = strv_len(parts);
	/* "arm64" alone means linux/arm64 */
	if (n < 1 || n > 3 || (n > 1 && !streq(parts[0], "linux")))
		return error_set(e, EINVAL, "\"%.60s\" is no platform: linux/ARCHITECTURE[/VARIANT]", s);
	for (size_t i = 0; i < n; i++)
		if (!parts[i][0] || strlen(parts[i]) >= sizeof(out->os))
			return error_set(e, EINVAL, "\"%.60s\" is no platform: linux/ARCHITECTURE[/VARIANT]", s);
	strcpy(out->architecture, parts[n > 1 ? 1 : 0]);
	if (n == 3)
		strcpy(out->variant, parts[2]);
	return 0;
}

bool oci_platform_fits(const struct oci_platform *p, const char *os, const char *architecture, const char *variant)
{
	return (!os || streq(os, p->os)) && (!architecture || streq(architecture, p->architecture)) &&
	       (!p->variant[0] || !variant || streq(variant, p->variant));
}
