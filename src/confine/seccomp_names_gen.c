// SPDX-License-Identifier: Apache-2.0
/*
 * Runs at build time: the tables of system calls become one hashed table of names.
 *
 *	seccomp_names_gen OUT.c NATIVE-TABLE [COMPAT-TABLE [OTHER-TABLE]]
 */
#include "confine/seccomp_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct seccomp_name slots[SECCOMP_NAME_SLOTS];
static char texts[16384] = "";
static size_t used = 1;
static unsigned count;

static void die(const char *what, const char *which)
{
	fprintf(stderr, "seccomp_names_gen: %s: %s\n", which, what);
	exit(1);
}

static struct seccomp_name *place(const char *name)
{
	uint32_t at = seccomp_name_slot(name);

	while (slots[at].text && strcmp(texts + slots[at].text, name) != 0)
		at = (at + 1) % SECCOMP_NAME_SLOTS;
	if (!slots[at].text) {
		size_t n = strlen(name) + 1;

		/* An empty place must stay, or a search for an unknown name would not end. */
		if (used + n > sizeof(texts) || ++count == SECCOMP_NAME_SLOTS)
			die("too many names", name);
		slots[at] = (struct seccomp_name){ (uint16_t)used, -1, -1, -1 };
		memcpy(texts + used, name, n);
		used += n;
	}
	return &slots[at];
}

static void read_table(const char *path, int which)
{
	char line[256], name[200];
	FILE *f = fopen(path, "r");
	unsigned nr;

	if (!f)
		die("cannot be opened", path);
	while (fgets(line, sizeof(line), f)) {
		struct seccomp_name *s;

		if (line[0] == '#')
			continue;
		if (sscanf(line, "%u %199s", &nr, name) != 2 || nr > 1023)
			die("expected NUMBER NAME", line);
		s = place(name);
		*(which == 0 ? &s->native : which == 1 ? &s->compat : &s->other) = (int16_t)nr;
	}
	fclose(f);
}

int main(int argc, char **argv)
{
	if (argc < 3 || argc > 5)
		return 2;
	for (int i = 2; i < argc; i++)
		read_table(argv[i], i - 2);
	if (!freopen(argv[1], "w", stdout))
		die("cannot be written", argv[1]);
	printf("/* Made by seccomp_names_gen from data/syscalls.*. */\n#include \"confine/seccomp_names.h\"\n"
	       "const struct seccomp_name seccomp_names[SECCOMP_NAME_SLOTS] = {\n");
	for (unsigned i = 0; i < SECCOMP_NAME_SLOTS; i++)
		if (slots[i].text)
			printf("\t[%u] = { %u, %d, %d, %d },\n", i, slots[i].text, slots[i].native, slots[i].compat,
			       slots[i].other);
	printf("};\nconst char seccomp_name_texts[] =\n\t\"\\0\"\n");
	for (size_t at = 1; at < used; at += strlen(texts + at) + 1)
		printf("\t\"%s\\0\"\n", texts + at);
	printf(";\n");
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
