/* SPDX-License-Identifier: Apache-2.0 */
/* Databases of dpkg and apk, what language tools leave, package URLs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "vet/packages.h"

#include <elf.h>
#include <string.h>
#include <zlib.h>

static const struct pkg_file *file_of(const struct pkg *pkg, const char *path)
{
	for (size_t i = 0; i < pkg->n_files; i++)
		if (streq(pkg->files[i].path, path))
			return &pkg->files[i];
	fail_msg("%s has no file %s", pkg->name, path);
	return NULL;
}

static void assert_digest(const struct pkg_file *f, enum pkg_hash hash, const char *hex)
{
	char text[129];

	hex_encode(f->digest, f->digest_len, text);
	assert_int_equal(f->hash, hash);
	assert_string_equal(text, hex);
}

static void assert_purl(const struct pkg *pkg, const struct distro *d, const char *want)
{
	_cleanup_free_ char *purl = pkg_purl(pkg, d);

	assert_string_equal(purl, want);
}

/* ---- dpkg ---- */

static const char status[] =
	"Package: libc6\nStatus: install ok installed\nMaintainer: GNU Libc <debian-glibc@lists.debian.org>\n"
	"Installed-Size: 12986\nArchitecture: amd64\nMulti-Arch: same\nSource: glibc (2.36-9)\nVersion: 2.36-9+deb12u14\n"
	"Conffiles:\n /etc/ld.so.conf.d/x86_64-linux-gnu.conf d4e7a7b88a71b5ffd9e2644e71a0cfab\n"
	" /etc/old thing.conf 2b6e4b9c0c5f4f0e9d3a7e2f1b0c9d8e obsolete\n"
	"Description: GNU C Library\n Package: not-a-field\n .\n more\n"
	"\n\n"
	"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nConffiles:\n /etc/gone 2b6e4b9c0c5f4f0e9d3a7e2f1b0c9d8e\n"
	"\n"
	"Package: half\nStatus: install ok half-configured\nVersion: 1:2~rc1-3\nArchitecture: all\n";

static void dpkg_status(void **state)
{
	_cleanup_pkgs_ struct pkgs p = { 0 };
	const struct distro d = { "debian", "12", "bookworm" };
	const struct pkg_file *f;

	(void)state;
	dpkg_parse_status(&p, "var/lib/dpkg/status", status, sizeof(status) - 1);
	assert_int_equal(p.n_faults, 0);
	assert_int_equal(p.n, 2);
	assert_string_equal(p.list[0].name, "libc6");
	assert_string_equal(p.list[0].version, "2.36-9+deb12u14");
	assert_string_equal(p.list[0].source, "glibc");
	assert_string_equal(p.list[0].source_version, "2.36-9");
	assert_int_equal(p.list[0].installed_kib, 12986);
	assert_true(p.list[0].foreign);
	assert_int_equal(p.list[0].n_files, 2);
	f = file_of(&p.list[0], "etc/ld.so.conf.d/x86_64-linux-gnu.conf");
	assert_digest(f, PKG_HASH_MD5, "d4e7a7b88a71b5ffd9e2644e71a0cfab");
	assert_int_equal(f->flags, PKG_FILE_CONF);
	assert_int_equal(file_of(&p.list[0], "etc/old thing.conf")->flags, PKG_FILE_CONF | PKG_FILE_OBSOLETE);
	assert_purl(&p.list[0], &d, "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64&distro=debian-12&upstream=glibc%402.36-9");
	assert_string_equal(p.list[1].source, "half");
	assert_string_equal(p.list[1].source_version, "1:2~rc1-3");
	assert_purl(&p.list[1], NULL, "pkg:deb/debian/half@1:2~rc1-3?arch=all");
}

