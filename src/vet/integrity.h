/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the check "integrity" share. */
#pragma once

#include "vet/inventory.h"

#include <openssl/evp.h>

/* What a file is to somebody who wants to change a system unseen. */
enum nature {
	NATURE_DATA,
	NATURE_DOC,	/* documentation, translations: images leave them out */
	NATURE_CODE,	/* programs, libraries, scripts, modules, units: what runs */
	NATURE_GUARD,	/* PAM and NSS modules: they see every password and every name */
};

/* What was found about the files of one package. */
struct pkg_state {
	uint32_t missing, changed; /* files, without documentation and configuration */
	const char *first_missing;
	bool touched;	/* some file was written later than its record */
};

struct integrity {
	struct vet *v;
	struct inventory *inv;
	EVP_MD_CTX *md;
	struct pkg_state *states; /* for each of inv->n_system packages */
	struct pasts *pasts;	  /* databases as lower layers had them, see integrity_edited.c; threads share them */
	const char **recorded;	  /* sorted: files that Python's records name */
	size_t n_recorded;
	size_t *layer_first;	  /* where the files of each layer begin in v->files; n_layers + 1 of them */
	size_t docs_missing;
};

/* By path and, when they are at hand, the first bytes. `f` may be NULL (a file that is missing). */
enum nature integrity_nature(const char *path, const struct vet_file *f, const unsigned char *data, size_t n);
/* {"package","version"} for the details of a finding. */
json_t *integrity_more(const struct pkg *pkg);

/* Files that nobody owns. */
void integrity_unowned(struct integrity *in);
/* Set-uid, set-gid and file capabilities beyond what packages bring. */
void integrity_set_ids(struct integrity *in);
/* Databases that were edited. */
void integrity_edited(struct integrity *in);
struct pasts *integrity_pasts_new(void);
void integrity_pasts_free(struct pasts *p);
/* Digests are made of windows: what was hashed leaves memory. 0: OpenSSL cannot. */
int integrity_digest(EVP_MD_CTX *ctx, const EVP_MD *md, const void *data, size_t n, unsigned char out[EVP_MAX_MD_SIZE], unsigned *len);
/* A file whose content is what the record says, in a layer above the one that brought it: was the record changed with it? */
void integrity_rewritten(struct integrity *in, const struct owned *o, const struct vet_file *f);
