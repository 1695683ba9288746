/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/home.h"
#include "base/json.h"
#include "base/proc.h"
#include "engine/layer.h"
#include "engine/volume.h"
#include "image/store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct df_options {
	char *format;
};

static const struct cli_option df_options[] = {
	CLI_OPT(struct df_options, format, "format", 0, CLI_STRING, "TEMPLATE",
		"print by a Go template, \"json\", or \"table TEMPLATE\"", "json table"),
	CLI_END,
};

static const struct cli_column df_columns[] = {
	{ "Type", "TYPE", true },	  { "TotalCount", "TOTAL", true },
	{ "Active", "ACTIVE", true },	  { "Size", "SIZE", true },
	{ "Reclaimable", "RECLAIMABLE", true }, { NULL },
};

/* Bytes that the files below a folder take on disk. What cannot be read, a user's prepared trees say, is counted as empty. */
static uint64_t disk_use(int dirfd, const char *name, unsigned depth)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	uint64_t bytes = 0;
	struct dirent *de;

	if (!d) {
		cleanup_close(&fd);
		return 0;
	}
	while ((de = readdir(d))) {
		struct stat st;

		if (streq(de->d_name, ".") || streq(de->d_name, "..") ||
		    fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		bytes += (uint64_t)st.st_blocks * 512;
		if (S_ISDIR(st.st_mode) && depth > 0)
			bytes += disk_use(fd, de->d_name, depth - 1);
	}
	return bytes;
}

static void add_row(json_t *rows, const char *type, size_t total, size_t active, uint64_t size, uint64_t reclaimable)
{
	char size_text[24], back_text[24], total_text[24], active_text[24];

	format_size(size, false, size_text);
	format_size(reclaimable, false, back_text);
	_cleanup_free_ char *back = size ? xasprintf("%s (%u%%)", back_text, (unsigned)((double)reclaimable * 100 /
										(double)size)) : xstrdup(back_text);
	snprintf(total_text, sizeof(total_text), "%zu", total);
	snprintf(active_text, sizeof(active_text), "%zu", active);
	json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:s,s:s}", "Type", type, "TotalCount", total_text, "Active",
					      active_text, "Size", size_text, "Reclaimable", back));
}

struct containers {
	struct container *list;
	size_t n;
};

static bool image_used(const struct containers *all, const char *id)
{
	for (size_t i = 0; i < all->n; i++)
		if (streq(all->list[i].config.image_id, id))
			return true;
	return false;
}

/* Layers and files that images share are there once, so that removing one gives back at most its size. */
static int images_row(const struct containers *all, json_t *rows, struct error *e)
{
	/* partial: what pulls that broke off had, for the next one */
	static const char *const folders[] = { "images", "objects", "layers", "trees", "signatures", "partial" };
	uint64_t size = 0, unused = 0;
	struct image *list = NULL;
	size_t n = 0, active = 0;
	int r = image_list(&list, &n, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (image_used(all, list[i].id))
			active++;
		else
			unused += list[i].size;
		image_free(&list[i]);
	}
	free(list);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		size += disk_use(home_data(e), folders[i], 64);
	if (active == 0 || unused > size)
		unused = size;
	add_row(rows, "Images", n, active, size, unused);
	return 0;
}

static int containers_row(const struct containers *all, json_t *rows, struct error *e)
{
	uint64_t size = 0, unused = 0;
	size_t active = 0;

	for (size_t i = 0; i < all->n; i++) {
		struct layer_size layer;
		int r = layer_size(&all->list[i], &layer, e);

		if (r < 0)
			return error_wrap(e, "container %s", all->list[i].config.name);
		size += layer.bytes;
		if (container_running(&all->list[i]) || all->list[i].state.status == ST_RESTARTING)
			active++;
		else
			unused += layer.bytes;
	}
	add_row(rows, "Containers", all->n, active, size, unused);
	return 0;
}

static bool volume_used(const struct containers *all, const char *name)
{
	for (size_t i = 0; i < all->n; i++)
		for (size_t k = 0; k < all->list[i].config.n_mounts; k++)
			if (streq(all->list[i].config.mounts[k].type, "volume") &&
			    streq(all->list[i].config.mounts[k].source, name))
				return true;
	return false;
}

