/* SPDX-License-Identifier: Apache-2.0 */
/* An OpenVEX document or, when it does not begin with a brace, an ignore file; then the question whether it excuses something. */
#include "vet/excuse.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static json_t *packages;
	struct excuse_subject s = { .id = "CVE-2023-0286", .package = "openssl", .image = "localhost/web:1", .digest = "ab", .today = "2026-11-26" };
	struct excuses x = { 0 };
	struct error e = { 0 };
	const struct excuse *found;
	int r;

	if (!packages)
		packages = json_loads("[{\"type\": \"deb\", \"name\": \"libssl1.1\", \"version\": \"1\", \"source\": {\"name\": \"openssl\", \"version\": \"1\"},"
				      "\"distro\": {\"id\": \"debian\"}, \"purl\": \"pkg:deb/debian/libssl1.1@1?arch=amd64\"}]", 0, NULL);
	s.packages = packages;
	if (size > 0 && data[0] == '{')
		r = excuse_parse_vex("x", (const char *)data, size, &x, &e);
	else
		r = excuse_parse_ignore("x", (const char *)data, size, &x, &e);
	if (r < 0 && !e.text[0])
		abort();
	found = r == 0 ? excuse_find(&x, &s) : NULL;
	if (found && (!found->reason || found->kind == EXCUSE_AFFECTED || found->kind == EXCUSE_INVESTIGATED || excuse_expired(found, s.today)))
		abort();
	excuses_free(&x);
	return 0;
}
