/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/data.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/str.h"
#include "vet/own_file.h"

#include <fcntl.h>
#include <stdlib.h>

enum { DATA_MAX = 8 << 20 };

void vet_data_free(struct vet_data *d)
{
	free(d->path);
	free(d->text);
	*d = (struct vet_data){ 0 };
}

int vet_data_installed(const char *name, struct vet_data *out, struct error *e)
{
	int r;

	vet_data_free(out);
	out->path = share_path(name);
	r = file_read(AT_FDCWD, out->path, DATA_MAX, &out->text, &out->len);
	return r < 0 ? error_errno(e, r, "%s", out->path) : 0;
}

int vet_data_config(const char *name, struct vet_data *out, struct error *e)
{
	const char *dir = home_config_path(e);
	int r;

	if (!dir)
		return e ? e->code : -EIO;
	vet_data_free(out);
	out->path = xasprintf("%s/%s", dir, name);
	r = own_file_read(AT_FDCWD, out->path, out->path, DATA_MAX, &out->text, &out->len, e);
	if (r != -ENOENT)
		return r;
	if (e)
		*e = (struct error){ 0 };
	vet_data_free(out);
	return 0;
}
