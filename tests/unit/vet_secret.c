/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets here are made while the test runs, so that no scanner of repositories stumbles over this file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "vet/secret.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

static struct secret_rules rules;

static int load(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/data/vet-secrets.rules", getenv("BRIG_SOURCE"));
	_cleanup_free_ char *text = NULL;
	struct error e = { 0 };
	size_t n;

	(void)state;
	assert_int_equal(file_read(AT_FDCWD, path, 1 << 20, &text, &n), 0);
	if (secret_rules_parse(&rules, text, n, "vet-secrets.rules", &e) < 0 || secret_rules_ready(&rules, &e) < 0)
		fail_msg("%s", e.text);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	secret_rules_free(&rules);
	return 0;
}

static char found[2048];

static void note(void *arg, const struct secret *s)
{
	size_t n = strlen(found);

	(void)arg;
	snprintf(found + n, sizeof(found) - n, "%s%s/%d", n ? " " : "", s->rule->name, s->level);
}

static const char *scan(const char *path, const char *text)
{
	found[0] = 0;
	secret_scan(&rules, path, text, strlen(text), note, NULL);
	return found;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Base64 of `head` and then noise, `n` bytes in all. */
static char *key64(const char *head, size_t head_len, size_t n)
{
	_cleanup_free_ unsigned char *raw = xmalloc(n + 3);
	char *out = xcalloc(n * 2, 1);
	size_t o = 0;

	for (size_t i = 0; i < n; i++)
		raw[i] = i < head_len ? (unsigned char)head[i] : (unsigned char)(i * 167 + i * i * 13 + 7);
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)raw[i] << 16 | (uint32_t)raw[i + 1] << 8 | raw[i + 2];

		for (int k = 18; k >= 0; k -= 6)
			out[o++] = alphabet[v >> k & 63];
		if (i % 48 == 45)
			out[o++] = '\n';
	}
	return out;
}

static char *github_token(const char *prefix)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	char body[31] = "", sum[7] = "";
	unsigned long crc;

	for (int i = 0; i < 30; i++)
		body[i] = digits[(i * 29 + 11) % 62];
	crc = crc32(0, (const unsigned char *)body, 30);
	for (int i = 5; i >= 0; i--, crc /= 62)
		sum[i] = digits[crc % 62];
	return xasprintf("%s%s%s", prefix, body, sum);
}

static void finds_keys(void **state)
{
	_cleanup_free_ char *der = key64("\x30\x82\x04\xa4", 4, 300), *ssh = key64("openssh-key-v1\0\0\0\0\4none", 23, 300);
	_cleanup_free_ char *locked = key64("openssh-key-v1\0\0\0\0\12aes256-ctr", 29, 300), *no = key64("\x60", 1, 300);
	_cleanup_free_ char *pgp = key64("\x95\x01", 2, 300);
	static const char *const kinds[] = { "", "RSA ", "EC ", "DSA " };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		_cleanup_free_ char *t = xasprintf("x\n-----BEGIN %sPRIVATE KEY-----\n%s\n-----END", kinds[i], der);
		_cleanup_free_ char *bare = xasprintf("\"-----BEGIN %sPRIVATE KEY-----\" \"-----END\"", kinds[i]);
		_cleanup_free_ char *other = xasprintf("-----BEGIN %sPRIVATE KEY-----\n%s\n", kinds[i], no);

		assert_string_equal(scan("srv/a", t), "private-key/1");
		assert_string_equal(scan("etc/ssh/ssh_host_rsa_key", t), "ssh-host-key/1");
		assert_string_equal(scan("usr/bin/openssl", bare), "");
		assert_string_equal(scan("srv/a", other), "");
	}
	_cleanup_free_ char *a = xasprintf("-----BEGIN ENCRYPTED PRIVATE KEY-----\r\n%s\r\n", der);
	assert_string_equal(scan("a", a), "private-key/3");
	_cleanup_free_ char *b = xasprintf("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n%s\n", der);
	assert_string_equal(scan("a", b), "private-key/3");
	_cleanup_free_ char *c = xasprintf("-----BEGIN OPENSSH PRIVATE KEY-----\n%s\n", ssh);
	assert_string_equal(scan("root/.ssh/id_ed25519", c), "private-key/1");
	_cleanup_free_ char *d = xasprintf("-----BEGIN OPENSSH PRIVATE KEY-----\n%s\n", locked);
	assert_string_equal(scan("a", d), "private-key/3");
	_cleanup_free_ char *g = xasprintf("-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n%s\n", pgp);
	assert_string_equal(scan("a", g), "pgp-private-key/1");
	/* As one JSON string, with a cloud account around it. */
	der[64] = 0;
	_cleanup_free_ char *j = xasprintf("{\"type\": \"service_account\", \"private_key\": \"-----BEGIN PRIVATE KEY-----\\n%s\\n%s\"}", der,
					   der + 65);
	assert_string_equal(scan("a", j), "gcp-service-account/1 private-key/1");
	_cleanup_free_ char *f = xasprintf("%s-3: ssh-rsa\nEncryption: none\nPrivate-Lines: 8\n", "PuTTY-User-Key-File");
	assert_string_equal(scan("a.ppk", f), "putty-key/1");
	_cleanup_free_ char *h = xasprintf("%s-2: ssh-rsa\nEncryption: aes256-cbc\nPrivate-Lines: 8\n", "PuTTY-User-Key-File");
	assert_string_equal(scan("a.ppk", h), "putty-key/3");
	assert_string_equal(scan("a.ppk", "PuTTY-User-Key-File-3: say the manual"), "");
	assert_string_equal(scan("srv/store.p12", "\x30"), "key-store/2");
}

