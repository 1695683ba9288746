/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/cli.h"

static const char document[] =
	"{\"Name\":\"web\",\"N\":3,\"Zero\":0,\"Real\":1.5,\"Yes\":true,\"Null\":null,\"Empty\":\"\",\"None\":[],"
	"\"State\":{\"Status\":\"running\",\"Health\":null},\"List\":[\"a\",\"b\",\"c\"],"
	"\"Labels\":{\"x.y\":\"1\",\"b\":\"2\"},\".Label\":{\"x.y\":\"1\"},"
	"\"Ports\":{\"80/tcp\":[{\"HostPort\":\"8080\"}]},\"Bad\":\"\\u001b[31m\\u202e\"}";

static const struct {
	const char *template, *result; /* result NULL: an error that says `error` */
	const char *error;
} cases[] = {
	{ "", "" },
	{ "plain", "plain" },
	{ "a\\tb\\nc\\d", "a\tb\nc\\d" },
	{ "{{.Name}}", "web" },
	{ "{{ .Name }}x{{.N}}", "webx3" },
	{ "{{.State.Status}}", "running" },
	{ "{{.Real}} {{.Yes}} {{.Null}} {{.Empty}}", "1.5 true <no value> " },
	{ "{{.List}} {{.Labels}} {{.State}}", "[a b c] map[b:2 x.y:1] map[Health:<nil> Status:running]" },
	{ "{{json .List}}", "[\"a\",\"b\",\"c\"]" },
	{ "{{json .Null}}{{json .Name}}", "null\"web\"" },
	{ "{{.List | json}}", "[\"a\",\"b\",\"c\"]" },
	{ "{{range .List}}<{{.}}>{{end}}", "<a><b><c>" },
	{ "{{range $i, $v := .List}}{{$i}}={{$v}},{{end}}", "0=a,1=b,2=c," },
	{ "{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "b=2;x.y=1;" },
	{ "{{range $v := .List}}{{$v}}{{$.Name}}{{end}}", "awebbwebcweb" },
	{ "{{range .None}}x{{else}}none{{end}}", "none" },
	{ "{{range .Missing}}x{{else}}none{{end}}", "none" },
	{ "{{range $p, $c := .Ports}}{{$p}}->{{(index $c 0).HostPort}}{{end}}", "80/tcp->8080" },
	{ "{{if .Yes}}y{{end}}{{if .Zero}}n{{else}}z{{end}}", "yz" },
	{ "{{if .State.Health}}{{.State.Health.Status}}{{else}}-{{end}}", "-" },
	{ "{{if .Nope}}1{{else if .Empty}}2{{else if .N}}3{{else}}4{{end}}", "3" },
	{ "{{if and .Yes (gt .N 2) (not .Zero)}}ok{{end}}", "ok" },
	{ "{{if or .Nope .Zero}}a{{else}}b{{end}}", "b" },
	{ "{{with .State}}{{.Status}}{{end}}{{with .Empty}}x{{else}}e{{end}}", "runninge" },
	{ "{{with $x := .State}}{{$x.Status}}{{end}}", "running" },
	{ "{{$n := .Name}}{{$n}}{{$n = \"y\"}}{{$n}}", "weby" },
	{ "{{index .Labels \"x.y\"}}|{{index .Labels \"nope\"}}|{{index .List 1}}", "1||b" },
	{ "{{.Label \"x.y\"}}|{{.Label \"z\"}}", "1|" },
	{ "{{(index .Ports \"80/tcp\" 0).HostPort}}", "8080" },
	{ "{{len .List}} {{len .Name}} {{.Name | len}}", "3 3 3" },
	{ "{{join .List \",\"}} {{join .None \",\"}}", "a,b,c " },
	{ "{{join .List \"\\n\"}}", "a\nb\nc" },
	{ "{{upper .Name}} {{lower \"AbC\"}} {{title .Name}}", "WEB abc Web" },
	{ "{{index (split \"a::b::c\" \"::\") 2}}", "c" },
	{ "{{truncate .Name 2}}|{{pad .Name 1 2}}|{{pad .Empty 1 2}}|", "we| web  ||" },
	{ "{{println .Name .N}}{{print .N 4}}{{print .Name .N}}", "web 3\n3 4web3" },
	{ "{{printf \"%s-%05d|%-5s|%q|%.1f|%v|%x|%%\" .Name .N .Name .Name .Real .Yes .N}}",
	  "web-00003|web  |\"web\"|1.5|true|3|%" },
	{ "{{printf \"%s\" .List}}", "[a b c]" },
	{ "{{if eq .Name \"x\" \"web\"}}1{{end}}{{if ne .N 3}}2{{end}}{{if le .N 3}}3{{end}}{{if lt \"a\" .Name}}4{{end}}",
	  "134" },
	{ "a {{- .Name -}} b", "awebb" },
	{ "a {{- /* note */ -}} b", "ab" },
	{ "{{/* note */}}x", "x" },
	{ "{{`raw\\n`}}{{\"q\\t\"}}{{-3}}{{true}}", "raw\\nq\t-3true" },
	{ "{{`raw` }}", "raw" },
	{ "{{json .}}", NULL, NULL },

	{ "{{.Nmae}}", NULL, "column 3: there is no field .Nmae; did you mean .Name?" },
	{ "{{.Name.X}}", NULL, "no field .X in a string" },
	{ "{{.Null.X}}", NULL, "no field .X in null" },
	{ "x {{.Name", NULL, "column 10: \"}}\" is missing" },
	{ "{{", NULL, "column 3" },
	{ "{{}}", NULL, "a value is missing" },
	{ "{{.Name}", NULL, "column 8" },
	{ "{{nope .}}", NULL, "column 3: there is no function \"nope\"" },
	{ "{{jsn .}}", NULL, "did you mean \"json\"?" },
	{ "{{end}}", NULL, "without a block" },
	{ "{{else}}", NULL, "without a block" },
	{ "{{if .Name}}x", NULL, "\"if\" without \"end\"" },
	{ "{{if .Name}}{{else}}{{else}}{{end}}", NULL, "second \"else\"" },
	{ "{{range .Name}}{{end}}", NULL, "range over a string" },
	{ "{{index .List 7}}", NULL, "outside a list of 3" },
	{ "{{index .Null 7}}", NULL, "no value" },
	{ "{{index .Name 0}}", NULL, "cannot be indexed" },
	{ "{{len .N}}", NULL, "argument 1 is a number" },
	{ "{{join .Name}}", NULL, "join takes 2 arguments, not 1" },
	{ "{{.Name .N}}", NULL, "takes no arguments" },
	{ "{{$x}}", NULL, "no variable $x" },
	{ "{{\"abc}}", NULL, "without its closing" },
	{ "{{(.Name}}", NULL, "without \")\"" },
	{ "{{.Name)}}", NULL, "column 8" },
	{ "{{lt .Name .N}}", NULL, "cannot compare" },
	{ "{{printf \"%z\" .N}}", NULL, "bad verb" },
	{ "{{printf \"%d\"}}", NULL, "missing" },
	{ "{{printf \"x\" 1}}", NULL, "too many" },
	{ "{{9999999999999999999}}", NULL, "bad number" },
	{ "{{/* x", NULL, "comment" },
	{ "{{pad .Name 100000 1}}", NULL, "from 0 to 1000" },
};

static void templates(void **state)
{
	_cleanup_json_ json_t *j = json_loads(document, 0, NULL);

	(void)state;
	assert_non_null(j);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct buf out = { 0 };
		struct error e = { 0 };
		int r = cli_format(cases[i].template, j, false, &out, &e);

		if (cases[i].result && (r < 0 || !streq(out.data, cases[i].result)))
			fail_msg("%s: \"%s\" (%s), not \"%s\"", cases[i].template, out.data, e.text,
				 cases[i].result);
		if (!cases[i].result && cases[i].error && (r == 0 || !strstr(e.text, cases[i].error)))
			fail_msg("%s: \"%s\" %d, no error \"%s\"", cases[i].template, e.text, r, cases[i].error);
		if (cases[i].error) /* nothing half done */
			assert_int_equal(out.len, 0);
	}
}

