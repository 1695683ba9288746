/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/judge.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "image/hash.h"
#include "image/name.h"
#include "image/room.h"
#include "image/signatures.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { QUESTION_MAX = 64 * 1024 * 1024, DOCUMENT_MAX = 4 * 1024 * 1024, BLOBS_MAX = 600, GPG_RUNS_MAX = 512 };

/* A file of one of the two folders. */
struct piece {
	enum signature_file kind;
	char hex[DIGEST_SIZE];
	int dir;
	char *data; /* NULL: not read, or not what its name says */
	size_t size;
};

struct verifying {
	struct asking q;
	struct piece *pieces;
	size_t n_pieces;
	struct sig_blob *blobs;
	struct gpg_said **said; /* for blob i and requirement k: said[i * q.require.n + k]; NULL: not asked */
	size_t n;
	bool index_fits;
	char *version;
	json_t *docs; /* what blobs' annotations point into */
};

/* --- what is there ------------------------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	return x->kind != y->kind ? (int)x->kind - (int)y->kind : strcmp(x->hex, y->hex);
}

static void list_folder(struct verifying *v, int dir)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *de;

	while (d && (de = readdir(d)) && v->n_pieces < 2 * SIGNATURES_MAX) {
		struct piece p = { .dir = dir };

		if (signature_name_parse(de->d_name, &p.kind, p.hex) < 0)
			continue;
		v->pieces = xrealloc(v->pieces, v->n_pieces + 1, sizeof(*v->pieces));
		v->pieces[v->n_pieces++] = p;
	}
}

static void read_piece(struct piece *p)
{
	char name[SIGNATURE_NAME], hex[DIGEST_SIZE];

	signature_name(p->kind, p->hex, name);
	if (file_read(p->dir, name, SIGNATURE_MAX, &p->data, &p->size) < 0) {
		p->data = NULL;
		return;
	}
	hash_hex(p->data, p->size, hex);
	if (!streq(hex, p->hex))
		free(steal_ptr(&p->data));
}

static struct piece *find_piece(struct verifying *v, enum signature_file kind, const char *hex)
{
	for (size_t i = 0; i < v->n_pieces; i++)
		if (v->pieces[i].kind == kind && v->pieces[i].data && streq(v->pieces[i].hex, hex))
			return &v->pieces[i];
	return NULL;
}

static void add_blob(struct verifying *v, enum sig_kind kind, const struct piece *p, json_t *annotations)
{
	if (v->n >= BLOBS_MAX)
		return;
	v->blobs = xrealloc(v->blobs, v->n + 1, sizeof(*v->blobs));
	v->blobs[v->n++] = (struct sig_blob){ .kind = kind, .data = p->data, .size = p->size, .annotations = annotations,
					       .subject = p->dir == ASK_SIGNATURES ? v->q.manifest : v->q.top };
}

/* --- GPG, before the door is locked ------------------------------------------------------------------------------- */

/* Bytes of signatures are moved to gpgv here, and not looked at. */
static int ask_gpg(struct verifying *v, struct error *e)
{
	size_t runs = 0;

	for (size_t i = 0; i < v->n_pieces; i++) {
		if (v->pieces[i].kind != SIGNATURE_GPG)
			continue;
		read_piece(&v->pieces[i]);
		if (v->pieces[i].data)
			add_blob(v, SIG_GPG_SIMPLE, &v->pieces[i], NULL);
	}
	v->said = xcalloc(v->n * v->q.require.n + 1, sizeof(*v->said));
	for (size_t k = 0; k < v->q.require.n; k++) {
		const struct requirement *r = &v->q.require.list[k];
		_cleanup_free_ struct sig_bytes *keys = xcalloc(r->keys.n + 1, sizeof(*keys));
		_cleanup_buf_ struct buf ring = { 0 };
		int err = 0;

		if (r->type != REQUIRE_GPG || v->n == 0)
			continue;
		for (size_t i = 0; i < r->keys.n; i++)
			keys[i] = (struct sig_bytes){ r->keys.list[i].data, r->keys.list[i].size, r->keys.list[i].path };
		err = gpg_keyring(keys, r->keys.n, &ring, e);
		for (size_t i = 0; err == 0 && i < v->n && runs < GPG_RUNS_MAX; i++, runs++) {
			struct gpg_said **to = &v->said[i * v->q.require.n + k];

			*to = xcalloc(1, sizeof(**to));
			err = gpg_run(v->blobs[i].data, v->blobs[i].size, ring.data, ring.len, v->q.accept_no_landlock, *to, e);
		}
		if (err < 0)
			return err;
	}
	return 0;
}

