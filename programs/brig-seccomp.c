// SPDX-License-Identifier: Apache-2.0
/*
 * brig-seccomp: shows the seccomp policy that is built in, and gives its filters to other programs.
 *
 *	brig-seccomp --list		every call with its verdict, for the documentation
 *	brig-seccomp --details		what --lower seccomp=DETAIL takes
 *	brig-seccomp --dump [DETAIL]...	the filter with these details lowered, as instructions in words
 *	brig-seccomp --raw [DETAIL]...	the same as the kernel takes it (struct sock_filter[]), to stdout; reported calls
 *					are refused, since nobody answers for them
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "confine/seccomp.h"
#include "confine/seccomp_table.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *verdict(uint32_t action)
{
	switch (action) {
	case SECCOMP_RET_ALLOW:
		return "allow";
	case SECCOMP_RET_USER_NOTIF:
		return "report";
	case SECCOMP_RET_KILL_PROCESS:
		return "kill";
	default:
		return error_name((int)(action & SECCOMP_RET_DATA));
	}
}

static void print_cond(const struct seccomp_cond *c)
{
	printf("arg%u", c->arg);
	if (c->mask != UINT32_MAX)
		printf(" & 0x%x", c->mask);
	for (unsigned i = 0; i < c->n; i++)
		printf(i ? "|0x%x" : " = 0x%x", c->value[i]);
}

static void print_call(const struct seccomp_abi *abi, const struct seccomp_call *c, const char *name)
{
	for (unsigned i = 0; i < c->n; i++) {
		const struct seccomp_line *l = &seccomp_policy.lines[c->first + i];

		printf("%s\t%u\t%s\t%s\t%s\t", abi->name, c->nr, name, verdict(l->action),
		       l->detail >= 0 ? seccomp_policy.details[l->detail] : "-");
		for (unsigned k = 0; k < l->n; k++) {
			printf(k ? ", " : "if ");
			print_cond(&l->cond[k]);
		}
		printf(l->n ? "\n" : c->n > 1 ? "else\n" : "always\n");
	}
}

static void list_abi(const struct seccomp_abi *abi)
{
	const char *name = abi->names;

	for (unsigned i = 0; i < abi->n_calls; i++, name += strlen(name) + 1)
		print_call(abi, &abi->calls[i], name);
}

static int list(void)
{
	printf("ABI\tNUMBER\tCALL\tVERDICT\tLOWERED BY\tWHEN\n");
	list_abi(seccomp_policy.native);
	if (seccomp_policy.compat)
		list_abi(seccomp_policy.compat);
	return 0;
}

static int details(void)
{
	for (unsigned i = 0; seccomp_policy.details[i]; i++)
		printf("%s\t%s\n", seccomp_policy.details[i], seccomp_policy.detail_texts[i]);
	return 0;
}

static void print_insn(unsigned pc, const struct sock_filter *f)
{
	printf("%4u\t", pc);
	switch (f->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		if (f->k == 0)
			printf("A = number\n");
		else if (f->k == 4)
			printf("A = architecture\n");
		else
			printf("A = low half of arg%u\n", (f->k - 16) / 8);
		break;
	case BPF_ALU | BPF_AND | BPF_K:
		printf("A &= 0x%x\n", f->k);
		break;
	case BPF_JMP | BPF_JA:
		printf("go to %u\n", pc + 1 + f->k);
		break;
	case BPF_RET | BPF_K:
		printf("answer %s\n", verdict(f->k));
		break;
	default:
		printf("if A %s 0x%x go to %u else %u\n",
		       BPF_OP(f->code) == BPF_JEQ ? "==" : BPF_OP(f->code) == BPF_JGE ? ">=" : "&", f->k,
		       pc + 1 + f->jt, pc + 1 + f->jf);
	}
}

static int filter(char **names, bool raw)
{
	const struct sock_filter *f;
	uint64_t lowered = 0;
	unsigned n;

	for (; *names; names++) {
		unsigned i = 0;

		while (seccomp_policy.details[i] && !streq(seccomp_policy.details[i], *names))
			i++;
		if (!seccomp_policy.details[i]) {
			_cleanup_free_ char *safe = str_escape(*names);

			fprintf(stderr, "brig-seccomp: no detail %s; see brig-seccomp --details\n", safe);
			return 1;
		}
		lowered |= UINT64_C(1) << i;
	}
	f = seccomp_filter(lowered, !raw, &n);
	if (!f) {
		fprintf(stderr, "brig-seccomp: the filter is too long\n");
		return 1;
	}
	if (raw)
		return fwrite(f, sizeof(*f), n, stdout) == n ? 0 : 1;
	printf("filter %016" PRIx64 ", %u instructions\n", seccomp_fingerprint(f, n), n);
	for (unsigned i = 0; i < n; i++)
		print_insn(i, &f[i]);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int r = 2;

	if (streq(what, "--list") && argc == 2)
		r = list();
	else if (streq(what, "--details") && argc == 2)
		r = details();
	else if (streq(what, "--dump"))
		r = filter(argv + 2, false);
	else if (streq(what, "--raw"))
		r = filter(argv + 2, true);
	else
		fprintf(stderr, "usage: brig-seccomp --list | --details | --dump [DETAIL]... | --raw [DETAIL]...\n");
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "brig-seccomp: stdout: %s\n", strerror(errno));
		return 1;
	}
	return r;
}
