// SPDX-License-Identifier: Apache-2.0
/*
 * The Landlock wall: reading and executing is not its business; changing files is allowed below declared places only,
 * TCP bind on declared ports only, signals and abstract sockets stay inside.
 *
 * Landlock cannot take away below what it gave: with a writable root the rule stands on each folder of / but /proc, /sys
 * and /dev, so that what the kernel shows there stays unwritable even where a mount was forgotten.
 */
#include "confine/landlock.h"
#include "confine/landlock_test.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's headers end at ABI 2. */
struct ruleset_attr {
	uint64_t fs, net, scoped;
};
struct path_beneath {
	uint64_t access;
	int32_t fd;
} __attribute__((packed));
struct net_port {
	uint64_t access, port;
};
enum {
	RULE_PATH_BENEATH = 1,
	RULE_NET_PORT = 2, /* ABI 4, Linux 6.7 */
	CREATE_VERSION = 1 << 0,
	LOG_SAME_EXEC_OFF = 1 << 0,  /* ABI 7, Linux 6.15 */
	LOG_SUBDOMAINS_OFF = 1 << 2, /* ABI 7 */
};
#define FS_WRITE_FILE  (UINT64_C(1) << 1)
#define FS_REMOVE_DIR  (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_CHAR   (UINT64_C(1) << 6)
#define FS_MAKE_DIR    (UINT64_C(1) << 7)
#define FS_MAKE_REG    (UINT64_C(1) << 8)
#define FS_MAKE_SOCK   (UINT64_C(1) << 9)
#define FS_MAKE_FIFO   (UINT64_C(1) << 10)
#define FS_MAKE_BLOCK  (UINT64_C(1) << 11)
#define FS_MAKE_SYM    (UINT64_C(1) << 12)
#define FS_REFER       (UINT64_C(1) << 13) /* ABI 2, Linux 5.19 */
#define FS_TRUNCATE    (UINT64_C(1) << 14) /* ABI 3, Linux 6.2 */
#define FS_IOCTL_DEV   (UINT64_C(1) << 15) /* ABI 5, Linux 6.10 */
#define NET_BIND_TCP   (UINT64_C(1) << 0)  /* ABI 4 */
#define SCOPE_ABSTRACT (UINT64_C(1) << 0)  /* ABI 6, Linux 6.12 */
#define SCOPE_SIGNAL   (UINT64_C(1) << 1)  /* ABI 6 */

/* All that changes files; devices can be made nowhere. */
#define FS_FILE	   (FS_WRITE_FILE | FS_TRUNCATE)
#define FS_MAKE	   (FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_SYM)
#define FS_FOLDER  (FS_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE | FS_REFER)
#define FS_HANDLED (FS_FOLDER | FS_MAKE_CHAR | FS_MAKE_BLOCK | FS_IOCTL_DEV)
/* /dev holds the container's own few nodes; daemons make sockets there (/dev/log). */
#define FS_DEV	   (FS_FILE | FS_IOCTL_DEV | FS_MAKE_SOCK | FS_REMOVE_FILE)

static const char *const details[] = { "fs", "proc", "bind", "ephemeral", "scope", NULL };
static const char *const texts[] = { "writes anywhere", "writes to /proc", "TCP bind on any port",
				     "TCP bind on ports that the kernel picks",
				     "signals and abstract sockets not scoped", NULL };

int landlock_abi(void)
{
	long r = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);

	return r > 0 ? (int)r : 0;
}

static bool lowered(const struct spec *s, const char *detail)
{
	return spec_lowered(s, "landlock", detail);
}

void landlock_handled(const struct spec *s, int abi, struct landlock_scope *out)
{
	*out = (struct landlock_scope){ 0 };
	if (abi >= 1 && !lowered(s, "fs")) {
		out->fs = FS_HANDLED & ~(FS_REFER | FS_TRUNCATE | FS_IOCTL_DEV);
		out->fs |= abi >= 2 ? FS_REFER : 0;
		out->fs |= abi >= 3 ? FS_TRUNCATE : 0;
		out->fs |= abi >= 5 ? FS_IOCTL_DEV : 0;
	}
	if (abi >= 4 && !lowered(s, "bind"))
		out->net = NET_BIND_TCP;
	if (abi >= 6 && !lowered(s, "scope"))
		out->scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
}

