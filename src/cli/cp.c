/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "engine/copy.h"
#include "engine/view.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>

struct cp_options {
	bool archive, follow;
};

static const struct cli_option options[] = {
	CLI_OPT(struct cp_options, archive, "archive", 'a', CLI_FLAG, NULL,
		"keep owners, and set-user-id bits on the way out", NULL),
	CLI_OPT(struct cp_options, follow, "follow-link", 'L', CLI_FLAG, NULL, "follow a link that is named as SOURCE", NULL),
	CLI_END,
};

/* What the container's side does, in its own process. */
struct side {
	bool packs;
	struct copy_pack pack;
	struct copy_unpack unpack;
	int fd, other; /* its end of the stream, and the end that is not its (-1: none) */
};

static void tell_left_out(uint64_t n)
{
	if (n)
		cli_warn("%llu socket%s or device%s left out", (unsigned long long)n, n == 1 ? "" : "s",
			 n == 1 ? " was" : "s were");
}

static int run_side(int root_fd, void *ctx, struct error *e)
{
	struct side *s = ctx;
	uint64_t left_out = 0;
	int r;

	cleanup_close(&s->other);
	s->pack.from.root = s->unpack.to.root = root_fd;
	r = s->packs ? copy_pack(&s->pack, s->fd, &left_out, e) : copy_unpack(&s->unpack, s->fd, e);
	tell_left_out(left_out);
	return r;
}

/*
 * Both sides may have failed, one because of the other: the packer's reason counts, unless it is only that nobody read.
 */
static int settle(int packed, struct error *packer, int unpacked, struct error *unpacker, struct error *e)
{
	if (packed < 0 && (packed != -EPIPE || unpacked == 0)) {
		*e = *packer;
		return packed;
	}
	if (unpacked < 0)
		*e = *unpacker;
	return unpacked;
}

static int out_of_container(struct container *c, struct side *s, const char *dest, bool archive, struct error *e)
{
	const struct copy_unpack here = { .to = { -1, dest }, .owners = archive, .keep_setid = archive };
	struct error packer = { 0 }, unpacker = { 0 };
	struct view v;
	int p[2], r, packed;

	if (pipe2(p, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe");
	s->fd = p[1];
	s->other = p[0];
	r = view_start(c, run_side, s, &v, e);
	close(p[1]);
	if (r < 0) {
		close(p[0]);
		return r;
	}
	r = copy_unpack(&here, p[0], &unpacker);
	close(p[0]);
	packed = view_wait(&v, &packer);
	return settle(packed, &packer, r, &unpacker, e);
}

static int into_container(struct container *c, struct side *s, const char *source, bool follow, struct error *e)
{
	const struct copy_pack here = { .from = { -1, source }, .follow = follow };
	struct error packer = { 0 }, unpacker = { 0 };
	uint64_t left_out;
	struct view v;
	int p[2], r, unpacked;

	if (pipe2(p, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe");
	s->fd = p[0];
	s->other = p[1];
	r = view_start(c, run_side, s, &v, e);
	close(p[0]);
	if (r < 0) {
		close(p[1]);
		return r;
	}
	r = copy_pack(&here, p[1], &left_out, &packer);
	close(p[1]);
	unpacked = view_wait(&v, &unpacker);
	tell_left_out(left_out);
	return settle(r, &packer, unpacked, &unpacker, e);
}

static int by_stream(struct container *c, struct side *s, int fd, struct error *e)
{
	struct view v;
	int r;

	s->fd = fd;
	s->other = -1;
	r = view_start(c, run_side, s, &v, e);
	return r < 0 ? r : view_wait(&v, e);
}

/* "CONTAINER:PATH", where CONTAINER has no slash and is not "." or empty. The path, or NULL: a path of the host. */
static const char *inside(const char *arg, char **container)
{
	size_t n = strcspn(arg, ":/");

	if (arg[n] != ':' || n == 0 || arg[0] == '.')
		return NULL;
	*container = xstrndup(arg, n);
	return arg + n + 1;
}

static int copy(const struct cp_options *o, struct container *c, const char *from_in, const char *to_in, char **argv,
		struct error *e)
{
	struct side s = {
		.packs = from_in != NULL,
		.pack = { .from = { -1, from_in }, .follow = o->follow },
		.unpack = { .to = { -1, to_in }, .owners = o->archive, .keep_setid = true },
	};

	if (from_in && streq(argv[1], "-")) {
		if (isatty(1))
			return error_set(e, EINVAL, "an archive is not written to a terminal; use > FILE or | tar x");
		return by_stream(c, &s, 1, e);
	}
	if (to_in && streq(argv[0], "-")) {
		s.unpack.into = true;
		return by_stream(c, &s, 0, e);
	}
	return from_in ? out_of_container(c, &s, argv[1], o->archive, e) : into_container(c, &s, argv[0], o->follow, e);
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	_cleanup_free_ char *from_name = NULL, *to_name = NULL;
	const char *from_in = inside(argv[0], &from_name), *to_in = inside(argv[1], &to_name);
	struct container c;
	int r;

	(void)argc;
	if (from_in && to_in)
		return error_set(e, EINVAL, "files are not copied from one container to another; use a pipe: "
					    "brig cp %s - | brig cp - %s", argv[0], argv[1]);
	if (!from_in && !to_in) {
		error_set(e, EINVAL, "neither %s nor %s is in a container", argv[0], argv[1]);
		error_hint(e, "write CONTAINER:PATH");
		return -EINVAL;
	}
	if ((from_in && !*from_in) || (to_in && !*to_in))
		return error_set(e, EINVAL, "%s: a path is missing", from_in ? argv[0] : argv[1]);
	r = container_find(from_in ? from_name : to_name, &c, e);
	if (r < 0)
		return r;
	signal(SIGPIPE, SIG_IGN);
	r = copy(options_, &c, from_in, to_in, argv, e);
	container_free(&c);
	return r < 0 ? error_wrap(e, "cannot copy %s to %s", argv[0], argv[1]) : 0;
}

const struct cli_command cmd_cp = {
	.name = "cp",
	.aliases = "container cp",
	.group = "Containers",
	.args = "[OPTIONS] CONTAINER:PATH|PATH|- CONTAINER:PATH|PATH|-",
	.summary = "copy files between a container and the host",
	.description =
		"The container may run or not. A file is copied onto a file, or into a folder that exists; a folder is copied into a "
		"folder that exists, or becomes it when it does not; SOURCE/. means what is in the folder. \"-\" reads or writes a tar "
		"archive: as SOURCE it is unpacked into a folder of the container that exists.\n\n"
		"In the container files belong to its root, on the host to the caller; -a keeps the owner's numbers as the container "
		"knows them. Set-user-id and set-group-id bits do not come out of a container without -a. Links are copied as links "
		"and never followed below SOURCE. Sockets and devices are left out.",
	.options = options,
	.options_size = sizeof(struct cp_options),
	.min_args = 2,
	.max_args = 2,
	.complete = "paths",
	.run = run,
};
