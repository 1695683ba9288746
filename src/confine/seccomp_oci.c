/* SPDX-License-Identifier: Apache-2.0 */
#include "confine/seccomp_oci.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <ctype.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int add_archs(scmp_filter_ctx ctx, const struct oci_seccomp *s, struct error *e)
{
	for (size_t i = 0; s->archs && s->archs[i]; i++) {
		const char *name = str_after(s->archs[i], "SCMP_ARCH_");
		_cleanup_free_ char *lower = xstrdup(name ? name : ""), *safe = str_escape(s->archs[i]);
		uint32_t arch;
		int r;

		for (char *p = lower; *p; p++)
			*p = (char)tolower((unsigned char)*p);
		arch = name ? seccomp_arch_resolve_name(lower) : 0;
		if (!arch)
			return error_set(e, EINVAL, "linux.seccomp.architectures[%zu]: \"%s\" is not known", i, safe);
		r = seccomp_arch_add(ctx, arch);
		if (r < 0 && r != -EEXIST)
			return error_errno(e, r, "linux.seccomp.architectures[%zu]", i);
	}
	return 0;
}

static struct scmp_arg_cmp comparison(const struct oci_seccomp_arg *a)
{
	return (struct scmp_arg_cmp){ .arg = a->index, .op = (enum scmp_compare)a->op, .datum_a = a->value,
				      .datum_b = a->value_two };
}

/* libseccomp takes each argument once in a rule; several conditions on one are then several rules. */
static bool one_each(const struct oci_seccomp_rule *rule)
{
	unsigned seen = 0;

	for (size_t i = 0; i < rule->n_args; i++) {
		if (seen >> rule->args[i].index & 1)
			return false;
		seen |= 1u << rule->args[i].index;
	}
	return true;
}

static int add_call(scmp_filter_ctx ctx, const struct oci_seccomp_rule *rule, int nr)
{
	struct scmp_arg_cmp cmp[6];
	int r = 0;

	if (!one_each(rule)) {
		for (size_t i = 0; r == 0 && i < rule->n_args; i++) {
			cmp[0] = comparison(&rule->args[i]);
			r = seccomp_rule_add_array(ctx, rule->action, nr, 1, cmp);
		}
		return r;
	}
	for (size_t i = 0; i < rule->n_args; i++)
		cmp[i] = comparison(&rule->args[i]);
	return seccomp_rule_add_array(ctx, rule->action, nr, (unsigned)rule->n_args, cmp);
}

static int add_rules(scmp_filter_ctx ctx, const struct oci_seccomp *s, struct error *e)
{
	for (size_t i = 0; i < s->n_rules; i++) {
		const struct oci_seccomp_rule *rule = &s->rules[i];

		if (rule->action == s->default_action)
			continue;
		for (size_t k = 0; rule->names[k]; k++) {
			int nr = seccomp_syscall_resolve_name(rule->names[k]), r;

			if (nr == __NR_SCMP_ERROR)
				continue;
			r = add_call(ctx, rule, nr);
			/* The same rule twice says the same. */
			if (r < 0 && r != -EEXIST)
				return error_errno(e, r, "linux.seccomp.syscalls[%zu]: %s", i, rule->names[k]);
		}
	}
	return 0;
}

static int export(scmp_filter_ctx ctx, struct sock_filter **out, unsigned *n, struct error *e)
{
	_cleanup_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
	size_t len;
	int r = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);

	if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return error_errno(e, r < 0 ? r : errno, "linux.seccomp: cannot be compiled");
	r = fd_read_all(fd, BPF_MAXINSNS * sizeof(struct sock_filter), (char **)out, &len);
	if (r < 0)
		return error_errno(e, r, "linux.seccomp: needs more than %d instructions", BPF_MAXINSNS);
	*n = (unsigned)(len / sizeof(struct sock_filter));
	return 0;
}

int seccomp_oci_compile(const struct oci_seccomp *s, struct sock_filter **out, unsigned *n, struct error *e)
{
	scmp_filter_ctx ctx = seccomp_init(s->default_action);
	int r;

	*out = NULL;
	if (!ctx)
		return error_set(e, EINVAL, "linux.seccomp.defaultAction: libseccomp refuses it");
	r = add_archs(ctx, s, e);
	if (r == 0)
		r = add_rules(ctx, s, e);
	if (r == 0)
		r = export(ctx, out, n, e);
	seccomp_release(ctx);
	return r;
}

int seccomp_oci_install(const struct oci_seccomp *s, const struct sock_filter *f, unsigned n, int *listener, struct error *e)
{
	struct sock_fprog prog = { .len = (unsigned short)n, .filter = (struct sock_filter *)(uintptr_t)f };
	unsigned flags = s->flags & ~(unsigned)SECCOMP_FILTER_FLAG_TSYNC; /* there is one thread */
	long r;

	*listener = -1;
	if (s->notifies)
		flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	else
		flags &= ~(1u << 5); /* WAIT_KILLABLE_RECV is for listeners only */
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	if (r < 0)
		return error_errno(e, errno, "linux.seccomp: the kernel refuses the filter");
	if (s->notifies)
		*listener = (int)r;
	return 0;
}
