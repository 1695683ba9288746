// SPDX-License-Identifier: Apache-2.0
/*
 * Runs at build time: reads data/seccomp.policy and the tables of call numbers, checks that every call has exactly
 * one verdict, and writes the policy as C tables with the default filter already compiled.
 *
 *	seccomp_gen POLICY POLICY.c NOTIFY.h NATIVE-NAME NATIVE-TABLE [COMPAT-NAME COMPAT-TABLE]
 */
#include "confine/seccomp_table.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS_MAX = 1024, LINES_MAX = 1024, DETAILS_MAX = 63 };

static struct seccomp_line lines[LINES_MAX];
static unsigned n_lines;
static char *detail_names[DETAILS_MAX + 1], *detail_texts[DETAILS_MAX + 1];
static unsigned n_details;

/* A verdict of the policy: a name and its lines. */
static struct verdict {
	char *name;
	unsigned first, n;
	int used;
} verdicts[CALLS_MAX];
static unsigned n_verdicts;

static struct table {
	const char *name;
	struct seccomp_abi abi;
	struct seccomp_call calls[CALLS_MAX];
	char *names[CALLS_MAX];
} tables[2];

static const char *file_name;
static unsigned line_no;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%u: ", file_name, line_no);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static uint32_t number(const char *s)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(s, &end, 0);
	if (errno || *end || end == s || *s == '-' || v > UINT32_MAX)
		fail("not a 32-bit number: %s", s);
	return (uint32_t)v;
}

static int detail_find(const char *name)
{
	for (unsigned i = 0; i < n_details; i++)
		if (strcmp(detail_names[i], name) == 0)
			return (int)i;
	return -1;
}

static int verdict_word(const char *w, uint32_t *action)
{
	static const struct {
		const char *word;
		uint32_t action;
	} words[] = {
		{ "allow", SECCOMP_RET_ALLOW },
		{ "refuse", SECCOMP_RET_ERRNO | EPERM },
		{ "report", SECCOMP_RET_USER_NOTIF },
		{ "absent", SECCOMP_RET_ERRNO | ENOSYS },
		{ "errno:EPROTONOSUPPORT", SECCOMP_RET_ERRNO | EPROTONOSUPPORT },
		{ "errno:EAFNOSUPPORT", SECCOMP_RET_ERRNO | EAFNOSUPPORT },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].word, w) == 0) {
			*action = words[i].action;
			return 1;
		}
	}
	return 0;
}

static struct verdict *verdict_add(const char *name)
{
	for (unsigned i = 0; i < n_verdicts; i++)
		if (strcmp(verdicts[i].name, name) == 0)
			fail("%s has a verdict already", name);
	if (n_verdicts == CALLS_MAX)
		fail("too many calls");
	verdicts[n_verdicts] = (struct verdict){ strdup(name), n_lines, 0, 0 };
	return &verdicts[n_verdicts++];
}

static struct seccomp_line *line_add(void)
{
	if (n_lines == LINES_MAX)
		fail("too many lines");
	return &lines[n_lines++];
}

/* "int1 & 15 = 1 2" from the words after "if" or "and"; `*s` is left at the next "and" or the end. */
static void parse_cond(char **save, struct seccomp_cond *c, char **word)
{
	char *w = strtok_r(NULL, " \t", save);

	if (!w || strncmp(w, "int", 3) != 0 || w[3] < '0' || w[3] > '5' || w[4])
		fail("expected intN, found %s", w ? w : "nothing");
	*c = (struct seccomp_cond){ .mask = UINT32_MAX, .arg = (uint8_t)(w[3] - '0') };
	w = strtok_r(NULL, " \t", save);
	if (w && strcmp(w, "&") == 0) {
		w = strtok_r(NULL, " \t", save);
		c->mask = number(w ? w : "");
		w = strtok_r(NULL, " \t", save);
	}
	if (w && strcmp(w, "=") == 0) {
		while ((w = strtok_r(NULL, " \t", save)) && strcmp(w, "and") != 0) {
			if (c->n == SECCOMP_VALUES_MAX)
				fail("more than %d values", SECCOMP_VALUES_MAX);
			c->value[c->n++] = number(w);
			if (number(w) & ~c->mask)
				fail("%s can never be: the mask is 0x%x", w, c->mask);
		}
		if (c->n == 0)
			fail("no value after =");
	} else if (c->mask == UINT32_MAX) {
		fail("expected & or =");
	}
	*word = w;
}

