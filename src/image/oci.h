/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents of an image, read strictly: OCI image-spec 1.1 (descriptor.md, image-index.md, manifest.md, config.md),
 * docker's manifest v2 schema 2, and the manifest.json of `docker save`. A document that could be read as two kinds is
 * refused (CASES B14); unknown members are ignored, as the specification demands.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "image/limits.h"
#include "image/store.h"

enum {
	OCI_DOCUMENT_MAX = 4 * 1024 * 1024, /* bytes of an index, manifest or configuration */
	OCI_STRING_MAX = 128 * 1024,	    /* bytes of one string: what execve(2) takes */
	OCI_INDEX_MAX = 4096,		    /* descriptors in one index */
	OCI_HISTORY_MAX = 4096,
};

#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"

enum oci_kind { KIND_MANIFEST, KIND_INDEX };

/* Strings point into the document. */
struct oci_descriptor {
	const char *media_type;
	char hex[DIGEST_SIZE];
	uint64_t size;
	const char *os, *architecture, *variant; /* NULL: not said */
	const char *name;			 /* annotations: io.containerd.image.name, else ...image.ref.name */
	bool attestation;			 /* BuildKit's: not an image */
};

struct oci_manifest {
	json_t *json; /* owned */
	struct oci_descriptor config;
	struct oci_descriptor *layers;
	size_t n;
};

struct oci_index {
	json_t *json; /* owned */
	struct oci_descriptor *manifests;
	size_t n;
};

struct oci_config {
	json_t *json; /* owned */
	const char *os, *architecture, *variant;
	char (*diff_ids)[DIGEST_SIZE];
	size_t n;
};

/* MANIFEST or INDEX by its members and mediaType, which must agree; `media_type` as a descriptor says, or NULL. */
int oci_kind(const json_t *doc, const char *media_type, const char *what, struct error *e);

/* `where` it stands, for errors. */
int oci_descriptor_read(const json_t *d, const char *where, struct oci_descriptor *out, struct error *e);

/* All take ownership of `doc`, also on failure. */
int oci_manifest_read(json_t *doc, const struct image_limits *limits, struct oci_manifest *out, struct error *e);
int oci_index_read(json_t *doc, struct oci_index *out, struct error *e);
int oci_config_read(json_t *doc, const struct image_limits *limits, struct oci_config *out, struct error *e);
void oci_manifest_free(struct oci_manifest *m);
void oci_index_free(struct oci_index *x);
void oci_config_free(struct oci_config *c);

/* One image of a `docker save` archive; strings point into the document. */
struct docker_image {
	const char *config;
	const char **layers;
	const char **names;
	size_t n_layers, n_names;
};
struct docker_manifest {
	json_t *json; /* owned */
	struct docker_image *images;
	size_t n;
};
int docker_manifest_read(json_t *doc, const struct image_limits *limits, struct docker_manifest *out, struct error *e);
void docker_manifest_free(struct docker_manifest *m);

/* This machine's architecture as OCI names it ("amd64"). */
const char *oci_architecture(void);

/* Splits "linux/arm64/v8". -EINVAL with `e`. */
struct oci_platform {
	char os[32], architecture[32], variant[32]; /* variant empty: any */
};
int oci_platform_parse(const char *s, struct oci_platform *out, struct error *e);
/* Do they name it? What is NULL fits. */
bool oci_platform_fits(const struct oci_platform *p, const char *os, const char *architecture, const char *variant);
