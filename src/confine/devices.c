/* SPDX-License-Identifier: Apache-2.0 */
/* The devices wall: what /dev holds, and that no more can be made. mount_dev.c makes it. */
#include "confine/mount.h"

#include "base/cleanup.h"
#include "confine/caps.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int plan_devices(const struct spec *s, struct plan *p, struct error *e)
{
	(void)e;
	if (s->caps & CAP_BIT(CAP_MKNOD))
		wall_not_up(p, WALL_DEVICES, INTENT_LOWERED, "CAP_MKNOD was added (nodes still cannot be opened: nodev)",
			    "null zero full random urandom tty, pts of its own");
	else
		wall_up(p, WALL_DEVICES, "null zero full random urandom tty, pts of its own; none can be made");
	return 0;
}

static void prove_devices(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *de;
	char text[64];
	int fd = openat(s->proc_fd, "root/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t good = 0;

	if (fd < 0 || !(d = fdopendir(fd))) {
		evidence_add(ev, VERDICT_UNKNOWN, "/dev inside cannot be read (%s)", error_name(errno));
		cleanup_close(&fd);
		evidence_settle(ev, p, WALL_DEVICES);
		return;
	}
	while ((de = readdir(d))) {
		const struct mount_device *k = mount_devices;
		_cleanup_free_ char *safe = NULL;
		struct stat st;

		if (fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
			continue;
		while (k->name && !(streq(k->name, de->d_name) && S_ISCHR(st.st_mode) &&
				    st.st_rdev == makedev(k->major, k->minor)))
			k++;
		if (k->name || (streq(de->d_name, "console") && major(st.st_rdev) == 136)) {
			good++;
			continue;
		}
		safe = str_escape(de->d_name);
		evidence_add(ev, VERDICT_DOWN, "/dev/%s %c %u:%u", safe, S_ISCHR(st.st_mode) ? 'c' : 'b',
			     major(st.st_rdev), minor(st.st_rdev));
		evidence_why(ev, "/dev/%s is not one of the planned devices", safe);
	}
	evidence_add(ev, VERDICT_STANDS, "%zu known nodes", good);
	if (subject_status(s, "CapBnd", text, sizeof(text)) == 0) {
		bool can = strtoull(text, NULL, 16) & CAP_BIT(CAP_MKNOD);

		evidence_add(ev, can && !(p && p->caps & CAP_BIT(CAP_MKNOD)) ? VERDICT_DOWN : VERDICT_STANDS,
			     "mknod %s", can ? "possible" : "not in the bounding set");
	}
	evidence_settle(ev, p, WALL_DEVICES);
}

const struct wall wall_devices = {
	.id = WALL_DEVICES, .name = "devices", .what = "six harmless device nodes; none can be made",
	.plan = plan_devices, .prove = prove_devices,
};
