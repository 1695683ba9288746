/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/console.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Longer paths than a socket address holds go through a descriptor of the folder. */
int oci_socket_connect(const char *path, const char *what, struct error *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), dir = -1;
	const char *slash = strrchr(path, '/');

	if (sock < 0)
		return error_errno(e, errno, "socket");
	if (strlen(path) < sizeof(a.sun_path)) {
		strcpy(a.sun_path, path);
	} else {
		_cleanup_free_ char *folder = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");

		dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0 || snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%s", dir, slash ? slash + 1 : path) >=
				       (int)sizeof(a.sun_path))
			return error_errno(e, dir < 0 ? errno : ENAMETOOLONG, "%s %s", what, path);
	}
	if (connect(sock, (struct sockaddr *)&a, sizeof(a)) < 0)
		return error_errno(e, errno, "%s %s", what, path);
	return steal_fd(&sock);
}

int oci_console_send(int sock, int ptmx, struct error *e)
{
	char name[64] = "/dev/ptmx";
	int r;

	if (ptsname_r(ptmx, name, sizeof(name)) != 0)
		strcpy(name, "/dev/ptmx");
	r = socket_send(sock, name, strlen(name), &ptmx, 1);
	return r < 0 ? error_errno(e, r, "cannot send the terminal to the console socket") : 0;
}

int oci_pidfd_send(int sock, int pidfd, struct error *e)
{
	int r = socket_send(sock, "pidfd", strlen("pidfd"), &pidfd, 1);

	return r < 0 ? error_errno(e, r, "cannot send the pidfd to the pidfd socket") : 0;
}

int oci_notify_send(int sock, int listener, const struct oci_container *c, pid_t pid, const char *status,
		    const struct oci_config *cfg, struct error *e)
{
	_cleanup_json_ json_t *j = NULL;
	_cleanup_free_ char *text = NULL;
	int r;

	if (sock < 0)
		return error_set(e, EINVAL, "linux.seccomp.listenerPath: is missing");
	j = json_pack("{s:s, s:[s], s:i, s:s*, s:o}", "ociVersion", c->version, "fds", "seccompFd", "pid", (int)pid, "metadata",
		      cfg->seccomp.listener_metadata, "state", oci_container_json(c, status, false));
	text = json_text(j);
	r = socket_send(sock, text, strlen(text), &listener, 1);
	return r < 0 ? error_errno(e, r, "cannot send the seccomp listener") : 0;
}
