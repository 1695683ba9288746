/* SPDX-License-Identifier: Apache-2.0 */
/* Check "config" (catalogue V10): what the image's configuration and history say by themselves. image-spec config.md. */
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

	return n == 0 || strspn(user, "0") == n || (n == 4 && strncmp(user, "root", 4) == 0);
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

static void look_volumes(struct vet *v)
{
	const json_t *volumes = member(v, "Volumes"), *value;
	const char *path;

	json_object_foreach((json_t *)volumes, path, value) {
		if (str_ends(path, "docker.sock") || str_ends(path, "podman.sock") || str_ends(path, "containerd.sock"))
			vet_add(v, "config", "V10-engine-socket", VET_HIGH, NULL, NULL, "whoever has an engine's socket has the host",
				"the image wants the engine's socket as a volume: %s", path);
		else if (streq(path, "/") || streq(path, "/etc") || streq(path, "/usr") || streq(path, "/bin") || streq(path, "/lib"))
			vet_add(v, "config", "V10-system-volume", VET_MEDIUM, NULL, NULL,
				"what lies in a volume is not what was vetted, and stays from container to container",
				"the image wants a volume at %s", path);
	}
}

/* Labels do nothing in brig. Other engines run what some of them say. */
static void look_labels(struct vet *v)
{
	static const char *const names[] = { "run", "RUN", "install", "INSTALL", "uninstall", "UNINSTALL" };
	const json_t *labels = member(v, "Labels");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *text = json_string_value(json_object_get(labels, names[i]));

		if (text && strchr(text, ' '))
			vet_add(v, "config", "V10-label-command", strstr(text, "--privileged") ? VET_MEDIUM : VET_LOW, NULL, NULL,
				"podman container runlabel runs it on the host; brig does not", "the label %s is a command: %.150s", names[i], text);
	}
}

/* All parts in this order in one line. */
static bool has_parts(const char *line, const char *const parts[3])
{
	for (size_t i = 0; i < 3 && parts[i]; i++) {
		line = strstr(line, parts[i]);
		if (!line)
			return false;
		line += strlen(parts[i]);
	}
	return true;
}

struct habit {
	const char *parts[3];
	const char *rule;
	enum vet_level level;
	const char *title, *why;
};

static const char fetched[] = "what it fetched was decided by whoever owned the other end at that moment";

static const struct habit habits[] = {
	{ { "ADD http://" }, "V10-remote-add", VET_HIGH, "a file was fetched without TLS while the image was made",
	  "anybody between could have changed it" },
	{ { "ADD https://" }, "V10-remote-add", VET_MEDIUM, "a file was fetched while the image was made", fetched },
	{ { "ADD ftp://" }, "V10-remote-add", VET_HIGH, "a file was fetched without TLS while the image was made",
	  "anybody between could have changed it" },
	{ { "curl ", "http://", "| sh" }, "V10-pipe-to-shell", VET_HIGH, "a script was fetched without TLS and run while the image was made",
	  "anybody between could have changed it" },
	{ { "curl ", "http://", "| bash" }, "V10-pipe-to-shell", VET_HIGH, "a script was fetched without TLS and run while the image was made",
	  "anybody between could have changed it" },
	{ { "curl ", "| sh" }, "V10-pipe-to-shell", VET_MEDIUM, "a script was fetched and run while the image was made", fetched },
	{ { "curl ", "|sh" }, "V10-pipe-to-shell", VET_MEDIUM, "a script was fetched and run while the image was made", fetched },
	{ { "curl ", "| bash" }, "V10-pipe-to-shell", VET_MEDIUM, "a script was fetched and run while the image was made", fetched },
	{ { "curl ", "|bash" }, "V10-pipe-to-shell", VET_MEDIUM, "a script was fetched and run while the image was made", fetched },
	{ { "wget ", "| sh" }, "V10-pipe-to-shell", VET_MEDIUM, "a script was fetched and run while the image was made", fetched },
	{ { "wget ", "|sh" }, "V10-pipe-to-shell", VET_MEDIUM, "a script was fetched and run while the image was made", fetched },
	{ { "wget ", "| bash" }, "V10-pipe-to-shell", VET_MEDIUM, "a script was fetched and run while the image was made", fetched },
	{ { "--no-check-certificate" }, "V10-no-certificate", VET_MEDIUM, "something was fetched without checking who sent it",
	  "anybody between could have changed it" },
	{ { "curl ", "--insecure" }, "V10-no-certificate", VET_MEDIUM, "something was fetched without checking who sent it",
	  "anybody between could have changed it" },
	{ { "curl -k" }, "V10-no-certificate", VET_MEDIUM, "something was fetched without checking who sent it",
	  "anybody between could have changed it" },
	{ { "--allow-unauthenticated" }, "V10-unsigned-packages", VET_HIGH, "packages were installed without checking their signatures",
	  "anybody between could have changed them" },
	{ { "--allow-untrusted" }, "V10-unsigned-packages", VET_HIGH, "packages were installed without checking their signatures",
	  "anybody between could have changed them" },
	{ { "--nogpgcheck" }, "V10-unsigned-packages", VET_HIGH, "packages were installed without checking their signatures",
	  "anybody between could have changed them" },
	{ { "chmod -R 777" }, "V10-open-modes", VET_MEDIUM, "a tree was made writable for everybody", "whoever runs inside can change it" },
	{ { "chpasswd" }, "V10-password-set", VET_MEDIUM, "a password was set while the image was made",
	  "it stands in the image's history, and is the same in every container" },
};

static void look_history(struct vet *v)
{
	const json_t *history = json_object_get(v->config, "history"), *item;
	size_t i;

	json_array_foreach(history, i, item) {
		const char *line = json_string_value(json_object_get(item, "created_by"));

		for (size_t h = 0; line && h < ARRAY_SIZE(habits); h++) {
			if (!has_parts(line, habits[h].parts))
				continue;
			vet_add(v, "config", habits[h].rule, habits[h].level, NULL, json_pack("{s:i, s:o}", "history", (int)i, "line", vet_json(line)),
				habits[h].why, "%s: %.200s", habits[h].title, line);
			break;
		}
	}
}

static void look_onbuild(struct vet *v)
{
	const json_t *item;
	size_t i;

	json_array_foreach(member(v, "OnBuild"), i, item)
		vet_add(v, "config", "V10-on-build", VET_LOW, NULL, NULL, "it runs when somebody else builds on the image", "a command for builds: %.200s",
			json_is_string(item) ? json_string_value(item) : "?");
}

static int run(struct vet *v, struct error *e)
{
	(void)e;
	if (!v->config)
		return 0;
	look_user(v);
	look_ports(v);
	look_volumes(v);
	look_labels(v);
	look_history(v);
	look_onbuild(v);
	return 0;
}

const struct vet_check vet_check_config = { .name = "config", .run = run };
