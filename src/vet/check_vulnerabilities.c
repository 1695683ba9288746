/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Check "vulnerabilities" (catalogue V9): the packages of the inventory against the index of advisories. What the index does
 * not speak of is told as not looked at; that there is no index is told the same way. Nothing is "clean" because nothing was
 * known.
 */
#include "vet/vet.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "vet/excuse.h"
#include "vet/import.h"
#include "vet/match.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { EXCUSES_FILE_MAX = 32 << 20, OLD_DAYS = 7 };

struct text {
	const char *name;
	char *data;
	size_t n;
};

/* What prepare() opened, for run(), which can open nothing. */
static struct {
	void *index; /* NULL: there is none */
	size_t n;
	struct text *vex, *ignore;
	size_t n_vex, n_ignore;
} prepared;

static int read_texts(char *const *paths, struct text **out, size_t *n, struct error *e)
{
	*n = 0;
	*out = xcalloc(strv_len(paths) + 1, sizeof(**out));
	strv_foreach(path, paths) {
		struct text *t = &(*out)[*n];
		int r = file_read(AT_FDCWD, *path, EXCUSES_FILE_MAX, &t->data, &t->n);

		if (r < 0)
			return error_errno(e, r, "%s", *path);
		t->name = *path;
		(*n)++;
	}
	return 0;
}

static int prepare(struct vet *v, struct error *e)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r = read_texts(v->options->vex, &prepared.vex, &prepared.n_vex, e);

	if (r == 0)
		r = read_texts(v->options->ignore, &prepared.ignore, &prepared.n_ignore, e);
	if (r < 0)
		return r;
	fd = advisory_index_open(e);
	if (fd == -ENOENT && v->options->require_db) {
		error_set(e, ENOENT, "--require-db: there are no advisories on this machine");
		error_hint(e, "brig vet db import FILE...");
		return -ENOENT;
	}
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (fstat(fd, &st) < 0 || st.st_size == 0)
		return error_set(e, EBADMSG, "the index of advisories is empty");
	prepared.index = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (prepared.index == MAP_FAILED) {
		prepared.index = NULL;
		return error_errno(e, errno, "the index of advisories");
	}
	prepared.n = (size_t)st.st_size;
	return 0;
}

static int read_excuses(struct excuses *out, struct error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < prepared.n_vex; i++)
		r = excuse_parse_vex(prepared.vex[i].name, prepared.vex[i].data, prepared.vex[i].n, out, e);
	for (size_t i = 0; r == 0 && i < prepared.n_ignore; i++)
		r = excuse_parse_ignore(prepared.ignore[i].name, prepared.ignore[i].data, prepared.ignore[i].n, out, e);
	return r;
}

/* The stream that dnf's own file says is enabled: "[nodejs]\nname=nodejs\nstream=12\nstate=enabled". */
static bool module_enabled(void *ctx, const char *module)
{
	struct vet *v = ctx;
	const char *colon = strchr(module, ':');
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 };
	_cleanup_free_ char *path = NULL, *text = NULL;
	const struct vet_file *f;
	bool stream = false, enabled = false;
	char *at = NULL;

	if (!colon || memchr(module, '/', (size_t)(colon - module)))
		return false;
	path = xasprintf("etc/dnf/modules.d/%.*s.module", (int)(colon - module), module);
	f = vet_find(v, path);
	if (!f || vet_read(v, f, 1 << 16, &b) < 0)
		return false;
	text = xstrndup((const char *)b.data, b.size);
	for (char *line = strtok_r(text, "\r\n", &at); line; line = strtok_r(NULL, "\r\n", &at)) {
		stream = stream || (str_after(line, "stream=") && streq(str_after(line, "stream="), colon + 1));
		enabled = enabled || streq(line, "state=enabled");
	}
	return stream && enabled;
}

static void today(char out[static 16])
{
	time_t now = (time_t)(clock_now_ns() / 1000000000);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(out, 16, "%Y-%m-%d", &tm);
}

static json_t *details(const struct vuln_match *m)
{
	json_t *out = json_object(), *binaries = json_array(), *entry;
	size_t i;

	json_object_set_new(out, "cve", vet_json(m->id));
	json_object_set_new(out, "package", vet_json(m->package));
	json_object_set_new(out, "version", vet_json(m->version));
	json_object_set_new(out, "fixed", vet_json(m->fixed));
	json_object_set_new(out, "status", json_string(advisory_status_names[m->status]));
	json_object_set_new(out, "advisory", vet_json(m->advisory));
	json_object_set_new(out, "feed", vet_json(m->feed));
	json_object_set_new(out, "cvss", m->cvss > 0 ? json_real(m->cvss) : json_null());
	json_object_set_new(out, "epss", m->epss >= 0 ? json_real(m->epss) : json_null());
	json_object_set_new(out, "kev", vet_json(m->kev_added));
	json_array_foreach((json_t *)m->packages, i, entry) {
		const char *name = json_string_value(json_object_get(entry, "name"));

		json_array_append_new(binaries, vet_json(name));
	}
	json_object_set_new(out, "packages", binaries);
	return out;
}

