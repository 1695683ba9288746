/* SPDX-License-Identifier: Apache-2.0 */
/* `brig sbom`: bills of materials, also beside the image in its registry. */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/conf.h"
#include "base/fd.h"
#include "cli/vet_cli.h"
#include "image/refer.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { BILL_MAX = 256 * 1024 * 1024 };

static const struct cli_option options[] = {
	CLI_OPT(struct vet_cli_options, format, "format", 0, CLI_STRING, "FORMAT", "spdx (the default) or cyclonedx", "spdx cyclonedx"),
	CLI_OPT(struct vet_cli_options, output, "output", 'o', CLI_STRING, "FILE", "write the bill to FILE, not standard output", "files"),
	CLI_OPT(struct vet_cli_options, type, "type", 0, CLI_STRING, "TYPE", "what the argument is, as with brig vet",
		"image container archive folder sbom"),
	CLI_OPT(struct vet_cli_options, platform, "platform", 0, CLI_STRING, "PLATFORM",
		"of an archive, or with --remote of an index, take the image for linux/ARCHITECTURE[/VARIANT], not this machine's", NULL),
	CLI_OPT(struct vet_cli_options, attach, "attach", 0, CLI_FLAG, NULL,
		"send the bill of an image that was pushed to its registry, so that it refers to the image there", NULL),
	CLI_OPT(struct vet_cli_options, remote, "remote", 0, CLI_FLAG, NULL,
		"print the newest bill of this format that refers to the image in its registry, whoever attached it", NULL),
	CLI_OPT(struct vet_cli_options, quiet, "quiet", 'q', CLI_FLAG, NULL, "show no progress", NULL),
	CLI_END,
};

/* The first is what brig attaches. */
static const char *const *types_of(const char *format)
{
	static const char *const spdx[] = { "application/spdx+json", "text/spdx+json", NULL },
				*const cyclonedx[] = { "application/vnd.cyclonedx+json", NULL };

	return streq(format, "spdx") ? spdx : cyclonedx;
}

static int send(const struct vet_cli_options *o, const char *image, const char *name, const void *data, size_t n, struct error *e)
{
	_cleanup_reference_ struct reference to = { 0 };
	struct cli_progress bar;
	struct conf conf;
	struct refer_request q = { .image = image, .to = &to, .artifact_type = types_of(o->format)[0], .data = data, .n = n,
				   .title = streq(o->format, "spdx") ? "sbom.spdx.json" : "sbom.cdx.json", .now = (int64_t)time(NULL),
				   .conf = &conf, .report = { .progress = o->quiet ? NULL : cli_progress_tell, .arg = &bar } };
	_cleanup_free_ char *attached = NULL;
	char digest[DIGEST_SIZE];
	int r = reference_parse(name, &to, e);

	if (r == 0)
		r = conf_load(&conf, e);
	if (r < 0)
		return r;
	if (!o->quiet)
		cli_progress_start(&bar, "Attaching the bill", 0);
	r = image_refer(&q, digest, e);
	if (!o->quiet)
		cli_progress_end(&bar);
	conf_free(&conf);
	if (r < 0)
		return r;
	attached = xasprintf("%s/%s@sha256:%s", to.host, to.path, digest);
	printf("%s\n", attached);
	return 0;
}

