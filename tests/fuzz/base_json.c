/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict JSON reader: what it accepts can be written and is accepted again with the same meaning; the typed
 * readers refuse or fill; what is printed of it has no control characters.
 */
#include "base/json.h"
#include "base/str.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_members(const json_t *j)
{
	struct error e = { 0 };
	_cleanup_strv_ char **list = NULL;
	const char *text = NULL;
	json_t *obj = NULL, *arr = NULL;
	int64_t number = 7;
	bool flag = false;

	json_get_str(j, "top", "s", &text, &e);
	json_get_bool(j, "top", "b", &flag, &e);
	if (json_get_int(j, "top", "i", -5, 100, &number, &e) == 0 && (number < -5 || number > 100))
		abort();
	json_get_obj(j, "top", "o", &obj, &e);
	json_get_arr(j, "top", "a", &arr, &e);
	json_get_strv(j, "top", "v", &list, &e);
	if (text) {
		char *shown = str_escape(text);

		for (const unsigned char *p = (const unsigned char *)shown; *p; p++)
			if (*p < 0x20 || *p == 0x7f)
				abort();
		free(shown);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = { 0 };
	json_t *j = json_parse((const char *)data, size, "fuzz", &e);

	if (!j)
		return 0;
	char *text = json_text(j);
	json_t *again = json_parse(text, strlen(text), "again", &e);

	if (!again || !json_equal(j, again))
		abort();
	if (json_is_object(j))
		read_members(j);
	json_decref(again);
	json_decref(j);
	free(text);
	return 0;
}
