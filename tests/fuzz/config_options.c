/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of `brig run`, one a line: "v ./a:/b", "m type=tmpfs,target=/x". What is accepted is a configuration that is written
 * and read again as the same, with every target of a mount clean.
 */
#include "base/cleanup.h"
#include "base/conf.h"
#include "base/json.h"
#include "engine/config.h"
#include "engine/container.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void resources(struct container_config *c, char *text, struct error *e)
{
	struct config_resources r = { 0 };
	char *save = NULL;
	const char **fields[] = { &r.cpus, &r.cpuset_cpus, &r.cpuset_mems, &r.memory_swap, &r.pids_limit };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const char *word = strtok_r(i ? NULL : text, " ", &save);

		if (!word)
			break;
		*fields[i] = streq(word, "-") ? NULL : word;
	}
	r.memory = r.memory_swap ? 64 << 20 : 0;
	config_set_resources(c, &r, e);
}

static void option(struct container_config *c, char letter, char *text, struct error *e)
{
	static const struct {
		char letter;
		int (*add)(struct container_config *, const char *, struct error *);
	} adders[] = {
		{ 'v', config_add_volume },    { 'm', config_add_mount },   { 't', config_add_tmpfs },
		{ 'u', config_add_ulimit },    { 'R', config_set_restart }, { 's', config_add_secret },
		{ 'l', config_add_lower },     { 'y', config_add_sysctl },  { 'S', config_set_storage },
		{ 'g', config_set_signal },    { 'd', config_add_dns },	    { 'D', config_add_dns_search },
		{ 'o', config_add_dns_option }, { 'H', config_set_hostname }, { 'a', config_add_host },
	};

	if (letter == 'r')
		resources(c, text, e);
	if (letter == 'c')
		config_add_cap(c, text[0] != '-', text + (text[0] == '-'), e);
	for (size_t i = 0; i < ARRAY_SIZE(adders); i++)
		if (adders[i].letter == letter)
			adders[i].add(c, text, e);
}

static void check_mounts(const struct container_config *c, struct error *e)
{
	for (size_t i = 0; i < c->n_mounts; i++) {
		_cleanup_free_ char *clean = NULL;

		if (config_target(c->mounts[i].target, true, &clean, e) < 0 || !streq(clean, c->mounts[i].target))
			abort();
		for (size_t k = 0; k < i; k++)
			if (streq(c->mounts[k].target, c->mounts[i].target))
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	_cleanup_strv_ char **lines = strv_split(text, '\n');
	struct container_config c = { 0 };
	struct error e = { 0 };
	struct conf conf;

	conf_defaults(&conf);
	config_defaults(&c, &conf);
	strv_foreach(l, lines)
		if ((*l)[0] && (*l)[1] == ' ')
			option(&c, (*l)[0], *l + 2, &e);
	check_mounts(&c, &e);
	container_config_free(&c);
	conf_free(&conf);
	return 0;
}
