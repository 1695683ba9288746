/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is really in an image. A subject (a stored image, a container, an OCI layout, a root folder) is opened by vet_open_*() as
 * one list of files, layer by layer; each check looks at it once and adds findings; a report is written from those. All of it runs in
 * brig-vet, a process without network that can write nothing but its answer (law 3).
 *
 * Everything here comes from an image and is hostile: paths are bytes without meaning on this host, content may be cut or damaged. What a
 * check cannot read becomes a finding ("could not look"), never a crash and never silence.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "image/tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Worst first. The words are those of --fail-on and of the reports: critical, high, medium, low, info. */
enum vet_level { VET_CRITICAL, VET_HIGH, VET_MEDIUM, VET_LOW, VET_INFO, VET_LEVELS };

/* One file as one layer has it. Memory belongs to the subject. */
struct vet_file {
	const char *path;	 /* without leading slash, "" is the root; not escaped */
	const struct inode *inode; /* type (never h: hard links are resolved), mode, owner, mtime, size, target, xattrs, dropped */
	uint16_t layer;		 /* 0 is the lowest; a container's own writable layer is the last */
	bool hidden;		 /* a higher layer deleted or replaced it: still readable by whoever has the image */
	bool whiteout;		 /* nothing but a deletion: inode is NULL */
};

struct vet_layer {
	char diff_id[65];     /* hex; empty for a folder */
	const char *history;  /* the line of the image's history that made it (created_by); NULL: not known */
	uint64_t size;	      /* bytes of its files */
};

struct vet_finding {
	const char *check;    /* "impostor", "integrity", "accounts", "secrets", "malware", "hardening", "config", "vulnerabilities", "sarif", "vet" */
	const char *rule;     /* stable, for exceptions and SARIF: "V1-ssh-server", "V3-changed" */
	enum vet_level level;
	char *title;	      /* one line: what */
	char *why;	      /* one line: why it matters */
	char *path;	      /* NULL: the image's configuration, or no file */
	int layer;	      /* -1: none */
	bool hidden;	      /* only in a lower layer */
	json_t *more;	      /* details for machines: package, version, cve, fixed, expected, found; NULL: none */
};

/* What the person asked for; checks add what they need. Borrowed from the command line. */
struct vet_options {
	char **rules; /* --rules FILE: more rules of the impostor check */
	enum vet_level fail_on; /* findings of this level or worse fail; VET_LEVELS with `never` */
	bool never;
	char **vex, **ignore; /* --vex, --ignore FILE: vulnerabilities that do not count, see excuse.h */
	char **sarif;	      /* --sarif-in FILE: what other tools found, see sarif.h */
	bool require_db;      /* --require-db: without advisories for its packages the look fails */
	unsigned jobs;	      /* --jobs: threads that look, 1 to 64; 0: see vet_workers() */
	const struct vet_policy *policy; /* --policy FILE, or the gate's; NULL: none */
};

/*
 * Keys of v->facts:
 *	"bill"		{"format","name"} of the bill of materials that was looked at instead of files
 *	"vulnerabilities" {"looked": packages that were compared, "newest": {"deb/debian bullseye": date of the newest advisories},
 *			"excused": [{"cve","package","version","reason","source","until"}]}; absent: there are no advisories
 *	"not_looked"	array of strings: what was not looked at and why (a missing database, a folder that could not be read)
 */
struct vet {
	/* what is looked at */
	const char *name;	    /* as the person said it */
	const char *image;	    /* the name that the image bears ("localhost/web:latest", in an archive "web:1"); NULL: none */
	const char *digest;	    /* hex digest of the manifest; NULL for folders */
	const json_t *config;	    /* OCI image configuration; NULL for folders */
	const struct vet_layer *layers;
	size_t n_layers;
	const struct vet_file *files; /* all layers, ascending by layer, then in the table's order of paths */
	size_t n_files;
	const struct vet_file *const *merged; /* what a container sees, in the table's order of paths; no whiteouts, nothing hidden */
	size_t n_merged;
	const char *bill; /* a bill of materials, not parsed, instead of files; NULL: none */
	size_t bill_size;
	/* what was found */
	struct vet_finding *findings;
	size_t n_findings;
	json_t *packages;	    /* inventory, see packages.h; made by the packages check, read by vulnerabilities and SBOM */
	struct inventory *inventory; /* the same with the packages' files, see inventory.h: which package owns a file */
	json_t *facts;		    /* what checks tell each other and the report, an object; keys below */
	const struct vet_options *options;
	/* the rest is private to subject.c */
	struct vet_subject *subject;
};

