/* SPDX-License-Identifier: Apache-2.0 */
/* config.json: mounts and their options (runtime-spec, config.md, "Linux mount options"). */
#include "spec/oci_parse.h"

#include "base/cleanup.h"

#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

/* glibc 2.36 has no MS_NOSYMFOLLOW; linux/mount.h does, and the MOUNT_ATTR_ constants. */
enum option_kind {
	ATTR_SET,  /* of the mount */
	ATTR_CLR,
	REC_SET,   /* of it and all below */
	REC_CLR,
	ATIME,	   /* one of the values of MOUNT_ATTR__ATIME */
	REC_ATIME,
	SB,	   /* a flag of the file system */
	SB_CLR,
	PROPAGATION,
	BIND,
	RBIND,
	COPYUP,
	IDMAP,
	RIDMAP,
	SRC_NOFOLLOW,
	DEST_NOFOLLOW,
	NOTHING, /* "defaults" and what is the default anyway */
};

static const struct option {
	const char *name;
	enum option_kind kind;
	uint64_t value;
} options[] = {
	{ "async", SB_CLR, MS_SYNCHRONOUS },
	{ "atime", ATIME, MOUNT_ATTR_RELATIME },
	{ "bind", BIND, 0 },
	{ "defaults", NOTHING, 0 },
	{ "dest-nofollow", DEST_NOFOLLOW, 0 },
	{ "dev", ATTR_CLR, MOUNT_ATTR_NODEV },
	{ "diratime", ATTR_CLR, MOUNT_ATTR_NODIRATIME },
	{ "dirsync", SB, MS_DIRSYNC },
	{ "exec", ATTR_CLR, MOUNT_ATTR_NOEXEC },
	{ "idmap", IDMAP, 0 },
	{ "iversion", SB, MS_I_VERSION },
	{ "lazytime", SB, MS_LAZYTIME },
	{ "loud", NOTHING, 0 },
	{ "mand", SB, MS_MANDLOCK },
	{ "noatime", ATIME, MOUNT_ATTR_NOATIME },
	{ "nodev", ATTR_SET, MOUNT_ATTR_NODEV },
	{ "nodiratime", ATTR_SET, MOUNT_ATTR_NODIRATIME },
	{ "noexec", ATTR_SET, MOUNT_ATTR_NOEXEC },
	{ "noiversion", SB_CLR, MS_I_VERSION },
	{ "nolazytime", SB_CLR, MS_LAZYTIME },
	{ "nomand", SB_CLR, MS_MANDLOCK },
	{ "norelatime", ATIME, MOUNT_ATTR_STRICTATIME },
	{ "nostrictatime", ATIME, MOUNT_ATTR_RELATIME },
	{ "nosuid", ATTR_SET, MOUNT_ATTR_NOSUID },
	{ "nosymfollow", ATTR_SET, MOUNT_ATTR_NOSYMFOLLOW },
	{ "private", PROPAGATION, MS_PRIVATE },
	{ "ratime", REC_ATIME, MOUNT_ATTR_RELATIME },
	{ "rbind", RBIND, 0 },
	{ "rdev", REC_CLR, MOUNT_ATTR_NODEV },
	{ "rdiratime", REC_CLR, MOUNT_ATTR_NODIRATIME },
	{ "relatime", ATIME, MOUNT_ATTR_RELATIME },
	{ "remount", SB, MS_REMOUNT },
	{ "rexec", REC_CLR, MOUNT_ATTR_NOEXEC },
	{ "ridmap", RIDMAP, 0 },
	{ "rnoatime", REC_ATIME, MOUNT_ATTR_NOATIME },
	{ "rnodev", REC_SET, MOUNT_ATTR_NODEV },
	{ "rnodiratime", REC_SET, MOUNT_ATTR_NODIRATIME },
	{ "rnoexec", REC_SET, MOUNT_ATTR_NOEXEC },
	{ "rnorelatime", REC_ATIME, MOUNT_ATTR_STRICTATIME },
	{ "rnostrictatime", REC_ATIME, MOUNT_ATTR_RELATIME },
	{ "rnosuid", REC_SET, MOUNT_ATTR_NOSUID },
	{ "rnosymfollow", REC_SET, MOUNT_ATTR_NOSYMFOLLOW },
	{ "ro", ATTR_SET, MOUNT_ATTR_RDONLY },
	{ "rprivate", PROPAGATION, MS_PRIVATE | MS_REC },
	{ "rrelatime", REC_ATIME, MOUNT_ATTR_RELATIME },
	{ "rro", REC_SET, MOUNT_ATTR_RDONLY },
	{ "rrw", REC_CLR, MOUNT_ATTR_RDONLY },
	{ "rshared", PROPAGATION, MS_SHARED | MS_REC },
	{ "rslave", PROPAGATION, MS_SLAVE | MS_REC },
	{ "rstrictatime", REC_ATIME, MOUNT_ATTR_STRICTATIME },
	{ "rsuid", REC_CLR, MOUNT_ATTR_NOSUID },
	{ "rsymfollow", REC_CLR, MOUNT_ATTR_NOSYMFOLLOW },
	{ "runbindable", PROPAGATION, MS_UNBINDABLE | MS_REC },
	{ "rw", ATTR_CLR, MOUNT_ATTR_RDONLY },
	{ "shared", PROPAGATION, MS_SHARED },
	{ "silent", NOTHING, 0 },
	{ "slave", PROPAGATION, MS_SLAVE },
	{ "src-nofollow", SRC_NOFOLLOW, 0 },
	{ "strictatime", ATIME, MOUNT_ATTR_STRICTATIME },
	{ "suid", ATTR_CLR, MOUNT_ATTR_NOSUID },
	{ "symfollow", ATTR_CLR, MOUNT_ATTR_NOSYMFOLLOW },
	{ "sync", SB, MS_SYNCHRONOUS },
	{ "tmpcopyup", COPYUP, 0 },
	{ "unbindable", PROPAGATION, MS_UNBINDABLE },
};

