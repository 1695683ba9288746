/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { NS = 1000000000 };

static uint64_t get(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}

uint64_t clock_now_ns(void)
{
	return get(CLOCK_REALTIME);
}

uint64_t clock_monotonic_ns(void)
{
	return get(CLOCK_BOOTTIME);
}

void clock_format(uint64_t ns, char out[static 40])
{
	time_t t = (time_t)(ns / NS);
	struct tm tm;

	gmtime_r(&t, &tm);
	size_t n = strftime(out, 40, "%Y-%m-%dT%H:%M:%S", &tm);

	snprintf(out + n, 40 - n, ".%09uZ", (unsigned)(ns % NS));
}

/*
 * Seconds since 1970 of a date in UTC; a year counts from March, so that the leap day is its last. timegm(3) gives the same and
 * reads /etc/localtime for it.
 */
static int64_t seconds_utc(const struct tm *tm)
{
	int64_t year = tm->tm_year - (tm->tm_mon <= 2), era = year / 400, of_era = year % 400;
	int64_t day = (153 * (tm->tm_mon + (tm->tm_mon > 2 ? -3 : 9)) + 2) / 5 + tm->tm_mday - 1;
	int64_t days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + day - 719468;

	return days * 86400 + tm->tm_hour * 3600 + tm->tm_min * 60 + tm->tm_sec;
}

static int parse_rfc3339(const char *s, uint64_t *out)
{
	struct tm tm = { 0 };
	uint64_t frac = 0, unit = NS / 10;
	int n = 0, offset = 0;

	if (sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
		   &tm.tm_sec, &n) != 6 || n != 19)
		return -EINVAL;
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
	    tm.tm_min > 59 || tm.tm_sec > 60 || tm.tm_year < 1970)
		return -EINVAL;
	s += n;
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9'; s++, unit /= 10)
			frac += unit * (uint64_t)(*s - '0');
	if (*s == '+' || *s == '-') {
		int h, m;

		if (sscanf(s + 1, "%2d:%2d%n", &h, &m, &n) != 2 || s[1 + n])
			return -EINVAL;
		offset = (*s == '-' ? -1 : 1) * (h * 3600 + m * 60);
	} else if (!((*s == 'Z' && !s[1]) || !*s)) {
		return -EINVAL;
	}
	int64_t t = seconds_utc(&tm) - offset;
	if (t < 0)
		return -EINVAL;
	*out = (uint64_t)t * NS + frac;
	return 0;
}

int clock_parse(const char *s, uint64_t *ns)
{
	uint64_t v;

	if (strchr(s, 'T'))
		return parse_rfc3339(s, ns);
	if (parse_duration(s, &v) < 0)
		return -EINVAL;
	/* Bare digits are a UNIX time; a unit makes it "that long ago". */
	char last = s[strlen(s) - 1];
	if (last >= '0' && last <= '9') {
		*ns = v;
		return 0;
	}
	uint64_t now = clock_now_ns();
	*ns = v < now ? now - v : 0;
	return 0;
}

void clock_words(uint64_t ns, char out[static 40])
{
	uint64_t s = ns / NS;

	if (s < 1)
		snprintf(out, 40, "Less than a second");
	else if (s < 60)
		snprintf(out, 40, s == 1 ? "1 second" : "%u seconds", (unsigned)s);
	else if (s < 120)
		snprintf(out, 40, "About a minute");
	else if (s < 3600)
		snprintf(out, 40, "%u minutes", (unsigned)(s / 60));
	else if (s < 7200)
		snprintf(out, 40, "About an hour");
	else if (s < 48 * 3600)
		snprintf(out, 40, "%u hours", (unsigned)(s / 3600));
	else if (s < 14 * 86400)
		snprintf(out, 40, "%u days", (unsigned)(s / 86400));
	else if (s < 60 * 86400)
		snprintf(out, 40, "%u weeks", (unsigned)(s / (7 * 86400)));
	else
		snprintf(out, 40, "%u months", (unsigned)(s / (30 * 86400)));
}
