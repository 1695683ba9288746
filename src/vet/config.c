/* SPDX-License-Identifier: Apache-2.0 */
/* Check "config" (catalogue V10): what the image's configuration and history say by themselves. */
#include "vet/vet.h"

#include "base/cleanup.h"

#include <string.h>

static const json_t *member(const struct vet *v, const char *name)
{
	return json_object_get(json_object_get(v->config, "config"), name);
}

static bool is_root(const char *user)
{
	size_t n = user ? strcspn(user, ":") : 0;

	return n == 0 || (n == 1 && user[0] == '0') || (n == 4 && strncmp(user, "root", 4) == 0);
}

static void look_user(struct vet *v)
{
	const char *user = json_string_value(member(v, "User"));

	if (is_root(user))
		vet_add(v, "config", "V10-root-user", VET_LOW, NULL, NULL,
			"root inside has more of the kernel to attack; in brig it is nobody outside, elsewhere it may be root",
			"the image runs as root");
}

static void look_ports(struct vet *v)
{
	const json_t *ports = member(v, "ExposedPorts"), *value;
	const char *port;

	json_object_foreach((json_t *)ports, port, value)
		if (streq(port, "22/tcp") || streq(port, "22") || streq(port, "23/tcp") || streq(port, "23"))
			vet_add(v, "config", "V10-login-port", VET_MEDIUM, NULL, NULL,
				"a container is entered with brig exec; a port for logins is a way in for others", "the image exposes port %s",
				port);
}

static int run(struct vet *v, struct error *e)
{
	(void)e;
	if (!v->config)
		return 0;
	look_user(v);
	look_ports(v);
	return 0;
}

const struct vet_check vet_check_config = { .name = "config", .run = run };
