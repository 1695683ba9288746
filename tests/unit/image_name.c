/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "image/name.h"

#include <string.h>

static void digests(void **state)
{
	char hex[65], text[80];

	(void)state;
	memset(hex, 'a', 64);
	hex[64] = 0;
	snprintf(text, sizeof(text), "sha256:%s", hex);
	assert_string_equal(digest_hex(text), hex);
	static const char *const bad[] = { "", "sha256:", "sha256:../../../etc/passwd", "sha512:00", "SHA256:aa", "md5:aa" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_null(digest_hex(bad[i]));
	text[7] = 'A'; /* upper case */
	assert_null(digest_hex(text));
	text[7] = 'g';
	assert_null(digest_hex(text));
	snprintf(text, sizeof(text), "sha256:%sa", hex);
	assert_null(digest_hex(text));
	text[7 + 63] = 0;
	assert_null(digest_hex(text));
}

static void complete(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "web", "localhost/web:latest" },
		{ "web:1.2-3_x", "localhost/web:1.2-3_x" },
		{ "a/b__c/d--e", "localhost/a/b__c/d--e:latest" },
		{ "quay.io/a/b", "quay.io/a/b:latest" },
		{ "reg:5000/a:t", "reg:5000/a:t" },
		{ "localhost/x:y", "localhost/x:y" },
		{ "a-b.example/x", "a-b.example/x:latest" },
		{ "", NULL }, { "/x", NULL }, { "x/", NULL }, { "a//b", NULL }, { "../x", NULL }, { "x/../y", NULL },
		{ "X", NULL }, { "a:", NULL }, { "a:.x", NULL }, { "a:b:c", NULL }, { "a b", NULL }, { "a\nb", NULL },
		{ "a%2e", NULL }, { "-a", NULL }, { "a-", NULL }, { "a..b", NULL }, { "a___b", NULL }, { "reg:/a", NULL },
		{ "reg:123456/a", NULL }, { "reg:1x/a", NULL }, { "-r.x/a", NULL }, { "a@sha256:00", NULL },
		{ "localhost/", NULL }, { "\xc3\xa9", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *out = NULL;
		struct error e = { 0 };
		int r = name_complete(cases[i].in, &out, &e);

		if (cases[i].out) {
			assert_int_equal(r, 0);
			assert_string_equal(out, cases[i].out);
			assert_true(name_valid(out));
		} else {
			assert_int_equal(r, -EINVAL);
			assert_non_null(strstr(e.text, "no name for an image"));
		}
	}
}

static void too_long(void **state)
{
	_cleanup_free_ char *out = NULL;
	struct error e = { 0 };
	char name[300];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[255 - 10] = 0; /* with "localhost/" it is 255 */
	assert_int_equal(name_complete(name, &out, &e), 0);
	name[255 - 10] = 'a';
	name[256 - 10] = 0;
	free(steal_ptr(&out));
	assert_int_equal(name_complete(name, &out, &e), -EINVAL);
	memcpy(name, "a:", 2);
	name[2 + 129] = 0;
	assert_int_equal(name_complete(name, &out, &e), -EINVAL);
	name[2 + 128] = 0;
	assert_int_equal(name_complete(name, &out, &e), 0);
}

static void claims(void **state)
{
	static const struct {
		const char *claim;
		bool keep;
		const char *out;
	} cases[] = {
		{ "alpine:3", false, "localhost/alpine:3" },
		{ "docker.io/library/alpine:3", false, "localhost/alpine:3" },
		{ "docker.io/library/alpine:3", true, "docker.io/library/alpine:3" },
		{ "index.docker.io/library/alpine", false, "localhost/alpine:latest" },
		{ "docker.io/someone/tool", false, "localhost/someone/tool:latest" },
		{ "quay.io/a/b:1", false, "localhost/quay.io/a/b:1" },
		{ "quay.io/a/b:1", true, "quay.io/a/b:1" },
		{ "reg.example:5000/a", false, "localhost/reg.example-5000/a:latest" },
		{ "localhost/x", false, "localhost/x:latest" },
		{ "localhost:5000/x", false, "localhost/localhost-5000/x:latest" },
		{ "docker.io/../../x", false, NULL },
		{ "docker.io/", false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *out = NULL;
		int r = name_from_claim(cases[i].claim, cases[i].keep, &out, NULL);

		assert_int_equal(r, cases[i].out ? 0 : -EINVAL);
		if (cases[i].out)
			assert_string_equal(out, cases[i].out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests),
		cmocka_unit_test(complete),
		cmocka_unit_test(too_long),
		cmocka_unit_test(claims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
