/* SPDX-License-Identifier: Apache-2.0 */
/* What of registries can be judged without one: references, challenges, registries.conf, auth files, URLs, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "image/challenge.h"
#include "image/credentials.h"
#include "image/fetch_http.h"
#include "image/reference.h"
#include "image/registries.h"

#include <arpa/inet.h>
#include <string.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void references(void **state)
{
	static const struct {
		const char *in, *host, *path, *tag, *digest;
	} good[] = {
		{ "docker.io/alpine", "docker.io", "library/alpine", "latest", "" },
		{ "index.docker.io/alpine:3", "docker.io", "library/alpine", "3", "" },
		{ "docker.io/a/b", "docker.io", "a/b", "latest", "" },
		{ "quay.io/a", "quay.io", "a", "latest", "" },
		{ "reg.example:5000/a/b/c:v1.2_x-y", "reg.example:5000", "a/b/c", "v1.2_x-y", "" },
		{ "localhost/x", "localhost", "x", "latest", "" },
		{ "quay.io/a@sha256:" HEX, "quay.io", "a", NULL, HEX },
		{ "quay.io/a:1@sha256:" HEX, "quay.io", "a", "1", HEX },
	};
	static const char *const bad[] = { "", "alpine", "a/b", "quay.io/", "quay.io/A", "quay.io/a:", "quay.io/a@", "quay.io/a@sha256:0",
					   "quay.io/a@sha512:" HEX, "quay.io//a", "quay.io/a/", "quay.io/../a", "-x.io/a", "quay.io:/a",
					   "quay.io:99999999/a", "quay.io/a b", "quay.io/a\n", "user@quay.io/a", "https://quay.io/a",
					   "quay.io/a@sha256:" HEX "@sha256:" HEX, "quay.io/a?x=y", "quay.io/a#b", "quay.io/%61" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		_cleanup_reference_ struct reference r;

		assert_int_equal(reference_parse(good[i].in, &r, NULL), 0);
		assert_string_equal(r.host, good[i].host);
		assert_string_equal(r.path, good[i].path);
		assert_true(streq(r.tag, good[i].tag));
		assert_string_equal(r.digest, good[i].digest);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct reference r;
		struct error e = { 0 };

		if (reference_parse(bad[i], &r, &e) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	}
}

static void challenges(void **state)
{
	static const char *const bad[] = { "", " ", "Digest realm=\"x\"", "Bearer", "Bearer realm", "Bearer realm=", "Bearer realm=\"x",
					   "Bearer realm=\"a\",realm=\"b\"", "Bearer service=\"x\"", "Bearer realm=\"a\"x", "Bearer=\"x\"",
					   "Bearer realm=\"a\x01\"", "Bearer realm=\"a\\" };
	struct challenge c;

	(void)state;
	assert_int_equal(challenge_parse("Bearer realm=\"https://a/t\",service=\"reg\",scope=\"repository:a/b:pull,push\"", &c), 0);
	assert_true(c.bearer);
	assert_string_equal(c.realm, "https://a/t");
	assert_string_equal(c.service, "reg");
	assert_string_equal(c.scope, "repository:a/b:pull,push");
	challenge_free(&c);
	assert_int_equal(challenge_parse("bearer  REALM = https , unknown=\"1,2\" , service=\"a\\\"b\"", &c), 0);
	assert_string_equal(c.realm, "https");
	assert_string_equal(c.service, "a\"b");
	challenge_free(&c);
	assert_int_equal(challenge_parse("Digest realm=\"x\", nonce=\"y\", Basic realm=\"z\"", &c), 0);
	assert_false(c.bearer);
	assert_string_equal(c.realm, "z");
	challenge_free(&c);
	assert_int_equal(challenge_parse("Basic", &c), 0);
	challenge_free(&c);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (challenge_parse(bad[i], &c) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
}

static void configuration(void **state)
{
	static const char text[] = "# x\nunqualified-search-registries = [ \"a.io\", # one\n 'b.io',\n]\nshort-name-mode=\"enforcing\"\n"
				   "[aliases]\n\"web\" = \"c.io/x/web\"\n  db='d.io/db'\n"
				   "[[registry]]\nprefix = \"a.io/team\"\nlocation = \"e.io/other\"\n"
				   "[[registry]]\nlocation = \"f.io\"\nblocked = true\ninsecure = true\n"
				   "[[registry.mirror]]\nlocation = \"g.io\"\n"
				   "[[registry]]\nprefix = \"*.h.io\"\nblocked = true\n";
	static const char *const bad[] = { "x", "x =", "x = [1]", "x = \"", "x = \"a\" y", "[x", "[[x]", "= 1", "x = [\"a\" \"b\"]",
					   "unqualified-search-registries = \"a\"", "[[registry]]\nblocked = yes",
					   "[[registry]]\nprefix = [\"a\"]", "[aliases]\na = [\"b\"]", "x = \"\\u0041\"" };
	struct registries r = { 0 };

	(void)state;
	assert_int_equal(registries_parse(&r, text, "t", NULL), 0);
	assert_int_equal(strv_len(r.search), 2);
	assert_string_equal(r.search[1], "b.io");
	assert_string_equal(registries_alias(&r, "web"), "c.io/x/web");
	assert_string_equal(registries_alias(&r, "db"), "d.io/db");
	assert_null(registries_alias(&r, "we"));
	assert_string_equal(registries_rule(&r, "a.io/team/x")->location, "e.io/other");
	assert_null(registries_rule(&r, "a.io/teamster"));
	assert_null(registries_rule(&r, "a.io"));
	assert_true(registries_rule(&r, "f.io/y")->blocked);
	assert_null(registries_rule(&r, "f.io:5000/y"));
	assert_true(registries_rule(&r, "x.h.io/y")->blocked);
	assert_null(registries_rule(&r, "h.io/y"));
	assert_null(registries_rule(&r, "g.io/y"));
	registries_free(&r);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error e = { 0 };

		if (registries_parse(&r, bad[i], "t", &e) != -EINVAL || !strstr(e.text, "t:"))
			fail_msg("taken, or without its line: %s", bad[i]);
		registries_free(&r);
	}
}

static void mirrors(void **state)
{
	static const char text[] = "[[registry]]\nprefix = \"a.io/team\"\nlocation = \"b.io/x\"\nmirror-by-digest-only = false\n"
				   "[[registry.mirror]]\nlocation = \"m.io:5000/a\"\ninsecure = true\n"
				   "[[registry.mirror]]\nlocation = \"n.io\"\npull-from-mirror = \"digest-only\"\n"
				   "[[registry.mirror]]\nlocation = \"o.io\"\npull-from-mirror = \"tag-only\"\n"
				   "[[registry]]\nlocation = \"*.h.io\"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = \"m.io/h\"\n";
	static const char *const bad[] = { "[[registry.mirror]]\nlocation = \"a\"", "[[registry]]\nlocation=\"a\"\n[[registry.mirror]]\ninsecure = 1",
					   "[[registry]]\nlocation=\"a\"\n[[registry.mirror]]\npull-from-mirror = \"x\"",
					   "[[registry]]\nlocation=\"a\"\nmirror-by-digest-only = \"yes\"" };
	struct registries r = { 0 };
	const struct registry_rule *rule;
	char *name;

	(void)state;
	assert_int_equal(registries_parse(&r, text, "t", NULL), 0);
	rule = registries_rule(&r, "a.io/team/app");
	assert_non_null(rule);
	assert_int_equal(rule->n_mirrors, 3);
	assert_true(rule->mirrors[0].insecure);
	assert_false(rule->insecure);
	name = registries_rewrite(rule, rule->location, "a.io/team/app");
	assert_string_equal(name, "b.io/x/app");
	free(name);
	name = registries_rewrite(rule, rule->mirrors[0].location, "a.io/team/app");
	assert_string_equal(name, "m.io:5000/a/app");
	free(name);
	for (int by_digest = 0; by_digest < 2; by_digest++) {
		assert_true(registries_mirror_for(rule, &rule->mirrors[0], by_digest));
		assert_int_equal(registries_mirror_for(rule, &rule->mirrors[1], by_digest), by_digest);
		assert_int_equal(registries_mirror_for(rule, &rule->mirrors[2], by_digest), !by_digest);
	}
	rule = registries_rule(&r, "x.h.io:5000/app");
	assert_non_null(rule);
	assert_true(registries_mirror_for(rule, &rule->mirrors[0], true));
	assert_false(registries_mirror_for(rule, &rule->mirrors[0], false));
	name = registries_rewrite(rule, rule->mirrors[0].location, "x.h.io:5000/app");
	assert_string_equal(name, "m.io/h/app");
	free(name);
	registries_free(&r);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (registries_parse(&r, bad[i], "t", NULL) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		registries_free(&r);
	}
}

static int read_auth(const char *text, const char *name, struct credentials *c, char **helper)
{
	_cleanup_json_ json_t *j = json_parse(text, strlen(text), "t", NULL);
	struct error e = { 0 };

	*c = (struct credentials){ 0 };
	assert_non_null(j);
	return credentials_read(j, name, c, helper, &e);
}

static void auth_files(void **state)
{
	/* u:p, a:b:c, x: */
	static const char file[] = "{\"auths\":{\"q.io\":{\"auth\":\"dTpw\"},\"q.io/team\":{\"auth\":\"YTpiOmM=\"},"
				   "\"https://index.docker.io/v1/\":{\"auth\":\"eDo=\"}},"
				   "\"credHelpers\":{\"h.io\":\"pass\"}}";
	static const char *const bad[] = { "[]", "{\"auths\":[]}", "{\"auths\":{\"q.io\":1}}", "{\"auths\":{\"q.io\":{\"auth\":1}}}",
					   "{\"auths\":{\"q.io\":{\"auth\":\"!!!!\"}}}", "{\"auths\":{\"q.io\":{\"auth\":\"dQ==\"}}}",
					   "{\"auths\":{\"q.io\":{\"auth\":\"dTp\"}}}", "{\"auths\":{\"q.io\":{\"auth\":\"OnA=\"}}}",
					   "{\"auths\":{\"q.io\":{\"identitytoken\":\"x\"}}}", "{\"credsStore\":1}" };
	struct credentials c;
	char *helper;

	(void)state;
	assert_int_equal(read_auth(file, "q.io/other/x", &c, &helper), 1);
	assert_string_equal(c.user, "u");
	assert_string_equal(c.password, "p");
	credentials_free(&c);
	assert_int_equal(read_auth(file, "q.io/team/x", &c, &helper), 1);
	assert_string_equal(c.user, "a");
	assert_string_equal(c.password, "b:c");
	credentials_free(&c);
	assert_int_equal(read_auth(file, "docker.io/library/x", &c, &helper), 1);
	assert_string_equal(c.user, "x");
	assert_string_equal(c.password, "");
	credentials_free(&c);
	assert_int_equal(read_auth(file, "h.io/x", &c, &helper), 1);
	assert_string_equal(helper, "pass");
	free(helper);
	assert_int_equal(read_auth(file, "q.io.evil.com/x", &c, &helper), 0);
	assert_int_equal(read_auth(file, "q.i", &c, &helper), 0);
	assert_int_equal(read_auth("{\"auths\":{\"q.io\":{}}}", "q.io", &c, &helper), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (read_auth(bad[i], "q.io", &c, &helper) >= 0)
			fail_msg("taken: %s", bad[i]);
		credentials_free(&c);
	}
}

