/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures beside the images, for every later start: DATA/signatures/HEX/, HEX the SHA-256 of the manifest or index that they are
 * of. They are kept as they came and mean nothing by being there; the process that verifies them (brig-trust) reads them anew. A file's
 * name says what it is and the SHA-256 of its bytes, so there is no list that could disagree:
 *
 *	gpg-HEX		one OpenPGP signed message (a lookaside's signature-N, or from the X-Registry-Supports-Signatures extension)
 *	manifest-HEX	an OCI manifest: of the tag sha256-HEX.sig or .att, or of a referrer
 *	part-HEX	what one of those manifests has as a layer
 *
 * A pull adds what it finds and takes nothing away: what was signed once is not unsigned because a registry hides it. They go with the
 * image (store_collect()).
 */
#pragma once

#include "base/error.h"
#include "image/store.h"

enum {
	SIGNATURE_MAX = 4 * 1024 * 1024,    /* bytes of one file */
	SIGNATURES_BYTES = 32 * 1024 * 1024, /* of all of one image */
	SIGNATURES_MAX = 512,		    /* files of one image */
	SIGNATURES_GPG_MAX = 64,	    /* signature-1 to signature-64 */
};

enum signature_file { SIGNATURE_GPG, SIGNATURE_MANIFEST, SIGNATURE_PART };

enum { SIGNATURE_NAME = 80 };
void signature_name(enum signature_file kind, const char *hex, char out[static SIGNATURE_NAME]);
/* -EINVAL: no such name. */
int signature_name_parse(const char *name, enum signature_file *kind, char hex[static DIGEST_SIZE]);

/* The folder, to read; -ENOENT when there is none. With `make` it is made. A descriptor to close. */
int signatures_open(const char *subject, bool make, struct error *e);

struct signature_kept {
	char subject[DIGEST_SIZE], hex[DIGEST_SIZE];
	enum signature_file kind;
};

/* image/signatures_keep.c, of programs that hash. */

/* Takes them from the folder `from`, where they lie by their names; what has not the digest that it should have is refused. */
int signatures_take(int from, const struct signature_kept *list, size_t n, struct error *e);
int signatures_add(const char *subject, enum signature_file kind, const void *data, size_t n, struct error *e);
/* Adds signature-1, ... of a lookaside folder: BASE/PATH@sha256=HEX/signature-N. A folder that is missing has none. */
int signatures_add_lookaside(const char *base, const char *path, const char *subject, struct error *e);