const char *const *oci_mount_options(void)
{
	static const char *names[ARRAY_SIZE(options) + 1];

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		names[i] = options[i].name;
	return names;
}

static void change(uint64_t *set, uint64_t *clr, uint64_t on, uint64_t off)
{
	*set = (*set & ~off) | on;
	*clr = (*clr & ~on) | off;
}

static int apply(struct oci_mount *m, const struct option *o)
{
	switch (o->kind) {
	case ATTR_SET:
		change(&m->attr_set, &m->attr_clr, o->value, 0);
		break;
	case ATTR_CLR:
		change(&m->attr_set, &m->attr_clr, 0, o->value);
		break;
	case REC_SET:
		change(&m->rec_set, &m->rec_clr, o->value, 0);
		break;
	case REC_CLR:
		change(&m->rec_set, &m->rec_clr, 0, o->value);
		break;
	case ATIME: /* a field of several bits: it is cleared as a whole, mount_setattr(2) */
		m->attr_set = (m->attr_set & ~(uint64_t)MOUNT_ATTR__ATIME) | o->value;
		m->attr_clr |= MOUNT_ATTR__ATIME;
		break;
	case REC_ATIME:
		m->rec_set = (m->rec_set & ~(uint64_t)MOUNT_ATTR__ATIME) | o->value;
		m->rec_clr |= MOUNT_ATTR__ATIME;
		break;
	case SB:
		m->sb_flags |= o->value;
		break;
	case SB_CLR:
		m->sb_flags &= ~o->value;
		break;
	case PROPAGATION:
		if (m->n_propagation == ARRAY_SIZE(m->propagation))
			return -E2BIG;
		m->propagation[m->n_propagation++] = o->value;
		break;
	case RBIND:
		m->rbind = true;
		__attribute__((fallthrough));
	case BIND:
		m->bind = true;
		break;
	case COPYUP:
		m->tmpcopyup = true;
		break;
	case RIDMAP:
		m->idmap_recursive = true;
		__attribute__((fallthrough));
	case IDMAP:
		m->idmap = true;
		break;
	case SRC_NOFOLLOW:
		m->src_nofollow = true;
		break;
	case DEST_NOFOLLOW:
		m->dest_nofollow = true;
		break;
	case NOTHING:
		break;
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, ((const struct option *)b)->name);
}

