/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/lines.h"

#include <string.h>

bool lines_open(struct lines *l, struct vet *v, const struct vet_file *f, size_t max)
{
	int r = f ? vet_read(v, f, max, &l->bytes) : -ENOENT;

	l->number = 0;
	if (r < 0) {
		l->bytes = (struct vet_bytes){ .data = (const unsigned char *)"" };
		if (f)
			vet_unreadable(v, f, r);
	}
	l->next = (const char *)l->bytes.data;
	l->end = l->next + l->bytes.size;
	return r == 0;
}

bool lines_next(struct lines *l)
{
	const char *stop;
	size_t n;

	if (l->next >= l->end)
		return false;
	stop = memchr(l->next, '\n', (size_t)(l->end - l->next));
	if (!stop)
		stop = l->end;
	n = (size_t)(stop - l->next);
	if (n >= sizeof(l->text))
		n = sizeof(l->text) - 1;
	memcpy(l->text, l->next, n);
	for (size_t i = 0; i < n; i++)
		if (!l->text[i])
			l->text[i] = ' ';
	l->text[n] = 0;
	l->next = stop + (stop < l->end);
	l->number++;
	return true;
}

void lines_close(struct lines *l)
{
	vet_bytes_free(&l->bytes);
}

char *lines_field(char **at, char sep)
{
	char *field = *at, *end;

	if (!field)
		return NULL;
	end = strchr(field, sep);
	if (end)
		*end = 0;
	*at = end ? end + 1 : NULL;
	return field;
}

char *lines_trim(char *s)
{
	size_t n;

	while (*s == ' ' || *s == '\t')
		s++;
	n = strlen(s);
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '\r'))
		s[--n] = 0;
	return s;
}
