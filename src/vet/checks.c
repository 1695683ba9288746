/* SPDX-License-Identifier: Apache-2.0 */
/* Every check, in the order in which they run: see vet.h. A check is `vet_check_NAME` of a file in src/vet/. */
#include "vet/vet.h"

/* clang-format off */
#define CHECKS \
	CHECK(packages) \
	CHECK(integrity) \
	CHECK(impostor) \
	CHECK(accounts) \
	CHECK(starts) \
	CHECK(secrets) \
	CHECK(malware) \
	CHECK(files) \
	CHECK(hardening) \
	CHECK(config) \
	CHECK(vulnerabilities) \
	CHECK(sarif) \

/* clang-format on */

#define CHECK(name) extern const struct vet_check vet_check_##name;
CHECKS
#undef CHECK

#define CHECK(name) &vet_check_##name,
const struct vet_check *const vet_checks[] = { CHECKS NULL };
