/* SPDX-License-Identifier: Apache-2.0 */
#include "seccomp_model.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t model_values[512];
unsigned model_n_values;

__attribute__((noreturn)) static void broken(const char *what, const char *which)
{
	fprintf(stderr, "seccomp model: %s: %s\n", what, which);
	abort();
}

uint32_t model_run(const struct sock_filter *f, unsigned n, const struct seccomp_data *d, unsigned char *covered)
{
	uint32_t a = 0;
	unsigned pc = 0;

	for (;;) {
		const struct sock_filter *i = &f[pc];

		if (pc >= n)
			broken("filter", "runs out of its end");
		if (covered)
			covered[pc] = 1;
		pc++;
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (i->k % 4 || i->k >= sizeof(*d))
				broken("filter", "loads from a bad offset");
			memcpy(&a, (const char *)d + i->k, 4);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += a & i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			broken("filter", "unknown instruction");
		}
	}
}

/* One call of the policy: its lines as they stand in the text, under the detail of its group. */
struct rule {
	char name[40], group_detail[20];
	char line[16][160];
	int n;
};
static struct rule rules[1024];
static int n_rules;

static struct {
	uint32_t arch;
	char name[1024][40];
} tables[2] = { { .arch = AUDIT_ARCH_X86_64 }, { .arch = AUDIT_ARCH_I386 } };

static struct rule *rule_new(const char *name, const char *detail)
{
	struct rule *r = &rules[n_rules++];

	if (n_rules == 1024 || strlen(name) >= sizeof(r->name))
		broken("policy", name);
	strcpy(r->name, name);
	strcpy(r->group_detail, detail);
	return r;
}

/* Remembers the numbers of a condition. */
static void note_values(const char *line)
{
	const char *s = strstr(line, " if ");
	char *end;

	while (s && *s) {
		unsigned long v = strtoul(s, &end, 0);

		if (end != s && s[0] == ' ' && model_n_values < 512)
			model_values[model_n_values++] = (uint32_t)v;
		s = end != s ? end : s + 1;
	}
}

static void load_policy(const char *folder)
{
	char path[512], text[4096], detail[20] = "";
	struct rule *call = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "%s/seccomp.policy", folder);
	f = fopen(path, "r");
	if (!f)
		broken("open", path);
	while (fgets(text, sizeof(text), f)) {
		char first[40], second[40], third[40];
		int words, used;

		text[strcspn(text, "\n")] = 0;
		if (text[0] == ' ') {
			if (!call || call->n == 16 || strlen(text) >= sizeof(call->line[0]))
				broken("line", text);
			strcpy(call->line[call->n++], text + strspn(text, " "));
			note_values(text);
			continue;
		}
		words = sscanf(text, "%39s%n %39s %39s", first, &used, second, third);
		if (words < 2 || first[0] == '#' || !strcmp(first, "why") || !strcmp(first, "detail"))
			continue;
		if (!strcmp(first, "group")) {
			strcpy(detail, words > 2 ? third : "");
		} else if (!strcmp(first, "call")) {
			call = rule_new(second, detail);
		} else {
			const char *p = text + used;

			while (sscanf(p, "%39s%n", second, &used) == 1) {
				struct rule *r = rule_new(second, detail);

				strcpy(r->line[r->n++], first);
				p += used;
			}
		}
	}
	fclose(f);
}

static void load_table(const char *folder, const char *name, int which)
{
	char path[512], text[256], call[40];
	int nr;
	FILE *f;

	snprintf(path, sizeof(path), "%s/syscalls.%s", folder, name);
	f = fopen(path, "r");
	if (!f)
		broken("open", path);
	while (fgets(text, sizeof(text), f))
		if (sscanf(text, "%d %39s", &nr, call) == 2 && nr < 1024)
			strcpy(tables[which].name[nr], call);
	fclose(f);
}

