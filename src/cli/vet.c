/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"
#include "cli/vet_attest.h"
#include "cli/vet_cli.h"
#include "engine/container.h"
#include "engine/ids.h"
#include "vet/look.h"
#include "vet/own_file.h"
#include "vet/report.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct cli_option options[] = {
	CLI_OPT(struct vet_cli_options, format, "format", 0, CLI_STRING, "FORMAT",
		"table (the default), json, sarif, junit or html, or a bill of materials of the packages: spdx or cyclonedx",
		"table json sarif junit html spdx cyclonedx"),
	CLI_OPT(struct vet_cli_options, fail_on, "fail-on", 0, CLI_STRING, "LEVEL",
		"exit with 1 when something is as bad as this: critical, high (the default), medium, low, info, or never",
		"critical high medium low info never"),
	CLI_OPT(struct vet_cli_options, output, "output", 'o', CLI_STRING, "FILE", "write the report to FILE, not standard output", "files"),
	CLI_OPT(struct vet_cli_options, type, "type", 0, CLI_STRING, "TYPE",
		"what the argument is: image, container, archive (an OCI layout or an archive), folder or sbom (a bill of materials); else it is found out",
		"image container archive folder sbom"),
	CLI_OPT(struct vet_cli_options, platform, "platform", 0, CLI_STRING, "PLATFORM",
		"of an archive, take the image for linux/ARCHITECTURE[/VARIANT], not this machine's", NULL),
	CLI_OPT(struct vet_cli_options, rules, "rules", 0, CLI_LIST, "FILE", "read more rules of what images claim and can do, see brig-vet-rules(5)",
		"files"),
	CLI_OPT(struct vet_cli_options, vex, "vex", 0, CLI_LIST, "FILE", "an OpenVEX document: what it says is not affected is no finding", "files"),
	CLI_OPT(struct vet_cli_options, ignore, "ignore", 0, CLI_LIST, "FILE",
		"vulnerabilities that do not count, a line each: ID PACKAGE|* LAST-DAY REASON", "files"),
	CLI_OPT(struct vet_cli_options, sarif, "sarif-in", 0, CLI_LIST, "FILE",
		"what another tool found about it (SARIF 2.1.0) stands in the report too, and counts, as TOOL/RULE", "files"),
	CLI_OPT(struct vet_cli_options, require_db, "require-db", 0, CLI_FLAG, NULL,
		"fail with 2 when there are no advisories for the packages of the image (brig vet db)", NULL),
	CLI_OPT(struct vet_cli_options, policy, "policy", 0, CLI_STRING, "FILE",
		"exit with 1 when this policy refuses it, in place of --fail-on; see brig-vet-policy(5)", "files"),
	CLI_OPT(struct vet_cli_options, name, "name", 0, CLI_STRING, "NAME", "judge it as if it bore this name", NULL),
	CLI_OPT(struct vet_cli_options, attest, "attest", 0, CLI_FLAG, NULL,
		"when the image passes, sign that as an attestation with --key, for trust.json of other machines", NULL),
	CLI_OPT(struct vet_cli_options, key, "key", 'k', CLI_STRING, "FILE", "the private key of --attest, as brig sign takes it", "files"),
	CLI_OPT(struct vet_cli_options, passphrase_file, "passphrase-file", 0, CLI_STRING, "FILE",
		"the key's passphrase is this file's first line; else a terminal is asked", "files"),
	CLI_OPT(struct vet_cli_options, jobs, "jobs", 'j', CLI_STRING, "N",
		"look with N threads, 1 to 64 (default: one for each processor, at most 8); the report is the same", NULL),
	CLI_OPT(struct vet_cli_options, quiet, "quiet", 'q', CLI_FLAG, NULL, "show no progress", NULL),
	CLI_END,
};

/* What is looked at, with what has to be given back afterwards. */
struct target {
	struct vet_source source;
	struct container container;
	bool is_container;
	char *scratch; /* a store of its own for an archive */
};

