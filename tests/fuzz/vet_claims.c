/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of the impostor check: any text is taken or refused with a line, and what is taken is whole. */
#include "vet/rules.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rules r = { 0 };
	struct error e = { 0 };
	int err = rules_parse(&r, (const char *)data, size, "rules", &e);

	if (err < 0 && !strstr(e.text, "rules: "))
		abort();
	if (err == 0)
		rules_check(&r, NULL);
	for (size_t i = 0; err == 0 && i < r.n_capabilities; i++) {
		const struct capability *c = &r.capabilities[i];

		if (!c->name[0] || c->level >= VET_LEVELS || rules_capability(&r, c->name) != c)
			abort();
		for (size_t k = 0; k < c->n_elf; k++)
			for (size_t j = 0; j < c->elf[k].n; j++)
				if (!c->elf[k].texts[j].data[0])
					abort();
	}
	rules_free(&r);
	return 0;
}