static void dpkg_files(void **state)
{
	_cleanup_pkgs_ struct pkgs p = { 0 };
	static const char list[] = "/.\n/bin\n/bin/cat\n/etc\n/etc/x.conf\n";
	static const char sums[] = "0cc175b9c0f1b6a831c399e269772661  bin/cat\n92eb5ffee6ae2fec3ad71c777531578f  usr/share/a b\n";
	static const char st[] = "Package: a\nVersion: 1\nConffiles:\n /etc/x.conf newconffile\n";
	struct pkg *a;

	(void)state;
	dpkg_parse_status(&p, "s", st, sizeof(st) - 1);
	assert_int_equal(p.n, 1);
	a = &p.list[0];
	dpkg_parse_list(&p, a, "l", list, sizeof(list) - 1);
	dpkg_parse_md5sums(&p, a, "m", sums, sizeof(sums) - 1);
	dpkg_join_files(a);
	assert_int_equal(p.n_faults, 0);
	assert_int_equal(a->n_files, 5);
	assert_digest(file_of(a, "bin/cat"), PKG_HASH_MD5, "0cc175b9c0f1b6a831c399e269772661");
	assert_digest(file_of(a, "usr/share/a b"), PKG_HASH_MD5, "92eb5ffee6ae2fec3ad71c777531578f");
	assert_int_equal(file_of(a, "etc/x.conf")->flags, PKG_FILE_CONF);
	assert_int_equal(file_of(a, "bin")->hash, PKG_HASH_NONE);
}

/* Each damage is told, and what is whole beside it is kept. */
static void dpkg_damaged(void **state)
{
	static const char *const bad[] = {
		"Version: 1\n\nPackage: b\nVersion: 2\n", "Package: a\n\nPackage: b\nVersion: 2\n", "no field\nPackage: b\nVersion: 2\n",
		"Package: b\nVersion: 2\nConffiles:\n /etc/x zz\n", "Package: b\nVersion: 2\nConffiles:\n x 0cc175b9c0f1b6a831c399e269772661\n",
		"Package: b\nVersion: 2\nConffiles:\n /x\n", "Package: b\nVersion: 2\nInstalled-Size: -4\n",
		"Package: b\nVersion: 2\nStatus: install\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_pkgs_ struct pkgs p = { 0 };

		dpkg_parse_status(&p, "s", bad[i], strlen(bad[i]));
		assert_int_equal(p.n_faults, 1);
		assert_true(p.n >= 1);
		assert_string_equal(p.list[p.n - 1].name, "b");
	}
}

static void dpkg_diverted(void **state)
{
	static const char div[] = "/bin/sh\n/bin/sh.distrib\ndash\n/usr/bin/x\n/usr/bin/x.real\n:\n";
	static const char over[] = "root mail 2755 /usr/bin/mail tool\nroot root 9999 /x\n";
	_cleanup_pkgs_ struct pkgs p = { 0 };
	size_t n;
	_cleanup_free_ struct dpkg_diversion *d = dpkg_parse_diversions(&p, "d", div, sizeof(div) - 1, &n);

	(void)state;
	assert_int_equal(n, 2);
	assert_string_equal(d[0].from, "bin/sh");
	assert_string_equal(d[0].to, "bin/sh.distrib");
	assert_string_equal(d[1].by, ":");
	assert_int_equal(p.n_faults, 0);
	_cleanup_free_ struct dpkg_override *o = dpkg_parse_overrides(&p, "o", over, sizeof(over) - 1, &n);

	assert_int_equal(n, 1);
	assert_int_equal(o[0].mode, 02755);
	assert_string_equal(o[0].path, "usr/bin/mail tool");
	assert_int_equal(p.n_faults, 1);
}

/* ---- apk ---- */

static void apk(void **state)
{
	static const char db[] = "C:Q1abc=\nP:busybox\nV:1.36.1-r5\nA:x86_64\nS:500\nI:900\no:busybox-src\nL:GPL-2.0-only\nm:A <a@b>\n"
				 "F:bin\nR:busybox\na:0:0:755\nZ:Q1hvfkN/qlp/zhXR3cuerq6jd2Z7g=\nR:sh\na:0:0:777\nZ:Q1hvfkN/qlp/zhXR3cuerq6jd2Z7g=\n"
				 "F:tmp\nM:0:0:1777\nF:etc\nR:securetty\nZ:Q1hvfkN/qlp/zhXR3cuerq6jd2Z7g=\n"
				 "\nP:second\nV:2-r0\nA:noarch\n\n";
	static const char bad[] = "P:x\nV:1\nF:bin\nR:a/b\nZ:Q1hvfkN/qlp/zhXR3cuerq6jd2Z7g=\nR:c\na:0:0:888\nZ:Q1zz\n\nV:3\n\nnonsense\n";
	const struct distro d = { "alpine", "3.19.1", "" };
	_cleanup_pkgs_ struct pkgs p = { 0 }, q = { 0 };
	const struct pkg_file *f;

	(void)state;
	apk_parse_installed(&p, "lib/apk/db/installed", db, sizeof(db) - 1);
	assert_int_equal(p.n_faults, 0);
	assert_int_equal(p.n, 2);
	assert_string_equal(p.list[0].source, "busybox-src");
	assert_string_equal(p.list[0].license, "GPL-2.0-only");
	assert_purl(&p.list[0], &d, "pkg:apk/alpine/busybox@1.36.1-r5?arch=x86_64&distro=alpine-3.19.1");
	f = file_of(&p.list[0], "bin/busybox");
	assert_int_equal(f->mode, 0755);
	/* SHA-1 of "a". */
	assert_digest(f, PKG_HASH_SHA1, "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8");
	assert_int_equal(file_of(&p.list[0], "tmp")->mode, 01777);
	assert_true(file_of(&p.list[0], "tmp")->flags & PKG_FILE_DIR);
	assert_int_equal(file_of(&p.list[0], "etc/securetty")->mode, 0644);
	assert_int_equal(p.list[1].n_files, 0);
	/* A name with a slash, its checksum that has no file then, a mode, a checksum, a package without name, a line. */
	apk_parse_installed(&q, "i", bad, sizeof(bad) - 1);
	assert_int_equal(q.n_faults, 6);
	assert_int_equal(q.n, 1);
}

