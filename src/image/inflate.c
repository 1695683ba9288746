/* SPDX-License-Identifier: Apache-2.0 */
#include "image/inflate.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "image/room.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef BRIG_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif
#include <zstd.h>

enum {
	CHUNK = 256 * 1024,
	PIPE_SIZE = 1024 * 1024,
	WINDOW_LOG_MAX = 27, /* 128 MiB, what `zstd --ultra -22` asks for */
};
static const uint64_t memory_max = 512ULL << 20; /* address space: zlib needs 100 KiB, zstd its window */

int compression_of(const void *data, size_t n, struct error *e)
{
	static const struct {
		const char *magic;
		size_t n;
		const char *name;
	} others[] = {
		{ "\xfd" "7zXZ", 5, "xz" },
		{ "BZh", 3, "bzip2" },
		{ "\x04\x22\x4d\x18", 4, "lz4" },
	};

	if (n >= 2 && memcmp(data, "\x1f\x8b", 2) == 0)
		return GZIP;
	/* a zstd frame, or one that is skipped (what zstd:chunked and pzstd begin with) */
	if (n >= 4 && (memcmp(data, "\x28\xb5\x2f\xfd", 4) == 0 ||
		       (memcmp((const char *)data + 1, "\x2a\x4d\x18", 3) == 0 && (*(const char *)data & 0xf0) == 0x50)))
		return ZSTD;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (n >= others[i].n && memcmp(data, others[i].magic, others[i].n) == 0)
			return error_set(e, EOPNOTSUPP, "compressed with %s, which images may not be: gzip, zstd or plain",
					 others[i].name);
	return PLAIN;
}

static ssize_t read_some(int fd, void *data)
{
	ssize_t n;

	do
		n = read(fd, data, CHUNK);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* A second member or rubbish: some readers stop here, some go on (CASES B10). */
static int nothing_behind(int in, void *data, size_t left, struct error *e)
{
	if (left > 0 || read_some(in, data) != 0)
		return error_set(e, EBADMSG, "data behind the end of the gzip stream (several members are not read)");
	return 0;
}

#ifdef BRIG_ISAL
/* ISA-L decompresses a layer in half of zlib's time (measured: a Debian root at 577 instead of 273 MB/s). */
static int expand_gzip(int in, int out, unsigned char *from, unsigned char *to, struct error *e)
{
	struct inflate_state *z = xcalloc(1, sizeof(*z));
	bool first = true;
	int err = 0;

	isal_inflate_init(z);
	z->crc_flag = ISAL_GZIP; /* header and trailer are read, CRC and length compared */
	while (err == 0 && z->block_state != ISAL_BLOCK_FINISH) {
		ssize_t n = read_some(in, from);

		if (n <= 0) {
			err = n < 0 ? error_errno(e, (int)n, "read") :
				      error_set(e, EBADMSG, "the gzip stream ends early");
			break;
		}
		/* RFC 1952 section 2.3.1.2: bits whose meaning nobody knows yet. ISA-L does not look. */
		if (first && n > 3 && from[3] & 0xe0) {
			err = error_set(e, EBADMSG, "damaged gzip stream: unknown header flags");
			break;
		}
		first = false;
		z->next_in = from;
		z->avail_in = (uint32_t)n;
		do {
			z->next_out = to;
			z->avail_out = CHUNK;
			int r = isal_inflate(z);
			if (r < 0) {
				err = error_set(e, EBADMSG, "damaged gzip stream (ISA-L error %d)", r);
				break;
			}
			err = fd_write_all(out, to, CHUNK - z->avail_out);
		} while (err == 0 && z->block_state != ISAL_BLOCK_FINISH && (z->avail_in > 0 || z->avail_out == 0));
	}
	err = err ? err : nothing_behind(in, from, z->avail_in, e);
	free(z);
	return err;
}
#else
static int expand_gzip(int in, int out, unsigned char *from, unsigned char *to, struct error *e)
{
	z_stream z = { 0 };
	int r = Z_OK, err = 0;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return error_set(e, ENOMEM, "zlib");
	while (err == 0 && r != Z_STREAM_END) {
		ssize_t n = read_some(in, from);

		if (n <= 0) {
			err = n < 0 ? error_errno(e, (int)n, "read") :
				      error_set(e, EBADMSG, "the gzip stream ends early");
			break;
		}
		z.next_in = from;
		z.avail_in = (unsigned)n;
		do {
			z.next_out = to;
			z.avail_out = CHUNK;
			r = inflate(&z, Z_NO_FLUSH);
			if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR) {
				err = error_set(e, EBADMSG, "damaged gzip stream: %s", z.msg ? z.msg : "no data");
				break;
			}
			err = fd_write_all(out, to, CHUNK - z.avail_out);
		} while (err == 0 && r != Z_STREAM_END && (z.avail_in > 0 || z.avail_out == 0));
	}
	err = err ? err : nothing_behind(in, from, z.avail_in, e);
	inflateEnd(&z);
	return err;
}
#endif