/* "VERDICT [DETAIL] [if ...]" of a call that looks at its arguments. */
static void parse_line(char *text, struct verdict *v, int group_detail)
{
	char *save = NULL, *w = strtok_r(text, " \t", &save);
	struct seccomp_line *l = line_add();

	if (!v)
		fail("an indented line without a call");
	if (v->n > 0 && l[-1].n == 0)
		fail("this line is never reached");
	v->n++;
	*l = (struct seccomp_line){ .detail = -1 };
	if (!verdict_word(w, &l->action))
		fail("unknown verdict %s", w);
	if (l->action != SECCOMP_RET_ALLOW)
		l->detail = (int8_t)group_detail;
	w = strtok_r(NULL, " \t", &save);
	if (w && strcmp(w, "if") != 0) {
		l->detail = (int8_t)detail_find(w);
		if (l->detail < 0)
			fail("unknown detail %s", w);
		w = strtok_r(NULL, " \t", &save);
	}
	if (!w)
		return;
	if (strcmp(w, "if") != 0)
		fail("expected if, found %s", w);
	do {
		if (l->n == SECCOMP_CONDS_MAX)
			fail("more than %d conditions", SECCOMP_CONDS_MAX);
		parse_cond(&save, &l->cond[l->n++], &w);
	} while (w && strcmp(w, "and") == 0);
	if (w)
		fail("unexpected %s", w);
}

static void check_ended(const struct verdict *call)
{
	if (call && (call->n == 0 || lines[n_lines - 1].n != 0))
		fail("%s: its last line must be without a condition", call->name);
}

static void parse_detail(char *save)
{
	char *w = strtok_r(NULL, " \t", &save);

	if (!w || !*save || n_details == DETAILS_MAX || detail_find(w) >= 0)
		fail("bad detail");
	detail_names[n_details] = strdup(w);
	detail_texts[n_details++] = strdup(save);
}

/* Calls without conditions share one line for each answer. */
static unsigned constant_line(uint32_t action, int detail)
{
	for (unsigned i = 0; i < n_lines; i++)
		if (lines[i].n == 0 && lines[i].action == action && lines[i].detail == detail)
			return i;
	*line_add() = (struct seccomp_line){ .action = action, .detail = (int8_t)detail };
	return n_lines - 1;
}

static void parse_calls(uint32_t action, int detail, char *save)
{
	char *w;

	if (action == SECCOMP_RET_ALLOW)
		detail = -1;
	while ((w = strtok_r(NULL, " \t", &save))) {
		struct verdict *v = verdict_add(w);

		v->first = constant_line(action, detail);
		v->n = 1;
	}
}

static void parse_policy(FILE *f)
{
	char text[4096];
	struct verdict *call = NULL;
	int detail = -1;

	while (fgets(text, sizeof(text), f)) {
		char *save = NULL, *w;
		uint32_t action;

		line_no++;
		text[strcspn(text, "\n")] = 0;
		if (text[0] == '#' || !text[0])
			continue;
		if (text[0] == ' ') {
			parse_line(text, call, detail);
			continue;
		}
		check_ended(call);
		call = NULL;
		w = strtok_r(text, " \t", &save);
		if (strcmp(w, "why") == 0) {
			continue;
		} else if (strcmp(w, "detail") == 0) {
			parse_detail(save);
		} else if (strcmp(w, "group") == 0) {
			if (!strtok_r(NULL, " \t", &save))
				fail("a group without a name");
			w = strtok_r(NULL, " \t", &save);
			detail = w ? detail_find(w) : -1;
			if (w && detail < 0)
				fail("unknown detail %s", w);
		} else if (strcmp(w, "call") == 0) {
			w = strtok_r(NULL, " \t", &save);
			call = verdict_add(w ? w : "");
		} else if (verdict_word(w, &action)) {
			parse_calls(action, detail, save);
		} else {
			fail("unknown word %s", w);
		}
	}
	check_ended(call);
}

