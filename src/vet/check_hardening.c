/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Check "hardening" (catalogue V8): what compilers and linkers leave out of programs. A distribution's choice for its packages is its own;
 * what is told is about programs that no package owns and about those that run with somebody else's rights.
 */
#include "base/cleanup.h"
#include "vet/elf.h"
#include "vet/inventory.h"
#include "vet/share.h"

#include <string.h>

enum { FILE_MAX = 1 << 30 };

struct subject {
	const struct vet_file *f;
	struct elf elf;
	const char *owner; /* the package; NULL: none, or the image has no packages */
	bool privileged;   /* set-uid, set-gid or capabilities */
};

static bool has_capability(const struct inode *in)
{
	for (const struct xattr *x = in->dropped; x; x = x->next)
		if (streq(x->name, "security.capability"))
			return true;
	return false;
}

static json_t *details(const struct elf *f)
{
	static const char *const answers[] = { "no", "yes", "unknown" };
	json_t *j = json_object();

	json_object_set_new(j, "bits", json_integer(f->bits));
	json_object_set_new(j, "pie", json_boolean(f->pie));
	json_object_set_new(j, "relro", json_string(f->relro ? f->now ? "full" : "partial" : "none"));
	json_object_set_new(j, "stack", json_string(f->stack_exec ? "executable" : "data"));
	json_object_set_new(j, "canary", json_string(answers[f->canary]));
	json_object_set_new(j, "fortify", json_string(answers[f->fortify]));
	json_object_set_new(j, "static", json_boolean(f->is_static));
	json_object_set_new(j, "stripped", json_boolean(f->stripped));
	json_object_set_new(j, "entropy", json_real((double)(int)(f->entropy * 100) / 100));
	if (f->build_id[0])
		json_object_set_new(j, "build_id", json_string(f->build_id));
	return j;
}

static void look_packed(struct vet *v, const struct subject *s)
{
	if (s->elf.packer == ELF_NOT_PACKED)
		return;
	vet_add(v, "hardening", "V8-packed", VET_HIGH, s->f, details(&s->elf),
		"What a packed program does cannot be seen before it runs; malware is packed for that.",
		"a program that is packed%s (%.2f bits a byte)", s->elf.packer == ELF_UPX ? " with UPX" : " or encrypted", s->elf.entropy);
}

static bool starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* One folder of a RUNPATH: one that others can fill, or that depends on where the program is started. */
static bool bad_folder(const char *p, size_t n)
{
	static const char *const writable[] = { "/tmp", "/var/tmp", "/dev/shm", "/home/", "/run/user", "/proc/", "/build/" };

	if (n == 0 || (p[0] != '/' && p[0] != '$'))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(writable); i++)
		if (n >= strlen(writable[i]) && starts(p, writable[i]))
			return true;
	return false;
}

static void look_paths(struct vet *v, const struct subject *s)
{
	const char *path = s->elf.runpath ? s->elf.runpath : s->elf.rpath;

	while (path) {
		size_t n = strcspn(path, ":");

		if (bad_folder(path, n)) {
			vet_add(v, "hardening", "V8-library-path", s->privileged ? VET_HIGH : s->owner ? VET_LOW : VET_MEDIUM, s->f,
				details(&s->elf), "Whoever can write there decides which code the program runs.",
				"libraries are looked for in \"%.*s\"", (int)(n < 200 ? n : 200), path);
			return;
		}
		path = path[n] ? path + n + 1 : NULL;
	}
}

static void look_interpreter(struct vet *v, const struct subject *s)
{
	static const char *const usual[] = { "/lib/", "/lib64/", "/lib32/", "/libx32/", "/libo32/", "/usr/lib/", "/usr/lib64/", "/usr/lib32/",
					     "/nix/store/", "/system/bin/linker" };
	const char *p = s->elf.interpreter;

	for (size_t i = 0; p && i < ARRAY_SIZE(usual); i++)
		if (starts(p, usual[i]) && !strstr(p, ".."))
			return;
	if (p && !s->owner)
		vet_add(v, "hardening", "V8-interpreter", VET_HIGH, s->f, details(&s->elf),
			"The kernel runs that file in the program's name; it is not where a system has its loader.",
			"a program asks for the loader \"%.200s\"", p);
}

static void add(struct buf *b, bool missing, const char *what)
{
	if (missing)
		buf_printf(b, "%s%s", b->len ? ", " : "", what);
}

static void look_missing(struct vet *v, const struct subject *s)
{
	const struct elf *f = &s->elf;
	bool grave = f->stack_exec || f->write_exec || f->text_relocs;
	_cleanup_buf_ struct buf b = { 0 };

	if (f->kind != ELF_PROGRAM || (s->owner && !s->privileged))
		return;
	add(&b, f->stack_exec, "its stack can be executed");
	add(&b, f->write_exec, "it has memory that is written and executed");
	add(&b, f->text_relocs, "its code is changed while it is loaded");
	add(&b, !f->pie && !f->go, "it is not position independent (PIE)");
	add(&b, !f->relro && !f->go && !f->is_static, "its tables stay writable (RELRO)");
	add(&b, f->canary == ELF_NO && !f->go, "no stack canary");
	if (b.len == 0)
		return;
	vet_add(v, "hardening", "V8-hardening", s->privileged ? (grave ? VET_HIGH : VET_MEDIUM) : grave ? VET_MEDIUM : VET_LOW, s->f,
		details(f), s->privileged ? "It runs with more rights than its caller has, so its bugs are worth more to an attacker." :
		"Bugs of the program are easier to exploit.", "%s: %s", s->privileged ? "a privileged program without hardening" :
		"a program without hardening", b.data);
}

static void look_at(struct vet *v, size_t i, unsigned worker, void *arg)
{
	const struct vet_file *f = v->merged[i];
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 };
	struct subject s = { .f = f };
	unsigned char magic[4];
	struct error e = { 0 };
	int r;

	(void)worker;
	(void)arg;
	if (f->inode->type != 'f' || f->inode->size < 4 || vet_head(v, f, magic, 4) < 4 || !elf_is(magic, 4) || vet_read(v, f, FILE_MAX, &b) < 0 || !elf_is(b.data, b.size))
		return; /* what cannot be read is told by "secrets", which reads all */
	s.owner = vet_owner(v, f->path);
	s.privileged = f->inode->mode & 06000 || has_capability(f->inode);
	r = elf_read(b.data, b.size, &s.elf, &e);
	if (r < 0) {
		if (!s.owner && f->inode->mode & 0111)
			vet_add(v, "hardening", "V8-damaged", VET_MEDIUM, f, NULL,
				"Readers of such a file disagree about what is in it, which hides things from them.",
				"an ELF file that is damaged, or made to be misread: %s", e.text);
		return;
	}
	if (s.elf.debug_only && !s.owner && f->inode->mode & 0111)
		vet_add(v, "hardening", "V8-damaged", VET_MEDIUM, f, details(&s.elf), "Tools believe such a file to hold no code.",
			"a program that claims to be debugging data");
	look_packed(v, &s);
	if (s.elf.kind == ELF_OBJECT || s.elf.kind == ELF_CORE || s.elf.debug_only)
		return;
	look_paths(v, &s);
	look_interpreter(v, &s);
	look_missing(v, &s);
}

static int run(struct vet *v, struct error *e)
{
	(void)e;
	vet_share(v, v->n_merged, look_at, NULL);
	return 0;
}

const struct vet_check vet_check_hardening = { .name = "hardening", .run = run };
