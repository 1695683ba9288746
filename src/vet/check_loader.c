/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What brings code into programs that did not ask for it (catalogue V6): ld.so.preload, ld.so.conf, the environment, PAM, NSS, Python's start.
 * Sources: ld.so(8), pam.conf(5), nsswitch.conf(5), Python's documentation of the module "site".
 */
#include "vet/files.h"

#include "base/cleanup.h"
#include "vet/inventory.h"

#include <string.h>

enum { TEXT_MAX = 1 << 20 };

/* The next line of *p without its comment and without blanks around it; NULL: none is left. */
static char *next_line(const char **p, const char *end)
{
	const char *nl, *stop;
	char *line;
	size_t n;

	if (*p >= end)
		return NULL;
	nl = memchr(*p, '\n', (size_t)(end - *p));
	stop = nl ? nl : end;
	line = xstrndup(*p, (size_t)(stop - *p));
	*p = stop + 1;
	line[strcspn(line, "#")] = 0;
	n = strspn(line, " \t");
	memmove(line, line + n, strlen(line + n) + 1);
	for (n = strlen(line); n && strchr(" \t\r", line[n - 1]); n--)
		line[n - 1] = 0;
	return line;
}

typedef void line_fn(struct vet *v, const struct vet_file *f, char *line);

static void each_line(struct vet *v, const struct vet_file *f, line_fn *fn)
{
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 };
	const char *p, *end;
	char *line;

	if (!f || f->inode->type != 'f' || vet_read(v, f, TEXT_MAX, &b) < 0)
		return;
	p = (const char *)b.data, end = p + b.size;
	while ((line = next_line(&p, end))) {
		if (line[0])
			fn(v, f, line);
		free(line);
	}
}

static void each_below(struct vet *v, const char *dir, line_fn *fn)
{
	const struct vet_file *d = vet_find(v, dir);
	size_t first, n;

	if (!d)
		return;
	vet_below(v, d->path, &first, &n);
	for (size_t i = first; i < first + n; i++)
		each_line(v, v->merged[i], fn);
}

static bool packages_known(const struct vet *v)
{
	const struct inventory *inv = vet_inventory(v);

	return inv && inv->n_system;
}

/* Is the library a package's? False as well where nobody knows. */
static bool from_package(const struct vet *v, const char *path)
{
	const struct vet_file *f = vet_find(v, path);

	return f && packages_known(v) && vet_owner(v, f->path);
}

/* ---- the dynamic loader ---- */

static void look_preload(struct vet *v, const struct vet_file *f, char *line)
{
	for (char *save = NULL, *lib = strtok_r(line, " \t:", &save); lib; lib = strtok_r(NULL, " \t:", &save))
		vet_add(v, "files", "V6-preload", from_package(v, lib) ? VET_MEDIUM : VET_CRITICAL, f, NULL,
			"Every program of the container loads it before its own code, set-uid ones too; rootkits live there.",
			"%.200s is loaded into every program", lib);
}

static void look_conf(struct vet *v, const struct vet_file *f, char *line)
{
	const char *why;

	if (strncmp(line, "include", 7) == 0 || strncmp(line, "hwcap", 5) == 0)
		return;
	line[strcspn(line, "=")] = 0; /* an old libc type may follow */
	if (line[0] != '/')
		vet_add(v, "files", "V6-library-folder", VET_MEDIUM, f, NULL, "Libraries come from wherever a program is started.",
			"libraries are looked for in \"%.200s\"", line);
	else if (files_writable(v, line, &why))
		vet_add(v, "files", "V6-library-folder", VET_HIGH, f, NULL, "Whoever can write there puts code into every program.",
			"libraries are looked for in %.200s: %s", line, why);
}

/* ---- the environment ---- */

static void env_libraries(struct vet *v, const char *name, const char *value)
{
	_cleanup_free_ char *copy = xstrdup(value);

	for (char *save = NULL, *lib = strtok_r(copy, " :", &save); lib; lib = strtok_r(NULL, " :", &save))
		vet_add(v, "files", "V6-preload", from_package(v, lib) || !strchr(lib, '/') ? VET_MEDIUM : VET_HIGH, vet_find(v, lib), NULL,
			"Every program of the container loads it before its own code.", "the environment's %s loads %.200s into every program",
			name, lib);
}

