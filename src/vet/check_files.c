/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Check "files" (catalogue V4 to V6): names that hide, programs where none belong, folders that everybody can write, set-uid in odd places,
 * devices. What no package owns is told by "integrity".
 */
#include "vet/files.h"

#include "base/cleanup.h"
#include "vet/elf.h"
#include "vet/inventory.h"

#include <string.h>

bool files_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

bool files_owned(const struct vet *v, const char *path)
{
	const struct inventory *inv = vet_inventory(v);

	return !inv || inv->n_system == 0 || vet_owner(v, path);
}

/* ---- names ---- */

/* One character of UTF-8; 0 bytes: not UTF-8 (RFC 3629; overlong forms and surrogates are not checked: they are no look-alikes). */
static size_t next_char(const unsigned char *p, uint32_t *c)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;

	*c = n == 1 ? p[0] : n == 2 ? p[0] & 0x1f : n == 3 ? p[0] & 0xf : p[0] & 7;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (p[i] & 0x3f);
	}
	return n;
}

/* Invisible, or changes the direction: Unicode's Default_Ignorable_Code_Point and Bidi_Control, as far as names need them. */
static bool invisible(uint32_t c)
{
	return c == 0xad || c == 0x34f || c == 0x61c || c == 0x115f || c == 0x1160 || (c >= 0x180b && c <= 0x180f) ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0x3164 || c == 0xfeff ||
	       c == 0xffa0 || (c >= 0xe0000 && c <= 0xe0fff);
}

static bool looks_like_ascii(uint32_t c)
{
	return c == 0x2024 || c == 0x2025 || c == 0x2026 || c == 0x2044 || c == 0x2215 || c == 0x29f8 || c == 0x3002 || c == 0xfe52 ||
	       (c >= 0xff01 && c <= 0xff5e);
}

static bool is_space(uint32_t c)
{
	return c == ' ' || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x202f || c == 0x205f || c == 0x3000;
}

const char *files_odd_name(const char *name)
{
	const unsigned char *p = (const unsigned char *)name;
	bool latin = false, foreign = false, other = false;
	uint32_t c = 0;
	size_t n;

	if (name[0] && strspn(name, ".") == strlen(name))
		return "it is made of dots alone";
	for (bool first = true; *p; p += n, first = false) {
		n = next_char(p, &c);
		if (n == 0)
			return "it is no text (UTF-8)";
		if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xa0))
			return "there are control characters in it";
		if (invisible(c))
			return "there are invisible characters in it";
		if (looks_like_ascii(c))
			return "there are characters in it that look like others";
		if (is_space(c) && (first || c != ' '))
			return first ? "it begins with a space" : "there are odd spaces in it";
		latin |= (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
		foreign |= (c >= 0x370 && c < 0x400) || (c >= 0x400 && c < 0x530);
		other |= c > 0xa0 && !(c >= 0x370 && c < 0x530);
	}
	if (is_space(c))
		return "it ends with a space";
	if (strncmp(name, "..", 2) == 0 && (name[2] == ' ' || name[2] == '.'))
		return "it looks like the parent folder";
	return latin && foreign && !other ? "it mixes alphabets that look alike" : NULL;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void look_name(struct vet *v, const struct vet_file *f)
{
	const char *why = files_odd_name(base_of(f->path));
	bool text = why && strstr(why, "UTF-8") != NULL;

	if (why)
		vet_add(v, "files", "V4-hidden-name", text ? VET_LOW : VET_HIGH, f, NULL,
			"A name that a person cannot see or tell from another one hides what it names.", "a name that hides: %s", why);
}

/* ---- places ---- */

static bool is_program(struct vet *v, const struct vet_file *f, bool *elf)
{
	unsigned char head[4];

	*elf = false;
	if (f->inode->type != 'f' || vet_head(v, f, head, sizeof(head)) < (ssize_t)sizeof(head))
		return false;
	*elf = elf_is(head, sizeof(head));
	return *elf || ((f->inode->mode & 0111) && head[0] == '#' && head[1] == '!');
}

