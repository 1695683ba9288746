/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_attach.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <strings.h>
#include <unistd.h>

static int add_streams(char *const *list, struct relay *r, struct error *e)
{
	strv_foreach(a, list) {
		_cleanup_free_ char *safe = str_escape(*a);

		if (strcasecmp(*a, "stdin") == 0)
			r->in = 0;
		else if (strcasecmp(*a, "stdout") == 0)
			r->out = 1;
		else if (strcasecmp(*a, "stderr") == 0)
			r->err = 2;
		else
			return error_set(e, EINVAL, "--attach %s: give stdin, stdout or stderr", safe);
	}
	return 0;
}

int run_attach_relay(const struct attach_options *o, const struct container *c, struct relay *r, struct error *e)
{
	int err;

	relay_init(r);
	r->terminal = c->config.tty;
	r->sig_proxy = o->sig_proxy;
	r->in = r->out = r->err = -1;
	if (o->attach) {
		err = add_streams(o->attach, r, e);
		if (err < 0)
			return err;
	} else {
		r->in = c->config.interactive ? 0 : -1;
		r->out = 1;
		r->err = 2;
	}
	if (r->in >= 0 && !c->config.interactive)
		r->in = -1; /* its stdin is closed */
	if (r->in >= 0 && c->config.tty && !isatty(0)) {
		error_set(e, ENOTTY, "the input device is not a TTY: --tty with --interactive needs a terminal");
		error_hint(e, "leave -t out to pipe bytes into the program");
		return -ENOTTY;
	}
	return o->detach_keys ? relay_parse_keys(r, o->detach_keys, e) : 0;
}
