/* SPDX-License-Identifier: Apache-2.0 */
/* HOME of a process, which callers leave to the runtime: from the container's own etc/passwd. */
#include "oci/process.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { PASSWD_MAX = 1 << 20, HOME_FIELD = 5, UID_FIELD = 2 };

/* The line's home folder when it is the user's; NULL otherwise. Cuts the line up. passwd(5). */
static const char *home_in(char *line, uint32_t uid)
{
	const char *home = NULL;
	uint64_t id = UINT64_MAX;
	char *field;

	for (int i = 0; (field = strsep(&line, ":")) && i <= HOME_FIELD; i++) {
		if (i == UID_FIELD && parse_u64(field, 0, UINT32_MAX, &id) < 0)
			return NULL;
		if (i == HOME_FIELD)
			home = field;
	}
	return id == uid && home && *home == '/' ? home : NULL;
}

void oci_process_home(struct oci_process *p)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	const char *home = NULL;
	char *rest, *line;
	struct stat st;

	strv_foreach(it, p->env)
		if (str_after(*it, "HOME=") && (*it)[5])
			return;
	/* The file is the image's: no link out of the kernel's own hands, no FIFO that never ends. */
	fd = path_open_plain(AT_FDCWD, "/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fd_read_all(fd, PASSWD_MAX, &text, NULL) == 0)
		for (rest = text; !home && (line = strsep(&rest, "\n"));)
			home = home_in(line, p->uid);
	for (char **it = p->env; it && *it; it++) {
		if (streq(*it, "HOME=")) {
			free(*it);
			*it = xasprintf("HOME=%s", home ? home : "/");
			return;
		}
	}
	strv_add(&p->env, xasprintf("HOME=%s", home ? home : "/"));
}
