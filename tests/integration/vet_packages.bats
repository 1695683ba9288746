#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The inventory of packages and what integrity makes of it: real databases of dpkg, rpm and apk, and what language tools leave.

load lib

setup_file() {
    # Images are looked at from their layouts; the store stays empty.
    brig_setup
}
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

vet_json() { run --separate-stderr brig vet -q --fail-on never --format json "$@"; }
# "type name version" of each package in $output, sorted.
packages() { jq -r '.packages[] | "\(.type) \(.name) \(.version)"' <<<"$output" | sort; }
rules() { jq -r '[.findings[] | .rule] | sort | unique | join(" ")' <<<"$output"; }
member() { jq -r "$1" <<<"$output"; }

@test "what dpkg has installed is in the inventory, with source, architecture and distribution" {
    vet_json "$(test_image base)"
    assert_ok
    # The image was made from the machine's own sources, of the machine's release.
    assert_eq "$(member '.packages[0].distro | "\(.id) \(.version) \(.codename)"')" \
        "$(. /etc/os-release && echo "$ID $VERSION_ID $VERSION_CODENAME")"
    [ "$(member '.packages | length')" -gt 50 ]
    assert_eq "$(member '[.packages[] | select(.type != "deb")] | length')" 0
    assert_eq "$(member '.packages[] | select(.name == "libc6") | .source.name')" glibc
    assert_eq "$(member '.packages[] | select(.name == "libc6") | "pkg:deb/debian/libc6@\(.version | sub("\\+"; "%2B"))?arch=\(.arch)&distro=debian-\(.distro.version)&upstream=glibc" == .purl')" true
    assert_eq "$(member '[.packages[] | select(.layer != 0)] | length')" 0
}

@test "a package belongs to the layer that installed it" {
    vet_json "$(test_image mariadb)"
    assert_ok
    assert_eq "$(member '.packages[] | select(.name == "mariadb-server-core") | .layer')" 1
    assert_eq "$(member '.packages[] | select(.name == "bash") | .layer')" 0
}

