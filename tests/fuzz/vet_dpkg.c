/* SPDX-License-Identifier: Apache-2.0 */
/* dpkg's files; the first byte says which. What was read must be whole: names, and each file once after the join. */
#include "base/cleanup.h"
#include "vet/packages.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_pkgs_ struct pkgs p = { 0 };
	const char *text = (const char *)data + 1;
	struct distro d;
	size_t n;

	if (size < 1)
		return 0;
	size--;
	switch (data[0]) {
	case 'd':
		free(dpkg_parse_diversions(&p, "d", text, size, &n));
		break;
	case 'o':
		free(dpkg_parse_overrides(&p, "o", text, size, &n));
		break;
	case 'l':
	case 'm':
		dpkg_parse_list(&p, pkgs_add(&p, PKG_DEB, "x"), "l", text, size);
		dpkg_parse_md5sums(&p, &p.list[0], "m", text, size);
		dpkg_join_files(&p.list[0]);
		for (size_t i = 1; i < p.list[0].n_files; i++)
			need(strcmp(p.list[0].files[i - 1].path, p.list[0].files[i].path) < 0);
		break;
	default:
		dpkg_parse_status(&p, "s", text, size);
		distro_parse(&d, text, size);
		for (size_t i = 0; i < p.n; i++) {
			need(p.list[i].name[0] && p.list[i].source);
			json_decref(pkg_json(&p.list[i], &d));
		}
	}
	return 0;
}
