/* SPDX-License-Identifier: Apache-2.0 */
/* Names of containers: symbolic links DATA/names/NAME -> ID, one person to a name. */
#include "engine/container.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const adjectives[] = {
	"amber",  "autumn", "bold",   "brisk",	"calm",	  "candid", "clear",  "cosy",	"crisp",  "deft",   "eager",
	"early",  "fair",   "fleet",  "fond",	"frosty", "gentle", "glad",   "golden", "hardy",  "hazel",  "honest",
	"humble", "jolly",  "keen",   "kind",	"lively", "lucid",  "mellow", "merry",	"mild",	  "modest", "neat",
	"nimble", "noble",  "patient", "placid", "polite", "proud", "quick",  "quiet",	"rapid",  "ready",  "rosy",
	"silent", "silver", "sincere", "sleek",	"snowy",  "sober",  "solid",  "steady", "sturdy", "subtle", "sunny",
	"swift",  "tender", "tidy",   "tranquil", "trusty", "vivid", "warm",  "wise",	"witty",
};

static const char *const nouns[] = {
	"anchor", "barge",  "beacon", "berth",	"bosun",  "bow",    "breeze", "brook",	"bulwark", "buoy",   "cape",
	"capstan", "channel", "clipper", "cove", "cutter", "deck",  "delta",  "dinghy", "dock",	   "dory",   "ebb",
	"ferry",  "fjord",  "galley", "gull",	"harbour", "haven", "heron",  "hull",	"inlet",   "island", "jetty",
	"keel",	  "ketch",  "lagoon", "lantern", "ledger", "lugger", "mast",  "mooring", "oar",	   "otter",  "pier",
	"pilot",  "porpoise", "prow", "quay",	"reef",	  "rudder", "sail",   "schooner", "sextant", "shoal", "skiff",
	"sloop",  "spar",   "strait", "tern",	"tide",	  "tiller", "trawler", "wharf",	"yawl",
};

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
	       c == '-';
}

int container_name_check(const char *name, struct error *e)
{
	size_t n = strlen(name);
	bool good = n > 0 && n <= 128 && name[0] != '_' && name[0] != '.' && name[0] != '-';

	for (size_t i = 0; i < n && good; i++)
		good = name_char(name[i]);
	if (good && hex_valid(name, n) && n == CONTAINER_ID_LEN)
		return error_set(e, EINVAL, "%s: a name of %d hexadecimal digits would be taken for an id", name,
				 CONTAINER_ID_LEN);
	if (!good) {
		_cleanup_free_ char *safe = str_escape(name);

		return error_set(e, EINVAL, "%s is not a container's name: letters, digits, '_', '.' and '-', the "
				 "first one a letter or digit, at most 128", safe);
	}
	return 0;
}

static int names_open(struct error *e)
{
	_cleanup_close_ int dir = home_data_dir("names", e);
	int fd;

	if (dir < 0)
		return dir;
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? error_errno(e, errno, "cannot open %s/names", home_data_path(NULL)) : fd;
}

/* The id that `name` leads to, or false. */
static bool name_target(int names, const char *name, char id[static CONTAINER_ID_LEN + 1])
{
	ssize_t n = readlinkat(names, name, id, CONTAINER_ID_LEN + 1);

	if (n != CONTAINER_ID_LEN)
		return false;
	id[n] = 0;
	return hex_valid(id, CONTAINER_ID_LEN);
}

