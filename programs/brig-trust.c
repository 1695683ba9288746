/* SPDX-License-Identifier: Apache-2.0 */
/* Verifies the signatures of an image; brig starts it. See src/trust/ask.h. */
#include "trust/ask.h"

int main(void)
{
	return verify_main();
}