/* Where nothing is installed: memory, scratch, mounts of the kernel, spools, logs. */
static void look_place(struct vet *v, const struct vet_file *f)
{
	static const char *const places[] = { "tmp", "var/tmp", "dev", "proc", "sys", "run", "var/run", "var/lock", "var/log", "var/spool",
					      "var/mail", "lost+found", "boot/grub" };
	bool elf;

	if (f->inode->type != 'f')
		return;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (!files_below(f->path, places[i]))
			continue;
		/* A file of bytes in dev/ is where rootkits keep things; dev/ of a container is a mount, so nothing else sees it. */
		if (is_program(v, f, &elf))
			vet_add(v, "files", "V4-program-place", VET_HIGH, f, NULL,
				"Programs are put there to be found by nobody, and by whoever broke in.", "%s in /%s",
				elf ? "a program" : "an executable script", places[i]);
		else if (i == 2 && f->inode->size && !files_owned(v, f->path))
			vet_add(v, "files", "V4-file-in-dev", VET_MEDIUM, f, NULL, "Rootkits keep their files among devices.",
				"a regular file in /dev");
		return;
	}
}

/* A program of whose path a part below a system folder begins with a dot. Build tools leave some (.libs, .build-id). */
static void look_dots(struct vet *v, const struct vet_file *f)
{
	static const char *const system[] = { "usr/bin", "usr/sbin", "usr/lib", "usr/libexec", "usr/share", "usr", "etc", "bin", "sbin",
					      "lib", "lib64", "usr/lib64", "var", "var/lib", "opt", "srv", "usr/local", "usr/local/bin",
					      "usr/local/sbin", "usr/local/lib", "usr/include", "var/cache", "mnt", "media" };
	static const char *const known[] = { ".libs", ".build-id", ".bin", ".git", ".venv", ".pnpm" };
	size_t n = 0;
	bool elf;

	const char *dot = strstr(f->path, "/.");
	if (!dot || !(f->inode->mode & 0111) || f->inode->type != 'f')
		return;
	n = strcspn(dot + 1, "/");
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strlen(known[i]) == n && strncmp(dot + 1, known[i], n) == 0)
			return;
	for (size_t i = 0; i < ARRAY_SIZE(system); i++) {
		if (strlen(system[i]) != (size_t)(dot - f->path) || strncmp(f->path, system[i], strlen(system[i])) != 0)
			continue;
		const struct inventory *inv = vet_inventory(v);
		if (!(inv && inv->n_system && vet_owner(v, f->path)) && is_program(v, f, &elf))
			vet_add(v, "files", "V4-hidden-program", VET_HIGH, f, NULL,
				"Nothing in system folders that is meant to be found has a name that listings leave out.",
				"a program behind a name that begins with a dot");
		return;
	}
}

/* A program of the system's that is a link to where others can write. */
static void look_link(struct vet *v, const struct vet_file *f)
{
	static const char *const bins[] = { "bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin" };
	static const char *const writable[] = { "/tmp/", "/var/tmp/", "/dev/shm/", "/home/", "/run/user/" };

	if (f->inode->type != 'l' || !f->inode->target)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(bins); i++)
		for (size_t k = 0; files_below(f->path, bins[i]) && k < ARRAY_SIZE(writable); k++)
			if (strncmp(f->inode->target, writable[k], strlen(writable[k])) == 0)
				vet_add(v, "files", "V6-link-to-writable", VET_HIGH, f, NULL,
					"Whoever can write there decides what the command does.", "a command that is a link to %.200s",
					f->inode->target);
}

/* ---- modes ---- */

