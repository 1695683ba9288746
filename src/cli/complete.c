/* SPDX-License-Identifier: Apache-2.0 */
/* `brig __complete KIND`: the names that a shell's completion offers, one a line. It never fails: a shell waits. */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "confine/wall.h"
#include "engine/container.h"
#include "engine/volume.h"
#include "image/store.h"

#include <string.h>

/* Shells differ in what they do with other characters; a name that has one is not offered. */
static void offer(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/@+-";

	if (*name && *name != '-' && name[strspn(name, plain)] == 0)
		printf("%s\n", name);
}

static void containers(bool running)
{
	struct container *list = NULL;
	size_t n = 0;

	if (container_list(&list, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (!running || container_running(&list[i]))
			offer(list[i].config.name);
		container_free(&list[i]);
	}
	free(list);
}

static void images(void)
{
	struct image *list = NULL;
	size_t n = 0;

	if (image_list(&list, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		strv_foreach(name, list[i].names) {
			const char *local = str_after(*name, "localhost/");

			offer(local ? local : *name);
		}
		image_free(&list[i]);
	}
	free(list);
}

static void volumes(void)
{
	struct volume *list = NULL;
	size_t n = 0;

	if (volume_list(&list, &n, NULL, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		offer(list[i].name);
		volume_free(&list[i]);
	}
	free(list);
}

static void all_walls(void)
{
	for (size_t i = 0; i < WALL_COUNT; i++) {
		if (!walls[i] || !walls[i]->can_lower)
			continue;
		offer(walls[i]->name);
		for (const char *const *d = walls[i]->details; d && *d; d++) {
			_cleanup_free_ char *text = xasprintf("%s=%s", walls[i]->name, *d);

			printf("%s\n", text);
		}
	}
}

static int run(void *options, int argc, char **argv, struct error *e)
{
	(void)options;
	(void)argc;
	(void)e;
	if (streq(argv[0], "containers") || streq(argv[0], "running"))
		containers(streq(argv[0], "running"));
	else if (streq(argv[0], "images"))
		images();
	else if (streq(argv[0], "volumes"))
		volumes();
	else if (streq(argv[0], "walls"))
		all_walls();
	else if (streq(argv[0], "commands"))
		for (const struct cli_command *const *c = cli_commands; *c; c++)
			if (!(*c)->hidden && !strchr((*c)->name, ' '))
				printf("%s\n", (*c)->name);
	return 0;
}

const struct cli_command cmd_complete = {
	.name = "__complete",
	.group = "System",
	.args = "KIND",
	.summary = "list names for a shell's completion",
	.min_args = 1,
	.max_args = 1,
	.hidden = true,
	.run = run,
};
