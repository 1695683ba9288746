/* SPDX-License-Identifier: Apache-2.0 */
/* What is recorded is read back, in order, whatever a crash left at the end of the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/events.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/brig-events-XXXXXX";

struct seen {
	char text[1024];
	uint64_t last;
	bool ordered;
};

static int take(json_t *event, uint64_t time_ns, void *arg)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);
	json_t *actor = json_object_get(event, "Actor");

	s->ordered &= time_ns >= s->last;
	s->last = time_ns;
	snprintf(s->text + n, sizeof(s->text) - n, "%s %s %s;", json_string_value(json_object_get(event, "Action")),
		 json_string_value(json_object_get(actor, "ID")),
		 json_string_value(json_object_get(json_object_get(actor, "Attributes"), "name")));
	return 0;
}

static void read_all(struct seen *s)
{
	struct events_query q = { .until_ns = clock_now_ns(), .event = take, .arg = s };
	struct error e = { 0 };

	*s = (struct seen){ .ordered = true };
	if (events_read(&q, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(s->ordered);
}

static void spoil(const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/events", folder);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void round_trip(void **state)
{
	const struct event_attr attrs[] = { { "image", "a \"quoted\"\n\x1b[31m line" } };
	struct seen s;

	(void)state;
	assert_int_equal(event_record("container", "1", "web", "create", attrs, 1, NULL), 0);
	assert_int_equal(event_record("container", "1", "web", "start", NULL, 0, NULL), 0);
	read_all(&s);
	assert_string_equal(s.text, "create 1 web;start 1 web;");
	/* Nothing before or after the time asked for. */
	struct events_query q = { .since_ns = clock_now_ns(), .until_ns = clock_now_ns() + 1, .event = take, .arg = &s };
	s.text[0] = 0;
	assert_int_equal(events_read(&q, NULL), 0);
	assert_string_equal(s.text, "");
}

static void torn_line(void **state)
{
	struct seen s;

	(void)state;
	spoil("no event at all\n{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"1\",\"Attr");
	read_all(&s);
	assert_string_equal(s.text, "create 1 web;start 1 web;");
	/* What comes later is not lost with it. */
	assert_int_equal(event_record("container", "1", "web", "stop", NULL, 0, NULL), 0);
	assert_int_equal(event_record("container", "1", "web", "destroy", NULL, 0, NULL), 0);
	read_all(&s);
	assert_string_equal(s.text, "create 1 web;start 1 web;stop 1 web;destroy 1 web;");
}

static void long_line(void **state)
{
	_cleanup_free_ char *huge = xmalloc(3 * EVENT_LINE_MAX);
	char line[EVENT_LINE_MAX];

	(void)state;
	memset(huge, '"', 3 * EVENT_LINE_MAX - 1);
	huge[3 * EVENT_LINE_MAX - 1] = 0;
	const struct event_attr attrs[] = { { "name", "web" }, { "label", huge } };
	size_t n = event_format("container", "1", "create", attrs, 2, 1, line);
	assert_in_range(n, 1, sizeof(line));
	assert_int_equal(line[n - 1], '\n');
	json_t *j = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(j);
	assert_string_equal(json_string_value(json_object_get(j, "Action")), "create");
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip), cmocka_unit_test(torn_line), cmocka_unit_test(long_line),
	};
	int r;

	if (!mkdtemp(folder) || setenv("BRIG_DATA", folder, 1) < 0)
		return 1;
	r = cmocka_run_group_tests_name("engine_events", tests, NULL, NULL);
	path_remove_tree(AT_FDCWD, folder);
	return r;
}