/* ---- languages ---- */

static void python(void **state)
{
	static const char meta[] = "Metadata-Version: 2.1\nName: Foo.Bar_baz\nVersion: 1.0\nLicense: MIT\nAuthor: X\n\nName: not this\n";
	static const char record[] = "foo/__init__.py,sha256=ypeBEsobvcr6wjGzmiPcTaeG7_gUfE5yuYB3ha_uSLs,1\n"
				     "../../bin/foo,sha256=ypeBEsobvcr6wjGzmiPcTaeG7_gUfE5yuYB3ha_uSLs=,1\r\n"
				     "\"foo/a,\"\"b\"\".py\",,\nfoo-1.0.dist-info/RECORD,,\n../../../../../../x,,\nfoo/c.py,sha256=!!,3\n"
				     "foo/d.py,sha256=ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb,1\n";
	_cleanup_pkgs_ struct pkgs p = { 0 };

	(void)state;
	lang_parse_python(&p, "m", meta, sizeof(meta) - 1);
	assert_int_equal(p.n, 1);
	assert_string_equal(p.list[0].name, "Foo.Bar_baz");
	assert_string_equal(p.list[0].license, "MIT");
	assert_purl(&p.list[0], NULL, "pkg:pypi/foo-bar-baz@1.0");
	lang_parse_record(&p, &p.list[0], "r", "usr/lib/python3", record, sizeof(record) - 1);
	/* SHA-256 of "a". */
	assert_digest(file_of(&p.list[0], "usr/lib/python3/foo/__init__.py"), PKG_HASH_SHA256,
		"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
	assert_int_equal(file_of(&p.list[0], "usr/bin/foo")->digest_len, 32);
	assert_int_equal(file_of(&p.list[0], "usr/lib/python3/foo/a,\"b\".py")->digest_len, 0);
	assert_digest(file_of(&p.list[0], "usr/lib/python3/foo/d.py"), PKG_HASH_SHA256,
		"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
	/* Beyond the root, and a digest that is none. */
	assert_int_equal(p.n_faults, 1);
	assert_string_equal(p.faults[0].text, "2 damaged lines");
}

static void node_and_ruby(void **state)
{
	static const char js[] = "{\"name\":\"@scope/thing\",\"version\":\"2.3.4\",\"license\":{\"type\":\"ISC\"}}";
	static const char part[] = "{\"type\":\"module\"}";
	static const char gem[] = "# -*- encoding: utf-8 -*-\n# stub: rake 13.0.6 ruby lib\n\nGem::Specification.new do |s|\n"
				  "  s.name = \"rake\".freeze\n  s.version = \"13.0.6\"\n  s.licenses = [\"MIT\".freeze]\nend\n";
	static const char old[] = "Gem::Specification.new do |spec|\n spec.name='x'\n  spec.version = Gem::Version.new(\"0.1\")\nend\n";
	_cleanup_pkgs_ struct pkgs p = { 0 };

	(void)state;
	lang_parse_node(&p, "a", js, sizeof(js) - 1);
	lang_parse_node(&p, "b", part, sizeof(part) - 1);
	lang_parse_gemspec(&p, "c", gem, sizeof(gem) - 1);
	lang_parse_gemspec(&p, "d", old, sizeof(old) - 1);
	assert_int_equal(p.n_faults, 0);
	assert_int_equal(p.n, 3);
	assert_purl(&p.list[0], NULL, "pkg:npm/%40scope/thing@2.3.4");
	assert_string_equal(p.list[0].license, "ISC");
	assert_purl(&p.list[1], NULL, "pkg:gem/rake@13.0.6");
	assert_string_equal(p.list[1].license, "MIT");
	assert_purl(&p.list[2], NULL, "pkg:gem/x@0.1");
	lang_parse_node(&p, "e", "{", 1);
	lang_parse_gemspec(&p, "f", "x", 1);
	assert_int_equal(p.n_faults, 2);
}

/* ---- zip ---- */

struct zip_member {
	const char *name, *text;
	size_t size;
	bool packed;
};

static void put16(struct buf *b, unsigned v)
{
	buf_add(b, (unsigned char[]){ v & 255, v >> 8 & 255 }, 2);
}

static void put32(struct buf *b, size_t v)
{
	put16(b, v & 65535);
	put16(b, v >> 16 & 65535);
}

static void zip_write(struct buf *b, const struct zip_member *m, size_t n)
{
	_cleanup_buf_ struct buf central = { 0 };

	for (size_t i = 0; i < n; i++) {
		unsigned char packed[65536];
		z_stream z = { .next_in = (unsigned char *)(uintptr_t)m[i].text, .avail_in = (uInt)m[i].size,
			.next_out = packed, .avail_out = sizeof(packed) };
		size_t at = b->len, size = m[i].size;

		if (m[i].packed) {
			assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
			assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
			size = z.total_out;
			deflateEnd(&z);
		}
		for (int c = 0; c < 2; c++) {
			struct buf *to = c ? &central : b;

			buf_add(to, c ? "PK\1\2\0\0" : "PK\3\4", c ? 6 : 4);
			put16(to, 20);
			put16(to, 0);
			put16(to, m[i].packed ? 8 : 0);
			put32(to, 0);
			put32(to, 0);
			put32(to, size);
			put32(to, m[i].size);
			put16(to, (unsigned)strlen(m[i].name));
			put16(to, 0);
			if (c) {
				put16(to, 0);
				put32(to, 0);
				put32(to, 0);
				put32(to, at);
			}
			buf_puts(to, m[i].name);
		}
		buf_add(b, m[i].packed ? (const void *)packed : m[i].text, size);
	}
	size_t at = b->len;

	buf_add(b, central.data, central.len);
	buf_add(b, "PK\5\6\0\0\0\0", 8);
	put16(b, (unsigned)n);
	put16(b, (unsigned)n);
	put32(b, central.len);
	put32(b, at);
	put16(b, 0);
}

static void jars(void **state)
{
	static const char pom[] = "#Created by Maven\nversion=2.14.1\r\ngroupId=org.apache.logging.log4j\nartifactId=log4j-core\n";
	static const char manifest[] = "Manifest-Version: 1.0\nImplementation-Version: 5.3\nImplementation-Title: x\n";
	const struct zip_member inner[] = { { "META-INF/maven/g/a/pom.properties", pom, sizeof(pom) - 1, true } };
	_cleanup_buf_ struct buf in = { 0 }, out = { 0 };
	_cleanup_pkgs_ struct pkgs p = { 0 };

	(void)state;
	zip_write(&in, inner, 1);
	const struct zip_member outer[] = { { "META-INF/MANIFEST.MF", manifest, sizeof(manifest) - 1, true },
		{ "BOOT-INF/lib/log4j.jar", in.data, in.len, false }, { "BOOT-INF/lib/b-1.2.jar", in.data, in.len, true },
		{ "BOOT-INF/classes/x.class", "x", 1, false } };

	buf_puts(&out, "#!/bin/sh\nexec java -jar $0\n"); /* bytes before the archive */
	zip_write(&out, outer, 4);
	lang_parse_jar(&p, "app/my-app-1.0.jar", (unsigned char *)out.data, out.len);
	assert_int_equal(p.n, 3);
	assert_purl(&p.list[0], NULL, "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1");
	assert_string_equal(p.list[0].path, "app/my-app-1.0.jar!/BOOT-INF/lib/log4j.jar");
	assert_string_equal(p.list[1].path, "app/my-app-1.0.jar!/BOOT-INF/lib/b-1.2.jar");
	assert_string_equal(p.list[2].name, "my-app");
	assert_string_equal(p.list[2].version, "1.0");
	assert_int_equal(p.n_faults, 0);
	/* Cut at every byte: never more than it had, and something to tell. */
	for (size_t n = 0; n < out.len; n += 7) {
		_cleanup_pkgs_ struct pkgs q = { 0 };
		_cleanup_free_ unsigned char *copy = xmalloc(n + 1);

		memcpy(copy, out.data, n);
		lang_parse_jar(&q, "x", copy, n);
		assert_true(q.n_faults > 0 && q.n <= 3);
	}
}

/* ---- ELF ---- */

/* A 64-bit little-endian file with one section of that name. */
static void elf_write(struct buf *b, const char *name, const void *data, size_t n)
{
	_cleanup_free_ char *names = xasprintf("_%s", name);
	size_t names_len = strlen(names) + 1;
	Elf64_Ehdr h = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 }, .e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 3, .e_shstrndx = 1, .e_shoff = sizeof(h) };
	Elf64_Shdr s[3] = { { .sh_type = SHT_NULL },
		{ .sh_type = SHT_STRTAB, .sh_offset = sizeof(h) + sizeof(s), .sh_size = names_len },
		{ .sh_type = SHT_PROGBITS, .sh_name = 1, .sh_offset = sizeof(h) + sizeof(s) + names_len, .sh_size = n } };

	names[0] = '\0';
	buf_add(b, &h, sizeof(h));
	buf_add(b, s, sizeof(s));
	buf_add(b, names, names_len);
	buf_add(b, data, n);
}

