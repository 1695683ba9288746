/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/home.h"
#include "base/json.h"
#include "base/path.h"
#include "image/registry.h"
#include "vet/import.h"
#include "vet/index.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct vet_db_options {
	char *format;
	bool quiet;
};

static const struct cli_option options[] = {
	CLI_OPT(struct vet_db_options, format, "format", 0, CLI_STRING, "FORMAT",
		"of status: json, or a Go template over that document", "json"),
	CLI_OPT(struct vet_db_options, quiet, "quiet", 'q', CLI_FLAG, NULL, "print nothing but errors", NULL),
	CLI_END,
};

#define TAGS "etags.json"

struct importing {
	struct cli_progress bar;
	bool quiet, drawn;
};

static void show_progress(void *arg, const char *file, uint64_t done, uint64_t total)
{
	struct importing *i = arg;

	if (i->quiet)
		return;
	if (!i->drawn)
		cli_progress_start(&i->bar, "reading advisories", total);
	i->drawn = true;
	(void)file;
	cli_progress_set(&i->bar, done);
}

static void show_done(void *arg, const char *file, uint64_t taken, uint64_t left_out)
{
	struct importing *i = arg;
	_cleanup_free_ char *name = str_escape(file);

	if (i->quiet)
		return;
	if (i->drawn && i->bar.terminal)
		cli_progress_end(&i->bar);
	i->drawn = i->drawn && !i->bar.terminal;
	printf("%s: %llu statements", name, (unsigned long long)taken);
	if (left_out)
		printf(", %llu left out", (unsigned long long)left_out);
	printf("\n");
	fflush(stdout);
}

static void block_signals(void)
{
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGHUP);
	sigprocmask(SIG_BLOCK, &stop, NULL);
}

static int do_import(const struct vet_db_options *o, const struct conf *conf, char *const *files, struct error *e)
{
	struct importing i = { .quiet = o->quiet };
	struct import_request r = { .files = files, .progress = show_progress, .done = show_done, .arg = &i,
				    .accept_no_landlock = strv_has(conf->accept_lowered, "landlock") };

	if (!*files) {
		error_set(e, EINVAL, "vet db import: which files?");
		error_hint(e, "see brig vet db --help");
		return -EINVAL;
	}
	return advisory_import(&r, e);
}

/* A file may be another state of what a mirror has: the next update asks for everything again. */
static int import_by_hand(const struct vet_db_options *o, const struct conf *conf, char *const *files, struct error *e)
{
	_cleanup_close_ int dir = home_data_dir("vet", e);

	if (dir < 0)
		return dir;
	if (unlinkat(dir, TAGS, 0) < 0 && errno != ENOENT)
		return error_errno(e, errno, TAGS);
	return do_import(o, conf, files, e);
}

static void show_fetching(void *arg, uint64_t done, uint64_t total)
{
	struct cli_progress *bar = arg;

	bar->total = total;
	cli_progress_set(bar, done);
}

/*
 * The file at `url` as DIR/N/NAME, NAME being the last part of the URL's path, for status to tell. `tags` has the entity tags of what was
 * imported, by URL: what still has its own is not sent again.
 */
