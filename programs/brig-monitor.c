/* SPDX-License-Identifier: Apache-2.0 */
/* The parent of one detached container. Everything is in engine/monitor.h; the start is in bare.c where there is one. */
#include "engine/monitor.h"

int main(int argc, char **argv, char **env)
{
	(void)argc;
	(void)argv;
	return monitor_main(env);
}