enum kind { KIND_IMAGE, KIND_CONTAINER, KIND_ARCHIVE, KIND_FOLDER, KIND_BILL, KIND_ANY };

static int parse_kind(const char *word, enum kind *out, struct error *e)
{
	static const char *const words[] = { "image", "container", "archive", "folder", "sbom" };

	*out = KIND_ANY;
	for (size_t i = 0; word && i < ARRAY_SIZE(words); i++)
		if (streq(word, words[i]))
			*out = (enum kind)i;
	if (word && *out == KIND_ANY)
		return error_set(e, EINVAL, "--type %s: image, container, archive, folder or sbom", word);
	return 0;
}

/* Archives begin with anything else. */
static bool is_json(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char text[65];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return text[strspn(text, " \t\r\n")] == '{';
}

static enum kind kind_of_path(const char *path)
{
	_cleanup_free_ char *layout = xasprintf("%s/oci-layout", path);
	struct stat st;

	if (stat(path, &st) < 0)
		return KIND_ANY;
	if (S_ISREG(st.st_mode) && is_json(path))
		return KIND_BILL;
	return !S_ISDIR(st.st_mode) || stat(layout, &st) == 0 ? KIND_ARCHIVE : KIND_FOLDER;
}

/* A path is one when it looks like one; else containers and images come first, as with brig inspect. */
static enum kind guess(const char *arg)
{
	struct container c;
	struct image img;
	bool found;

	if (arg[0] == '/' || streq(arg, ".") || streq(arg, "..") || str_after(arg, "./") || str_after(arg, "../"))
		return kind_of_path(arg);
	found = container_find(arg, &c, NULL) == 0;
	if (found) {
		container_free(&c);
		return KIND_CONTAINER;
	}
	found = image_find(arg, &img, NULL) == 0;
	if (found) {
		image_free(&img);
		return KIND_IMAGE;
	}
	return kind_of_path(arg);
}