static void read_table(struct table *t, const char *name, const char *path)
{
	FILE *f = fopen(path, "r");
	char text[256], call[200];
	unsigned nr;

	file_name = path;
	line_no = 0;
	if (!f)
		fail("%s", strerror(errno));
	t->name = name;
	t->abi.name = name;
	t->abi.calls = t->calls;
	while (fgets(text, sizeof(text), f)) {
		struct seccomp_call *c = &t->calls[t->abi.n_calls];

		line_no++;
		if (text[0] == '#')
			continue;
		if (sscanf(text, "%u %199s", &nr, call) != 2 || nr > 0xffff || t->abi.n_calls == CALLS_MAX)
			fail("expected NUMBER NAME");
		if (t->abi.n_calls && c[-1].nr >= nr)
			fail("not sorted");
		for (unsigned i = 0; i < n_verdicts; i++) {
			if (strcmp(verdicts[i].name, call) == 0) {
				*c = (struct seccomp_call){ (uint16_t)nr, (uint16_t)verdicts[i].first,
							    (uint16_t)verdicts[i].n };
				verdicts[i].used = 1;
			}
		}
		if (c->n == 0)
			fail("%s has no verdict in the policy", call);
		t->names[t->abi.n_calls++] = strdup(call);
	}
	fclose(f);
}

static void write_lines(void)
{
	printf("static const struct seccomp_line lines[] = {\n");
	for (unsigned i = 0; i < n_lines; i++) {
		printf("\t{ 0x%xu, %d, %u, {", lines[i].action, lines[i].detail, lines[i].n);
		for (unsigned j = 0; j < lines[i].n; j++) {
			const struct seccomp_cond *c = &lines[i].cond[j];

			printf(" { 0x%xu, %u, %u, {", c->mask, c->arg, c->n);
			for (unsigned k = 0; k < c->n; k++)
				printf(" 0x%xu,", c->value[k]);
			printf(" } },");
		}
		printf(" } },\n");
	}
	printf("};\n");
}

static void write_table(const struct table *t, const char *which, const char *arch)
{
	printf("static const struct seccomp_call %s_calls[] = {\n", which);
	for (unsigned i = 0; i < t->abi.n_calls; i++)
		printf("\t{ %u, %u, %u },\n", t->calls[i].nr, t->calls[i].first, t->calls[i].n);
	printf("};\nstatic const struct seccomp_abi %s = { \"%s\", %s, %s_calls, %u,\n", which, t->name, arch,
		which, t->abi.n_calls);
	for (unsigned i = 0; i < t->abi.n_calls; i++)
		printf("\t\"%s\\0\"\n", t->names[i]);
	printf("};\n");
}

static const char *arch_word(const char *name, uint32_t *arch)
{
	static const struct {
		const char *name, *word;
		uint32_t arch;
	} words[] = {
		{ "x86_64", "AUDIT_ARCH_X86_64", AUDIT_ARCH_X86_64 },
		{ "i386", "AUDIT_ARCH_I386", AUDIT_ARCH_I386 },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].name, name) == 0) {
			*arch = words[i].arch;
			return words[i].word;
		}
	}
	fail("unknown architecture %s", name);
}