static void urls(void **state)
{
	static const struct {
		const char *base, *location, *out;
	} cases[] = {
		{ "https://a/x/y", "/z?q", "https://a/z?q" },
		{ "https://a/x/y", "z", "https://a/x/z" },
		{ "https://a/x/y", "https://b:1/c#frag", "https://b:1/c" },
		{ "https://a/x", "//b/c", "https://b/c" },
		{ "https://a/x", "https://u:p@b/c", NULL },
		{ "https://a/x", "https://b/c d", NULL },
		{ "https://a/x", "https://b/\r\nX: y", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *out = url_follow(cases[i].base, cases[i].location);

		if (!streq(out, cases[i].out))
			fail_msg("%s: %s", cases[i].location, out ? out : "nothing");
	}
	_cleanup_free_ char *a = url_authority("https://Host.Example/x"), *b = url_authority("https://host.example:443/y");
	assert_string_equal(a, b);
}

static void token_hosts(void **state)
{
	(void)state;
	assert_true(token_host_fits("registry.gitlab.com", "gitlab.com"));
	assert_true(token_host_fits("registry-1.docker.io", "auth.docker.io"));
	assert_true(token_host_fits("127.0.0.1:5000", "127.0.0.1"));
	assert_false(token_host_fits("127.0.0.1:5000", "127.0.0.2"));
	assert_false(token_host_fits("10.0.0.1:5000", "20.0.0.1"));
	assert_false(token_host_fits("quay.io", "evil.io"));
	assert_false(token_host_fits("registry.gitlab.com", "evilgitlab.com"));
	assert_false(token_host_fits("registry.gitlab.com", "gitlab.com.evil.net"));
	assert_false(token_host_fits("localhost:5000", "127.0.0.1"));
	assert_false(token_host_fits("[::1]:5000", "::2"));
}

static int kind(const char *text)
{
	struct sockaddr_in four = { .sin_family = AF_INET };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
		return address_kind((struct sockaddr *)&four);
	assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
	return address_kind((struct sockaddr *)&six);
}

static void addresses(void **state)
{
	static const char *const world[] = { "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "192.167.1.1", "2001:db8::1" };
	static const char *const inner[] = { "127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "::1",
					     "fd00::1", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::127.0.0.1" };
	static const char *const never[] = { "169.254.169.254", "0.0.0.0", "224.0.0.1", "255.255.255.255", "fe80::1", "ff02::1", "::",
					     "::ffff:169.254.169.254", "64:ff9b::169.254.169.254" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(world); i++)
		if (kind(world[i]) != 0)
			fail_msg("%s: %d", world[i], kind(world[i]));
	for (size_t i = 0; i < ARRAY_SIZE(inner); i++)
		if (kind(inner[i]) != 1)
			fail_msg("%s: %d", inner[i], kind(inner[i]));
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (kind(never[i]) != 2)
			fail_msg("%s: %d", never[i], kind(never[i]));
}

static void links(void **state)
{
	static const struct {
		const char *header, *next;
	} cases[] = {
		{ "</v2/a/tags/list?n=1&last=b>; rel=\"next\"", "/v2/a/tags/list?n=1&last=b" },
		{ "<x>;rel=next", "x" },
		{ "<x>; REL=Next", "x" },
		{ "<x>; title=\"a, <y>; rel=next\"; rel=\"last next\"", "x" },
		{ "<one>; rel=\"prev\", <two>; rel=\"next\"", "two" },
		{ "<one>; rel=\"prev\"", NULL },
		{ "<one>; xrel=next", NULL },
		{ "<one>", NULL },
		{ "<>; rel=next", NULL },
		{ "<one; rel=next", NULL },
		{ "", NULL },
		{ "<a>; rel=\"next", "a" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *got = link_next(cases[i].header);

		if (!streq(got, cases[i].next))
			fail_msg("%s: %s", cases[i].header, got ? got : "none");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references), cmocka_unit_test(challenges), cmocka_unit_test(configuration),
		cmocka_unit_test(auth_files), cmocka_unit_test(urls),	    cmocka_unit_test(token_hosts),
		cmocka_unit_test(addresses), cmocka_unit_test(links),	    cmocka_unit_test(mirrors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
