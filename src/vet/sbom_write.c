/* SPDX-License-Identifier: Apache-2.0 */
/* The inventory as SPDX 2.3 and CycloneDX 1.6, valid against their schemas. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "vet/packages.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <string.h>

static const char *text(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

static void put(json_t *o, const char *key, const char *s)
{
	if (s && *s)
		json_object_set_new(o, key, json_string(s));
}

/* ---- licences ---- */

/* The identifiers of SPDX's list that packages use most; all of them are in its version 3.20 and later. */
static const char *const licenses[] = { "0BSD", "AFL-2.1", "AFL-3.0", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-1.1", "Apache-2.0",
	"Artistic-1.0", "Artistic-1.0-Perl", "Artistic-2.0", "BSD-1-Clause", "BSD-2-Clause", "BSD-2-Clause-Patent", "BSD-3-Clause",
	"BSD-3-Clause-Clear", "BSD-4-Clause", "BSL-1.0", "bzip2-1.0.6", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC0-1.0",
	"CDDL-1.0", "CDDL-1.1", "CPL-1.0", "curl", "ECL-2.0", "EPL-1.0", "EPL-2.0", "EUPL-1.2", "FSFAP", "FTL", "GFDL-1.3-only",
	"GFDL-1.3-or-later", "GPL-1.0-only", "GPL-1.0-or-later", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later",
	"HPND", "ICU", "IJG", "ISC", "JSON", "LGPL-2.0-only", "LGPL-2.0-or-later", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only",
	"LGPL-3.0-or-later", "Libpng", "MIT", "MIT-0", "MPL-1.1", "MPL-2.0", "MS-PL", "NCSA", "OFL-1.1", "OLDAP-2.8", "OpenSSL", "PHP-3.01",
	"PostgreSQL", "PSF-2.0", "Python-2.0", "Ruby", "Sleepycat", "TCL", "Unicode-DFS-2016", "Unlicense", "UPL-1.0", "Vim", "W3C", "WTFPL",
	"X11", "Zlib", "zlib-acknowledgement", "ZPL-2.1" };
static const char *const exceptions[] = { "Autoconf-exception-3.0", "Bison-exception-2.2", "Classpath-exception-2.0",
	"GCC-exception-3.1", "Linux-syscall-note", "LLVM-exception" };

bool sbom_license_id(const char *s)
{
	for (size_t i = 0; s && i < ARRAY_SIZE(licenses); i++)
		if (streq(licenses[i], s))
			return true;
	return false;
}

static bool known_word(const char *word, bool exception)
{
	if (!exception)
		return sbom_license_id(word);
	for (size_t i = 0; i < ARRAY_SIZE(exceptions); i++)
		if (streq(exceptions[i], word))
			return true;
	return false;
}

/* A flat expression: identifiers joined by AND and OR, each perhaps WITH an exception. Parentheses make it a text. */
bool sbom_license_known(const char *s)
{
	_cleanup_strv_ char **words = s && *s ? strv_split(s, ' ') : NULL;
	bool want_id = true, exception = false;

	strv_foreach(word, words) {
		if (want_id) {
			if (!known_word(*word, exception))
				return false;
			want_id = false;
			continue;
		}
		if (!streq(*word, "AND") && !streq(*word, "OR") && (!streq(*word, "WITH") || exception))
			return false;
		exception = streq(*word, "WITH");
		want_id = true;
	}
	return words && !want_id;
}

/* ---- identity ---- */

void sbom_uuid(const struct sbom_subject *s, char out[static 37])
{
	_cleanup_free_ char *packages = s->packages ? json_dumps(s->packages, JSON_COMPACT) : NULL;
	_cleanup_free_ char *all = xasprintf("%s\n%s\n%llu\n%s", s->name, s->digest ? s->digest : "", (unsigned long long)s->created,
					     packages ? packages : "");
	unsigned char d[EVP_MAX_MD_SIZE] = { 0 };

	/* RFC 9562, version 8: bits of our own making. */
	EVP_Digest(all, strlen(all), d, NULL, EVP_sha256(), NULL);
	d[6] = (unsigned char)((d[6] & 0x0f) | 0x80);
	d[8] = (unsigned char)((d[8] & 0x3f) | 0x80);
	snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", d[0], d[1], d[2], d[3], d[4], d[5], d[6],
		d[7], d[8], d[9], d[10], d[11], d[12], d[13], d[14], d[15]);
}

/* Seconds, as SPDX wants it. */
static void put_time(json_t *o, const char *key, uint64_t ns)
{
	char full[40];

	clock_format(ns, full);
	full[19] = 'Z';
	full[20] = '\0';
	json_object_set_new(o, key, json_string(full));
}

