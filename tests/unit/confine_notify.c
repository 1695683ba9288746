/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/audit.h>
#include <string.h>

#include "confine/notify.h"

#define SECOND UINT64_C(1000000000)

static void names(void **state)
{
	(void)state;
	assert_string_equal(notify_name(AUDIT_ARCH_X86_64, 165), "mount");
	assert_string_equal(notify_name(AUDIT_ARCH_I386, 21), "mount");
	assert_null(notify_name(AUDIT_ARCH_X86_64, 0)); /* read is never reported */
	assert_null(notify_name(AUDIT_ARCH_X86_64, -1));
	assert_null(notify_name(0, 165));
}

static void words(void **state)
{
	struct notify_event ev = { .nr = 41, .arch = AUDIT_ARCH_X86_64, .args = { UINT64_MAX << 32 | 38, 5, 0 } };
	char text[96];

	(void)state;
	notify_words(&ev, text);
	assert_string_equal(text, "socket(AF_ALG, 0x5, 0x0)");
	ev = (struct notify_event){ .nr = 56, .arch = AUDIT_ARCH_X86_64, .args = { 0x10000011, 0xdead } };
	notify_words(&ev, text);
	assert_string_equal(text, "clone(0x10000011)");
	ev = (struct notify_event){ .nr = 165, .arch = AUDIT_ARCH_X86_64, .args = { 0xdead } };
	notify_words(&ev, text);
	assert_string_equal(text, "mount");
	ev = (struct notify_event){ .nr = -5, .arch = 7 };
	notify_words(&ev, text);
	assert_string_equal(text, "call -5");
}

/* A flood is answered at NOTIFY_RATE, and an idle time gives back no more than the burst. */
static void answers_are_bounded(void **state)
{
	struct notify_event ev = { .nr = 165, .arch = AUDIT_ARCH_X86_64 };
	struct notify_meter m = { 0 };
	uint64_t now = 5 * SECOND;
	uint32_t missed;
	unsigned answered = 0;

	(void)state;
	for (uint64_t end = now + 10 * SECOND; now < end;) {
		int wait = notify_wait_ms(&m, now);

		assert_in_range(wait, 0, 1000 / NOTIFY_RATE + 1);
		if (wait > 0) {
			now += (uint64_t)wait * 1000000;
		} else {
			notify_record(&m, &ev, now, &missed);
			answered++;
			now += 1000;
		}
	}
	assert_in_range(answered, NOTIFY_BURST + 9 * NOTIFY_RATE, NOTIFY_BURST + 10 * NOTIFY_RATE + 1);
	now += 3600 * SECOND;
	for (answered = 0; notify_wait_ms(&m, now) == 0; answered++)
		notify_record(&m, &ev, now, &missed);
	assert_int_equal(answered, NOTIFY_BURST);
}

/* A flood of one call cannot hide the first of another, and what was left out is counted. */
static void records_are_bounded(void **state)
{
	struct notify_event flood = { .nr = 165, .arch = AUDIT_ARCH_X86_64 };
	struct notify_event other = { .nr = 101, .arch = AUDIT_ARCH_X86_64 };
	struct notify_meter m = { 0 };
	uint64_t now = SECOND;
	unsigned written = 0;
	uint32_t missed = 0;

	(void)state;
	for (unsigned i = 0; i < 10000; i++, now += 1000000)
		written += notify_record(&m, &flood, now, &missed);
	/* 64 at once and one in ten seconds: the flood lasted ten. */
	assert_in_range(written, NOTIFY_RECORDS, NOTIFY_RECORDS + 2);
	assert_true(notify_record(&m, &other, now, &missed));
	assert_in_range(missed, 10000 - written - 9000, 10000 - written);
	assert_false(notify_record(&m, &other, now, &missed));
	now += 11 * SECOND;
	assert_true(notify_record(&m, &other, now, &missed));
	assert_int_equal(missed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(words),
		cmocka_unit_test(answers_are_bounded),
		cmocka_unit_test(records_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
