/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a registry, its token server and people's files say, by the first byte: 'r' a reference, 'c' a WWW-Authenticate header, 't'
 * registries.conf, 'a' an auth file, 'p' pins and what trust makes of them, 'u' a Location.
 */
#include "base/cleanup.h"
#include "image/challenge.h"
#include "image/credentials.h"
#include "image/fetch_http.h"
#include "image/name.h"
#include "image/reference.h"
#include "image/registries.h"
#include "trust/trust.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void reference(const char *text)
{
	_cleanup_reference_ struct reference r, again;
	struct error e = { 0 };

	again = (struct reference){ 0 };
	if (reference_parse(text, &r, &e) < 0)
		return;
	/* What it says of itself is a name that the store takes, and means the same when it is read again. */
	_cleanup_free_ char *name = reference_name(&r), *pulled = reference_pulled(&r, r.digest[0] ? r.digest : "");
	if ((name && !name_valid(name)) || (!name && !r.digest[0]) || strpbrk(r.path, "?#% \n@"))
		abort();
	if (name && (reference_parse(name, &again, &e) < 0 || !streq(again.path, r.path) || !streq(again.host, r.host)))
		abort();
}

static void challenge(const char *text)
{
	struct challenge c;

	if (challenge_parse(text, &c) == 0 && c.bearer && !c.realm)
		abort();
	challenge_free(&c);
}

static void configuration(const char *text)
{
	struct registries r = { 0 };
	struct error e = { 0 };

	if (registries_parse(&r, text, "fuzz", &e) == 0) {
		registries_rule(&r, "quay.io/team/app");
		registries_alias(&r, "app");
		if (strv_len(r.alias_from) != strv_len(r.alias_to))
			abort();
	} else if (!strstr(e.text, "fuzz:")) {
		abort();
	}
	registries_free(&r);
}

static void auth(const char *text, size_t n)
{
	_cleanup_json_ json_t *j = json_parse(text, n, "fuzz", NULL);
	_cleanup_credentials_ struct credentials c = { 0 };
	_cleanup_free_ char *helper = NULL;
	struct error e = { 0 };

	if (j && credentials_read(j, "quay.io/team/app", &c, &helper, &e) == 1 && !helper && (!c.user || !c.password || !*c.user))
		abort();
}

static void pins(const char *text, size_t n)
{
	_cleanup_(pins_free) struct pins p = { 0 };
	struct error e = { 0 };
	char hex[DIGEST_SIZE];
	struct trust_answer a;

	memset(hex, 'a', DIGEST_HEX);
	hex[DIGEST_HEX] = 0;
	if (pins_parse(&p, text, n, "fuzz", &e) < 0)
		return;
	_cleanup_free_ char *pulled = xasprintf("quay.io/a:1@sha256:%s", hex);
	struct trust_question q = { .name = "quay.io/a:1", .manifest = hex, .pulled = pulled };
	const struct pin *pin = pins_find(&p, q.name);
	trust_decide(&q, &p, NULL, &a);
	if (a.allowed != (pin && streq(pin->digest, hex)))
		abort();
}

static void location(const char *text)
{
	_cleanup_free_ char *next = url_follow("https://reg.example:5000/v2/x", text);

	if (!next)
		return;
	_cleanup_free_ char *authority = url_authority(next), *user = url_part(next, CURLUPART_USER);
	if (user || strpbrk(next, "\r\n "))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size < 1)
		return 0;
	text = xcalloc(size, 1);
	memcpy(text, data + 1, size - 1);
	switch (data[0]) {
	case 'r':
		reference(text);
		break;
	case 'c':
		challenge(text);
		break;
	case 't':
		configuration(text);
		break;
	case 'a':
		auth(text, size - 1);
		break;
	case 'p':
		pins(text, size - 1);
		break;
	case 'u':
		location(text);
		break;
	}
	free(text);
	return 0;
}
