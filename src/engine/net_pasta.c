/* SPDX-License-Identifier: Apache-2.0 */
/* pasta(1): started, awaited, ended. */
#include "engine/net.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "confine/sys.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_MS = 30000, STOP_MS = 2000 };

#define TUN_DIR "/dev/net"
#define TUN TUN_DIR "/tun"

int net_check(uint32_t uid, uint32_t gid, struct error *e)
{
	char path[PATH_MAX];
	struct stat st;
	unsigned need;
	int r;

	if (proc_find("pasta", path, sizeof(path)) < 0) {
		r = error_set(e, ENOENT, "pasta is not installed; it connects a container's network");
		error_hint(e, "install the package passt, or start with --net none");
		return r;
	}
	if (stat(TUN, &st) < 0) {
		r = error_errno(e, errno, TUN);
		error_hint(e, "load the kernel's tun module (modprobe tun), or start with --net none");
		return r;
	}
	if (geteuid() == 0)
		return 0; /* tun_for() shows it to pasta alone */
	need = st.st_uid == uid ? 0600 : st.st_gid == gid ? 0060 : 0006;
	if ((st.st_mode & need) != need && (geteuid() != uid || access(TUN, R_OK | W_OK) < 0)) {
		r = error_set(e, EACCES, TUN " may not be opened by uid %u", uid);
		error_hint(e, "root can open it to all as udev does (brig setup, or chmod 0666 " TUN "); it gives no rights by itself");
		return r;
	}
	return 0;
}

int net_tun_share(bool check, struct error *e)
{
	_cleanup_close_ int fd = open(TUN, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	char path[32];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(e, errno, TUN);
	if (!S_ISCHR(st.st_mode))
		return error_set(e, ENODEV, TUN " is not a device");
	if ((st.st_mode & 0666) == 0666)
		return 0;
	if (check)
		return 1;
	path_of_fd(fd, path);
	return chmod(path, 0666) < 0 ? error_errno(e, errno, "cannot open " TUN " to all") : 1;
}

/*
 * Version numbers do not tell ("unknown version" on Debian 12), so texts in the program do: a warning that took an
 * error's place in August 2023; an option of August 2024, half a year after the ports of UDP were put right; the option of
 * October 2024 that brings the old way of loopback connections back.
 */
void net_pasta_look(struct net_pasta *p)
{
	static const char warning[] = "already mapped port number", option[] = "map-host-loopback",
			  loopback[] = "host-lo-to-ns-lo";
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	struct stat st;
	void *map;

	memset(p, 0, sizeof(*p));
	if (proc_find("pasta", path, sizeof(path)) < 0)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
		return;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return;
	p->udp_lower = memmem(map, (size_t)st.st_size, option, sizeof(option) - 1);
	p->tells_who = memmem(map, (size_t)st.st_size, loopback, sizeof(loopback) - 1);
	p->several = p->udp_lower || memmem(map, (size_t)st.st_size, warning, sizeof(warning) - 1);
	munmap(map, (size_t)st.st_size);
}

/* pasta looks for its own name in argv[0]; the id makes each one findable. */
static void process_name(const char *id, char out[static 40])
{
	snprintf(out, 40, "brig-pasta-%.12s", id);
}

static void add(char ***argv, const char *a, const char *b)
{
	strv_add_copy(argv, a);
	if (b)
		strv_add_copy(argv, b);
}

/* Where pasta shall lead it: the container redirects some UDP ports itself. */
static uint16_t pasta_port(const struct net *n, const struct spec_port *p)
{
	for (size_t i = 0; p->udp && i < n->filter.n_redirect; i++)
		if (n->filter.redirect[i].from == p->host_port)
			return p->host_port;
	return p->port;
}

static void port_options(char ***argv, const struct net *n, bool udp)
{
	bool any = false;

	for (size_t i = 0; i < n->n_ports; i++) {
		const struct spec_port *p = &n->ports[i];

		if (p->udp != udp)
			continue;
		strv_add_copy(argv, udp ? "-u" : "-t");
		strv_add(argv, xasprintf("%s/%u:%u", p->host_addr, p->host_port, pasta_port(n, p)));
		any = true;
	}
	if (!any)
		add(argv, udp ? "-u" : "-t", "none");
}

/*
 * Descriptors 0 and 1 are the namespaces, 2 takes errors and the process id. The folder RUN/ID/net is the working
 * directory. Newer versions close every other descriptor, and paths of /proc/PID would be subject to ptrace checks.
 */
static char **command(const struct net *n)
{
	char **v = NULL, name[40];

	process_name(n->id, name);
	add(&v, name, "--quiet");
	add(&v, "--netns", "./netns");
	add(&v, "--userns", "/proc/self/fd/1");
	add(&v, "--pid", "/proc/self/fd/2");
	add(&v, "--ns-ifname", NET_IFNAME);
	add(&v, "--interface", n->template);
	add(&v, "--mac-addr", NET_GATEWAY_MAC);
	add(&v, "--address", NET_ADDRESS4);
	add(&v, "--netmask", "29");
	add(&v, "--gateway", NET_GATEWAY4);
	if (n->ipv6) {
		add(&v, "--address", NET_ADDRESS6);
		add(&v, "--gateway", NET_GATEWAY6);
	} else {
		add(&v, "--ipv4-only", NULL);
	}
	if (!n->host_loopback)
		add(&v, "--no-map-gw", NULL);
	/* Without these two, whatever the host's loopback listens on would appear on the container's. */
	add(&v, "--tcp-ns", "none");
	add(&v, "--udp-ns", "none");
	add(&v, "--no-dhcp", "--no-dhcpv6");
	add(&v, "--no-ra", "--no-ndp");
	if (n->forward4)
		add(&v, "--dns-forward", NET_RESOLVER4);
	if (n->forward6)
		add(&v, "--dns-forward", NET_RESOLVER6);
	port_options(&v, n, false);
	port_options(&v, n, true);
	return v;
}

/*
 * The owner's ids, for good. For ports below 1024 pasta gets CAP_NET_BIND_SERVICE: it binds before it enters the
 * container's user namespace, and that step takes every capability of the initial one away.
 */
static int become(uint32_t uid, uint32_t gid, bool low_port)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (geteuid() != 0 || uid == 0)
		return 0;
	if (prctl(PR_SET_KEEPCAPS, low_port, 0, 0, 0) < 0 || syscall(SYS_setgroups, 0, NULL) < 0 ||
	    syscall(SYS_setresgid, gid, gid, gid) < 0 || syscall(SYS_setresuid, uid, uid, uid) < 0)
		return -errno;
	if (!low_port)
		return 0;
	data[0].effective = data[0].permitted = data[0].inheritable = 1u << CAP_NET_BIND_SERVICE;
	if (syscall(SYS_capset, &head, data) < 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) < 0)
		return -errno;
	return 0;
}

