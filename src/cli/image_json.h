/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/json.h"
#include "image/store.h"

/*
 * What `inspect` shows of an image: docker's members, and beside them Tree (chain id), Ids (how many host ids a container
 * of a user takes) and Vetting: set-user-ID and set-group-ID files, file capabilities and attributes that were left out, FIFOs.
 */
json_t *image_json(const struct image *img, struct error *e);