static int expand_zstd(int in, int out, unsigned char *from, unsigned char *to, struct error *e)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();
	size_t r = 0;
	int err = 0;

	if (!z || ZSTD_isError(ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)))
		err = error_set(e, ENOMEM, "zstd");
	while (err == 0) {
		ssize_t n = read_some(in, from);
		ZSTD_inBuffer ib = { from, n > 0 ? (size_t)n : 0, 0 };
		bool more = true;

		if (n < 0)
			err = error_errno(e, (int)n, "read");
		if (n == 0 && r != 0)
			err = error_set(e, EBADMSG, "the zstd stream ends early");
		if (n <= 0)
			break;
		while (err == 0 && (ib.pos < ib.size || more)) {
			ZSTD_outBuffer ob = { to, CHUNK, 0 };

			r = ZSTD_decompressStream(z, &ob, &ib);
			if (ZSTD_isError(r)) {
				err = error_set(e, EBADMSG, "damaged zstd stream: %s", ZSTD_getErrorName(r));
				break;
			}
			err = fd_write_all(out, to, ob.pos);
			more = ob.pos == ob.size;
		}
	}
	ZSTD_freeDCtx(z);
	return err;
}

static void __attribute__((noreturn)) child(int in, int out, int report, enum compression how)
{
	struct error e = { 0 };
	unsigned char *from = xmalloc(CHUNK), *to = xmalloc(CHUNK);
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Three descriptors, and no other that write(2) could reach. */
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(report, 2) < 0 || close_range(3, ~0U, 0) < 0)
		_exit(2);
	r = room_enter_pipe(memory_max, &e);
	if (r == 0)
		r = how == GZIP ? expand_gzip(0, 1, from, to, &e) : expand_zstd(0, 1, from, to, &e);
	if (r < 0 && e.code)
		(void)!write(2, &e, sizeof(e));
	_exit(r < 0);
}

int inflate_start(struct inflate *i, int fd, enum compression how, struct error *e)
{
	int out[2] = { -1, -1 }, report[2] = { -1, -1 };

	*i = (struct inflate){ .out = -1, .report = -1 };
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0)
		goto failed;
	(void)fcntl(out[1], F_SETPIPE_SZ, PIPE_SIZE); /* slower without */
	i->pid = fork();
	if (i->pid < 0)
		goto failed;
	if (i->pid == 0) {
		close(out[0]);
		close(report[0]);
		child(fd, out[1], report[1], how);
	}
	close(out[1]);
	close(report[1]);
	i->out = out[0];
	i->report = report[0];
	return 0;
failed:
	error_errno(e, errno, "cannot start the decompressor");
	for (int k = 0; k < 2; k++) {
		cleanup_close(&out[k]);
		cleanup_close(&report[k]);
	}
	i->pid = 0;
	return -EAGAIN;
}

int inflate_end(struct inflate *i, struct error *e)
{
	struct error told = { 0 };
	bool has_told;
	int status;

	if (i->pid == 0)
		return 0;
	close(i->out); /* one that still writes gets EPIPE */
	has_told = read(i->report, &told, sizeof(told)) == (ssize_t)sizeof(told);
	close(i->report);
	status = proc_wait(i->pid);
	*i = (struct inflate){ .out = -1, .report = -1 };
	if (has_told) {
		told.text[ERROR_TEXT_MAX - 1] = 0;
		if (e)
			*e = told;
		return told.code < 0 ? told.code : -EBADMSG;
	}
	if (status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) != SIGPIPE)
		return error_set(e, EBADMSG, "the decompressor was ended by signal %d", WTERMSIG(status));
	if (status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 2)
		return error_set(e, EIO, "the decompressor could not start");
	return 0;
}
