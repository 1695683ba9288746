/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/require.h"

#include "trust/readfile.h"

#include <fcntl.h>

static int load(struct key_parts *p, struct error *e)
{
	for (size_t i = 0; i < p->n; i++) {
		struct key_part *part = &p->list[i];
		int r;

		if (part->data)
			continue;
		r = trust_read_file(AT_FDCWD, part->path, part->path, KEY_FILE_MAX, &part->data, &part->size, e);
		if (r == -ENOENT)
			r = error_set(e, ENOENT, "there is no %s", part->path);
		else if (r == 0 && part->size == 0)
			r = error_set(e, EBADMSG, "%s is empty", part->path);
		if (r < 0)
			return error_wrap(e, "%s", part->field);
	}
	return 0;
}

int require_load(struct requirements *all, struct error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < all->n; i++) {
		struct requirement *q = &all->list[i];

		r = load(&q->keys, e);
		if (r == 0)
			r = load(&q->roots, e);
		if (r == 0)
			r = load(&q->intermediates, e);
		if (r == 0)
			r = load(&q->rekor, e);
		if (r == 0)
			r = load(&q->timestamps, e);
		if (r == 0)
			r = load(&q->ctlogs, e);
	}
	return r;
}
