/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What package managers say is in an image: their databases and the marks that language tools leave, read natively from
 * bytes. Nothing here opens a file or trusts a length: a parser gets the bytes of one file and adds packages to a set;
 * what it cannot read becomes a fault of the set, which the checks turn into a finding.
 *
 *	deb	var/lib/dpkg/status and status.d/ (distroless), info/NAME.{list,md5sums}; deb-control(5), dpkg-query(1)
 *	apk	lib/apk/db/installed; apk-tools' "apk v2" database, https://wiki.alpinelinux.org/wiki/Apk_spec
 *	rpm	rpmdb.sqlite, Packages.db (ndb), Packages (Berkeley DB hash); header format: rpm.org manual, "Package format"
 *	others	Python (PEP 376, 566), Node (package.json), RubyGems, Java (JAR specification), Go build info
 *		(debug/buildinfo), Rust (.dep-v0 of cargo auditable)
 */
#pragma once

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pkg_type { PKG_DEB, PKG_RPM, PKG_APK, PKG_PYPI, PKG_NPM, PKG_GEM, PKG_MAVEN, PKG_GOLANG, PKG_CARGO, PKG_TYPES };
/* "deb", "rpm", ...: the words of the inventory and of package URLs. */
extern const char *const pkg_type_names[PKG_TYPES];

enum pkg_hash { PKG_HASH_NONE, PKG_HASH_MD5, PKG_HASH_SHA1, PKG_HASH_SHA256, PKG_HASH_SHA384, PKG_HASH_SHA512 };

enum {
	PKG_FILE_CONF = 1,    /* people are expected to change it */
	PKG_FILE_DOC = 2,     /* documentation: images leave it out */
	PKG_FILE_GHOST = 4,   /* belongs to the package, content is not the package's; may be missing */
	PKG_FILE_ABSENT = 8,  /* not installed, or another package's file of this name is there */
	PKG_FILE_DIR = 16,
	PKG_FILE_OBSOLETE = 32, /* a conffile that the package no longer has */
};

/* A file as the package's own records have it. */
struct pkg_file {
	const char *path;	/* without leading slash, as recorded (not through the links of a merged /usr) */
	const char *target;	/* of a symbolic link; NULL: none, or not recorded */
	const char *caps;	/* text of its capabilities (cap_to_text(3)); NULL: none, or not recorded */
	int64_t size;		/* bytes; -1: not recorded */
	int64_t mtime;		/* seconds; -1: not recorded */
	int32_t mode;		/* type and permissions as in st_mode (permissions only: apk); -1: not recorded */
	int32_t uid, gid;	/* -1: not recorded */
	uint8_t flags;		/* PKG_FILE_* */
	uint8_t hash;		/* enum pkg_hash */
	uint8_t digest_len;	/* bytes; 0: none. Less than the hash gives: the first bytes of it */
	unsigned char digest[64];
};

struct pkg {
	enum pkg_type type;
	const char *name;    /* never NULL; "name:arch" is not used */
	const char *version; /* "" when not known; rpm: [epoch:]version-release */
	const char *arch, *source, *source_version, *license, *maintainer; /* NULL: not recorded */
	const char *path;    /* database or file it was read from */
	const char *owner;   /* language packages: the distribution's package that brought it; NULL: none. Set by the checks */
	int layer;	     /* set by the checks; -1 */
	bool foreign;	     /* deb: its files are recorded as NAME:ARCH (Multi-Arch: same) */
	int64_t installed_kib; /* deb: Installed-Size; -1: not recorded */
	int8_t sealed;	     /* rpm: 1: the header matches its own digest, 0: it carries none, -1: it was edited */
	struct pkg_file *files;
	size_t n_files, cap_files;
};

/* Something that could not be read. */
struct pkg_fault {
	const char *path; /* the file */
	char *text;
};

struct pkgs {
	struct pkg *list;
	size_t n, cap;
	struct pkg_fault *faults;
	size_t n_faults; /* more than PKGS_FAULTS_MAX are counted in `more_faults` */
	size_t more_faults;
	struct pkgs_block *blocks; /* arena of all strings */
	struct error scratch;
};
enum { PKGS_FAULTS_MAX = 200, PKGS_MAX = 1000000 };

void pkgs_free(struct pkgs *p);
#define _cleanup_pkgs_ __attribute__((cleanup(pkgs_free)))
/* Memory that lives as long as the set. */
void *pkgs_alloc(struct pkgs *p, size_t n);
char *pkgs_strdup(struct pkgs *p, const char *s, size_t n); /* cut at a NUL */
/* A new, empty package, or NULL when there are too many. Valid until the next is added. */
struct pkg *pkgs_add(struct pkgs *p, enum pkg_type type, const char *path);
/* A new file of the package with nothing recorded but its path (leading "/", "./" taken off). */
struct pkg_file *pkg_add_file(struct pkgs *p, struct pkg *pkg, const char *path, size_t n);
void pkgs_fault_add(struct pkgs *p, const char *path);
/* Records a fault of the file `path`. A macro, so that every kind of fault is a place of its own to the fuzzer's planted bug. */
#define pkgs_fault(p, path, ...) (error_set(&(p)->scratch, EBADMSG, __VA_ARGS__), pkgs_fault_add((p), (path)))

/* Digest from text: lower or upper case hex, exactly the length of a known hash. */
bool pkg_file_hex(struct pkg_file *f, enum pkg_hash hash, const char *hex, size_t n);
/* Digest from base64 (standard or URL alphabet, padding optional) of at most 64 bytes. */
bool pkg_file_base64(struct pkg_file *f, enum pkg_hash hash, const char *text, size_t n);
/* Bytes of a hash; 0 for none. */
size_t pkg_hash_len(enum pkg_hash hash);

