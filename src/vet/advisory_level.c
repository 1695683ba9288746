/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/advisory.h"

#include "base/cleanup.h"
#include "vet/vet.h"

#include <string.h>
#include <strings.h>

const char *const advisory_status_names[ADVISORY_STATUSES] = { "affected", "minor", "undetermined", "end-of-life", "not-affected" };

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
