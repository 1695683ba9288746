/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/remote_name.h"

#include "base/cleanup.h"
#include "cli/cli.h"
#include "image/name.h"
#include "image/registries.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "web:1" of the registry "quay.io" is quay.io/web:1. */
static char *in_registry(const char *registry, const char *typed)
{
	return xasprintf("%s/%s", registry, typed);
}

static int ask(const struct registries *all, const char *typed, char **out, struct error *e)
{
	_cleanup_free_ char *shown = str_escape(typed);
	size_t n = strv_len(all->search);
	char line[32];
	uint64_t i;

	fprintf(stderr, "%s does not say which registry. Which one is meant?\n", shown);
	for (i = 0; i < n; i++) {
		_cleanup_free_ char *name = in_registry(all->search[i], typed), *safe = str_escape(name);

		fprintf(stderr, "  %llu  %s\n", (unsigned long long)i + 1, safe);
	}
	fprintf(stderr, "Number, or nothing to stop: ");
	if (!fgets(line, sizeof(line), stdin))
		line[0] = 0;
	line[strcspn(line, "\n")] = 0;
	if (parse_u64(line, 1, n, &i) < 0)
		return error_set(e, ECANCELED, "no registry was chosen for %s", typed);
	*out = in_registry(all->search[i - 1], typed);
	return 0;
}

static int refuse(const struct registries *all, const char *typed, struct error *e)
{
	error_set(e, EINVAL, "%s does not say which registry, and brig does not guess", typed);
	strv_foreach(it, all->search)
		error_hint(e, "write %s/%s%s", *it, streq(*it, "docker.io") && !strchr(typed, '/') ? "library/" : "", typed);
	if (!all->search)
		error_hint(e, "write HOST/%s, for example docker.io/%s%s", typed, strchr(typed, '/') ? "" : "library/", typed);
	return -EINVAL;
}

int remote_name(const char *typed, struct reference *out, struct error *e)
{
	_cleanup_(registries_free) struct registries all = { 0 };
	_cleanup_free_ char *whole = NULL, *plain = NULL;
	const char *alias;
	size_t n;
	int r;

	if (str_after(typed, "docker://"))
		typed += strlen("docker://");
	if (name_has_host(typed))
		return reference_parse(typed, out, e);
	/* Its grammar first: what cannot be a name is not worth a question. */
	whole = in_registry("docker.io", typed);
	r = reference_parse(whole, out, e);
	if (r < 0)
		return r;
	reference_free(out);
	free(steal_ptr(&whole));
	r = registries_load(&all, e);
	if (r < 0)
		return r;
	plain = xstrndup(typed, strcspn(typed, "@"));
	name_tag(plain, &n);
	plain[n] = 0;
	alias = registries_alias(&all, plain);
	if (alias)
		whole = xasprintf("%s%s", alias, typed + n);
	else if (all.search && isatty(0) && isatty(2))
		r = ask(&all, typed, &whole, e);
	else
		r = refuse(&all, typed, e);
	return r < 0 ? r : reference_parse(whole, out, e);
}
