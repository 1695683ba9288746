/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/trust.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/json.h"
#include "image/name.h"
#include "trust/readfile.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PINS_FILE_MAX = 4 * 1024 * 1024, PINS_MAX = 20000 };

static const char file_name[] = "pins.json";

void pins_free(struct pins *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->list[i].name);
	free(p->list);
	*p = (struct pins){ 0 };
}

const struct pin *pins_find(const struct pins *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (streq(p->list[i].name, name))
			return &p->list[i];
	return NULL;
}

static int read_pin(struct pins *p, const json_t *j, const char *where, struct error *e)
{
	const char *name = NULL, *digest = NULL, *pinned = NULL, *hex;
	struct pin *pin;
	int r = json_is_object(j) ? json_get_str(j, where, "name", &name, e) : error_set(e, EBADMSG, "%s: not an object", where);

	if (r == 0)
		r = json_get_str(j, where, "digest", &digest, e);
	if (r == 0)
		r = json_get_str(j, where, "pinned", &pinned, e);
	if (r < 0)
		return r;
	hex = digest ? digest_hex(digest) : NULL;
	if (!name || !*name || !hex)
		return error_set(e, EBADMSG, "%s: no name and digest", where);
	if (pins_find(p, name))
		return error_set(e, EBADMSG, "%s: \"%.200s\" is pinned a second time", where, name);
	p->list = xrealloc(p->list, p->n + 1, sizeof(*p->list));
	pin = &p->list[p->n++];
	*pin = (struct pin){ .name = xstrdup(name) };
	memcpy(pin->digest, hex, DIGEST_SIZE);
	if (pinned && clock_parse(pinned, &pin->pinned_ns) < 0)
		return error_set(e, EBADMSG, "%s.pinned: not a time", where);
	return 0;
}

int pins_parse(struct pins *p, const char *text, size_t n, const char *what, struct error *e)
{
	_cleanup_json_ json_t *j = json_parse(text, n, what, e);
	json_t *list = NULL, *item;
	char where[32];
	size_t i;
	int r;

	*p = (struct pins){ 0 };
	if (!j)
		return e ? e->code : -EBADMSG;
	r = json_is_object(j) ? json_get_arr(j, "", "pins", &list, e) : error_set(e, EBADMSG, "not an object");
	if (r == 0 && json_array_size(list) > PINS_MAX)
		r = error_set(e, EFBIG, "more than %d pins", PINS_MAX);
	json_array_foreach(list, i, item) {
		snprintf(where, sizeof(where), "pins[%zu]", i);
		if (r == 0)
			r = read_pin(p, item, where, e);
	}
	if (r < 0) {
		pins_free(p);
		return error_wrap(e, "%s", what);
	}
	return 0;
}

/* Whoever may write it decides what runs. */
static int read_file(int dir, struct pins *p, struct error *e)
{
	_cleanup_free_ char *text = NULL, *path = xasprintf("%s/%s", home_config_path(NULL), file_name);
	size_t n;
	int r = trust_read_file(dir, file_name, path, PINS_FILE_MAX, &text, &n, e);

	return r == -ENOENT ? 0 : r < 0 ? r : pins_parse(p, text, n, path, e);
}

int pins_read(struct pins *p, struct error *e)
{
	_cleanup_close_ int dir = home_config(false, e);

	*p = (struct pins){ 0 };
	if (dir == -ENOENT)
		return 0;
	return dir < 0 ? dir : read_file(dir, p, e);
}

static int write_file(int dir, const struct pins *p, struct error *e)
{
	_cleanup_json_ json_t *j = json_object();
	json_t *list = json_array();

	for (size_t i = 0; i < p->n; i++) {
		_cleanup_free_ char *digest = xasprintf("sha256:%s", p->list[i].digest);
		char pinned[40];

		clock_format(p->list[i].pinned_ns, pinned);
		json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "name", p->list[i].name, "digest", digest, "pinned", pinned));
	}
	json_object_set_new(j, "pins", list);
	return json_write(dir, file_name, j, 0600, true, e);
}

/* Read, change and write are one step: the folder is locked meanwhile. */
static int change(int (*fn)(struct pins *p, const char *name, const char *digest, bool replace, struct error *e),
		  const char *name, const char *digest, bool replace, struct error *e)
{
	_cleanup_(pins_free) struct pins p = { 0 };
	_cleanup_close_ int dir = home_config(true, e);
	int r;

	if (dir < 0)
		return dir;
	while (flock(dir, LOCK_EX) < 0)
		if (errno != EINTR)
			return error_errno(e, errno, "cannot lock the pins");
	r = read_file(dir, &p, e);
	if (r == 0)
		r = fn(&p, name, digest, replace, e);
	return r < 0 ? r : write_file(dir, &p, e);
}

static int add(struct pins *p, const char *name, const char *digest, bool replace, struct error *e)
{
	struct pin *old = (struct pin *)pins_find(p, name);

	if (old && !streq(old->digest, digest) && !replace) {
		error_set(e, EEXIST, "%s is pinned to sha256:%s already", name, old->digest);
		error_hint(e, "if you know why it is another one now: brig trust pin --replace %s@sha256:%s", name, digest);
		return -EEXIST;
	}
	if (!old) {
		p->list = xrealloc(p->list, p->n + 1, sizeof(*p->list));
		old = &p->list[p->n++];
		*old = (struct pin){ .name = xstrdup(name) };
	}
	snprintf(old->digest, sizeof(old->digest), "%s", digest);
	old->pinned_ns = clock_now_ns();
	return 0;
}

static int take_out(struct pins *p, const char *name, const char *digest, bool replace, struct error *e)
{
	(void)digest;
	(void)replace;
	for (size_t i = 0; i < p->n; i++) {
		if (!streq(p->list[i].name, name))
			continue;
		free(p->list[i].name);
		memmove(&p->list[i], &p->list[i + 1], (p->n - i - 1) * sizeof(*p->list));
		p->n--;
		return 0;
	}
	return error_set(e, ENOENT, "%s is not pinned", name);
}

int pin_add(const char *name, const char *digest, bool replace, struct error *e)
{
	return change(add, name, digest, replace, e);
}

int pin_remove(const char *name, struct error *e)
{
	return change(take_out, name, NULL, false, e);
}
