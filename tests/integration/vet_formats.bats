#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Formats of others, by their own tools and specifications: rpm's databases, CSAF, bills of materials against their schemas, SARIF of
# another scanner.

load lib

setup_file() { brig_setup base; }
teardown_file() { brig_teardown; }
setup() {
    brig_begin
    rm -rf "$BRIG_DATA/vet"
}
teardown() { brig_end; }

vet_json() { run --separate-stderr brig vet -q --fail-on never --format json "$@"; }
member() { jq -r "$1" <<<"$output"; }
# NAME [EPOCH:]VERSION-RELEASE ARCH of each package in $output, sorted.
rpms() { jq -r '.packages[] | select(.type == "rpm") | "\(.name) \(.version) \(.arch)"' <<<"$output" | LC_ALL=C sort; }
cves() { jq -r '[.findings[] | select(.check == "vulnerabilities") | "\(.rule):\(.level)"] | sort | join(" ")' <<<"$output"; }

# rpm_make NAME EPOCH VERSION RELEASE: NAME and NAME-libs in $TT/build/RPMS/noarch.
rpm_make() {
    mkdir -p "$TT/build"
    cat >"$TT/$1.spec" <<END
Name: $1
Epoch: $2
Version: $3
Release: $4
Summary: t
License: MIT
%description
t
%package libs
Summary: l
%description libs
l
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/usr/lib
printf '#!/bin/sh\necho $3\n' >%{buildroot}/usr/bin/$1
echo $3 >%{buildroot}/usr/lib/$1
%files
%attr(0755,root,root) /usr/bin/$1
%files libs
%attr(0644,root,root) /usr/lib/$1
END
    rpmbuild --quiet -bb --target noarch --define "_topdir $TT/build" --define "_tmppath $TT" "$TT/$1.spec" >&2
}
# rpm_in ROOT ARGUMENT...: rpm at a root folder's own database.
rpm_in() {
    local root=$1
    shift
    rpm --root "$root" --dbpath /var/lib/rpm "$@"
}

