/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/loading.h"

#include "base/cleanup.h"
#include "base/conf.h"
#include "cli/cli.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int loading_input(const char *path, struct error *e)
{
	int fd;

	if (streq(path, "-")) {
		if (isatty(0)) {
			error_set(e, EINVAL, "standard input is a terminal");
			error_hint(e, "name a file with -i, or send one: brig load < FILE");
			return -EINVAL;
		}
		fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
		return fd < 0 ? error_errno(e, errno, "standard input") : fd;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? error_errno(e, errno, "cannot open %s", path) : fd;
}

static void show_progress(void *arg, uint64_t done, uint64_t total)
{
	struct cli_progress *p = arg;

	(void)total;
	cli_progress_set(p, done);
}

int loading_run(struct load_request *r, bool quiet, const char *what, struct error *e)
{
	struct load_result result = { 0 };
	struct cli_progress bar;
	struct conf conf;
	int err = conf_load(&conf, e);

	if (err < 0)
		return err;
	r->limits = image_limits_of(&conf);
	r->accept_no_landlock = strv_has(conf.accept_lowered, "landlock");
	conf_free(&conf);
	r->note = cli_note_tell;
	r->arg = &bar;
	if (!quiet) {
		r->progress = show_progress;
		cli_progress_start(&bar, r->import ? "Importing" : "Loading", 0);
	}
	err = image_load(r, &result, e);
	if (!quiet)
		cli_progress_end(&bar);
	if (err < 0)
		return err;
	for (size_t i = 0; i < result.n; i++) {
		if (!result.images[i].name)
			printf("%s ID: sha256:%s\n", what, result.images[i].id);
		else
			printf("%s: %s\n", what, result.images[i].name);
		if (result.images[i].moved)
			cli_warn("%s was another image before, which stays under its id", result.images[i].name);
	}
	load_result_free(&result);
	return fflush(stdout) == 0 ? 0 : error_errno(e, errno, "cannot write");
}
