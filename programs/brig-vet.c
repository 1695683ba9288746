/* SPDX-License-Identifier: Apache-2.0 */
/* What looks into images. It has large libraries, and locks itself in before it reads a byte of an image. */
#include "cli/cli.h"

extern const struct cli_command cmd_sbom, cmd_vet, cmd_vet_db;

static const struct cli_command *const commands[] = {
	&cmd_sbom,
	&cmd_vet,
	&cmd_vet_db,
	NULL,
};

int main(int argc, char **argv)
{
	return cli_main(commands, argc, argv);
}
