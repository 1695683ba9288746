/* SPDX-License-Identifier: Apache-2.0 */
/* Bills of materials, and package URLs; what was read is written and read again as the same. */
#include "base/cleanup.h"
#include "vet/packages.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ json_t *doc = json_parse((const char *)data, size, "bill", NULL), *packages = NULL;
	struct error e = { 0 };
	struct sbom bill;

	if (!doc || sbom_read(doc, &bill, &e) < 0)
		return 0;
	packages = bill.packages;
	for (int i = 0; i < 2; i++) {
		const struct sbom_subject s = { "x", NULL, packages, 0 };
		_cleanup_json_ json_t *written = i ? sbom_spdx(&s) : sbom_cyclonedx(&s);
		struct sbom again;

		need(sbom_read(written, &again, &e) == 0);
		need(json_array_size(again.packages) + again.skipped == json_array_size(packages));
		json_decref(again.packages);
	}
	return 0;
}