/* Law 2: what this kernel cannot do must be accepted by name. Puts the accepted parts into `missing`. */
static int check_parts(const struct spec *s, int abi, struct buf *missing, struct error *e)
{
	static const struct {
		const char *detail, *what, *kernel;
		int abi;
	} parts[] = {
		{ "fs", "writing only to declared places", "5.13", 1 },
		{ "bind", "TCP bind only to declared ports", "6.7", 4 },
		{ "scope", "scoped signals and abstract sockets", "6.12", 6 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (abi >= parts[i].abi)
			continue;
		if (!spec_accepts(s, "landlock", parts[i].detail)) {
			error_set(e, EOPNOTSUPP, "the kernel has %s (ABI %d) but %s needs Linux %s",
				  abi ? "an older Landlock" : "no Landlock", abi, parts[i].what, parts[i].kernel);
			error_hint(e, "--lower landlock=%s starts without it (or accept_lowered in brig.conf)",
				   parts[i].detail);
			return -EOPNOTSUPP;
		}
		buf_printf(missing, "%s%s needs Linux %s", missing->len ? ", " : "", parts[i].what, parts[i].kernel);
	}
	return 0;
}

static void words_fs(const struct spec *s, int abi, struct buf *b)
{
	size_t places = 0;

	if (abi < 1 || lowered(s, "fs"))
		return;
	for (size_t i = 0; i < s->n_mounts; i++)
		places += s->mounts[i].writable;
	buf_printf(b, "writes %s%zu declared %s", s->root.read_only ? "only to " : "only to its own layer and ",
		   places, places == 1 ? "place" : "places");
	if (abi < 3)
		buf_puts(b, " (truncate not covered before Linux 6.2)");
	buf_puts(b, "; ");
}

static void words_bind(const struct spec *s, int abi, struct buf *b)
{
	if (abi < 4 || lowered(s, "bind"))
		return;
	buf_printf(b, "TCP bind on %s", s->n_expose_tcp ? "" : "no port");
	for (size_t i = 0; i < s->n_expose_tcp && b->len < 250; i++)
		buf_printf(b, "%s%u", i ? "," : "", s->expose_tcp[i]);
	buf_puts(b, "; ");
}

/* What is lowered, by name: for the note. */
static void words_lowered(const struct spec *s, struct buf *b)
{
	for (size_t i = 0; details[i]; i++)
		if (lowered(s, details[i]))
			buf_printf(b, "%s%s (%s)", b->len ? ", " : "", details[i], texts[i]);
}

int landlock_plan(const struct spec *s, int abi, struct plan *p, struct error *e)
{
	_cleanup_buf_ struct buf text = { 0 }, note = { 0 }, missing = { 0 };
	bool whole = lowered(s, NULL);
	int r;

	p->landlock_abi = abi;
	r = check_parts(s, abi, &missing, e);
	if (r < 0)
		return r;
	words_lowered(s, &note);
	words_fs(s, abi, &text);
	words_bind(s, abi, &text);
	if (abi >= 6 && !lowered(s, "scope"))
		buf_puts(&text, "signals and abstract sockets scoped; ");
	buf_printf(&text, "ABI %d", abi);
	if (missing.len)
		wall_not_up(p, WALL_LANDLOCK, INTENT_ABSENT, missing.data, "%s", text.data);
	else if (whole)
		wall_not_up(p, WALL_LANDLOCK, INTENT_LOWERED, "the whole wall", "nothing restricted; ABI %d", abi);
	else if (note.len)
		wall_not_up(p, WALL_LANDLOCK, INTENT_LOWERED, note.data, "%s", text.data);
	else
		wall_up(p, WALL_LANDLOCK, "%s", text.data);
	return 0;
}

static int plan(const struct spec *s, struct plan *p, struct error *e)
{
	return landlock_plan(s, landlock_abi(), p, e);
}

/* One ruleset in the making. */
struct rules {
	int fd, root;
	struct landlock_scope handled;
};

/* Allows `access` on the file or below the folder behind `fd`. */
static int allow(const struct rules *r, int fd, uint64_t access)
{
	struct path_beneath rule = { .access = access & r->handled.fs, .fd = fd };

	if (!rule.access)
		return 0;
	return syscall(SYS_landlock_add_rule, r->fd, RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

/* The same for what may be a file: the kernel refuses a folder's rights on it. */
static int allow_fd(const struct rules *r, int fd, uint64_t access)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return allow(r, fd, S_ISDIR(st.st_mode) ? access : access & (FS_FILE | FS_IOCTL_DEV));
}

static int allow_path(const struct rules *r, const char *path, int flags, uint64_t access)
{
	_cleanup_close_ int fd = path_open_in(r->root, path, O_PATH | flags, 0);

	return fd < 0 ? fd : allow_fd(r, fd, access);
}

/*
 * Files and terminals that the process holds as stdin, stdout or stderr: programs open them again as /dev/stdout. Pipes and
 * sockets need no rule.
 */
static int allow_stdio(const struct rules *r, struct error *e)
{
	for (int fd = 0; fd <= 2; fd++) {
		int flags = fcntl(fd, F_GETFL), err;
		struct stat st;

		if (flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) == O_RDONLY || fstat(fd, &st) < 0)
			continue;
		if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
			continue;
		err = allow_fd(r, fd, FS_FILE | FS_IOCTL_DEV);
		if (err < 0 && err != -EBADFD) /* EBADFD: an internal file, which needs no rule */
			return error_errno(e, err, "descriptor %d", fd);
	}
	return 0;
}

static int allow_places(const struct rules *r, const struct spec *s, struct error *e)
{
	int err;

	/*
	 * The container's own layer is a declared place, all of it: a program may make files anywhere in it. What must not be
	 * written below / is mounted read-only (/proc, binds); what lies outside (a folder that leaked in) has no rule.
	 */
	err = s->root.read_only ? 0 : allow_path(r, "/", 0, FS_FOLDER);
	if (err < 0)
		return error_errno(e, err, "/");
	for (size_t i = 0; i < s->n_mounts; i++) {
		if (!s->mounts[i].writable)
			continue;
		err = allow_path(r, s->mounts[i].target, 0, FS_FOLDER);
		if (err < 0)
			return error_errno(e, err, "writable place %s", s->mounts[i].target);
	}
	err = allow_path(r, "/dev", O_NOFOLLOW, FS_DEV);
	if (err < 0 && err != -ENOENT)
		return error_errno(e, err, "/dev");
	/* mq_open(3) works on a mount of the kernel's own, of which only the root folder is the same (mq_overview(7)). */
	err = allow_path(r, "/dev/mqueue", O_NOFOLLOW, FS_FOLDER);
	if (err < 0 && err != -ENOENT)
		return error_errno(e, err, "/dev/mqueue");
	if (landlock_opens_proc(s)) {
		err = allow_path(r, "/proc", O_NOFOLLOW, FS_FILE);
		if (err < 0 && err != -ENOENT)
			return error_errno(e, err, "/proc");
	}
	return allow_stdio(r, e);
}

static int allow_port(const struct rules *r, uint16_t port)
{
	struct net_port rule = { .access = NET_BIND_TCP, .port = port };

	return syscall(SYS_landlock_add_rule, r->fd, RULE_NET_PORT, &rule, 0) < 0 ? -errno : 0;
}

static int allow_ports(const struct rules *r, const struct spec *s, struct error *e)
{
	int err = lowered(s, "ephemeral") ? allow_port(r, 0) : 0;

	for (size_t i = 0; err == 0 && i < s->n_expose_tcp; i++)
		err = allow_port(r, s->expose_tcp[i]);
	return err < 0 ? error_errno(e, err, "TCP ports") : 0;
}

/*
 * What a container tries and fails is not written to the host's audit log, which it could flood, nor what sandboxes that
 * it makes inside do.
 */
static int restrict_self(const struct rules *r, int abi, struct error *e)
{
	unsigned flags = abi >= 7 ? LOG_SAME_EXEC_OFF | LOG_SUBDOMAINS_OFF : 0;

	if (syscall(SYS_landlock_restrict_self, r->fd, flags) == 0)
		return 0;
	if (errno == EPERM)
		return error_set(e, EPERM, "no_new_privs is not set and CAP_SYS_ADMIN is missing");
	if (errno == E2BIG)
		return error_set(e, E2BIG, "16 Landlock layers are in force already, the kernel's limit");
	return error_errno(e, errno, "landlock_restrict_self");
}

static int raise_rules(struct launch *l, struct rules *r, struct error *e)
{
	const struct spec *s = l->plan->spec;
	struct ruleset_attr attr = { r->handled.fs, r->handled.net, r->handled.scoped };
	size_t size = l->plan->landlock_abi >= 6 ? 24 : l->plan->landlock_abi >= 4 ? 16 : 8;
	int err;

	r->fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (r->fd < 0)
		return error_errno(e, errno, "landlock_create_ruleset");
	if (r->handled.fs) {
		err = allow_places(r, s, e);
		if (err < 0)
			return err;
	}
	return r->handled.net ? allow_ports(r, s, e) : 0;
}

static int raise_all(struct launch *l, struct rules *r, struct landlock_test *t, struct error *e)
{
	int err = raise_rules(l, r, e);

	if (err == 0)
		err = landlock_test_before(t, l->plan->spec, &r->handled, e);
	if (err == 0)
		err = restrict_self(r, l->plan->landlock_abi, e);
	return err < 0 ? err : landlock_test_after(t, e);
}

static int raise_wall(struct launch *l, struct error *e)
{
	_cleanup_close_ int root = -1;
	struct landlock_test t = { .proc = l->proc_fd, .socket = -1 };
	struct rules r = { .fd = -1 };
	int err;

	landlock_handled(l->plan->spec, l->plan->landlock_abi, &r.handled);
	/*
	 * A process that joins (exec) has a domain of its own, outside of the first one's. Scoping it as well would keep
	 * `exec C kill 1` from working; its pid and network namespaces scope it already.
	 */
	if (l->joining)
		r.handled.scoped = 0;
	if (!r.handled.fs && !r.handled.net && !r.handled.scoped)
		return 0;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return error_errno(e, errno, "/");
	/*
	 * Only the container's first process has a procfs in which root inside may write anything at all; for one that
	 * joins, the other tests show that its domain holds.
	 */
	r.root = root;
	err = raise_all(l, &r, &t, e);
	if (r.fd >= 0)
		close(r.fd);
	if (t.socket >= 0)
		close(t.socket);
	return err;
}

/* --- containers of other engines --------------------------------------------------------------------------------- */

static int bundle_rules(struct rules *r, bool root, char *const *places, struct error *e)
{
	int err = root ? allow_path(r, "/", 0, FS_FOLDER) : 0;

	if (err < 0)
		return error_errno(e, err, "/");
	strv_foreach(it, places) {
		err = allow_path(r, *it, 0, FS_FOLDER);
		/* A later mount may hide it. */
		if (err < 0 && err != -ENOENT)
			return error_errno(e, err, "%s", *it);
	}
	err = allow_path(r, "/dev", O_NOFOLLOW, FS_DEV);
	return err < 0 && err != -ENOENT ? error_errno(e, err, "/dev") : allow_stdio(r, e);
}

int landlock_bundle(bool root, char *const *places, bool scoped, struct error *e)
{
	_cleanup_close_ int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct rules r = { .fd = -1, .root = top };
	int abi = landlock_abi(), err;
	struct spec all;

	if (abi < 1)
		return error_set(e, EOPNOTSUPP, "brig.conf: oci_landlock: the kernel has no Landlock");
	if (top < 0)
		return error_errno(e, errno, "/");
	spec_init(&all);
	landlock_handled(&all, abi, &r.handled);
	spec_free(&all);
	struct ruleset_attr attr = { r.handled.fs, 0, scoped ? r.handled.scoped : 0 };
	fd = r.fd = (int)syscall(SYS_landlock_create_ruleset, &attr, abi >= 6 ? 24 : abi >= 4 ? 16 : 8, 0);
	if (fd < 0)
		return error_errno(e, errno, "landlock_create_ruleset");
	err = bundle_rules(&r, root, places, e);
	return err < 0 ? error_wrap(e, "oci_landlock") : steal_fd(&fd);
}

int landlock_bundle_restrict(int ruleset, struct error *e)
{
	const struct rules r = { .fd = ruleset };
	int err = restrict_self(&r, landlock_abi(), e);

	return err < 0 ? error_wrap(e, "oci_landlock") : 0;
}

static void prove(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	const struct spec *spec = p ? p->spec : NULL;
	struct landlock_scope handled = { 0 };
	_cleanup_buf_ struct buf tried = { 0 };
	int abi = landlock_abi();

	if (!p) {
		evidence_add(ev, VERDICT_UNKNOWN, "Landlock ABI %d", abi);
		evidence_why(ev, "no kernel interface tells whether process %d has a Landlock domain", (int)s->pid);
		return;
	}
	landlock_handled(spec, abi, &handled);
	if (!handled.fs && !handled.net && !handled.scoped) {
		evidence_add(ev, VERDICT_STANDS, "nothing restricted; ABI %d", abi);
		evidence_settle(ev, p, WALL_LANDLOCK);
		return;
	}
	if (handled.fs && !landlock_opens_proc(spec))
		buf_puts(&tried, ", a write to /proc");
	if (handled.net)
		buf_puts(&tried, ", a bind to an undeclared port");
	if (handled.scoped)
		buf_puts(&tried, ", a socket from outside");
	evidence_add(ev, VERDICT_STANDS, "ABI %d; refused in its self-test before it started: %s", abi,
		     tried.len ? tried.data + 2 : "nothing could be tried");
	evidence_add(ev, VERDICT_STANDS, "the kernel offers no later readback");
	evidence_settle(ev, p, WALL_LANDLOCK);
}

const struct wall wall_landlock = {
	.on_exec = true,
	.id = WALL_LANDLOCK,
	.name = "landlock",
	.what = "writes only to declared places, TCP bind only on declared ports, scoped signals and abstract sockets",
	.details = details,
	.texts = texts,
	.can_lower = true,
	.plan = plan,
	.raise = raise_wall,
	.prove = prove,
};
