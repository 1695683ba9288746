/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata of Python, Node and Ruby packages; the first byte says which. */
#include "base/cleanup.h"
#include "vet/packages.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_pkgs_ struct pkgs p = { 0 };

	const char *text = (const char *)data + 1;

	if (size < 1)
		return 0;
	if (data[0] == 'n')
		lang_parse_node(&p, "n", text, size - 1);
	else if (data[0] == 'g')
		lang_parse_gemspec(&p, "g", text, size - 1);
	else if (data[0] == 'm')
		lang_parse_python(&p, "m", text, size - 1);
	else {
		struct pkg *pkg = pkgs_add(&p, PKG_PYPI, "x");

		pkg->name = "x";
		lang_parse_record(&p, pkg, "r", "usr/lib", text, size - 1);
	}
	for (size_t i = 0; i < p.n; i++) {
		json_t *j = pkg_json(&p.list[i], NULL);

		/* What becomes a package has a name, and an entry that JSON can hold. */
		if (!p.list[i].name[0] || !json_object_get(j, "name"))
			abort();
		json_decref(j);
	}
	return 0;
}
