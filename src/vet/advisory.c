/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/advisory.h"

#include "base/cleanup.h"

#include <string.h>

enum { KEYS_MAX = 40, ROOT_MAX = 1024 };

/* Members that only one kind has, at the top. */
static enum advisory_kind kind_of_key(const char *key)
{
	static const struct {
		const char *key;
		enum advisory_kind kind;
	} keys[] = {
		{"catalogVersion", ADVISORY_KEV},
		{"dateReleased", ADVISORY_KEV},
		{"distroversion", ADVISORY_SECDB},
		{"apkurl", ADVISORY_SECDB},
		{"reponame", ADVISORY_SECDB},
		{"affected", ADVISORY_OSV},
		{"schema_version", ADVISORY_OSV},
		{"modified", ADVISORY_OSV},
		{"product_tree", ADVISORY_CSAF},
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (streq(keys[i].key, key))
			return keys[i].kind;
	return ADVISORY_UNKNOWN;
}

/* The tracker has names of packages at the top, and CVEs below each. */
static bool is_tracker(const char *value, size_t n)
{
	struct json_cursor c;
	struct json_piece piece;
	bool is;

	if (json_cursor_open(&c, value, n, "", NULL) < 0 || json_cursor_next(&c, &piece, "", NULL) <= 0)
		return false;
	is = str_after(piece.key, "CVE-") || str_after(piece.key, "TEMP-");
	free(piece.key);
	return is;
}

/* The first member of CSAF, and maybe the only one that the first bytes have whole. */
static bool is_csaf(const char *value, size_t n)
{
	struct json_cursor c;
	struct json_piece piece;
	bool is = false;

	if (json_cursor_open(&c, value, n, "", NULL) < 0)
		return false;
	while (!is && json_cursor_next(&c, &piece, "", NULL) > 0) {
		_cleanup_free_ char *key = piece.key;

		is = strcmp(key, "csaf_version") == 0;
	}
	return is;
}

static enum advisory_kind detect_object(const char *data, size_t n)
{
	struct json_cursor c;
	struct json_piece piece;
	enum advisory_kind kind = ADVISORY_UNKNOWN;

	if (json_cursor_open(&c, data, n, "", NULL) < 0)
		return ADVISORY_UNKNOWN;
	/* The first bytes may be all there are: a value that does not end says nothing more. */
	for (int i = 0; kind == ADVISORY_UNKNOWN && i < KEYS_MAX; i++) {
		if (json_cursor_next(&c, &piece, "", NULL) <= 0)
			break;
		kind = kind_of_key(piece.key);
		if (kind == ADVISORY_UNKNOWN && streq(piece.key, "document") && is_csaf(piece.value, piece.n))
			kind = ADVISORY_CSAF;
		if (kind == ADVISORY_UNKNOWN && i == 0 && is_tracker(piece.value, piece.n))
			kind = ADVISORY_TRACKER;
		free(piece.key);
	}
	return kind;
}

enum advisory_kind advisory_detect(const char *data, size_t n)
{
	const char *s = data, *end = data + n;

	if (n >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0)
		s += 3;
	while (s < end && (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r'))
		s++;
	if (s == end)
		return ADVISORY_UNKNOWN;
	n = (size_t)(end - s);
	if (*s == '<')
		return memmem(s, n < ROOT_MAX ? n : ROOT_MAX, "<updates", 8) ? ADVISORY_UPDATEINFO : ADVISORY_OVAL;
	if (*s == '{')
		return detect_object(s, n);
	if ((n > 15 && memcmp(s, "#model_version:", 15) == 0) || (n > 8 && memcmp(s, "cve,epss", 8) == 0))
		return ADVISORY_EPSS;
	if (*s == '[') {
		const char *next = s + 1;

		while (next < end && (*next == ' ' || *next == '\t' || *next == '\n' || *next == '\r'))
			next++;
		return next < end && *next == '{' ? ADVISORY_OSV : ADVISORY_LIST;
	}
	return ADVISORY_UNKNOWN;
}

int advisory_parse(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e)
{
	enum advisory_kind kind = advisory_detect(data, n);

	if (n >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
		data += 3, n -= 3;
	switch (kind) {
	case ADVISORY_LIST:
		return advisory_parse_list(what, data, n, sink, e);
	case ADVISORY_TRACKER:
		return advisory_parse_tracker(what, data, n, sink, e);
	case ADVISORY_OSV:
		return advisory_parse_osv(what, data, n, sink, e);
	case ADVISORY_SECDB:
		return advisory_parse_secdb(what, data, n, sink, e);
	case ADVISORY_KEV:
		return advisory_parse_kev(what, data, n, sink, e);
	case ADVISORY_EPSS:
		return advisory_parse_epss(what, data, n, sink, e);
	case ADVISORY_OVAL:
		return advisory_parse_oval(what, data, n, sink, e);
	case ADVISORY_CSAF:
		return advisory_parse_csaf(what, data, n, sink, e);
	case ADVISORY_UPDATEINFO:
		return advisory_parse_updateinfo(what, data, n, sink, e);
	case ADVISORY_UNKNOWN:
		break;
	}
	error_set(e, EBADMSG, "%s: neither of the kinds of advisories that are known", what);
	error_hint(e, "they are: Debian tracker JSON, DSA and DLA lists, OSV, Alpine secdb, OVAL (Red Hat, "
		      "Ubuntu), CSAF 2.0 (Red Hat, SUSE), updateinfo.xml (Fedora), KEV JSON, EPSS CSV");
	return -EBADMSG;
}