/*
 * Machines without udev leave the device to root. pasta is shown a node that `uid` may open, in a mount namespace of its own:
 * the host's stays as it is. tun(4) gives no right over the host's network by itself.
 */
static int tun_for(uint32_t uid, uint32_t gid)
{
	_cleanup_close_ int m = -1, fs = -1;
	struct stat st;

	if (geteuid() != 0 || uid == 0)
		return 0;
	if (stat(TUN, &st) < 0)
		return -errno;
	if ((st.st_mode & 0006) == 0006)
		return 0;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	fs = sys_fsopen("tmpfs");
	if (fs < 0 || sys_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
	    sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	m = sys_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	if (m < 0 || mknodat(m, "tun", S_IFCHR | 0600, st.st_rdev) < 0 ||
	    fchownat(m, "tun", uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return sys_move_mount(m, "", AT_FDCWD, TUN_DIR, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

static bool has_low_port(const struct net *n)
{
	for (size_t i = 0; i < n->n_ports; i++)
		if (n->ports[i].host_port < 1024)
			return true;
	return false;
}

static void __attribute__((noreturn)) child(const struct net *n, const char *path, char **argv, int dir_fd, int err,
					    pid_t parent)
{
	static char *const empty[] = { NULL };
	struct rlimit none = { 0 };
	int fds[] = { n->netns_fd, n->userns_fd, err };
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	setsid();
	umask(077);
	setrlimit(RLIMIT_CORE, &none);
	r = tun_for(n->uid, n->gid);
	if (r < 0) {
		dprintf(err, "cannot show " TUN " to uid %u: %s\n", n->uid, strerror(-r));
		_exit(127);
	}
	r = become(n->uid, n->gid, has_low_port(n));
	if (r == 0 && fchdir(dir_fd) < 0)
		r = -errno;
	if (r < 0) {
		dprintf(err, "cannot become uid %u: %s\n", n->uid, strerror(-r));
		_exit(127);
	}
	if (fds_arrange(fds, ARRAY_SIZE(fds), 0) < 0)
		_exit(127);
	/* Until it enters the namespaces it dies with us; from then on its folder holds it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	close_range(3, ~0U, 0);
	execve(path, argv, empty);
	dprintf(2, "%s: %s\n", path, strerror(errno));
	_exit(127);
}

/* RUN/ID/net with the link that pasta watches. The descriptor, or a negative errno. */
static int make_folder(const struct net *n, int run_fd, struct error *e)
{
	_cleanup_close_ int fd = -1;
	int r = path_remove_tree(run_fd, "net");

	if (r < 0)
		return error_errno(e, r, "cannot remove an old folder of the network");
	if (mkdirat(run_fd, "net", 0700) < 0)
		return error_errno(e, errno, "cannot make a folder for the network");
	fd = openat(run_fd, "net", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || symlinkat("/proc/self/fd/0", fd, "netns") < 0)
		return error_errno(e, errno, "cannot make a link for the network");
	if (geteuid() == 0 && fchown(fd, n->uid, n->gid) < 0)
		return error_errno(e, errno, "cannot give the network's folder to uid %u", n->uid);
	return steal_fd(&fd);
}

static int start(struct net *n, int run_fd, struct error *e)
{
	_cleanup_close_ int dir_fd = make_folder(n, run_fd, e), err = -1;
	_cleanup_strv_ char **argv = NULL;
	pid_t pid, parent = getpid();
	char path[PATH_MAX];
	int p[2];

	if (dir_fd < 0)
		return dir_fd;
	if (proc_find("pasta", path, sizeof(path)) < 0)
		return net_check(n->uid, n->gid, e);
	if (pipe2(p, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe");
	n->err_fd = p[0];
	err = p[1];
	/* pasta opens it again, by /proc/self/fd/2. */
	if (geteuid() == 0 && fchown(err, n->uid, n->gid) < 0)
		return error_errno(e, errno, "cannot give a pipe to uid %u", n->uid);
	argv = command(n);
	pid = fork();
	if (pid < 0)
		return error_errno(e, errno, "fork");
	if (pid == 0)
		child(n, path, argv, dir_fd, err, parent);
	n->starter = pid;
	return 0;
}

int net_start(struct net *n, int run_fd, int userns_fd, int netns_fd, struct error *e)
{
	int r;

	if (n->kind != SPEC_NET_PRIVATE)
		return 0;
	n->userns_fd = userns_fd;
	n->netns_fd = netns_fd;
	r = start(n, run_fd, e);
	if (r < 0)
		path_remove_tree(run_fd, "net");
	return r;
}

/* What pasta wrote, without its complaints about the system log. The caller frees. */
static char *words(char *text)
{
	_cleanup_strv_ char **lines = strv_split(text, '\n');
	_cleanup_buf_ struct buf b = { 0 };

	strv_foreach(it, lines)
		if (**it && !str_after(*it, "Failed to send") && !str_after(*it, "Can't run AVX2"))
			buf_printf(&b, "%s%s", b.len ? "; " : "", *it);
	return str_escape(b.data ? b.data : "");
}

/* The last line is the process id that the starter wrote before it went. */
static pid_t last_number(const char *text)
{
	size_t end = strlen(text), begin;
	char digits[16];
	uint64_t v;

	while (end > 0 && text[end - 1] == '\n')
		end--;
	for (begin = end; begin > 0 && text[begin - 1] != '\n';)
		begin--;
	if (end - begin >= sizeof(digits))
		return 0;
	memcpy(digits, text + begin, end - begin);
	digits[end - begin] = 0;
	return parse_u64(digits, 2, INT_MAX, &v) < 0 ? 0 : (pid_t)v;
}

static int await(struct net *n, struct error *e)
{
	_cleanup_close_ int pidfd = proc_pidfd(n->starter);
	_cleanup_free_ char *said = NULL;
	char text[2048];
	ssize_t got;
	int status, r;

	r = pidfd < 0 ? pidfd : proc_pidfd_wait(pidfd, START_MS);
	if (r <= 0)
		kill(n->starter, SIGKILL);
	status = proc_wait(n->starter);
	n->starter = -1;
	if (r == 0)
		return error_set(e, ETIMEDOUT, "pasta was not ready after %d s", START_MS / 1000);
	if (r < 0 || status < 0)
		return error_errno(e, r < 0 ? r : status, "cannot wait for pasta");
	/* The daemon may hold the other end open: take what is there. */
	fcntl(n->err_fd, F_SETFL, O_NONBLOCK);
	got = read(n->err_fd, text, sizeof(text) - 1);
	text[got > 0 ? got : 0] = 0;
	close(n->err_fd);
	n->err_fd = -1;
	if (status != 0) {
		said = words(text);
		r = error_set(e, EIO, "pasta could not start: %s", *said ? said : "it gave no reason");
		if (strstr(said, "Failed to bind"))
			error_hint(e, "another program took the port just now; start again, or take another one");
		return r;
	}
	n->pid = last_number(text);
	n->start_time = n->pid > 0 ? proc_start_time(n->pid) : 0;
	if (n->start_time == 0)
		return error_set(e, EIO, "pasta ended right after its start");
	return 0;
}

int net_finish(struct net *n, struct error *e)
{
	int r;

	if (n->kind != SPEC_NET_PRIVATE)
		return 0;
	r = await(n, e);
	if (r == 0)
		r = net_inside(n->userns_fd, n->netns_fd, net_link_setup, n, NULL, 0, e);
	if (r < 0) {
		_cleanup_close_ int pidfd = proc_pidfd_checked(n->pid, n->start_time);

		if (pidfd >= 0)
			proc_pidfd_signal(pidfd, SIGKILL);
		n->pid = 0;
		error_wrap(e, "cannot connect the container's network");
	}
	return r;
}

/*
 * True when process `pid` runs as `uid` and was started as the pasta of this container. What a monitor recorded is not
 * enough to kill by: root stops containers whose state an unprivileged monitor writes (R34).
 */
static bool is_ours(pid_t pid, const char *name, uid_t uid)
{
	_cleanup_free_ char *text = NULL, *status = NULL;
	char path[48], want[64];

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	if (file_read(AT_FDCWD, path, 1 << 20, &text, NULL) < 0 || !streq(text, name))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	snprintf(want, sizeof(want), "\nUid:\t%u\t%u\t%u\t%u\n", uid, uid, uid, uid);
	return file_read(AT_FDCWD, path, 1 << 16, &status, NULL) == 0 && strstr(status, want);
}

/* Its memory is gone, its files follow: it runs no more, but the kernel takes tens of milliseconds for the interface. */
static bool is_ending(pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	char path[48];
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	return file_read(AT_FDCWD, path, 1 << 20, &text, &n) == 0 && n == 0;
}

static bool wait_end(pid_t pid, int pidfd, bool wholly)
{
	uint64_t until = clock_monotonic_ns() + STOP_MS * 1000000ULL;
	int r = 0;

	if (wholly)
		return proc_pidfd_wait(pidfd, STOP_MS) == 1;
	while (r == 0 && !is_ending(pid) && clock_monotonic_ns() < until)
		r = proc_pidfd_wait(pidfd, 1);
	return r == 1 || is_ending(pid);
}

static void end(pid_t pid, int pidfd, bool wholly)
{
	if (wait_end(pid, pidfd, wholly))
		return;
	proc_pidfd_signal(pidfd, SIGKILL);
	proc_pidfd_wait(pidfd, STOP_MS);
}

static void end_if_ours(pid_t pid, const char *name, uid_t uid, bool wholly)
{
	_cleanup_close_ int pidfd = proc_pidfd(pid);

	/* Looked at while the pidfd holds it. */
	if (pidfd >= 0 && is_ours(pid, name, uid))
		end(pid, pidfd, wholly);
}

static void end_by_name(const char *name, uid_t uid)
{
	_cleanup_closedir_ DIR *d = opendir("/proc");
	struct dirent *de;
	uint64_t pid;

	while (d && (de = readdir(d)))
		if (parse_u64(de->d_name, 2, INT_MAX, &pid) == 0 && is_ours((pid_t)pid, name, uid))
			end_if_ours((pid_t)pid, name, uid, true);
}

void net_undo(struct net *n, int run_fd)
{
	if (n->kind != SPEC_NET_PRIVATE || run_fd < 0)
		return;
	/* First the starter: while it lives it may still fork the daemon, which nobody would look for afterwards. */
	if (n->starter > 0) {
		kill(n->starter, SIGKILL);
		proc_wait(n->starter);
	}
	net_stop(run_fd, n->id, n->pid, n->start_time, true, NULL);
	n->starter = -1;
	n->pid = 0;
}

int net_stop(int run_fd, const char *id, pid_t pid, uint64_t start_time, bool wholly, struct error *e)
{
	_cleanup_close_ int dir_fd = openat(run_fd, "net", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	char name[40];
	int r;

	if (dir_fd < 0)
		return errno == ENOENT ? 0 : error_errno(e, errno, "cannot open the network's folder");
	if (fstat(dir_fd, &st) < 0)
		return error_errno(e, errno, "cannot look at the network's folder");
	if (unlinkat(dir_fd, "netns", 0) < 0 && errno != ENOENT)
		return error_errno(e, errno, "cannot remove the network's link");
	process_name(id, name);
	if (pid > 0 && proc_start_time(pid) == start_time)
		end_if_ours(pid, name, st.st_uid, wholly);
	else if (pid <= 0)
		end_by_name(name, st.st_uid);
	r = path_remove_tree(run_fd, "net");
	return r < 0 ? error_errno(e, r, "cannot remove the network's folder") : 0;
}
