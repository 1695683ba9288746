/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packages of an image with their files, as the check "packages" found them, and which package a file of the merged tree belongs to.
 * Made once, for every check that wants to know: integrity, set-uid, hardening, impostor.
 */
#pragma once

#include "vet/packages.h"
#include "vet/vet.h"

/* A file as one package records it. A file has several when packages share it (rpm multilib) or when one took it over (deb, Replaces). */
struct owned {
	const char *path; /* in the merged tree: links of folders (merged /usr) followed, diversions applied */
	uint32_t pkg, file; /* of inventory.set */
	uint32_t next;	    /* index + 1 of the next with the same path; 0: none */
	bool seen;	    /* integrity found it */
};

struct inventory {
	struct pkgs set;
	struct distro distro;
	bool has[PKG_TYPES];	/* there is such a database or package */
	size_t n_system;	/* packages of deb, rpm and apk: the first of the set */
	struct owned *owned;
	size_t n_owned;
	uint32_t *buckets;	/* index + 1 into owned, by hash of the path */
	size_t n_buckets;
	struct dpkg_override *overrides;
	size_t n_overrides;
};

/* The inventory; NULL before the check "packages" ran. */
const struct inventory *vet_inventory(const struct vet *v);

/* The records of a file of the merged tree, by its path there (struct vet_file's); NULL: no package of the distribution owns it. */
struct owned *inventory_owned(const struct inventory *inv, const char *path);
/* The next record of the same file, NULL after the last. */
static inline struct owned *inventory_next(const struct inventory *inv, const struct owned *o)
{
	return o->next ? &inv->owned[o->next - 1] : NULL;
}
/* The name of the package that owns it; NULL: none. */
const char *vet_owner(const struct vet *v, const char *path);

/* The language packages of the image: reads the merged tree once. */
void inventory_languages(struct vet *v, struct inventory *inv);
/* Makes the map of owners, with the diversions given. */
void inventory_map(struct vet *v, struct inventory *inv, const struct dpkg_diversion *diversions, size_t n);
void inventory_free(struct inventory *inv);
