/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which version is older, as each package manager decides it. Comparison is total: it answers for any bytes, since what is
 * compared comes from images and from advisories, and two answers about the same pair never disagree (a < b exactly when b >
 * a).
 *
 *	dpkg	deb-version(7); the order of `dpkg --compare-versions`
 *	rpm	rpm-version(7); the order of rpm.vercmp() in rpm's Lua, an absent epoch is 0
 *	apk	apk-version(8) of apk-tools 3
 *	semver	semver.org 2.0, section 11; a leading "v" and missing numbers are allowed, as OSV's SEMVER ranges have them
 *	pep440	Python's version specifiers, without the normalisation of rare spellings
 *	maven	Maven's "Version Order Specification", for the qualifiers that exist in practice
 *	gem	Gem::Version: words sort before numbers
 */
#pragma once

#include <stdbool.h>

enum version_scheme {
	VERSION_DPKG,
	VERSION_RPM,
	VERSION_APK,
	VERSION_SEMVER,
	VERSION_PEP440,
	VERSION_MAVEN,
	VERSION_GEM,
	VERSION_SCHEMES
};

/* Negative, 0, positive: `a` is older, the same, newer. */
int version_compare(enum version_scheme s, const char *a, const char *b);

/* version_lang.c */
int version_compare_semver(const char *a, const char *b);
int version_compare_pep440(const char *a, const char *b);
int version_compare_maven(const char *a, const char *b);
int version_compare_gem(const char *a, const char *b);

/* A piece of a version string. */
struct vpart {
	const char *s;
	unsigned n;
};

/* Two runs of digits of any length as numbers: leading zeros do not count, an empty run is 0. */
int version_compare_numbers(struct vpart a, struct vpart b);
/* Bytes, a prefix first. */
int version_compare_bytes(struct vpart a, struct vpart b);
