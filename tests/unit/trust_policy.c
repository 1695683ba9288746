/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "trust/identity.h"
#include "trust/policy.h"

#include <string.h>

#define GPG "{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"/k\"}"
#define REJECT "[{\"type\":\"reject\"}]"

/* Bad documents of policy.json, and what the error says. */
static void refused(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "" },
		{ "[]", "not an object" },
		{ "{}", "default is missing" },
		{ "{\"default\":[]}", "default: not a list with something in it" },
		{ "{\"default\":" REJECT ",\"default\":" REJECT "}", "duplicate" },
		{ "{\"default\":" REJECT ",\"standard\":1}", "no member \"standard\" is known here" },
		{ "{\"default\":" REJECT ",\"transports\":[]}", "transports: not an object" },
		{ "{\"default\":[{\"type\":\"accept\"}]}", "no type that is known" },
		{ "{\"default\":[{\"type\":\"reject\",\"keyPath\":\"/k\"}]}", "keyPath" },
		{ "{\"default\":[{\"type\":\"signedBy\",\"keyPath\":\"/k\"}]}", "keyType is missing" },
		{ "{\"default\":[{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\"}]}", "exactly one source of keys" },
		{ "{\"default\":[{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"k\"}]}", "not an absolute path" },
		{ "{\"default\":[{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyData\":\"?\"}]}", "not base64" },
		{ "{\"default\":[{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"/k\",\"keyData\":\"YQ==\"}]}", "one source of keys" },
		{ "{\"default\":[{\"type\":\"sigstoreSigned\",\"fulcio\":{\"caPath\":\"/c\",\"oidcIssuer\":\"i\",\"subjectEmail\":\"a\"}}]}",
		  "rekorPublicKeyPath" },
		/* brig's own words have no place in a file that podman reads too. */
		{ "{\"default\":[{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"/k\",\"threshold\":2}]}", "threshold" },
		{ "{\"default\":[{\"type\":\"notationSigned\",\"keyPath\":\"/k\"}]}", "no type that is known" },
		{ "{\"default\":[{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"/k\",\"signedIdentity\":{\"type\":\"anyIdentity\"}}]}",
		  "signedIdentity" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy p = { 0 };
		struct error e = { 0 };

		if (policy_parse(&p, cases[i].text, strlen(cases[i].text), "policy.json", &e) != -EBADMSG)
			fail_msg("taken: %s", cases[i].text);
		if (!strstr(e.text, cases[i].says))
			fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].text, e.text, cases[i].says);
		policy_free(&p);
	}
}