/* rw/up of a container, or what says that there is none to look at. */
static int open_writable(struct target *t, struct error *e)
{
	const struct container *c = &t->container;
	_cleanup_close_ int rw = -1;

	if (c->config.root_tmpfs)
		strv_add_copy(&t->source.not_looked, "what the container has written: its writable layer lies in memory");
	if (c->config.root_tmpfs || c->config.read_only)
		return 0;
	rw = openat(c->dir_fd, "rw", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (rw >= 0)
		t->source.folder = openat(rw, "up", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (t->source.folder < 0 && errno != ENOENT)
		return error_errno(e, errno, "cannot open the writable layer");
	t->source.overlay = true;
	t->source.shift_uid = home_is_root() ? c->config.id_first_uid : 0;
	t->source.shift_gid = home_is_root() ? c->config.id_first_gid : 0;
	return 0;
}

static int open_container(struct target *t, const char *ref, struct error *e)
{
	int r = container_find(ref, &t->container, e);

	if (r < 0)
		return r;
	t->is_container = true;
	if (t->container.config.rootfs)
		r = vet_source_folder(&t->source, t->container.config.rootfs, e);
	else
		r = vet_source_layers(&t->source, t->container.config.image_id, t->container.config.tree, e);
	if (r == 0 && !t->container.config.rootfs)
		r = open_writable(t, e);
	free(t->source.name);
	t->source.name = xstrdup(t->container.config.name);
	if (!t->source.image)
		t->source.image = xstrdup(t->container.config.image_name);
	return r;
}

static void loading(void *arg, uint64_t done, uint64_t total)
{
	struct cli_progress *bar = arg;

	bar->total = total;
	cli_progress_set(bar, done);
}

static int open_archive(struct target *t, const char *path, const struct vet_cli_options *o, bool accept, struct error *e)
{
	struct cli_progress bar;
	struct vet_archive a = { .path = path, .platform = o->platform, .accept_no_landlock = accept, .arg = &bar };
	bool show = !o->quiet && isatty(2);
	int r;

	if (show) {
		a.progress = loading;
		cli_progress_start(&bar, "Unpacking", 0);
	}
	r = vet_source_archive(&t->source, &a, &t->scratch, e);
	if (show)
		cli_progress_end(&bar);
	free(t->source.name);
	t->source.name = xstrdup(path);
	return r;
}

static int open_target(struct target *t, const char *arg, const struct vet_cli_options *o, bool accept, struct error *e)
{
	enum kind kind;
	int r = parse_kind(o->type, &kind, e);

	if (r < 0)
		return r;
	switch (kind == KIND_ANY ? guess(arg) : kind) {
	case KIND_CONTAINER:
		return open_container(t, arg, e);
	case KIND_ARCHIVE:
		return open_archive(t, arg, o, accept, e);
	case KIND_FOLDER:
		return vet_source_folder(&t->source, arg, e);
	case KIND_BILL:
		return vet_source_bill(&t->source, arg, e);
	case KIND_IMAGE:
		return vet_source_image(&t->source, arg, e);
	case KIND_ANY:
		break;
	}
	error_set(e, ENOENT, "%s: no image, container, archive or folder", arg);
	error_hint(e, "brig images and brig ps -a list those that are here");
	return -ENOENT;
}

static void close_target(struct target *t)
{
	vet_source_free(&t->source);
	if (t->is_container)
		container_free(&t->container);
	if (t->scratch)
		path_remove_tree(AT_FDCWD, t->scratch);
	free(t->scratch);
}

static int as_container(void *who, int (*fn)(void *ctx, struct error *e), void *ctx, struct error *e)
{
	return ids_run_as(who, fn, ctx, e);
}

/* One line on the terminal, drawn anew for each check. */
static void show_progress(void *arg, const char *check, size_t index, size_t n, uint64_t bytes)
{
	enum { BAR = 24 };
	_cleanup_free_ char *name = str_escape(arg);
	_cleanup_buf_ struct buf line = { 0 };
	int filled = n ? (int)(index * BAR / n) : 0;
	char size[24];

	format_size(bytes, false, size);
	buf_puts(&line, "\r\033[K");
	if (check)
		buf_printf(&line, "Vetting %s  [%.*s%*s]  %zu of %zu: %s  %s", name, filled, "########################", BAR - filled, "",
			   index + 1, n, check, size);
	fd_write_all(2, line.data, line.len);
}

static int choose_report(const char *format, vet_report *out, struct error *e)
{
	*out = vet_report_named(format ? format : "table");
	return *out ? 0 : error_set(e, EINVAL, "--format %s: table, json, sarif, junit, html, spdx or cyclonedx", format);
}

static int choose_level(const char *word, enum vet_level *out, bool *never, struct error *e)
{
	*out = VET_HIGH;
	*never = streq(word, "never");
	if (!word || *never || vet_level_parse(word, out) == 0)
		return 0;
	return error_set(e, EINVAL, "--fail-on %s: critical, high, medium, low, info or never", word);
}

static int choose_jobs(const char *text, unsigned *out, struct error *e)
{
	uint64_t n;

	if (parse_u64(text, 1, 64, &n) < 0)
		return error_set(e, EINVAL, "--jobs %s: a number from 1 to 64", text);
	*out = (unsigned)n;
	return 0;
}

static int open_output(const char *path, struct error *e)
{
	int fd = path && !streq(path, "-") ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644) :
					     fcntl(1, F_DUPFD_CLOEXEC, 3);

	return fd < 0 ? error_errno(e, errno, "%s", path ? path : "standard output") : fd;
}

static int look(struct target *t, struct vet_look *how, struct vet_verdict *verdict, struct error *e)
{
	how->keep_reading = home_is_root();
	if (t->is_container && !t->container.config.rootfs && t->source.folder >= 0) {
		how->keep_reading = true;
		how->run_as = as_container;
		how->who = &t->container;
	}
	return vet_look(&t->source, how, verdict, e);
}

/* What the gate reads (vet/gate.h). Text in it came from the image: it is JSON, and escaped again where it is shown. */
static int print_ruling(const struct vet_ruling *r, struct error *e)
{
	_cleanup_json_ json_t *j = json_pack("{s:b, s:o, s:o, s:o, s:o, s:I}", "refused", r->refused, "rules", vet_json(r->rules), "rule",
					     vet_json(r->rule), "title", vet_json(r->title), "path", vet_json(r->path), "until",
					     (json_int_t)r->until_ns);
	_cleanup_free_ char *text = json_text(j);

	printf("%s\n", text);
	return fflush(stdout) == 0 ? 0 : error_errno(e, errno, "cannot write");
}

static int read_policy(const char *path, struct vet_policy *p, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r = own_file_read(AT_FDCWD, path, path, POLICY_FILE_MAX, &text, &n, e);

	return r < 0 ? r : vet_policy_parse(p, text, n, path, e);
}

static int conclude(const struct vet_options *choice, const struct vet_verdict *verdict, bool bare, struct error *e)
{
	const struct vet_ruling *ruling = &verdict->ruling;

	if (choice->policy && bare)
		return print_ruling(ruling, e);
	if (choice->policy && ruling->refused)
		cli_say("the policy refuses it: %s", ruling->rules);
	if (choice->policy)
		return ruling->refused ? EXIT_FOUND : EXIT_CLEAN;
	for (int i = 0; !choice->never && i <= (int)choice->fail_on; i++)
		if (verdict->counts[i])
			return EXIT_FOUND;
	return EXIT_CLEAN;
}

static bool is_bill(vet_report report)
{
	return report == vet_report_spdx || report == vet_report_cyclonedx;
}

/* All that the person said, before anything is opened. */
static int choose(const struct vet_cli_options *o, struct vet_options *choice, struct vet_policy *policy, struct vet_look *how, bool bare,
		  struct error *e)
{
	struct conf conf;
	int r = choose_level(o->fail_on, &choice->fail_on, &choice->never, e);

	if (r == 0 && o->jobs)
		r = choose_jobs(o->jobs, &choice->jobs, e);
	if (r == 0 && !bare)
		r = choose_report(o->format, &how->report, e);
	if (r == 0 && o->policy) {
		r = read_policy(o->policy, policy, e);
		choice->policy = policy;
	}
	if (r == 0 && !o->attest && (o->key || o->passphrase_file))
		r = error_set(e, EINVAL, "--key and --passphrase-file belong to --attest");
	if (r == 0)
		r = conf_load(&conf, e);
	if (r < 0)
		return r;
	how->accept_no_landlock = strv_has(conf.accept_lowered, "landlock");
	conf_free(&conf);
	/* A bill of materials is no judgement. */
	if (!o->fail_on && is_bill(how->report))
		choice->never = true;
	if (choice->never && is_bill(how->report))
		how->only = "packages";
	return 0;
}

static int look_and_conclude(const struct vet_cli_options *o, const char *arg, struct vet_look *how, struct attesting *attesting, bool bare,
			     struct error *e)
{
	const struct vet_options *choice = how->options;
	struct vet_verdict verdict = { 0 };
	struct target t = { 0 };
	int r;

	vet_source_init(&t.source);
	r = open_target(&t, arg, o, how->accept_no_landlock, e);
	if (r == 0 && o->attest && (t.is_container || t.scratch || !t.source.digest))
		r = error_set(e, EINVAL, "--attest: only an image of this machine's store can be attested, by its manifest's digest");
	if (r == 0 && o->name) {
		free(t.source.image);
		t.source.image = xstrdup(o->name);
	}
	if (r == 0)
		r = look(&t, how, &verdict, e);
	if (r == 0)
		r = conclude(choice, &verdict, bare, e);
	if (r == EXIT_CLEAN && o->attest)
		r = attest_end(attesting, choice, &t.source, &verdict, e);
	else if (r == EXIT_FOUND && o->attest)
		cli_say("not attested: the image did not pass");
	close_target(&t);
	return r;
}

static int vet(const struct vet_cli_options *o, const char *arg, struct error *e)
{
	struct vet_options choice = { .rules = o->rules, .vex = o->vex, .ignore = o->ignore, .sarif = o->sarif,
				      .require_db = o->require_db };
	struct vet_look how = { .options = &choice };
	_cleanup_(vet_policy_free) struct vet_policy policy = { 0 };
	_cleanup_attesting_ struct attesting attesting = { .key = o->key, .passphrase_file = o->passphrase_file, .policy = o->policy };
	bool bare = streq(o->format, "ruling") && o->policy;
	int r = choose(o, &choice, &policy, &how, bare, e);

	if (r == 0 && o->attest)
		r = attest_begin(&attesting, &choice, e);
	if (r < 0)
		return r;
	if (bare && policy.skip_folders && streq(o->type, "folder"))
		return print_ruling(&(struct vet_ruling){ 0 }, e);
	how.out = open_output(o->output, e);
	if (how.out < 0)
		return how.out;
	if (!o->quiet && isatty(2)) {
		how.progress = show_progress;
		how.arg = (char *)arg;
	}
	r = look_and_conclude(o, arg, &how, &attesting, bare, e);
	close(how.out);
	return r;
}

int vet_cli_run(void *options_, int argc, char **argv, struct error *e)
{
	sigset_t stop;
	int r;

	(void)argc;
	/* An archive's scratch folder goes when a person stops us: the loader and the look both hear the signals that wait here. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGHUP);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	r = vet(options_, argv[0], e);
	if (r < 0 && e->exit == 0)
		e->exit = EXIT_BLIND;
	return r;
}

const struct cli_command cmd_vet = {
	.name = "vet",
	.aliases = "image vet",
	.group = "Walls",
	.args = "[OPTIONS] IMAGE|CONTAINER|LAYOUT|ARCHIVE|FOLDER|SBOM",
	.summary = "look into an image for what it should not have",
	.description =
		"Looks at every file of every layer, those too that a higher layer removed: they can still be read by whoever has the "
		"image. It happens in a process without network that can write nothing but its report and call few of the kernel's "
		"functions. An archive or OCI layout is unpacked into a folder of its own first, by the same rules as brig load, and "
		"removed again. A bill of materials (SPDX 2.2 or 2.3, CycloneDX 1.2 to 1.7, JSON) is looked at for the packages that it names.\n\n"
		"With --format spdx or cyclonedx the packages of distributions (dpkg, rpm, apk) and languages (Python, Node, Ruby, Java, Go, "
		"Rust) are written as a bill of materials, SPDX 2.3 or CycloneDX 1.6, and what was found changes the exit code only when "
		"--fail-on is given.\n\n"
		"With --attest an image that passes gets a signed attestation: an in-toto statement of the type "
		"https://brig.dev/attestation/vet/v1 about its manifest's digest, with the time, the levels counted, what decided "
		"(--fail-on or --policy), and the digests of the rules and of the advisories. It is kept beside the image's signatures; brig push "
		"--attestations sends it to the registry (as cosign does, the tag sha256-DIGEST.att), a pull brings it along, and trust.json of "
		"another machine can require it: {\"type\": \"sigstoreSigned\", \"keyPath\": ..., \"predicateType\": "
		"\"https://brig.dev/attestation/vet/v1\"}. What does not pass is never attested.\n\n"
		"Exit code: 0 when nothing is as bad as --fail-on, 1 when something is, 2 when it could not look.",
	.options = options,
	.options_size = sizeof(struct vet_cli_options),
	.min_args = 1,
	.max_args = 1,
	.complete = "images",
	.run = vet_cli_run,
};
