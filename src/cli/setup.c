/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "engine/host.h"

#include <string.h>
#include <unistd.h>

struct setup_options {
	char *user;
	bool check, remove;
};

static const struct cli_option options[] = {
	CLI_OPT(struct setup_options, user, "user", 'u', CLI_STRING, "NAME", "the user to set up, by name or uid", NULL),
	CLI_OPT(struct setup_options, check, "check", 0, CLI_FLAG, NULL,
		"change nothing: say what is missing, exit code 1 when something is", NULL),
	CLI_OPT(struct setup_options, remove, "remove", 0, CLI_FLAG, NULL, "take back what a setup gave", NULL),
	CLI_END,
};

static void print_lines(const char *head, char *const *lines)
{
	strv_foreach(it, lines) {
		_cleanup_free_ char *safe = str_escape(*it);

		printf("%s%s\n", head, safe);
	}
}

static int undo(const struct host_user *u, struct error *e)
{
	struct host_setup result = { 0 };
	int r = host_undo(u, &result, e);

	print_lines("", result.done);
	print_lines("note: ", result.lacks);
	if (r == 0 && !result.done)
		printf("nothing to take back from user %s\n", u->name);
	strv_free(result.done);
	strv_free(result.lacks);
	return r;
}

/* Also before a failure: what was done is done. */
static int tell(struct host_setup *result, bool check, const char *who, int r)
{
	print_lines(check ? "missing: " : "", result->done);
	print_lines("to do: ", result->lacks);
	if (r == 0 && !result->done && !result->lacks)
		printf("%s has all that it takes\n", who);
	else if (r == 0 && !result->done && !check)
		printf("nothing to change for %s\n", who);
	if (r == 0 && check && (result->done || result->lacks))
		r = 1;
	strv_free(result->done);
	strv_free(result->lacks);
	return r;
}

static int machine(bool check, struct error *e)
{
	struct host_setup result = { 0 };

	return tell(&result, check, "this machine", host_setup_machine(check, &result, e));
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct setup_options *o = options_;
	struct host_setup result = { 0 };
	struct host_user u;
	char own[16];
	int r;

	(void)argc;
	(void)argv;
	if (o->remove && o->check)
		return error_set(e, EINVAL, "--remove contradicts --check");
	if (!o->user && geteuid() == 0)
		return o->remove ? error_set(e, EINVAL, "which user? --user NAME") : machine(o->check, e);
	snprintf(own, sizeof(own), "%u", geteuid());
	r = host_user_find(o->user ? o->user : own, &u, e);
	if (r < 0)
		return r;
	if (o->remove)
		return undo(&u, e);
	r = host_setup(&u, o->check, &result, e);
	if (r == -EPERM && e->code == -EPERM && !o->check)
		error_hint(e, "sudo brig setup --user %s", u.name);
	_cleanup_free_ char *who = xasprintf("user %s", u.name);
	return tell(&result, o->check, who, r);
}

const struct cli_command cmd_setup = {
	.name = "setup",
	.group = "System",
	.args = "[--user NAME] [--check | --remove]",
	.summary = "give a user, once, what only root can",
	.description = "Adds 65536 subordinate user and group ids when the user has less, and delegates a cgroup: through "
		       "systemd where it runs (all controllers, and lingering so that containers outlive the session), "
		       "else a folder of the user's own in each hierarchy, which does not survive a reboot. Opens /dev/net/tun "
		       "to all where no udev did, and where AppArmor is active loads the profile brig-default, which from then on confines "
		       "every container that names no other; root alone, without --user, gets these two. Says what else the machine lacks. Can be run again at any time.\n\n"
		       "With --remove it takes back what it gave: the cgroups, and those ids, lingering and settings that it "
		       "made itself. Let the user remove containers and images before (brig rm, brig system prune -a), for "
		       "files that belong to its subordinate ids cannot be removed by the user afterwards.",
	.options = options,
	.options_size = sizeof(struct setup_options),
	.run = run,
};
