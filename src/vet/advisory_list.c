/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lists of Debian's security advisories, DSA and DLA. An advisory is a line at the margin and indented lines below it:
 *
 *	[29 Mar 2023] DSA-5380-1 xorg-server - security update
 *		{CVE-2023-1393}
 *		[bullseye] - xorg-server 2:1.20.11-1+deb11u6
 *		NOTE: for people
 *
 * In place of a version may stand <unfixed>, <not-affected>, <end-of-life>, <undetermined>, <no-dsa>, <postponed>, <ignored>;
 * remarks and an urgency in parentheses may follow.
 */
#include "vet/advisory.h"

#include "base/cleanup.h"
#include "vet/vet.h"

#include <string.h>

enum { CVES_MAX = 4096, LINE_MAX_ = 1 << 16 };

struct list {
	const char *what;
	struct advisory_sink *sink;
	size_t line;
	char date[16];	/* ISO, of the newest advisory */
	char *id;	/* of the advisory that is being read; NULL: none yet */
	bool security;	/* its title says more than that something else was repaired */
	char **cves;
};

static const char *month_number(const char *s)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	static const char *const numbers[] = { "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12" };

	for (size_t i = 0; i < ARRAY_SIZE(months); i++)
		if (strncmp(s, months[i], 3) == 0)
			return numbers[i];
	return NULL;
}

/* "[29 Mar 2023] " as "2023-03-29"; the rest of the line, or NULL. */
static const char *read_date(const char *s, char out[static 16])
{
	unsigned day, year;
	char month[4];
	const char *number, *close = strchr(s, ']');

	if (!close || sscanf(s, "[%2u %3[A-Za-z] %4u]", &day, month, &year) != 3 || day < 1 || day > 31 || year < 1990 || year > 9999)
		return NULL;
	number = strlen(month) == 3 ? month_number(month) : NULL;
	if (!number)
		return NULL;
	snprintf(out, 16, "%04u-%s-%02u", year, number, day);
	return close + 1 + strspn(close + 1, " \t");
}

