/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apk's database of installed packages: paragraphs of "X:value" lines. P name, V version, A architecture, o origin, L licence, m
 * maintainer; then for each folder F path and M uid:gid:mode, for each file in it R name, a uid:gid:mode and Z checksum: "Q1" and a
 * SHA-1 in base64, "Q2" and a SHA-256 (of a symbolic link: of its target).
 */
#include "base/cleanup.h"
#include "vet/packages.h"

#include <string.h>

struct place {
	char folder[4096];
	size_t folder_len;
	bool in_file; /* the last entry is a file, not a folder */
};

/* "uid:gid:mode" with the mode in octal. */
static bool set_owner(struct pkg_file *f, const char *s, size_t n)
{
	_cleanup_free_ char *text = xstrndup(s, n);
	_cleanup_strv_ char **part = strv_split(text, ':');
	uint64_t uid, gid;
	uint32_t mode = 0;

	if (strv_len(part) < 3 || parse_u64(part[0], 0, INT32_MAX, &uid) < 0 || parse_u64(part[1], 0, INT32_MAX, &gid) < 0)
		return false;
	for (const char *m = part[2]; *m; m++) {
		if (*m < '0' || *m > '7' || mode > 07777)
			return false;
		mode = mode << 3 | (uint32_t)(*m - '0');
	}
	f->uid = (int32_t)uid;
	f->gid = (int32_t)gid;
	f->mode = (int32_t)(mode & 07777);
	return true;
}

static bool set_checksum(struct pkg_file *f, const char *s, size_t n)
{
	if (n > 2 && s[0] == 'Q' && s[1] == '1')
		return pkg_file_base64(f, PKG_HASH_SHA1, s + 2, n - 2);
	if (n > 2 && s[0] == 'Q' && s[1] == '2')
		return pkg_file_base64(f, PKG_HASH_SHA256, s + 2, n - 2);
	return pkg_file_hex(f, n == 32 ? PKG_HASH_MD5 : PKG_HASH_SHA1, s, n);
}

static void add_entry(struct pkgs *p, struct pkg *pkg, struct place *at, char key, const char *s, size_t n)
{
	char path[sizeof(at->folder) + 256];
	struct pkg_file *f;
	int len;

	if (key == 'F') {
		if (n >= sizeof(at->folder)) {
			pkgs_fault(p, pkg->path, "package %s: a folder with too long a name", pkg->name);
			n = 0;
		}
		memcpy(at->folder, s, n);
		at->folder_len = n;
		at->in_file = false;
		if (n > 0) {
			f = pkg_add_file(p, pkg, s, n);
			f->flags = PKG_FILE_DIR;
		}
		return;
	}
	len = n > 255 || n == 0 ? -1 :
				  snprintf(path, sizeof(path), "%.*s/%.*s", (int)at->folder_len, at->folder, (int)n, s);
	if (len < 0 || memchr(s, '/', n)) {
		pkgs_fault(p, pkg->path, "package %s: a file with a damaged name", pkg->name);
		at->in_file = false;
		return;
	}
	pkg_add_file(p, pkg, path, (size_t)len);
	at->in_file = true;
}

static void set_line(struct pkgs *p, struct pkg *pkg, struct place *at, char key, const char *s, size_t n)
{
	struct pkg_file *last = pkg->n_files ? &pkg->files[pkg->n_files - 1] : NULL;

	switch (key) {
	case 'P':
		pkg->name = pkgs_strdup(p, s, n);
		break;
	case 'V':
		pkg->version = pkgs_strdup(p, s, n);
		break;
	case 'A':
		pkg->arch = pkgs_strdup(p, s, n);
		break;
	case 'o':
		pkg->source = pkgs_strdup(p, s, n);
		break;
	case 'L':
		pkg->license = pkgs_strdup(p, s, n);
		break;
	case 'm':
		pkg->maintainer = pkgs_strdup(p, s, n);
		break;
	case 'F':
	case 'R':
		add_entry(p, pkg, at, key, s, n);
		break;
	case 'M':
	case 'a':
		if (last && (key == 'a') == at->in_file && !set_owner(last, s, n))
			pkgs_fault(p, pkg->path, "package %s: damaged owner or mode of a file", pkg->name);
		break;
	case 'Z':
		if (!last || !at->in_file || !set_checksum(last, s, n))
			pkgs_fault(p, pkg->path, "package %s: damaged checksum of a file", pkg->name);
		break;
	default: /* dependencies, sizes, triggers, the build's commit */
		break;
	}
}

static void end_package(struct pkgs *p, struct pkg *pkg)
{
	if (!pkg->name[0]) {
		pkgs_fault(p, pkg->path, "a paragraph without package");
		free(pkg->files);
		p->n--;
		return;
	}
	if (!pkg->version[0])
		pkgs_fault(p, pkg->path, "package %s has no version", pkg->name);
	if (!pkg->source || !pkg->source[0])
		pkg->source = pkg->name;
	pkg->source_version = pkg->version;
	/* Without mode in the record, apk gives 0644 to files and 0755 to folders. */
	for (size_t i = 0; i < pkg->n_files; i++) {
		struct pkg_file *f = &pkg->files[i];

		if (f->mode < 0) {
			f->mode = f->flags & PKG_FILE_DIR ? 0755 : 0644;
			f->uid = f->gid = 0;
		}
	}
}

void apk_parse_installed(struct pkgs *p, const char *path, const char *data, size_t n)
{
	const char *end = data + n;
	struct place at = { 0 };
	struct pkg *pkg = NULL;

	while (data < end) {
		const char *nl = memchr(data, '\n', (size_t)(end - data)), *stop = nl ? nl : end;

		if (stop == data) {
			if (pkg)
				end_package(p, pkg);
			pkg = NULL;
		} else if (stop - data < 2 || data[1] != ':') {
			pkgs_fault(p, path, "a line that is no field");
		} else {
			if (!pkg) {
				pkg = pkgs_add(p, PKG_APK, path);
				at.folder_len = 0;
				at.in_file = false;
			}
			if (!pkg)
				return;
			set_line(p, pkg, &at, data[0], data + 2, (size_t)(stop - data) - 2);
		}
		data = stop + 1;
	}
	if (pkg)
		end_package(p, pkg);
}