/* A list of folders in which code is looked for. Those behind the system's own do not matter. */
static void env_folders(struct vet *v, const char *name, const char *value, enum vet_level level)
{
	static const char *const system[] = { "/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/local/sbin" };
	const char *p = value, *why;
	bool first = true;

	for (;; p++) {
		size_t n = strcspn(p, ":");
		_cleanup_free_ char *dir = xstrndup(p, n);

		if (dir[0] != '/' && !(streq(name, "PATH") && dir[0] == '~'))
			vet_add(v, "files", "V6-path", level, NULL, NULL, "What runs depends on the folder that one happens to be in.",
				"the environment's %s has the relative folder \"%.100s\"", name, dir);
		else if (dir[0] == '/' && files_writable(v, dir, &why) && (strstr(why, "everybody") || first))
			vet_add(v, "files", "V6-path", strstr(why, "everybody") ? level : VET_LOW, vet_find(v, dir), NULL,
				"Whoever can write there decides what a command is.", "the environment's %s has %.200s%s: %s", name, dir,
				first ? " before the system's folders" : "", why);
		for (size_t i = 0; i < ARRAY_SIZE(system); i++)
			first &= !streq(dir, system[i]);
		p += n;
		if (!*p)
			return;
	}
}

/* Variables by which shells and languages run code before the program's own. */
static void env_hook(struct vet *v, const char *name, const char *value)
{
	static const struct {
		const char *name, *with; /* `with`: only when the value has it */
	} hooks[] = {
		{ "BASH_ENV", NULL }, { "PROMPT_COMMAND", NULL }, { "PERL5OPT", "-M" }, { "PERL5DB", NULL }, { "RUBYOPT", "-r" },
		{ "PYTHONSTARTUP", NULL }, { "NODE_OPTIONS", "-r" }, { "JAVA_TOOL_OPTIONS", "agent" }, { "JDK_JAVA_OPTIONS", "agent" },
		{ "GCONV_PATH", NULL }, { "GIT_SSH_COMMAND", NULL }, { "GIT_EXTERNAL_DIFF", NULL }, { "LD_AUDIT", NULL },
		{ "PYTHONWARNINGS", "antigravity" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		if (streq(hooks[i].name, name) && (!hooks[i].with || strstr(value, hooks[i].with)))
			vet_add(v, "files", "V6-environment-hook", streq(name, "LD_AUDIT") ? VET_HIGH : VET_MEDIUM, NULL, NULL,
				"Code runs in programs that did not ask for it.", "the environment's %s runs code: %.200s", name, value);
}

static void look_environment(struct vet *v)
{
	const json_t *env = json_object_get(json_object_get(v->config, "config"), "Env"), *value;
	size_t i;

	json_array_foreach(env, i, value) {
		const char *text = json_string_value(value), *eq = text ? strchr(text, '=') : NULL;
		_cleanup_free_ char *name = eq ? xstrndup(text, (size_t)(eq - text)) : NULL;

		if (!name || !eq[1])
			continue;
		if (streq(name, "LD_PRELOAD"))
			env_libraries(v, name, eq + 1);
		else if (streq(name, "LD_LIBRARY_PATH") || streq(name, "PATH"))
			env_folders(v, name, eq + 1, VET_HIGH);
		else if (streq(name, "PYTHONPATH") || streq(name, "PERL5LIB") || streq(name, "RUBYLIB"))
			env_folders(v, name, eq + 1, VET_MEDIUM);
		else
			env_hook(v, name, eq + 1);
	}
}

/* ---- PAM ---- */

/* "type control module arguments", in pam.d; control may be [value=action ...]. */
static void look_pam(struct vet *v, const struct vet_file *f, char *line)
{
	static const char *const usual[] = { "/lib/", "/usr/lib/", "/lib64/", "/usr/lib64/" };
	char *p = line + strcspn(line, " \t"), *control, *module, *arguments;
	bool placed = false;

	if (!*p || line[0] == '@')
		return;
	*p++ = 0;
	control = p + strspn(p, " \t");
	p = *control == '[' ? control + strcspn(control, "]") : control + strcspn(control, " \t");
	if (!*p)
		return;
	if (*p == ']')
		p++;
	if (*p)
		*p++ = 0;
	module = p + strspn(p, " \t");
	arguments = module + strcspn(module, " \t");
	if (*arguments)
		*arguments++ = 0;
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		placed |= strncmp(module, usual[i], strlen(usual[i])) == 0 && !strstr(module, "..");
	if (strchr(module, '/') && !placed)
		vet_add(v, "files", "V6-pam", VET_HIGH, f, NULL, "It sees every password, and decides who gets in.",
			"PAM loads a module from an odd place: %.200s", module);
	if (str_ends(module, "pam_exec.so"))
		vet_add(v, "files", "V6-pam", VET_HIGH, f, NULL, "It runs at every login, with the password if it wants to.",
			"PAM runs a program: %.200s", arguments);
	if (str_ends(module, "pam_permit.so") && streq(control, "sufficient") && strstr(line, "auth"))
		vet_add(v, "files", "V6-pam", VET_CRITICAL, f, NULL, "Whoever asks gets in.", "PAM lets everybody in without a password");
}

/* Modules of PAM and NSS that no package brought. */
static void look_modules(struct vet *v)
{
	for (size_t i = 0; i < v->n_merged; i++) {
		const struct vet_file *f = v->merged[i];
		const char *slash = strrchr(f->path, '/'), *name = slash ? slash + 1 : f->path;
		bool pam = strncmp(name, "pam_", 4) == 0 && str_ends(name, ".so"), nss = strncmp(name, "libnss_", 7) == 0;

		if (f->inode->type != 'f' || (!pam && !nss) || !packages_known(v) || vet_owner(v, f->path))
			continue;
		vet_add(v, "files", pam ? "V6-pam" : "V6-nss", VET_HIGH, f, NULL, pam ? "It can see every password and let anybody in." :
			"It is loaded into every program that looks up a user or a host.", "a module of %s that no package owns",
			pam ? "PAM" : "NSS");
	}
}

/* ---- NSS ---- */

static void look_nsswitch(struct vet *v, const struct vet_file *f, char *line)
{
	static const char *const known[] = { "files", "compat", "dns", "db", "nis", "nisplus", "hesiod", "systemd", "mymachines", "myhostname",
					     "resolve", "sss", "ldap", "winbind", "wins", "mdns", "mdns4", "mdns6", "mdns_minimal",
					     "mdns4_minimal", "mdns6_minimal", "altfiles", "extrausers", "cache", "libvirt", "libvirt_guest",
					     "usrfiles", "gw_name" };
	char *colon = strchr(line, ':');

	if (!colon)
		return;
	for (char *save = NULL, *word = strtok_r(colon + 1, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
		bool usual = word[0] == '[' || word[0] == '!' || strchr(word, ']') || strchr(word, '=');

		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			usual |= streq(word, known[i]);
		if (!usual)
			vet_add(v, "files", "V6-nss", VET_HIGH, f, NULL, "Its library is loaded into every program that looks up a user or a host.",
				"lookups go through the unusual service \"%.60s\"", word);
	}
}

/* ---- Python ---- */

/* A line "import ..." of a .pth file is run at each start of Python. Tools for installing leave their own. */
static void look_pth(struct vet *v, const struct vet_file *f, char *line)
{
	if (strncmp(line, "import ", 7) != 0 && strncmp(line, "import\t", 7) != 0)
		return;
	if (strstr(f->path, "distutils-precedence.pth") || strstr(f->path, "__editable__") || strstr(f->path, "easy-install.pth") ||
	    strstr(f->path, "matplotlib") || strstr(f->path, "virtualenv") || strstr(f->path, "zope") || strstr(f->path, "-nspkg.pth") ||
	    (packages_known(v) && vet_owner(v, f->path)))
		return;
	vet_add(v, "files", "V6-python-start", strstr(line, "exec(") || strstr(line, "base64") || strstr(line, "subprocess") ? VET_HIGH : VET_MEDIUM,
		f, NULL, "It runs at every start of Python.", "Python runs a line of a .pth file: %.100s", line);
}

static void look_python(struct vet *v)
{
	for (size_t i = 0; i < v->n_merged; i++) {
		const struct vet_file *f = v->merged[i];
		const char *slash = strrchr(f->path, '/'), *name = slash ? slash + 1 : f->path;

		if (f->inode->type != 'f')
			continue;
		if (str_ends(name, ".pth"))
			each_line(v, f, look_pth);
		else if ((streq(name, "sitecustomize.py") || streq(name, "usercustomize.py")) && packages_known(v) && !vet_owner(v, f->path))
			vet_add(v, "files", "V6-python-start", VET_MEDIUM, f, NULL, "It runs at every start of Python.",
				"Python runs a file at its start that no package owns");
	}
}

void files_look_loader(struct vet *v)
{
	each_line(v, vet_find(v, "etc/ld.so.preload"), look_preload);
	each_line(v, vet_find(v, "etc/ld.so.conf"), look_conf);
	each_below(v, "etc/ld.so.conf.d", look_conf);
	look_environment(v);
	each_below(v, "etc/pam.d", look_pam);
	look_modules(v);
	each_line(v, vet_find(v, "etc/nsswitch.conf"), look_nsswitch);
	look_python(v);
}