static void go_program(void **state)
{
	static const char mods[] = "0123456789abcdefpath\texample.com/x\nmod\texample.com/x\t(devel)\t\n"
				   "dep\tgithub.com/a/b\tv1.2.3\th1:x=\ndep\tgithub.com/c/d\tv0.1.0\n=>\tgithub.com/e/d\tv0.2.0\th1:y=\n"
				   "build\t-compiler=gc\n0123456789abcdef";
	_cleanup_buf_ struct buf info = { 0 }, elf = { 0 };
	_cleanup_pkgs_ struct pkgs p = { 0 }, q = { 0 };
	unsigned char head[32] = "\xff Go buildinf:\x08\x02";

	(void)state;
	buf_add(&info, head, sizeof(head));
	buf_add(&info, "\10go1.21.5", 9);
	buf_add(&info, (unsigned char[]){ ((sizeof(mods) - 1) & 0x7f) | 0x80, (sizeof(mods) - 1) >> 7 }, 2);
	buf_add(&info, mods, sizeof(mods) - 1);
	elf_write(&elf, ".go.buildinfo", info.data, info.len);
	lang_parse_elf(&p, "x", (unsigned char *)elf.data, elf.len);
	assert_int_equal(p.n_faults, 0);
	assert_int_equal(p.n, 4);
	assert_purl(&p.list[0], NULL, "pkg:golang/stdlib@1.21.5");
	assert_purl(&p.list[2], NULL, "pkg:golang/github.com/a/b@v1.2.3");
	assert_purl(&p.list[3], NULL, "pkg:golang/github.com/e/d@v0.2.0");
	elf.data[elf.len - info.len + 2] = 'X';
	lang_parse_elf(&q, "x", (unsigned char *)elf.data, elf.len);
	assert_int_equal(q.n, 0);
	assert_int_equal(q.n_faults, 1);
}

