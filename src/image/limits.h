/* SPDX-License-Identifier: Apache-2.0 */
/* How much an image may cost before it is refused (CASES B08, B09, B15); brig.conf sets image_*. */
#pragma once

#include "base/conf.h"

#include <stdint.h>

struct image_limits {
	uint64_t bytes;	   /* of all layers of one image, uncompressed; also of an archive that holds images */
	uint64_t file;	   /* bytes of one file in a layer */
	uint64_t entries;  /* of one layer, and of the layers together */
	uint64_t ratio;	   /* uncompressed to compressed bytes of one layer, once it is beyond IMAGE_RATIO_FROM */
	uint64_t layers;   /* of one image */
	uint64_t members;  /* files in an archive that holds images */
};

#define IMAGE_RATIO_FROM (256ULL << 20)

static inline struct image_limits image_limits_of(const struct conf *c)
{
	return (struct image_limits){
		.bytes = c->image_size,
		.file = c->image_file_size,
		.entries = c->image_entries,
		.ratio = c->image_ratio,
		.layers = c->image_layers,
		.members = 20000,
	};
}
