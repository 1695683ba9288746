/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Check "starts" (catalogue V2): what runs without being asked for: scheduled jobs and start-up hooks that no package brought. crontab(5),
 * systemd.unit(5), interfaces(5), apt.conf(5). Where there is no package database, nothing can be said of owners, and only jobs are told.
 */
#include "vet/inventory.h"
#include "vet/lines.h"

#include "base/cleanup.h"

#include <string.h>

enum { JOBS_FILE_MAX = 1024 * 1024 };

static bool can_tell(const struct vet *v)
{
	const struct inventory *inv = vet_inventory(v);

	return inv && inv->n_system > 0;
}

/* A line that starts something: not a comment, not NAME=VALUE. */
static bool is_job(const char *line)
{
	size_t n = strcspn(line, "= \t");

	return *line && *line != '#' && line[n] != '=' && strpbrk(line, " \t");
}

/* What distributions put into /etc/crontab: the folders of scripts that have their own rows here. */
static bool is_usual(const char *line)
{
	return strstr(line, "run-parts") != NULL;
}

static void look_jobs(struct vet *v, const struct vet_file *f, enum vet_level level)
{
	_cleanup_lines_ struct lines l = { 0 };

	if (!lines_open(&l, v, f, JOBS_FILE_MAX))
		return;
	while (lines_next(&l)) {
		char *line = lines_trim(l.text);

		if (!is_job(line) || is_usual(line))
			continue;
		vet_add(v, "starts", "V2-scheduled-job", level, f, NULL, "it runs later, by itself, and nobody asked for it", "a scheduled job: %.150s",
			line);
		return; /* one for each file; the rest is beside it */
	}
}

struct place {
	const char *dir;   /* everything below it */
	const char *ending; /* NULL: any */
	const char *what;
	bool jobs;	   /* its lines are jobs; else the file itself is the hook */
	bool always;	   /* packages put nothing there: it counts without a package database too */
};

static const struct place places[] = {
	{ "var/spool/cron", NULL, "jobs of a user", true, true },
	{ "etc/crontabs", NULL, "jobs of a user", true, true },
	{ "etc/cron.d", NULL, "scheduled jobs", true, false },
	{ "etc/cron.hourly", NULL, "a script that runs every hour", false, false },
	{ "etc/cron.daily", NULL, "a script that runs every day", false, false },
	{ "etc/cron.weekly", NULL, "a script that runs every week", false, false },
	{ "etc/cron.monthly", NULL, "a script that runs every month", false, false },
	{ "etc/periodic", NULL, "a script that runs regularly", false, false },
	{ "var/spool/at", NULL, "a job for later", false, true },
	{ "etc/profile.d", NULL, "a script that runs at every login", false, false },
	{ "etc/init.d", NULL, "a script that runs at the start", false, false },
	{ "etc/local.d", NULL, "a script that runs at the start", false, false },
	{ "etc/systemd/system", ".service", "a service that systemd starts", false, false },
	{ "etc/systemd/system", ".timer", "a timer of systemd", false, false },
	{ "etc/systemd/user", ".service", "a service that systemd starts for users", false, false },
	{ "usr/lib/systemd/system", ".service", "a service that systemd starts", false, false },
	{ "usr/lib/systemd/system-generators", NULL, "a program that systemd runs before everything else", false, false },
	{ "etc/update-motd.d", NULL, "a script that runs as root at every login", false, false },
	{ "etc/network/if-up.d", NULL, "a script that runs when the network comes up", false, false },
	{ "etc/NetworkManager/dispatcher.d", NULL, "a script that runs when the network comes up", false, false },
	{ "etc/udev/rules.d", ".rules", "rules of udev, which start programs", false, false },
	{ "etc/xdg/autostart", ".desktop", "a program that starts with every desktop", false, false },
};

static bool is_below(const char *path, const char *dir)
{
	const char *rest = str_after(path, dir);

	return rest && *rest == '/';
}

static void look_file(struct vet *v, const struct vet_file *f, const struct place *p)
{
	const char *slash = strrchr(f->path, '/'), *base = slash ? slash + 1 : f->path;

	/* Placeholders and what only tells something. */
	if (base[0] == '.' || strncmp(base, "README", 6) == 0 || (p->ending && !str_ends(base, p->ending)) || f->inode->size == 0)
		return;
	if (vet_owner(v, f->path) || (!p->always && !can_tell(v)))
		return;
	if (p->jobs)
		look_jobs(v, f, VET_MEDIUM);
	else
		vet_add(v, "starts", "V2-start-up-hook", VET_MEDIUM, f, NULL, "it runs by itself, and no package brought it", "%s", p->what);
}

/* Single files that run at a start: their presence says little, lines that no package wrote do. */
static void look_rc_local(struct vet *v)
{
	static const char *const paths[] = { "etc/rc.local", "etc/rc.d/rc.local" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const struct vet_file *f = vet_find(v, paths[i]);
		_cleanup_lines_ struct lines l = { 0 };

		if (!f || f->inode->type != 'f' || !(f->inode->mode & 0111) || vet_owner(v, f->path) || !lines_open(&l, v, f, JOBS_FILE_MAX))
			continue;
		while (lines_next(&l)) {
			char *line = lines_trim(l.text);

			if (!*line || *line == '#' || streq(line, "exit 0"))
				continue;
			vet_add(v, "starts", "V2-start-up-hook", VET_MEDIUM, f, NULL, "it runs by itself, and no package brought it",
				"rc.local runs: %.150s", line);
			break;
		}
	}
}

static void look_apt(struct vet *v, const struct vet_file *f)
{
	static const char *const hooks[] = { "Pre-Invoke", "Post-Invoke", "Pre-Install-Pkgs", "Update::Pre", "Update::Post" };
	_cleanup_lines_ struct lines l = { 0 };

	if (vet_owner(v, f->path) || !lines_open(&l, v, f, JOBS_FILE_MAX))
		return;
	while (lines_next(&l)) {
		char *line = lines_trim(l.text);

		for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
			/* What image makers put there is rm of what apt keeps. */
			if (*line == '/' || *line == '#' || !strstr(line, hooks[i]) || strstr(line, "rm -f /var/cache/apt"))
				continue;
			vet_add(v, "starts", "V2-start-up-hook", VET_MEDIUM, f, NULL, "it runs as root whenever a package is installed",
				"a hook of apt: %.150s", line);
			return;
		}
	}
}

static int run(struct vet *v, struct error *e)
{
	const struct vet_file *crontab = vet_find(v, "etc/crontab");

	(void)e;
	if (crontab && crontab->inode->type == 'f')
		look_jobs(v, crontab, VET_MEDIUM);
	for (size_t i = 0; i < v->n_merged; i++) {
		const struct vet_file *f = v->merged[i];

		if (f->inode->type != 'f')
			continue;
		for (size_t p = 0; p < ARRAY_SIZE(places); p++)
			if (is_below(f->path, places[p].dir))
				look_file(v, f, &places[p]);
		if (is_below(f->path, "etc/apt/apt.conf.d"))
			look_apt(v, f);
	}
	look_rc_local(v);
	return 0;
}

const struct vet_check vet_check_starts = { .name = "starts", .run = run };
