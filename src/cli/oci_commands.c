/* SPDX-License-Identifier: Apache-2.0 */
/* The table of brig-oci. */
#include "cli/oci.h"

const struct cli_command *const oci_commands[] = {
	&cmd_oci_checkpoint,
	&cmd_oci_create,
	&cmd_oci_delete,
	&cmd_oci_events,
	&cmd_oci_exec,
	&cmd_oci_features,
	&cmd_oci_kill,
	&cmd_oci_list,
	&cmd_oci_pause,
	&cmd_oci_ps,
	&cmd_oci_restore,
	&cmd_oci_resume,
	&cmd_oci_run,
	&cmd_oci_spec,
	&cmd_oci_start,
	&cmd_oci_state,
	&cmd_oci_update,
	NULL,
};