static void rust_program(void **state)
{
	static const char json[] = "{\"packages\":[{\"name\":\"cc\",\"version\":\"1.0\",\"kind\":\"build\"},"
				   "{\"name\":\"serde\",\"version\":\"1.0.200\",\"source\":\"crates.io\"},"
				   "{\"name\":\"app\",\"version\":\"0.1.0\",\"root\":true}]}";
	unsigned char packed[1024];
	uLongf n = sizeof(packed);
	_cleanup_buf_ struct buf elf = { 0 };
	_cleanup_pkgs_ struct pkgs p = { 0 }, q = { 0 };

	(void)state;
	assert_int_equal(compress(packed, &n, (const Bytef *)json, sizeof(json) - 1), Z_OK);
	elf_write(&elf, ".dep-v0", packed, n);
	lang_parse_elf(&p, "x", (unsigned char *)elf.data, elf.len);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.n_faults, 0);
	assert_purl(&p.list[0], NULL, "pkg:cargo/serde@1.0.200");
	lang_parse_elf(&q, "x", (unsigned char *)elf.data, elf.len - 4);
	assert_int_equal(q.n, 0);
}

/* ---- package URLs back, os-release ---- */

static void purls(void **state)
{
	static const struct {
		const char *purl, *name, *version, *distro;
		enum pkg_type type;
	} good[] = {
		{ "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64&distro=debian-12&upstream=glibc%402.36-9", "libc6", "2.36-9+deb12u14", "debian", PKG_DEB },
		{ "pkg:rpm/fedora/curl@7.50.3-1.fc25?arch=i386&epoch=1&distro=fedora-25", "curl", "1:7.50.3-1.fc25", "fedora", PKG_RPM },
		{ "pkg:npm/%40angular/animation@12.3.1", "@angular/animation", "12.3.1", "", PKG_NPM },
		{ "pkg:npm/@angular/animation", "@angular/animation", "", "", PKG_NPM },
		{ "pkg:maven/org.apache/batik@1.9?type=zip", "org.apache:batik", "1.9", "", PKG_MAVEN },
		{ "pkg:golang/google.golang.org/genproto@abc#googleapis/api", "google.golang.org/genproto", "abc", "", PKG_GOLANG },
		{ "pkg:PyPI/django@1.11.1", "django", "1.11.1", "", PKG_PYPI },
	};
	static const char *const bad[] = { "", "pkg:", "deb/x@1", "pkg:docker/x@1", "pkg:deb/", "pkg:deb/debian/@1", "pkg:gem/a%00b@1",
		"pkg:gem/a@1?arch" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		_cleanup_pkgs_ struct pkgs p = { 0 };
		struct pkg *pkg = pkgs_add(&p, PKG_DEB, "");
		struct distro d = { 0 };

		assert_int_equal(pkg_from_purl(&p, pkg, &d, good[i].purl), 0);
		assert_int_equal(pkg->type, good[i].type);
		assert_string_equal(pkg->name, good[i].name);
		assert_string_equal(pkg->version, good[i].version);
		assert_string_equal(d.id, good[i].distro);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_pkgs_ struct pkgs p = { 0 };

		assert_int_equal(pkg_from_purl(&p, pkgs_add(&p, PKG_DEB, ""), NULL, bad[i]), -EINVAL);
	}
}