/* ---- SPDX ---- */

/* Letters, digits, dots and dashes. */
static char *spdx_id(const char *kind, const char *name, size_t n)
{
	char *id = xasprintf("SPDXRef-%s-%.100s-%zu", kind, name, n);

	for (char *c = id; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '.' && *c != '-')
			*c = '-';
	return id;
}

/* Licences whose text is not an expression are named in the document itself. */
static char *spdx_license(json_t *extracted, const char *license)
{
	const json_t *item;
	char *ref;
	size_t i;

	if (!license || !*license)
		return xstrdup("NOASSERTION");
	if (sbom_license_known(license))
		return xstrdup(license);
	json_array_foreach(extracted, i, item)
		if (streq(text(item, "extractedText"), license))
			return xstrdup(text(item, "licenseId"));
	ref = xasprintf("LicenseRef-%zu", json_array_size(extracted) + 1);
	json_array_append_new(extracted, json_pack("{s:s, s:s, s:s}", "licenseId", ref, "extractedText", license, "name", license));
	return ref;
}

/* "Person: Name (mail)" of "Name <mail>"; vendors are organizations. */
static char *spdx_supplier(const char *maintainer)
{
	const char *open = maintainer ? strrchr(maintainer, '<') : NULL;
	size_t name = open ? (size_t)(open - maintainer) : 0, mail = open ? strcspn(open + 1, ">") : 0;

	if (!maintainer)
		return xstrdup("NOASSERTION");
	while (name > 0 && maintainer[name - 1] == ' ')
		name--;
	if (!open || name == 0)
		return xasprintf("Organization: %s", maintainer);
	return xasprintf("Person: %.*s (%.*s)", (int)name, maintainer, (int)mail, open + 1);
}

static json_t *spdx_package(const json_t *from, size_t n, json_t *extracted, char **id)
{
	_cleanup_free_ char *license = spdx_license(extracted, text(from, "license")), *supplier = spdx_supplier(text(from, "maintainer"));
	const json_t *source = json_object_get(from, "source");
	json_t *o = json_object();

	*id = spdx_id(text(from, "type") ? text(from, "type") : "x", text(from, "name") ? text(from, "name") : "x", n);
	put(o, "name", text(from, "name"));
	put(o, "SPDXID", *id);
	put(o, "versionInfo", text(from, "version"));
	put(o, "supplier", supplier);
	put(o, "downloadLocation", "NOASSERTION");
	json_object_set_new(o, "filesAnalyzed", json_false());
	if (text(source, "name")) {
		_cleanup_free_ char *info = xasprintf("built package from: %s %s", text(source, "name"),
						      text(source, "version") ? text(source, "version") : "");

		put(o, "sourceInfo", info);
	}
	put(o, "licenseConcluded", "NOASSERTION");
	put(o, "licenseDeclared", license);
	put(o, "copyrightText", "NOASSERTION");
	put(o, "primaryPackagePurpose", "LIBRARY");
	if (text(from, "purl"))
		json_object_set_new(o, "externalRefs", json_pack("[{s:s, s:s, s:s}]", "referenceCategory", "PACKAGE-MANAGER", "referenceType",
								 "purl", "referenceLocator", text(from, "purl")));
	return o;
}

static json_t *relation(const char *from, const char *type, const char *to)
{
	return json_pack("{s:s, s:s, s:s}", "spdxElementId", from, "relationshipType", type, "relatedSpdxElement", to);
}

