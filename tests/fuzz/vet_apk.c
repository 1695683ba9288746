/* SPDX-License-Identifier: Apache-2.0 */
/* apk's database of installed packages. */
#include "base/cleanup.h"
#include "vet/packages.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_pkgs_ struct pkgs p = { 0 };

	apk_parse_installed(&p, "i", (const char *)data, size);
	for (size_t i = 0; i < p.n; i++) {
		json_t *j = pkg_json(&p.list[i], NULL);

		/* What becomes a package has a name, and an entry that JSON can hold. */
		if (!p.list[i].name[0] || !json_object_get(j, "name"))
			abort();
		json_decref(j);
	}
	return 0;
}
