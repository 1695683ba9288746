/* SPDX-License-Identifier: Apache-2.0 */
/* Every command of the front, one line each, in alphabetical order. */
#include "cli/cli.h"

extern const struct cli_command
	cmd_version;

const struct cli_command *const brig_commands[] = {
	&cmd_version,
	NULL,
};
