/* SPDX-License-Identifier: Apache-2.0 */
#include "image/proof.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROOF_MAX = 512, CHUNK = 256 * 1024 };

static const char key_name[] = "store.key";

/* Whole under its name or not there; of two who make it at once the first one's counts. */
static int make_key(int dir, struct error *e)
{
	unsigned char bytes[STORE_KEY_SIZE];
	char tmp[32];
	uint64_t rnd;
	int r;

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes) || getrandom(&rnd, sizeof(rnd), 0) != sizeof(rnd))
		return error_set(e, EIO, "no random bytes");
	snprintf(tmp, sizeof(tmp), ".tmp-%016llx", (unsigned long long)rnd);
	r = file_replace(dir, tmp, bytes, sizeof(bytes), 0600, true);
	if (r == 0 && linkat(dir, tmp, dir, key_name, 0) < 0 && errno != EEXIST)
		r = -errno;
	unlinkat(dir, tmp, 0);
	return r < 0 ? error_errno(e, r, "cannot write %s/%s", home_config_path(NULL), key_name) : 0;
}

static int read_key(int dir, struct store_key *k, struct error *e)
{
	_cleanup_close_ int fd = openat(dir, key_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *path = xasprintf("%s/%s", home_config_path(NULL), key_name);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : error_errno(e, errno, "cannot open %s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != STORE_KEY_SIZE)
		return error_set(e, EINVAL, "%s is no key of brig's", path);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 077)) {
		error_set(e, EPERM, "%s can be read by others than this user: it proves nothing any more", path);
		error_hint(e, "rm %s; brig image repair --all", path);
		return -EPERM;
	}
	if (read(fd, k->bytes, sizeof(k->bytes)) != sizeof(k->bytes))
		return error_errno(e, errno ? errno : EIO, "cannot read %s", path);
	return 0;
}

int store_key_read(struct store_key *k, struct error *e)
{
	_cleanup_close_ int dir = home_config(true, e);
	int r = dir < 0 ? dir : read_key(dir, k, e);

	if (dir < 0 || r != -ENOENT)
		return r;
	r = make_key(dir, e);
	if (r == 0)
		r = read_key(dir, k, e);
	return r == -ENOENT ? error_set(e, EIO, "the key of the store vanished") : r;
}

void store_key_code(const struct store_key *k, const void *data, size_t n, char out[static DIGEST_SIZE])
{
	unsigned char mac[SHA256_LEN];
	unsigned len = 0;

	if (!HMAC(EVP_sha256(), k->bytes, sizeof(k->bytes), data, n, mac, &len) || len != sizeof(mac)) {
		fputs("brig: OpenSSL cannot compute HMAC-SHA256\n", stderr);
		abort();
	}
	hex_encode(mac, sizeof(mac), out);
}

bool store_key_fits(const struct store_key *k, const void *data, size_t n, const char *code)
{
	char right[DIGEST_SIZE];

	store_key_code(k, data, n, right);
	return CRYPTO_memcmp(right, code, DIGEST_HEX) == 0;
}

int file_digest(int dir, const char *name, char out[static DIGEST_SIZE])
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	_cleanup_hash_ struct hash *hash = NULL;
	_cleanup_free_ char *data = NULL;
	unsigned char sha[SHA256_LEN];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EUCLEAN;
	hash = hash_new();
	data = xmalloc(CHUNK);
	while ((n = read(fd, data, CHUNK)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		hash_add(hash, data, (size_t)n);
	}
	hash_end(hash, sha);
	hex_encode(sha, sizeof(sha), out);
	return 0;
}

static const char *kind_name(enum proof_kind kind)
{
	return kind == PROOF_TREE ? "tree" : "layer";
}

int proof_write(int dir, enum proof_kind kind, const char *hex, const struct store_key *k, struct error *e)
{
	char table[DIGEST_SIZE], ids[DIGEST_SIZE] = "-", text[PROOF_MAX], code[DIGEST_SIZE];
	int r = file_digest(dir, "table", table), n;

	if (r == 0 && kind == PROOF_TREE)
		r = file_digest(dir, "ids", ids);
	if (r < 0)
		return error_errno(e, r, "cannot read the table of %.12s", hex);
	n = snprintf(text, sizeof(text), "brig-proof 1 %s %.64s table %s ids %s code ", kind_name(kind), hex, table, ids);
	store_key_code(k, text, (size_t)n, code);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "%s\n", code);
	r = file_replace(dir, "proof", text, (size_t)n, 0444, false);
	return r < 0 ? error_errno(e, r, "cannot write the proof of %.12s", hex) : 0;
}

int proof_check(int dir, enum proof_kind kind, const char *hex, const struct store_key *k, const char **what)
{
	char table[DIGEST_SIZE], ids[DIGEST_SIZE] = "-", text[PROOF_MAX];
	_cleanup_free_ char *is = NULL;
	size_t len, n;
	int r = file_read(dir, "proof", PROOF_MAX, &is, &len);

	*what = "proof";
	if (r < 0 || len < DIGEST_SIZE || is[len - 1] != '\n' ||
	    !store_key_fits(k, is, len - DIGEST_SIZE, is + len - DIGEST_SIZE))
		return -ENOKEY;
	*what = "table";
	r = file_digest(dir, "table", table);
	if (r == 0 && kind == PROOF_TREE) {
		*what = "ids";
		r = file_digest(dir, "ids", ids);
	}
	if (r < 0)
		return -EUCLEAN;
	/* About this folder, and about these bytes. */
	n = (size_t)snprintf(text, sizeof(text), "brig-proof 1 %s %.64s table %s ids ", kind_name(kind), hex, table);
	*what = "table";
	if (n > len || memcmp(text, is, n) != 0)
		return -EUCLEAN;
	*what = "ids";
	return strncmp(is + n, ids, strlen(ids)) == 0 ? 0 : -EUCLEAN;
}
