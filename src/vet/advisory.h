/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Advisories: what is known about packages, in the formats in which distributions and others publish it. A parser is a pure
 * function over the bytes of one document that hands statements to a sink; nothing here opens a file. What it does not
 * understand is an error or is counted as left out, never guessed.
 *
 *	Debian tracker	https://security-tracker.debian.org/tracker/data/json
 *	Debian lists	data/DSA/list and data/DLA/list of the tracker's repository
 *	OSV		https://ossf.github.io/osv-schema/ (one record, an array, or a record a line)
 *	Alpine secdb	https://secdb.alpinelinux.org
 *	OVAL		https://oval.mitre.org, as Red Hat and Ubuntu write it
 *	CSAF		https://docs.oasis-open.org/csaf/csaf/v2.0 (advisories and VEX), as Red Hat and SUSE write it
 *	updateinfo	updateinfo.xml of an rpm repository, as Fedora has it
 *	KEV		https://www.cisa.gov/known-exploited-vulnerabilities-catalog (JSON)
 *	EPSS		https://www.first.org/epss/data_stats (CSV)
 */
#pragma once

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum advisory_status {
	ADVISORY_AFFECTED, /* versions within the range are vulnerable */
	ADVISORY_MINOR, /* they are, and the distribution decided not to fix it for itself (no-dsa, postponed,
			   ignored, unimportant) */
	ADVISORY_UNDETERMINED, /* nobody has looked yet */
	ADVISORY_EOL, /* the distribution no longer looks after this package: vulnerable, and it will stay so
		       */
	ADVISORY_NOT_AFFECTED,
	ADVISORY_STATUSES
};
extern const char *const advisory_status_names[ADVISORY_STATUSES];

/* How bad, with vet's own scale (enum vet_level); ADVISORY_NO_LEVEL: the source does not say. */
enum { ADVISORY_NO_LEVEL = -1 };

/* One statement about one package in one place. Strings live until the sink returns. */
struct advisory_row {
	const char *ecosystem;	/* "deb/debian", "apk/alpine", "rpm/rhel"; "pypi", "npm", "gem", "maven", "golang", "cargo" */
	const char *release;	/* "bullseye", "11", "3.18", "8"; "": all of them */
	const char *package;
	bool binary;		/* `package` is a binary package's name, not its source's */
	const char *id;		/* "CVE-2023-0286"; the advisory's own where there is none */
	const char *advisory;	/* "DSA-5380-1", "GHSA-..." */
	enum advisory_status status;
	const char *introduced; /* the first vulnerable version; NULL: all */
	const char *fixed;	/* the first that is not; NULL: none is known */
	const char *last;	/* the last vulnerable one, where a source says that instead; NULL */
	int level;		/* enum vet_level or ADVISORY_NO_LEVEL */
	double cvss;		/* base score; 0: not known */
	const char *summary;	/* NULL: none */
	const char *module;	/* rpm: "nodejs:12", the module stream that must be enabled; NULL: none */
};

struct advisory_feed {
	const char *name;	/* "debian-tracker", "alpine/v3.18/main" */
	int priority;		/* where feeds contradict each other about a package and a CVE, the lowest number is believed */
	bool records;		/* a document is one advisory, which replaces itself; else it replaces all of the feed */
};

/* What the statements go to; every function returns 0 or a negative errno with `e`, which ends the parse. */
struct advisory_sink {
	void *ctx;
	/* Rows of `feed` follow. `published`: when the data was made, "2023-04-01..."; NULL: not told. */
	int (*feed)(void *ctx, const struct advisory_feed *feed, const char *published, struct error *e);
	/* What the feed said about this advisory before is void. */
	int (*drop)(void *ctx, const char *advisory, struct error *e);
	int (*row)(void *ctx, const struct advisory_row *row, struct error *e);
	/* KEV: `due` may be NULL. */
	int (*kev)(void *ctx, const char *cve, const char *added, const char *due, bool ransomware, struct error *e);
	int (*epss)(void *ctx, const char *cve, double score, double percentile, struct error *e);
	/* For progress: how far the parser has come in its document; those that build it whole leave it at 0.
	 * `size`: the caller's, of the document. */
	size_t at, size;
	uint64_t left_out; /* statements about what brig does not know: other ecosystems, withdrawn records, kernels by git commit */
};

enum advisory_kind {
	ADVISORY_LIST,
	ADVISORY_TRACKER,
	ADVISORY_OSV,
	ADVISORY_SECDB,
	ADVISORY_KEV,
	ADVISORY_EPSS,
	ADVISORY_OVAL,
	ADVISORY_CSAF,
	ADVISORY_UPDATEINFO,
	ADVISORY_UNKNOWN,
};
/* By its first bytes and keys; `n` may be the beginning only (64 KiB do). */
enum advisory_kind advisory_detect(const char *data, size_t n);

/* Any of them. -EBADMSG: damaged or of no kind that is known; `what` names the document in errors. */
int advisory_parse(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e);

int advisory_parse_list(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e);
int advisory_parse_tracker(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e);
int advisory_parse_osv(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e);
int advisory_parse_secdb(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e);
int advisory_parse_kev(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e);
int advisory_parse_epss(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e);
int advisory_parse_oval(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e);
int advisory_parse_updateinfo(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e);
int advisory_parse_csaf(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e);

/* ---- what parsers share ---- */

/*
 * Score of a CVSS vector (cvss.c): the base score of versions 2.0 (which has no "CVSS:" before it), 3.0 and 3.1, all of 4.0's metrics that
 * count. 0: none, not a whole vector, or of another version.
 */
double advisory_cvss(const char *vector);
/* Qualitative rating of a score (ibid., section 5). */
int advisory_level_of_score(double score);
/* "critical", "Important", "moderate", "low", "negligible" ... in any case; ADVISORY_NO_LEVEL for other words. */
int advisory_level_of_word(const char *word);
bool advisory_is_cve(const char *s);

/* Members of the object that `data` begins with, one after the other, without building them: for documents of 100 MB. */
struct json_cursor {
	const char *at, *end;
	bool first;
};
struct json_piece {
	char *key; /* the caller frees */
	const char *value;
	size_t n;
};
/* 0, or -EBADMSG with `e` when it is no object. */
int json_cursor_open(struct json_cursor *c, const char *data, size_t n, const char *what, struct error *e);
/* 1: a member, 0: the end, negative: damaged. */
int json_cursor_next(struct json_cursor *c, struct json_piece *out, const char *what, struct error *e);
/* Bytes of the JSON value at `data`; 0: it does not end, or there is none. */
size_t json_value_size(const char *data, size_t n);
