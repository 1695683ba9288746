/* SPDX-License-Identifier: Apache-2.0 */
/* Speaks with registries, in a room of its own; `brig pull` and its like start it. */
#include "image/fetch.h"

int main(void)
{
	return fetch_main();
}
