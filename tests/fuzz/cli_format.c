/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --format templates over a document with every kind of value: ends, within bounds, leaves nothing behind on failure,
 * and on a terminal prints no control character that the template did not hold itself.
 */
#include "base/json.h"
#include "base/str.h"
#include "cli/cli.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char document[] =
	"{\"Name\":\"web\",\"N\":3,\"Real\":1.5,\"Yes\":true,\"Null\":null,\"Empty\":\"\",\"None\":[],"
	"\"State\":{\"Status\":\"running\",\"Health\":null},\"List\":[\"a\",\"b\\u001b\",3,{\"K\":\"v\"}],"
	"\"Labels\":{\"x\":\"1\",\"b\\u202e\":\"2\"},\".Label\":{\"x\":\"\\u001b\"},\"Bad\":\"\\u001b[31m\"}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static json_t *doc;
	char *template = xstrndup((const char *)data, size);
	struct buf raw = { 0 }, shown = { 0 };
	struct error e = { 0 };
	int r, s;

	if (!doc)
		doc = json_loads(document, 0, NULL);
	buf_puts(&raw, "before");
	r = cli_format(template, doc, false, &raw, &e);
	if (r < 0 && (raw.len != 6 || e.code != -EINVAL || !e.text[0]))
		abort();
#ifdef FUZZ_PLANT
	if (r == 0 && strstr(template, "{{range") && strstr(raw.data, "WEB")) {
		fprintf(stderr, "PLANTED BUG reached\n");
		abort();
	}
#endif
	s = cli_format(template, doc, true, &shown, &e);
	if (s == 0 && !memchr(data, '\033', size) && !strstr(template, "\\x") && strchr(shown.data, '\033'))
		abort();
	buf_free(&raw);
	buf_free(&shown);
	free(template);
	return 0;
}