static void os_release(void **state)
{
	static const char text[] = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nID=debian\nID_LIKE=x";
	struct distro d;

	(void)state;
	distro_parse(&d, text, sizeof(text) - 1);
	assert_string_equal(d.id, "debian");
	assert_string_equal(d.version, "12");
	assert_string_equal(d.codename, "bookworm");
	distro_parse(&d, "ID='\033[2Jx'", 10);
	assert_string_equal(d.id, "2Jx");
}

/* Text that is not UTF-8 still makes valid JSON. */
static void inventory(void **state)
{
	static const char st[] = "Package: a\nVersion: 1\nMaintainer: J\xf6rg\nArchitecture: all\n";
	const struct distro d = { "debian", "12", "bookworm" };
	_cleanup_pkgs_ struct pkgs p = { 0 };
	_cleanup_json_ json_t *j = NULL;
	_cleanup_free_ char *text = NULL;

	(void)state;
	dpkg_parse_status(&p, "var/lib/dpkg/status", st, sizeof(st) - 1);
	p.list[0].layer = 2;
	j = pkg_json(&p.list[0], &d);
	text = json_text(j);
	assert_string_equal(text,
		"{\"type\":\"deb\",\"name\":\"a\",\"version\":\"1\",\"arch\":\"all\",\"source\":{\"name\":\"a\",\"version\":\"1\"},"
		"\"distro\":{\"id\":\"debian\",\"version\":\"12\",\"codename\":\"bookworm\"},\"maintainer\":\"J\\\\xf6rg\","
		"\"path\":\"var/lib/dpkg/status\",\"layer\":2,\"purl\":\"pkg:deb/debian/a@1?arch=all&distro=debian-12\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dpkg_status), cmocka_unit_test(dpkg_files), cmocka_unit_test(dpkg_damaged),
		cmocka_unit_test(dpkg_diverted), cmocka_unit_test(apk), cmocka_unit_test(python),
		cmocka_unit_test(node_and_ruby), cmocka_unit_test(jars), cmocka_unit_test(go_program),
		cmocka_unit_test(rust_program), cmocka_unit_test(purls), cmocka_unit_test(os_release),
		cmocka_unit_test(inventory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
