/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scores of CVSS vectors. Version 4.0: first.org/cvss/v4.0/specification-document, section 8 "CVSS v4.0 Scoring"; all in tenths. 3.0 and
 * 3.1: v3.1/specification-document, section 7.1, the base score. 2.0: v2/guide, section 3.2.1, the base score.
 */
#include "vet/advisory.h"

#include "base/cleanup.h"

#include <math.h>
#include <string.h>

/* The value of metric `name` in "CVSS:3.1/AV:N/AC:L/..." or "AV:N/AC:L/...": a letter; 0: absent. */
static char metric(const char *vector, const char *name)
{
	size_t n = strlen(name);

	for (const char *s = vector; s; s = strchr(s, '/')) {
		s += *s == '/';
		if (strncmp(s, name, n) == 0 && s[n] == ':' && s[n + 1] && (s[n + 2] == '/' || s[n + 2] == 0))
			return s[n + 1];
	}
	return 0;
}

/* The weight of a metric: `values` are its letters, `weights` theirs; -1: not one of them. */
static double weight(const char *vector, const char *name, const char *values, const double *weights)
{
	char value = metric(vector, name);
	const char *at = value ? strchr(values, value) : NULL;

	return at ? weights[at - values] : -1;
}

/* Specification of 3.1, appendix A: up to one decimal, without floating point's noise. */
static double round_up(double score)
{
	long n = lround(score * 100000), tenths = n % 10000 == 0 ? n / 10000 : n / 10000 + 1;

	return (double)tenths / 10;
}

static double score_3(const char *vector)
{
	static const double vectors[] = { 0.85, 0.62, 0.55, 0.2 }, complexity[] = { 0.77, 0.44 }, interaction[] = { 0.85, 0.62 },
			    rights[] = { 0.85, 0.62, 0.27 }, rights_changed[] = { 0.85, 0.68, 0.5 }, loss[] = { 0.56, 0.22, 0 };
	bool changed = metric(vector, "S") == 'C';
	double av = weight(vector, "AV", "NALP", vectors), ac = weight(vector, "AC", "LH", complexity),
	       pr = weight(vector, "PR", "NLH", changed ? rights_changed : rights), ui = weight(vector, "UI", "NR", interaction),
	       c = weight(vector, "C", "HLN", loss), i = weight(vector, "I", "HLN", loss), a = weight(vector, "A", "HLN", loss);
	double base, impact, exploitability;

	if (av < 0 || ac < 0 || pr < 0 || ui < 0 || c < 0 || i < 0 || a < 0 || (!changed && metric(vector, "S") != 'U'))
		return 0;
	base = 1 - (1 - c) * (1 - i) * (1 - a);
	impact = changed ? 7.52 * (base - 0.029) - 3.25 * pow(base - 0.02, 15) : 6.42 * base;
	exploitability = 8.22 * av * ac * pr * ui;
	if (impact <= 0)
		return 0;
	return round_up(fmin(changed ? 1.08 * (impact + exploitability) : impact + exploitability, 10));
}

static double score_2(const char *vector)
{
	static const double vectors[] = { 0.395, 0.646, 1 }, complexity[] = { 0.35, 0.61, 0.71 }, logins[] = { 0.45, 0.56, 0.704 },
			    loss[] = { 0, 0.275, 0.66 };
	double av = weight(vector, "AV", "LAN", vectors), ac = weight(vector, "AC", "HML", complexity),
	       au = weight(vector, "Au", "MSN", logins), c = weight(vector, "C", "NPC", loss), i = weight(vector, "I", "NPC", loss),
	       a = weight(vector, "A", "NPC", loss);
	double impact;

	if (av < 0 || ac < 0 || au < 0 || c < 0 || i < 0 || a < 0)
		return 0;
	impact = 10.41 * (1 - (1 - c) * (1 - i) * (1 - a));
	return impact <= 0 ? 0 : round((0.6 * impact + 0.4 * 20 * av * ac * au - 1.5) * 1.176 * 10) / 10;
}

/* --- 4.0 ---------------------------------------------------------------------------------------------------------- */

