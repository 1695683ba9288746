/* SPDX-License-Identifier: Apache-2.0 */
/* `brig sign` and `brig trust key` */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "cli/key_file.h"
#include "cli/sign_gpg.h"
#include "trust/sign.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct sign_options {
	char *key, *passphrase_file, *gpg, *folder;
	bool quiet, bundle, index, recursive;
};

static const struct cli_option options[] = {
	CLI_OPT(struct sign_options, key, "key", 'k', CLI_STRING, "FILE",
		"the private key: PEM, PKCS#8 with or without a passphrase, or as cosign and skopeo make it", NULL),
	CLI_OPT(struct sign_options, passphrase_file, "passphrase-file", 0, CLI_STRING, "FILE",
		"the key's passphrase is this file's first line; else a terminal is asked", NULL),
	CLI_OPT(struct sign_options, gpg, "gpg", 0, CLI_STRING, "KEY",
		"sign with this key of your gpg (fingerprint or address), as podman --sign-by does", NULL),
	CLI_OPT(struct sign_options, folder, "folder", 0, CLI_STRING, "DIR",
		"where a GPG signature goes, in place of what registries.d says", "dirs"),
	CLI_OPT(struct sign_options, bundle, "bundle", 0, CLI_FLAG, NULL,
		"a sigstore bundle that refers to the image, as cosign 3 makes it, in place of the tag", NULL),
	CLI_OPT(struct sign_options, index, "index", 0, CLI_FLAG, NULL,
		"sign the index of platforms that the image was pulled by, not its manifest", NULL),
	CLI_OPT(struct sign_options, recursive, "recursive", 'r', CLI_FLAG, NULL, "sign that index and the manifest of every image in it",
		NULL),
	CLI_OPT(struct sign_options, quiet, "quiet", 'q', CLI_FLAG, NULL, "show no progress", NULL),
	CLI_END,
};

static int sign(const struct sign_options *o, const struct privkey *k, const char *image, const struct reference *to, struct error *e)
{
	_cleanup_free_ char *name = reference_name(to), *bar_name = xasprintf("Signing %s", name);
	_cleanup_strv_ char **digests = NULL;
	struct cli_progress bar;
	struct sign_request q = { .image = image, .to = to, .key = k, .now = (int64_t)time(NULL), .bundle = o->bundle,
				  .what = o->recursive ? SIGN_ALL : o->index ? SIGN_INDEX : SIGN_MANIFEST, .report = { .progress = o->quiet ? NULL : cli_progress_tell, .arg = &bar } };
	struct conf conf;
	int r = conf_load(&conf, e);

	if (r < 0)
		return r;
	q.conf = &conf;
	if (!o->quiet)
		cli_progress_start(&bar, bar_name, 0);
	r = image_sign(&q, &digests, e);
	if (!o->quiet)
		cli_progress_end(&bar);
	conf_free(&conf);
	strv_foreach(hex, digests) {
		_cleanup_free_ char *signed_name = reference_pulled(to, *hex);

		printf("%s\n", signed_name);
	}
	if (r == 0)
		cli_say("signed by sha256:%s", k->pub->hex);
	return r;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct sign_options *o = options_;
	_cleanup_reference_ struct reference to = { 0 };
	_cleanup_privkey_ struct privkey k = { 0 };
	int r = reference_parse(argv[argc - 1], &to, e);

	if (r == 0 && to.digest[0])
		r = error_set(e, EINVAL, "an image is signed under its name; the digest is the one that is here");
	if (r == 0 && o->gpg && o->key)
		r = error_set(e, EINVAL, "--gpg and --key: one kind of signature at a time");
	if (r == 0 && o->gpg && (o->bundle || o->index || o->recursive))
		r = error_set(e, EINVAL, "--bundle, --index and --recursive are for signatures by --key");
	if (r == 0 && o->gpg)
		return sign_gpg(o->gpg, o->folder, argv[0], &to, e);
	if (r == 0)
		r = key_read(o->key, o->passphrase_file, &k, e);
	return r < 0 ? r : sign(o, &k, argv[0], &to, e);
}

