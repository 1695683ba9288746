/* SPDX-License-Identifier: Apache-2.0 */
/* The env wall: nothing of the caller's environment comes in. execve(2) gets the plan's list and no other. */
#include "confine/wall.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int plan_env(const struct spec *s, struct plan *p, struct error *e)
{
	strv_foreach(it, s->env)
		if (!strchr(*it, '=') || **it == '=')
			return error_set(e, EINVAL, "environment entry without a name or \"=\"");
	wall_up(p, WALL_ENV, "%zu variables, all named by the image or on the command line", strv_len(s->env));
	return 0;
}

/* Names that every shell sets anew for what it starts; the same value outside and inside says nothing. */
static bool is_common(const char *entry)
{
	static const char *const names[] = { "PATH=", "HOME=", "PWD=", "OLDPWD=", "SHLVL=", "_=", "TERM=", "LANG=", "HOSTNAME=" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_after(entry, names[i]))
			return true;
	return false;
}

/*
 * A program may change its own environment and give another one to what it executes, so that what is not in the plan is no
 * sign by itself; that an entry is the very one that we have ourselves is.
 */
static void prove_env(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	_cleanup_free_ char *text = NULL;
	size_t n, have = 0, own = 0, leaked = 0;

	if (file_read(s->proc_fd, "environ", 1 << 21, &text, &n) < 0) {
		evidence_add(ev, VERDICT_UNKNOWN, "environ cannot be read (%s)", error_name(errno));
		evidence_settle(ev, p, WALL_ENV);
		return;
	}
	for (size_t i = 0; i < n; i += strlen(text + i) + 1) {
		if (!text[i])
			continue;
		have++;
		if (!p || strv_has(p->spec->env, text + i))
			continue;
		own++;
		leaked += strv_has(environ, text + i) && !is_common(text + i);
	}
	evidence_add(ev, leaked ? VERDICT_DOWN : VERDICT_STANDS, "%zu variables in /proc/PID/environ", have);
	if (own)
		evidence_add(ev, VERDICT_STANDS, "%zu of them set by the program itself", own);
	if (leaked)
		evidence_why(ev, "%zu variables are the caller's own", leaked);
	evidence_settle(ev, p, WALL_ENV);
}

const struct wall wall_env = {
	.id = WALL_ENV, .name = "env", .what = "clean environment: nothing of the caller's", .on_exec = true,
	.prove_inside = true,
	.plan = plan_env, .prove = prove_env,
};
