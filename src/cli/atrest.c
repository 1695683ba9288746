/* SPDX-License-Identifier: Apache-2.0 */
/* `brig-image __atrest`: what a start asks when it cannot tell by itself that the store is as it was. Never called by people. */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/conf.h"
#include "base/fd.h"
#include "base/home.h"
#include "image/index.h"
#include "image/verify.h"

#include <fcntl.h>
#include <unistd.h>

struct atrest_options {
	bool deep, all;
};

static const struct cli_option options[] = {
	CLI_OPT(struct atrest_options, deep, "deep", 0, CLI_FLAG, NULL, "believe no earlier result", NULL),
	CLI_OPT(struct atrest_options, all, "all", 0, CLI_FLAG, NULL, "go on after what is wrong", NULL),
	CLI_END,
};

static void tell(void *arg, const struct verify_message *m)
{
	(void)arg;
	if (fd_write_all(1, m, sizeof(*m)) < 0)
		_exit(EXIT_ENGINE);
}

/* Of an image that was removed while a container uses its tree, the documents may be gone as well. */
static int is_known(const char *config, struct error *e)
{
	_cleanup_(index_free) struct index x = { 0 };
	int r = index_read(&x, e);

	for (size_t i = 0; r == 0 && i < x.n; i++)
		if (streq(x.entries[i].config, config))
			return 1;
	return r;
}

static bool has_blob(const char *hex)
{
	_cleanup_close_ int images = home_data_dir("images", NULL);
	char path[DIGEST_SIZE + 20];

	snprintf(path, sizeof(path), "blobs/sha256/%.64s", hex);
	return images >= 0 && faccessat(images, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int verify(const struct atrest_options *o, char **argv, struct error *e)
{
	struct verify_request r = { .tree = argv[0], .manifest = argv[1], .config = argv[2], .deep = o->deep, .all = o->all, .tell = tell };
	struct conf conf;
	int err;

	for (int i = 0; i < 3; i++)
		if (!hex_valid(argv[i], DIGEST_HEX) && !(i > 0 && streq(argv[i], "-")))
			return error_set(e, EINVAL, "not a digest");
	r.manifest = streq(argv[1], "-") ? NULL : argv[1];
	r.config = streq(argv[2], "-") ? NULL : argv[2];
	if (r.config && !has_blob(r.config)) {
		err = is_known(r.config, e);
		if (err < 0)
			return err;
		if (err == 0)
			r.manifest = r.config = NULL;
	}
	err = conf_load(&conf, e);
	if (err < 0)
		return err;
	r.limits = image_limits_of(&conf);
	r.accept_no_landlock = strv_has(conf.accept_lowered, "landlock");
	conf_free(&conf);
	return verify_tree(&r, e);
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct verify_message m = { .word = VERIFY_ERROR };
	int r;

	(void)argc;
	(void)e;
	r = verify(options_, argv, &m.error);
	if (r == 0 || r == -EUCLEAN)
		return r == 0 ? 0 : 1;
	tell(NULL, &m);
	return EXIT_ENGINE;
}

const struct cli_command cmd_atrest = {
	.name = "__atrest",
	.args = "[OPTIONS] TREE MANIFEST CONFIG",
	.summary = "verify the content of a tree; records for the front on standard output",
	.hidden = true,
	.options = options,
	.options_size = sizeof(struct atrest_options),
	.min_args = 3,
	.max_args = 3,
	.run = run,
};