static const struct gpg_said *said_of(void *arg, size_t i, size_t k)
{
	const struct verifying *v = arg;

	return v->blobs[i].kind == SIG_GPG_SIMPLE ? v->said[i * v->q.require.n + k] : NULL;
}

/* --- behind the door ---------------------------------------------------------------------------------------------- */

/* The annotations of a layer over those of its manifest. */
static json_t *annotations_of(const json_t *manifest, const json_t *layer)
{
	const json_t *outer = json_object_get(manifest, "annotations"), *inner = json_object_get(layer, "annotations");
	json_t *both = json_object();

	if (json_is_object(outer))
		json_object_update(both, (json_t *)outer);
	if (json_is_object(inner))
		json_object_update(both, (json_t *)inner);
	return both;
}

static void add_layer(struct verifying *v, const json_t *manifest, const json_t *layer)
{
	static const struct {
		const char *type;
		enum sig_kind kind;
	} kinds[] = {
		{ "application/vnd.dev.cosign.simplesigning.v1+json", SIG_COSIGN_SIMPLE },
		{ "application/vnd.dsse.envelope.v1+json", SIG_COSIGN_ATTESTATION },
		{ "application/jose+json", SIG_NOTATION_JWS },
		{ "application/cose", SIG_NOTATION_COSE },
	};
	const char *type = json_string_value(json_object_get(layer, "mediaType"));
	const char *digest = json_string_value(json_object_get(layer, "digest")), *hex = digest ? digest_hex(digest) : NULL;
	struct piece *p = hex ? find_piece(v, SIGNATURE_PART, hex) : NULL;
	int kind = -1;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (streq(type, kinds[i].type))
			kind = (int)kinds[i].kind;
	if (type && str_after(type, "application/vnd.dev.sigstore.bundle"))
		kind = SIG_SIGSTORE_BUNDLE;
	if (!p || kind < 0 || (json_int_t)p->size != json_integer_value(json_object_get(layer, "size")))
		return;
	json_t *annotations = annotations_of(manifest, layer);
	json_array_append_new(v->docs, annotations);
	add_blob(v, (enum sig_kind)kind, p, annotations);
}

static void add_manifests(struct verifying *v)
{
	for (size_t i = 0; i < v->n_pieces; i++)
		if (v->pieces[i].kind != SIGNATURE_GPG)
			read_piece(&v->pieces[i]);
	v->docs = json_array();
	for (size_t i = 0; i < v->n_pieces; i++) {
		const struct piece *p = &v->pieces[i];
		_cleanup_json_ json_t *j = NULL;
		const json_t *layer;
		size_t k;

		if (p->kind != SIGNATURE_MANIFEST || !p->data)
			continue;
		j = json_parse(p->data, p->size, "manifest", NULL);
		json_array_foreach(json_object_get(j, "layers"), k, layer)
			add_layer(v, j, layer);
	}
}

/* A document of the store by its digest, verified. */
static json_t *document(const char *hex)
{
	_cleanup_free_ char *text = NULL;
	char got[DIGEST_SIZE];
	size_t n;

	if (file_read(ASK_BLOBS, hex, DOCUMENT_MAX, &text, &n) < 0)
		return NULL;
	hash_hex(text, n, got);
	return streq(got, hex) ? json_parse(text, n, "document", NULL) : NULL;
}

