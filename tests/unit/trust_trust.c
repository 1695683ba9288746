/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "trust/trust.h"

#include <string.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

enum { NO, LOCAL, PINNED, MOVED };

/* Every way in which name, origin and pin can meet. The pin is q.io/a:1 = sha256:aaaa... */
static void decisions(void **state)
{
	static const struct {
		const char *name, *manifest, *pulled;
		bool local;
		int want;
	} cases[] = {
		/* unpinned names */
		{ "q.io/x:1", B, "q.io/x:1@sha256:" B, false, NO },
		{ "q.io/x:1", B, "q.io/x:1@sha256:" B, true, LOCAL },
		{ "localhost/x:1", B, NULL, true, LOCAL },
		{ "localhost/x:1", B, NULL, false, NO },
		{ NULL, B, NULL, true, LOCAL },
		/* the digest of another name's pin helps nobody */
		{ "q.io/x:1", A, "q.io/x:1@sha256:" A, false, NO },
		{ "q.io/a:2", A, "q.io/a:2@sha256:" A, false, NO },
		/* the pin, by manifest and by index */
		{ "q.io/a:1", A, "q.io/a:1@sha256:" A, false, PINNED },
		{ "q.io/a:1", B, "q.io/a:1@sha256:" A, false, PINNED },
		{ "q.io/a:1", A, "q.io/a:1@sha256:" B, false, PINNED },
		{ NULL, A, "q.io/a:1@sha256:" A, false, PINNED },
		{ "localhost/mine:1", A, "q.io/a:1@sha256:" A, false, PINNED },
		/* moved: stronger than everything else */
		{ "q.io/a:1", B, "q.io/a:1@sha256:" B, false, MOVED },
		{ "q.io/a:1", B, "q.io/a:1@sha256:" B, true, MOVED },
		{ "q.io/a:1", B, NULL, true, MOVED },
		{ "localhost/mine:1", B, "q.io/a:1@sha256:" C, true, MOVED },
		{ "q.io/a:1", B, "q.io/x:1@sha256:" C, false, MOVED },
		/* what cannot be read is a no */
		{ "q.io/a:1", NULL, NULL, true, NO },
		{ "q.io/a:1", "aa", NULL, true, NO },
		{ "q.io/a:1", A, "q.io/a:1", true, NO },
		{ "q.io/a:1", A, "q.io/a:1@sha256:xx", true, NO },
	};
	static const char text[] = "{\"pins\":[{\"name\":\"q.io/a:1\",\"digest\":\"sha256:" A "\",\"pinned\":\"2026-01-01T00:00:00Z\"}]}";
	_cleanup_(pins_free) struct pins pins = { 0 };

	(void)state;
	assert_int_equal(pins_parse(&pins, text, strlen(text), "t", NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct trust_question q = { cases[i].name, cases[i].manifest, cases[i].pulled, cases[i].local };
		struct trust_answer a;
		int got;

		trust_decide(&q, &pins, NULL, &a);
		got = a.moved ? MOVED : !a.allowed ? NO : a.basis == TRUST_PINNED ? PINNED : LOCAL;
		if (got != cases[i].want || (a.moved && a.allowed) || !a.reason[0])
			fail_msg("case %zu: %d, wanted %d: %s", i, got, cases[i].want, a.reason);
		if (got == MOVED)
			assert_non_null(strstr(a.command, "--replace"));
	}
}

static void damaged_pins(void **state)
{
	static const char *const bad[] = {
		"", "{", "[]", "{\"pins\":{}}", "{\"pins\":[1]}", "{\"pins\":[{}]}", "{\"pins\":[{\"name\":\"a\"}]}",
		"{\"pins\":[{\"name\":\"a\",\"digest\":\"sha256:aa\"}]}", "{\"pins\":[{\"name\":1,\"digest\":\"sha256:" A "\"}]}",
		"{\"pins\":[{\"name\":\"\",\"digest\":\"sha256:" A "\"}]}", "{\"pins\":[],\"pins\":[]}",
		"{\"pins\":[{\"name\":\"a\",\"digest\":\"sha256:" A "\"},{\"name\":\"a\",\"digest\":\"sha256:" B "\"}]}",
		"{\"pins\":[{\"name\":\"a\",\"digest\":\"sha256:" A "\",\"pinned\":\"soon\"}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct pins p;

		if (pins_parse(&p, bad[i], strlen(bad[i]), "t", NULL) >= 0)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(p.n, 0);
	}
}

static void long_names(void **state)
{
	_cleanup_free_ char *name = xcalloc(2001, 1), *pulled = NULL;
	struct pins none = { 0 };
	struct trust_answer a;

	(void)state;
	memset(name, 'n', 2000);
	pulled = xasprintf("q.io/%s:1@sha256:" A, name);
	struct trust_question q = { .name = name, .manifest = A, .pulled = pulled };
	trust_decide(&q, &none, NULL, &a);
	assert_false(a.allowed);
	/* Not a command that means something else. */
	assert_string_equal(a.command, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decisions),
		cmocka_unit_test(damaged_pins),
		cmocka_unit_test(long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
