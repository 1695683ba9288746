/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/advisory.h"

#include "base/cleanup.h"
#include "vet/vet.h"

#include <math.h>
#include <string.h>
#include <strings.h>

const char *const advisory_status_names[ADVISORY_STATUSES] = { "affected", "minor", "undetermined", "end-of-life", "not-affected" };

/* The value of metric `name` in "CVSS:3.1/AV:N/AC:L/..."; 0: absent. */
static char metric(const char *vector, const char *name)
{
	size_t n = strlen(name);

	for (const char *s = strchr(vector, '/'); s; s = strchr(s + 1, '/'))
		if (strncmp(s + 1, name, n) == 0 && s[1 + n] == ':')
			return s[2 + n];
	return 0;
}

/* The weight of a metric: `values` are its letters, `weights` theirs; -1: not one of them. */
static double weight(const char *vector, const char *name, const char *values, const double *weights)
{
	char value = metric(vector, name);
	const char *at = value ? strchr(values, value) : NULL;

	return at ? weights[at - values] : -1;
}

/* Specification, appendix A: up to one decimal, without floating point's noise. */
static double round_up(double score)
{
	long n = lround(score * 100000), tenths = n % 10000 == 0 ? n / 10000 : n / 10000 + 1;

	return (double)tenths / 10;
}

double advisory_cvss3(const char *vector)
{
	static const double vectors[] = { 0.85, 0.62, 0.55, 0.2 }, complexity[] = { 0.77, 0.44 }, interaction[] = { 0.85, 0.62 },
			    rights[] = { 0.85, 0.62, 0.27 }, rights_changed[] = { 0.85, 0.68, 0.5 }, loss[] = { 0.56, 0.22, 0 };
	double av, ac, pr, ui, c, i, a, base, impact, exploitability;
	bool changed;

	if (!vector || (!str_after(vector, "CVSS:3.0/") && !str_after(vector, "CVSS:3.1/")))
		return 0;
	changed = metric(vector, "S") == 'C';
	av = weight(vector, "AV", "NALP", vectors);
	ac = weight(vector, "AC", "LH", complexity);
	pr = weight(vector, "PR", "NLH", changed ? rights_changed : rights);
	ui = weight(vector, "UI", "NR", interaction);
	c = weight(vector, "C", "HLN", loss);
	i = weight(vector, "I", "HLN", loss);
	a = weight(vector, "A", "HLN", loss);
	if (av < 0 || ac < 0 || pr < 0 || ui < 0 || c < 0 || i < 0 || a < 0 || (!changed && metric(vector, "S") != 'U'))
		return 0;
	base = 1 - (1 - c) * (1 - i) * (1 - a);
	impact = changed ? 7.52 * (base - 0.029) - 3.25 * pow(base - 0.02, 15) : 6.42 * base;
	exploitability = 8.22 * av * ac * pr * ui;
	if (impact <= 0)
		return 0;
	return round_up(fmin(changed ? 1.08 * (impact + exploitability) : impact + exploitability, 10));
}

int advisory_level_of_score(double score)
{
	if (!(score > 0))
		return ADVISORY_NO_LEVEL;
	return score >= 9 ? VET_CRITICAL : score >= 7 ? VET_HIGH : score >= 4 ? VET_MEDIUM : VET_LOW;
}

int advisory_level_of_word(const char *word)
{
	static const struct {
		const char *word;
		enum vet_level level;
	} words[] = {
		{"critical", VET_CRITICAL},
		{"important", VET_HIGH},
		{"high", VET_HIGH},
		{"moderate", VET_MEDIUM},
		{"medium", VET_MEDIUM},
		{"low", VET_LOW},
		{"negligible", VET_INFO},
		{"unimportant", VET_INFO},
		{"none", VET_INFO},
	};
	/* The tracker marks what a person set with asterisks: "low**". */
	size_t n = word ? strcspn(word, "*") : 0;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i].word) == n && strncasecmp(words[i].word, word, n) == 0)
			return (int)words[i].level;
	return ADVISORY_NO_LEVEL;
}

bool advisory_is_cve(const char *s)
{
	size_t year, n;

	s = s ? str_after(s, "CVE-") : NULL;
	if (!s)
		return false;
	year = strspn(s, "0123456789");
	if (year != 4 || s[4] != '-')
		return false;
	n = strspn(s + 5, "0123456789");
	return n >= 4 && n <= 12 && s[5 + n] == 0;
}
