/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walls around the credentials of the process: capabilities(7), no_new_privs (PR_SET_NO_NEW_PRIVS(2const)), session
 * keyring (session-keyring(7)).
 */
#include "confine/wall.h"

#include "base/cleanup.h"
#include "confine/caps.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- capabilities ------------------------------------------------------------------------------------------------ */

static int plan_caps(const struct spec *s, struct plan *p, struct error *e)
{
	_cleanup_free_ char *names = caps_text(s->caps);
	uint64_t more = s->caps & ~CAPS_ROOT_IMAGE;

	(void)e;
	p->caps = s->caps;
	if (more) {
		_cleanup_free_ char *extra = caps_text(more);
		char note[200];

		snprintf(note, sizeof(note), "added by name: %s", extra);
		wall_not_up(p, WALL_CAPS, INTENT_LOWERED, note, "%s", names);
	} else if (s->caps == 0) {
		wall_up(p, WALL_CAPS, "no capability at all");
	} else {
		wall_up(p, WALL_CAPS, "%d of %d, inside its own user namespace: %s", __builtin_popcountll(s->caps),
			CAP_LAST_CAP + 1, names);
	}
	return 0;
}

/*
 * Order matters: the bounding set can be lowered only with CAP_SETPCAP, groups and ids set only with CAP_SETGID and
 * CAP_SETUID; leaving uid 0 drops the rest by itself, and capset at the end makes it exact.
 */
static int raise_caps(struct launch *l, struct error *e)
{
	const struct spec *s = l->plan->spec;
	uint64_t keep = l->plan->caps;
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	bool root = s->uid == 0;

	for (int c = 0; c <= CAP_LAST_CAP; c++)
		if (!(keep >> c & 1) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0 && errno != EINVAL)
			return error_errno(e, errno, "cannot drop capability %d", c);
	if (syscall(SYS_setgroups, s->n_groups, s->groups) < 0)
		return error_errno(e, errno, "cannot set the groups of the container's user");
	if (syscall(SYS_setresgid, s->gid, s->gid, s->gid) < 0)
		return error_errno(e, errno, "cannot become gid %u", s->gid);
	if (syscall(SYS_setresuid, s->uid, s->uid, s->uid) < 0)
		return error_errno(e, errno, "cannot become uid %u", s->uid);
	/* A user that is not root gets no capability: nothing in permitted or ambient would survive exec anyway. */
	if (root) {
		data[0].effective = data[0].permitted = (uint32_t)keep;
		data[1].effective = data[1].permitted = (uint32_t)(keep >> 32);
	}
	if (syscall(SYS_capset, &head, data) < 0)
		return error_errno(e, errno, "cannot set capabilities");
	return 0;
}

static void prove_caps(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	static const char *const sets[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
	uint64_t limit = p ? p->caps : CAPS_ROOT_IMAGE;

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		char text[64];
		uint64_t v;

		if (subject_status(s, sets[i], text, sizeof(text)) < 0) {
			evidence_add(ev, VERDICT_UNKNOWN, "%s cannot be read", sets[i]);
			continue;
		}
		v = strtoull(text, NULL, 16);
		/* Inheritable and ambient are empty in every plan (R19). */
		uint64_t allowed = i == 0 || i == 4 ? 0 : limit;
		evidence_add(ev, v & ~allowed ? VERDICT_DOWN : VERDICT_STANDS, "%s %llx", sets[i],
			     (unsigned long long)v);
		if (v & ~allowed) {
			_cleanup_free_ char *names = caps_text(v & ~allowed);

			evidence_why(ev, "%s also holds %s", sets[i], names);
		}
	}
	evidence_settle(ev, p, WALL_CAPS);
}

/* --- no_new_privs ------------------------------------------------------------------------------------------------ */

static int plan_nnp(const struct spec *s, struct plan *p, struct error *e)
{
	(void)e;
	p->nnp = !spec_lowered(s, "nnp", NULL);
	if (p->nnp)
		wall_up(p, WALL_NNP, "no_new_privs: set-uid programs and file capabilities give nothing");
	else
		wall_not_up(p, WALL_NNP, INTENT_LOWERED, "set-uid programs raise privilege inside", "no_new_privs is off");
	return 0;
}

static int raise_nnp(struct launch *l, struct error *e)
{
	if (l->plan->nnp && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(e, errno, "PR_SET_NO_NEW_PRIVS");
	return 0;
}

static void prove_nnp(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	char text[16];

	if (subject_status(s, "NoNewPrivs", text, sizeof(text)) < 0)
		evidence_add(ev, VERDICT_UNKNOWN, "NoNewPrivs cannot be read");
	else if (strcmp(text, "1") == 0)
		evidence_add(ev, VERDICT_STANDS, "NoNewPrivs: 1");
	else
		evidence_add(ev, p && !p->nnp ? VERDICT_STANDS : VERDICT_DOWN, "NoNewPrivs: %s", text);
	evidence_settle(ev, p, WALL_NNP);
}

/* --- session keyring --------------------------------------------------------------------------------------------- */

static int plan_keyring(const struct spec *s, struct plan *p, struct error *e)
{
	(void)s;
	(void)e;
	wall_up(p, WALL_KEYRING, "new, empty session keyring; the key calls are refused");
	return 0;
}

static int raise_keyring(struct launch *l, struct error *e)
{
	(void)l;
	/* ENOSYS: a kernel without keys has no keyring to share. */
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0) < 0 && errno != ENOSYS)
		return error_errno(e, errno, "cannot make a session keyring");
	return 0;
}

/*
 * The kernel shows no process's session keyring to others. What can be read: the key calls pass a filter, and the user
 * keyrings belong to a user namespace of the container's own.
 */
static void prove_keyring(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	char text[16];
	bool filtered = subject_status(s, "Seccomp", text, sizeof(text)) == 0 && strcmp(text, "2") == 0;
	/* Without the filter by name, the seccomp wall says so; this one has what it is made of still. */
	bool planned = p && p->wall[WALL_SECCOMP].intent != INTENT_UP && p->seccomp.n == 0;

	evidence_add(ev, !filtered && !planned ? VERDICT_DOWN : p ? VERDICT_STANDS : VERDICT_UNKNOWN, "%s; key calls %s",
		     p ? "joined at start" : "session keyring not readable",
		     filtered ? "pass a filter (Seccomp: 2)" : "are not filtered");
	if (!filtered && !planned)
		evidence_why(ev, "keys of other containers and of the host could be asked for");
	else if (!p)
		evidence_why(ev, "no kernel interface tells whose session keyring process %d has", (int)s->pid);
	evidence_settle(ev, p, WALL_KEYRING);
}

const struct wall wall_caps = {
	.id = WALL_CAPS, .name = "caps", .what = "capabilities: none for a user, few for root inside",
	.on_exec = true, .plan = plan_caps, .raise = raise_caps, .prove = prove_caps,
};

const struct wall wall_nnp = {
	.id = WALL_NNP, .name = "nnp", .what = "no_new_privs: no program raises privilege", .can_lower = true,
	.on_exec = true, .plan = plan_nnp, .raise = raise_nnp, .prove = prove_nnp,
};

const struct wall wall_keyring = {
	.id = WALL_KEYRING, .name = "keyring", .what = "own session keyring",
	.on_exec = true, .plan = plan_keyring, .raise = raise_keyring, .prove = prove_keyring,
};
