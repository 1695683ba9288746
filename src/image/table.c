/* SPDX-License-Identifier: Apache-2.0 */
#include "image/tree.h"

#include "base/cleanup.h"

#include <string.h>

/* Length of the UTF-8 character at `s`, 0 when it is none (overlong, surrogate and too large ones included). */
static size_t utf8_len(const unsigned char *s, size_t n)
{
	size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 :
		     s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

static void put_coded(FILE *f, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = strlen(text);

	while (n > 0) {
		size_t len = utf8_len(s, n);

		if (len == 0 || (len == 1 && (*s < 0x20 || *s == 0x7f || *s == '"' || *s == '%' || *s == '\\'))) {
			fprintf(f, "%%%02X", *s);
			len = 1;
		} else {
			fwrite(s, 1, len, f);
		}
		s += len;
		n -= len;
	}
}

static void put_hex(FILE *f, const void *value, size_t n)
{
	const unsigned char *v = value;

	for (size_t i = 0; i < n; i++)
		fprintf(f, "%02x", v[i]);
}

static void put_attrs(FILE *f, const struct inode *in)
{
	const char *sep = "";
	bool others = false;

	if (in->xattrs) {
		fputs(",\"x\":{", f);
		for (const struct xattr *x = in->xattrs; x; x = x->next, sep = ",") {
			fprintf(f, "%s\"", sep);
			put_coded(f, x->name);
			fputs("\":\"", f);
			put_hex(f, x->value, x->len);
			fputc('"', f);
		}
		fputc('}', f);
	}
	for (const struct xattr *x = in->dropped; x; x = x->next) {
		if (streq(x->name, "security.capability")) {
			fputs(",\"c\":\"", f);
			put_hex(f, x->value, x->len);
			fputc('"', f);
		} else {
			others = true;
		}
	}
	if (!others)
		return;
	fputs(",\"D\":[", f);
	sep = "";
	for (const struct xattr *x = in->dropped; x; x = x->next) {
		if (streq(x->name, "security.capability"))
			continue;
		fprintf(f, "%s\"", sep);
		put_coded(f, x->name);
		fputc('"', f);
		sep = ",";
	}
	fputc(']', f);
}

struct writer {
	FILE *f;
	struct tree *t;
	char path[TREE_PATH_MAX + 1];
};

static void put_node(struct writer *w, struct node *n)
{
	struct inode *in = n->inode;
	FILE *f = w->f;

	fputs("{\"p\":\"", f);
	put_coded(f, w->path);
	if (!in) {
		fputs("\",\"t\":\"-\",\"w\":1}\n", f);
		return;
	}
	if (in->type == 'f' && in->mark) {
		fputs("\",\"t\":\"h\",\"l\":\"", f);
		put_coded(f, in->mark);
		fprintf(f, "\"%s}\n", n->white ? ",\"w\":1" : "");
		return;
	}
	fprintf(f, "\",\"t\":\"%c\",\"m\":\"%o\",\"u\":%u,\"g\":%u,\"T\":%lld", in->type, in->mode, in->uid, in->gid,
		(long long)in->mtime);
	if (in->mtime_ns)
		fprintf(f, ",\"N\":%u", in->mtime_ns);
	if (in->type == 'f' && in->size > 0)
		fprintf(f, ",\"s\":%llu,\"o\":\"%s\"", (unsigned long long)in->size, in->object);
	if (in->target) {
		fputs(",\"l\":\"", f);
		put_coded(f, in->target);
		fputc('"', f);
	}
	put_attrs(f, in);
	fprintf(f, "%s%s%s}\n", n->white ? ",\"w\":1" : "", n->opaque ? ",\"q\":1" : "", n->implied ? ",\"i\":1" : "");
	/* Only a file can be met again; the name is kept until the table is written. */
	if (in->type == 'f')
		in->mark = tree_strdup(w->t, w->path, strlen(w->path));
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct node *const *)a)->name, (*(struct node *const *)b)->name);
}