/* The bytes of a regular file, mapped or read; to be given back. */
struct vet_bytes {
	const unsigned char *data;
	size_t size;
	bool mapped;
};
void vet_bytes_free(struct vet_bytes *b);
#define _cleanup_vet_bytes_ __attribute__((cleanup(vet_bytes_free)))

/*
 * -EINVAL: not a regular file; -EFBIG: more than `max`; -ENOENT: gone since it was listed (a folder that lives); -EIO, -EBADMSG: could not be
 * read, or is not what its name says.
 */
int vet_read(const struct vet *v, const struct vet_file *f, size_t max, struct vet_bytes *out);
/* Its first bytes, at most `n`, as they are stored: the digest is not asked. How many; negative as vet_read(). */
ssize_t vet_head(const struct vet *v, const struct vet_file *f, void *buf, size_t n);
/* All files that have a digest, by all workers: vet_read() has less to do afterwards, and those that are damaged are known. */
void vet_verify_all(struct vet *v);
/* The finding that a file could not be read (`r` of vet_read()), once for each file however many checks meet it; none for -EINVAL and -ENOENT. */
void vet_unreadable(struct vet *v, const struct vet_file *f, int r);

/* The file of the merged tree, links followed inside it (at most 40). NULL: none. `path` may begin with a slash. */
const struct vet_file *vet_find(const struct vet *v, const char *path);
/* The same without following the last part. */
const struct vet_file *vet_lookup(const struct vet *v, const char *path);
/* Files of the merged tree whose path begins with `dir` + "/" ("": all but the root), in order: v->merged[*first] and *n - 1 more. No
 * link is followed. */
void vet_below(const struct vet *v, const char *dir, size_t *first, size_t *n);

/*
 * Adds a finding; `check`, `rule` and `why` are copied, `more` is stolen. Paths and values in titles are raw: reports escape. What was found
 * may hold any bytes: json strings of it are made with vet_json().
 */
void vet_add(struct vet *v, const char *check, const char *rule, enum vet_level level, const struct vet_file *f, json_t *more,
	     const char *why, const char *title, ...) __attribute__((format(printf, 8, 9)));

/* A finding that was made elsewhere: all that it points to becomes v's. */
void vet_take(struct vet *v, const struct vet_finding *f);

/* A JSON string of any bytes: those that are not UTF-8 are escaped as str_escape() does. NULL gives null. */
json_t *vet_json(const char *s);
/* Notes in the facts that something was not looked at; reports show it. */
void vet_not_looked(struct vet *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const char *vet_level_name(enum vet_level level);
/* -EINVAL: no such word. */
int vet_level_parse(const char *word, enum vet_level *out);

/*
 * A check. `prepare` (may be NULL) runs in the person's process, before the room is entered: it opens what the check needs of this machine
 * (a database, rules) and keeps descriptors or bytes in memory; nothing can be opened afterwards but files of the subject. The subject's
 * files are not there yet; v->name, config, options are. Untrusted bytes are parsed in `run`, not here.
 * 0, or negative for what stops the whole look (no memory, a file of the person's that is wrong); everything else is a finding.
 */
struct vet_check {
	const char *name;
	int (*prepare)(struct vet *v, struct error *e);
	int (*run)(struct vet *v, struct error *e);
};
/* In the order in which they run: packages, integrity, impostor, accounts, secrets, malware, hardening, config, vulnerabilities, sarif. */
extern const struct vet_check *const vet_checks[]; /* NULL ends it */