/* The score of each macrovector, by its six equivalence classes; 0: there is none (section 8.3; the table is FIRST's). */
static const unsigned char macro[3][2][3][3][3][2] = {
	{
		{
			{ { { 100, 99 }, { 98, 95 }, { 95, 92 } }, { { 100, 96 }, { 93, 87 }, { 91, 81 } }, { { 93, 90 }, { 89, 80 }, { 81, 68 } } },
			{ { { 98, 95 }, { 95, 92 }, { 90, 84 } }, { { 93, 92 }, { 89, 81 }, { 81, 65 } }, { { 88, 80 }, { 78, 70 }, { 69, 48 } } },
			{ { { 0, 92 }, { 0, 82 }, { 0, 72 } }, { { 0, 79 }, { 0, 69 }, { 0, 50 } }, { { 0, 69 }, { 0, 55 }, { 0, 27 } } },
		},
		{
			{ { { 99, 97 }, { 95, 92 }, { 92, 85 } }, { { 95, 91 }, { 90, 83 }, { 84, 71 } }, { { 92, 81 }, { 82, 71 }, { 72, 53 } } },
			{ { { 95, 93 }, { 92, 85 }, { 85, 73 } }, { { 92, 82 }, { 80, 72 }, { 70, 59 } }, { { 84, 70 }, { 71, 52 }, { 50, 30 } } },
			{ { { 0, 86 }, { 0, 75 }, { 0, 52 } }, { { 0, 71 }, { 0, 52 }, { 0, 29 } }, { { 0, 63 }, { 0, 29 }, { 0, 17 } } },
		},
	},
	{
		{
			{ { { 98, 95 }, { 94, 87 }, { 91, 81 } }, { { 94, 89 }, { 86, 74 }, { 77, 64 } }, { { 87, 75 }, { 74, 63 }, { 63, 49 } } },
			{ { { 94, 89 }, { 88, 77 }, { 76, 67 } }, { { 86, 76 }, { 74, 58 }, { 59, 50 } }, { { 72, 57 }, { 57, 52 }, { 52, 25 } } },
			{ { { 0, 83 }, { 0, 70 }, { 0, 54 } }, { { 0, 65 }, { 0, 58 }, { 0, 26 } }, { { 0, 53 }, { 0, 21 }, { 0, 13 } } },
		},
		{
			{ { { 95, 90 }, { 88, 76 }, { 76, 70 } }, { { 90, 77 }, { 75, 62 }, { 61, 53 } }, { { 77, 66 }, { 68, 59 }, { 52, 30 } } },
			{ { { 89, 78 }, { 76, 67 }, { 62, 58 } }, { { 74, 59 }, { 57, 57 }, { 47, 23 } }, { { 61, 52 }, { 57, 29 }, { 24, 16 } } },
			{ { { 0, 71 }, { 0, 59 }, { 0, 30 } }, { { 0, 58 }, { 0, 26 }, { 0, 15 } }, { { 0, 23 }, { 0, 13 }, { 0, 6 } } },
		},
	},
	{
		{
			{ { { 93, 87 }, { 86, 72 }, { 75, 58 } }, { { 86, 74 }, { 74, 61 }, { 56, 34 } }, { { 70, 54 }, { 52, 40 }, { 40, 22 } } },
			{ { { 85, 75 }, { 74, 55 }, { 62, 51 } }, { { 72, 57 }, { 55, 41 }, { 46, 19 } }, { { 53, 36 }, { 34, 19 }, { 19, 8 } } },
			{ { { 0, 64 }, { 0, 51 }, { 0, 20 } }, { { 0, 47 }, { 0, 21 }, { 0, 11 } }, { { 0, 24 }, { 0, 9 }, { 0, 4 } } },
		},
		{
			{ { { 88, 75 }, { 73, 53 }, { 60, 50 } }, { { 73, 55 }, { 59, 40 }, { 41, 20 } }, { { 54, 43 }, { 45, 22 }, { 20, 11 } } },
			{ { { 75, 55 }, { 58, 45 }, { 40, 21 } }, { { 61, 51 }, { 48, 18 }, { 20, 9 } }, { { 46, 18 }, { 17, 7 }, { 8, 2 } } },
			{ { { 0, 53 }, { 0, 24 }, { 0, 14 } }, { { 0, 24 }, { 0, 12 }, { 0, 5 } }, { { 0, 10 }, { 0, 3 }, { 0, 1 } } },
		},
	},
};

enum metric_4 { AV, AC, AT, PR, UI, VC, VI, VA, SC, SI, SA, CR, IR, AR, EXPLOIT, METRICS };

