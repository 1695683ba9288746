/* SPDX-License-Identifier: Apache-2.0 */
#include "image/verify.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/proc.h"
#include "image/assemble.h"
#include "image/oci.h"
#include "image/proof.h"
#include "image/room.h"
#include "image/seen.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024 };

static const uint64_t room_memory = 4ULL << 30, progress_step = 16ULL << 20;

struct verify {
	const struct verify_request *req;
	int tree, objects, blobs, socket;
	uint64_t before; /* see seen_settle() */
	struct seen old; /* what was hashed before; empty: nothing is believed */
	FILE *out;
	struct seen_writer w;
	/* in the room */
	struct hash *hash;
	char *data;
	uint64_t done, told, total, files;
	bool bad;
	struct error *e;
};

/* --- in the room ------------------------------------------------------------------------------------------------- */

static void tell(struct verify *v, const struct verify_message *m)
{
	/* If the parent is gone, nothing that happens here matters. */
	if (socket_send(v->socket, m, sizeof(*m), NULL, 0) < 0)
		_exit(1);
}

/* -EUCLEAN when it is enough, else 0. */
__attribute__((format(printf, 5, 6))) static int bad(struct verify *v, enum verify_kind kind, const char *name, const char *path,
						     const char *fmt, ...)
{
	struct verify_message m = { .word = VERIFY_BAD, .bad.kind = kind };
	va_list ap;

	snprintf(m.bad.name, sizeof(m.bad.name), "%s", name);
	if (path) {
		_cleanup_free_ char *full = xasprintf("/%s", path), *shown = str_escape(full);

		snprintf(m.bad.path, sizeof(m.bad.path), "%s", shown);
	}
	va_start(ap, fmt);
	vsnprintf(m.bad.text, sizeof(m.bad.text), fmt, ap);
	va_end(ap);
	v->bad = true;
	tell(v, &m);
	return v->req->all ? 0 : -EUCLEAN;
}

static void progress(struct verify *v, uint64_t n)
{
	v->done += n;
	if (v->done - v->told < progress_step)
		return;
	v->told = v->done;
	tell(v, &(struct verify_message){ .word = VERIFY_PROGRESS, .bytes = { v->done, v->total } });
}

static int hash_fd(struct verify *v, int fd, unsigned char sha[static SHA256_LEN])
{
	ssize_t n;

	hash_start(v->hash);
	while ((n = read(fd, v->data, CHUNK)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		hash_add(v->hash, v->data, (size_t)n);
		progress(v, (uint64_t)n);
	}
	hash_end(v->hash, sha);
	return 0;
}

static int open_plain(int dir, const char *name, struct stat *st)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, st) < 0)
		return -errno;
	return S_ISREG(st->st_mode) ? steal_fd(&fd) : -EUCLEAN;
}

static const char *why(int r)
{
	return r == -ENOENT ? "it is not there" : r == -EUCLEAN || r == -ELOOP ? "it is not a regular file" : strerror(-r);
}

/* 1: its bytes are what its name says. */
static int check_blob(struct verify *v, const char *hex, const char *what)
{
	unsigned char sha[SHA256_LEN];
	char got[DIGEST_SIZE];
	struct stat st;
	_cleanup_close_ int fd = open_plain(v->blobs, hex, &st);
	int r = fd < 0 ? fd : hash_fd(v, fd, sha);

	if (r < 0)
		return bad(v, VERIFY_BLOB, hex, NULL, "%s sha256:%.64s: %s", what, hex, why(r));
	hex_encode(sha, sizeof(sha), got);
	if (!streq(got, hex))
		return bad(v, VERIFY_BLOB, hex, NULL, "%s sha256:%.64s: its bytes have the digest sha256:%s", what, hex, got);
	seen_put(&v->w, 'b', &st, hex);
	return 1;
}

static json_t *read_document(struct verify *v, const char *hex, struct error *own)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r = file_read(v->blobs, hex, OCI_DOCUMENT_MAX, &text, &n);

	if (r < 0) {
		error_errno(own, r, "sha256:%.12s", hex);
		return NULL;
	}
	return json_parse(text, n, hex, own);
}

static int check_config(struct verify *v)
{
	_cleanup_(oci_config_free) struct oci_config c = { 0 };
	const struct verify_request *q = v->req;
	struct error own = { 0 };
	char chain[DIGEST_SIZE];
	json_t *j;
	int r = check_blob(v, q->config, "configuration");

	if (r <= 0)
		return r;
	j = read_document(v, q->config, &own);
	if (!j || oci_config_read(j, &q->limits, &c, &own) < 0)
		return bad(v, VERIFY_CHAIN, q->config, NULL, "configuration sha256:%.64s: %.200s", q->config, own.text);
	chain_id((const char(*)[DIGEST_SIZE])c.diff_ids, c.n, chain);
	if (!streq(chain, q->tree))
		return bad(v, VERIFY_CHAIN, q->config, NULL, "its layers make the tree %.12s, not %.12s", chain, q->tree);
	return 0;
}