/* True when a crash left the name behind: no container, or one that was never whole and that nobody is making now. */
static bool name_is_stale(int names, const char *name)
{
	_cleanup_close_ int all = home_data_dir("containers", NULL), run = -1, lock = -1;
	char id[CONTAINER_ID_LEN + 1], path[CONTAINER_ID_LEN + 16];

	if (all < 0)
		return false;
	if (!name_target(names, name, id))
		return true;
	snprintf(path, sizeof(path), "%s/config.json", id);
	if (faccessat(all, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
		return false;
	run = dup(home_run(NULL));
	snprintf(path, sizeof(path), "%s/lock", id);
	lock = run < 0 ? -1 : openat(run, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (lock < 0)
		return errno == ENOENT;
	if (flock(lock, LOCK_EX | LOCK_NB) < 0)
		return false;
	/* Its maker may have written the configuration and let go between the two looks. */
	snprintf(path, sizeof(path), "%s/config.json", id);
	return faccessat(all, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

/* `names` is locked by the caller, so that a stale name is replaced by one process only. */
static int take(int names, const char *name, const char *id, struct error *e)
{
	int r;

	if (symlinkat(id, names, name) == 0)
		return 0;
	r = -errno;
	if (r == -EEXIST && name_is_stale(names, name)) {
		if (unlinkat(names, name, 0) == 0 && symlinkat(id, names, name) == 0)
			return 0;
		r = -errno;
	}
	if (r != -EEXIST)
		return error_errno(e, r, "cannot make %s/names/%s", home_data_path(NULL), name);
	error_set(e, EEXIST, "the name %s is taken by another container", name);
	error_hint(e, "remove that one (brig rm %s), rename it (brig rename %s NEW), or choose another --name", name,
		   name);
	return -EEXIST;
}

int container_name_take(struct container *c, struct error *e)
{
	_cleanup_close_ int names = -1;
	int r;

	if (c->config.name) {
		r = container_name_check(c->config.name, e);
		if (r < 0)
			return r;
	}
	names = names_open(e);
	if (names < 0)
		return names;
	if (flock(names, LOCK_EX) < 0)
		return error_errno(e, errno, "cannot lock %s/names", home_data_path(NULL));
	if (c->config.name)
		return take(names, c->config.name, c->config.id, e);
	for (int tries = 0; tries < 1000; tries++) {
		_cleanup_free_ char *name = NULL;
		uint32_t rnd[3];

		if (getrandom(rnd, sizeof(rnd), 0) != sizeof(rnd))
			return error_errno(e, errno, "no random bytes");
		name = xasprintf("%s_%s", adjectives[rnd[0] % ARRAY_SIZE(adjectives)],
				 nouns[rnd[1] % ARRAY_SIZE(nouns)]);
		if (tries > 8) { /* a few thousand names: with many containers a number helps */
			free(name);
			name = xasprintf("%s_%s%u", adjectives[rnd[0] % ARRAY_SIZE(adjectives)],
					 nouns[rnd[1] % ARRAY_SIZE(nouns)], rnd[2] % 100000);
		}
		r = take(names, name, c->config.id, e);
		if (r == 0)
			c->config.name = steal_ptr(&name);
		if (r != -EEXIST)
			return r;
	}
	return error_set(e, EEXIST, "found no free name");
}

void container_name_drop(const struct container *c)
{
	_cleanup_close_ int names = c->config.name ? names_open(NULL) : -1;
	char id[CONTAINER_ID_LEN + 1];

	if (names < 0 || flock(names, LOCK_EX) < 0)
		return;
	if (name_target(names, c->config.name, id) && streq(id, c->config.id))
		unlinkat(names, c->config.name, 0);
}

/* The owner of root's container gives its name back when it goes by itself. */
static void keep_owner(const char *old, const char *new)
{
	_cleanup_close_ int names = names_open(NULL);
	struct stat st;

	if (names >= 0 && geteuid() == 0 && fstatat(names, old, &st, AT_SYMLINK_NOFOLLOW) == 0)
		(void)!fchownat(names, new, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW);
}

int container_rename(struct container *c, const char *name, struct error *e)
{
	struct container old = { .config.name = c->config.name };
	int r;

	memcpy(old.config.id, c->config.id, sizeof(old.config.id));
	if (streq(old.config.name, name))
		return error_set(e, EINVAL, "container %s has that name already", name);
	c->config.name = xstrdup(name);
	r = container_name_take(c, e);
	if (r == 0) {
		keep_owner(old.config.name, c->config.name);
		r = container_save_config(c, e);
		if (r < 0)
			container_name_drop(c);
	}
	if (r < 0) {
		free(c->config.name);
		c->config.name = old.config.name;
		return r;
	}
	container_name_drop(&old);
	free(old.config.name);
	return 0;
}
