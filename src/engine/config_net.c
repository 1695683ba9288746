/* SPDX-License-Identifier: Apache-2.0 */
/* Ports, names and resolvers. */
#include "engine/config.h"

#include "base/cleanup.h"
#include "engine/net.h"

#include <stdlib.h>
#include <string.h>

enum { DNS_MAX = 16, HOSTS_MAX = 1024, HOSTNAME_MAX = 64 /* uname(2) */ };

int config_add_port(struct container_config *c, const char *arg, struct error *e)
{
	int r = net_port_parse(arg, &c->ports, &c->n_ports, e);

	if (r == 0 && c->n_ports > CONFIG_PORTS_MAX)
		r = error_set(e, E2BIG, "more than %d published ports", CONFIG_PORTS_MAX);
	return r;
}

int config_expose_parse(const char *arg, struct config_port **list, size_t *n, struct error *e)
{
	uint16_t first, last;
	bool udp;
	int r = net_expose_parse(arg, &first, &last, &udp, e);

	if (r < 0)
		return r;
	for (unsigned port = first; port <= last; port++) {
		bool known = false;

		for (size_t i = 0; i < *n; i++)
			known = known || ((*list)[i].port == port && (*list)[i].udp == udp);
		if (known)
			continue;
		/* More than this is no list of ports any more; the caller says what that means. */
		if (*n > CONFIG_PORTS_MAX)
			return error_set(e, E2BIG, "more than %d ports", CONFIG_PORTS_MAX);
		*list = xrealloc(*list, *n + 1, sizeof(**list));
		(*list)[(*n)++] = (struct config_port){ (uint16_t)port, udp };
	}
	return 0;
}

static void expose(struct container_config *c, uint16_t port)
{
	size_t at = 0;

	while (at < c->n_expose_tcp && c->expose_tcp[at] < port)
		at++;
	if (at < c->n_expose_tcp && c->expose_tcp[at] == port)
		return;
	c->expose_tcp = xrealloc(c->expose_tcp, c->n_expose_tcp + 1, sizeof(*c->expose_tcp));
	memmove(c->expose_tcp + at + 1, c->expose_tcp + at, (c->n_expose_tcp - at) * sizeof(*c->expose_tcp));
	c->expose_tcp[at] = port;
	c->n_expose_tcp++;
}

static bool is_published(const struct container_config *c, const struct config_port *p)
{
	for (size_t i = 0; i < c->n_ports; i++)
		if (c->ports[i].port == p->port && c->ports[i].udp == p->udp)
			return true;
	return false;
}

int config_set_exposed(struct container_config *c, const struct config_port *list, size_t n, bool publish_all,
		       struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		if (!list[i].udp)
			expose(c, list[i].port);
		if (!publish_all || is_published(c, &list[i]))
			continue;
		if (c->n_ports >= CONFIG_PORTS_MAX)
			return error_set(e, E2BIG, "more than %d published ports", CONFIG_PORTS_MAX);
		c->ports = xrealloc(c->ports, c->n_ports + 1, sizeof(*c->ports));
		c->ports[c->n_ports++] = (struct spec_port){ .port = list[i].port, .udp = list[i].udp };
	}
	for (size_t i = 0; i < c->n_ports; i++)
		if (!c->ports[i].udp)
			expose(c, c->ports[i].port);
	return 0;
}

int config_set_network(struct container_config *c, const char *arg, struct error *e)
{
	const char *other = str_after(arg, "container:");
	_cleanup_free_ char *safe = str_escape(arg), *value = NULL;

	if (streq(arg, "none") || streq(arg, "host")) {
		value = xstrdup(arg);
	} else if (streq(arg, "private") || streq(arg, "bridge") || streq(arg, "default") || streq(arg, "pasta") ||
		   streq(arg, "slirp4netns")) {
		/* Other engines' names of what is private here. */
		value = xstrdup("private");
	} else if (other) {
		struct container found;
		int r = container_find(other, &found, e);

		if (r < 0)
			return error_wrap(e, "--network %s", safe);
		/* The id stays when it is renamed. */
		value = xasprintf("container:%s", found.config.id);
		container_free(&found);
	} else {
		error_set(e, EINVAL, "--network %s: there is no such network", safe);
		error_hint(e, "private (the default), none, container:NAME, or host");
		return -EINVAL;
	}
	free(c->network);
	c->network = steal_ptr(&value);
	return 0;
}

int config_add_host(struct container_config *c, const char *arg, struct error *e)
{
	_cleanup_free_ char *name = NULL, *address = NULL;
	int r = net_host_parse(arg, &name, &address, e);

	if (r < 0)
		return r;
	if (strv_len(c->add_host) >= HOSTS_MAX)
		return error_set(e, E2BIG, "more than %d --add-host", HOSTS_MAX);
	strv_add_copy(&c->add_host, arg);
	return 0;
}

static int add_dns(char ***list, const char *arg, const char *option, struct error *e)
{
	if (strv_len(*list) >= DNS_MAX)
		return error_set(e, E2BIG, "more than %d --%s", DNS_MAX, option);
	strv_add_copy(list, arg);
	return 0;
}

int config_add_dns(struct container_config *c, const char *arg, struct error *e)
{
	int r = net_address_check(arg, "--dns", e);

	return r < 0 ? r : add_dns(&c->dns, arg, "dns", e);
}

int config_add_dns_search(struct container_config *c, const char *arg, struct error *e)
{
	_cleanup_free_ char *safe = str_escape(arg);

	if (!streq(arg, ".") && !net_name_valid(arg, 253))
		return error_set(e, EINVAL, "--dns-search %s: not a domain", safe);
	return add_dns(&c->dns_search, arg, "dns-search", e);
}

int config_add_dns_option(struct container_config *c, const char *arg, struct error *e)
{
	_cleanup_free_ char *safe = str_escape(arg);
	bool good = *arg && strlen(arg) <= 64;

	for (const char *p = arg; *p; p++)
		good = good && ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == ':');
	if (!good)
		return error_set(e, EINVAL, "--dns-option %s: give one of resolv.conf(5), such as ndots:2", safe);
	return add_dns(&c->dns_options, arg, "dns-option", e);
}

int config_set_hostname(struct container_config *c, const char *arg, struct error *e)
{
	_cleanup_free_ char *safe = str_escape(arg);

	if (!net_name_valid(arg, HOSTNAME_MAX))
		return error_set(e, EINVAL, "--hostname %s: letters, digits, '-', '_' and '.' between, at most %d", safe,
				 HOSTNAME_MAX);
	free(c->hostname);
	c->hostname = xstrdup(arg);
	return 0;
}

int config_set_domainname(struct container_config *c, const char *arg, struct error *e)
{
	_cleanup_free_ char *safe = str_escape(arg);

	if (!net_name_valid(arg, HOSTNAME_MAX))
		return error_set(e, EINVAL, "--domainname %s: letters, digits, '-', '_' and '.' between, at most %d", safe,
				 HOSTNAME_MAX);
	free(c->domainname);
	c->domainname = xstrdup(arg);
	return 0;
}
