/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "image/save.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct save_options {
	char *output, *format;
	bool quiet;
};

static const struct cli_option options[] = {
	CLI_OPT(struct save_options, output, "output", 'o', CLI_STRING, "FILE", "write to FILE, not standard output", "paths"),
	CLI_OPT(struct save_options, format, "format", 0, CLI_STRING, "FORMAT",
		"docker-archive (an OCI layout as well; the default), oci-archive, or oci-dir", "docker-archive oci-archive oci-dir"),
	CLI_OPT(struct save_options, quiet, "quiet", 'q', CLI_FLAG, NULL, "show no progress", NULL),
	CLI_END,
};

static int read_format(const char *s, enum save_format *out, struct error *e)
{
	static const char *const names[] = { "docker-archive", "oci-archive", "oci-dir" };

	*out = SAVE_DOCKER;
	if (!s)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!streq(s, names[i]))
			continue;
		*out = (enum save_format)i;
		return 0;
	}
	return error_set(e, EINVAL, "unknown format \"%s\": docker-archive, oci-archive or oci-dir", s);
}

/* Where the result stands until it is whole. Devices and pipes are written to directly. */
struct target {
	char *path, *tmp; /* tmp NULL: no renaming at the end */
	int fd;
};

static int open_target(const struct save_options *o, enum save_format format, struct target *t, struct error *e)
{
	struct stat st;
	bool there;

	if (!o->output || streq(o->output, "-")) {
		if (format == SAVE_OCI_FOLDER)
			return error_set(e, EINVAL, "a folder cannot be written to standard output: name it with -o");
		if (isatty(1)) {
			error_set(e, EINVAL, "standard output is a terminal");
			error_hint(e, "brig save -o FILE, or send it somewhere: brig save IMAGE > FILE");
			return -EINVAL;
		}
		t->fd = fcntl(1, F_DUPFD_CLOEXEC, 3);
		return t->fd < 0 ? error_errno(e, errno, "standard output") : 0;
	}
	t->path = o->output;
	there = lstat(t->path, &st) == 0;
	if (format == SAVE_OCI_FOLDER && there)
		return error_set(e, EEXIST, "%s exists: an OCI layout is written to a new folder", t->path);
	if (there && !S_ISREG(st.st_mode)) {
		t->fd = open(t->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return t->fd < 0 ? error_errno(e, errno, "cannot open %s", t->path) : 0;
	}
	t->tmp = xasprintf("%s.part-%d", t->path, getpid());
	if (format == SAVE_OCI_FOLDER && mkdir(t->tmp, 0755) < 0)
		return error_errno(e, errno, "cannot make %s", t->tmp);
	t->fd = open(t->tmp, format == SAVE_OCI_FOLDER ? O_RDONLY | O_DIRECTORY | O_CLOEXEC :
							 O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return t->fd < 0 ? error_errno(e, errno, "cannot make %s", t->tmp) : 0;
}

static int close_target(struct target *t, int r, struct error *e)
{
	if (t->fd >= 0 && close(t->fd) < 0 && r == 0)
		r = error_errno(e, errno, "cannot write");
	if (t->tmp && r == 0 && rename(t->tmp, t->path) < 0)
		r = error_errno(e, errno, "cannot rename %s to %s", t->tmp, t->path);
	if (t->tmp && r < 0)
		path_remove_tree(AT_FDCWD, t->tmp);
	free(t->tmp);
	return r;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct save_options *o = options_;
	struct save_request r = { .refs = argv };
	struct target t = { .fd = -1 };
	struct cli_progress bar;
	int err;

	(void)argc;
	err = read_format(o->format, &r.format, e);
	if (err == 0)
		err = open_target(o, r.format, &t, e);
	if (err == 0) {
		r.out = t.fd;
		r.arg = &bar;
		r.progress = o->quiet ? NULL : cli_progress_tell;
		if (!o->quiet)
			cli_progress_start(&bar, "Saving", 0);
		err = image_save(&r, e);
		if (!o->quiet)
			cli_progress_end(&bar);
	}
	return close_target(&t, err, e);
}

const struct cli_command cmd_save = {
	.name = "save",
	.aliases = "image save",
	.group = "Images",
	.args = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "write images to a tar archive or an OCI layout folder",
	.description = "The archive can be read by brig load, docker load, podman load and skopeo. Every blob is verified "
		       "against its digest while it is written. An image named by its id is saved without a name.",
	.options = options,
	.options_size = sizeof(struct save_options),
	.min_args = 1,
	.max_args = -1,
	.complete = "images",
	.run = run,
};
