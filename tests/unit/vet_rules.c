/* SPDX-License-Identifier: Apache-2.0 */
/* The rules' format, the strings that are sought at once, and what images claim. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "vet/claims.h"
#include "vet/seek.h"
#include "vet/rules.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void refused(const char *text, const char *why)
{
	_cleanup_(rules_free) struct rules r = { 0 };
	struct error e = { 0 };
	int err = rules_parse(&r, text, strlen(text), "x", &e);

	if (err == 0)
		err = rules_check(&r, &e);
	assert_true(err < 0);
	if (!strstr(e.text, why))
		fail_msg("\"%s\" is not in: %s", why, e.text);
}

static void test_parse(void **state)
{
	static const char text[] = "# all of it\n"
				   "capability a-1\n"
				   "\ttitle  an  A # really\n"
				   "  why because\n"
				   "\tlevel critical\n"
				   "\tentry\n\tport 22 65535\n\tname x y*\n"
				   "\telf \"a # \\\"b\\\\\\n\" c\n\telf d\n\tscript \"curl \" sh\n\tlisten etc/x Port\n"
				   "\n"
				   "claim b\n\tis a B\n\tword b\n\tcovers a-1\n"
				   "capability a-1\n\tname z\n\tlevel low\n";
	_cleanup_(rules_free) struct rules r = { 0 };
	struct error e = { 0 };
	const struct capability *c;

	(void)state;
	assert_int_equal(rules_parse(&r, text, strlen(text), "x", &e), 0);
	assert_int_equal(rules_check(&r, &e), 0);
	assert_int_equal(r.n_capabilities, 1);
	c = rules_capability(&r, "a-1");
	assert_string_equal(c->title, "an A");
	assert_int_equal(c->level, VET_LOW);
	assert_true(c->entry);
	assert_int_equal(strv_len(c->ports), 2);
	assert_int_equal(c->n_elf, 2);
	assert_string_equal(c->elf[0].texts[0].data, "a # \"b\\\n");
	assert_string_equal(c->elf[0].texts[1].data, "c");
	assert_true(rules_word(c->names, "x"));
	assert_true(rules_word(c->names, "yes"));
	assert_true(rules_word(c->names, "z"));
	assert_false(rules_word(c->names, "xx"));
	assert_string_equal(c->listen[0].keyword, "Port");
	assert_string_equal(r.claims[0].is, "a B");
}

static void test_refused(void **state)
{
	(void)state;
	refused("\ttitle x\n", "line 1: an indented line before any block");
	refused("capability a\n\ttitle x\n", "capability a: no title, or no why");
	refused("capability A\n", "one name");
	refused("capability a b\n", "one name");
	refused("thing a\n", "a block begins");
	refused("\n\ncapability a\n\tport 0\n", "line 4: port 0");
	refused("capability a\n\tport 65536\n", "port 65536");
	refused("capability a\n\tlevel worst\n", "level:");
	refused("capability a\n\tentry now\n", "entry stands alone");
	refused("capability a\n\telf\n", "elf: nothing");
	refused("capability a\n\telf \"\"\n", "an empty text");
	refused("capability a\n\telf \"x\n", "not closed");
	refused("capability a\n\telf \"x\\q\"\n", "backslash");
	refused("capability a\n\telf \"x\"y\n", "right behind a quote");
	refused("capability a\n\telf x\"y\n", "quote inside");
	refused("capability a\n\tlisten x\n", "a path and a keyword");
	refused("capability a\n\tword x\n", "means nothing in a capability");
	refused("claim a\n\telf x\n", "means nothing in a claim");
	refused("claim a\n\tis x\n\tcovers b\n", "no such capability");
	refused("claim a\n\tword x\n", "does not say what the image is");
}

static void test_match(void **state)
{
	_cleanup_seek_ struct seek *m = seek_new();
	static const char *const texts[] = { "he", "she", "his", "hers", "a\0b" };
	bool seen[8] = { 0 };

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(seek_add(m, texts[i], i == 4 ? 3 : strlen(texts[i])), i);
	assert_int_equal(seek_add(m, "his", 3), 2);
	assert_int_equal(seek_add(m, "", 0), -EINVAL);
	seek_compile(m);
	assert_int_equal(seek_count(m), 5);
	assert_int_equal(seek_scan(m, "xushersx", 8, seen), 3);
	assert_true(seen[0] && seen[1] && seen[3] && !seen[2] && !seen[4]);
	assert_int_equal(seek_scan(m, "hihia\0bis", 9, seen), 1);
	assert_true(seen[4] && !seen[2]);
	assert_int_equal(seek_scan(m, "shis", 4, seen), 1);
}

/* All strings over three letters against memmem(). */
static void test_match_all(void **state)
{
	_cleanup_seek_ struct seek *m = seek_new();
	char texts[40][6];
	uint32_t x = 12345;
	bool seen[40];

	(void)state;
	for (int i = 0; i < 40; i++) {
		size_t n = 1 + (size_t)i % 5;

		for (size_t k = 0; k < n; k++)
			texts[i][k] = (char)('a' + ((x = x * 1664525 + 1013904223) >> 28) % 3);
		texts[i][n] = 0;
		seek_add(m, texts[i], n);
	}
	seek_compile(m);
	for (int round = 0; round < 500; round++) {
		char hay[24];

		for (size_t k = 0; k < sizeof(hay); k++)
			hay[k] = (char)('a' + ((x = x * 1664525 + 1013904223) >> 28) % 4);
		memset(seen, 0, sizeof(seen));
		seek_scan(m, hay, sizeof(hay), seen);
		for (int i = 0; i < 40; i++) {
			int id = seek_add(m, texts[i], strlen(texts[i]));

			assert_int_equal(seen[id], memmem(hay, sizeof(hay), texts[i], strlen(texts[i])) != NULL);
		}
	}
}

