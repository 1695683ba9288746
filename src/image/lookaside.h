/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where GPG signatures of images lie: containers-registries.d(5). Every *.yaml of one folder: CONFIG/registries.d (BRIG_CONFIG, see
 * home.h), else ~/.config/containers/registries.d, else /etc/containers/registries.d; the first that exists counts alone, as podman has
 * it. The keys that count here are lookaside and lookaside-staging (once called sigstore and sigstore-staging); others mean nothing.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

struct lookaside {
	char *scope;	/* "quay.io/team"; NULL: default-docker */
	char *read, *write; /* URLs, https:, http: or file:; NULL: not said */
	char *file;	/* where it stands */
};

struct lookasides {
	struct lookaside *list;
	size_t n;
};

int lookasides_load(struct lookasides *l, struct error *e);
/* One file's text over what is there. -EBADMSG names the line; -EEXIST: a scope that another file has too. */
int lookasides_parse(struct lookasides *l, const char *text, size_t n, const char *what, struct error *e);
void lookasides_free(struct lookasides *l);

/*
 * The URL for HOST/PATH:TAG (or @sha256:HEX), to read or to write; to free. Where nothing is said it is podman's own folder
 * (/var/lib/containers/sigstore, ~/.local/share/containers/sigstore). NULL: there is none.
 */
char *lookaside_url(const struct lookasides *l, const char *image, bool write);
/* The folder of a file: URL, pointing into it; NULL: it is another one. */
const char *lookaside_folder(const char *url);