const struct cli_command cmd_sign = {
	.name = "sign",
	.aliases = "image sign",
	.group = "Images",
	.args = "[OPTIONS] (--key FILE|--gpg KEY) IMAGE [HOST[:PORT]/NAME[:TAG]]",
	.summary = "sign an image in a registry",
	.description = "IMAGE is here, and was pushed to the registry under the second name, or its own. What is signed is the manifest "
		       "that is here, and the name with its tag, as skopeo does it; cosign, podman and brig verify it (sigstoreSigned "
		       "in policy.json). The signature goes to the tag sha256-DIGEST.sig beside the image, behind those that are there "
		       "already, and is kept here. Prints name and digest.\n\n"
		       "With --bundle it is a sigstore bundle (v0.3), which registries list as a referrer of the image; those that keep no such "
		       "list get it under the tag sha256-DIGEST. It signs the digest and no name: policies take it where the key vouches for "
		       "this repository alone (brig-trust-policy(5)). An image that came by an index of platforms is signed as what is here; "
		       "--index signs the index, which vouches for all its images, --recursive each of them too.\n\n"
		       "With --gpg it is a GPG signature (simple signing), which goes where containers-registries.d keeps those of that name "
		       "(lookaside-staging, lookaside), or below --folder, as PATH@sha256=DIGEST/signature-N. Its path is printed.",
	.options = options,
	.options_size = sizeof(struct sign_options),
	.min_args = 1,
	.max_args = 2,
	.complete = "images",
	.run = run,
};

/* --- trust key ---------------------------------------------------------------------------------------------------- */

struct key_options {
	char *passphrase_file;
};

static const struct cli_option key_options[] = {
	CLI_OPT(struct key_options, passphrase_file, "passphrase-file", 0, CLI_STRING, "FILE",
		"the passphrase is this file's first line; else a terminal is asked", NULL),
	CLI_END,
};

static int ask_twice(char **out, struct error *e)
{
	char *again = NULL;
	int r = key_ask_terminal("New passphrase", out, e);

	if (r == 0)
		r = key_ask_terminal("The same again", &again, e);
	if (r == 0 && !streq(*out, again))
		r = error_set(e, EINVAL, "the two are not the same");
	if (again)
		explicit_bzero(again, strlen(again));
	free(again);
	return r;
}

/* A key that is there is never written over. */
static int write_new(const char *path, mode_t mode, const struct buf *b, struct error *e)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	int r = fd < 0 ? -errno : fd_write_all(fd, b->data, b->len);

	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r < 0 ? error_errno(e, r, "%s", path) : 0;
}

static int make_key(void *options_, int argc, char **argv, struct error *e)
{
	const struct key_options *o = options_;
	_cleanup_free_ char *private = xasprintf("%s.private", argv[0]), *public = xasprintf("%s.pub", argv[0]), *passphrase = NULL;
	_cleanup_buf_ struct buf sealed = { 0 }, pub = { 0 };
	int r = o->passphrase_file ? key_read_passphrase(o->passphrase_file, &passphrase, e) : ask_twice(&passphrase, e);

	(void)argc;
	if (r == 0)
		r = privkey_make(passphrase, &sealed, &pub, e);
	if (passphrase)
		explicit_bzero(passphrase, strlen(passphrase));
	if (r == 0)
		r = write_new(private, 0600, &sealed, e);
	if (r == 0)
		r = write_new(public, 0644, &pub, e);
	if (r == 0)
		printf("%s\n%s\n", private, public);
	return r;
}

const struct cli_command cmd_trust_key = {
	.name = "trust key",
	.group = "Images",
	.args = "[OPTIONS] PREFIX",
	.summary = "make a key pair that signs images",
	.description = "Writes PREFIX.private, ECDSA P-256, encrypted as cosign and skopeo do it, and PREFIX.pub for keyPath in policy.json. "
		       "Files that are there are not written over.",
	.options = key_options,
	.options_size = sizeof(struct key_options),
	.min_args = 1,
	.max_args = 1,
	.run = make_key,
};
