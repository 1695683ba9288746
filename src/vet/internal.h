/* SPDX-License-Identifier: Apache-2.0 */
/* What subject.c, folder.c and read.c share. */
#pragma once

#include "image/hash.h"
#include "vet/source.h"

/* An entry of one layer before it is laid over the others. */
struct vet_entry {
	struct vet_file file;
	bool white, opaque, implied;
};

struct vet_entries {
	struct vet_entry *list;
	size_t n, cap;
};

struct vet_subject {
	struct tree arena; /* only its memory is used */
	int objects, folder;
	uint16_t folder_layer; /* UINT16_MAX: none */
	struct vet_layer *layers;
	struct vet_file *files;
	size_t n_files, cap_files;
	const struct vet_file **merged;
	uint8_t *told; /* for each file, that it could not be read */
	uint64_t bytes, read;
};

struct vet_entry *vet_entry_add(struct vet_entries *to);
/* The folder's files as one layer; what cannot be read becomes a finding. */
int vet_folder_read(struct vet *v, const struct vet_source *s, uint16_t layer, struct vet_entries *out, struct error *e);
