/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/rules_load.h"

#include "base/cleanup.h"
#include "base/home.h"
#include "base/path.h"
#include "vet/own_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static int load_file(struct rules *r, int dir, const char *name, const char *shown, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	int err = own_file_read(dir, name, shown, RULES_FILE_MAX, &text, &n, e);

	return err < 0 ? err : rules_parse(r, text, n, shown, e);
}

static int load_folder(struct rules *r, const char *path, struct error *e)
{
	_cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_strv_ char **names = NULL;
	int listed = dir < 0 ? -errno : path_list(dir, ".", &names);

	if (listed < 0)
		return listed == -ENOENT ? 0 : error_errno(e, listed, "cannot read %s", path);
	strv_foreach(name, names) {
		if (**name == '.' || !str_ends(*name, ".rules"))
			continue;
		_cleanup_free_ char *shown = xasprintf("%s/%s", path, *name);
		int err = load_file(r, dir, *name, shown, e);

		if (err < 0)
			return err;
	}
	return 0;
}

int rules_load(struct rules *r, char *const *more, struct error *e)
{
	_cleanup_free_ char *ours = share_path("vet.rules"), *folder = NULL;
	const char *config = home_config_path(e);
	int err = config ? load_file(r, AT_FDCWD, ours, ours, e) : -ENOENT;

	if (err < 0) {
		error_hint(e, "install brig as a whole");
		return err;
	}
	folder = xasprintf("%s/vet.rules.d", config);
	err = load_folder(r, folder, e);
	strv_foreach(path, more)
		if (err == 0)
			err = load_file(r, AT_FDCWD, *path, *path, e);
	return err < 0 ? err : rules_check(r, e);
}
