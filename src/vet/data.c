/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/data.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/proc.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { DATA_MAX = 8 << 20 };

void vet_data_free(struct vet_data *d)
{
	free(d->path);
	free(d->text);
	*d = (struct vet_data){ 0 };
}

static int take(char *path, struct vet_data *out, struct error *e)
{
	int r;

	vet_data_free(out);
	out->path = path;
	r = file_read(AT_FDCWD, path, DATA_MAX, &out->text, &out->len);
	return r < 0 ? error_errno(e, r, "%s", path) : 0;
}

int vet_data_installed(const char *name, struct vet_data *out, struct error *e)
{
	const char *share = getenv("BRIG_SHARE");

	if (share)
		return take(xasprintf("%s/%s", share, name), out, e);
	return take(proc_share(name), out, e);
}

int vet_data_config(const char *name, struct vet_data *out, struct error *e)
{
	const char *dir = home_config_path(e);
	int r;

	if (!dir)
		return e ? e->code : -EIO;
	r = take(xasprintf("%s/%s", dir, name), out, e);
	if (r != -ENOENT)
		return r;
	if (e)
		*e = (struct error){ 0 };
	vet_data_free(out);
	return 0;
}
