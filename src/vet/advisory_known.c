/* SPDX-License-Identifier: Apache-2.0 */
/* What is known about a CVE beside whom it affects: that it is used in attacks (KEV), and how likely that is (EPSS). */
#include "vet/advisory.h"

#include "base/cleanup.h"

#include <string.h>

static int read_known(const char *what, size_t i, const json_t *v, struct advisory_sink *sink, struct error *e)
{
	_cleanup_free_ char *where = xasprintf("%s: vulnerabilities[%zu]", what, i);
	const char *cve = NULL, *added = NULL, *due = NULL, *ransomware = NULL;
	int r = json_is_object(v) ? 0 : error_set(e, EBADMSG, "%s: no object", where);

	if (r == 0)
		r = json_get_str(v, where, "cveID", &cve, e);
	if (r == 0)
		r = json_get_str(v, where, "dateAdded", &added, e);
	if (r == 0)
		r = json_get_str(v, where, "dueDate", &due, e);
	if (r == 0)
		r = json_get_str(v, where, "knownRansomwareCampaignUse", &ransomware, e);
	if (r == 0 && (!advisory_is_cve(cve) || !added))
		r = error_set(e, EBADMSG, "%s: no cveID or no dateAdded", where);
	return r < 0 ? r : sink->kev(sink->ctx, cve, added, due, streq(ransomware, "Known"), e);
}

int advisory_parse_kev(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e)
{
	static const struct advisory_feed feed = { "kev", 0, false };
	_cleanup_json_ json_t *doc = json_parse(data, n, what, e);
	const char *released = NULL;
	json_t *list = NULL, *v;
	size_t i;
	int r;

	if (!doc)
		return -EBADMSG;
	r = json_get_arr(doc, what, "vulnerabilities", &list, e);
	if (r == 0)
		r = json_get_str(doc, what, "dateReleased", &released, e);
	if (r == 0 && !list)
		r = error_set(e, EBADMSG, "%s: no vulnerabilities", what);
	if (r == 0)
		r = sink->feed(sink->ctx, &feed, released, e);
	if (r < 0)
		return r;
	json_array_foreach(list, i, v) {
		r = read_known(what, i, v, sink, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A number in [0, 1] up to a comma or the end; without the locale. */
static bool read_share(const char **s, double *out)
{
	double value = 0, unit = 1;
	const char *p = *s;
	int exponent = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
		value = value * 10 + (*p - '0');
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++)
			value += (*p - '0') * (unit /= 10);
	if ((*p == 'e' || *p == 'E') && p[1] == '-') /* "9.0e-05" */
		for (p += 2; *p >= '0' && *p <= '9' && exponent < 100; p++)
			exponent = exponent * 10 + (*p - '0');
	while (exponent-- > 0)
		value /= 10;
	if ((*p != 0 && *p != ',') || !(value >= 0 && value <= 1))
		return false;
	*out = value;
	*s = p;
	return true;
}

static int read_score(const char *what, size_t number, char *line, struct advisory_sink *sink, struct error *e)
{
	char *comma = strchr(line, ',');
	const char *rest = comma ? comma + 1 : "";
	double score = 0, percentile = 0;

	if (comma)
		*comma = 0;
	if (!comma || !advisory_is_cve(line))
		return error_set(e, EBADMSG, "%s line %zu: does not begin with a CVE", what, number);
	if (!read_share(&rest, &score))
		return error_set(e, EBADMSG, "%s line %zu: the score is no number from 0 to 1", what, number);
	if (*rest == ',' && (rest++, !read_share(&rest, &percentile)))
		return error_set(e, EBADMSG, "%s line %zu: the percentile is no number from 0 to 1", what, number);
	return sink->epss(sink->ctx, line, score, percentile, e);
}

/* "#model_version:v2023.03.01,score_date:2023-04-01T00:00:00+0000", "cve,epss,percentile", then a line for each CVE. */
int advisory_parse_epss(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e)
{
	static const struct advisory_feed feed = { "epss", 0, false };
	const char *end = data + n;
	char line[512], date[64] = "";
	bool begun = false;
	size_t number = 0;
	int r = 0;

	for (const char *s = data; r == 0 && s < end;) {
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		size_t len = nl ? (size_t)(nl - s) : (size_t)(end - s);
		const char *at;

		number++;
		sink->at = (size_t)(s - data);
		if (len >= sizeof(line) || memchr(s, 0, len))
			return error_set(e, EBADMSG, "%s line %zu: too long, or no text", what, number);
		memcpy(line, s, len);
		line[len] = 0;
		if (len > 0 && line[len - 1] == '\r')
			line[len - 1] = 0;
		s = nl ? nl + 1 : end;
		if (line[0] == '#' && !begun) {
			at = strstr(line, "score_date:");
			if (at)
				snprintf(date, sizeof(date), "%.*s", (int)strcspn(at + 11, ","), at + 11);
		} else if (!begun) {
			if (!str_after(line, "cve,epss"))
				return error_set(e, EBADMSG, "%s line %zu: expected the heads cve,epss,percentile", what, number);
			begun = true;
			r = sink->feed(sink->ctx, &feed, date[0] ? date : NULL, e);
		} else if (line[0]) {
			r = read_score(what, number, line, sink, e);
		}
	}
	return r < 0 || begun ? r : error_set(e, EBADMSG, "%s: no heads", what);
}