static void read_index(struct verifying *v)
{
	_cleanup_json_ json_t *j = streq(v->q.top, v->q.manifest) ? NULL : document(v->q.top);
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(j, "manifests"), i, item) {
		const char *digest = json_string_value(json_object_get(item, "digest"));

		if (digest && streq(digest_hex(digest), v->q.manifest))
			v->index_fits = true;
	}
}

/* The label of the configuration that the manifest names. */
static void read_version(struct verifying *v)
{
	_cleanup_json_ json_t *manifest = v->q.minimum_version ? document(v->q.manifest) : NULL, *config = NULL;
	const char *digest = json_string_value(json_object_get(json_object_get(manifest, "config"), "digest"));
	const json_t *labels;

	if (!digest || !digest_hex(digest))
		return;
	config = document(digest_hex(digest));
	labels = json_object_get(json_object_get(config, "config"), "Labels");
	v->version = xstrdup(json_string_value(json_object_get(labels, "org.opencontainers.image.version")));
}

static int lock_in(const struct verifying *v, struct error *e)
{
	/* Nothing of OpenSSL's may have to be opened later. */
	static const int dirs[] = { ASK_BLOBS, ASK_SIGNATURES, ASK_SIGNATURES + 1 };
	struct room room = { .read_dirs = dirs, .memory = 1ULL << 30, .file_size = 0, .accept_no_landlock = v->q.accept_no_landlock };

	/* /dev/null stands for a folder that is not there; Landlock wants none of it. */
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		int fd = openat(dirs[i], ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			break;
		close(fd);
		room.n_read++;
	}
	if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_DIGESTS, NULL))
		return error_set(e, EIO, "OPENSSL_init_crypto");
	EVP_MD_free(EVP_MD_fetch(NULL, "SHA256", NULL));
	return room_enter(&room, e);
}

static int read_question(struct verifying *v, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *j = NULL;
	char *line;
	size_t n;
	int r = fd_read_all(ASK_QUESTION, QUESTION_MAX, &text, &n);

	if (r < 0)
		return error_errno(e, r, "question");
	line = strchr(text, '\n');
	j = line ? json_parse(line + 1, n - (size_t)(line + 1 - text), "question", e) : NULL;
	if (!j)
		return line ? e->code : error_set(e, EINVAL, "question");
	*line = 0;
	r = asking_read(j, &v->q, e);
	if (r == 0 && parse_i64(text, 0, INT64_MAX, &v->q.now) < 0)
		r = error_set(e, EINVAL, "question: no time");
	return r;
}

static int work(struct verifying *v, struct answered *out, struct error *e)
{
	int r = read_question(v, e);

	if (r < 0)
		return r;
	list_folder(v, ASK_SIGNATURES);
	list_folder(v, ASK_SIGNATURES + 1);
	if (v->n_pieces)
		qsort(v->pieces, v->n_pieces, sizeof(*v->pieces), by_name);
	r = ask_gpg(v, e);
	if (r == 0)
		r = lock_in(v, e);
	if (r < 0)
		return r;
	add_manifests(v);
	read_index(v);
	read_version(v);
	judge(&(struct judged){ .q = &v->q, .blobs = v->blobs, .n = v->n, .said = said_of, .arg = v, .index_fits = v->index_fits,
				.version = v->version }, out);
	return 0;
}

int verify_main(void)
{
	struct verifying v = { 0 };
	struct answered out = { 0 };
	struct error e = { 0 };

	if (fcntl(ASK_QUESTION, F_GETFD) < 0 || fcntl(ASK_ANSWER, F_GETFD) < 0 || fcntl(ASK_BLOBS, F_GETFD) < 0) {
		static const char text[] = "brig-trust: brig starts this program; see brig trust --help\n";

		fd_write_all(2, text, sizeof(text) - 1);
		return 125;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (work(&v, &out, &e) < 0) {
		out = (struct answered){ 0 };
		snprintf(out.reason, sizeof(out.reason), "%.500s", e.text);
	}
	if (fd_write_all(ASK_ANSWER, &out, sizeof(out)) < 0)
		return 1;
	_exit(0);
}