static bool in_system(const char *path)
{
	static const char *const dirs[] = { "bin", "sbin", "lib", "lib32", "lib64", "usr", "etc", "boot" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (streq(path, dirs[i]) || files_below(path, dirs[i]))
			return true;
	return false;
}

static void look_mode(struct vet *v, const struct vet_file *f)
{
	const struct inode *in = f->inode;

	if (!(in->mode & 0002) || (in->type != 'f' && in->type != 'd'))
		return;
	if (in->type == 'd' && !(in->mode & 01000))
		vet_add(v, "files", "V5-world-writable", in_system(f->path) || !f->path[0] ? VET_HIGH : VET_MEDIUM, f, NULL,
			"Everybody can remove and replace what is in it: there is no sticky bit.", "a folder that everybody can write (mode %04o)",
			in->mode);
	else if (in->type == 'f')
		vet_add(v, "files", "V5-world-writable", in_system(f->path) || in->mode & 0111 ? VET_HIGH : VET_MEDIUM, f, NULL,
			"Whoever gets a foot in can change it.", "a file that everybody can write (mode %04o)", in->mode);
}

static bool is_privileged(const struct inode *in)
{
	for (const struct xattr *x = in->dropped; x; x = x->next)
		if (streq(x->name, "security.capability"))
			return true;
	return in->mode & 06000 && in->mode & 0111;
}

/* Programs that run what they are told to: with set-uid, or capabilities, each is a door to root. */
static bool runs_anything(const char *name)
{
	static const char *const names[] = { "sh", "bash", "dash", "zsh", "ksh", "ash", "mksh", "busybox", "perl", "python", "ruby", "lua", "php",
					     "node", "nodejs", "find", "env", "vi", "vim", "nano", "ed", "awk", "gawk", "mawk", "nmap", "gdb", "tar",
					     "cp", "mv", "dd", "tee", "less", "more", "man", "xargs", "nice", "time", "timeout", "strace",
					     "socat", "nc", "ncat", "docker", "chroot", "setarch", "taskset", "cat", "sed", "rsync", "git",
					     "make", "ld.so", "openssl", "curl", "wget", "tclsh", "expect", "screen", "watch", "flock" };
	size_t n = strcspn(name, "0123456789");

	while (n && (name[n - 1] == '.' || name[n - 1] == '-'))
		n--;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == n && strncmp(name, names[i], n) == 0)
			return true;
	return strncmp(name, "ld-", 3) == 0;
}

static void look_privilege(struct vet *v, const struct vet_file *f)
{
	static const char *const usual[] = { "bin", "sbin", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "usr/libexec", "lib", "usr/local/bin",
					     "usr/local/sbin", "usr/games", "opt" };
	bool placed = false, elf;

	if (f->inode->type != 'f' || !is_privileged(f->inode))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		placed |= files_below(f->path, usual[i]);
	if (!placed)
		vet_add(v, "files", "V5-privileged-place", VET_HIGH, f, NULL, "A way to more rights was left where nobody looks.",
			"a program with more rights than its caller, in an odd place (mode %04o)", f->inode->mode);
	if (runs_anything(base_of(f->path)))
		vet_add(v, "files", "V5-privileged-shell", VET_CRITICAL, f, NULL, "Whoever starts it can do anything with those rights.",
			"a program that runs anything has more rights than its caller");
	else if (is_program(v, f, &elf) && !elf)
		vet_add(v, "files", "V5-privileged-script", VET_MEDIUM, f, NULL,
			"Linux ignores the bit on scripts; that somebody tried is telling.", "a script with set-uid or set-gid");
}

