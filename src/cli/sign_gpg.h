/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "image/reference.h"

/*
 * `brig sign --gpg`: the local image's manifest under the name `to`, by a key of the person's gpg, into the folder where registries.d
 * keeps signatures of that name, or into `folder` (NULL: none was named), as PATH@sha256=HEX/signature-N. Prints the path.
 */
int sign_gpg(const char *key, const char *folder, const char *image, const struct reference *to, struct error *e);
