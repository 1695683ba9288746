/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/atrest.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/proc.h"
#include "engine/events.h"
#include "engine/ids.h"
#include "image/seen.h"
#include "image/seen_slot.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

/* How often a tree may change under the eyes of who verifies it. */
enum { TRIES = 3 };

/* What the container process checks with; a copy of it is in that process. */
struct atrest {
	struct seen objects, slot;
	bool halved; /* the starting process looks at the objects, at the same time */
};

static void free_atrest(void *arg)
{
	struct atrest *a = arg;

	seen_free(&a->objects);
	seen_free(&a->slot);
	free(a);
}

static int moved(struct error *e, const char *what, const struct seen_moved *m)
{
	_cleanup_free_ char *shown = str_escape(m->what);

	return error_set(e, EUCLEAN, "%s%s was changed since the image was verified", what, shown);
}

/* Runs in the container process. */
static int check(void *arg, int lower, int data, struct error *e)
{
	struct atrest *a = arg;
	struct seen_moved m = { "" };
	int r = data < 0 || a->halved ? 0 : seen_check_objects(&a->objects, data, &m);

	if (r < 0)
		return moved(e, "object ", &m);
	r = seen_check_slot(&a->slot, lower, &m);
	return r < 0 ? moved(e, "", &m) : 0;
}

int atrest_meanwhile(const struct spec *s, struct error *e)
{
	const struct atrest *a = s->root.check_arg;
	struct seen_moved m = { "" };

	if (s->root.check != check || !a->halved)
		return 0;
	return seen_check_objects(&a->objects, s->root.data_fd, &m) < 0 ? moved(e, "object ", &m) : 0;
}

/* --- brig-image -------------------------------------------------------------------------------------------------- */

static int hear(int from, atrest_heard heard, void *arg, struct error *e)
{
	struct verify_message m;
	bool bad = false, done = false;

	for (;;) {
		size_t have = 0;

		while (have < sizeof(m)) {
			ssize_t n = read(from, (char *)&m + have, sizeof(m) - have);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return have ? error_set(e, EIO, "brig-image talks nonsense") : bad ? -EUCLEAN : done ? 0 :
					error_set(e, EIO, "brig-image ended without a word");
			have += (size_t)n;
		}
		if (m.word == VERIFY_ERROR) {
			m.error.text[ERROR_TEXT_MAX - 1] = 0;
			if (e)
				*e = m.error;
			return m.error.code < 0 ? m.error.code : -EIO;
		}
		bad |= m.word == VERIFY_BAD;
		done |= m.word == VERIFY_DONE;
		if (heard)
			heard(arg, &m);
	}
}

int atrest_run(const char *tree, const char *manifest, const char *config, bool deep, bool all, atrest_heard heard, void *arg,
	       struct error *e)
{
	_cleanup_free_ char *path = xasprintf("%sbrig-image", proc_libexec());
	/* named: a literal of a branch would end with it */
	char word_deep[] = "--deep", word_all[] = "--all";
	char *argv[10] = { (char[]){ "brig" }, (char[]){ "__atrest" } };
	_cleanup_close_ int from = -1, to = -1;
	int pipes[2], r, status;
	size_t n = 2;
	pid_t pid;

	if (deep)
		argv[n++] = word_deep;
	if (all)
		argv[n++] = word_all;
	argv[n++] = (char *)tree;
	argv[n++] = (char *)(manifest ? manifest : "-");
	argv[n++] = (char *)(config ? config : "-");
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe2");
	from = pipes[0];
	to = pipes[1];
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (dup2(to, 1) == 1)
			execv(path, argv);
		_exit(127);
	}
	cleanup_close(&to);
	to = -1;
	r = pid < 0 ? error_errno(e, errno, "fork") : hear(from, heard, arg, e);
	status = pid < 0 ? 0 : proc_wait(pid);
	if (r == -EIO && proc_exit_code(status) == 127)
		error_hint(e, "%s cannot be run: install brig as a whole", path);
	return r;
}

/* --- before a start ---------------------------------------------------------------------------------------------- */

static const char *image_name(const struct container *c)
{
	const struct container_config *k = &c->config;

	return k->image_known ? k->image_known : k->image_name ? k->image_name : k->image_id ? k->image_id : "IMAGE";
}

static int refuse(const struct container *c, const char *what, struct error *e)
{
	const char *name = image_name(c);
	struct event_attr attrs[] = { { "reason", what } };

	event_record("image", c->config.image_id ? c->config.image_id : "", name, "verify_fail", attrs, 1, NULL);
	error_set(e, EUCLEAN, "image %s IS NOT WHAT IT WAS, so it does not start: %s", name, what);
	error_hint(e, "brig image repair %s", name);
	return -EUCLEAN;
}

static void first_bad(void *arg, const struct verify_message *m)
{
	char **what = arg;

	if (m->word == VERIFY_BAD && !*what)
		*what = m->bad.path[0] ? xasprintf("%s: %s", m->bad.path, m->bad.text) : xstrdup(m->bad.text);
}

static int verify_objects(const struct container *c, struct error *e)
{
	const struct container_config *k = &c->config;
	_cleanup_free_ char *what = NULL;
	int r = atrest_run(k->tree, k->image_manifest, k->image_id, false, false, first_bad, &what, e);

	if (r == -EUCLEAN)
		return refuse(c, what ? what : "it is damaged", e);
	return r < 0 ? error_wrap(e, "cannot verify image %s", image_name(c)) : 0;
}

