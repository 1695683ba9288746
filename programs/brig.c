/* SPDX-License-Identifier: Apache-2.0 */
/* The front: what a person calls. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
	return cli_main(brig_commands, argc, argv);
}
