/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bills of materials: SPDX 2.2 and 2.3 (spdx.github.io/spdx-spec/v2.3, JSON schema) and CycloneDX (ECMA-424). What can be looked up is what
 * has a package URL; the rest is counted, not dropped in silence.
 */
#include "base/cleanup.h"
#include "vet/packages.h"

#include <ctype.h>
#include <string.h>

enum { DEPTH_MAX = 20 };

static const char *text(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

/* The names of releases that package URLs tell by number. */
static void complete_distro(struct distro *d)
{
	static const struct {
		const char *id, *version, *codename;
	} known[] = {
		{ "debian", "9", "stretch" }, { "debian", "10", "buster" }, { "debian", "11", "bullseye" }, { "debian", "12", "bookworm" },
		{ "debian", "13", "trixie" }, { "debian", "14", "forky" }, { "ubuntu", "16.04", "xenial" }, { "ubuntu", "18.04", "bionic" },
		{ "ubuntu", "20.04", "focal" }, { "ubuntu", "22.04", "jammy" }, { "ubuntu", "24.04", "noble" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		size_t n = strlen(known[i].version);
		bool number = strncmp(d->version, known[i].version, n) == 0 && (d->version[n] == '\0' || d->version[n] == '.');

		if (!streq(d->id, known[i].id) || (!number && !streq(d->version, known[i].codename)))
			continue;
		snprintf(d->codename, sizeof(d->codename), "%s", known[i].codename);
		if (!number)
			snprintf(d->version, sizeof(d->version), "%s", known[i].version);
		return;
	}
}

struct reader {
	struct sbom *out;
	struct distro whole; /* of the document */
};

/* An entry with its package URL and what else it says of its source. */
static void add_package(struct reader *r, const char *purl, const char *license, const char *source, const char *source_version)
{
	_cleanup_pkgs_ struct pkgs set = { 0 };
	struct pkg *pkg = pkgs_add(&set, PKG_DEB, "");
	struct distro d = { 0 };

	if (!purl || pkg_from_purl(&set, pkg, &d, purl) < 0) {
		r->out->skipped++;
		return;
	}
	if (d.version[0] == '\0' && (d.id[0] == '\0' || streq(d.id, r->whole.id)))
		d = r->whole;
	complete_distro(&d);
	pkg->license = license;
	pkg->path = NULL;
	if (!pkg->source && pkg->type <= PKG_APK) {
		pkg->source = source ? source : pkg->name;
		pkg->source_version = source_version ? source_version : pkg->version;
	}
	json_array_append_new(r->out->packages, pkg_json(pkg, &d));
}

/* ---- SPDX ---- */

static const char *spdx_purl(const json_t *package)
{
	const json_t *ref;
	size_t i;

	json_array_foreach(json_object_get(package, "externalRefs"), i, ref)
		if (streq(text(ref, "referenceType"), "purl"))
			return text(ref, "referenceLocator");
	return NULL;
}

/* Containers, systems and whole files of sources are what the bill is about, or hold the rest. */
static bool spdx_is_part(const json_t *package, const char *purl)
{
	static const char *const wholes[] = { "CONTAINER", "OPERATING-SYSTEM", "OPERATING_SYSTEM", "FILE", "ARCHIVE", "SOURCE" };
	const char *purpose = text(package, "primaryPackagePurpose");

	if (purl && (str_after(purl, "pkg:oci/") || str_after(purl, "pkg:docker/")))
		return false;
	for (size_t i = 0; purpose && i < ARRAY_SIZE(wholes); i++)
		if (streq(purpose, wholes[i]))
			return false;
	return true;
}

/* "built package from: glibc 2.36-9", as trivy writes it. */
static const char *spdx_source(const json_t *package, char **version, char **name)
{
	const char *info = text(package, "sourceInfo"), *rest = info ? str_after(info, "built package from: ") : NULL, *blank;

	blank = rest ? strrchr(rest, ' ') : NULL;
	if (!blank)
		return NULL;
	*name = xstrndup(rest, (size_t)(blank - rest));
	*version = xstrdup(blank + 1);
	return *name;
}

static int read_spdx(struct reader *r, const json_t *doc, struct error *e)
{
	const json_t *packages = json_object_get(doc, "packages"), *package;
	size_t i;

	if (packages && !json_is_array(packages))
		return error_set(e, EBADMSG, "packages: not a list");
	json_array_foreach(packages, i, package)
		if (streq(text(package, "primaryPackagePurpose"), "OPERATING-SYSTEM") && text(package, "name")) {
			snprintf(r->whole.id, sizeof(r->whole.id), "%s", text(package, "name"));
			snprintf(r->whole.version, sizeof(r->whole.version), "%s", text(package, "versionInfo") ? text(package, "versionInfo") : "");
		}
	json_array_foreach(packages, i, package) {
		_cleanup_free_ char *version = NULL, *name = NULL;
		const char *purl = spdx_purl(package), *license = text(package, "licenseDeclared");

		if (!json_is_object(package))
			return error_set(e, EBADMSG, "packages[%zu]: not an object", i);
		if (!text(package, "name"))
			return error_set(e, EBADMSG, "packages[%zu]: no name", i);
		if (!spdx_is_part(package, purl))
			continue;
		spdx_source(package, &version, &name);
		add_package(r, purl, streq(license, "NOASSERTION") || streq(license, "NONE") ? NULL : license, name, version);
	}
	return 0;
}

/* ---- CycloneDX ---- */

static const char *cyclonedx_property(const json_t *component, const char *name)
{
	const json_t *property;
	size_t i;

	json_array_foreach(json_object_get(component, "properties"), i, property)
		if (streq(text(property, "name"), name))
			return text(property, "value");
	return NULL;
}

static const char *cyclonedx_license(const json_t *component)
{
	const json_t *first = json_array_get(json_object_get(component, "licenses"), 0), *license = json_object_get(first, "license");
	const char *s = text(first, "expression");

	if (!s)
		s = text(license, "id");
	return s ? s : text(license, "name");
}

static void find_system(struct reader *r, const json_t *components)
{
	const json_t *component;
	size_t i;

	json_array_foreach(components, i, component)
		if (streq(text(component, "type"), "operating-system") && text(component, "name")) {
			snprintf(r->whole.id, sizeof(r->whole.id), "%s", text(component, "name"));
			snprintf(r->whole.version, sizeof(r->whole.version), "%s", text(component, "version") ? text(component, "version") : "");
		}
}

static int read_components(struct reader *r, const json_t *components, int depth, struct error *e)
{
	const json_t *component;
	size_t i;
	int ret = 0;

	if (components && !json_is_array(components))
		return error_set(e, EBADMSG, "components: not a list");
	if (depth > DEPTH_MAX)
		return error_set(e, EBADMSG, "components in components beyond %d levels", DEPTH_MAX);
	json_array_foreach(components, i, component) {
		const char *type = text(component, "type"), *source = cyclonedx_property(component, "aquasecurity:trivy:SrcName");

		if (!json_is_object(component))
			return error_set(e, EBADMSG, "components[%zu]: not an object", i);
		if (!text(component, "name"))
			return error_set(e, EBADMSG, "components[%zu]: no name", i);
		if (!streq(type, "operating-system") && !streq(type, "container") && !streq(type, "file"))
			add_package(r, text(component, "purl"), cyclonedx_license(component),
				source ? source : cyclonedx_property(component, "syft:metadata:source"),
				cyclonedx_property(component, source ? "aquasecurity:trivy:SrcVersion" : "syft:metadata:sourceVersion"));
		ret = read_components(r, json_object_get(component, "components"), depth + 1, e);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* ---- either ---- */

int sbom_read(const json_t *doc, struct sbom *out, struct error *e)
{
	const char *spdx = text(doc, "spdxVersion"), *cyclonedx = text(doc, "bomFormat"), *version = text(doc, "specVersion");
	struct reader r = { .out = out };
	int ret;

	*out = (struct sbom){ .packages = json_array() };
	if (spdx && (streq(spdx, "SPDX-2.2") || streq(spdx, "SPDX-2.3"))) {
		out->format = spdx;
		out->name = text(doc, "name");
		ret = read_spdx(&r, doc, e);
	} else if (streq(cyclonedx, "CycloneDX") && version && str_after(version, "1.") && strlen(version) == 3 && version[2] >= '2' &&
		   version[2] <= '7') {
		out->format = "CycloneDX";
		out->name = text(json_object_get(json_object_get(doc, "metadata"), "component"), "name");
		find_system(&r, json_object_get(doc, "components"));
		ret = read_components(&r, json_object_get(doc, "components"), 0, e);
	} else if (spdx || cyclonedx) {
		ret = error_set(e, ENOTSUP, "%.40s %.20s is a version that brig does not read: SPDX 2.2 and 2.3, CycloneDX 1.2 to 1.7",
			spdx ? spdx : cyclonedx, spdx || !version ? "" : version);
	} else {
		ret = error_set(e, EBADMSG, "neither SPDX nor CycloneDX");
	}
	if (ret < 0) {
		json_decref(out->packages);
		out->packages = NULL;
		return error_wrap(e, "bill of materials");
	}
	return 0;
}
