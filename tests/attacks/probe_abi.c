/* SPDX-License-Identifier: Apache-2.0 */
/* The doors of other architectures into the same kernel: int 0x80 (i386) and the x32 numbers. */
#include "probe.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __x86_64__
enum { I386_GETPID = 20, I386_SOCKETCALL = 102, I386_SOCKET = 359, I386_UNSHARE = 310, I386_KEYCTL = 288 };

static long int80(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
	/* The kernel answers a 32-bit number. */
	return (int)r;
}

static long do_getpid(void *arg)
{
	(void)arg;
	return int80(I386_GETPID, 0, 0, 0);
}

static long do_socketcall(void *arg)
{
	uint32_t *args = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (args == MAP_FAILED)
		return -errno;
	args[0] = (uint32_t)(intptr_t)arg;
	args[1] = 2;
	return int80(I386_SOCKETCALL, 1, (long)(intptr_t)args, 0);
}

static long do_socket(void *arg)
{
	return int80(I386_SOCKET, (long)(intptr_t)arg, 2, 0);
}

static long do_unshare(void *arg)
{
	return int80(I386_UNSHARE, (long)(intptr_t)arg, 0, 0);
}

static long do_keyctl(void *arg)
{
	(void)arg;
	return int80(I386_KEYCTL, 0, -4, 0);
}

static long do_x32(void *arg)
{
	long r = syscall(0x40000000L | (long)(intptr_t)arg, 0, 0, 0);

	return r < 0 ? -errno : 0;
}
#endif

void probe_abi(void)
{
#ifdef __x86_64__
	static const struct {
		const char *id, *name;
		probe_fn *fn;
		intptr_t arg;
	} doors[] = {
		{ "R15", "i386_getpid", do_getpid, 0 },
		{ "R15", "i386_unshare_user", do_unshare, 0x10000000 },
		{ "R15", "i386_keyctl", do_keyctl, 0 },
		{ "R28", "i386_socketcall_alg", do_socketcall, 38 },
		{ "R28", "i386_socket_alg", do_socket, 38 },
		{ "R28", "i386_socketcall_unix", do_socketcall, 1 },
		{ "R15", "x32_getpid", do_x32, 39 },
		{ "R15", "x32_unshare", do_x32, 272 },
	};

	for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++)
		if (probe_wanted(doors[i].id, doors[i].name))
			probe_result(doors[i].id, doors[i].name, probe_isolated(doors[i].fn, (void *)doors[i].arg));
#endif
}