static int check_manifest(struct verify *v)
{
	_cleanup_(oci_manifest_free) struct oci_manifest m = { 0 };
	const struct verify_request *q = v->req;
	struct error own = { 0 };
	json_t *j;
	int r = check_blob(v, q->manifest, "manifest");

	if (r <= 0)
		return r;
	j = read_document(v, q->manifest, &own);
	if (!j || oci_manifest_read(j, &q->limits, &m, &own) < 0)
		return bad(v, VERIFY_CHAIN, q->manifest, NULL, "manifest sha256:%.64s: %.200s", q->manifest, own.text);
	if (!streq(m.config.hex, q->config))
		return bad(v, VERIFY_CHAIN, q->manifest, NULL, "manifest sha256:%.12s names the configuration sha256:%.12s, not %.12s",
			   q->manifest, m.config.hex, q->config);
	for (size_t i = 0; q->deep && i < m.n; i++) {
		r = check_blob(v, m.layers[i].hex, "layer");
		if (r < 0)
			return r;
	}
	return 0;
}

struct wanted {
	char name[OBJECT_NAME_LEN + 1];
	uint32_t at; /* line of the table, from its beginning */
	uint64_t size;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct wanted *)a)->name, ((const struct wanted *)b)->name);
}

/* The objects of the table, sorted, each once. */
static int list_objects(struct verify *v, const struct table_map *m, struct wanted **out, size_t *n)
{
	_cleanup_(table_line_free) struct table_line line = { 0 };
	const char *p = table_body(m->data, m->size, NULL), *end = m->data + m->size;
	size_t room = 0, all = 0, kept = 0;
	struct wanted *list = NULL;

	*out = NULL;
	*n = 0;
	while (p && p < end) {
		const char *line_at = p;

		if (table_line_parse(&p, end, &line) < 0)
			p = NULL;
		if (!p || !line.inode.object[0])
			continue;
		if (all == room) {
			room = room ? room * 2 : 1024;
			list = xrealloc(list, room, sizeof(*list));
		}
		list[all] = (struct wanted){ .at = (uint32_t)(line_at - m->data), .size = line.inode.size };
		memcpy(list[all++].name, line.inode.object, sizeof(list->name));
	}
	if (!p) {
		free(list);
		return bad(v, VERIFY_TABLE, "table", NULL, "the table of the tree is damaged");
	}
	if (all)
		qsort(list, all, sizeof(*list), by_name);
	for (size_t i = 0; i < all; i++)
		if (kept == 0 || !streq(list[kept - 1].name, list[i].name))
			list[kept++] = list[i];
	*out = list;
	*n = kept;
	return 0;
}

static void path_at(const struct table_map *m, uint32_t at, char **path)
{
	_cleanup_(table_line_free) struct table_line line = { 0 };
	const char *p = m->data + at;

	*path = table_line_parse(&p, m->data + m->size, &line) < 0 ? NULL : xstrdup(line.path);
}