/* Letters from the worst to the least, so that a letter's place is its distance from the worst (section 8.2, "severity distance"). */
static const struct {
	const char *name, *modified, *values;
	char otherwise; /* where it is not defined; 0: it must be */
} metrics[METRICS] = {
	[AV] = { "AV", "MAV", "NALP", 0 }, [AC] = { "AC", "MAC", "LH", 0 },   [AT] = { "AT", "MAT", "NP", 0 },
	[PR] = { "PR", "MPR", "NLH", 0 },  [UI] = { "UI", "MUI", "NPA", 0 },  [VC] = { "VC", "MVC", "HLN", 0 },
	[VI] = { "VI", "MVI", "HLN", 0 },  [VA] = { "VA", "MVA", "HLN", 0 },  [SC] = { "SC", "MSC", "SHLN", 0 },
	[SI] = { "SI", "MSI", "SHLN", 0 }, [SA] = { "SA", "MSA", "SHLN", 0 }, [CR] = { "CR", NULL, "HML", 'H' },
	[IR] = { "IR", NULL, "HML", 'H' }, [AR] = { "AR", NULL, "HML", 'H' }, [EXPLOIT] = { "E", NULL, "APU", 'A' },
};

/* How far each metric is from its worst; false: the vector lacks one, or has a letter that is none. */
static bool read_4(const char *vector, int at[METRICS])
{
	for (int i = 0; i < METRICS; i++) {
		char base = metric(vector, metrics[i].name), value = metrics[i].modified ? metric(vector, metrics[i].modified) : 0;
		const char *found;

		/* "Safety" is a modified metric's alone, and never that of confidentiality. */
		if ((i == SC || i == SI || i == SA) && (base == 'S' || (i == SC && value == 'S')))
			return false;
		if (!value || value == 'X')
			value = base;
		if ((!value || value == 'X') && metrics[i].otherwise)
			value = metrics[i].otherwise;
		found = value ? strchr(metrics[i].values, value) : NULL;
		if (!found || (metrics[i].modified && !base))
			return false;
		at[i] = (int)(found - metrics[i].values);
	}
	return true;
}

enum { CLASSES = 6 };

/* Tables 24 to 29. */
static void classify(const int *at, int eq[CLASSES])
{
	bool network = at[AV] == 0, anyone = at[PR] == 0, alone = at[UI] == 0, physical = at[AV] == 3;

	eq[0] = network && anyone && alone ? 0 : (network || anyone || alone) && !physical ? 1 : 2;
	eq[1] = at[AC] == 0 && at[AT] == 0 ? 0 : 1;
	eq[2] = at[VC] == 0 && at[VI] == 0 ? 0 : at[VC] == 0 || at[VI] == 0 || at[VA] == 0 ? 1 : 2;
	eq[3] = at[SI] == 0 || at[SA] == 0 ? 0 : at[SC] <= 1 || at[SI] == 1 || at[SA] == 1 ? 1 : 2;
	eq[4] = at[EXPLOIT];
	eq[5] = (at[CR] == 0 && at[VC] == 0) || (at[IR] == 0 && at[VI] == 0) || (at[AR] == 0 && at[VA] == 0) ? 0 : 1;
}

/* The worst vectors of a class (tables 24 to 29, "highest severity vectors"): places of its metrics, in their order. */
struct worst {
	int n;
	struct {
		unsigned char at[6];
	} list[5];
};
static const struct worst worst_1[] = { { 1, { { { 0, 0, 0 } } } },
					{ 3, { { { 1, 0, 0 } }, { { 0, 1, 0 } }, { { 0, 0, 1 } } } },
					{ 2, { { { 3, 0, 0 } }, { { 1, 1, 1 } } } } };
static const struct worst worst_2[] = { { 1, { { { 0, 0 } } } }, { 2, { { { 1, 0 } }, { { 0, 1 } } } } };
/* Of the third and sixth class together: [third][sixth]. */
static const struct worst worst_36[3][2] = {
	{ { 1, { { { 0, 0, 0, 0, 0, 0 } } } }, { 2, { { { 0, 0, 1, 1, 1, 0 } }, { { 0, 0, 0, 1, 1, 1 } } } } },
	{ { 2, { { { 1, 0, 0, 0, 0, 0 } }, { { 0, 1, 0, 0, 0, 0 } } } },
	  { 5,
	    { { { 1, 0, 1, 0, 1, 0 } }, { { 1, 0, 0, 0, 1, 1 } }, { { 0, 1, 0, 1, 0, 1 } }, { { 0, 1, 1, 1, 0, 0 } },
	      { { 1, 1, 0, 0, 0, 1 } } } } },
	{ { 0 }, { 1, { { { 1, 1, 1, 0, 0, 0 } } } } },
};
static const struct worst worst_4[] = { { 1, { { { 1, 0, 0 } } } }, { 1, { { { 1, 1, 1 } } } }, { 1, { { { 2, 2, 2 } } } } };

