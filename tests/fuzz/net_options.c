/* SPDX-License-Identifier: Apache-2.0 */
/*
 * -p, --expose, --add-host and resolv.conf, by the first byte: what is accepted stands within what the callers rely on, and a
 * port that is printed is read again as the same.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "engine/net.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void free_ports(struct spec_port *ports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(ports[i].host_addr);
	free(ports);
}

static void one_port(const struct spec_port *p)
{
	_cleanup_free_ char *again = NULL;
	struct spec_port *back = NULL;
	struct error e = { 0 };
	char text[64];
	size_t n = 0;

	check(p->port > 0 && (!p->host_addr || net_address_check(p->host_addr, "", &e) == 0));
	net_port_format(p, text);
	again = xasprintf("%s:%u/%s", text, p->port, p->udp ? "udp" : "tcp");
	check(net_port_parse(again, &back, &n, &e) == 0 && n == 1);
	check(back->port == p->port && back->host_port == p->host_port && back->udp == p->udp);
	free_ports(back, n);
}

static void port(const char *text, struct error *e)
{
	struct spec_port *ports = NULL;
	size_t n = 0;

	if (net_port_parse(text, &ports, &n, e) == 0)
		check(n > 0);
	for (size_t i = 0; i < n; i++)
		one_port(&ports[i]);
	free_ports(ports, n);
}

static void expose(const char *text, struct error *e)
{
	uint16_t first = 0, last = 0;
	bool udp;

	if (net_expose_parse(text, &first, &last, &udp, e) == 0)
		check(first > 0 && first <= last);
}

static void host(const char *text, struct error *e)
{
	_cleanup_free_ char *name = NULL, *address = NULL;

	if (net_host_parse(text, &name, &address, e) < 0)
		return;
	/* Both go into /etc/hosts. */
	check(*name && !strpbrk(name, " \t\r\n#"));
	check(streq(address, "host-gateway") || net_address_check(address, "", e) == 0);
}

static void resolv(const char *text)
{
	_cleanup_strv_ char **resolvers = NULL, **search = NULL;

	net_resolv_parse(text, &resolvers, &search);
	strv_foreach(r, resolvers)
		check(net_address_check(*r, "", NULL) == 0);
	strv_foreach(s, search)
		check(**s && !strpbrk(*s, " \t\r\n#"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = NULL;
	struct error e = { 0 };

	if (size == 0)
		return 0;
	text = xstrndup((const char *)data + 1, size - 1);
	switch (data[0]) {
	case 'p':
		port(text, &e);
		break;
	case 'e':
		expose(text, &e);
		break;
	case 'h':
		host(text, &e);
		break;
	case 'r':
		resolv(text);
		break;
	}
	return 0;
}
