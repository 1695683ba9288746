/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's end of the attach socket: whatever messages a client sends, it is served or dropped, and the monitor's state
 * stays within its bounds. The input is cut into messages by a length byte before each.
 */
#include "engine/monitor_loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void swallow(int fd)
{
	char drop[65536];

	while (recv(fd, drop, sizeof(drop), MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct monitor m;
	struct monitor_kit kit;
	int pair[2], in[2];

	monitor_kit_init(&kit);
	memset(&m, 0, offsetof(struct monitor, log));
	m.kit = &kit;
	check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	check(pipe2(in, O_CLOEXEC | O_NONBLOCK) == 0);
	for (int i = 0; i < ATTACH_CLIENTS; i++)
		m.client[i].fd = -1;
	kit.stdin_once = size & 1;
	kit.fd[MFD_STDIN] = m.in = in[1];
	m.client[0].fd = pair[1];
	while (size > 0 && m.client[0].fd >= 0) {
		size_t n = data[0] < size - 1 ? data[0] : size - 1;

		if (send(pair[0], data + 1, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
		client_read(&m, &m.client[0]);
		swallow(pair[0]);
		swallow(in[0]);
		char drop[65536];
		while (read(in[0], drop, sizeof(drop)) > 0)
			;
		check(m.in_len <= sizeof(m.input) && m.in_off <= m.in_len);
		data += 1 + n;
		size -= 1 + n;
	}
#ifdef FUZZ_PLANT
	/* The planted bug of plant.c, for code without struct error: no seed gets here. */
	if (m.client[0].want == (ATTACH_WANT_STDIN | ATTACH_WANT_STDERR)) {
		fprintf(stderr, "PLANTED BUG reached\n");
		abort();
	}
#endif
	client_drop(&m.client[0]);
	close(pair[0]);
	close(in[0]);
	if (kit.fd[MFD_STDIN] >= 0)
		close(kit.fd[MFD_STDIN]);
	return 0;
}
