/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/exec_cgroup.h"

#include "base/cleanup.h"
#include "base/path.h"

#include <fcntl.h>
#include <string.h>

static bool listed(const char *names, const char *list, size_t n)
{
	_cleanup_free_ char *copy = xstrndup(list, n);
	_cleanup_strv_ char **want = strv_split(copy, ','), **have = strv_split(names, ',');

	strv_foreach(w, want)
		if (strv_has(have, *w))
			return true;
	return false;
}

/* The last place that names the hierarchy, or that names none. */
static const char *place_of(const struct oci_hierarchy *h, char *const *places)
{
	const char *found = NULL;

	strv_foreach(it, places) {
		const char *colon = strchr(*it, ':');

		if (!colon)
			found = *it;
		else if (listed(h->names, *it, (size_t)(colon - *it)))
			found = colon + 1;
	}
	return found;
}

static int check_places(const struct oci_cgroup *cg, char *const *places, struct error *e)
{
	strv_foreach(it, places) {
		const char *colon = strchr(*it, ':');
		bool known = !colon;
		_cleanup_free_ char *safe = str_escape(*it);

		for (size_t i = 0; colon && i < cg->n; i++)
			known |= listed(cg->h[i].names, *it, (size_t)(colon - *it));
		if (!known)
			return error_set(e, EINVAL, "--cgroup %s: there is no such controller", safe);
	}
	return 0;
}

/* Below the container's own folder and never out of it. */
static int open_below(const struct oci_hierarchy *h, const char *place, struct error *e)
{
	_cleanup_free_ char *safe = str_escape(place), *path = NULL;
	int fd;

	while (*place == '/')
		place++;
	path = xasprintf("%s%scgroup.procs", place, *place ? "/" : "");
	fd = path_open_beneath(h->fd, path, O_WRONLY, 0);
	return fd < 0 ? error_errno(e, fd, "--cgroup %s: %s", safe, h->names[0] ? h->names : "cgroup2") : fd;
}

int oci_exec_joins(const struct oci_cgroup *cg, pid_t init, char *const *places, int *fds, struct error *e)
{
	int n = 0, r;

	if (!places)
		return oci_cgroup_open_joins(cg, init, false, fds, e);
	r = check_places(cg, places, e);
	for (size_t i = 0; r == 0 && i < cg->n; i++) {
		const char *place = place_of(&cg->h[i], places);

		if (cg->h[i].fd < 0)
			continue;
		fds[n] = open_below(&cg->h[i], place ? place : "", e);
		if (fds[n] < 0)
			r = fds[n];
		else
			n++;
	}
	while (r < 0 && n > 0)
		close(fds[--n]);
	return r < 0 ? r : n;
}
