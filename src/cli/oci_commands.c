/* SPDX-License-Identifier: Apache-2.0 */
/* The table of brig-oci. */
#include "cli/oci.h"

const struct cli_command *const oci_commands[] = {
	&cmd_oci_features,
	&cmd_oci_spec,
	NULL,
};
