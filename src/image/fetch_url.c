/* SPDX-License-Identifier: Apache-2.0 */
#include "image/fetch_http.h"

#include "base/cleanup.h"

#include <netinet/in.h>
#include <string.h>
#include <strings.h>

static void cleanup_url(CURLU **u)
{
	curl_url_cleanup(*u);
}
#define _cleanup_url_ __attribute__((cleanup(cleanup_url)))

char *url_part(const char *url, CURLUPart part)
{
	_cleanup_url_ CURLU *u = curl_url();
	char *text = NULL, *copy;

	if (!u || curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
	    curl_url_get(u, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK)
		return NULL;
	copy = xstrdup(text);
	curl_free(text);
	return copy;
}

char *url_follow(const char *base, const char *location)
{
	_cleanup_url_ CURLU *u = curl_url();
	char *text = NULL, *copy;

	for (const char *p = location; *p; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7f)
			return NULL;
	if (!u || curl_url_set(u, CURLUPART_URL, base, 0) != CURLUE_OK ||
	    curl_url_set(u, CURLUPART_URL, location, CURLU_DISALLOW_USER) != CURLUE_OK ||
	    curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_URL, &text, 0) != CURLUE_OK)
		return NULL;
	copy = xstrdup(text);
	curl_free(text);
	return copy;
}

char *url_authority(const char *url)
{
	_cleanup_free_ char *host = url_part(url, CURLUPART_HOST), *port = url_part(url, CURLUPART_PORT);

	if (!host || !port)
		return NULL;
	for (char *p = host; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return xasprintf("%s:%s", host, port);
}

bool url_is_https(const char *url)
{
	_cleanup_free_ char *scheme = url_part(url, CURLUPART_SCHEME);

	return streq(scheme, "https");
}

static bool is_address(const char *host)
{
	return strspn(host, "0123456789.") == strlen(host) || strchr(host, ':') || host[0] == '[';
}

bool token_host_fits(const char *server, const char *host)
{
	_cleanup_free_ char *own = xstrndup(server, strcspn(server, ":"));
	const char *domain = strchr(own, '.');
	size_t n, m;

	if (strcasecmp(own, host) == 0)
		return true;
	if (!domain || is_address(own) || is_address(host) || !strchr(domain + 1, '.'))
		return false;
	/* registry.gitlab.com: gitlab.com and what lies below it; never a domain of one label */
	n = strlen(domain + 1);
	m = strlen(host);
	return strcasecmp(host, domain + 1) == 0 ||
	       (m > n + 1 && host[m - n - 1] == '.' && strcasecmp(host + m - n, domain + 1) == 0);
}

static int kind4(uint32_t a)
{
	if ((a >> 16) == 0xa9fe || (a >> 24) == 0 || (a >> 28) >= 0xe)
		return 2; /* 169.254/16, 0/8, multicast and beyond */
	return (a >> 24) == 127 || (a >> 24) == 10 || (a >> 20) == 0xac1 || (a >> 16) == 0xc0a8 || (a >> 22) == 0x191;
}

int address_kind(const struct sockaddr *sa)
{
	const struct in6_addr *six;

	if (sa->sa_family == AF_INET)
		return kind4(ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr));
	if (sa->sa_family != AF_INET6)
		return 2;
	six = &((const struct sockaddr_in6 *)sa)->sin6_addr;
	if (IN6_IS_ADDR_V4MAPPED(six) || (six->s6_addr[0] == 0 && six->s6_addr[1] == 0x64 && six->s6_addr[2] == 0xff &&
					  six->s6_addr[3] == 0x9b)) {
		uint32_t a;

		memcpy(&a, six->s6_addr + 12, 4);
		return kind4(ntohl(a));
	}
	if (IN6_IS_ADDR_LINKLOCAL(six) || IN6_IS_ADDR_MULTICAST(six) || IN6_IS_ADDR_UNSPECIFIED(six))
		return 2;
	return IN6_IS_ADDR_LOOPBACK(six) || (six->s6_addr[0] & 0xfe) == 0xfc;
}

/* One parameter of a link, `n` characters, without what stands around it: rel=next, rel="next", rel="last next". */
static bool says_next(const char *s, size_t n)
{
	_cleanup_free_ char *text = xstrndup(s, n);
	char *value, *save = NULL;

	value = text + strspn(text, " \t");
	if (strncasecmp(value, "rel=", 4) != 0)
		return false;
	for (char *word = strtok_r(value + 4, "\" \t", &save); word; word = strtok_r(NULL, "\" \t", &save))
		if (strcasecmp(word, "next") == 0)
			return true;
	return false;
}

char *link_next(const char *s)
{
	while ((s = strchr(s, '<'))) {
		const char *end = strchr(++s, '>'), *p;
		bool next = false;

		if (!end)
			return NULL;
		for (p = end + 1; *p && *p != ',';) {
			bool quoted = false;
			size_t n;

			p += *p == ';';
			for (n = 0; p[n] && (quoted || (p[n] != ';' && p[n] != ',')); n++)
				quoted ^= p[n] == '"';
			next |= says_next(p, n);
			p += n;
		}
		if (next && end > s)
			return xstrndup(s, (size_t)(end - s));
		s = p;
	}
	return NULL;
}
