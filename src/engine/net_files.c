/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/hosts, /etc/resolv.conf and /etc/hostname of a container (hosts(5), resolv.conf(5), hostname(5)). */
#include "engine/net.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <string.h>

enum { HOST_FILE_MAX = 1 << 20 };

static int put(int dirfd, const char *name, const struct buf *b, struct error *e)
{
	int r = file_replace(dirfd, name, b->data ? b->data : "", b->len, 0644, false);

	return r < 0 ? error_errno(e, r, "cannot write the container's %s", name) : 0;
}

/* The host's own file for a container that shares its network; a host without one gives an empty file. */
static void host_file(const char *path, struct buf *b)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	/* The host's path may well be a link: /etc/resolv.conf often is. */
	if (fd >= 0 && fd_read_all(fd, HOST_FILE_MAX, &text, &len) == 0)
		buf_add(b, text, len);
}

static void own_name(struct buf *b, const char *address, const struct net_names *names)
{
	if (names->domainname && *names->domainname)
		buf_printf(b, "%s\t%s.%s %s\n", address, names->hostname, names->domainname, names->hostname);
	else
		buf_printf(b, "%s\t%s\n", address, names->hostname);
}

static int added_hosts(struct buf *b, const struct net *n, const struct net_names *names, struct error *e)
{
	strv_foreach(it, names->add_host) {
		_cleanup_free_ char *name = NULL, *address = NULL;
		int r = net_host_parse(*it, &name, &address, e);

		if (r < 0)
			return r;
		if (streq(address, "host-gateway")) {
			if (!n->host_loopback) {
				r = error_set(e, EPERM, "--add-host %s:host-gateway: the container does not reach the host", name);
				error_hint(e, "name it: --lower net=" NET_LOWER_HOST);
				return r;
			}
			free(address);
			address = xstrdup(NET_GATEWAY4);
		}
		buf_printf(b, "%s\t%s\n", address, name);
	}
	return 0;
}

static int write_hosts(int dirfd, const struct net *n, const struct net_names *names, struct error *e)
{
	_cleanup_buf_ struct buf b = { 0 };
	int r;

	if (n->kind == SPEC_NET_HOST)
		host_file("/etc/hosts", &b);
	if (b.len == 0)
		buf_puts(&b, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
	if (names->hostname && *names->hostname) {
		if (n->ipv4)
			own_name(&b, NET_ADDRESS4, names);
		if (n->ipv6)
			own_name(&b, NET_ADDRESS6, names);
		if (!n->ipv4 && !n->ipv6 && n->kind != SPEC_NET_HOST)
			own_name(&b, "127.0.0.1", names);
	}
	r = added_hosts(&b, n, names, e);
	return r < 0 ? r : put(dirfd, "hosts", &b, e);
}

/* resolv.conf has one option a word and no quoting. */
static int word_check(const char *what, const char *word, struct error *e)
{
	_cleanup_free_ char *safe = NULL;

	for (const char *p = word; *p; p++)
		if (*p <= ' ' || *p > '~') {
			safe = str_escape(word);
			return error_set(e, EINVAL, "%s \"%s\": must be one word of plain characters", what, safe);
		}
	return 0;
}

static int word_list(struct buf *b, const char *key, const char *what, char *const *words, struct error *e)
{
	size_t before = b->len;

	strv_foreach(it, words) {
		int r = word_check(what, *it, e);

		if (r < 0)
			return r;
		buf_printf(b, "%s %s", b->len == before ? key : "", *it);
	}
	if (b->len > before)
		buf_puts(b, "\n");
	return 0;
}

static int write_resolv(int dirfd, const struct net *n, const struct net_names *names, struct error *e)
{
	_cleanup_buf_ struct buf b = { 0 };
	char *const *search = strv_len(names->dns_search) > 0 ? names->dns_search : n->search;
	int r;

	if (n->kind == SPEC_NET_HOST && strv_len(n->nameservers) == 0)
		host_file("/etc/resolv.conf", &b);
	strv_foreach(it, n->nameservers)
		buf_printf(&b, "nameserver %s\n", *it);
	/* docker's way to say "no search domain". */
	if (search && !(search[0] && streq(search[0], ".") && !search[1])) {
		r = word_list(&b, "search", "--dns-search", search, e);
		if (r < 0)
			return r;
	}
	r = word_list(&b, "options", "--dns-option", names->dns_options, e);
	return r < 0 ? r : put(dirfd, "resolv.conf", &b, e);
}

int net_files_write(int dirfd, const struct net *n, const struct net_names *names, struct error *e)
{
	_cleanup_buf_ struct buf b = { 0 };
	int r;

	if (names->hostname && *names->hostname && !net_name_valid(names->hostname, 64)) {
		_cleanup_free_ char *safe = str_escape(names->hostname);

		return error_set(e, EINVAL, "--hostname \"%s\": letters, digits, '-' and '.', at most 64", safe);
	}
	if (names->domainname && *names->domainname && !net_name_valid(names->domainname, 64)) {
		_cleanup_free_ char *safe = str_escape(names->domainname);

		return error_set(e, EINVAL, "--domainname \"%s\": letters, digits, '-' and '.', at most 64", safe);
	}
	r = write_hosts(dirfd, n, names, e);
	if (r == 0)
		r = write_resolv(dirfd, n, names, e);
	if (r < 0)
		return r;
	buf_printf(&b, "%s\n", names->hostname ? names->hostname : "");
	return put(dirfd, "hostname", &b, e);
}
