/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/spec.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void spec_init(struct spec *s)
{
	memset(s, 0, sizeof(*s));
	s->umask = UINT64_MAX;
	s->net_fd = s->parent_fd = -1;
	s->root.lower_fd = s->root.data_fd = s->root.rw_fd = -1;
}

static void close_if(int fd)
{
	if (fd >= 0)
		close(fd);
}

void spec_free(struct spec *s)
{
	free(s->id);
	free(s->hostname);
	free(s->domainname);
	strv_free(s->args);
	strv_free(s->env);
	free(s->cwd);
	free(s->groups);
	free(s->uidmap);
	free(s->gidmap);
	close_if(s->root.lower_fd);
	close_if(s->root.data_fd);
	close_if(s->root.rw_fd);
	if (s->root.check_free)
		s->root.check_free(s->root.check_arg);
	for (size_t i = 0; i < s->n_mounts; i++) {
		free(s->mounts[i].target);
		free(s->mounts[i].fstype);
		free(s->mounts[i].source);
		free(s->mounts[i].data);
		close_if(s->mounts[i].fd);
		for (size_t k = 0; k < s->mounts[i].n_files; k++) {
			free(s->mounts[i].files[k].name);
			close_if(s->mounts[i].files[k].fd);
		}
		free(s->mounts[i].files);
	}
	free(s->mounts);
	strv_free(s->masked);
	strv_free(s->readonly);
	close_if(s->net_fd);
	close_if(s->parent_fd);
	for (size_t i = 0; i < s->n_ports; i++)
		free(s->ports[i].host_addr);
	free(s->ports);
	free(s->expose_tcp);
	free(s->apparmor);
	free(s->selinux);
	free(s->rlimits);
	free(s->limits.cpuset_cpus);
	free(s->limits.cpuset_mems);
	free(s->cgroup_parent);
	free(s->cgroup_stands);
	strv_free(s->sysctl);
	for (size_t i = 0; i < s->n_lower; i++) {
		free(s->lower[i].wall);
		free(s->lower[i].detail);
	}
	free(s->lower);
	spec_init(s);
}

struct spec_mount *spec_add_mount(struct spec *s, const char *fstype, const char *source, const char *target,
				  const char *data, uint64_t attrs)
{
	struct spec_mount *m;

	s->mounts = xrealloc(s->mounts, s->n_mounts + 1, sizeof(*s->mounts));
	m = &s->mounts[s->n_mounts++];
	*m = (struct spec_mount){ .target = xstrdup(target), .fstype = xstrdup(fstype), .source = xstrdup(source),
				  .data = xstrdup(data), .attrs = attrs, .fd = -1 };
	return m;
}

void spec_add_rlimit(struct spec *s, int resource, uint64_t soft, uint64_t hard)
{
	for (size_t i = 0; i < s->n_rlimits; i++) {
		if (s->rlimits[i].resource == resource) {
			s->rlimits[i].soft = soft;
			s->rlimits[i].hard = hard;
			return;
		}
	}
	s->rlimits = xrealloc(s->rlimits, s->n_rlimits + 1, sizeof(*s->rlimits));
	s->rlimits[s->n_rlimits++] = (struct spec_rlimit){ resource, soft, hard };
}

static bool named(const struct spec_lower *l, const char *wall, const char *detail)
{
	return streq(l->wall, wall) && (!l->detail || (detail && streq(l->detail, detail)));
}

bool spec_lowered(const struct spec *s, const char *wall, const char *detail)
{
	for (size_t i = 0; i < s->n_lower; i++)
		if (!s->lower[i].accept && named(&s->lower[i], wall, detail))
			return true;
	return false;
}

bool spec_accepts(const struct spec *s, const char *wall, const char *detail)
{
	for (size_t i = 0; i < s->n_lower; i++)
		if (named(&s->lower[i], wall, detail))
			return true;
	return false;
}

int64_t spec_host_id(const struct spec_idmap *map, size_t n, uint32_t inside)
{
	for (size_t i = 0; i < n; i++)
		if (inside >= map[i].inside && inside - map[i].inside < map[i].count)
			return (int64_t)map[i].host + (inside - map[i].inside);
	return -ENOENT;
}
