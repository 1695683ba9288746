/* SPDX-License-Identifier: Apache-2.0 */
/* The image wall: the root is the prepared tree of the image, the lower layer of an overlay, and is never written. */
#include "confine/wall.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <string.h>

static int plan_image(const struct spec *s, struct plan *p, struct error *e)
{
	if (s->root.lower_fd < 0 && !s->root.staged)
		return error_set(e, EINVAL, "no root file system");
	if (!s->root.read_only && !s->root.tmpfs_size && s->root.rw_fd < 0)
		return error_set(e, EINVAL, "no folder for the writable layer");
	wall_up(p, WALL_IMAGE, "%s is the lower layer of an overlay and is never written",
		s->root.kind == SPEC_ROOT_IMAGE ? "the image's prepared tree" : "the folder given as --rootfs");
	return 0;
}

static void prove_image(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	_cleanup_free_ char *text = NULL;
	char *line, *rest;
	bool found = false;

	if (!p) {
		evidence_add(ev, VERDICT_UNKNOWN, "nothing is recorded about the root of this process");
		evidence_why(ev, "brig did not start it");
		return;
	}
	if (file_read(s->proc_fd, "mountinfo", 1 << 20, &text, NULL) < 0) {
		evidence_add(ev, VERDICT_UNKNOWN, "mountinfo cannot be read");
		return;
	}
	for (rest = text; (line = strsep(&rest, "\n"));) {
		char *sep = strstr(line, " - ");

		if (!sep || !strstr(line, " / / "))
			continue;
		found = true;
		bool overlay = strncmp(sep, " - overlay ", 11) == 0, lower = strstr(sep, "lowerdir") != NULL;
		evidence_add(ev, overlay && lower ? VERDICT_STANDS : VERDICT_DOWN, "root: %.300s", sep + 3);
	}
	if (!found)
		evidence_add(ev, VERDICT_DOWN, "no root mount is visible");
	evidence_settle(ev, p, WALL_IMAGE);
}

const struct wall wall_image = {
	.id = WALL_IMAGE, .name = "image", .what = "the root is the prepared tree of the image and is never written",
	.plan = plan_image, .prove = prove_image,
};