static int put_below(struct writer *w, struct node *dir, size_t len)
{
	_cleanup_free_ struct node **list = NULL;
	size_t n = 0, i = 0;
	int r;

	for (struct node *c = dir->children; c; c = c->sibling)
		n += c->inode || c->white;
	list = xcalloc(n + 1, sizeof(*list));
	for (struct node *c = dir->children; c; c = c->sibling)
		if (c->inode || c->white)
			list[i++] = c;
	if (n > 1)
		qsort(list, n, sizeof(*list), by_name);
	for (i = 0; i < n; i++) {
		size_t at = len;

		if (at + 1 + list[i]->name_len > TREE_PATH_MAX)
			return -ENAMETOOLONG;
		if (at)
			w->path[at++] = '/';
		memcpy(w->path + at, list[i]->name, list[i]->name_len + 1u);
		put_node(w, list[i]);
		r = list[i]->inode ? put_below(w, list[i], at + list[i]->name_len) : 0;
		if (r < 0)
			return r;
		w->path[len] = 0;
	}
	return 0;
}

static void forget_marks(struct node *n)
{
	for (struct node *c = n->children; c; c = c->sibling) {
		if (c->inode)
			c->inode->mark = NULL;
		forget_marks(c);
	}
}

static void count(struct node *n, struct tree_total *total)
{
	total->entries += n->inode || n->white;
	if (n->inode && n->inode->type == 'f' && !n->inode->mark) {
		total->bytes += n->inode->size;
		n->inode->mark = n;
	}
	for (struct node *c = n->children; c; c = c->sibling)
		count(c, total);
}

int table_write(struct tree *t, FILE *f, struct tree_total *out, struct error *e)
{
	struct writer w = { .f = f, .t = t };
	struct tree_total total = { 0 };
	int r;

	forget_marks(t->root);
	count(t->root, &total);
	forget_marks(t->root);
	fprintf(f, "{\"table\":1,\"entries\":%llu,\"bytes\":%llu}\n", (unsigned long long)total.entries,
		(unsigned long long)total.bytes);
	if (t->root->inode)
		put_node(&w, t->root);
	r = put_below(&w, t->root, 0);
	forget_marks(t->root);
	if (r < 0)
		return error_errno(e, r, "entry below \"%.60s\"", w.path);
	if (fflush(f) != 0 || ferror(f))
		return error_errno(e, errno ? errno : EIO, "cannot write a table of files");
	if (out)
		*out = total;
	return 0;
}

/* Reading. The tables are ours, but the disk they lie on may not be: every field is checked. */

struct scan {
	const char *p, *end;
	char *space;
};

static bool take(struct scan *s, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, text, n) != 0)
		return false;
	s->p += n;
	return true;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 :
	       c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A string in our coding, up to its closing quote. NUL cannot come out. */
static char *take_coded(struct scan *s, size_t *len)
{
	char *out = s->space, *o = out;

	while (s->p < s->end && *s->p != '"') {
		if (*s->p == '%') {
			int hi = s->end - s->p > 2 ? hex_digit(s->p[1]) : -1, lo = hi < 0 ? -1 : hex_digit(s->p[2]);

			if (lo < 0 || (hi | lo) == 0)
				return NULL;
			*o++ = (char)(hi << 4 | lo);
			s->p += 3;
		} else if ((unsigned char)*s->p < 0x20 || *s->p == '\\') {
			return NULL;
		} else {
			*o++ = *s->p++;
		}
	}
	if (!take(s, "\""))
		return NULL;
	if (len)
		*len = (size_t)(o - out);
	*o++ = 0;
	s->space = o;
	return out;
}

static char *take_hex(struct scan *s, size_t *len)
{
	char *out = s->space, *o = out;

	while (s->end - s->p > 1 && *s->p != '"') {
		int hi = hex_digit(s->p[0]), lo = hex_digit(s->p[1]);

		if (hi < 0 || lo < 0)
			return NULL;
		*o++ = (char)(hi << 4 | lo);
		s->p += 2;
	}
	if (!take(s, "\""))
		return NULL;
	*len = (size_t)(o - out);
	*o++ = 0;
	s->space = o;
	return out;
}

static bool take_u64(struct scan *s, unsigned base, uint64_t max, uint64_t *out)
{
	const char *from = s->p;
	uint64_t v = 0;

	while (s->p < s->end && *s->p >= '0' && *s->p < (char)('0' + base)) {
		uint64_t digit = (uint64_t)(*s->p++ - '0');

		if (v > (max - digit) / base)
			return false;
		v = v * base + digit;
	}
	*out = v;
	return s->p > from;
}