json_t *sbom_spdx(const struct sbom_subject *s)
{
	json_t *doc = json_object(), *creation = json_object(), *packages = json_array(), *relations = json_array(), *extracted = json_array();
	json_t *image = json_object();
	_cleanup_free_ char *space = NULL;
	const json_t *from;
	char uuid[37];
	size_t i;

	sbom_uuid(s, uuid);
	space = xasprintf("https://spdx.org/spdxdocs/brig-%s", uuid);
	put(doc, "spdxVersion", "SPDX-2.3");
	put(doc, "dataLicense", "CC0-1.0");
	put(doc, "SPDXID", "SPDXRef-DOCUMENT");
	put(doc, "name", s->name);
	put(doc, "documentNamespace", space);
	put_time(creation, "created", s->created);
	json_object_set_new(creation, "creators", json_pack("[s, s]", "Organization: brig", "Tool: brig-" BRIG_VERSION));
	json_object_set_new(doc, "creationInfo", creation);
	put(image, "name", s->name);
	put(image, "SPDXID", "SPDXRef-Image");
	if (s->digest) {
		_cleanup_free_ char *digest = xasprintf("sha256:%s", s->digest);

		put(image, "versionInfo", digest);
	}
	put(image, "downloadLocation", "NOASSERTION");
	json_object_set_new(image, "filesAnalyzed", json_false());
	put(image, "licenseConcluded", "NOASSERTION");
	put(image, "licenseDeclared", "NOASSERTION");
	put(image, "copyrightText", "NOASSERTION");
	put(image, "primaryPackagePurpose", "CONTAINER");
	json_array_append_new(packages, image);
	json_array_append_new(relations, relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Image"));
	json_array_foreach(s->packages, i, from) {
		_cleanup_free_ char *id = NULL;

		json_array_append_new(packages, spdx_package(from, i + 1, extracted, &id));
		json_array_append_new(relations, relation("SPDXRef-Image", "CONTAINS", id));
	}
	json_object_set_new(doc, "packages", packages);
	json_object_set_new(doc, "relationships", relations);
	if (json_array_size(extracted))
		json_object_set_new(doc, "hasExtractedLicensingInfos", extracted);
	else
		json_decref(extracted);
	return doc;
}

/* ---- CycloneDX ---- */

static json_t *cyclonedx_license(const char *license)
{
	if (sbom_license_id(license))
		return json_pack("[{s:{s:s}}]", "license", "id", license);
	if (sbom_license_known(license))
		return json_pack("[{s:s}]", "expression", license);
	return json_pack("[{s:{s:s}}]", "license", "name", license);
}

static void property(json_t *list, const char *name, const char *value)
{
	if (value && *value)
		json_array_append_new(list, json_pack("{s:s, s:s}", "name", name, "value", value));
}

static json_t *cyclonedx_component(const json_t *from, size_t n)
{
	const json_t *source = json_object_get(from, "source");
	_cleanup_free_ char *ref = xasprintf("package-%zu", n), *layer = NULL;
	json_t *o = json_object(), *properties = json_array();

	put(o, "type", "library");
	put(o, "bom-ref", ref);
	if (text(from, "maintainer"))
		json_object_set_new(o, "supplier", json_pack("{s:s}", "name", text(from, "maintainer")));
	put(o, "name", text(from, "name"));
	put(o, "version", text(from, "version"));
	if (text(from, "license"))
		json_object_set_new(o, "licenses", cyclonedx_license(text(from, "license")));
	put(o, "purl", text(from, "purl"));
	if (json_is_integer(json_object_get(from, "layer")))
		layer = xasprintf("%lld", (long long)json_integer_value(json_object_get(from, "layer")));
	property(properties, "brig:path", text(from, "path"));
	property(properties, "brig:layer", layer);
	property(properties, "brig:source", text(source, "name"));
	property(properties, "brig:sourceVersion", text(source, "version"));
	if (json_array_size(properties))
		json_object_set_new(o, "properties", properties);
	else
		json_decref(properties);
	return o;
}

json_t *sbom_cyclonedx(const struct sbom_subject *s)
{
	json_t *doc = json_object(), *meta = json_object(), *image = json_object(), *components = json_array();
	const json_t *from, *distro = NULL;
	_cleanup_free_ char *serial = NULL;
	char uuid[37];
	size_t i;

	sbom_uuid(s, uuid);
	serial = xasprintf("urn:uuid:%s", uuid);
	put(doc, "$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json");
	put(doc, "bomFormat", "CycloneDX");
	put(doc, "specVersion", "1.6");
	put(doc, "serialNumber", serial);
	json_object_set_new(doc, "version", json_integer(1));
	put_time(meta, "timestamp", s->created);
	json_object_set_new(meta, "tools",
		json_pack("{s:[{s:s, s:s, s:s}]}", "components", "type", "application", "name", "brig", "version", BRIG_VERSION));
	put(image, "type", "container");
	put(image, "bom-ref", "image");
	put(image, "name", s->name);
	if (s->digest) {
		_cleanup_free_ char *digest = xasprintf("sha256:%s", s->digest);

		put(image, "version", digest);
	}
	json_object_set_new(meta, "component", image);
	json_object_set_new(doc, "metadata", meta);
	json_array_foreach(s->packages, i, from) {
		if (!distro)
			distro = json_object_get(from, "distro");
		json_array_append_new(components, cyclonedx_component(from, i + 1));
	}
	if (text(distro, "id")) {
		json_t *system = json_pack("{s:s, s:s, s:s}", "type", "operating-system", "bom-ref", "system", "name", text(distro, "id"));

		put(system, "version", text(distro, "version"));
		json_array_append_new(components, system);
	}
	json_object_set_new(doc, "components", components);
	return doc;
}
