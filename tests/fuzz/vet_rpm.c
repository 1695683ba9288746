/* SPDX-License-Identifier: Apache-2.0 */
/* A header of rpm, and the databases that hold them; the first byte says which. */
#include "base/cleanup.h"
#include "vet/packages.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_pkgs_ struct pkgs p = { 0 };

	if (size < 1)
		return 0;
	if (data[0] == 'n')
		rpm_parse_ndb(&p, "n", data + 1, size - 1);
	else if (data[0] == 'b')
		rpm_parse_bdb(&p, "b", data + 1, size - 1);
	else if (data[0] == 's')
		rpm_parse_sqlite(&p, "s", data + 1, size - 1, NULL, 0);
	else
		rpm_parse_header(&p, "h", data + 1, size - 1);
	for (size_t i = 0; i < p.n; i++) {
		json_t *j = pkg_json(&p.list[i], NULL);

		/* What becomes a package has a name, and an entry that JSON can hold. */
		if (!p.list[i].name[0] || !json_object_get(j, "name"))
			abort();
		json_decref(j);
	}
	return 0;
}