static int volumes_row(const struct containers *all, json_t *rows, struct error *e)
{
	uint64_t size = 0, unused = 0;
	struct volume *list = NULL;
	size_t n = 0, active = 0;
	int r = volume_list(&list, &n, NULL, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *path = xasprintf("volumes/%s/data", list[i].name);
		uint64_t bytes = disk_use(home_data(e), path, 64);

		size += bytes;
		if (volume_used(all, list[i].name))
			active++;
		else
			unused += bytes;
		volume_free(&list[i]);
	}
	free(list);
	add_row(rows, "Local Volumes", n, active, size, unused);
	return 0;
}

static int run_df(void *options_, int argc, char **argv, struct error *e)
{
	struct df_options *o = options_;
	_cleanup_json_ json_t *rows = json_array();
	struct containers all = { 0 };
	int r = container_list(&all.list, &all.n, e);

	(void)argc;
	(void)argv;
	if (r == 0)
		r = images_row(&all, rows, e);
	if (r == 0)
		r = containers_row(&all, rows, e);
	if (r == 0)
		r = volumes_row(&all, rows, e);
	for (size_t i = 0; i < all.n; i++)
		container_free(&all.list[i]);
	free(all.list);
	return r < 0 ? r : cli_list(o->format, df_columns, rows, e);
}

const struct cli_command cmd_system_df = {
	.name = "system df",
	.group = "System",
	.args = "[OPTIONS]",
	.summary = "show the disk space that brig uses",
	.description = "Images share their files, so that the space which removing unused ones gives back is at most what is shown.",
	.options = df_options,
	.options_size = sizeof(struct df_options),
	.run = run_df,
};

struct prune_options {
	bool all, force, volumes;
};

static const struct cli_option prune_options[] = {
	CLI_OPT(struct prune_options, all, "all", 'a', CLI_FLAG, NULL, "remove all images without a container, not only nameless ones",
		NULL),
	CLI_OPT(struct prune_options, force, "force", 'f', CLI_FLAG, NULL, "do not ask", NULL),
	CLI_OPT(struct prune_options, volumes, "volumes", 0, CLI_FLAG, NULL, "remove unnamed volumes without a container as well", NULL),
	CLI_END,
};

/* One of our own commands, as a person would call it. */
static int run_command(char *const argv[], struct error *e)
{
	pid_t pid;
	int r;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return error_errno(e, errno, "fork");
	if (pid == 0) {
		execv("/proc/self/exe", argv);
		_exit(EXIT_ENGINE);
	}
	r = proc_wait(pid);
	if (r < 0)
		return error_errno(e, r, "cannot wait for brig %s", argv[1]);
	return proc_exit_code(r);
}

static int run_prune(void *options_, int argc, char **argv, struct error *e)
{
	struct prune_options *o = options_;
	char *const containers[] = { (char[]){ "brig" }, (char[]){ "container" }, (char[]){ "prune" }, (char[]){ "-f" }, NULL };
	char *const volumes[] = { (char[]){ "brig" }, (char[]){ "volume" }, (char[]){ "prune" }, (char[]){ "-f" }, NULL };
	char *const images[] = { (char[]){ "brig" }, (char[]){ "image" }, (char[]){ "prune" }, (char[]){ "-f" },
				 o->all ? (char[]){ "-a" } : NULL, NULL };
	int r, failed;

	(void)argc;
	(void)argv;
	if (!o->force) {
		_cleanup_free_ char *what = xasprintf("all containers that do not run, all images without a %s%s",
						      o->all ? "container" : "name", o->volumes ? ", all unnamed volumes without a container" : "");

		if (!cli_agreed(what))
			return 1;
	}
	r = failed = run_command(containers, e);
	if (r >= 0 && o->volumes) {
		r = run_command(volumes, e);
		failed = failed ? failed : r;
	}
	if (r >= 0) {
		r = run_command(images, e);
		failed = failed ? failed : r;
	}
	return r < 0 ? r : failed;
}

const struct cli_command cmd_system_prune = {
	.name = "system prune",
	.group = "System",
	.args = "[OPTIONS]",
	.summary = "remove containers that do not run and images that nothing uses",
	.options = prune_options,
	.options_size = sizeof(struct prune_options),
	.run = run_prune,
};