/* An update that names no CVE and repairs only what an earlier one broke, or brings new data, is no vulnerability. */
static bool is_security(const char *title)
{
	static const char *const other[] = {"regression", "new upstream version", "new timezone database",
		"new upstream release", "new package", "bugfix", "crash fix", "version number", "end of life",
		"end of support", "support update", "database update", "whitelist", "switch to"};

	if (streq(title, "update"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		if (strcasestr(title, other[i]))
			return false;
	return true;
}

static int begin_advisory(struct list *l, const char *line, struct error *e)
{
	char date[16];
	const char *rest = read_date(line, date), *dash;
	size_t n;

	if (!rest)
		return error_set(e, EBADMSG, "%s line %zu: an advisory begins with its date", l->what, l->line);
	n = strcspn(rest, " \t");
	if (n < 5 || (!str_after(rest, "DSA-") && !str_after(rest, "DLA-")))
		return error_set(e, EBADMSG, "%s line %zu: neither DSA-N nor DLA-N", l->what, l->line);
	if (strcmp(date, l->date) > 0)
		memcpy(l->date, date, sizeof(date));
	free(l->id);
	l->id = xstrndup(rest, n);
	dash = strstr(rest + n, " - ");
	l->security = is_security(dash ? dash + 3 : "");
	strv_free(steal_ptr(&l->cves));
	return 0;
}

static int read_cves(struct list *l, const char *s, struct error *e)
{
	const char *close = strchr(s, '}');

	if (!close)
		return error_set(e, EBADMSG, "%s line %zu: the list of CVEs has no end", l->what, l->line);
	for (s++; s < close;) {
		size_t n;

		s += strspn(s, " \t");
		n = strcspn(s, " \t}");
		if (n == 0)
			break;
		if (strv_len(l->cves) >= CVES_MAX)
			return error_set(e, EBADMSG, "%s line %zu: more than %d CVEs", l->what, l->line, CVES_MAX);
		strv_add(&l->cves, xstrndup(s, n));
		s += n;
	}
	return 0;
}

static int read_status(const char *word, struct advisory_row *row)
{
	static const struct {
		const char *word;
		enum advisory_status status;
	} words[] = {
		{"<unfixed>", ADVISORY_AFFECTED},
		{"<not-affected>", ADVISORY_NOT_AFFECTED},
		{"<end-of-life>", ADVISORY_EOL},
		{"<undetermined>", ADVISORY_UNDETERMINED},
		{"<no-dsa>", ADVISORY_MINOR},
		{"<postponed>", ADVISORY_MINOR},
		{"<ignored>", ADVISORY_MINOR},
	};

	if (word[0] != '<') {
		row->fixed = word;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (streq(words[i].word, word)) {
			row->status = words[i].status;
			return 0;
		}
	/* <removed>, <itp>: the package is not there to be vulnerable. */
	return -ENOENT;
}

/* An urgency among remarks: "(bug #327452; medium)". */
static int read_urgency(const char *remarks)
{
	static const char *const words[] = { "unimportant", "high", "medium", "low" };

	for (const char *s = remarks; *s; s += strcspn(s, "; )"), s += strspn(s, "; )"))
		for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
			size_t n = strlen(words[i]);

			s += strspn(s, "(");
			if (strncmp(s, words[i], n) == 0 && (s[n] == 0 || strchr("; )", s[n])))
				return advisory_level_of_word(words[i]);
		}
	return ADVISORY_NO_LEVEL;
}

static int give(struct list *l, struct advisory_row *row, struct error *e)
{
	if (!l->cves) {
		row->id = l->id;
		if (!l->security && row->status == ADVISORY_AFFECTED) {
			l->sink->left_out++;
			return 0;
		}
		return l->sink->row(l->sink->ctx, row, e);
	}
	strv_foreach(cve, l->cves) {
		int r;

		row->id = *cve;
		r = l->sink->row(l->sink->ctx, row, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* "[bullseye] - xorg-server 2:1.20.11-1+deb11u6 (remarks)" */
static int read_package(struct list *l, const char *line, struct error *e)
{
	_cleanup_free_ char *copy = xstrdup(line);
	struct advisory_row row = { .ecosystem = "deb/debian", .advisory = l->id, .level = ADVISORY_NO_LEVEL };
	char *close = strchr(copy, ']'), *rest, *word[3], *at = NULL;

	if (!close)
		return error_set(e, EBADMSG, "%s line %zu: the release has no end", l->what, l->line);
	*close = 0;
	row.release = copy + 1;
	rest = close + 1;
	for (size_t i = 0; i < 3; i++)
		word[i] = strtok_r(i ? NULL : rest, " \t", &at);
	if (!word[0] || !streq(word[0], "-") || !word[1] || !word[2] || !row.release[0])
		return error_set(e, EBADMSG, "%s line %zu: expected [RELEASE] - PACKAGE VERSION", l->what, l->line);
	row.package = word[1];
	row.level = read_urgency(at ? at : "");
	if (read_status(word[2], &row) < 0) {
		l->sink->left_out++;
		return 0;
	}
	return give(l, &row, e);
}

static int read_line(struct list *l, const char *line, struct error *e)
{
	const char *s = line + strspn(line, " \t");

	if (*s == 0)
		return 0;
	if (s == line)
		return begin_advisory(l, line, e);
	if (!l->id)
		return error_set(e, EBADMSG, "%s line %zu: belongs to no advisory", l->what, l->line);
	if (*s == '{')
		return read_cves(l, s, e);
	if (*s == '[')
		return read_package(l, s, e);
	/* NOTE: and its like are for people. */
	if (strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") >= 4 && s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == ':')
		return 0;
	return error_set(e, EBADMSG, "%s line %zu: neither CVEs nor a package nor a note", l->what, l->line);
}

/* DSA or DLA, by the first advisory; and the newest date, for which the whole is looked through. */
static int announce(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e)
{
	const char *end = data + n, *close = memchr(data, ']', n < 64 ? n : 64);
	bool dla = close && (size_t)(end - close) > 5 && memcmp(close + 1, " DLA-", 5) == 0;
	const struct advisory_feed feed = { dla ? "debian-dla" : "debian-dsa", 1, false };
	char newest[16] = "", date[16], head[64];

	for (const char *s = data; s < end;) {
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		size_t len = nl ? (size_t)(nl - s) : (size_t)(end - s);

		if (*s == '[') {
			snprintf(head, sizeof(head), "%.*s", (int)(len < 63 ? len : 63), s);
			if (read_date(head, date) && strcmp(date, newest) > 0)
				memcpy(newest, date, sizeof(date));
		}
		s += len + (nl != NULL);
	}
	if (!newest[0])
		return error_set(e, EBADMSG, "%s: no advisory in it", what);
	return sink->feed(sink->ctx, &feed, newest, e);
}

int advisory_parse_list(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e)
{
	struct list l = { .what = what, .sink = sink };
	const char *end = data + n;
	int r = announce(what, data, n, sink, e);

	for (const char *s = data; r == 0 && s < end;) {
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		size_t len = nl ? (size_t)(nl - s) : (size_t)(end - s);
		_cleanup_free_ char *line = NULL;

		l.line++;
		sink->at = (size_t)(s - data);
		if (len > LINE_MAX_ || memchr(s, 0, len)) {
			r = error_set(e, EBADMSG, "%s line %zu: no text", what, l.line);
			break;
		}
		line = xstrndup(s, len);
		while (len > 0 && strchr(" \t\r", line[len - 1]))
			line[--len] = 0;
		r = read_line(&l, line, e);
		s = nl ? nl + 1 : end;
	}
	free(l.id);
	strv_free(l.cves);
	return r;
}