static bool take_id(struct scan *s, uint32_t *out)
{
	uint64_t v;

	if (!take_u64(s, 10, UINT32_MAX - 1, &v)) /* (uid_t)-1 is no id */
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool take_attrs(struct scan *s, struct table_line *l, size_t *n)
{
	const struct xattr **tail = &l->inode.xattrs;

	do {
		struct xattr *x = &l->attrs[*n];

		if (*n == TREE_XATTRS_MAX || !take(s, "\""))
			return false;
		x->name = take_coded(s, NULL);
		if (!x->name || !take(s, ":\""))
			return false;
		x->value = take_hex(s, &x->len);
		if (!x->value)
			return false;
		x->next = NULL;
		*tail = x;
		tail = (const struct xattr **)&x->next;
		++*n;
	} while (take(s, ","));
	return take(s, "}");
}

static bool take_dropped(struct scan *s, struct table_line *l, size_t *n, const char *name)
{
	struct xattr *x = &l->attrs[*n];

	if (*n == TREE_XATTRS_MAX)
		return false;
	*x = (struct xattr){ .name = name, .value = "" };
	if (name)
		x->value = take_hex(s, &x->len);
	else
		x->name = take(s, "\"") ? take_coded(s, NULL) : NULL;
	if (!x->name || !x->value)
		return false;
	x->next = (struct xattr *)l->inode.dropped;
	l->inode.dropped = x;
	++*n;
	return true;
}

static bool take_member(struct scan *s, struct table_line *l, size_t *attrs)
{
	struct inode *in = &l->inode;
	uint64_t v;
	char key;

	if (s->end - s->p < 4 || s->p[0] != '"' || s->p[2] != '"' || s->p[3] != ':')
		return false;
	key = s->p[1];
	s->p += 4;
	switch (key) {
	case 'm':
		if (!take(s, "\"") || !take_u64(s, 8, 07777, &v) || !take(s, "\""))
			return false;
		in->mode = (uint16_t)v;
		return true;
	case 'u':
		return take_id(s, &in->uid);
	case 'g':
		return take_id(s, &in->gid);
	case 'T': {
		bool minus = take(s, "-");

		if (!take_u64(s, 10, INT64_MAX, &v))
			return false;
		in->mtime = minus ? -(int64_t)v : (int64_t)v;
		return true;
	}
	case 'N':
		if (!take_u64(s, 10, 999999999, &v))
			return false;
		in->mtime_ns = (uint32_t)v;
		return true;
	case 's':
		return take_u64(s, 10, INT64_MAX, &in->size) && in->size > 0;
	case 'o':
		if (!take(s, "\"") || s->end - s->p < OBJECT_NAME_LEN + 1 || s->p[OBJECT_NAME_LEN] != '"')
			return false;
		for (int i = 0; i < OBJECT_NAME_LEN; i++) {
			char c = s->p[i];

			if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			      c == '-' || c == '_'))
				return false;
		}
		memcpy(in->object, s->p, OBJECT_NAME_LEN);
		s->p += OBJECT_NAME_LEN + 1;
		return true;
	case 'l':
		in->target = take(s, "\"") ? take_coded(s, NULL) : NULL;
		return in->target;
	case 'x':
		return take(s, "{") && !in->xattrs && take_attrs(s, l, attrs);
	case 'c':
		return take(s, "\"") && take_dropped(s, l, attrs, "security.capability");
	case 'D':
		if (!take(s, "["))
			return false;
		do
			if (!take_dropped(s, l, attrs, NULL))
				return false;
		while (take(s, ","));
		return take(s, "]");
	case 'w':
		return l->white = take(s, "1");
	case 'q':
		return l->opaque = take(s, "1");
	case 'i':
		return l->implied = take(s, "1");
	default:
		return false;
	}
}

/* What the members must be for their type. */
static bool line_sound(const struct table_line *l)
{
	const struct inode *in = &l->inode;
	bool link = in->type == 'l' || in->type == 'h' || in->type == 'H';

	if (!strchr("fdlhpHc-", in->type) || link != (in->target != NULL) || (link && !*in->target))
		return false;
	if ((in->size > 0) != (in->object[0] != 0) || (in->size > 0 && in->type != 'f'))
		return false;
	return in->type == 'd' || (!l->opaque && !l->implied);
}

void table_line_free(struct table_line *l)
{
	free(l->space);
	l->space = NULL;
}