static char *reason(const struct vuln_match *m)
{
	struct buf why = { 0 };
	const char *said = m->summary && *m->summary ? m->summary : NULL;

	buf_puts(&why, "");
	if (m->kev_added)
		buf_printf(&why, "attacks use it (known to CISA since %s%s); ", m->kev_added, m->ransomware ? ", ransomware too" : "");
	else if (m->epss >= 0.5)
		buf_printf(&why, "an attack within 30 days is likely (EPSS %.2f); ", m->epss);
	if (m->status == ADVISORY_EOL)
		buf_puts(&why, "the distribution no longer looks after this package; ");
	else if (m->status == ADVISORY_MINOR)
		buf_puts(&why, "the distribution calls it minor; ");
	else if (m->status == ADVISORY_UNDETERMINED)
		buf_puts(&why, "nobody has looked yet whether this version is affected; ");
	if (said)
		buf_puts(&why, said);
	else if (streq(m->advisory, m->id))
		buf_printf(&why, "as %s tells", m->feed);
	else
		buf_printf(&why, "see %s", m->advisory);
	return buf_steal(&why);
}

static void report(struct vet *v, const struct vuln_match *m)
{
	const char *path = json_string_value(json_object_get(json_array_get(m->packages, 0), "path"));
	const struct vet_file *f = path ? vet_find(v, path) : NULL;
	_cleanup_free_ char *why = reason(m);

	vet_add(v, "vulnerabilities", m->id, (enum vet_level)m->level, f, details(m), why,
		"%s in %s %s, %s%s", m->id, m->package, m->version, m->fixed ? "fixed in " : "not fixed",
		m->fixed ? m->fixed : "");
}

static json_t *excused_json(const struct vuln_match *m, const struct excuse *x)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "cve", vet_json(m->id), "package",
		vet_json(m->package), "version", vet_json(m->version), "reason", vet_json(x->reason),
		"source", vet_json(x->source), "until", vet_json(x->until));
}

/* A line that no longer counts is to be renewed or removed; it must not be forgotten. */
static void report_expired(struct vet *v, const struct excuses *excuses, const char *day)
{
	for (size_t i = 0; i < excuses->n; i++) {
		const struct excuse *x = &excuses->list[i];

		if (!excuse_expired(x, day))
			continue;
		vet_add(v, "vulnerabilities", "V9-expired-exception", VET_MEDIUM, NULL,
			json_pack("{s:o, s:o, s:o, s:I}", "cve", vet_json(x->ids[0]), "until",
				vet_json(x->until), "source", vet_json(x->source), "line",
				(json_int_t)x->line),
			"look at it again: renew the line or take it out",
			"the exception for %s in %s line %zu ended on %s", x->ids[0], x->source, x->line,
			x->until);
	}
}

/* Days from one to the other, both "2023-04-01..."; 0 when either is none. */
static long days_between(const char *from, const char *to)
{
	struct tm a = { 0 }, b = { 0 };

	if (!strptime(from, "%Y-%m-%d", &a) || !strptime(to, "%Y-%m-%d", &b))
		return 0;
	return (long)((timegm(&b) - timegm(&a)) / 86400);
}

static int tell_limits(struct vet *v, const struct vuln_result *found, const char *day, struct error *e)
{
	const char *place;
	json_t *value;

	json_object_foreach(found->not_covered, place, value) {
		_cleanup_free_ char *safe = str_escape(place);

		if (v->options->require_db)
			return error_set(e, ENODATA, "--require-db: there are no advisories for %s", safe);
		vet_not_looked(v, "known vulnerabilities of %lld packages: there are no advisories for %s",
			(long long)json_integer_value(value), safe);
	}
	json_object_foreach(found->newest, place, value) {
		const char *date = json_string_value(value);

		if (days_between(date, day) > OLD_DAYS)
			vet_not_looked(v,
				"vulnerabilities of %s that became known after %.10s: the newest advisories "
				"are %ld days old",
				place, date, days_between(date, day));
	}
	return 0;
}

static int look(struct vet *v, const struct excuses *excuses, struct error *e)
{
	_cleanup_advdb_ struct advdb_db *db = NULL;
	_cleanup_json_ json_t *excused = json_array();
	struct vuln_result found = { 0 };
	char day[16];
	int r = advdb_open_read(prepared.index, prepared.n, &db, e);

	today(day);
	if (r == 0)
		r = match_packages(db, v->packages, module_enabled, v, &found, e);
	for (size_t i = 0; r == 0 && i < found.n; i++) {
		const struct vuln_match *m = &found.list[i];
		const struct excuse_subject subject = { .id = m->id,
			.package = m->package,
			.packages = m->packages,
			.image = v->image ? v->image : v->name,
			.digest = v->digest,
			.today = day};
		const struct excuse *x = excuse_find(excuses, &subject);

		if (x)
			json_array_append_new(excused, excused_json(m, x));
		else
			report(v, m);
	}
	if (r == 0)
		r = tell_limits(v, &found, day, e);
	if (r == 0)
		json_object_set_new(v->facts, "vulnerabilities",
			json_pack("{s:I, s:O, s:O}", "looked", (json_int_t)found.looked, "newest",
				found.newest, "excused", excused));
	vuln_result_free(&found);
	return r;
}

static int run(struct vet *v, struct error *e)
{
	struct excuses excuses = { 0 };
	char day[16];
	int r = read_excuses(&excuses, e);

	today(day);
	if (r == 0)
		report_expired(v, &excuses, day);
	if (r == 0 && !prepared.index)
		vet_not_looked(v, "known vulnerabilities: there are no advisories on this machine (brig vet db import)");
	else if (r == 0)
		r = look(v, &excuses, e);
	excuses_free(&excuses);
	return r;
}

const struct vet_check vet_check_vulnerabilities = { .name = "vulnerabilities", .prepare = prepare, .run = run };