/* ---- dpkg ---- */

/* Packages of a status file, or of one file of status.d. Those that are removed are left out. */
void dpkg_parse_status(struct pkgs *p, const char *path, const char *data, size_t n);
/* Files of info/NAME.list: adds what the package does not have yet. `pkg` belongs to `p`. */
void dpkg_parse_list(struct pkgs *p, struct pkg *pkg, const char *path, const char *data, size_t n);
/* Digests of info/NAME.md5sums: sets them, adds files that are not there. */
void dpkg_parse_md5sums(struct pkgs *p, struct pkg *pkg, const char *path, const char *data, size_t n);
/* Sorts a deb's files by path and joins what the status, list and md5sums said of the same file. Call after those. */
void dpkg_join_files(struct pkg *pkg);

/* A diversion (dpkg-divert(1)): the file `from` of every package but `by` lies at `to`. */
struct dpkg_diversion {
	const char *from, *to;
	const char *by; /* ":" for a local one */
};
struct dpkg_diversion *dpkg_parse_diversions(struct pkgs *p, const char *path, const char *data, size_t n, size_t *count);
/* An override (dpkg-statoverride(1)): the mode that the administrator chose. */
struct dpkg_override {
	const char *path, *user, *group;
	uint32_t mode;
};
struct dpkg_override *dpkg_parse_overrides(struct pkgs *p, const char *path, const char *data, size_t n, size_t *count);

/* ---- apk ---- */
void apk_parse_installed(struct pkgs *p, const char *path, const char *data, size_t n);

/* ---- rpm ---- */

/* One header as databases hold it: without magic, numbers in big endian. */
void rpm_parse_header(struct pkgs *p, const char *path, const unsigned char *data, size_t n);
/* The three kinds of database. */
void rpm_parse_sqlite(struct pkgs *p, const char *path, const unsigned char *data, size_t n, const unsigned char *wal, size_t n_wal);
void rpm_parse_ndb(struct pkgs *p, const char *path, const unsigned char *data, size_t n);
void rpm_parse_bdb(struct pkgs *p, const char *path, const unsigned char *data, size_t n);

/* ---- languages ---- */
void lang_parse_python(struct pkgs *p, const char *path, const char *data, size_t n);	 /* METADATA, PKG-INFO */
/* RECORD of the package that was just added from the same folder; `base` is the folder that its paths begin at. */
void lang_parse_record(struct pkgs *p, struct pkg *pkg, const char *path, const char *base, const char *data, size_t n);
void lang_parse_node(struct pkgs *p, const char *path, const char *data, size_t n);	 /* package.json */
void lang_parse_gemspec(struct pkgs *p, const char *path, const char *data, size_t n); /* specifications/NAME.gemspec */
void lang_parse_jar(struct pkgs *p, const char *path, const unsigned char *data, size_t n); /* with jars inside it */
/* Go build information and Rust's audit section. An ELF file without either adds nothing. */
void lang_parse_elf(struct pkgs *p, const char *path, const unsigned char *data, size_t n);

/* ---- what distribution, and the inventory ---- */

/* os-release(5). */
struct distro {
	char id[64], version[64], codename[64]; /* "" when not told */
};
void distro_parse(struct distro *d, const char *data, size_t n);

/* The package URL (package-url specification); the caller frees. `d` may be NULL. */
char *pkg_purl(const struct pkg *pkg, const struct distro *d);
/* The type, name, version and qualifiers of a package URL. 0 or -EINVAL; strings are the set's. */
int pkg_from_purl(struct pkgs *p, struct pkg *pkg, struct distro *d, const char *purl);

/*
 * One entry of vet's inventory, `v->packages`:
 *	{"type","name","version","arch","source":{"name","version"},"distro":{"id","version","codename"},"license",
 *	 "maintainer","path","owner","layer","purl"}
 * "owner" is the distribution's package that brought a language package: its advisories are the distribution's. What is not known is left out.
 */
json_t *pkg_json(const struct pkg *pkg, const struct distro *d);

/* ---- bills of materials ---- */

/* What was read from one. */
struct sbom {
	const char *format; /* "SPDX 2.3", "CycloneDX 1.6": static or the document's */
	const char *name;   /* of what it is about; the document's; NULL: not told */
	json_t *packages;   /* vet's inventory; the caller drops it */
	size_t skipped;	    /* entries without a package URL of a kind that can be looked up */
};
/* SPDX 2.2, 2.3 or CycloneDX 1.2 to 1.7 JSON. `doc` must outlive `out`. 0, or negative with `e`: it is neither, or broken. */
int sbom_read(const json_t *doc, struct sbom *out, struct error *e);

/* What a bill is written of. */
struct sbom_subject {
	const char *name, *digest; /* hex; NULL: none */
	const json_t *packages;	   /* vet's inventory; may be NULL */
	uint64_t created;	   /* ns since 1970; the same input gives the same document */
};
/* SPDX 2.3 and CycloneDX 1.6. A new reference. */
json_t *sbom_spdx(const struct sbom_subject *s);
json_t *sbom_cyclonedx(const struct sbom_subject *s);
/* True when every word of a licence expression is an identifier that SPDX's list has (the usual ones are known here) or AND, OR, WITH. */
bool sbom_license_known(const char *text);
/* True when it is one such identifier. */
bool sbom_license_id(const char *text);
/* Fills `out` with a version 5 like UUID of what the bill is about. */
void sbom_uuid(const struct sbom_subject *s, char out[static 37]);