/* The rules that are installed. */
static void load_ours(struct rules *r)
{
	_cleanup_free_ char *path = xasprintf("%s/data/vet.rules", getenv("BRIG_SOURCE")), *text = NULL;
	struct error e = { 0 };
	size_t n;

	assert_int_equal(file_read(AT_FDCWD, path, RULES_FILE_MAX, &text, &n), 0);
	if (rules_parse(r, text, n, "vet.rules", &e) < 0 || rules_check(r, &e) < 0)
		fail_msg("%s", e.text);
}

static void claims_are(const struct rules *r, const char *image, const char *config, const char *expected, bool ssh, bool database)
{
	_cleanup_json_ json_t *j = json_loads(config, 0, NULL);
	struct vet v = { .name = "/somewhere/x", .image = image, .config = j };
	struct claims c;
	_cleanup_free_ char *got = NULL;

	claims_derive(&v, r, &c);
	got = xasprintf("%s by %s", c.is ? c.is : "nothing", claims_basis_name(c.basis));
	assert_string_equal(got, expected);
	assert_int_equal(claims_cover(&c, rules_capability(r, "ssh-server")), ssh);
	assert_int_equal(claims_cover(&c, rules_capability(r, "database")), database);
	claims_free(&c);
}

static void test_claims(void **state)
{
	_cleanup_(rules_free) struct rules r = { 0 };

	(void)state;
	load_ours(&r);
	claims_are(&r, "localhost/mariadb:latest", "{}", "a database by its name", false, true);
	claims_are(&r, "docker.io/percona/server:8", "{}", "a database by its name", false, true);
	claims_are(&r, "ssh.example.org/app:sshd", "{}", "nothing by nothing", false, false);
	claims_are(&r, "quay.io:443/x/openssh-server", "{}", "an SSH server by its name", true, false);
	claims_are(&r, "app", "{\"config\":{\"Labels\":{\"org.opencontainers.image.title\":\"MySQL\"}}}", "a database by its title", false, true);
	claims_are(&r, "app", "{\"config\":{\"Labels\":{\"org.opencontainers.image.title\":\"ssh\"}}}", "an SSH server by its title", false, false);
	claims_are(&r, "app", "{\"config\":{\"Cmd\":[\"/usr/sbin/sshd\",\"-D\"]}}", "an SSH server by what it starts", true, false);
	claims_are(&r, "app", "{\"config\":{\"Cmd\":[\"sh\",\"-c\",\"sshd;mysqld\"]}}", "an SSH server and a database by what it starts", false, true);
	claims_are(&r, "app", "{\"config\":{\"ExposedPorts\":{\"3306/tcp\":{}}}}", "a database by its ports and volumes", false, true);
	claims_are(&r, "app", "{\"config\":{\"ExposedPorts\":{\"22/tcp\":{}}}}", "nothing by nothing", false, false);
	claims_are(&r, "redis7", "{\"config\":{\"Cmd\":[\"sshd\"]}}", "a database by its name", false, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse), cmocka_unit_test(test_refused), cmocka_unit_test(test_match), cmocka_unit_test(test_match_all),
		cmocka_unit_test(test_claims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