static int fetch(const struct vet_db_options *o, const struct conf *conf, const char *dir, size_t number,
	const char *url, json_t *tags, char ***files, struct error *e)
{
	struct registry_file file = { .url = url, .max = 4ULL << 30, .unless = json_string_value(json_object_get(tags, url)) };
	_cleanup_free_ char *etag = NULL;
	_cleanup_free_ char *folder = xasprintf("%s/%zu", dir, number), *name = NULL, *path = NULL;
	const char *slash = strrchr(url, '/');
	_cleanup_close_ int fd = -1;
	struct cli_progress bar;
	struct registry_report report = { .arg = &bar };
	bool show = !o->quiet && isatty(2);
	int r;

	name = xstrndup(slash ? slash + 1 : "", slash ? strcspn(slash + 1, "?") : 0);
	if (!*name || *name == '.') {
		free(name);
		name = xstrdup("index");
	}
	if (mkdir(folder, 0700) < 0 || (fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		return error_errno(e, errno, "%s", folder);
	if (show) {
		report.progress = show_fetching;
		cli_progress_start(&bar, url, 0);
	}
	r = registry_fetch_file(&file, conf, fd, &report, e);
	etag = file.etag;
	if (show)
		cli_progress_end(&bar);
	if (r < 0)
		return error_wrap(e, "%s", url);
	if (file.same) {
		if (!o->quiet)
			printf("%s: as it was\n", url);
		return 0;
	}
	if (etag)
		json_object_set_new(tags, url, json_string(etag));
	else
		json_object_del(tags, url);
	path = xasprintf("%s/%s", folder, name);
	if (renameat(fd, "file", fd, name) < 0)
		return error_errno(e, errno, "%s", path);
	strv_add(files, steal_ptr(&path));
	return 0;
}

/* What is here of which file; nothing where there is no index that it could have become part of. */
static json_t *read_tags(int dir)
{
	json_t *tags = faccessat(dir, ADVISORY_INDEX, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? json_read(dir, TAGS, 1 << 20, NULL) : NULL;

	if (!json_is_object(tags)) {
		json_decref(tags);
		tags = json_object();
	}
	return tags;
}

/* All that brig.conf names, and then one import: a mirror that is away changes nothing. */
static int do_update(const struct vet_db_options *o, const struct conf *conf, struct error *e)
{
	const char *data = home_data_path(e);
	_cleanup_close_ int made = data ? home_data_dir("vet", e) : -1;
	_cleanup_free_ char *dir = xasprintf("%s/vet/fetch-XXXXXX", data ? data : "");
	_cleanup_strv_ char **files = NULL;
	_cleanup_json_ json_t *tags = NULL;
	size_t n = 0;
	int r = 0;

	if (made < 0)
		return e->code;
	if (!conf->advisories) {
		error_set(e, EINVAL, "vet db update: brig.conf names no advisories");
		error_hint(e, "advisories = https://security-tracker.debian.org/tracker/data/json, see brig.conf(5)");
		return -EINVAL;
	}
	if (!mkdtemp(dir))
		return error_errno(e, errno, "%s", dir);
	tags = read_tags(made);
	strv_foreach(url, conf->advisories) {
		r = fetch(o, conf, dir, n++, *url, tags, &files, e);
		if (r < 0)
			break;
	}
	if (r == 0 && files)
		r = do_import(o, conf, files, e);
	/* That a tag is not known costs a download, no more. */
	if (r == 0 && files)
		json_write(made, TAGS, tags, 0600, false, NULL);
	path_remove_tree(AT_FDCWD, dir);
	return r;
}

/* Adds the ages, in seconds, that the index does not know. */
static void add_ages(json_t *status)
{
	json_int_t now = (json_int_t)(clock_now_ns() / 1000000000), newest = -1;
	json_t *feed;
	size_t i;

	json_array_foreach(json_object_get(status, "feeds"), i, feed) {
		json_int_t age = now - json_integer_value(json_object_get(feed, "imported"));

		json_object_set_new(feed, "age", json_integer(age > 0 ? age : 0));
		if (newest < 0 || age < newest)
			newest = age > 0 ? age : 0;
	}
	json_object_set_new(status, "age", newest < 0 ? json_null() : json_integer(newest));
}

static int read_status(json_t **out, struct error *e)
{
	_cleanup_close_ int fd = advisory_index_open(e);
	_cleanup_advdb_ struct advdb_db *db = NULL;
	struct stat st;
	void *data;
	int r;

	if (fd == -ENOENT) {
		*out = json_pack("{s:n, s:[], s:[], s:i, s:i, s:n}", "version", "feeds", "places", "kev", 0, "epss", 0, "age");
		return 0;
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || st.st_size == 0)
		return error_set(e, EBADMSG, "the index of advisories is empty");
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return error_errno(e, errno, "the index of advisories");
	r = advdb_open_read(data, (size_t)st.st_size, &db, e);
	if (r == 0)
		r = advdb_status(db, out, e);
	if (r == 0) {
		json_object_set_new(*out, "size", json_integer(st.st_size));
		add_ages(*out);
	}
	advdb_close(steal_ptr(&db));
	munmap(data, (size_t)st.st_size);
	return r;
}

static void print_feeds(const json_t *status)
{
	struct cli_table *t = cli_table_new("FEED", "STATEMENTS", "PUBLISHED", "IMPORTED", "FILE", NULL);
	const json_t *feed;
	size_t i;

	json_array_foreach(json_object_get(status, "feeds"), i, feed) {
		const char *name = json_string_value(json_object_get(feed, "name")),
			   *published = json_string_value(json_object_get(feed, "published")),
			   *file = json_string_value(json_object_get(feed, "file"));
		_cleanup_free_ char *count = xasprintf("%lld", (long long)json_integer_value(
								       json_object_get(feed, "statements"))),
				    *ago = NULL;
		char words[40];

		clock_words((uint64_t)json_integer_value(json_object_get(feed, "age")) * 1000000000, words);
		ago = xasprintf("%s ago", words);
		cli_table_row(t, name ? name : "", count, published ? published : "-", ago, file ? file : "", NULL);
	}
	cli_table_print(t, true);
}

static int do_status(const struct vet_db_options *o, struct error *e)
{
	_cleanup_json_ json_t *status = NULL;
	int r = read_status(&status, e);

	if (r < 0)
		return r;
	if (o->format)
		return cli_print_format(o->format, status, e);
	if (json_array_size(json_object_get(status, "feeds")) == 0) {
		printf("no advisories: brig vet db import FILE...\n");
		return 0;
	}
	print_feeds(status);
	return 0;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	const struct vet_db_options *o = options_;
	struct conf conf;
	int r = conf_load(&conf, e);

	if (r < 0) {
		e->exit = 2;
		return r;
	}
	block_signals();
	if (streq(argv[0], "import"))
		r = import_by_hand(o, &conf, argv + 1, e);
	else if (streq(argv[0], "update") && argc == 1)
		r = do_update(o, &conf, e);
	else if (streq(argv[0], "status") && argc == 1)
		r = do_status(o, e);
	else
		r = error_set(e, EINVAL, "vet db %s: import FILE..., update or status", argv[0]);
	conf_free(&conf);
	if (r < 0 && e->exit == 0)
		e->exit = 2;
	return r;
}

const struct cli_command cmd_vet_db = {
	.name = "vet db",
	.group = "Walls",
	.args = "[OPTIONS] import FILE... | update | status",
	.summary = "keep what is known about vulnerable packages",
	.description =
		"brig vet compares the packages of an image with advisories that lie on this machine; it "
		"asks nobody. import adds files to "
		"them, compressed (gzip, bzip2, xz, zstd) or in zip or tar archives or not:\n\n"
		"  Debian   https://security-tracker.debian.org/tracker/data/json, and the lists "
		"data/DSA/list and data/DLA/list\n"
		"  OSV      https://osv-vulnerabilities.storage.googleapis.com/ECOSYSTEM/all.zip, or single "
		"records\n"
		"  Alpine   https://secdb.alpinelinux.org/vN.N/main.json and community.json\n"
		"  OVAL     of Red Hat and Ubuntu\n"
		"  CSAF     2.0, advisories and VEX of Red Hat and SUSE: "
		"https://security.access.redhat.com/data/csaf/v2/vex/, https://ftp.suse.com/pub/projects/security/csaf/\n"
		"  Fedora   updateinfo.xml of its repositories (repodata/), also of EPEL, Amazon Linux and openSUSE Leap\n"
		"  KEV      CISA's catalogue of vulnerabilities that are used in attacks, JSON\n"
		"  EPSS     FIRST's scores of how likely an attack is, CSV\n\n"
		"A file replaces what was imported of the same feed before; an OSV record replaces itself. "
		"The files are read by a process "
		"without network that can open and write no file but the new index, which then takes the old "
		"one's place: when one file is "
		"damaged, nothing changes. update fetches the files that brig.conf (advisories = URL, ...) "
		"names, over TLS, in the process that "
		"speaks with registries, and imports them; what a server says is unchanged (ETag) is not fetched again, and what ends too early is "
		"refused; nothing else of brig vet uses the network. status "
		"shows the feeds, how many statements each has, when it was published and imported.\n\n"
		"How bad a vulnerability is: critical when CISA knows of attacks (KEV); else as the distribution says, "
		"or by the CVSS score (2.0 to 4.0, worked out from the vector where only that is given) where it says nothing, or medium where nobody says anything; at most low where the "
		"distribution calls it minor; info where nobody has looked yet; and at least high where EPSS gives an "
		"even chance of an attack within 30 days. Packages for which there are no advisories, and the time since "
		"the newest ones when that is more than a week, are \"not looked at\" in every report.\n\n"
		"brig vet --vex FILE takes OpenVEX documents; --ignore FILE takes lines like this one, with the last day "
		"on which it counts (UTC) and a reason, both of which must be given. A line that has expired is a "
		"finding:\n\n"
		"  CVE-2023-0286 openssl 2026-12-31 nothing here parses X.400 addresses",
	.options = options,
	.options_size = sizeof(struct vet_db_options),
	.min_args = 1,
	.max_args = -1,
	.complete = "import update status",
	.run = run,
};