static void hidden_answers(void **state)
{
	_cleanup_json_ json_t *j = json_loads(document, 0, NULL);
	_cleanup_json_ json_t *back = NULL;
	_cleanup_buf_ struct buf out = { 0 };
	struct error e = { 0 };

	(void)state;
	assert_int_equal(cli_format("{{json .}}", j, false, &out, &e), 0);
	back = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json_object_get(back, "Labels"));
	assert_null(json_object_get(back, ".Label"));
	assert_int_equal(json_object_size(back), json_object_size(j) - 1);
}

/* On a terminal what comes from the document is escaped, whatever way it takes; the template's own text is not. */
static void terminal(void **state)
{
	static const char *const ways[] = {
		"{{.Bad}}", "{{print .Bad}}", "{{printf \"%s\" .Bad}}", "{{printf \"%q\" .Bad}}", "{{json .}}",
		"{{join (split .Bad \"x\") \",\"}}", "{{.}}", "{{upper .Bad}}", "{{truncate .Bad 3}}",
		"{{pad .Bad 1 1}}", "{{printf .Bad}}", "{{println .Bad}}", "{{range $k, $v := .}}{{$v}}{{end}}",
	};
	_cleanup_json_ json_t *j = json_loads(document, 0, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		_cleanup_buf_ struct buf out = { 0 };
		struct error e = { 0 };

		assert_int_equal(cli_format(ways[i], j, true, &out, &e), 0);
		if (strchr(out.data, '\033') || strstr(out.data, "\xe2\x80\xae"))
			fail_msg("%s lets a control character through", ways[i]);
	}
	_cleanup_buf_ struct buf out = { 0 };
	assert_int_equal(cli_format("{{join .List \"\\n\"}}\\t{{\"a\\tb\\\\\"}}", j, true, &out, NULL), 0);
	assert_string_equal(out.data, "a\nb\nc\ta\tb\\");
}

static void bounds(void **state)
{
	_cleanup_json_ json_t *j = json_pack("{s:[]}", "L");
	_cleanup_buf_ struct buf deep = { 0 };
	_cleanup_buf_ struct buf out = { 0 };
	struct error e = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++)
		json_array_append_new(json_object_get(j, "L"), json_integer(i));
	assert_int_equal(cli_format("{{range .L}}{{range $.L}}{{range $.L}}{{range $.L}}{{range $.L}}x{{end}}{{end}}"
				    "{{end}}{{end}}{{end}}", j, false, &out, &e), -EINVAL);
	assert_non_null(strstr(e.text, "bounds"));
	for (int i = 0; i < 200; i++)
		buf_puts(&deep, "{{if 1}}");
	assert_int_equal(cli_format(deep.data, j, false, &out, &e), -EINVAL);
	assert_non_null(strstr(e.text, "deeply"));
	deep.len = 0;
	buf_puts(&deep, "{{");
	for (int i = 0; i < 5000; i++)
		buf_puts(&deep, "(");
	assert_int_equal(cli_format(deep.data, j, false, &out, &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates),
		cmocka_unit_test(hidden_answers),
		cmocka_unit_test(terminal),
		cmocka_unit_test(bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
