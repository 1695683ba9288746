/* SPDX-License-Identifier: Apache-2.0 */
/* What all walls share: words for plans and evidence, and reading /proc/PID. */
#include "confine/wall.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void wall_up(struct plan *p, enum wall_id id, const char *fmt, ...)
{
	struct wall_plan *w = &p->wall[id];
	va_list ap;

	w->intent = INTENT_UP;
	w->note[0] = 0;
	va_start(ap, fmt);
	vsnprintf(w->text, sizeof(w->text), fmt, ap);
	va_end(ap);
}

void wall_not_up(struct plan *p, enum wall_id id, enum wall_intent intent, const char *note, const char *fmt, ...)
{
	struct wall_plan *w = &p->wall[id];
	va_list ap;

	w->intent = intent;
	snprintf(w->note, sizeof(w->note), "%s", note);
	va_start(ap, fmt);
	vsnprintf(w->text, sizeof(w->text), fmt, ap);
	va_end(ap);
}

/* Adds to a text that may already hold something, with "; " between. */
__attribute__((format(printf, 3, 0))) static void append(char *text, size_t size, const char *fmt, va_list ap)
{
	size_t used = strlen(text);

	if (used > 0 && used + 3 < size) {
		strcpy(text + used, "; ");
		used += 2;
	}
	vsnprintf(text + used, size - used, fmt, ap);
}

void evidence_add(struct evidence *ev, enum verdict v, const char *fmt, ...)
{
	va_list ap;

	if (v > ev->verdict)
		ev->verdict = v;
	va_start(ap, fmt);
	append(ev->found, sizeof(ev->found), fmt, ap);
	va_end(ap);
}

void evidence_why(struct evidence *ev, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	append(ev->why, sizeof(ev->why), fmt, ap);
	va_end(ap);
}

void evidence_settle(struct evidence *ev, const struct plan *p, enum wall_id id)
{
	const struct wall_plan *w = p ? &p->wall[id] : NULL;

	if (!w || w->intent == INTENT_UP || ev->verdict >= VERDICT_DOWN)
		return;
	ev->verdict = w->intent == INTENT_LOWERED ? VERDICT_LOWERED : VERDICT_ABSENT;
	for (size_t i = 0; i < p->spec->n_lower; i++) {
		const struct spec_lower *lower = &p->spec->lower[i];

		if (!lower->accept && streq(lower->wall, walls[id]->name))
			evidence_why(ev, "--lower %s%s%s", lower->wall, lower->detail ? "=" : "",
				     lower->detail ? lower->detail : "");
	}
	if (w->note[0])
		evidence_why(ev, "%s", w->note);
}

int subject_status(const struct subject *s, const char *field, char *out, size_t size)
{
	_cleanup_close_ int fd = openat(s->proc_fd, "status", O_RDONLY | O_CLOEXEC);
	char text[4096], *p, *end;
	size_t n = strlen(field), used = 0;
	ssize_t r;

	if (fd < 0)
		return -errno;
	while (used < sizeof(text) - 1 && (r = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)r;
	text[used] = 0;
	for (p = text; p; p = strchr(p, '\n')) {
		if (*p == '\n')
			p++;
		if (strncmp(p, field, n) != 0 || p[n] != ':')
			continue;
		p += n + 1;
		while (*p == '\t' || *p == ' ')
			p++;
		end = strchrnul(p, '\n');
		snprintf(out, size, "%.*s", (int)(end - p), p);
		return 0;
	}
	return -ENOENT;
}

uint64_t subject_ns(const struct subject *s, const char *name)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "ns/%s", name);
	return fstatat(s->proc_fd, path, &st, 0) < 0 ? 0 : st.st_ino;
}
