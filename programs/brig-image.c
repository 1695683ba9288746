/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that read or write whole images: they need large libraries, and the front shall not. */
#include "cli/cli.h"

extern const struct cli_command cmd_atrest, cmd_image_copy, cmd_image_remote, cmd_image_tags, cmd_import, cmd_load, cmd_login, cmd_logout, cmd_mend, cmd_pull, cmd_push, cmd_save, cmd_sign, cmd_trust_key;

static const struct cli_command *const commands[] = {
	&cmd_atrest,
	&cmd_image_copy,
	&cmd_image_remote,
	&cmd_image_tags,
	&cmd_import,
	&cmd_load,
	&cmd_login,
	&cmd_logout,
	&cmd_mend,
	&cmd_pull,
	&cmd_push,
	&cmd_save,
	&cmd_sign,
	&cmd_trust_key,
	NULL,
};

int main(int argc, char **argv)
{
	return cli_main(commands, argc, argv);
}