/* The most specific scope counts, and only at the borders of names. */
static void scopes(void **state)
{
	static const char text[] = "{\"default\":" REJECT ",\"transports\":{\"docker\":{"
		"\"\":" REJECT ",\"*.example.com\":" REJECT ",\"q.example.com\":" REJECT ",\"q.example.com/team\":[" GPG "],"
		"\"q.example.com/team/app\":" REJECT ",\"q.example.com/team/app:1\":[" GPG "]},\"dir\":{\"\":" REJECT "}}}";
	static const struct {
		const char *image, *scope;
	} cases[] = {
		{ "q.example.com/team/app:1", "q.example.com/team/app:1" },
		{ "q.example.com/team/app:11", "q.example.com/team/app" },
		{ "q.example.com/team/app/sub:1", "q.example.com/team/app" },
		{ "q.example.com/team/apple:1", "q.example.com/team" },
		{ "q.example.com/teams/app:1", "q.example.com" },
		{ "r.example.com/team/app:1", "*.example.com" },
		{ "a.b.example.com/x:1", "*.example.com" },
		{ "example.com/x:1", "" },
		{ "q.example.com.evil.org/team/app:1", "" },
		{ "q.example.com:5000/team/app:1", "*.example.com" }, /* a wildcard is of hosts, whatever the port */
	};
	struct policy p = { 0 };
	struct error e = { 0 };

	(void)state;
	if (policy_parse(&p, text, strlen(text), "policy.json", &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct policy_entry *found = policy_find(&p, cases[i].image);

		if (!found || !found->scope || strcmp(found->scope, cases[i].scope) != 0)
			fail_msg("%s: %s, not %s", cases[i].image, found && found->scope ? found->scope : "(none)", cases[i].scope);
	}
	policy_free(&p);
}

#define HEX "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Which signed names stand for which image. */
static void identities(void **state)
{
	static const struct {
		enum identity_type type;
		const char *a, *b, *image, *claimed;
		bool own_scope, fits;
	} cases[] = {
		{ IDENTITY_EXACT, NULL, NULL, "q.io/a:1", "q.io/a:1", false, true },
		{ IDENTITY_EXACT, NULL, NULL, "q.io/a:1", "q.io/a:2", false, false },
		{ IDENTITY_EXACT, NULL, NULL, "q.io/a:1", "q.io/b:1", false, false },
		{ IDENTITY_EXACT, NULL, NULL, "q.io/a@sha256:" HEX, "q.io/a:1", false, false },
		{ IDENTITY_EXACT, NULL, NULL, "q.io/a:1", NULL, true, false },
		{ IDENTITY_REPO_DIGEST_OR_EXACT, NULL, NULL, "q.io/a@sha256:" HEX, "q.io/a:1", false, true },
		{ IDENTITY_REPO_DIGEST_OR_EXACT, NULL, NULL, "q.io/a@sha256:" HEX, "q.io/b:1", false, false },
		{ IDENTITY_REPO_DIGEST_OR_EXACT, NULL, NULL, "q.io/a:1", "q.io/a:2", false, false },
		{ IDENTITY_REPOSITORY, NULL, NULL, "q.io/a:1", "q.io/a:2", false, true },
		{ IDENTITY_REPOSITORY, NULL, NULL, "q.io/a:1", "q.io/a/b:1", false, false },
		{ IDENTITY_REPOSITORY, NULL, NULL, "q.io/a:1", NULL, false, false },
		{ IDENTITY_REPOSITORY, NULL, NULL, "q.io/a:1", NULL, true, true },
		{ IDENTITY_EXACT_REFERENCE, "d.io/x:7", NULL, "q.io/a:1", "d.io/x:7", false, true },
		{ IDENTITY_EXACT_REFERENCE, "d.io/x:7", NULL, "q.io/a:1", "q.io/a:1", false, false },
		{ IDENTITY_EXACT_REPOSITORY, "d.io/x", NULL, "q.io/a:1", "d.io/x:9", false, true },
		{ IDENTITY_EXACT_REPOSITORY, "d.io/x", NULL, "q.io/a:1", "d.io/xy:9", false, false },
		{ IDENTITY_REMAP, "mirror.io/d", "d.io", "mirror.io/d/x:1", "d.io/x:1", false, true },
		{ IDENTITY_REMAP, "mirror.io/d", "d.io", "mirror.io/dd/x:1", "d.io/x:1", false, false },
		{ IDENTITY_ANY, NULL, NULL, "q.io/a:1", NULL, false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct identity_rule rule = { cases[i].type, (char *)cases[i].a, (char *)cases[i].b };
		struct error e = { 0 };

		if (identity_fits(&rule, cases[i].image, cases[i].claimed, cases[i].own_scope, &e) != cases[i].fits)
			fail_msg("case %zu: %s signed as %s: %s", i, cases[i].image, cases[i].claimed ? cases[i].claimed : "nothing",
				 cases[i].fits ? e.text : "fits");
	}
}

/* trust.json: what it adds, and its errors. */
static void extras(void **state)
{
	static const char good[] = "{\"scopes\":{\"q.io/a\":{\"threshold\":2,\"expiry\":\"90d\",\"notBefore\":\"2026-01-01T00:00:00Z\","
		"\"minimumVersion\":\"1.4\",\"pins\":false}}}";
	static const char *const bad[][2] = {
		{ "{}", "scopes" },
		{ "{\"scopes\":{\"q.io/a\":{\"threshold\":0}}}", "threshold: not a number from 1" },
		{ "{\"scopes\":{\"q.io/a\":{\"expiry\":\"soon\"}}}", "expiry: give an age" },
		{ "{\"scopes\":{\"q.io/a\":{\"notBefore\":\"yesterday\"}}}", "notBefore: give a time" },
		{ "{\"scopes\":{\"q.io/a\":{\"minimumVersion\":\"new\"}}}", "minimumVersion: give numbers" },
		{ "{\"scopes\":{\"q.io/a\":{\"quorum\":2}}}", "no member \"quorum\"" },
		{ "{\"scopes\":{\"q.io/a\":{\"require\":[{\"type\":\"insecureAcceptAnything\"}]}}}", "belongs into policy.json" },
	};
	const struct extra_entry *x;
	struct policy p = { 0 };
	struct error e = { 0 };

	(void)state;
	if (policy_parse_extra(&p, good, strlen(good), "trust.json", &e) < 0)
		fail_msg("%s", e.text);
	x = policy_find_extra(&p, "q.io/a:2");
	assert_non_null(x);
	assert_int_equal(x->threshold, 2);
	assert_int_equal(x->expiry_s, 90 * 86400);
	assert_int_equal(x->not_before, 1767225600);
	assert_string_equal(x->minimum_version, "1.4");
	assert_true(x->no_pins);
	assert_null(policy_find_extra(&p, "q.io/ab:2"));
	policy_free(&p);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&p, 0, sizeof(p));
		if (policy_parse_extra(&p, bad[i][0], strlen(bad[i][0]), "trust.json", &e) != -EBADMSG || !strstr(e.text, bad[i][1]))
			fail_msg("%s: \"%s\"", bad[i][0], e.text);
		policy_free(&p);
		memset(&e, 0, sizeof(e));
	}
}

static void versions(void **state)
{
	static const char *const order[] = { "0.9", "1", "1.4", "v1.4.1", "1.10", "2.0", "10" };

	(void)state;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
			int c = policy_version_compare(order[i], order[k]);

			if ((c > 0) - (c < 0) != (i > k) - (i < k))
				fail_msg("%s and %s: %d", order[i], order[k], c);
		}
	assert_false(policy_version_valid("latest"));
	assert_false(policy_version_valid(""));
	assert_false(policy_version_valid("1..2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),    cmocka_unit_test(scopes),	  cmocka_unit_test(identities),
		cmocka_unit_test(extras),     cmocka_unit_test(versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