void model_load(const char *folder)
{
	if (n_rules)
		return;
	load_policy(folder);
	load_table(folder, "x86_64", 0);
	load_table(folder, "i386", 1);
}

static bool has(const char *const *list, const char *name)
{
	for (; *name && list && *list; list++)
		if (!strcmp(*list, name))
			return true;
	return false;
}

/* "int1 & 15 = 1 2" and what follows "and". */
static bool holds(const char *cond, const struct seccomp_data *d)
{
	while (*cond) {
		unsigned arg;
		unsigned long mask = 0xffffffff;
		uint32_t low;
		int used = 0;
		bool ok = false;

		if (sscanf(cond, " int%u%n", &arg, &used) != 1 || arg > 5)
			broken("condition", cond);
		cond += used;
		low = (uint32_t)d->args[arg];
		if (sscanf(cond, " & %li%n", (long *)&mask, &used) == 1) {
			cond += used;
			low &= (uint32_t)mask;
			ok = low != 0;
		}
		while (*cond == ' ')
			cond++;
		if (*cond == '=') {
			ok = false;
			for (cond++; *cond && strncmp(cond, " and ", 5);) {
				char *end;

				if ((uint32_t)strtoul(cond, &end, 0) == low)
					ok = true;
				if (end == cond)
					broken("value", cond);
				cond = end;
			}
		}
		if (!ok)
			return false;
		while (*cond == ' ')
			cond++;
		if (!strncmp(cond, "and ", 4))
			cond += 4;
	}
	return true;
}

static uint32_t meaning(const char *word, bool notify)
{
	if (!strcmp(word, "allow"))
		return SECCOMP_RET_ALLOW;
	if (!strcmp(word, "refuse"))
		return SECCOMP_RET_ERRNO | EPERM;
	if (!strcmp(word, "report"))
		return notify ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ERRNO | EPERM;
	if (!strcmp(word, "absent"))
		return SECCOMP_RET_ERRNO | ENOSYS;
	if (!strcmp(word, "errno:EPROTONOSUPPORT"))
		return SECCOMP_RET_ERRNO | EPROTONOSUPPORT;
	if (!strcmp(word, "errno:EAFNOSUPPORT"))
		return SECCOMP_RET_ERRNO | EAFNOSUPPORT;
	broken("verdict", word);
}

static const struct rule *rule_of(uint32_t arch, int nr)
{
	const char *name = model_name(arch, nr);

	for (int i = 0; name && i < n_rules; i++)
		if (!strcmp(rules[i].name, name))
			return &rules[i];
	return NULL;
}

uint32_t model_decide(const struct seccomp_data *d, const char *const *lowered, bool notify)
{
	const struct rule *r;

	if (d->arch != AUDIT_ARCH_X86_64 && !(d->arch == AUDIT_ARCH_I386 && has(lowered, "i386")))
		return SECCOMP_RET_KILL_PROCESS;
	r = rule_of(d->arch, d->nr);
	if (!r)
		return SECCOMP_RET_ERRNO | ENOSYS;
	for (int i = 0; i < r->n; i++) {
		char verdict[40] = "", detail[40] = "";
		const char *cond = strstr(r->line[i], "if ");

		sscanf(r->line[i], "%39s %39s", verdict, detail);
		if (!strcmp(detail, "if") || !*detail)
			strcpy(detail, r->group_detail);
		if (cond && !holds(cond + 3, d))
			continue;
		return has(lowered, detail) ? SECCOMP_RET_ALLOW : meaning(verdict, notify);
	}
	broken("no line matches", r->name);
}

const char *model_name(uint32_t arch, int nr)
{
	for (int t = 0; t < 2; t++)
		if (tables[t].arch == arch && nr >= 0 && nr < 1024 && tables[t].name[nr][0])
			return tables[t].name[nr];
	return NULL;
}

bool model_conditional(uint32_t arch, int nr)
{
	const struct rule *r = rule_of(arch, nr);

	return r && r->n > 1;
}
