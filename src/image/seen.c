/* SPDX-License-Identifier: Apache-2.0 */
#include "image/seen.h"

#include "base/cleanup.h"
#include "base/home.h"
#include "image/store.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* "end ", 16 digits, a space, the code, a newline */
enum { LAST = 4 + 16 + 1 + SEEN_CODE_HEX + 1 };

void seen_free(struct seen *s)
{
	if (s->mapped)
		munmap((void *)s->data, s->size);
	*s = (struct seen){ 0 };
}

void seen_name(const char *slot, char out[static 96])
{
	snprintf(out, 96, slot ? "seen-%.80s" : "seen", slot ? slot : "");
}

static uint64_t ns(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

uint64_t seen_ctime(const struct stat *st)
{
	return ns(&st->st_ctim);
}

bool seen_same(const struct seen_line *l, const struct stat *st)
{
	return st->st_ino == l->ino && ns(&st->st_ctim) == l->ctime && ns(&st->st_mtim) == l->mtime &&
	       (uint64_t)st->st_size == l->size;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static inline int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_hex(const char **p, const char *end, uint64_t *out)
{
	const char *s = *p;
	uint64_t v = 0;
	int d;

	while (s < end && s - *p < 16 && (d = digit(*s)) >= 0) {
		v = v << 4 | (uint64_t)d;
		s++;
	}
	if (s == *p || s == end || *s != ' ')
		return false;
	*p = s + 1;
	*out = v;
	return true;
}

static bool take_name(const char **p, const char *end, char out[static TREE_NAME_MAX + 1])
{
	const char *s = *p;
	size_t n = 0;

	while (s < end && *s != '\n') {
		unsigned char c = (unsigned char)*s++;

		if (c == '%') {
			int hi = end - s > 1 ? digit(s[0]) : -1, lo = hi < 0 ? -1 : digit(s[1]);

			if (lo < 0 || (hi | lo) == 0)
				return false;
			c = (unsigned char)(hi << 4 | lo);
			s += 2;
		}
		if (c == 0 || c == '/' || n == TREE_NAME_MAX)
			return false;
		out[n++] = (char)c;
	}
	if (s == end)
		return false;
	out[n] = 0;
	*p = s + 1;
	return !(n == 1 && out[0] == '.') && !(n == 2 && out[0] == '.' && out[1] == '.');
}

const char *seen_first(const struct seen *s)
{
	const char *nl = memchr(s->data, '\n', s->size);

	return nl ? nl + 1 : s->data + s->size;
}

int seen_next(const struct seen *s, const char **p, struct seen_line *out)
{
	const char *end = s->data + s->size - LAST;

	if (*p >= end)
		return *p == end ? 0 : -EBADMSG;
	out->kind = *(*p)++;
	if (out->kind == 'u') {
		out->name[0] = 0;
		return *p < end && *(*p)++ == '\n' ? 1 : -EBADMSG;
	}
	if (!strchr("tbodf", out->kind) || !out->kind || *p >= end || *(*p)++ != ' ' || !take_hex(p, end, &out->ino) ||
	    !take_hex(p, end, &out->ctime) || !take_hex(p, end, &out->mtime) || !take_hex(p, end, &out->size) ||
	    !take_name(p, end, out->name))
		return -EBADMSG;
	return 1;
}

static int read_last(const struct seen *s, uint64_t *newest)
{
	const char *p = s->data + s->size - LAST, *end = s->data + s->size;

	if (memcmp(p, "end ", 4) != 0 || end[-1] != '\n' || p[-1] != '\n')
		return -EBADMSG;
	p += 4;
	return take_hex(&p, end, newest) && p == end - SEEN_CODE_HEX - 1 ? 0 : -EBADMSG;
}

int seen_parse(struct seen *s, const char *tree, const char *slot, const char *data, size_t n)
{
	char first[DIGEST_SIZE + 120];
	int len = snprintf(first, sizeof(first), "brig-seen 1 %.64s %.80s\n", tree, slot ? slot : "-");
	uint64_t newest;

	*s = (struct seen){ .data = data, .size = n };
	if (n < (size_t)len + LAST || memcmp(data, first, (size_t)len) != 0)
		return -EBADMSG;
	return read_last(s, &newest);
}

int seen_map(int fd, const char *tree, const char *slot, struct seen *out)
{
	struct stat st;
	void *p;
	int r;

	*out = (struct seen){ 0 };
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < LAST || st.st_size > SEEN_FILE_MAX)
		return -EBADMSG;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	r = seen_parse(out, tree, slot, p, (size_t)st.st_size);
	out->mapped = true;
	if (r < 0)
		seen_free(out);
	return r;
}

/* --- who vouches ------------------------------------------------------------------------------------------------- */

static void anchor_name(const char *tree, const char *slot, char out[static DIGEST_SIZE + 96])
{
	snprintf(out, DIGEST_SIZE + 96, "seen/%.64s%s%.80s", tree, slot ? "-" : "", slot ? slot : "");
}

static void anchor_text(const struct stat *st, char out[static 80])
{
	snprintf(out, 80, "%llx-%llx-%llx-%llx", (unsigned long long)st->st_ino, (unsigned long long)ns(&st->st_ctim),
		 (unsigned long long)ns(&st->st_mtim), (unsigned long long)st->st_size);
}

int seen_open(int tree_dir, const char *tree, const char *slot, struct seen *out)
{
	_cleanup_close_ int fd = -1;
	char name[96], anchor[DIGEST_SIZE + 96], is[80], was[80];
	int run = home_run(NULL), r;
	struct timespec now;
	uint64_t newest;
	struct stat st;
	ssize_t n;

	*out = (struct seen){ 0 };
	seen_name(slot, name);
	fd = openat(tree_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	anchor_name(tree, slot, anchor);
	n = run < 0 ? -1 : readlinkat(run, anchor, was, sizeof(was) - 1);
	if (n < 0)
		return -ESTALE;
	was[n] = 0;
	anchor_text(&st, is);
	if (!streq(is, was))
		return -ESTALE;
	r = seen_map(fd, tree, slot, out);
	if (r < 0)
		return r == -EBADMSG ? -ESTALE : r;
	clock_gettime(CLOCK_REALTIME, &now);
	if (read_last(out, &newest) < 0 || ns(&now) < newest) {
		seen_free(out);
		return -ESTALE;
	}
	return 0;
}

int seen_vouch(int tree_dir, const char *tree, const char *slot, struct error *e)
{
	char name[96], anchor[DIGEST_SIZE + 96], tmp[64], text[80];
	int run = home_run(e);
	struct stat st;
	uint64_t rnd;

	if (run < 0)
		return run;
	seen_name(slot, name);
	if (fstatat(tree_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || getrandom(&rnd, sizeof(rnd), 0) != sizeof(rnd))
		return error_errno(e, errno, "%s", name);
	if (mkdirat(run, "seen", 0700) < 0 && errno != EEXIST)
		return error_errno(e, errno, "cannot make %s/seen", home_run_path(NULL));
	anchor_name(tree, slot, anchor);
	anchor_text(&st, text);
	snprintf(tmp, sizeof(tmp), "seen/.%016llx", (unsigned long long)rnd);
	if (symlinkat(text, run, tmp) < 0)
		return error_errno(e, errno, "cannot write to %s/seen", home_run_path(NULL));
	if (renameat(run, tmp, run, anchor) < 0) {
		int err = errno;

		unlinkat(run, tmp, 0);
		return error_errno(e, err, "cannot write to %s/seen", home_run_path(NULL));
	}
	return 0;
}

void seen_forget(const char *tree, const char *slot)
{
	char anchor[DIGEST_SIZE + 96];
	int run = home_run(NULL);

	anchor_name(tree, slot, anchor);
	if (run >= 0)
		unlinkat(run, anchor, 0);
}

int seen_publish(int tree_dir, const char *tmp, const char *tree, const char *slot, struct error *e)
{
	char name[96];

	seen_name(slot, name);
	if (renameat(tree_dir, tmp, tree_dir, name) < 0)
		return error_errno(e, errno, "cannot write %s of a tree", name);
	return seen_vouch(tree_dir, tree, slot, e);
}

/* --- comparing --------------------------------------------------------------------------------------------------- */

static int moved_is(struct seen_moved *m, const char *what)
{
	snprintf(m->what, sizeof(m->what), "%s", what);
	return -ESTALE;
}

static int check_in(int dir, const struct seen_line *l, struct seen_moved *moved)
{
	struct stat st;

	if (dir < 0 || fstatat(dir, l->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !seen_same(l, &st) || !S_ISREG(st.st_mode))
		return moved_is(moved, l->name);
	return 0;
}

/* The lines of one or two kinds, against one folder each. */
static int check_files(const struct seen *s, char one, int one_dir, char other, int other_dir, struct seen_moved *moved)
{
	const char *p = seen_first(s);
	struct seen_line l;
	int r;

	while ((r = seen_next(s, &p, &l)) > 0) {
		if (l.kind != one && l.kind != other) {
			/* Objects come last: whoever looks for the others is done. */
			if (l.kind == 'o')
				return 0;
			continue;
		}
		r = check_in(l.kind == one ? one_dir : other_dir, &l, moved);
		if (r < 0)
			return r;
	}
	return r;
}

int seen_check_chain(const struct seen *s, int tree_dir, int blobs, struct seen_moved *moved)
{
	return check_files(s, 't', tree_dir, 'b', blobs, moved);
}

int seen_check_objects(const struct seen *s, int objects, struct seen_moved *moved)
{
	return check_files(s, 'o', objects, 'o', objects, moved);
}

/* Where a walk through a slot stands. Folders are opened one below the other, so that no link is ever followed. */
struct walk {
	int fd[TREE_DEPTH_MAX + 2];
	uint16_t len[TREE_DEPTH_MAX + 2]; /* of the path up to that folder */
	int depth;
	char path[TREE_PATH_MAX + TREE_NAME_MAX + 8];
};

static size_t join(struct walk *w, const char *name)
{
	size_t at = w->depth < 0 ? 0 : w->len[w->depth], n = strlen(name);

	if (at + 1 + n >= sizeof(w->path))
		n = 0;
	w->path[at++] = '/';
	memcpy(w->path + at, name, n);
	w->path[at + n] = 0;
	return at + n;
}

static int enter(struct walk *w, const struct seen_line *l, int slot, struct seen_moved *moved)
{
	size_t len = w->depth < 0 ? 0 : join(w, l->name);
	struct stat st;
	int fd;

	if (w->depth + 1 >= (int)ARRAY_SIZE(w->fd) || len > TREE_PATH_MAX || (w->depth < 0) != (l->name[0] == 0))
		return -EBADMSG;
	fd = openat(w->depth < 0 ? slot : w->fd[w->depth], w->depth < 0 ? "." : l->name,
		    O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return moved_is(moved, w->depth < 0 ? "/" : w->path);
	w->fd[++w->depth] = fd;
	w->len[w->depth] = (uint16_t)len;
	if (fstatat(fd, "", &st, AT_EMPTY_PATH) < 0 || !seen_same(l, &st))
		return moved_is(moved, len ? w->path : "/");
	return 0;
}

static int walk_slot(struct walk *w, const struct seen *s, int slot, struct seen_moved *moved)
{
	const char *p = seen_first(s);
	struct seen_line l;
	struct stat st;
	int r;

	while ((r = seen_next(s, &p, &l)) > 0) {
		switch (l.kind) {
		case 'd':
			r = enter(w, &l, slot, moved);
			if (r < 0)
				return r;
			break;
		case 'u':
			if (w->depth < 0)
				return -EBADMSG;
			close(w->fd[w->depth--]);
			break;
		case 'f':
			if (w->depth < 0)
				return -EBADMSG;
			if (fstatat(w->fd[w->depth], l.name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !seen_same(&l, &st)) {
				join(w, l.name);
				return moved_is(moved, w->path);
			}
			break;
		default:
			return -EBADMSG;
		}
	}
	return r;
}

int seen_check_slot(const struct seen *s, int slot, struct seen_moved *moved)
{
	struct walk w = { .depth = -1 };
	int r = walk_slot(&w, s, slot, moved);

	while (w.depth >= 0)
		close(w.fd[w.depth--]);
	return r;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

void seen_begin(struct seen_writer *w, FILE *f, const char *tree, const char *slot)
{
	*w = (struct seen_writer){ .f = f };
	fprintf(f, "brig-seen 1 %.64s %.80s\n", tree, slot ? slot : "-");
}

void seen_put(struct seen_writer *w, char kind, const struct stat *st, const char *name)
{
	uint64_t changed = ns(&st->st_ctim);

	if (changed > w->newest)
		w->newest = changed;
	fprintf(w->f, "%c %llx %llx %llx %llx ", kind, (unsigned long long)st->st_ino, (unsigned long long)changed,
		(unsigned long long)ns(&st->st_mtim), (unsigned long long)st->st_size);
	for (const unsigned char *s = (const unsigned char *)name; *s; s++)
		fprintf(w->f, *s <= 0x20 || *s == 0x7f || *s == '%' ? "%%%02x" : "%c", *s);
	fputc('\n', w->f);
}

void seen_up(struct seen_writer *w)
{
	fputs("u\n", w->f);
}

void seen_end(struct seen_writer *w)
{
	fprintf(w->f, "end %016llx ", (unsigned long long)w->newest);
}

uint64_t seen_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return ns(&now);
}

void seen_settle(uint64_t before)
{
	struct timespec now;

	/* A tick is 10 ms at most; a clock that is set back meanwhile holds nobody up. */
	for (int i = 0; i < 100; i++) {
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		if (ns(&now) > before)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
	}
}
