/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/trust_offer.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/image_json.h"
#include "engine/events.h"
#include "engine/vouch.h"
#include "image/reference.h"
#include "trust/trust.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void show_count(const json_t *vetting, const char *key, const char *what)
{
	size_t n = json_array_size(json_object_get(vetting, key));

	if (n)
		cli_say("  %zu %s", n, what);
}

void trust_tell(const struct image *img, const char *name, const char *hex)
{
	_cleanup_json_ json_t *j = image_json(img, NULL);
	const json_t *vetting = json_object_get(j, "Vetting");
	const char *user = json_string_value(json_object_get(json_object_get(j, "Config"), "User"));

	cli_say("Nobody has said yet that %s is to be trusted. It is", name);
	cli_say("  sha256:%s", hex);
	if (img->pulled)
		cli_say("  pulled as %s", img->pulled);
	cli_say("  runs as %s", user && *user ? user : "root (of its own user namespace)");
	show_count(vetting, "SetId", "files with set-user-ID or set-group-ID");
	show_count(vetting, "Capabilities", "files with capabilities, which were left out");
	show_count(vetting, "Fifos", "FIFOs");
	trust_show_vetted(img->id, name);
}

bool trust_ask(const struct image *img, const char *name, const char *hex)
{
	char line[16];

	trust_tell(img, name, hex);
	fprintf(stderr, "Trust exactly these bytes under this name from now on (yes/no)? ");
	if (!fgets(line, sizeof(line), stdin))
		return false;
	line[strcspn(line, "\n")] = 0;
	return streq(line, "yes");
}

int trust_pin(const char *name, const char *hex, bool replace, struct error *e)
{
	_cleanup_free_ char *digest = xasprintf("sha256:%s", hex);
	struct event_attr attr = { "digest", digest };

	event_record("image", hex, name, "trust_pin", &attr, 1, NULL);
	return pin_add(name, hex, replace, e);
}

int trust_offer(const struct container *c, struct error *e)
{
	_cleanup_free_ char *name = NULL;
	struct trust_question q;
	struct trust_answer a;
	struct error refusal = { 0 };
	struct image img;
	const char *hex;
	int r;

	if (c->config.rootfs || !c->config.image_manifest || !isatty(0) || !isatty(2))
		return 0;
	vouch_question(&c->config, &q);
	if (trust_check(&q, &a, &refusal) == 0 || a.moved || !a.command[0])
		return 0;
	hex = reference_pulled_digest(q.pulled, &name);
	if (!hex || image_find(c->config.image_id, &img, NULL) < 0)
		return 0;
	r = trust_ask(&img, name, hex) ? trust_pin(name, hex, false, e) : 0;
	image_free(&img);
	return r;
}
