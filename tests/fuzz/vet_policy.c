/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of what may be in an image: refused with the reason, or whole; and it can judge findings. */
#include "vet/policy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vet_finding findings[] = {
		{ .check = (char[]){ "impostor" }, .rule = (char[]){ "V1-ssh-server" }, .level = VET_HIGH, .title = (char[]){ "x" },
		  .path = (char[]){ "usr/sbin/sshd" }, .layer = -1 },
		{ .check = (char[]){ "config" }, .rule = (char[]){ "V10-root-user" }, .level = VET_LOW, .title = (char[]){ "y" }, .layer = -1 },
	};
	struct vet v = { .name = "n", .image = "localhost/a:b", .findings = findings, .n_findings = 2 };
	struct vet_policy p;
	struct vet_ruling ruling;
	struct error e = { 0 };

	if (vet_policy_parse(&p, (const char *)data, size, "policy", &e) < 0)
		return e.text[0] ? 0 : (abort(), 0);
	vet_policy_judge(&p, &v, 1, &ruling);
	if (ruling.refused != (ruling.rules[0] != 0) || strlen(ruling.rules) >= sizeof(ruling.rules))
		abort();
	for (size_t i = 0; i < p.n_exceptions; i++)
		if (!p.exceptions[i].rule[0] || !p.exceptions[i].reason[0])
			abort();
	vet_policy_free(&p);
	return 0;
}