/* The index of the tree's objects that counts, made when there is none. */
static int open_objects(const struct container *c, int tree, struct seen *out, struct error *e)
{
	_cleanup_close_ int images = home_data_dir("images", e), blobs = -1;
	struct seen_moved m;
	int r;

	if (images < 0)
		return images;
	blobs = openat(images, "blobs/sha256", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	for (int i = 0; i < TRIES; i++) {
		r = seen_open(tree, c->config.tree, NULL, out);
		if (r == 0)
			r = seen_check_chain(out, tree, blobs, &m);
		if (r == 0)
			return 0;
		seen_free(out);
		r = verify_objects(c, e);
		if (r < 0)
			return r;
	}
	return error_set(e, EBUSY, "image %s changes while it is verified", image_name(c));
}

struct comparison {
	int tree, objects;
	const char *tree_name, *slot;
	FILE *out;
};

static int compare(void *arg, struct error *e)
{
	struct comparison *k = arg;

	return slot_compare(k->tree, k->objects, k->tree_name, k->slot, k->out, e);
}

static int compare_slot(const struct container *c, int tree, const struct spec *s, struct error *e)
{
	struct comparison k = { .tree = tree, .tree_name = c->config.tree, .slot = c->config.slot };
	_cleanup_close_ int objects = store_objects(e), fd = -1;
	_cleanup_fclose_ FILE *out = NULL;
	struct error own = { 0 };
	char tmp[40];
	uint64_t rnd;
	int r;

	if (objects < 0)
		return objects;
	if (getrandom(&rnd, sizeof(rnd), 0) != sizeof(rnd))
		return error_set(e, EIO, "no random bytes");
	snprintf(tmp, sizeof(tmp), ".seen-%016llx", (unsigned long long)rnd);
	fd = openat(tree, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return error_errno(e, errno, "cannot write to the folder of tree %.12s", c->config.tree);
	out = fdopen(fcntl(fd, F_DUPFD_CLOEXEC, 3), "w");
	if (!out)
		return error_errno(e, errno, "fdopen");
	k.objects = objects;
	k.out = out;
	r = home_is_root() ? compare(&k, &own) : ids_run(s, -1, compare, &k, &own);
	if (r == 0)
		r = seen_publish(tree, tmp, c->config.tree, c->config.slot, &own);
	if (r != 0)
		unlinkat(tree, tmp, 0);
	if (r == -EUCLEAN) {
		_cleanup_free_ char *what = xstrdup(own.text);

		return refuse(c, what, e);
	}
	if (r < 0 && e)
		*e = own;
	return r < 0 ? error_wrap(e, "cannot verify image %s", image_name(c)) : 0;
}

static int open_slot(const struct container *c, int tree, const struct spec *s, struct seen *out, struct error *e)
{
	for (int i = 0; i < TRIES; i++) {
		int r = seen_open(tree, c->config.tree, c->config.slot, out);

		if (r == 0)
			return 0;
		r = compare_slot(c, tree, s, e);
		if (r < 0)
			return r;
	}
	return error_set(e, EBUSY, "image %s changes while it is verified", image_name(c));
}

int atrest_ready(const struct container *c, struct spec *s, struct error *e)
{
	_cleanup_close_ int tree = -1;
	struct atrest *a;
	int r;

	if (!c->config.tree)
		return 0;
	tree = tree_dir(c->config.tree, e);
	if (tree < 0)
		return tree;
	a = xcalloc(1, sizeof(*a));
	r = open_objects(c, tree, &a->objects, e);
	if (r == 0)
		r = open_slot(c, tree, s, &a->slot, e);
	if (r < 0) {
		free_atrest(a);
		return r;
	}
	a->halved = s->root.data_fd >= 0;
	s->root.check = check;
	s->root.check_free = free_atrest;
	s->root.check_arg = a;
	return 0;
}

void atrest_doubt(const struct container *c)
{
	if (!c->config.tree)
		return;
	seen_forget(c->config.tree, NULL);
	seen_forget(c->config.tree, c->config.slot);
}

/* --- restarts without root --------------------------------------------------------------------------------------- */

static int open_index(int tree, const char *slot)
{
	char name[96];

	seen_name(slot, name);
	return openat(tree, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

int atrest_fds(const struct container *c, int fds[static ATREST_FDS], struct error *e)
{
	_cleanup_close_ int tree = -1;

	for (int i = 0; i < ATREST_FDS; i++)
		fds[i] = -1;
	if (!c->config.tree)
		return 0;
	tree = tree_dir(c->config.tree, e);
	if (tree < 0)
		return tree;
	fds[0] = open_index(tree, NULL);
	fds[1] = open_index(tree, c->config.slot);
	if (fds[0] >= 0 && fds[1] >= 0)
		return 0;
	error_errno(e, errno, "what was seen of tree %.12s", c->config.tree);
	for (int i = 0; i < ATREST_FDS; i++)
		cleanup_close(&fds[i]);
	return e ? e->code : -EIO;
}

int atrest_from_fds(const struct container *c, const int fds[static ATREST_FDS], struct spec *s, struct error *e)
{
	struct atrest *a;
	int r;

	if (!c->config.tree)
		return 0;
	a = xcalloc(1, sizeof(*a));
	r = seen_map(fds[0], c->config.tree, NULL, &a->objects);
	if (r == 0)
		r = seen_map(fds[1], c->config.tree, c->config.slot, &a->slot);
	if (r < 0) {
		free_atrest(a);
		return error_errno(e, r, "nothing was kept by which image %s is verified", image_name(c));
	}
	s->root.check = check;
	s->root.check_free = free_atrest;
	s->root.check_arg = a;
	return 0;
}
