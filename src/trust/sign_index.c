/* SPDX-License-Identifier: Apache-2.0 */
/* What an index of platforms has to be signed. It came from a registry, so a process reads it that has neither key nor network. */
#include "trust/sign.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "image/oci.h"
#include "image/remote.h"

#include <stdio.h>
#include <string.h>

struct listing {
	int blobs;
	const char *top, *manifest;
	bool all, found;
	struct sign_subjects *out;
};

/* From the room, one for each. */
struct listed {
	char platform[SIGN_PLATFORM_MAX];
	struct sign_subject subject;
	bool is_ours;
};

static int tell(int socket, const struct listed *m, struct error *e)
{
	int r = socket_send(socket, m, sizeof(*m), NULL, 0);

	return r < 0 ? error_errno(e, r, "to the process that signs") : 0;
}

static void fill(struct listed *m, const char *hex, const char *media_type, uint64_t size)
{
	memcpy(m->subject.hex, hex, DIGEST_SIZE);
	snprintf(m->subject.media_type, sizeof(m->subject.media_type), "%s", media_type);
	m->subject.size = size;
}

static int read_index(void *arg, int socket, struct error *e)
{
	const struct listing *l = arg;
	_cleanup_(oci_index_free) struct oci_index x = { 0 };
	struct listed m = { .platform = "" };
	json_t *j = NULL;
	size_t n;
	int r = remote_read(l->blobs, l->top, &j, NULL, &n, e);

	if (r < 0)
		return r;
	fill(&m, l->top, json_string_value(json_object_get(j, "mediaType")) ?: OCI_INDEX, n);
	r = oci_index_read(j, &x, e);
	if (r == 0)
		r = tell(socket, &m, e);
	for (size_t i = 0; r == 0 && i < x.n; i++) {
		const struct oci_descriptor *d = &x.manifests[i];

		if (d->attestation)
			continue;
		m = (struct listed){ .is_ours = streq(d->hex, l->manifest) };
		fill(&m, d->hex, d->media_type ? d->media_type : OCI_MANIFEST, d->size);
		if (d->os && d->architecture)
			snprintf(m.platform, sizeof(m.platform), "%s/%s%s%s", d->os, d->architecture, d->variant ? "/" : "",
				 d->variant ? d->variant : "");
		r = tell(socket, &m, e);
	}
	return r;
}

static int heard(void *arg, const void *message, size_t n, struct error *e)
{
	struct listing *l = arg;
	struct listed m;

	if (n != sizeof(m))
		return error_set(e, EPROTO, "the process that reads the index talks nonsense");
	memcpy(&m, message, n);
	m.platform[sizeof(m.platform) - 1] = m.subject.media_type[sizeof(m.subject.media_type) - 1] = 0;
	if (m.subject.hex[DIGEST_HEX] || !hex_valid(m.subject.hex, DIGEST_HEX) || m.subject.size > OCI_DOCUMENT_MAX)
		return error_set(e, EPROTO, "the process that reads the index talks nonsense");
	if (m.is_ours) {
		l->found = true;
		memcpy(l->out->platform, m.platform, sizeof(m.platform));
	}
	if (l->out->n > 0 && !l->all)
		return 0;
	if (l->out->n == SIGN_SUBJECTS_MAX)
		return error_set(e, E2BIG, "the index has more than %d images", SIGN_SUBJECTS_MAX - 1);
	l->out->list[l->out->n++] = m.subject;
	return 0;
}

int sign_index(int blobs, const char *top, const char *manifest, bool all, bool accept_no_landlock, struct sign_subjects *out,
	       struct error *e)
{
	struct listing l = { .blobs = blobs, .top = top, .manifest = manifest, .all = all, .out = out };
	int r;

	*out = (struct sign_subjects){ .platform = "" };
	r = remote_room_run(&(struct remote_room){ .dirs = &l.blobs, .n_dirs = 1, .accept_no_landlock = accept_no_landlock,
						   .fn = read_index, .heard = heard, .arg = &l }, e);
	if (r == 0 && (out->n == 0 || !l.found))
		r = error_set(e, EBADMSG, "the index sha256:%.12s has not this image", top);
	return r;
}
