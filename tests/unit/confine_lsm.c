/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "confine/lsm.h"

static struct plan p;

/* With neither module, a container has nothing to raise, and asking for a profile or label fails with the way out. */
static void host_without(void **state)
{
	struct subject self = { .pid = getpid(), .pidfd = -1 };
	struct evidence ev = { 0 };
	struct error e = { 0 };
	struct spec s;

	(void)state;
	if (lsm_active() != LSM_NONE) {
		print_message("SKIP: this host has AppArmor or SELinux\n");
		skip();
	}
	spec_init(&s);
	p.spec = &s;
	assert_int_equal(wall_lsm.plan(&s, &p, &e), 0);
	assert_int_equal(p.wall[WALL_LSM].intent, INTENT_UP);
	assert_non_null(strstr(p.wall[WALL_LSM].text, "nothing to raise"));
	self.proc_fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	wall_lsm.prove(&p, &self, &ev);
	assert_int_equal(ev.verdict, VERDICT_STANDS);

	s.apparmor = xstrdup("some-profile");
	assert_true(wall_lsm.plan(&s, &p, &e) < 0);
	assert_non_null(strstr(e.text, "some-profile"));
	assert_non_null(strstr(e.text, "--lower lsm"));
	s.lower = xmalloc(sizeof(*s.lower));
	s.lower[s.n_lower++] = (struct spec_lower){ xstrdup("lsm"), NULL };
	assert_int_equal(wall_lsm.plan(&s, &p, &e), 0);
	assert_int_equal(p.wall[WALL_LSM].intent, INTENT_LOWERED);
	memset(&ev, 0, sizeof(ev));
	wall_lsm.prove(&p, &self, &ev);
	assert_int_equal(ev.verdict, VERDICT_LOWERED);
	close(self.proc_fd);
	spec_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(host_without) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