/* The bill goes to memory first. */
static int attach(struct vet_cli_options *o, char **argv, const char *name, struct error *e)
{
	_cleanup_close_ int fd = memfd_create("bill", MFD_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r;

	if (o->output)
		return error_set(e, EINVAL, "--attach sends the bill; --output has no part in it");
	if (fd < 0)
		return error_errno(e, errno, "memfd_create");
	o->output = xasprintf("/proc/self/fd/%d", fd);
	free(o->type);
	o->type = xstrdup("image");
	r = vet_cli_run(o, 1, argv, e);
	if (r < 0)
		return r;
	lseek(fd, 0, SEEK_SET);
	r = fd_read_all(fd, BILL_MAX, &text, &n);
	return r < 0 ? error_errno(e, r, "the bill") : send(o, argv[0], name, text, n, e);
}

/* A stranger's text: to a terminal nothing that could steer it. */
static int print(const char *path, const struct buf *text, struct error *e)
{
	_cleanup_close_ int fd = path && !streq(path, "-") ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644) : dup(1);
	int r;

	if (fd < 0)
		return error_errno(e, errno, "%s", path ? path : "standard output");
	r = isatty(fd) ? 0 : fd_write_all(fd, text->data, text->len);
	for (const char *s = text->data, *end = s + text->len; isatty(fd) && r == 0 && s < end;) {
		const char *stop = memchr(s, '\n', (size_t)(end - s));
		_cleanup_free_ char *safe = str_escape_n(s, (size_t)((stop ? stop : end) - s)), *line = xasprintf("%s\n", safe);

		r = fd_write_all(fd, line, strlen(line));
		s = stop ? stop + 1 : end;
	}
	return r < 0 ? error_errno(e, r, "cannot write") : 0;
}

static int show_remote(const struct vet_cli_options *o, const char *name, struct error *e)
{
	_cleanup_reference_ struct reference ref = { 0 };
	_cleanup_buf_ struct buf text = { 0 };
	struct conf conf;
	struct refer_wanted w = { .ref = &ref, .platform = o->platform, .types = types_of(o->format), .conf = &conf };
	int r = reference_parse(name, &ref, e);

	if (r == 0)
		r = conf_load(&conf, e);
	if (r < 0)
		return r;
	r = image_referring(&w, &text, e);
	conf_free(&conf);
	return r < 0 ? r : print(o->output, &text, e);
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct vet_cli_options *o = options_;
	int r = 0;

	if (!o->format)
		o->format = xstrdup("spdx");
	if (!streq(o->format, "spdx") && !streq(o->format, "cyclonedx"))
		r = error_set(e, EINVAL, "--format %s: spdx or cyclonedx", o->format);
	else if (argc > 1 && !o->attach)
		r = error_set(e, EINVAL, "a second name is where --attach sends the bill");
	else if (o->attach && o->remote)
		r = error_set(e, EINVAL, "--attach and --remote: one way at a time");
	else if (o->attach)
		r = attach(o, argv, argv[argc - 1], e);
	else if (o->remote)
		r = show_remote(o, argv[0], e);
	else
		return vet_cli_run(o, argc, argv, e);
	if (r < 0 && e->exit == 0)
		e->exit = EXIT_BLIND;
	return r;
}

const struct cli_command cmd_sbom = {
	.name = "sbom",
	.aliases = "image sbom",
	.group = "Walls",
	.args = "[OPTIONS] IMAGE|CONTAINER|LAYOUT|ARCHIVE|FOLDER|SBOM [HOST[:PORT]/NAME[:TAG]]",
	.summary = "write what packages are in an image as a bill of materials",
	.description =
		"Lists the packages of distributions (dpkg, rpm, apk) and languages (Python, Node, Ruby, Java, Go, Rust) as SPDX 2.3 or CycloneDX "
		"1.6, read from the image's own files in a locked-in process as brig vet does. What a bill cannot tell is whether the files are "
		"still those packages': brig vet does that. SOURCE_DATE_EPOCH makes two bills of the same image the same bytes.\n\n"
		"--attach sends the bill of an image to the registry that it was pushed to, under its own name or the second one, as an artifact "
		"that refers to it (application/spdx+json or application/vnd.cyclonedx+json, as oras attach makes them); its name and digest are "
		"printed. --remote prints the newest such bill of an image in a registry, or one under cosign's tag sha256-DIGEST.sbom. A bill is "
		"not signed: it says what whoever could write to the registry says.",
	.options = options,
	.options_size = sizeof(struct vet_cli_options),
	.min_args = 1,
	.max_args = 2,
	.complete = "images",
	.run = run,
};
