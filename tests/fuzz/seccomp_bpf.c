/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled seccomp filter against the policy's text (CASES G1): for any details lowered and any call, both say the
 * same, and what no policy may open stays shut.
 *
 * Input: 8 bytes of lowered details, 1 byte (0: nobody answers notifications), then the call as the kernel hands it to a
 * filter (struct seccomp_data).
 */
#include "confine/seccomp.h"
#include "confine/seccomp_table.h"
#include "../unit/seccomp_model.c"

#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	uint64_t lowered;
	uint8_t notify;
	struct seccomp_data call;
} __attribute__((packed));

static struct sock_filter filter[SECCOMP_INSNS_MAX];

/* With a planted bug, the filter lets one socket family more through. */
static void plant(unsigned n)
{
#ifdef FUZZ_PLANT
	for (unsigned i = 0; i < n; i++)
		if (filter[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && filter[i].k == 38)
			filter[i].k = 37;
#else
	(void)n;
#endif
}

static void differ(void)
{
#ifdef FUZZ_PLANT
	fprintf(stderr, "PLANTED BUG reached\n");
#endif
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386 };
	const char *lowered[65] = { NULL };
	struct seccomp_data d;
	struct input in;
	unsigned n = 0;
	uint32_t found;
	int len;

	model_load(TEST_DATA);
	if (size < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	for (unsigned i = 0; seccomp_policy.details[i]; i++)
		if (in.lowered >> i & 1)
			lowered[n++] = seccomp_policy.details[i];
	d = in.call;
	if (d.arch < 16)
		d.arch = archs[d.arch & 1];
	len = seccomp_compile(&seccomp_policy, in.lowered, in.notify, filter, SECCOMP_INSNS_MAX);
	if (len < 0)
		abort();
	plant((unsigned)len);
	found = model_run(filter, (unsigned)len, &d, NULL);
	if (found != model_decide(&d, lowered, in.notify))
		differ();
	if (d.nr >= 471 || d.nr < 0 || (d.arch != archs[0] && d.arch != archs[1]))
		if (found == SECCOMP_RET_ALLOW || found == SECCOMP_RET_USER_NOTIF)
			abort();
	return 0;
}