static void write_filter(const struct seccomp_policy *p)
{
	static struct sock_filter f[SECCOMP_INSNS_MAX];
	int n = seccomp_compile(p, 0, true, f, SECCOMP_INSNS_MAX);

	if (n < 0)
		fail("the filter is too long");
	printf("const struct sock_filter seccomp_default[] = {\n");
	for (int i = 0; i < n; i++)
		printf("\t{ 0x%02x, %u, %u, 0x%xu },\n", f[i].code, f[i].jt, f[i].jf, f[i].k);
	printf("};\nconst unsigned seccomp_default_len = %d;\n", n);
}

static void write_strings(const char *declarator, char *const *v)
{
	printf("%s[] = {\n", declarator);
	for (; *v; v++)
		printf("\t\"%s\",\n", *v);
	printf("\tNULL,\n};\n");
}

static void write_policy(const struct seccomp_policy *p, const char *const arch[2])
{
	printf("/* Made by seccomp_gen from data/seccomp.policy. */\n"
	       "#include \"confine/seccomp_table.h\"\n#include <linux/audit.h>\n#include <stddef.h>\n");
	write_lines();
	write_strings("const char *const seccomp_details", detail_names);
	write_strings("const char *const seccomp_detail_texts", detail_texts);
	write_table(&tables[0], "native", arch[0]);
	if (p->compat)
		write_table(&tables[1], "compat", arch[1]);
	printf("const struct seccomp_policy seccomp_policy = { lines, seccomp_details, seccomp_detail_texts, &native, %s, %d };\n",
	       p->compat ? "&compat" : "NULL", p->compat_detail);
	write_filter(p);
}

/* The calls that can be reported, by number, for the monitor: no pointers, so that nothing is relocated. */
static void write_notify(const char *const arch[2])
{
	printf("/* Made by seccomp_gen from data/seccomp.policy. */\n"
	       "#include <linux/audit.h>\n#include <stdint.h>\n"
	       "static const struct notify_call {\n\tuint32_t arch;\n\tint16_t nr;\n\tchar name[18];\n}"
	       " notify_calls[] = {\n");
	for (unsigned t = 0; t < 2; t++) {
		for (unsigned i = 0; i < tables[t].abi.n_calls; i++) {
			const struct seccomp_call *c = &tables[t].calls[i];
			bool reported = false;

			for (unsigned j = 0; j < c->n; j++)
				reported |= lines[c->first + j].action == SECCOMP_RET_USER_NOTIF;
			if (!reported)
				continue;
			if (strlen(tables[t].names[i]) >= 18)
				fail("%s: longer than 17 letters", tables[t].names[i]);
			printf("\t{ %s, %u, \"%s\" },\n", arch[t], c->nr, tables[t].names[i]);
		}
	}
	printf("};\n");
}

static void output(const char *path)
{
	if (!freopen(path, "w", stdout)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct seccomp_policy p = { .lines = lines, .native = &tables[0].abi, .compat_detail = -1 };
	const char *arch[2] = { NULL, NULL };
	FILE *f;

	if (argc != 6 && argc != 8)
		return 2;
	file_name = argv[1];
	f = fopen(argv[1], "r");
	if (!f)
		fail("%s", strerror(errno));
	parse_policy(f);
	fclose(f);
	read_table(&tables[0], argv[4], argv[5]);
	arch[0] = arch_word(argv[4], &tables[0].abi.arch);
	if (argc == 8) {
		read_table(&tables[1], argv[6], argv[7]);
		arch[1] = arch_word(argv[6], &tables[1].abi.arch);
		p.compat = &tables[1].abi;
		p.compat_detail = detail_find(argv[6]);
	}
	file_name = argv[1];
	if (p.compat && p.compat_detail < 0)
		fail("no detail %s", argv[6]);
	for (unsigned i = 0; i < n_verdicts && argc == 8; i++)
		if (!verdicts[i].used)
			fail("no such call: %s", verdicts[i].name);

	output(argv[2]);
	write_policy(&p, arch);
	if (fflush(stdout) || ferror(stdout))
		return 1;
	output(argv[3]);
	write_notify(arch);
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
