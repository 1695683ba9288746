/* SPDX-License-Identifier: Apache-2.0 */
/* What a person types: ports, names of hosts, addresses. */
#include "engine/net.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int bad(const char *text, const char *why, struct error *e)
{
	_cleanup_free_ char *safe = str_escape(text);
	int r = error_set(e, EINVAL, "cannot publish \"%s\": %s", safe, why);

	error_hint(e, "-p [ADDRESS:][HOSTPORT:]PORT[/tcp|/udp], for example 8080:80, 127.0.0.1:5353:53/udp, [::1]:8080:80");
	return r;
}

/* "80" or "8000-8010". `zero`: 0 is allowed. */
static int range_parse(const char *text, bool zero, uint16_t *first, uint16_t *last)
{
	_cleanup_free_ char *copy = xstrdup(text);
	char *dash = strchr(copy, '-');
	uint64_t a, b;

	if (dash)
		*dash++ = 0;
	if (parse_u64(copy, zero && !dash ? 0 : 1, UINT16_MAX, &a) < 0)
		return -EINVAL;
	b = a;
	if (dash && (parse_u64(dash, 1, UINT16_MAX, &b) < 0 || b < a))
		return -EINVAL;
	*first = (uint16_t)a;
	*last = (uint16_t)b;
	return 0;
}

/* Cuts "/tcp" or "/udp" off. */
static int proto_parse(char *text, bool *udp)
{
	char *slash = strrchr(text, '/');

	*udp = false;
	if (!slash)
		return 0;
	*slash++ = 0;
	if (streq(slash, "udp"))
		*udp = true;
	else if (!streq(slash, "tcp"))
		return -EINVAL;
	return 0;
}

static bool is_address(const char *s, int family)
{
	uint8_t buf[16];

	return inet_pton(family, s, buf) == 1;
}

/* Splits ADDRESS, HOSTPORT and PORT; what is not there stays NULL. Returns what is wrong, or NULL. */
static const char *split(char *s, char **addr, char **host, char **port)
{
	char *colon;

	*addr = *host = NULL;
	if (*s == '[') {
		char *close = strchr(s, ']');

		if (!close || close[1] != ':')
			return "an address in brackets needs \"]:\" behind it";
		*close = 0;
		*addr = s + 1;
		s = close + 2;
		if (!is_address(*addr, AF_INET6))
			return "what stands in brackets is not an IPv6 address";
	}
	colon = strrchr(s, ':');
	if (!colon) {
		*port = s;
		return NULL;
	}
	*colon = 0;
	*port = colon + 1;
	*host = s;
	if (*addr)
		return strchr(s, ':') ? "too many colons" : NULL;
	colon = strrchr(s, ':');
	if (!colon)
		return NULL;
	*colon = 0;
	*addr = s;
	*host = colon + 1;
	if (!is_address(s, AF_INET))
		return strchr(s, ':') ? "an IPv6 address must stand in brackets" : "not an address to listen on";
	return NULL;
}

int net_port_parse(const char *text, struct spec_port **ports, size_t *n, struct error *e)
{
	_cleanup_free_ char *copy = xstrdup(text);
	uint16_t first, last, hfirst = 0, hlast = 0;
	char *addr, *host, *port;
	const char *wrong;
	bool udp;

	if (proto_parse(copy, &udp) < 0)
		return bad(text, "the protocol must be tcp or udp", e);
	wrong = split(copy, &addr, &host, &port);
	if (wrong)
		return bad(text, wrong, e);
	if (range_parse(port, false, &first, &last) < 0)
		return bad(text, "the container's port must be 1 to 65535, or a range of these", e);
	if (host && *host) {
		if (range_parse(host, true, &hfirst, &hlast) < 0)
			return bad(text, "the host's port must be 0 to 65535, or a range", e);
		if (hfirst > 0 && hlast - hfirst != last - first)
			return bad(text, "the ranges of host and container must be of the same length", e);
	}
	if (*n + (size_t)(last - first) + 1 > NET_PORTS_MAX)
		return bad(text, "more ports than a container may publish (1024)", e);
	*ports = xrealloc(*ports, *n + (size_t)(last - first) + 1, sizeof(**ports));
	for (unsigned i = 0; i <= (unsigned)(last - first); i++)
		(*ports)[(*n)++] = (struct spec_port){
			.host_addr = addr ? xstrdup(addr) : NULL,
			.host_port = hfirst ? (uint16_t)(hfirst + i) : 0,
			.port = (uint16_t)(first + i),
			.udp = udp,
		};
	return 0;
}

int net_expose_parse(const char *text, uint16_t *first, uint16_t *last, bool *udp, struct error *e)
{
	_cleanup_free_ char *copy = xstrdup(text), *safe = str_escape(text);

	if (proto_parse(copy, udp) < 0 || range_parse(copy, false, first, last) < 0)
		return error_set(e, EINVAL, "\"%s\" is not a port, PORT[-PORT][/tcp|/udp]", safe);
	return 0;
}

void net_port_format(const struct spec_port *p, char out[static 64])
{
	const char *addr = p->host_addr ? p->host_addr : "127.0.0.1";

	snprintf(out, 64, strchr(addr, ':') ? "[%s]:%u" : "%s:%u", addr, p->host_port);
}

bool net_name_valid(const char *name, size_t max)
{
	size_t n = strlen(name);

	if (n == 0 || n > max || name[0] == '.' || name[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
			return false;
	return true;
}

int net_address_check(const char *text, const char *what, struct error *e)
{
	_cleanup_free_ char *safe = NULL;

	if (is_address(text, AF_INET) || is_address(text, AF_INET6))
		return 0;
	safe = str_escape(text);
	return error_set(e, EINVAL, "%s: \"%s\" is not an IPv4 or IPv6 address", what, safe);
}

int net_host_parse(const char *text, char **name, char **address, struct error *e)
{
	_cleanup_free_ char *copy = xstrdup(text), *safe = str_escape(text);
	char *sep = copy + strcspn(copy, ":="), *addr;
	size_t n;

	if (!*sep)
		return error_set(e, EINVAL, "--add-host \"%s\": must be NAME:ADDRESS", safe);
	*sep = 0;
	addr = sep + 1;
	n = strlen(addr);
	if (n > 2 && addr[0] == '[' && addr[n - 1] == ']') {
		addr[n - 1] = 0;
		addr++;
	}
	if (!net_name_valid(copy, 255))
		return error_set(e, EINVAL, "--add-host \"%s\": not a host name before the address", safe);
	if (!streq(addr, "host-gateway") && net_address_check(addr, "--add-host", e) < 0)
		return -EINVAL;
	*name = xstrdup(copy);
	*address = xstrdup(addr);
	return 0;
}