static void finds_tokens(void **state)
{
	_cleanup_free_ char *token = github_token("ghp_"), *wrong = github_token("ghp_"), *npm = github_token("npm_");
	_cleanup_free_ char *aws = xasprintf("id=%s%s;", "AKIA", "QX7ZRB5TMK2WYVHD");
	_cleanup_free_ char *doc = xasprintf("id=%s%s;", "AKIA", "IOSFODNN7EXAMPLE");

	(void)state;
	assert_string_equal(scan("a", token), "github-token/1");
	assert_string_equal(scan("a", npm), "npm-token/1");
	wrong[20]++;
	assert_string_equal(scan("a", wrong), ""); /* its checksum is another one */
	_cleanup_free_ char *longer = xasprintf("%sx", token);
	assert_string_equal(scan("a", longer), "");
	assert_string_equal(scan("a", aws), "aws-key-id/2");
	assert_string_equal(scan("a", doc), "");
	assert_string_equal(scan("a", "AKIAAAAAAAAAAAAAAAAA"), "");
	_cleanup_free_ char *secret = xasprintf("AWS_SECRET_%s = \"%s\"", "ACCESS_KEY", "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");
	assert_string_equal(scan("a", secret), "aws-secret-key/1");
	_cleanup_free_ char *flat = xasprintf("aws_secret_%s=%s", "access_key", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	assert_string_equal(scan("a", flat), "");
	/* {"alg":"HS256"} . {"sub":"1"} and {"exp":1} */
	_cleanup_free_ char *jwt = xasprintf("%sOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefgh12345678", "eyJhbGci");
	assert_string_equal(scan("a", jwt), "jwt/2");
	_cleanup_free_ char *old = xasprintf("%sOiJIUzI1NiJ9.eyJleHAiOjF9.abcdefgh12345678", "eyJhbGci");
	assert_string_equal(scan("a", old), "jwt/3");
	_cleanup_free_ char *nojson = xasprintf("%sOiJIUzI1NiJ9.eyJleHAiOjF.abcdefgh12345678", "eyJhbGci");
	assert_string_equal(scan("a", nojson), "");
	assert_string_equal(scan("var/run/secrets/kubernetes.io/serviceaccount/token", jwt), "jwt/2 kubernetes-token/1");
}

static void finds_places(void **state)
{
	(void)state;
	assert_string_equal(scan("root/.docker/config.json", "{\"auths\":{\"h\":{\"auth\": \"dXNlcjpodW50ZXIy\"}}}"), "docker-auth/1");
	assert_string_equal(scan("root/.docker/config.json", "{\"auths\":{\"h\":{\"auth\": \"dXNlcmh1bnRlcjI=\"}}}"), ""); /* no colon */
	assert_string_equal(scan("srv/readme", "{\"auth\": \"dXNlcjpodW50ZXIy\"}"), "");
	assert_string_equal(scan("root/.netrc", "machine h login me password hunter2\n"), "netrc/1");
	assert_string_equal(scan("root/.netrc", "machine h login me password $PASS\n"), "");
	assert_string_equal(scan("root/.pgpass", "h:5432:*:me:hunter2\n"), "pgpass/1");
	assert_string_equal(scan("root/.pgpass", ""), "");
	assert_string_equal(scan("root/.git-credentials", "https://me:hunter2@h\n"), "git-credentials/1");
	assert_string_equal(scan("root/.bash_history", "ls\n"), "shell-history/2");
	assert_string_equal(scan("srv/.env", "A=1\nDB_PASSWORD=\"hunter 2\"\nTOKENIZERS=1\nMY_PASSWORD=\n"), "dotenv/2");
	assert_string_equal(scan("srv/.env.example", "DB_PASSWORD=hunter2\n"), "");
	assert_string_equal(scan(":env", "MYSQL_ROOT_PASSWORD=hunter2"), "env-password/1");
	assert_string_equal(scan(":env", "MYSQL_ROOT_PASSWORD=${X}"), "");
	assert_string_equal(scan(":env", "MYSQL_RANDOM_ROOT_PASSWORD=yes"), "");
	assert_string_equal(scan(":env", "PASSWORD_FILE=/run/secrets/x"), "");
	assert_string_equal(scan(":env", "GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568"), "");
	assert_string_equal(scan(":history", "RUN |1 api_token=s3cr3tvalue /bin/sh -c make"), "history-password/1");
	assert_string_equal(scan(":label", "db.password=hunter2"), "label-password/1");
	assert_string_equal(scan("srv/a.yaml", "url: postgres://me:hunter2@db/x"), "url-password/2");
	assert_string_equal(scan("srv/a.yaml", "url: https://host:8080/a@b"), "");
	assert_string_equal(scan("srv/a.yaml", "url: postgres://me:${PW}@db/x"), "");
}

static void says_little(void **state)
{
	static const unsigned char text[] = "ghp_abcdefghijklmnop";
	struct secret s = { .text = text, .len = 20 };
	_cleanup_free_ char *a = secret_preview(&s), *b = NULL, *c = NULL, *d = NULL;

	(void)state;
	assert_string_equal(a, "ghp_... (20 bytes)");
	s.len = 8;
	b = secret_preview(&s);
	assert_string_equal(b, "gh... (8 bytes)");
	s.len = 7;
	c = secret_preview(&s);
	assert_string_equal(c, "... (7 bytes)");
	s = (struct secret){ .text = (const unsigned char *)"\x1b[31mred and more", .len = 16 };
	d = secret_preview(&s);
	assert_string_equal(d, "?[31... (16 bytes)");
}

static void refuses_rules(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "find abcd", "f:1: \"find\" before the first \"rule\"" },
		{ "\nrule a high", "f:2: not \"rule NAME LEVEL TITLE\"" },
		{ "rule A high t", "f:1: \"A\" is no name: small letters, digits and dashes, at most 60" },
		{ "rule a huge t", "f:1: \"huge\" is none of critical, high, medium, low, info" },
		{ "rule a low t\n why w", "f:1: rule a: needs \"find\" or \"in\"" },
		{ "rule a low t\n find abcd", "f:1: rule a: needs \"why\"" },
		{ "rule a low t\n why w\n find ab*\n", "f:1: rule a: find ab*: begins with less than 4 characters of plain text" },
		{ "rule a low t\n why w\n why x", "f:3: a second \"why\"" },
		{ "rule a low t\n check crc", "f:2: no check is called \"crc\"" },
		{ "rule a low t\n entropy 9", "f:2: entropy is from 0.1 to 8 bits a byte" },
		{ "rule a low t\n entropy 3x", "f:2: entropy is from 0.1 to 8 bits a byte" },
		{ "rule a low t\n nocase x", "f:2: nothing follows \"nocase\"" },
		{ "rule a low t\n find", "f:2: \"find\" needs more" },
		{ "rule a low t\n fnid abcd", "f:2: \"fnid\" is no word of a rule" },
		{ "rule a low t\n in b\n why w\n check pem", "f:1: rule a: has nothing to check without \"find\"" },
		{ "rule a low t\n find abcd\n why w\n check assignments", "f:1: rule a: \"check assignments\" goes without \"find\"" },
		{ "rule a low t\n find abcd\n why w\nrule a low t\n", "f:4: rule a stands here a second time" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct secret_rules r = { 0 };
		struct error e = { 0 };

		assert_int_equal(secret_rules_parse(&r, cases[i].text, strlen(cases[i].text), "f", &e), -EINVAL);
		assert_string_equal(e.text, cases[i].error);
		secret_rules_free(&r);
	}
}

static void replaces_rules(void **state)
{
	static const char first[] = "rule a high t\n find abcd\n find efgh\n why w\nrule b high t\n find ijkl\n why w\n";
	static const char second[] = "rule a low t2 # of mine\n find mnop(x)\n why w\n";
	struct secret_rules r = { 0 };
	struct error e = { 0 };

	(void)state;
	assert_int_equal(secret_rules_parse(&r, first, strlen(first), "f", &e), 0);
	assert_int_equal(secret_rules_parse(&r, second, strlen(second), "g", &e), 0);
	assert_int_equal(secret_rules_ready(&r, &e), 0);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.n_finds, 2);
	found[0] = 0;
	secret_scan(&r, "x", "abcd efgh ijkl mnopx", 20, note, NULL);
	assert_string_equal(found, "b/1 a/3");
	secret_rules_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_keys),	  cmocka_unit_test(finds_tokens),  cmocka_unit_test(finds_places),
		cmocka_unit_test(says_little),	  cmocka_unit_test(refuses_rules), cmocka_unit_test(replaces_rules),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