static const struct option *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (by_name(name, &options[i]) == 0)
			return &options[i];
	return NULL;
}

static int options_parse(const json_t *j, const char *where, struct oci_mount *m, struct error *e)
{
	_cleanup_strv_ char **words = NULL;
	_cleanup_buf_ struct buf data = { 0 };
	int r = json_get_strv(j, where, "options", &words, e);

	for (size_t i = 0; r == 0 && words && words[i]; i++) {
		const struct option *o = find(words[i]);

		if (o && apply(m, o) < 0)
			return error_set(e, E2BIG, "%s: too many kinds of propagation", oci_at_index(where, "options", i).text);
		if (!o && *words[i]) /* the file system knows it, or refuses it */
			buf_printf(&data, "%s%s", data.len ? "," : "", words[i]);
	}
	if (r == 0 && data.len)
		m->data = buf_steal(&data);
	return r;
}

static int mount_one(const json_t *j, const char *where, void *element, struct error *e)
{
	struct oci_mount *m = element;
	int r = oci_get_text(j, where, "destination", true, &m->destination, e);

	if (r == 0 && !m->destination)
		r = oci_missing(e, where, "destination");
	if (r == 0)
		r = oci_get_text(j, where, "type", false, &m->type, e);
	if (r == 0)
		r = oci_get_text(j, where, "source", false, &m->source, e);
	if (r == 0)
		r = options_parse(j, where, m, e);
	if (r == 0)
		r = oci_idmap_parse(j, where, "uidMappings", &m->uidmap, &m->n_uidmap, e);
	if (r == 0)
		r = oci_idmap_parse(j, where, "gidMappings", &m->gidmap, &m->n_gidmap, e);
	if (r < 0)
		return r;
	if ((m->n_uidmap > 0) != (m->n_gidmap > 0))
		return error_set(e, EINVAL, "%s: has one of uidMappings and gidMappings, but needs both", where);
	m->idmap |= m->n_uidmap > 0;
	m->bind |= streq(m->type, "bind");
	if (m->type && !*m->type) {
		free(m->type);
		m->type = NULL;
	}
	if (!m->type && !m->bind && !(m->sb_flags & MS_REMOUNT) && m->n_propagation == 0)
		return oci_missing(e, where, "type");
	if (m->bind && (!m->source || !*m->source))
		return oci_missing(e, where, "source");
	/* What is there already has the options of its own file system, which mount(2) would leave as they are without a word. */
	if ((m->bind || (m->sb_flags & MS_REMOUNT)) && (m->data || (m->sb_flags & ~(unsigned long)MS_REMOUNT))) {
		_cleanup_free_ char *safe = m->data ? str_escape(m->data) : NULL;

		return error_set(e, EINVAL, "%s.options: %s%s%s: a bind mount cannot have options of a file system", where,
				 safe ? "\"" : "", safe ? safe : "sync, dirsync, lazytime, mand or iversion", safe ? "\"" : "");
	}
	if (m->idmap && !m->bind)
		return error_set(e, EINVAL, "%s: only bind mounts can be idmapped", where);
	if (m->tmpcopyup && !streq(m->type, "tmpfs"))
		return error_set(e, EINVAL, "%s.options: tmpcopyup is for a tmpfs", where);
	return 0;
}

int oci_mounts_parse(const json_t *root, struct oci_config *c, struct error *e)
{
	void *v = NULL;
	int r = oci_each(root, "", "mounts", sizeof(struct oci_mount), &v, &c->n_mounts, mount_one, e);

	c->mounts = v;
	return r;
}

void oci_mounts_free(struct oci_config *c)
{
	for (size_t i = 0; i < c->n_mounts; i++) {
		struct oci_mount *m = &c->mounts[i];

		free(m->destination);
		free(m->type);
		free(m->source);
		free(m->data);
		free(m->uidmap);
		free(m->gidmap);
	}
	free(c->mounts);
	c->mounts = NULL;
	c->n_mounts = 0;
}