@test "a root that rpm itself installed and updated: its list is rpm's, its files are the packages', CSAF says what is vulnerable" {
    need_command rpmbuild
    [ "$MODE" = root ] || skip "rpm --root needs root"
    mkdir -p "$TT/root/etc"
    printf 'ID="rhel"\nVERSION_ID="8.7"\n' >"$TT/root/etc/os-release"
    rpm_make openssl 1 1.1.1k 8.el8_6
    rpm_make hello 0 1.2 3.el8
    rpm_in "$TT/root" -i "$TT"/build/RPMS/noarch/*.rpm 2>/dev/null
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(rpms)" "$(rpm_in "$TT/root" -qa --qf '%{NAME} %{EPOCH}:%{VERSION}-%{RELEASE} %{ARCH}\n' | LC_ALL=C sort)"
    assert_eq "$(member '.packages | length')" 4
    assert_eq "$(member '[.findings[] | select(.check == "integrity") | .rule] | join(" ")')" ""
    brig vet db import -q "$REPO_TESTS/data/csaf-redhat.json"
    vet_json "$TT/root"
    assert_eq "$(cves)" "CVE-2023-0286:high"
    assert_eq "$(member '.findings[] | select(.rule == "CVE-2023-0286") | .more | "\(.version) \(.fixed) \(.feed) \(.packages | sort | join("+"))"')" \
        "1:1.1.1k-8.el8_6 1:1.1.1k-9.el8_7 csaf openssl+openssl-libs"
    # The update, by rpm: the same root is not vulnerable any more, and nothing of the old package is left in the list.
    rm -r "$TT/build/RPMS"
    rpm_make openssl 1 1.1.1k 9.el8_7
    rpm_in "$TT/root" -U "$TT"/build/RPMS/noarch/openssl*.rpm 2>/dev/null
    vet_json "$TT/root"
    assert_eq "$(rpms)" "$(rpm_in "$TT/root" -qa --qf '%{NAME} %{EPOCH}:%{VERSION}-%{RELEASE} %{ARCH}\n' | LC_ALL=C sort)"
    assert_eq "$(cves)" ""
    assert_eq "$(member '.facts.vulnerabilities.looked')" 4
    # Another release than the document speaks of is not clean, but not looked at.
    printf 'ID="rhel"\nVERSION_ID="10.0"\n' >"$TT/root/etc/os-release"
    vet_json "$TT/root"
    assert_eq "$(member '.facts.not_looked[] | select(test("vulnerabilities"))')" \
        "known vulnerabilities of 4 packages: there are no advisories for rpm/rhel 10.0"
    # Fedora says it in its repository's updateinfo.xml; epochs count.
    printf 'ID=fedora\nVERSION_ID=38\n' >"$TT/root/etc/os-release"
    brig vet db import -q "$REPO_TESTS/data/updateinfo.xml"
    vet_json "$TT/root"
    assert_eq "$(cves)" "CVE-2022-4304:high CVE-2023-0286:high"
    assert_eq "$(member '[.findings[] | select(.rule == "CVE-2023-0286") | .more.fixed] | join(" ")')" 1:3.0.8-1.fc38
    rpm_in "$TT/root" -e hello hello-libs 2>/dev/null
    vet_json "$TT/root"
    assert_eq "$(member '[.packages[].name] | sort | join(" ")')" "openssl openssl-libs"
}

@test "packages that a higher layer removed or replaced are not matched, those that are left are" {
    mkdir -p "$TT/a/var/lib/dpkg" "$TT/b/var/lib/dpkg" "$TT/a/etc"
    printf 'ID=debian\nVERSION_ID="11"\nVERSION_CODENAME=bullseye\n' >"$TT/a/etc/os-release"
    entry() { printf 'Package: %s\nStatus: %s\nArchitecture: amd64\nMaintainer: x\nVersion: %s\nDescription: x\n\n' "$1" "$2" "$3"; }
    {
        entry gone "install ok installed" 1
        entry kept "install ok installed" 1
        entry new "install ok installed" 1
    } >"$TT/a/var/lib/dpkg/status"
    {
        entry gone "deinstall ok config-files" 1
        entry kept "install ok installed" 1
        entry new "install ok installed" 2
    } >"$TT/b/var/lib/dpkg/status"
    printf '[29 Mar 2023] DSA-1-1 gone - x\n\t{CVE-2023-10001}\n\t[bullseye] - gone 2\n\t[bullseye] - kept 2\n\t[bullseye] - new 2\n' >"$TT/list"
    brig vet db import -q "$TT/list"
    tar -C "$TT/a" --owner=0 --group=0 -cf "$TT/a.tar" .
    tar -C "$TT/b" --owner=0 --group=0 -cf "$TT/b.tar" .
    "$REPO_TESTS/images/oci-layout" "$TT/one" app:latest '{"Cmd":["x"]}' "$TT/a.tar"
    "$REPO_TESTS/images/oci-layout" "$TT/two" app:latest '{"Cmd":["x"]}' "$TT/a.tar" "$TT/b.tar"
    vet_json "$TT/one"
    assert_ok
    assert_eq "$(member '[.findings[].more.package // empty] | sort | join(" ")')" "gone kept new"
    vet_json "$TT/two"
    assert_eq "$(member '[.findings[].more.package // empty] | sort | join(" ")')" "kept"
}

@test "an archive is looked at by this machine's advisories and never becomes one of its images, however it is named" {
    local before
    here() { jq -c '.manifests | map([.digest, .annotations])' "$BRIG_DATA/images/index.json" && find "$BRIG_DATA"/{images,layers,objects,trees} | sort; }
    mkdir -p "$TT/root/var/lib/dpkg" "$TT/root/etc"
    printf 'ID=debian\nVERSION_ID="11"\nVERSION_CODENAME=bullseye\n' >"$TT/root/etc/os-release"
    printf 'Package: gone\nStatus: install ok installed\nVersion: 1\n' >"$TT/root/var/lib/dpkg/status"
    printf '[29 Mar 2023] DSA-1-1 gone - x\n\t{CVE-2023-10001}\n\t[bullseye] - gone 2\n' >"$TT/list"
    brig vet db import -q "$TT/list"
    tar -C "$TT/root" --owner=0 --group=0 -cf "$TT/root.tar" .
    # It claims the name of an image that is here.
    "$REPO_TESTS/images/oci-layout" "$TT/layout" localhost/base:latest '{"Cmd":["x"]}' "$TT/root.tar"
    before=$(here)
    cd "$TT"
    for how in "$TT/layout" ./layout layout "--type archive layout"; do
        # shellcheck disable=SC2086 # words on purpose
        vet_json $how
        assert_ok
        assert_eq "$how $(cves)" "$how CVE-2023-10001:medium"
        assert_eq "$(here)" "$before"
    done
}

@test "databases that rpm of SLE 15 (ndb) and of CentOS 8 (Berkeley DB) wrote, package by package" {
    mkdir -p "$TT/sle/var/lib/rpm" "$TT/sle/etc" "$TT/centos/var/lib/rpm" "$TT/centos/etc"
    printf 'ID="sles"\nVERSION_ID="15.4"\n' >"$TT/sle/etc/os-release"
    printf 'ID="centos"\nVERSION_ID="8"\n' >"$TT/centos/etc/os-release"
    xz -dc "$REPO_TESTS/data/rpmdb-ndb-sle15.xz" >"$TT/sle/var/lib/rpm/Packages.db"
    xz -dc "$REPO_TESTS/data/rpmdb-bdb-centos8.xz" >"$TT/centos/var/lib/rpm/Packages"
    vet_json "$TT/sle"
    assert_ok
    assert_eq "$(rpms)" "$(<"$REPO_TESTS/data/rpmdb-ndb-sle15.list")"
    assert_eq "$(member '[.packages[] | select(.name == "libz1") | .source.name] | join(" ")')" zlib
    # SUSE's advisory of zlib, as SUSE names packages: by file names, of a module of the release.
    sed 's/libopenssl1_1-1.1.1l-150400.7.22.1/libz1-1.2.11-150000.3.33.1/g' "$REPO_TESTS/data/csaf-suse.json" >"$TT/csaf.json"
    brig vet db import -q "$TT/csaf.json"
    vet_json "$TT/sle"
    assert_eq "$(cves)" "CVE-2023-0286:high"
    vet_json "$TT/centos"
    assert_ok
    assert_eq "$(rpms)" "libuuid 2.32.1-42.el8_8 x86_64"
    # Cut anywhere it is a finding, and what is whole is kept; never silence.
    for size in 0 10 4096 100000 1000000; do
        truncate -s "$size" "$TT/sle/var/lib/rpm/Packages.db"
        vet_json "$TT/sle"
        assert_ok
        assert_eq "$size $(member '[.findings[] | select(.path == "var/lib/rpm/Packages.db") | .rule] | unique | length > 0')" "$size true"
        xz -dc "$REPO_TESTS/data/rpmdb-ndb-sle15.xz" >"$TT/sle/var/lib/rpm/Packages.db"
    done
}

@test "bills of materials are valid by the schemas of SPDX 2.3 and CycloneDX 1.6, and what is not is refused by them" {
    /usr/bin/python3 -c 'import jsonschema' || skip "python3-jsonschema is not installed"
    valid() { /usr/bin/python3 "$REPO_TESTS/integration/schema.py" "$@"; }
    mkdir -p "$TT/empty" "$TT/odd/var/lib/dpkg" "$TT/odd/app/node_modules/x"
    printf 'Package: a\nVersion: 1~"\\<&>\nStatus: install ok installed\n\nPackage: b+c\nVersion: \xff\xfe\nStatus: install ok installed\n' >"$TT/odd/var/lib/dpkg/status"
    printf '{"name":"x","version":"1.0","license":"(MIT OR Apache-2.0) AND Weird License"}' >"$TT/odd/app/node_modules/x/package.json"
    for what in base "$TT/empty" "$TT/odd"; do
        brig sbom -q --format spdx -o "$TT/spdx.json" "$what"
        run valid spdx-2.3.json "$TT/spdx.json"
        assert_ok
        brig sbom -q --format cyclonedx -o "$TT/cyclonedx.json" "$what"
        run valid bom-1.6.SNAPSHOT.schema.json "$TT/cyclonedx.json"
        assert_ok
    done
    jq 'del(.creationInfo)' "$TT/spdx.json" >"$TT/bad.json"
    run valid spdx-2.3.json "$TT/bad.json"
    assert_exit 1
    jq '.components[0].type = "thing"' "$TT/cyclonedx.json" >"$TT/bad.json"
    run valid bom-1.6.SNAPSHOT.schema.json "$TT/bad.json"
    assert_exit 1
}

# Every parser of bytes that others wrote: its fuzzer, a file that is broken, and what must be said of it.
#	in a root folder:	FUZZER|PATH|CONTENT|RULE
#	given by a person:	FUZZER|OPTION|CONTENT|-
BROKEN='vet_dpkg|var/lib/dpkg/status|no colon\n|V3-database-broken
vet_dpkg|var/lib/dpkg/status.d/x|\xff\x00\x01|V3-database-broken
vet_apk|lib/apk/db/installed|garbage\nno colon|V3-database-broken
vet_rpm|var/lib/rpm/rpmdb.sqlite|SQLite format 3\x00garbage|V3-database-broken
vet_rpm|var/lib/rpm/Packages.db|RpmPgarbage|V3-database-broken
vet_rpm|var/lib/rpm/Packages|garbage|V3-database-broken
vet_rpm|var/lib/rpm/rpmdb.sqlite||V3-database-empty
vet_elf|usr/bin/short|\x7fELF|V8-damaged
vet_elf|usr/bin/cut|\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00|V8-damaged
vet_zip|srv/a.jar|PK\x03\x04garbage|V3-metadata-broken
vet_lang|app/node_modules/x/package.json|{"name":|V3-metadata-broken
vet_lang|usr/lib/python3/dist-packages/x-1.dist-info/METADATA|garbage|V3-metadata-broken
vet_sbom|sbom|{"bomFormat":"CycloneDX","specVersion":"1.6","components":[|-
vet_sbom|sbom|{"spdxVersion":"SPDX-2.3","packages":7}|-
image_tar|archive|not a tar|-
vet_sarif|--sarif-in|{"version":"2.1.0","runs":[{}]}|-
vet_rules|--rules|no such thing {|-
vet_excuse|--vex|{"@context":"https://openvex.dev/ns","statements":[{}]}|-
vet_excuse|--ignore|CVE-2023-1\n|-
vet_policy|--policy|{"fail_on":|-
vet_advisory|import|{"document":{"csaf_version":"2.0"}}|-
vet_unpack|import|\x1f\x8b\x08garbage|-
vet_index|index|SQLite format 3\x00garbage|-
vet_secret|config|no secret\n|-'

@test "every parser has a fuzzer with a corpus, and every broken file is a finding or stops the look: never silence" {
    local fuzzer place content rule
    while IFS='|' read -r fuzzer place content rule; do
        [ -f "$REPO_TESTS/fuzz/$fuzzer.c" ] || fail "no fuzzer $fuzzer"
        [ -n "$(ls "$REPO_TESTS/fuzz/corpus/$fuzzer")" ] || fail "no corpus for $fuzzer"
        rm -rf "${TT:?}/root" "$TT/file" "$BRIG_DATA/vet" "$BRIG_CONFIG/vet-secrets.rules"
        mkdir -p "$TT/root/usr/bin"
        # shellcheck disable=SC2059 # it is a format
        printf "${content//%/%%}" >"$TT/file"
        if [ "$rule" != - ]; then
            install -D -m 0755 "$TT/file" "$TT/root/$place"
            vet_json "$TT/root"
            assert_ok
            assert_eq "$place $(jq -r --arg p "$place" '[.findings[] | select(.path == $p) | .rule] | unique | join(" ")' <<<"$output")" "$place $rule"
            continue
        fi
        case $place in
            sbom) run brig vet -q --type sbom "$TT/file" ;;
            archive) run brig vet -q --type archive "$TT/file" ;;
            import) run brig vet db import "$TT/file" ;;
            index)
                mkdir -m 0700 "$BRIG_DATA/vet"
                cp "$TT/file" "$BRIG_DATA/vet/advisories.db"
                run brig vet -q "$TT/root"
                ;;
            config)
                install -m 0600 "$TT/file" "$BRIG_CONFIG/vet-secrets.rules"
                run brig vet -q "$TT/root"
                ;;
            *)
                chmod 600 "$TT/file"
                run brig vet -q "$place" "$TT/file" "$TT/root"
                ;;
        esac
        assert_eq "$fuzzer $place $status" "$fuzzer $place 2"
        [ -n "$output" ] || fail "$place: no word why"
    done <<<"$BROKEN"
    rm -rf "$BRIG_DATA/vet" "$BRIG_CONFIG/vet-secrets.rules"
}

@test "what another tool found (SARIF) stands in the report, counts for the gate, and can be excepted" {
    mkdir -p "$TT/root/usr/bin"
    echo x >"$TT/root/usr/bin/tool"
    cat >"$TT/log.sarif" <<'END'
{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "Other Scanner", "version": "3", "rules": [
   {"id": "X1", "properties": {"security-severity": "9.9"}, "help": {"text": "remove it"}}, {"id": "X2"}]}},
 "results": [
   {"ruleId": "X1", "ruleIndex": 0, "message": {"text": "a bad tool"}, "locations": [{"physicalLocation": {"artifactLocation": {"uri": "usr/bin/tool"}}}]},
   {"ruleId": "X2", "ruleIndex": 1, "level": "note", "message": {"text": "a note"}, "locations": [{"physicalLocation": {"artifactLocation": {"uri": "not/there"}}}]},
   {"ruleId": "X2", "ruleIndex": 1, "level": "error", "message": {"text": "excused"}, "suppressions": [{"kind": "external"}]}]}]}
END
    run brig vet -q "$TT/root"
    assert_exit 0
    run brig vet -q --sarif-in "$TT/log.sarif" "$TT/root"
    assert_exit 1
    assert_line '^CRITICAL +a bad tool$'
    assert_line 'Other-Scanner/X1  /usr/bin/tool'
    assert_line 'Other Scanner found it: remove it'
    vet_json --sarif-in "$TT/log.sarif" "$TT/root"
    assert_eq "$(member '[.findings[] | select(.check == "sarif") | "\(.level) \(.rule) \(.path) \(.more.suppressed)"] | join("|")')" \
        "critical Other-Scanner/X1 usr/bin/tool false|low Other-Scanner/X2 not/there false|info Other-Scanner/X2 null true"
    # The same policy file as for brig's own findings.
    echo '{"exceptions":[{"rule":"Other-Scanner/X1","path":"usr/bin/tool","reason":"ours","expires":"2199-01-01"}]}' | install -m 0600 /dev/stdin "$TT/vet.json"
    run brig vet -q --policy "$TT/vet.json" --sarif-in "$TT/log.sarif" "$TT/root"
    assert_exit 0
    echo '{"exceptions":[{"rule":"Other-Scanner/X1","reason":"ours","expires":"2024-01-01"}]}' | install -m 0600 /dev/stdin "$TT/vet.json"
    run brig vet -q --policy "$TT/vet.json" --sarif-in "$TT/log.sarif" "$TT/root"
    assert_exit 1
    echo '{"fail_on":"never","forbidden":["Other-Scanner/*"]}' | install -m 0600 /dev/stdin "$TT/vet.json"
    run brig vet -q --policy "$TT/vet.json" --sarif-in "$TT/log.sarif" "$TT/root"
    assert_exit 1
    assert_line 'Other-Scanner/X1 Other-Scanner/X2'
    # brig reads what brig writes; a log that is cut says nothing, so nobody looked.
    brig vet -q --fail-on never --format sarif --sarif-in "$TT/log.sarif" "$TT/root" >"$TT/own.sarif"
    vet_json --sarif-in "$TT/own.sarif" "$TT/root"
    assert_eq "$(member '[.findings[] | select(.rule == "brig-vet/Other-Scanner/X1") | .level] | join(" ")')" critical
    head -c 400 "$TT/log.sarif" >"$TT/cut.sarif"
    run brig vet -q --sarif-in "$TT/cut.sarif" "$TT/root"
    assert_exit 2
    assert_line 'cut.sarif'
    run brig vet -q --sarif-in "$TT/none.sarif" "$TT/root"
    assert_exit 2
}
