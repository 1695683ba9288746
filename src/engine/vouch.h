/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "engine/container.h"

/*
 * Asks trust whether the container's image may run; *basis (may be NULL) becomes trust_basis_name(), or "rootfs" for a folder of the
 * person's. Then the person's policy of what may be in an image is asked (vet/gate.h). A refusal is recorded in the events before it is told.
 * -EKEYREJECTED, or another negative errno when it cannot be decided.
 */
int vouch(const struct container *c, const char **basis, struct error *e);

/*
 * The policy of what may be in an image, for a container of --rootfs: the folder is looked at, each time. Only a start by a person asks:
 * the folder has no digest by which an answer could be kept, and the container itself cannot write there.
 */
int vouch_folder(const struct container *c, struct error *e);

/*
 * vouch() for a restart by its monitor, which may have given up what it takes to ask (root's): then what was said at the start stands.
 */
int vouch_again(const struct container *c, struct error *e);

/* The question about the container's image. Points into `c`. */
struct trust_question;
void vouch_question(const struct container_config *c, struct trust_question *q);
