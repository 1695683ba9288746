// SPDX-License-Identifier: Apache-2.0
/*
 * The LSM wall. A profile or label that the configuration names is set for the exec of the container's program and read
 * back from the running process. A host without such a module, or a container without a name for one, has nothing to
 * raise, which the evidence shows.
 *
 * apparmor(7), Documentation/userspace-api/lsm.rst, proc_pid_attr(5).
 */
#include "confine/lsm.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_lsm_list_modules /* Linux 6.8 */
#define SYS_lsm_list_modules 461
#endif
enum { LSM_ID_SELINUX = 101, LSM_ID_APPARMOR = 104 }; /* include/uapi/linux/lsm.h */

static enum lsm_kind active_by_files(void)
{
	char enabled[16];

	if (file_read_line(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", enabled, sizeof(enabled)) >= 0 &&
	    streq(enabled, "Y"))
		return LSM_APPARMOR;
	if (access("/sys/fs/selinux/enforce", F_OK) == 0)
		return LSM_SELINUX;
	return LSM_NONE;
}

static enum lsm_kind look(void)
{
	uint64_t ids[32];
	uint32_t size = sizeof(ids);
	long n = syscall(SYS_lsm_list_modules, ids, &size, 0);

	if (n < 0)
		return active_by_files();
	for (long i = 0; i < n && i < (long)ARRAY_SIZE(ids); i++) {
		if (ids[i] == LSM_ID_APPARMOR)
			return LSM_APPARMOR;
		if (ids[i] == LSM_ID_SELINUX)
			return LSM_SELINUX;
	}
	return LSM_NONE;
}

enum lsm_kind lsm_active(void)
{
	static int known = -1;

	if (known < 0)
		known = (int)look();
	return (enum lsm_kind)known;
}

const char *lsm_default_profile(void)
{
	return lsm_active() == LSM_APPARMOR && access(LSM_DEFAULT_FILE, F_OK) == 0 ? LSM_DEFAULT_PROFILE : NULL;
}

static const char *lsm_words(enum lsm_kind k)
{
	return k == LSM_APPARMOR ? "AppArmor" : k == LSM_SELINUX ? "SELinux" : "no AppArmor or SELinux";
}

/* The name that counts on this machine; NULL when none was given. */
static const char *wanted(const struct spec *s, enum lsm_kind k)
{
	return k == LSM_APPARMOR ? s->apparmor : k == LSM_SELINUX ? s->selinux : NULL;
}

static int plan(const struct spec *s, struct plan *p, struct error *e)
{
	enum lsm_kind k = lsm_active();

	if (spec_lowered(s, "lsm", NULL)) {
		wall_not_up(p, WALL_LSM, INTENT_LOWERED, "no profile or label is set", "%s on this host", lsm_words(k));
		return 0;
	}
	if (s->apparmor && k != LSM_APPARMOR)
		return error_set(e, EOPNOTSUPP, "AppArmor profile %s was asked for, but AppArmor is not active on "
						"this host; --lower lsm starts without it", s->apparmor);
	if (s->selinux && k != LSM_SELINUX)
		return error_set(e, EOPNOTSUPP, "SELinux label %s was asked for, but SELinux is not active on this "
						"host; --lower lsm starts without it", s->selinux);
	if (k == LSM_NONE)
		wall_up(p, WALL_LSM, "no AppArmor or SELinux on this host: nothing to raise");
	else if (!wanted(s, k))
		wall_up(p, WALL_LSM, "%s is active, no %s was named for this container: nothing to raise%s", lsm_words(k),
			k == LSM_APPARMOR ? "profile" : "label",
			k == LSM_APPARMOR ? " (`brig setup`, as root, gives all of them one)" : "");
	else
		wall_up(p, WALL_LSM, "%s %s", k == LSM_APPARMOR ? "AppArmor profile" : "SELinux label", wanted(s, k));
	return 0;
}

/* Attribute files in the order to try: AppArmor has its own folder since Linux 5.8. */
static int attr_write(int proc_fd, enum lsm_kind k, const char *text)
{
	int r = -ENOENT;

	if (k == LSM_APPARMOR)
		r = file_write(proc_fd, "self/attr/apparmor/exec", text);
	return r == -ENOENT ? file_write(proc_fd, "self/attr/exec", text) : r;
}

static int raise_wall(struct launch *l, struct error *e)
{
	const struct spec *s = l->plan->spec;
	enum lsm_kind k = lsm_active();
	_cleanup_free_ char *text = NULL;
	int r;

	if (spec_lowered(s, "lsm", NULL) || !wanted(s, k))
		return 0;
	text = xasprintf("%s%s", k == LSM_APPARMOR ? "exec " : "", wanted(s, k));
	r = attr_write(l->proc_fd, k, text);
	if (r == -ENOENT && k == LSM_APPARMOR) {
		error_set(e, ENOENT, "AppArmor profile %s is not loaded", s->apparmor);
		if (streq(s->apparmor, LSM_DEFAULT_PROFILE))
			error_hint(e, "as root: brig setup (or apparmor_parser -r " LSM_DEFAULT_FILE "); --lower lsm starts without it");
		else
			error_hint(e, "load it with apparmor_parser, or start without it: --lower lsm");
		return -ENOENT;
	}
	return r < 0 ? error_errno(e, r, "%s", wanted(s, k)) : 0;
}

/* What the kernel says; "" when no module gives labels. */
static void label_read(const struct subject *s, char *out, size_t size)
{
	size_t n;

	out[0] = 0;
	if (file_read_line(s->proc_fd, "attr/apparmor/current", out, size) < 0 &&
	    file_read_line(s->proc_fd, "attr/current", out, size) < 0)
		out[0] = 0;
	n = strlen(out);
	if (n > 0 && out[n - 1] == '\n')
		out[n - 1] = 0;
}

/* "NAME (enforce)" of AppArmor, or the label itself. */
static bool label_matches(const char *label, enum lsm_kind k, const char *name)
{
	const char *rest = str_after(label, name);

	if (!rest)
		return false;
	return k == LSM_APPARMOR ? streq(rest, " (enforce)") : !*rest;
}

static void prove(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	enum lsm_kind k = lsm_active();
	_cleanup_free_ char *shown = NULL;
	char label[512];

	label_read(s, label, sizeof(label));
	shown = str_escape(label);
	if (k == LSM_NONE && !label[0])
		evidence_add(ev, VERDICT_STANDS, "the kernel lists no AppArmor or SELinux, and the process has no label");
	else
		evidence_add(ev, VERDICT_STANDS, "%s, label: %s", lsm_words(k), label[0] ? shown : "none");
	if (!p) {
		if (k != LSM_NONE && (!label[0] || str_after(label, "unconfined"))) {
			evidence_add(ev, VERDICT_DOWN, "unconfined");
			evidence_why(ev, "%s is active and does not confine it", lsm_words(k));
		}
		return;
	}
	if (p->wall[WALL_LSM].intent == INTENT_UP && wanted(p->spec, k) &&
	    !label_matches(label, k, wanted(p->spec, k))) {
		evidence_add(ev, VERDICT_DOWN, "planned: %s", wanted(p->spec, k));
		evidence_why(ev, "the label is not the planned one in enforce mode");
	}
	evidence_settle(ev, p, WALL_LSM);
}

const struct wall wall_lsm = {
	.on_exec = true,
	.id = WALL_LSM,
	.name = "lsm",
	.what = "AppArmor profile or SELinux label, when the host has one",
	.can_lower = true,
	.plan = plan,
	.raise = raise_wall,
	.prove = prove,
};
