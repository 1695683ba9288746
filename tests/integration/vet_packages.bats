#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The inventory of packages and what integrity makes of it: real databases of dpkg, rpm and apk, and what language tools leave.

load lib

setup_file() {
    # Its layer is unpacked once; what is poisoned below shares it.
    brig_setup base
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
    vet_json base
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

@test "an rpm database made by rpm is read, and a Berkeley DB of the same headers" {
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

# What integrity says of $1 (a path, or "" for all) in $output: "level rule" a line.
said() { jq -r --arg p "$1" '.findings[] | select(.check == "integrity" and ($p == "" or .path == $p)) | "\(.level) \(.rule)"' <<<"$output" | sort -u; }
# blob FILE TYPE: moves it into the layout $TT/img and prints its descriptor.
blob() {
    local sum
    sum=$(sha256sum <"$1" | cut -d' ' -f1)
    jq -cn --arg t "application/vnd.oci.image.$2" --arg d "sha256:$sum" --argjson s "$(stat -c %s "$1")" '{mediaType: $t, digest: $d, size: $s}'
    mv "$1" "$TT/img/blobs/sha256/$sum"
}
# Looks at the base image with a layer of the given entries over it.
poisoned() {
    local layout diff old blobs=$TT/img/blobs/sha256
    layout=$(test_image base)
    rm -rf "$TT/img"
    cp -r --reflink=auto "$layout" "$TT/img"
    chmod -R u+w "$TT/img"
    "$REPO_TESTS/images/layer" "$TT/layer" "$@"
    diff=sha256:$(sha256sum <"$TT/layer" | cut -d' ' -f1)
    old=$blobs/$(jq -r '.manifests[0].digest[7:]' "$TT/img/index.json")
    jq -c --arg d "$diff" '.rootfs.diff_ids += [$d] | .config.User = "1"' "$blobs/$(jq -r '.config.digest[7:]' "$old")" >"$TT/config"
    jq -c --argjson c "$(blob "$TT/config" config.v1+json)" --argjson l "$(blob "$TT/layer" layer.v1.tar)" '.config = $c | .layers += [$l]' "$old" >"$TT/manifest"
    jq -c --argjson m "$(blob "$TT/manifest" manifest.v1+json)" '.manifests[0] += $m |
        .manifests[0].annotations["org.opencontainers.image.ref.name"] = "poisoned:latest"' "$TT/img/index.json" >"$TT/index"
    mv "$TT/index" "$TT/img/index.json"
    brig load -q -i "$TT/img"
    vet_json poisoned
    assert_ok
    brig rmi poisoned
}
# The base image's files, unpacked once; its folder is BASE_ROOT.
base_root() {
    if [ ! -d "$T/base" ]; then
        local layout
        layout=$(test_image base)
        mkdir "$T/base.part"
        gzip -dc "$layout/blobs/sha256/$(jq -r '.layers[0].digest[7:]' "$layout/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$layout/index.json")")" |
            tar -C "$T/base.part" --exclude=./dev --no-same-owner -xf -
        chmod -R u+rwX "$T/base.part"
        mv "$T/base.part" "$T/base"
    fi
    BASE_ROOT=$T/base
}
# A copy of it in $TT/root, with all times.
copy_base() {
    base_root
    cp -a --reflink=auto "$BASE_ROOT" "$TT/root"
}

@test "clean images of Debian have no finding of integrity above info" {
    local kind
    for kind in base mariadb; do
        vet_json "$(test_image $kind)"
        assert_ok
        assert_eq "$(said "" | grep -v '^info ')" "" "$kind: $(jq -c '.findings[] | select(.check == "integrity" and .level != "info")' <<<"$output")"
        # Documentation was left out: that is told, at its level.
        assert_eq "$(said "" | grep no-docs)" "info V3-no-docs"
    done
    copy_base
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(said "" | grep -v '^info ')" ""
}

@test "a program, a library, a PAM module, a file of data and a configuration that were changed" {
    poisoned 'f|usr/bin/cat|0755|0|0|=#!/bin/sh\n' 'f|usr/lib/x86_64-linux-gnu/security/pam_unix.so|0644|0|0|=evil' \
        'f|usr/share/base-files/motd|0644|0|0|=x' 'f|etc/bash.bashrc|0644|0|0|=x' 'f|etc/pam.d/su|0644|0|0|=auth sufficient pam_permit.so'
    assert_eq "$(said usr/bin/cat)" "high V3-changed"
    assert_eq "$(said usr/lib/x86_64-linux-gnu/security/pam_unix.so)" "critical V3-changed"
    assert_eq "$(said usr/share/base-files/motd)" "medium V3-changed"
    assert_eq "$(said etc/bash.bashrc)" "info V3-config-changed"
    assert_eq "$(member '.findings[] | select(.path == "usr/bin/cat") | .more | "\(.package) \(.expected | length) \(.found)"')" \
        "coreutils 32 $(printf '#!/bin/sh\n' | md5sum | cut -d' ' -f1)"
}

@test "programs and modules that no package brought" {
    base_root
    poisoned 'f|usr/sbin/helper|0755|0|0|=#!/bin/sh\n' "f|usr/sbin/other-cat|0755|0|0|@$BASE_ROOT/usr/bin/cat" 'f|usr/lib/x86_64-linux-gnu/libnss_x.so.2|0644|0|0|=x' \
        'f|usr/local/bin/own|0755|0|0|=#!/bin/sh\n' 'f|usr/lib/python3/__pycache__/x.pyc|0755|0|0|=#!x' 'f|usr/lib/data|0644|0|0|=#!/bin/sh\n'
    assert_eq "$(said usr/sbin/helper)" "medium V4-unowned"
    assert_eq "$(said usr/sbin/other-cat)" "low V4-copy"
    assert_eq "$(member '.findings[] | select(.path == "usr/lib/x86_64-linux-gnu/libnss_x.so.2") | "\(.level) \(.rule)"')" "high V6-nss"
    assert_eq "$(said usr/local/bin/own)" "info V4-own-programs"
    assert_eq "$(said usr/lib/python3/__pycache__/x.pyc)$(said usr/lib/data)" ""
}

@test "rights beyond what the distribution ships" {
    base_root
    poisoned "f|usr/bin/find|4755|0|0|@$BASE_ROOT/usr/bin/find" "f|usr/bin/su|4755|0|0|@$BASE_ROOT/usr/bin/su" \
        'f|opt/x|4755|0|0|=x' 'f|opt/y|2755|0|0|=x' "x|security.capability|rights" "f|usr/bin/tar|0755|0|0|@$BASE_ROOT/usr/bin/tar"
    assert_eq "$(said usr/bin/find | grep V5)" "high V5-set-uid"
    assert_eq "$(said usr/bin/su | grep V5)" ""
    assert_eq "$(said opt/x)" "high V5-set-uid"
    assert_eq "$(said opt/y)" "high V5-set-gid"
    assert_eq "$(said usr/bin/tar | grep V5)" "high V5-capabilities"
}

@test "a file that was changed together with its record, in a higher layer" {
    base_root
    printf '#!/bin/sh\n' >"$TT/cat"
    sed "s|^.*  bin/cat$|$(md5sum <"$TT/cat" | cut -d' ' -f1)  bin/cat|" "$BASE_ROOT/var/lib/dpkg/info/coreutils.md5sums" >"$TT/sums"
    run ! cmp -s "$TT/sums" "$BASE_ROOT/var/lib/dpkg/info/coreutils.md5sums"
    poisoned "f|usr/bin/cat|0755|0|0|@$TT/cat" "f|var/lib/dpkg/info/coreutils.md5sums|0644|0|0|@$TT/sums"
    assert_eq "$(said usr/bin/cat)" "high V3-database-edited"
    assert_eq "$(said var/lib/dpkg/info/coreutils.md5sums | grep high)" "high V3-database-edited"
    # A new file, made the package's own in both records.
    { cat "$BASE_ROOT/var/lib/dpkg/info/coreutils.list" && echo /usr/bin/evil; } >"$TT/list"
    { cat "$BASE_ROOT/var/lib/dpkg/info/coreutils.md5sums" && echo "$(md5sum <"$TT/cat" | cut -d' ' -f1)  usr/bin/evil"; } >"$TT/sums2"
    poisoned "f|usr/bin/evil|0755|0|0|@$TT/cat" "f|var/lib/dpkg/info/coreutils.md5sums|0644|0|0|@$TT/sums2" \
        "f|var/lib/dpkg/info/coreutils.list|0644|0|0|@$TT/list"
    assert_eq "$(said var/lib/dpkg/info/coreutils.list | grep high)" "high V3-database-edited"
    assert_eq "$(said var/lib/dpkg/info/coreutils.md5sums | grep high)" "high V3-database-edited"
    # What another package takes over goes out of the list, as dpkg does it: no finding.
    grep -vx '/usr/bin/tac' "$BASE_ROOT/var/lib/dpkg/info/coreutils.list" >"$TT/list"
    poisoned "f|var/lib/dpkg/info/coreutils.list|0644|0|0|@$TT/list"
    assert_eq "$(said "" | grep -v '^info ')" ""
    # An upgrade does the same and changes the version: no finding.
    sed '/^Package: coreutils$/,/^$/s/^Version: .*/&+new/' "$BASE_ROOT/var/lib/dpkg/status" >"$TT/status"
    poisoned "f|usr/bin/cat|0755|0|0|@$TT/cat" "f|var/lib/dpkg/info/coreutils.md5sums|0644|0|0|@$TT/sums" "f|var/lib/dpkg/status|0644|0|0|@$TT/status"
    assert_eq "$(said usr/bin/cat)" ""
}

@test "databases of one layer that were edited tell by times, lists, digests and sizes" {
    copy_base
    local info=$TT/root/var/lib/dpkg/info size
    # tar: program and digest changed.
    printf '#!/bin/sh\n' >"$TT/root/usr/bin/tar"
    sed -i "s|^.*  bin/tar$|$(md5sum <"$TT/root/usr/bin/tar" | cut -d' ' -f1)  bin/tar|" "$info/tar.md5sums"
    # dash: a new file in both records, the digests first, so that they are not the younger ones. findutils: no digests any more.
    printf '#!/bin/sh\n' >"$TT/root/usr/bin/evil"
    echo "$(md5sum <"$TT/root/usr/bin/evil" | cut -d' ' -f1)  usr/bin/evil" >>"$info/dash.md5sums"
    echo /usr/bin/evil >>"$info/dash.list"
    touch -r "$info/dash.list" "$info/dash.md5sums"
    rm "$info/findutils.md5sums"
    # sed: the digest taken out, the time set back.
    echo x >>"$TT/root/usr/bin/sed"
    touch -r "$info/sed.md5sums" "$TT/stamp"
    sed -i '/  bin\/sed$/d' "$info/sed.md5sums"
    touch -r "$TT/stamp" "$info/sed.md5sums"
    # grep: its list is gone. gzip: as tar, every time set back, but larger than the package.
    rm "$info/grep.list"
    touch -r "$TT/root/usr/bin/gzip" "$TT/stamp"
    head -c 3000000 /dev/zero >>"$TT/root/usr/bin/gzip"
    touch -r "$TT/stamp" "$TT/root/usr/bin/gzip"
    touch -r "$info/gzip.md5sums" "$TT/stamp"
    sed -i "s|^.*  bin/gzip$|$(md5sum <"$TT/root/usr/bin/gzip" | cut -d' ' -f1)  bin/gzip|" "$info/gzip.md5sums"
    touch -r "$TT/stamp" "$info/gzip.md5sums"
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(said var/lib/dpkg/info/tar.md5sums)" "high V3-database-edited"
    assert_eq "$(said usr/bin/sed)" "high V3-database-edited"
    assert_eq "$(said var/lib/dpkg/info/dash.list)" "high V3-database-edited"
    assert_eq "$(said var/lib/dpkg/info/findutils.list)" "high V3-database-edited"
    assert_eq "$(member '[.findings[] | select(.rule == "V3-database-edited" and .more.package == "grep")] | length')" 1
    assert_eq "$(said var/lib/dpkg/info/gzip.list)" "high V3-size"
    # And nothing else.
    assert_eq "$(member '[.findings[] | select(.check == "integrity" and (.level | test("high|critical"))) | .more.package] | unique | join(" ")')" "dash findutils grep gzip sed tar"
}

@test "distroless images: a file of status and digests for each package" {
    local d=$TT/root/var/lib/dpkg/status.d
    mkdir -p "$d" "$TT/root/usr/bin" "$TT/root/usr/sbin" "$TT/root/etc"
    printf '#!/bin/sh\n' | tee "$TT/root/usr/bin/tool" >"$TT/root/usr/bin/changed"
    printf '#!/bin/bash\n' >"$TT/root/usr/sbin/new"
    chmod 755 "$TT/root"/usr/*bin/*
    printf 'ID=debian\nVERSION_ID=12\n' >"$TT/root/etc/os-release"
    printf 'Package: tool\nVersion: 1.0-1\nArchitecture: all\nSource: tools\n' >"$d/tool"
    (cd "$TT/root" && md5sum usr/bin/tool usr/bin/changed) >"$d/tool.md5sums"
    echo x >>"$TT/root/usr/bin/changed"
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(member '.packages[0].purl')" "pkg:deb/debian/tool@1.0-1?arch=all&distro=debian-12&upstream=tools"
    assert_eq "$(said usr/bin/tool) $(said usr/bin/changed) $(said usr/sbin/new)" " high V3-changed medium V4-unowned"
}

@test "files that are missing, were moved aside, or come without times" {
    copy_base
    rm "$TT/root/usr/bin/cat" "$TT/root/usr/bin/tac"
    mv "$TT/root/usr/bin/who" "$TT/root/usr/bin/who.real"
    ln -s ../local/bin/who "$TT/root/usr/bin/who"
    printf '/usr/bin/who\n/usr/bin/who.real\n:\n' >>"$TT/root/var/lib/dpkg/diversions"
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(said "" | grep -v '^info ')" "low V3-missing"
    assert_eq "$(member '.findings[] | select(.rule == "V3-missing") | .title')" "coreutils: 2 of its files are missing, such as usr/bin/cat"
    # A copy that has lost all times: the times say nothing, and that is told.
    find "$TT/root" -exec touch -h -d '2024-01-01' {} +
    find "$TT/root/var/lib/dpkg/info" -name '*.md5sums' -exec touch -d '2024-01-02' {} +
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(said "" | grep -v '^info ')" "low V3-missing"
    assert_eq "$(member '.facts.not_looked | map(select(test("times"))) | length')" 1
    rm "$TT/root"/var/lib/dpkg/info/*.list
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(said "" | grep no-lists)" "medium V3-no-lists"
}

@test "rpm: files against the database, the database against itself" {
    need_command rpmbuild
    mkdir -p "$TT/build" "$TT/root/etc"
    cat >"$TT/t.spec" <<'END'
Name: hello
Version: 1
Release: 1
Summary: t
License: MIT
%description
t
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/etc
printf '#!/bin/sh\necho hi\n' >%{buildroot}/usr/bin/hello
cp %{buildroot}/usr/bin/hello %{buildroot}/usr/bin/other
ln -s hello %{buildroot}/usr/bin/link
echo a >%{buildroot}/etc/hello.conf
%files
%attr(0755,root,root) /usr/bin/hello
%attr(4755,root,root) /usr/bin/other
/usr/bin/link
%config /etc/hello.conf
END
    rpmbuild --quiet -bb --target noarch --define "_topdir $TT/build" --define "_tmppath $TT" "$TT/t.spec" 2>&1
    rpm --dbpath "$TT/root/var/lib/rpm" --nodeps --justdb -i "$TT"/build/RPMS/noarch/*.rpm 2>&1
    mkdir -p "$TT/root/usr/bin"
    printf '#!/bin/sh\necho hi\n' | tee "$TT/root/usr/bin/hello" >"$TT/root/usr/bin/other"
    chmod 755 "$TT/root/usr/bin/hello"
    chmod 4755 "$TT/root/usr/bin/other"
    ln -s hello "$TT/root/usr/bin/link"
    echo a >"$TT/root/etc/hello.conf"
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(said "")" ""
    echo x >>"$TT/root/usr/bin/hello"
    chmod 4755 "$TT/root/usr/bin/hello"
    ln -sf /tmp/x "$TT/root/usr/bin/link"
    echo b >"$TT/root/etc/hello.conf"
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(said usr/bin/hello)" "high V3-changed
high V5-set-uid"
    assert_eq "$(said usr/bin/link)" "high V3-changed"
    assert_eq "$(said etc/hello.conf)" "info V3-config-changed"
    assert_eq "$(said usr/bin/other)" ""
    # The recorded digest changed to the file's: rpm's own digest of the header tells.
    python3 - "$TT/root" <<'END'
import hashlib, sqlite3, sys
root = sys.argv[1]
db = sqlite3.connect(root + "/var/lib/rpm/rpmdb.sqlite")
(key, blob), = db.execute("SELECT hnum, blob FROM Packages").fetchall()
old = hashlib.sha256(b"#!/bin/sh\necho hi\n").hexdigest().encode()
new = hashlib.sha256(open(root + "/usr/bin/hello", "rb").read()).hexdigest().encode()
assert old in blob
db.execute("UPDATE Packages SET blob = ? WHERE hnum = ?", (blob.replace(old, new, 1), key))
db.commit()
END
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(said usr/bin/hello)" "high V5-set-uid"
    assert_eq "$(said var/lib/rpm/rpmdb.sqlite)" "high V3-database-edited"
}

@test "apk: files and links against the database" {
    local r=$TT/root
    mkdir -p "$r/lib/apk/db" "$r/bin" "$r/sbin"
    printf '#!/bin/sh\n' | tee "$r/bin/tool" "$r/bin/suid" >"$r/bin/changed"
    chmod 755 "$r"/bin/*
    chmod 4755 "$r/bin/suid"
    ln -s tool "$r/bin/link"
    ln -s tool "$r/bin/moved"
    q() { printf 'Q1%s' "$(openssl sha1 -binary | base64)"; }
    {
        printf 'P:tool\nV:1.0-r1\nA:x86_64\nF:bin\n'
        for f in tool changed; do printf 'R:%s\na:0:0:755\nZ:%s\n' $f "$(q <"$r/bin/tool")"; done
        printf 'R:suid\na:0:0:4755\nZ:%s\n' "$(q <"$r/bin/suid")"
        for f in link moved; do printf 'R:%s\na:0:0:777\nZ:%s\n' $f "$(printf tool | q)"; done
        echo
    } >"$r/lib/apk/db/installed"
    vet_json "$r"
    assert_ok
    assert_eq "$(said "")" ""
    echo x >>"$r/bin/changed"
    ln -sf /tmp/x "$r/bin/moved"
    chmod 4755 "$r/bin/tool"
    printf '#!/bin/ash\n' >"$r/sbin/new"
    chmod 755 "$r/sbin/new"
    vet_json "$r"
    assert_ok
    assert_eq "$(said bin/changed) $(said bin/moved) $(said bin/tool) $(said sbin/new) $(said bin/link)$(said bin/suid)" \
        "high V3-changed high V3-changed high V5-set-uid medium V4-unowned "
}

@test "a Python package whose code was changed after pip installed it" {
    local d=$TT/root/usr/local/lib/python3.11/site-packages
    mkdir -p "$d/demo" "$d/demo-1.0.dist-info"
    echo 'print(1)' | tee "$d/demo/a.py" >"$d/demo/b.py"
    printf 'Name: demo\nVersion: 1.0\n' >"$d/demo-1.0.dist-info/METADATA"
    for f in a b; do
        echo "demo/$f.py,sha256=$(openssl sha256 -binary "$d/demo/$f.py" | base64 | tr '+/' '-_' | tr -d =),9"
    done >"$d/demo-1.0.dist-info/RECORD"
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(said "")" ""
    echo 'import os' >>"$d/demo/b.py"
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(said usr/local/lib/python3.11/site-packages/demo/b.py)" "high V3-changed"
    assert_eq "$(said usr/local/lib/python3.11/site-packages/demo/a.py)" ""
}

@test "an image as a bill of materials, and the bill looked at again" {
    local want
    vet_json base
    assert_ok
    want=$(packages)
    export SOURCE_DATE_EPOCH=1700000000
    brig vet -q --format spdx -o "$TT/spdx.json" base
    brig vet -q --format cyclonedx base >"$TT/cyclonedx.json"
    # The same again is the same document.
    brig sbom -q base | cmp - "$TT/spdx.json"
    brig image sbom -q --format cyclonedx base | cmp - "$TT/cyclonedx.json"
    run brig sbom --format table base
    assert_exit 2
    unset SOURCE_DATE_EPOCH
    vet_json "$TT/spdx.json"
    assert_eq "$(packages)" "$want"
    assert_eq "$(member '.facts.bill.format')" SPDX-2.3
    assert_eq "$(member '[.packages[] | select(.distro.codename == null or .source.name == null)] | length')" 0
    vet_json "$TT/cyclonedx.json"
    assert_eq "$(packages)" "$want"
    # What the schemas demand of every package, document and relationship.
    jq -e '.spdxVersion == "SPDX-2.3" and .dataLicense == "CC0-1.0" and .creationInfo.created == "2023-11-14T22:13:20Z" and
        (.documentNamespace | test("^https://[^#]+$")) and
        ([.packages[].SPDXID] | length == (unique | length) and all(test("^SPDXRef-[A-Za-z0-9.-]+$"))) and
        all(.packages[]; .name and .downloadLocation and .filesAnalyzed == false) and
        ([.relationships[].relatedSpdxElement] - [.packages[].SPDXID] == []) and .packages[0].primaryPackagePurpose == "CONTAINER" and
        (.packages[0].versionInfo | test("^sha256:[0-9a-f]{64}$"))' "$TT/spdx.json" >/dev/null
    jq -e '.bomFormat == "CycloneDX" and .specVersion == "1.6" and .version == 1 and
        (.serialNumber | test("^urn:uuid:[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$")) and
        ([.components[]["bom-ref"]] | length == (unique | length)) and all(.components[]; .type and .name) and
        .metadata.component.type == "container"' "$TT/cyclonedx.json" >/dev/null
}

@test "findings change the exit code of a bill only when that is asked for, and a broken bill is no answer" {
    mkdir -p "$TT/root/opt"
    printf 'x' >"$TT/root/opt/x"
    mkdir -p "$TT/root/var/lib/dpkg/info"
    printf 'Package: x\nVersion: 1\nStatus: install ok installed\n' >"$TT/root/var/lib/dpkg/status"
    printf '/.\n/opt\n/opt/x\n' >"$TT/root/var/lib/dpkg/info/x.list"
    printf '0cc175b9c0f1b6a831c399e269772661  opt/x\n' >"$TT/root/var/lib/dpkg/info/x.md5sums"
    run brig vet -q --fail-on medium "$TT/root"
    assert_exit 1
    run brig vet -q --format spdx "$TT/root"
    assert_exit 0
    run brig vet -q --format spdx --fail-on medium "$TT/root"
    assert_exit 1
    echo '{"spdxVersion":"SPDX-3.0"}' >"$TT/new.json"
    run brig vet -q "$TT/new.json"
    assert_exit 2
    assert_line "SPDX-3.0 +is a version that brig does not read"
    echo '{"bomFormat":"CycloneDX","specVersion":"1.6","components":[' >"$TT/cut.json"
    run brig vet -q "$TT/cut.json"
    assert_exit 2
    echo '{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"x"}]}' >"$TT/bare.json"
    vet_json "$TT/bare.json"
    assert_ok
    assert_eq "$(member '.facts.not_looked | map(select(test("1 entries"))) | length')" 1
}