/* Device nodes below dev/ that every system has. */
static void look_device(struct vet *v, const struct vet_file *f)
{
	static const char *const usual[] = { "null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "pts/ptmx", "fuse", "net/tun" };
	const char *name = f->path;

	if (f->inode->type != 'c')
		return;
	if (files_below(name, "dev")) {
		name += 4;
		for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
			if (streq(name, usual[i]))
				return;
		if (strncmp(name, "tty", 3) == 0 || strncmp(name, "loop", 4) == 0 || strncmp(name, "ram", 3) == 0)
			return;
	}
	vet_add(v, "files", "V5-device", VET_HIGH, f, NULL, "A device node reaches the machine itself where it is not stopped.",
		"a device node that containers do not need");
}

/* ---- writable for others ---- */

bool files_writable(const struct vet *v, const char *path, const char **why)
{
	_cleanup_free_ char *at = xstrdup(path);
	const struct vet_file *f;
	size_t n = strlen(at);
	bool first = true;

	for (;; first = false) {
		while (n && at[n - 1] == '/')
			at[--n] = 0;
		f = vet_find(v, at);
		if (f && f->inode->mode & 0002 && !(f->inode->mode & 01000)) {
			*why = first ? "everybody can write it" : "everybody can write the folder it is in";
			return true;
		}
		/* What is not there yet can be made by whoever can write the first folder above that is. */
		if (f && f->inode->mode & 0002 && (first || !vet_find(v, path))) {
			*why = first ? "everybody can write it" : "it is not there, and everybody can make it";
			return true;
		}
		if (f && f->inode->uid != 0) {
			*why = "it belongs to somebody else than root";
			return true;
		}
		if (n == 0)
			return false;
		while (n && at[n - 1] != '/')
			at[--n] = 0;
	}
}

/* ---- bombs ---- */

/*
 * What is small and becomes enormous: gzip's last four bytes say how large it is unpacked (RFC 1952; the last of several members, below
 * 4 GiB). Nothing that people pack shrinks to less than a two-hundredth; zeros do, to a thousandth.
 */
static void look_bomb(struct vet *v, const struct vet_file *f)
{
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 };
	unsigned char head[3];
	uint32_t plain;

	if (f->inode->size < 1 << 15 || vet_head(v, f, head, sizeof(head)) < (ssize_t)sizeof(head) || head[0] != 0x1f || head[1] != 0x8b ||
	    head[2] != 8 || vet_read(v, f, 1 << 30, &b) < 0)
		return;
	plain = b.data[b.size - 4] | (uint32_t)b.data[b.size - 3] << 8 | (uint32_t)b.data[b.size - 2] << 16 |
		(uint32_t)b.data[b.size - 1] << 24;
	if (plain / b.size >= 200 && plain / b.size <= 1100 && !vet_owner(v, f->path))
		vet_add(v, "files", "V10-bomb", VET_MEDIUM, f, NULL, "Whoever unpacks it runs out of memory or disk.",
			"a compressed file that is %llu times as large unpacked: %llu bytes", (unsigned long long)(plain / b.size),
			(unsigned long long)plain);
}

/* Trees that tools fail on: their paths are too long for a system call, or walking them takes hours. */
static void look_shape(struct vet *v)
{
	enum { DEEP = 64, MANY = 1000000 };
	const struct vet_file *deepest = NULL;
	size_t deep = 0;

	for (size_t i = 0; i < v->n_merged; i++) {
		size_t n = 0;

		for (const char *p = v->merged[i]->path; (p = strchr(p, '/')); p++)
			n++;
		if (n > deep) {
			deep = n;
			deepest = v->merged[i];
		}
	}
	if (deep >= DEEP)
		vet_add(v, "files", "V10-bomb", VET_MEDIUM, deepest, NULL, "Backups, scanners and removal fail on such a tree, or take for ever.",
			"folders that are %zu deep", deep);
	if (v->n_files > MANY)
		vet_add(v, "files", "V10-bomb", VET_MEDIUM, NULL, NULL, "Walking them takes every tool long, and inodes run out.",
			"%zu files", v->n_files);
}

static int run(struct vet *v, struct error *e)
{
	(void)e;
	for (size_t i = 0; i < v->n_merged; i++) {
		const struct vet_file *f = v->merged[i];

		look_name(v, f);
		look_place(v, f);
		look_dots(v, f);
		look_link(v, f);
		look_mode(v, f);
		look_privilege(v, f);
		look_device(v, f);
		if (f->inode->type == 'f')
			look_bomb(v, f);
	}
	look_shape(v);
	files_look_loader(v);
	return 0;
}

const struct vet_check vet_check_files = { .name = "files", .run = run };
