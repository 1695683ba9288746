/* SPDX-License-Identifier: Apache-2.0 */
/* The OCI runtime that podman, containerd and docker call. */
#include "cli/oci.h"

int main(int argc, char **argv)
{
	return oci_main(oci_commands, argc, argv);
}
