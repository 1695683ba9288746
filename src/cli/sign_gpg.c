/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sign_gpg.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "image/lookaside.h"
#include "image/signatures.h"
#include "trust/gpg_sign.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The next free signature-N of BASE/PATH@sha256=HEX. */
static int write_signature(const char *base, const char *path, const char *hex, const char *data, size_t n, char **where,
			   struct error *e)
{
	_cleanup_free_ char *folder = xasprintf("%s/%s@sha256=%s", base, path, hex);
	_cleanup_close_ int dir = -1;

	for (char *p = strchr(folder + 1, '/');; p = strchr(p + 1, '/')) {
		_cleanup_free_ char *part = xstrndup(folder, p ? (size_t)(p - folder) : strlen(folder));

		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return error_errno(e, errno, "cannot make %s", part);
		if (!p)
			break;
	}
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_errno(e, errno, "cannot open %s", folder);
	for (int i = 1; i <= SIGNATURES_GPG_MAX; i++) {
		_cleanup_close_ int fd = -1;
		char name[24];
		int r;

		snprintf(name, sizeof(name), "signature-%d", i);
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (fd < 0 && errno == EEXIST)
			continue;
		r = fd < 0 ? -errno : fd_write_all(fd, data, n);
		if (r == 0 && fsync(fd) < 0)
			r = -errno;
		if (r < 0 && fd >= 0)
			unlinkat(dir, name, 0);
		*where = xasprintf("%s/%s", folder, name);
		return r < 0 ? error_errno(e, r, "cannot write %s", *where) : 0;
	}
	return error_set(e, EFBIG, "%s has %d signatures already", folder, SIGNATURES_GPG_MAX);
}

static int find_folder(const char *named, const char *image, char **out, struct error *e)
{
	_cleanup_(lookasides_free) struct lookasides all = { 0 };
	_cleanup_free_ char *url = NULL;
	int r;

	if (named) {
		*out = xstrdup(named);
		return 0;
	}
	r = lookasides_load(&all, e);
	if (r < 0)
		return r;
	url = lookaside_url(&all, image, true);
	if (!url || !lookaside_folder(url)) {
		error_set(e, EINVAL, "registries.d keeps signatures of %s at %s, where brig cannot write", image, url ? url : "no place");
		error_hint(e, "name a folder: --folder DIR, or lookaside-staging: file:///... in registries.d");
		return -EINVAL;
	}
	*out = xstrdup(lookaside_folder(url));
	return 0;
}

int sign_gpg(const char *key, const char *folder_named, const char *arg, const struct reference *to, struct error *e)
{
	_cleanup_free_ char *name = reference_name(to), *folder = NULL, *payload = NULL, *message = NULL, *where = NULL;
	struct image img;
	size_t n = 0;
	int r;

	if (!*key || *key == '-')
		return error_set(e, EINVAL, "--gpg: no key to sign with");
	if (str_after(name, "localhost/")) {
		error_set(e, EINVAL, "%s means this image nowhere else", name);
		error_hint(e, "say which name is signed: brig sign --gpg KEY %s HOST/NAME:TAG", arg);
		return -EINVAL;
	}
	r = image_find(arg, &img, e);
	if (r < 0)
		return r;
	r = find_folder(folder_named, name, &folder, e);
	payload = r == 0 ? simple_payload_write(name, img.manifest, (int64_t)time(NULL)) : NULL;
	if (r == 0)
		r = payload ? gpg_sign(key, payload, &message, &n, e) : error_set(e, EINVAL, "%s cannot be signed", name);
	if (r == 0)
		r = write_signature(folder, to->path, img.manifest, message, n, &where, e);
	if (r == 0)
		r = signatures_add(img.manifest, SIGNATURE_GPG, message, n, e);
	if (r == 0) {
		cli_say("signed %s as sha256:%s", name, img.manifest);
		printf("%s\n", where);
	}
	image_free(&img);
	return r;
}
