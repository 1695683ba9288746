/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "cli/show.h"

#include <string.h>

struct wanted {
	bool any, found, udp;
	uint16_t port;
};

static void show(const char *addr, uint16_t host_port, uint16_t port, bool udp, void *arg)
{
	_cleanup_free_ char *address = show_address(addr, host_port);
	struct wanted *w = arg;

	if (w->any)
		printf("%u/%s -> %s\n", port, udp ? "udp" : "tcp", address);
	else if (port == w->port && udp == w->udp)
		printf("%s\n", address);
	else
		return;
	w->found = true;
}

/* "80", "80/tcp", "53/udp" */
static int parse(const char *arg, struct wanted *w, struct error *e)
{
	const char *slash = strchrnul(arg, '/');
	_cleanup_free_ char *digits = xstrndup(arg, (size_t)(slash - arg));
	uint64_t port;

	w->udp = streq(slash, "/udp");
	if (parse_u64(digits, 1, 65535, &port) < 0 || (*slash && !w->udp && !streq(slash, "/tcp")))
		return error_set(e, EINVAL, "invalid port %s: give PORT, PORT/tcp or PORT/udp", arg);
	w->port = (uint16_t)port;
	return 0;
}

static int run(void *options, int argc, char **argv, struct error *e)
{
	struct wanted w = { .any = argc == 1 };
	struct container c;
	int r = w.any ? 0 : parse(argv[1], &w, e);

	(void)options;
	if (r == 0)
		r = container_find(argv[0], &c, e);
	if (r < 0)
		return r;
	if (container_running(&c))
		show_each_port(&c, show, &w);
	if (!w.any && !w.found) {
		r = error_set(e, ENOENT, "port %u/%s of %s is not published", w.port, w.udp ? "udp" : "tcp",
			      c.config.name);
		if (!container_running(&c))
			error_hint(e, "the container does not run");
	}
	container_free(&c);
	return r;
}

const struct cli_command cmd_port = {
	.name = "port",
	.aliases = "container port",
	.group = "Containers",
	.args = "CONTAINER [PORT[/tcp|/udp]]",
	.summary = "list the published ports of a container",
	.min_args = 1,
	.max_args = 2,
	.complete = "running",
	.run = run,
};
