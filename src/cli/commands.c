/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every command of the front, one line each, in alphabetical order. HERE: the command is `cmd_NAME` of a file in
 * src/cli/. ELSEWHERE: another program has it (see `program` in cli.h).
 */
#include "cli/cli.h"

/* clang-format off */
#define COMMANDS \
	HERE(after) \
	HERE(attach) \
	HERE(complete) \
	HERE(container_inspect) \
	HERE(container_prune) \
	HERE(cp) \
	HERE(create) \
	HERE(diff) \
	HERE(events) \
	HERE(exec) \
	HERE(generate_apparmor) \
	HERE(generate_systemd) \
	HERE(health) \
	HERE(help_walls) \
	HERE(history) \
	ELSEWHERE("image copy", "brig-image", "Images", "copy an image between registries and OCI layouts", NULL) \
	HERE(image_inspect) \
	HERE(image_prune) \
	HERE(image_repair) \
	ELSEWHERE("image tags", "brig-image", "Images", "list the tags that a registry has of an image", NULL) \
	HERE(image_verify) \
	HERE(images) \
	ELSEWHERE("import", "brig-image", "Images", "make an image of a root file system in a tar archive", "image import") \
	HERE(info) \
	HERE(inspect) \
	HERE(kill) \
	ELSEWHERE("load", "brig-image", "Images", "load images from an OCI layout or an archive of docker save or podman save", "image load") \
	ELSEWHERE("login", "brig-image", "Images", "keep user and password of a registry", NULL) \
	ELSEWHERE("logout", "brig-image", "Images", "forget user and password of a registry", NULL) \
	HERE(logs) \
	HERE(pause) \
	HERE(port) \
	HERE(posture) \
	HERE(ps) \
	ELSEWHERE("pull", "brig-image", "Images", "fetch an image from a registry", "image pull") \
	ELSEWHERE("push", "brig-image", "Images", "send an image to a registry", "image push") \
	HERE(rename) \
	HERE(restart) \
	HERE(rm) \
	HERE(rmi) \
	HERE(run) \
	ELSEWHERE("save", "brig-image", "Images", "write images to a tar archive or an OCI layout folder", "image save") \
	ELSEWHERE("sbom", "brig-vet", "Walls", "write what packages are in an image as a bill of materials", "image sbom") \
	HERE(setup) \
	ELSEWHERE("sign", "brig-image", "Images", "sign an image in a registry", "image sign") \
	HERE(start) \
	HERE(stats) \
	HERE(stop) \
	HERE(system_df) \
	HERE(system_prune) \
	HERE(tag) \
	HERE(top) \
	ELSEWHERE("trust key", "brig-image", "Images", "make a key pair that signs images", NULL) \
	HERE(trust_add) \
	HERE(trust_pin) \
	HERE(trust_remove) \
	HERE(trust_show) \
	HERE(trust_test) \
	HERE(trust_unpin) \
	HERE(unpause) \
	HERE(update) \
	HERE(usage) \
	HERE(version) \
	ELSEWHERE("vet", "brig-vet", "Walls", "look into an image for what it should not have", "image vet") \
	ELSEWHERE("vet db", "brig-vet", "Walls", "keep what is known about vulnerable packages", NULL) \
	HERE(volume_create) \
	HERE(volume_inspect) \
	HERE(volume_ls) \
	HERE(volume_prune) \
	HERE(volume_rm) \
	HERE(wait) \

/* clang-format on */

#define HERE(name) extern const struct cli_command cmd_##name;
#define ELSEWHERE(...)
COMMANDS
#undef HERE
#undef ELSEWHERE

#define HERE(name) &cmd_##name,
#define ELSEWHERE(name, program, group, summary, aliases) CLI_EXTERNAL(name, program, group, summary, aliases),
const struct cli_command *const brig_commands[] = { COMMANDS NULL };
