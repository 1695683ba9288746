/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An AppArmor profile for a container, from its plan: the capabilities that it keeps, the places that it may write, the
 * socket families that its filter lets through. It repeats the other walls in another mechanism, so that one hole is not
 * enough. apparmor.d(5).
 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "confine/caps.h"
#include "confine/lsm.h"
#include "engine/container.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

struct options {
	bool unused;
};

/* A path in quotes; what has a meaning in patterns is taken as it is written (apparmor.d(5), "Globbing"). */
static void put_path(struct buf *b, const char *path, const char *tail)
{
	buf_puts(b, "\"");
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;

		if (strchr("\\\"*?[]{}^,", c))
			buf_printf(b, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_printf(b, "\\%03o", c);
		else
			buf_add(b, path, 1);
	}
	buf_printf(b, "%s\"", tail);
}

static void put_caps(struct buf *b, const struct spec *s)
{
	for (int c = 0; c <= CAP_LAST_CAP; c++) {
		_cleanup_free_ char *name = s->caps >> c & 1 ? caps_text(CAP_BIT(c)) : NULL;

		if (name)
			buf_printf(b, "\tcapability %s,\n", name);
	}
}

static void put_files(struct buf *b, const struct spec *s)
{
	const char *root = s->root.read_only && !spec_lowered(s, "landlock", "fs") ? "rmix" : "rwmkl";

	buf_printf(b, "\n\t/ r,\n\t/** %s,\n", root);
	if (!streq(root, "rmix"))
		buf_puts(b, "\t/** ix,\n");
	for (size_t i = 0; i < s->n_mounts; i++) {
		if (!s->mounts[i].writable)
			continue;
		buf_puts(b, "\t");
		put_path(b, s->mounts[i].target, "{,/**}");
		buf_puts(b, " rwkl,\n");
	}
	buf_puts(b, "\t/dev/** rw,\n\tdeny /sys/** wkl,\n");
	if (!spec_lowered(s, "landlock", "proc"))
		buf_puts(b, "\tdeny /proc/** wkl,\n");
}

static void put_calls(struct buf *b, const struct spec *s, const char *profile)
{
	bool any = spec_lowered(s, "seccomp", "families") || spec_lowered(s, "seccomp", "i386");

	buf_puts(b, "\n");
	if (any)
		buf_puts(b, "\tnetwork,\n");
	else
		buf_puts(b, "\tnetwork unix,\n\tnetwork inet stream,\n\tnetwork inet dgram,\n\tnetwork inet6 stream,\n"
			    "\tnetwork inet6 dgram,\n\tnetwork netlink raw,\n");
	if (!any && (spec_lowered(s, "seccomp", "raw") || spec_lowered(s, "seccomp", "protocols")))
		buf_puts(b, "\tnetwork inet,\n\tnetwork inet6,\n");
	if (!any && spec_lowered(s, "seccomp", "packet"))
		buf_puts(b, "\tnetwork packet,\n");
	if (!any && spec_lowered(s, "seccomp", "alg"))
		buf_puts(b, "\tnetwork alg,\n");
	if (!any && spec_lowered(s, "seccomp", "vsock"))
		buf_puts(b, "\tnetwork vsock,\n");
	buf_puts(b, "\tunix,\n\tsignal (receive) peer=unconfined,\n");
	buf_printf(b, "\tsignal (send, receive) peer=%s,\n", profile);
	buf_printf(b, "\tptrace (read%s) peer=%s,\n", spec_lowered(s, "seccomp", "ptrace") ? ", readby, trace, tracedby" : ", readby",
		   profile);
	if (spec_lowered(s, "seccomp", "mount"))
		buf_puts(b, "\tmount,\n\tremount,\n\tumount,\n\tpivot_root,\n");
}

static int run(void *options, int argc, char **argv, struct error *e)
{
	_cleanup_buf_ struct buf b = { 0 };
	_cleanup_free_ char *profile = NULL;
	struct container c;
	struct spec s;
	int r = container_find(argv[0], &c, e);

	(void)options;
	(void)argc;
	if (r < 0)
		return r;
	r = container_spec(&c, &s, e);
	if (r == 0) {
		profile = c.config.apparmor && !streq(c.config.apparmor, LSM_DEFAULT_PROFILE) ? xstrdup(c.config.apparmor)
											       : xasprintf("brig-%s", c.config.name);
		buf_printf(&b, "# From brig generate apparmor %s.\nabi <abi/3.0>,\n\n", c.config.name);
		buf_printf(&b, "profile %s flags=(attach_disconnected, mediate_deleted) {\n", profile);
		put_caps(&b, &s);
		put_files(&b, &s);
		put_calls(&b, &s, profile);
		buf_puts(&b, "}\n");
		fputs(b.data, stdout);
	}
	spec_free(&s);
	container_free(&c);
	return r;
}

static const struct cli_option options[] = {
	CLI_END,
};

const struct cli_command cmd_generate_apparmor = {
	.name = "generate apparmor",
	.group = "Walls",
	.args = "CONTAINER",
	.summary = "write an AppArmor profile for a container, from its plan",
	.description =
		"What the other walls let through, said once more for AppArmor: capabilities, writable places, socket families, and what "
		"was lowered by name. As root, before the first start:\n\n"
		"    brig create --name web --security-opt apparmor=brig-web IMAGE\n"
		"    brig generate apparmor web > /etc/apparmor.d/brig-web\n"
		"    apparmor_parser -r /etc/apparmor.d/brig-web\n"
		"    brig start web\n\n"
		"The start fails where the profile is not loaded or AppArmor is not active; posture reads the profile's name back.",
	.options = options,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.complete = "containers",
	.run = run,
};