/* Steps from the first of the worst vectors that is nowhere better than this one. */
static int steps(const int *at, const enum metric_4 *list, int n, const struct worst *w)
{
	for (int i = 0; i < w->n; i++) {
		int sum = 0;
		bool fits = true;

		for (int k = 0; k < n; k++) {
			int step = at[list[k]] - w->list[i].at[k];

			fits = fits && step >= 0;
			sum += step;
		}
		if (fits)
			return sum;
	}
	return 0;
}

static int macro_score(const int eq[CLASSES])
{
	return eq[0] > 2 || eq[1] > 1 || eq[2] > 2 || eq[3] > 2 || eq[4] > 2 || eq[5] > 1 ?
		       0 :
		       macro[eq[0]][eq[1]][eq[2]][eq[3]][eq[4]][eq[5]];
}

static int next_score(const int eq[CLASSES], int which)
{
	int next[CLASSES];

	memcpy(next, eq, sizeof(next));
	next[which]++;
	return macro_score(next);
}

/* The third and sixth class are one: what comes below is the better of the two neighbours. */
static int next_score_36(const int eq[CLASSES])
{
	int third = next_score(eq, 2), sixth = next_score(eq, 5);

	if (eq[2] == 0 && eq[5] == 0)
		return third > sixth ? third : sixth;
	return eq[5] == 1 ? third : sixth;
}

static double score_4(const char *vector)
{
	static const enum metric_4 in_1[] = { AV, PR, UI }, in_2[] = { AC, AT }, in_36[] = { VC, VI, VA, CR, IR, AR }, in_4[] = { SC, SI, SA };
	/* Steps between the worst and the least of a class, table 30. */
	static const int depth_1[] = { 1, 4, 5 }, depth_2[] = { 1, 2 }, depth_36[3][2] = { { 7, 6 }, { 8, 8 }, { 10, 10 } },
			 depth_4[] = { 6, 5, 4 };
	int at[METRICS], eq[CLASSES], value, n = 0;
	double down = 0;

	if (!read_4(vector, at))
		return 0;
	if (at[VC] == 2 && at[VI] == 2 && at[VA] == 2 && at[SC] == 3 && at[SI] == 3 && at[SA] == 3)
		return 0;
	classify(at, eq);
	value = macro_score(eq);
	struct {
		int lower, steps, depth;
	} ways[] = {
		{ next_score(eq, 0), steps(at, in_1, 3, &worst_1[eq[0]]), depth_1[eq[0]] },
		{ next_score(eq, 1), steps(at, in_2, 2, &worst_2[eq[1]]), depth_2[eq[1]] },
		{ next_score_36(eq), steps(at, in_36, 6, &worst_36[eq[2]][eq[5]]), depth_36[eq[2]][eq[5]] },
		{ next_score(eq, 3), steps(at, in_4, 3, &worst_4[eq[3]]), depth_4[eq[3]] },
		{ next_score(eq, 4), 0, 1 },
	};
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (ways[i].lower == 0)
			continue;
		down += (double)(value - ways[i].lower) * ways[i].steps / ways[i].depth;
		n++;
	}
	/* Halves go up; what a sum in binary lost must not make them go down. */
	return fmax(0, fmin(100, floor(value - (n ? down / n : 0) + 0.5 + 1e-6))) / 10;
}

double advisory_cvss(const char *vector)
{
	if (!vector)
		return 0;
	if (str_after(vector, "CVSS:4.0/"))
		return score_4(vector);
	if (str_after(vector, "CVSS:3.0/") || str_after(vector, "CVSS:3.1/"))
		return score_3(vector);
	return str_after(vector, "CVSS:") ? 0 : score_2(*vector == '(' ? vector + 1 : vector);
}