int table_line_parse(const char **p, const char *end, struct table_line *out)
{
	const char *nl = memchr(*p, '\n', (size_t)(end - *p));
	struct scan s = { .p = *p, .end = nl };
	size_t attrs = 0, need;

	if (!nl)
		return -EBADMSG;
	need = (size_t)(nl - *p) + 1;
	if (out->space_size < need) {
		free(out->space);
		out->space_size = need * 2;
		out->space = xmalloc(out->space_size);
	}
	s.space = out->space;
	out->inode = (struct inode){ 0 };
	out->white = out->opaque = out->implied = false;
	if (!take(&s, "{\"p\":\""))
		return -EBADMSG;
	out->path = take_coded(&s, &out->path_len);
	if (!out->path || out->path_len > TREE_PATH_MAX || !take(&s, ",\"t\":\"") || s.end - s.p < 2 || s.p[1] != '"')
		return -EBADMSG;
	out->inode.type = s.p[0];
	s.p += 2;
	while (take(&s, ","))
		if (!take_member(&s, out, &attrs))
			return -EBADMSG;
	if (!take(&s, "}") || s.p != nl || !line_sound(out))
		return -EBADMSG;
	*p = nl + 1;
	return 0;
}

const char *table_body(const char *data, size_t n, struct tree_total *total)
{
	const char *nl = memchr(data, '\n', n);
	struct scan s = { .p = data, .end = nl };
	struct tree_total t;

	if (!nl || !take(&s, "{\"table\":1,\"entries\":") || !take_u64(&s, 10, UINT32_MAX, &t.entries) ||
	    !take(&s, ",\"bytes\":") || !take_u64(&s, 10, INT64_MAX, &t.bytes) || !take(&s, "}"))
		return NULL;
	if (total)
		*total = t;
	return nl + 1;
}

static int put_line(struct tree *t, const struct table_line *l)
{
	const struct inode *in = &l->inode;
	struct node *n, *first;
	int r = tree_walk(t, l->path, true, &n);

	if (r < 0 || n->inode || n->white)
		return -EBADMSG;
	if (n->parent && (!n->parent->inode || n->parent->inode->type != 'd'))
		return -EBADMSG;
	n->white = l->white;
	n->opaque = l->opaque;
	n->implied = l->implied;
	if (in->type == '-')
		return l->white ? 0 : -EBADMSG;
	if (in->type == 'h') {
		if (tree_walk(t, in->target, false, &first) < 0 || !first->inode || first->inode->type != 'f')
			return -EBADMSG;
		n->inode = first->inode;
		return 0;
	}
	n->inode = tree_inode(t, in->type);
	*n->inode = *in;
	n->inode->xattrs = n->inode->dropped = NULL;
	if (in->target)
		n->inode->target = tree_strdup(t, in->target, strlen(in->target));
	for (const struct xattr *x = in->xattrs; x; x = x->next)
		n->inode->xattrs = tree_xattr(t, n->inode->xattrs, x->name, x->value, x->len);
	for (const struct xattr *x = in->dropped; x; x = x->next)
		n->inode->dropped = tree_xattr(t, n->inode->dropped, x->name, x->value, x->len);
	return 0;
}

int table_read(struct tree *t, const char *data, size_t n, const char *what, struct error *e)
{
	_cleanup_(table_line_free) struct table_line line = { 0 };
	const char *p = table_body(data, n, NULL), *end = data + n;
	int r;

	if (!p)
		return error_set(e, EBADMSG, "%s: no table of files", what);
	for (size_t number = 2; p < end; number++) {
		r = table_line_parse(&p, end, &line);
		if (r == 0)
			r = put_line(t, &line);
		if (r < 0)
			return error_set(e, r, "%s: damaged in line %zu", what, number);
	}
	return 0;
}

int table_path_cmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	/* '/' sorts right behind the end, so that a folder's content follows it at once. */
	int x = *a == '/' ? 1 : *a ? (unsigned char)*a + 1 : 0, y = *b == '/' ? 1 : *b ? (unsigned char)*b + 1 : 0;

	return x - y;
}

int table_find(const char *data, size_t n, const char *path, struct table_line *out)
{
	const char *low = table_body(data, n, NULL), *high = data + n;

	if (!low)
		return -EBADMSG;
	while (low < high) {
		const char *mid = low + (high - low) / 2, *line, *next;
		int r;

		line = memrchr(low, '\n', (size_t)(mid - low));
		line = line ? line + 1 : low;
		next = line;
		r = table_line_parse(&next, high, out);
		if (r < 0)
			return r;
		r = table_path_cmp(path, out->path);
		if (r == 0)
			return 0;
		if (r < 0)
			high = line;
		else
			low = next;
	}
	return -ENOENT;
}
