/* SPDX-License-Identifier: Apache-2.0 */
#include "image/signatures.h"

#include "base/cleanup.h"
#include "base/home.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *const kinds[] = { "gpg-", "manifest-", "part-" };

void signature_name(enum signature_file kind, const char *hex, char out[static SIGNATURE_NAME])
{
	snprintf(out, SIGNATURE_NAME, "%s%.64s", kinds[kind], hex);
}

int signature_name_parse(const char *name, enum signature_file *kind, char hex[static DIGEST_SIZE])
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *rest = str_after(name, kinds[i]);

		if (!rest || !hex_valid(rest, DIGEST_HEX))
			continue;
		*kind = (enum signature_file)i;
		memcpy(hex, rest, DIGEST_SIZE);
		return 0;
	}
	return -EINVAL;
}

int signatures_open(const char *subject, bool make, struct error *e)
{
	_cleanup_close_ int parent = home_data_dir("signatures", e), fd = -1;

	if (parent < 0)
		return parent;
	if (make && mkdirat(parent, subject, 0700) < 0 && errno != EEXIST)
		return error_errno(e, errno, "cannot make %s/signatures/%.12s", home_data_path(NULL), subject);
	fd = openat(parent, subject, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	return fd < 0 ? error_errno(e, errno, "cannot open %s/signatures/%.12s", home_data_path(NULL), subject) : steal_fd(&fd);
}