@test "an rpm database made by rpm is read, with its write-ahead log" {
    need_command rpmbuild
    mkdir -p "$TT/build" "$TT/root/etc"
    cat >"$TT/t.spec" <<'END'
Name: hello
Version: 1.2
Release: 3.test
Epoch: 2
Summary: t
License: MIT
%description
t
%install
mkdir -p %{buildroot}/usr/bin
printf '#!/bin/sh\necho hi\n' >%{buildroot}/usr/bin/hello
%files
%attr(0755,root,root) /usr/bin/hello
END
    rpmbuild --quiet -bb --target noarch --define "_topdir $TT/build" --define "_tmppath $TT" "$TT/t.spec" 2>&1
    rpmdb --dbpath "$TT/root/usr/lib/sysimage/rpm" --initdb 2>&1
    rpm --dbpath "$TT/root/usr/lib/sysimage/rpm" --nodeps --justdb --notriggers -i "$TT"/build/RPMS/noarch/*.rpm 2>&1
    mkdir -p "$TT/root/usr/bin" "$TT/root/var/lib"
    printf '#!/bin/sh\necho hi\n' >"$TT/root/usr/bin/hello"
    chmod 755 "$TT/root/usr/bin/hello"
    ln -s ../../usr/lib/sysimage/rpm "$TT/root/var/lib/rpm"
    printf 'ID=fedora\nVERSION_ID=40\n' >"$TT/root/etc/os-release"
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(packages)" "rpm hello 2:1.2-3.test"
    assert_eq "$(member '.packages[0].purl')" "pkg:rpm/fedora/hello@1.2-3.test?arch=noarch&distro=fedora-40&epoch=2"
    assert_eq "$(member '.packages[0].license')" MIT
    # The same headers in a Berkeley DB, written by Berkeley DB.
    if command -v db5.3_load >/dev/null; then
        rm -r "$TT/root/var"
        mkdir -p "$TT/root/var/lib/rpm"
        {
            printf 'VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize=4096\nHEADER=END\n 00000000\n 02000000\n 01000000\n '
            sqlite3 "$TT/root/usr/lib/sysimage/rpm/rpmdb.sqlite" 'SELECT lower(hex(blob)) FROM Packages'
            echo DATA=END
        } | db5.3_load "$TT/root/var/lib/rpm/Packages"
        rm -r "$TT/root/usr/lib/sysimage"
        vet_json "$TT/root"
        assert_ok
        assert_eq "$(packages)" "rpm hello 2:1.2-3.test"
        assert_eq "$(member '.packages[0].path')" var/lib/rpm/Packages
    fi
}

@test "an apk database is read" {
    mkdir -p "$TT/root/lib/apk/db" "$TT/root/etc" "$TT/root/bin"
    printf 'ID=alpine\nVERSION_ID=3.19.1\n' >"$TT/root/etc/os-release"
    printf '#!/bin/sh\n' >"$TT/root/bin/tool"
    chmod 755 "$TT/root/bin/tool"
    printf 'P:tool\nV:1.0-r1\nA:x86_64\no:tools\nL:MIT\nF:bin\nR:tool\na:0:0:755\nZ:Q1%s\n\n' \
        "$(openssl sha1 -binary "$TT/root/bin/tool" | base64)" >"$TT/root/lib/apk/db/installed"
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(member '.packages[0].purl')" "pkg:apk/alpine/tool@1.0-r1?arch=x86_64&distro=alpine-3.19.1"
    assert_eq "$(member '.packages[0].source.name')" tools
}

@test "packages of languages are found where their tools put them" {
    mkdir -p "$TT/root"/usr/lib/python3/dist-packages/demo-1.0.dist-info "$TT/root"/app/node_modules/@s/thing/lib \
        "$TT/root"/app/src "$TT/root"/var/lib/gems/specifications "$TT/root/srv"
    printf 'Name: demo\nVersion: 1.0\n\n' >"$TT/root/usr/lib/python3/dist-packages/demo-1.0.dist-info/METADATA"
    echo '{"name":"@s/thing","version":"2.0.0"}' >"$TT/root/app/node_modules/@s/thing/package.json"
    # Neither a part of a package nor an application is a package.
    echo '{"name":"part","version":"9"}' >"$TT/root/app/node_modules/@s/thing/lib/package.json"
    echo '{"name":"app","version":"9"}' >"$TT/root/app/src/package.json"
    printf '# stub: rake 13.0.6 ruby lib\n' >"$TT/root/var/lib/gems/specifications/rake-13.0.6.gemspec"
    python3 - "$TT/root/srv/app.jar" <<'END'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("META-INF/maven/org.x/y/pom.properties", "version=3.1\ngroupId=org.x\nartifactId=y\n")
END
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(packages)" "gem rake 13.0.6
maven org.x:y 3.1
npm @s/thing 2.0.0
pypi demo 1.0"
    # Without a database of a distribution that is said, not passed over.
    assert_eq "$(member '.facts.not_looked | map(select(test("no database of packages"))) | length')" 1
}

@test "damaged databases are findings, and what is whole is kept" {
    mkdir -p "$TT/root/var/lib/dpkg" "$TT/root/var/lib/rpm" "$TT/root/lib/apk/db" "$TT/root/app/node_modules/x"
    printf 'Package: good\nVersion: 1\n\nVersion: 2\n' >"$TT/root/var/lib/dpkg/status"
    head -c 9000 /dev/urandom >"$TT/root/var/lib/rpm/rpmdb.sqlite"
    printf 'RpmP' >"$TT/root/var/lib/rpm/Packages.db"
    echo rubbish >"$TT/root/lib/apk/db/installed"
    echo '{' >"$TT/root/app/node_modules/x/package.json"
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(packages)" "deb good 1"
    assert_eq "$(member '[.findings[] | select(.rule == "V3-database-broken") | .path] | sort | join(" ")')" \
        "lib/apk/db/installed var/lib/dpkg/status var/lib/rpm/Packages.db var/lib/rpm/rpmdb.sqlite"
    assert_eq "$(member '[.findings[] | select(.rule == "V3-metadata-broken") | .path] | join(" ")')" app/node_modules/x/package.json
}