static int check_object(struct verify *v, const struct table_map *m, const struct wanted *w, const struct seen_line *old)
{
	unsigned char sha[SHA256_LEN];
	char got[OBJECT_NAME_LEN + 2];
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	v->files++;
	if (old && fstatat(v->objects, w->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && seen_same(old, &st) &&
	    (uint64_t)st.st_size == w->size) {
		seen_put(&v->w, 'o', &st, w->name);
		return 0;
	}
	fd = open_plain(v->objects, w->name, &st);
	r = fd < 0 ? fd : hash_fd(v, fd, sha);
	if (r == 0) {
		object_name(sha, got);
		if (streq(got, w->name) && (uint64_t)st.st_size == w->size) {
			seen_put(&v->w, 'o', &st, w->name);
			return 0;
		}
	}
	path_at(m, w->at, &path);
	if (r < 0)
		return bad(v, VERIFY_OBJECT, w->name, path, "its bytes (objects/%s): %s", w->name, why(r));
	return bad(v, VERIFY_OBJECT, w->name, path, "its bytes (objects/%s) are not what they were", w->name);
}

/* The next object of the earlier index that is not before `name`; both are sorted. */
static const struct seen_line *find_old(struct verify *v, const char **p, struct seen_line *line, const char *name)
{
	if (!v->old.data)
		return NULL;
	while (line->kind != 'o' || strcmp(line->name, name) < 0) {
		if (seen_next(&v->old, p, line) <= 0) {
			line->kind = 'o';
			line->name[0] = 0x7f; /* behind all */
			line->name[1] = 0;
		}
	}
	return streq(line->name, name) ? line : NULL;
}

static int check_objects(struct verify *v, const struct table_map *m)
{
	_cleanup_free_ struct wanted *list = NULL;
	struct seen_line old = { 0 };
	const char *p = v->old.data ? seen_first(&v->old) : NULL;
	size_t n;
	int r = list_objects(v, m, &list, &n);

	for (size_t i = 0; i < n; i++)
		v->total += list[i].size;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = check_object(v, m, &list[i], find_old(v, &p, &old, list[i].name));
	return r;
}

static int note_tables(struct verify *v)
{
	static const char *const names[] = { "table", "ids" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct stat st;

		if (fstatat(v->tree, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			return bad(v, VERIFY_TABLE, names[i], NULL, "%s of the tree: %s", names[i], strerror(errno));
		seen_put(&v->w, 't', &st, names[i]);
	}
	return 0;
}

static int look(struct verify *v)
{
	_cleanup_(table_unmap) struct table_map m = { 0 };
	int r = v->req->manifest ? check_manifest(v) : 0;

	if (r >= 0 && v->req->config)
		r = check_config(v);
	if (r >= 0)
		r = note_tables(v);
	if (r < 0)
		return r;
	r = table_map(v->tree, &m);
	if (r < 0)
		return bad(v, VERIFY_TABLE, "table", NULL, "the table of the tree: %s", strerror(-r));
	return check_objects(v, &m);
}

static void __attribute__((noreturn)) run_room(struct verify *v)
{
	const int read_dirs[] = { v->objects, v->blobs, v->tree };
	struct room room = { .read_dirs = read_dirs, .n_read = ARRAY_SIZE(read_dirs), .look = true, .memory = room_memory,
			     .file_size = 1ULL << 30, .keep_reading = true, .accept_no_landlock = v->req->accept_no_landlock };
	struct verify_message m = { .word = VERIFY_ERROR };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	v->hash = hash_new();
	v->data = xmalloc(CHUNK);
	/* OpenSSL looks for its implementation now, and not where it may open nothing. */
	hash_add(v->hash, "", 0);
	if (room_enter(&room, &m.error) < 0) {
		tell(v, &m);
		_exit(1);
	}
	seen_begin(&v->w, v->out, v->req->tree, NULL);
	if (look(v) == 0 && !v->bad) {
		seen_end(&v->w);
		if (v->w.newest > v->before)
			(void)!ftruncate(fileno(v->out), 0);
	}
	if (fflush(v->out) != 0) {
		error_errno(&m.error, errno, "cannot write what was seen of a tree");
		tell(v, &m);
		_exit(1);
	}
	tell(v, &(struct verify_message){ .word = VERIFY_DONE, .sum = { v->files, v->done } });
	_exit(0);
}

/* --- outside ----------------------------------------------------------------------------------------------------- */

/* What the room says is shown, so it is made printable here; nothing else follows from it. */
static void pass_on(struct verify *v, struct verify_message *m)
{
	if (m->word == VERIFY_BAD) {
		m->bad.name[sizeof(m->bad.name) - 1] = m->bad.path[sizeof(m->bad.path) - 1] = m->bad.text[sizeof(m->bad.text) - 1] = 0;
		v->bad = true;
	}
	if (v->req->tell)
		v->req->tell(v->req->arg, m);
}

static int hear(struct verify *v, int socket)
{
	struct verify_message m;

	for (;;) {
		ssize_t n = socket_recv(socket, &m, sizeof(m), NULL, NULL);

		if (n != (ssize_t)sizeof(m))
			return error_set(v->e, EIO, "the process that verifies the image ended without a word");
		if (m.word == VERIFY_ERROR) {
			m.error.text[ERROR_TEXT_MAX - 1] = 0;
			if (v->e)
				*v->e = m.error;
			return m.error.code < 0 ? m.error.code : -EIO;
		}
		pass_on(v, &m);
		if (m.word == VERIFY_DONE)
			return 0;
	}
}

static int run(struct verify *v)
{
	int pair[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(v->e, errno, "socketpair");
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		v->socket = pair[1];
		run_room(v);
	}
	close(pair[1]);
	r = pid < 0 ? error_errno(v->e, errno, "fork") : hear(v, pair[0]);
	if (pid > 0) {
		if (r < 0)
			kill(pid, SIGKILL);
		proc_wait(pid);
	}
	close(pair[0]);
	return r;
}

static void take_old(struct verify *v, const struct store_key *k)
{
	_cleanup_close_ int fd = openat(v->tree, "seen", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	size_t signed_part;

	if (fd < 0 || seen_map(fd, v->req->tree, NULL, &v->old) < 0)
		return;
	signed_part = v->old.size - SEEN_CODE_HEX - 1;
	if (!store_key_fits(k, v->old.data, signed_part, v->old.data + signed_part))
		seen_free(&v->old);
}

/* The room's work gets its code, which the room could not make, and its name. */
static int finish(struct verify *v, const struct store_key *k, int fd, const char *tmp)
{
	char code[DIGEST_SIZE + 1];
	struct stat st;
	void *p;
	int r;

	if (fstat(fd, &st) < 0)
		return error_errno(v->e, errno, "%s", tmp);
	if (st.st_size == 0)
		return 0; /* something changed this very moment */
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return error_errno(v->e, errno, "%s", tmp);
	store_key_code(k, p, (size_t)st.st_size, code);
	munmap(p, (size_t)st.st_size);
	code[DIGEST_HEX] = '\n';
	r = lseek(fd, 0, SEEK_END) < 0 ? -errno : fd_write_all(fd, code, DIGEST_HEX + 1);
	if (r < 0)
		return error_errno(v->e, r, "cannot write what was seen of a tree");
	return seen_publish(v->tree, tmp, v->req->tree, NULL, v->e);
}

static int verify_with(struct verify *v, const struct store_key *k)
{
	_cleanup_close_ int fd = -1;
	char tmp[40];
	uint64_t rnd;
	int r;

	if (getrandom(&rnd, sizeof(rnd), 0) != sizeof(rnd))
		return error_set(v->e, EIO, "no random bytes");
	snprintf(tmp, sizeof(tmp), ".seen-%016llx", (unsigned long long)rnd);
	/* Locked while it is written: store_collect() removes what a killed process left. */
	fd = openat(v->tree, tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return error_errno(v->e, errno, "cannot write to the folder of a tree");
	v->out = fdopen(fcntl(fd, F_DUPFD_CLOEXEC, 3), "w");
	r = v->out ? run(v) : error_errno(v->e, errno, "fdopen");
	if (v->out)
		fclose(v->out);
	if (r == 0 && !v->bad)
		r = finish(v, k, fd, tmp);
	unlinkat(v->tree, tmp, 0);
	return r;
}

static int open_all(struct verify *v)
{
	_cleanup_close_ int images = -1;

	v->tree = tree_dir(v->req->tree, v->e);
	if (v->tree < 0)
		return v->tree;
	v->objects = store_objects(v->e);
	if (v->objects < 0)
		return v->objects;
	images = home_data_dir("images", v->e);
	if (images < 0)
		return images;
	v->blobs = openat(images, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return v->blobs < 0 ? error_errno(v->e, errno, "cannot open %s/images/blobs", home_data_path(NULL)) : 0;
}

static void check_proof(struct verify *v, const struct store_key *k)
{
	struct verify_message m = { .word = VERIFY_BAD, .bad.kind = VERIFY_TABLE };
	const char *what;
	int r = proof_check(v->tree, PROOF_TREE, v->req->tree, k, &what);

	if (r == 0)
		return;
	snprintf(m.bad.name, sizeof(m.bad.name), "%s", what);
	if (r == -ENOKEY)
		snprintf(m.bad.text, sizeof(m.bad.text), "nothing proves the table of its files: it was unpacked under another key, or before "
			 "brig kept one");
	else
		snprintf(m.bad.text, sizeof(m.bad.text), "the %s of its files (trees/%.12s/%s) is not what was unpacked",
			 streq(what, "ids") ? "list of ids" : what, v->req->tree, what);
	pass_on(v, &m);
}

int verify_tree(const struct verify_request *req, struct error *e)
{
	struct verify v = { .req = req, .tree = -1, .objects = -1, .blobs = -1, .e = e };
	struct store_key key;
	int r = store_key_read(&key, e);

	if (r == 0)
		r = open_all(&v);
	if (r == 0) {
		v.before = seen_now();
		seen_settle(v.before);
		check_proof(&v, &key);
		if (!req->deep)
			take_old(&v, &key);
	}
	if (r == 0 && (!v.bad || req->all))
		r = verify_with(&v, &key);
	if (v.bad)
		seen_forget(req->tree, NULL);
	seen_free(&v.old);
	cleanup_close(&v.tree);
	cleanup_close(&v.objects);
	cleanup_close(&v.blobs);
	return r < 0 ? r : v.bad ? -EUCLEAN : 0;
}
