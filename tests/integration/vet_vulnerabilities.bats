#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is known about packages: importing advisories, and whether exactly what is vulnerable is found. The truth is worked out by
# vet_truth.py, with dpkg's own comparison of versions, from the whole lists of Debian's advisories up to April 2023.

load lib
load registry

LISTS=("$REPO_TESTS/data/debian-dsa-2023-04.list.xz" "$REPO_TESTS/data/debian-dla-2023-04.list.xz")

setup_file() {
    brig_setup
    xz -dc "${LISTS[0]}" >"$T/dsa.list"
    xz -dc "${LISTS[1]}" >"$T/dla.list"
}
teardown_file() { brig_teardown; }
setup() {
    brig_begin
    rm -rf "$BRIG_DATA/vet"
}
teardown() {
    servers_stop "$TT/certs"
    brig_conf
    brig_end
}

truth() { python3 "$REPO_TESTS/integration/vet_truth.py" "$@"; }
vet_json() { run --separate-stderr brig vet -q --fail-on never --format json "$@"; }
member() { jq -r "$1" <<<"$output"; }
# "PACKAGE VERSION CVE" of each vulnerability in $output, as vet_truth.py prints them.
found() { jq -r '.findings[] | select(.check == "vulnerabilities" and .more.package) | .more | "\(.package) \(.version) \(.cve)"' <<<"$output" | LC_ALL=C sort; }
cves() { jq -r '[.findings[] | select(.check == "vulnerabilities") | "\(.rule):\(.level)"] | sort | join(" ")' <<<"$output"; }
not_looked() { jq -r '.facts.not_looked // [] | .[]' <<<"$output"; }

# A root folder with Debian packages: debian_root DIR [PACKAGE VERSION]...
debian_root() {
    local dir=$1
    shift
    mkdir -p "$dir/var/lib/dpkg" "$dir/etc"
    printf 'ID=debian\nVERSION_ID="11"\nVERSION_CODENAME=bullseye\n' >"$dir/etc/os-release"
    : >"$dir/var/lib/dpkg/status"
    while [ $# -gt 1 ]; do
        printf 'Package: %s\nStatus: install ok installed\nArchitecture: amd64\nMaintainer: x\nVersion: %s\nDescription: x\n\n' "$1" "$2" >>"$dir/var/lib/dpkg/status"
        shift 2
    done
}

@test "without advisories the report says that nobody looked, and only --require-db fails" {
    debian_root "$TT/root" curl 7.74.0-1
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(cves)" ""
    assert_eq "$(not_looked | grep vulnerabilities)" "known vulnerabilities: there are no advisories on this machine (brig vet db import)"
    assert_eq "$(member '.facts | has("vulnerabilities")')" false
    run brig vet -q "$TT/root"
    assert_line '^NOT LOOKED AT  known vulnerabilities: there are no advisories'
    run brig vet -q --require-db "$TT/root"
    assert_exit 2
    assert_line 'require-db: there are no advisories on this machine'
    # There are some, but not for these packages.
    printf '{"id": "GHSA-1", "modified": "1", "affected": [{"package": {"ecosystem": "npm", "name": "a"}, "versions": ["1"]}]}' >"$TT/osv.json"
    brig vet db import -q "$TT/osv.json"
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(not_looked | grep vulnerabilities)" "known vulnerabilities of 1 packages: there are no advisories for deb/debian bullseye"
    run brig vet -q --require-db "$TT/root"
    assert_exit 2
    assert_line 'require-db: there are no advisories for deb/debian bullseye'
}

@test "of every source package in Debian's lists exactly the vulnerable versions are found" {
    truth root "$TT/root" bullseye 11 "$T/dsa.list" "$T/dla.list"
    truth expect "$TT/root" bullseye "$T/dsa.list" "$T/dla.list" | LC_ALL=C sort >"$TT/expected"
    [ "$(wc -l <"$TT/expected")" -gt 3000 ]
    brig vet db import -q "${LISTS[@]}"
    vet_json "$TT/root"
    assert_ok
    found >"$TT/found"
    run diff "$TT/expected" "$TT/found"
    assert_ok
    # Versions at the fix or behind it are a good part of what was looked at: silence about them was asked for.
    vet_json "$TT/root"
    assert_eq "$(member .facts.vulnerabilities.looked)" "$(grep -c ^Package: "$TT/root/var/lib/dpkg/status")"
    [ "$(cut -d' ' -f1,2 "$TT/expected" | sort -u | wc -l)" -lt "$(($(member .facts.vulnerabilities.looked) * 2 / 3))" ]
    not_looked | grep -q '^vulnerabilities of deb/debian bullseye that became known after 2023-0'
}

@test "a root at the main archive's versions is vulnerable, the same with security updates is not" {
    debian_root "$TT/main" curl 7.74.0-1.3+deb11u3 xorg-server 2:1.20.11-1+deb11u1 apr 1.7.0-6+deb11u1 hello 2.10-2
    debian_root "$TT/security" curl 7.74.0-1.3+deb11u7 xorg-server 2:1.20.11-1+deb11u6 apr 1.7.0-6+deb11u2 hello 2.10-2
    brig vet db import -q "${LISTS[@]}"
    vet_json "$TT/main"
    assert_ok
    truth expect "$TT/main" bullseye "$T/dsa.list" "$T/dla.list" | LC_ALL=C sort >"$TT/expected"
    [ "$(wc -l <"$TT/expected")" -gt 10 ]
    assert_eq "$(found)" "$(<"$TT/expected")"
    assert_eq "$(member '[.findings[] | select(.more.cve == "CVE-2023-1393") | .more | .package, .fixed, .advisory, .status] | join(" ")')" \
        "xorg-server 2:1.20.11-1+deb11u6 DSA-5380-1 affected"
    vet_json "$TT/security"
    assert_ok
    assert_eq "$(found)" ""
}

@test "what attackers use and what they probably will weighs more; --fail-on goes by it" {
    debian_root "$TT/root" curl 7.74.0-1.3+deb11u6
    brig vet db import -q "${LISTS[0]}"
    vet_json "$TT/root"
    assert_eq "$(cves)" "CVE-2023-23916:medium"
    run brig vet -q "$TT/root"
    assert_exit 0
    printf 'cve,epss,percentile\nCVE-2023-23916,0.6,0.99\n' | gzip >"$TT/epss.csv.gz"
    run brig vet db import "$TT/epss.csv.gz"
    assert_ok
    assert_line 'epss.csv.gz: 1 statements$'
    vet_json "$TT/root"
    assert_eq "$(cves)" "CVE-2023-23916:high"
    run brig vet -q "$TT/root"
    assert_exit 1
    printf '{"catalogVersion": "1", "vulnerabilities": [{"cveID": "CVE-2023-23916", "dateAdded": "2023-03-01", "knownRansomwareCampaignUse": "Known"}]}' >"$TT/kev.json"
    brig vet db import -q "$TT/kev.json"
    run brig vet -q --fail-on critical "$TT/root"
    assert_exit 1
    assert_line '^CRITICAL +CVE-2023-23916 in curl 7.74.0-1.3\+deb11u6, fixed in 7.74.0-1.3\+deb11u7$'
    assert_line 'attacks use it \(known to CISA since 2023-03-01, ransomware too\); see DSA-5365-1$'
}

@test "what the distribution says of a CVE counts: minor, not affected, end of life, not yet looked at" {
    debian_root "$TT/root" a 1.0-1 b 1.0-1
    cat >"$TT/tracker.json" <<'END'
{"a": {"CVE-2023-0001": {"releases": {"bullseye": {"status": "resolved", "fixed_version": "0", "urgency": "high"}}},
       "CVE-2023-0002": {"releases": {"bullseye": {"status": "open", "urgency": "high", "nodsa": "Minor issue"}}},
       "CVE-2023-0003": {"releases": {"bullseye": {"status": "undetermined", "urgency": "high"}}},
       "CVE-2023-0004": {"description": "Boom", "releases": {"bullseye": {"status": "open", "urgency": "end-of-life"}}},
       "CVE-2023-0005": {"releases": {"bullseye": {"status": "resolved", "fixed_version": "1.0-1+deb11u1", "urgency": "high"}}},
       "CVE-2023-0006": {"releases": {"bookworm": {"status": "open", "urgency": "high"}}}}}
END
    # The lists are the weaker word: they would say that a is vulnerable to 0001.
    printf '[01 Jan 2023] DSA-1-1 a - security update\n\t{CVE-2023-0001 CVE-2023-0007}\n\t[bullseye] - a 2.0-1\n' >"$TT/list"
    brig vet db import -q "$TT/tracker.json" "$TT/list"
    vet_json "$TT/root"
    assert_eq "$(cves)" "CVE-2023-0002:low CVE-2023-0003:info CVE-2023-0004:medium CVE-2023-0005:high CVE-2023-0007:medium"
    assert_eq "$(member '.findings[] | select(.rule == "CVE-2023-0004") | .why')" "the distribution no longer looks after this package; Boom"
}

@test "VEX and ignore files excuse with their reason; an expired line is a finding" {
    debian_root "$TT/root" curl 7.74.0-1.3+deb11u6 apr 1.7.0-6+deb11u1 dino-im 0.2.0-3
    brig vet db import -q "${LISTS[0]}"
    vet_json "$TT/root"
    local every="CVE-2022-24963 CVE-2023-23916 CVE-2023-28686"
    assert_eq "$(member '[.findings[] | select(.more.fixed) | .rule] | unique | map(select(. == "CVE-2022-24963" or . == "CVE-2023-23916" or . == "CVE-2023-28686")) | join(" ")')" "$every"
    cat >"$TT/vex.json" <<'END'
{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/1", "author": "us", "timestamp": "2023-04-01T00:00:00Z", "version": 1, "statements": [
 {"vulnerability": {"name": "CVE-2023-23916"}, "products": [{"@id": "pkg:deb/debian/curl@7.74.0-1.3%2Bdeb11u6"}], "status": "not_affected",
  "justification": "vulnerable_code_not_in_execute_path"}]}
END
    printf '# known\nCVE-2022-24963 apr 2199-12-31 only used by a tool\nCVE-2023-28686 dino-im 2023-04-01 until the next release\n' >"$TT/ignore"
    vet_json --vex "$TT/vex.json" --ignore "$TT/ignore" "$TT/root"
    assert_ok
    assert_eq "$(cves)" "CVE-2023-28686:medium V9-expired-exception:medium"
    assert_eq "$(member '.facts.vulnerabilities.excused | map("\(.cve) \(.reason)") | sort | join("|")')" \
        "CVE-2022-24963 only used by a tool|CVE-2023-23916 vulnerable_code_not_in_execute_path"
    assert_eq "$(member '.findings[] | select(.rule == "V9-expired-exception") | .title' | sed "s|$TT||")" \
        "the exception for CVE-2023-28686 in /ignore line 3 ended on 2023-04-01"
    # A file that is wrong excuses nothing: brig could not look.
    printf 'CVE-2022-24963 apr 2199-12-31\n' >"$TT/ignore"
    run brig vet -q --ignore "$TT/ignore" "$TT/root"
    assert_exit 2
    assert_line 'ignore line 1: CVE-2022-24963 is ignored without a reason'
}

@test "zip and tar archives are read, a feed replaces itself, a broken file changes nothing" {
    mkdir "$TT/osv"
    printf '{"id": "GHSA-1", "modified": "1", "aliases": ["CVE-2023-1111"], "affected": [{"package": {"ecosystem": "PyPI", "name": "zope-interface"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "5.0"}]}]}]}' >"$TT/osv/GHSA-1.json"
    echo hello >"$TT/osv/README"
    (cd "$TT/osv" && python3 -m zipfile -c "$TT/all.zip" GHSA-1.json README)
    run brig vet db import "$TT/all.zip"
    assert_ok
    assert_line 'all.zip: 1 statements, 1 left out$'
    mkdir -p "$TT/root/usr/lib/python3/dist-packages/zope.interface-4.9.dist-info"
    printf 'Metadata-Version: 2.1\nName: Zope.Interface\nVersion: 4.9\n' >"$TT/root/usr/lib/python3/dist-packages/zope.interface-4.9.dist-info/METADATA"
    vet_json "$TT/root"
    assert_eq "$(cves)" "CVE-2023-1111:medium"
    sed -i 's/"5.0"/"4.9"/' "$TT/osv/GHSA-1.json"
    tar -C "$TT/osv" -caf "$TT/one.tar.xz" GHSA-1.json
    # Two files in one import: the second one is broken at its end, so the first is not taken either.
    printf '[01 Jan 2023] DSA-1-1 a - x\n\t[bullseye] - a 1\n\tbroken\n' >"$TT/broken"
    run brig vet db import "$TT/one.tar.xz" "$TT/broken"
    assert_exit 2
    assert_line 'broken line 3: neither CVEs nor a package nor a note'
    vet_json "$TT/root"
    assert_eq "$(cves)" "CVE-2023-1111:medium"
    brig vet db import -q "$TT/one.tar.xz"
    vet_json "$TT/root"
    assert_eq "$(cves)" ""
    assert_eq "$(ls "$BRIG_DATA/vet")" $'advisories.db\nlock'
    for file in "$TT/osv/README" "$TT/nothing" "$TT"; do
        run brig vet db import "$file"
        assert_exit 2
    done
}

@test "status tells feeds, counts and age; what is no index is refused" {
    run brig vet db status
    assert_ok
    assert_eq "$output" "no advisories: brig vet db import FILE..."
    run brig vet db status --format json
    assert_eq "$(member '"\(.feeds | length) \(.age)"')" "0 null"
    brig vet db import -q "${LISTS[@]}"
    run brig vet db status
    assert_ok
    assert_line '^debian-dsa +23[0-9]{3} +2023-03-29 +.* ago +debian-dsa-2023-04.list.xz$'
    assert_line '^debian-dla +11[0-9]{3} +2023-04-01 '
    run brig vet db status --format json
    assert_eq "$(member '.feeds | map(.name) | join(" ")')" "debian-dla debian-dsa"
    assert_eq "$(member '.feeds[1].sha256')" "$(sha256sum <"${LISTS[0]}" | cut -d' ' -f1)"
    [ "$(member .age)" -lt 3600 ]
    assert_eq "$(member '.places[] | select(.release == "bullseye") | .packages')" \
        "$(cat "$T/dsa.list" "$T/dla.list" | sed -n 's/^\s*\[bullseye\]\s*-\s*\([^ ]*\).*/\1/p' | sort -u | wc -l)"
    echo "this is no index" >"$BRIG_DATA/vet/advisories.db"
    debian_root "$TT/root" curl 1
    for words in "db status" "-q $TT/root" "db import ${LISTS[0]}"; do
        # shellcheck disable=SC2086 # words on purpose
        run brig vet $words
        assert_exit 2
        assert_line 'not a database|not an index of advisories|is damaged'
    done
}

@test "update fetches what brig.conf names, over TLS that it can verify, or changes nothing" {
    run brig vet db update
    assert_exit 2
    assert_line 'brig.conf names no advisories'
    certs_make "$TT/certs"
    mkdir "$TT/files"
    cp "${LISTS[0]}" "$TT/files/dsa.list.xz"
    printf 'cve,epss,percentile\nCVE-2023-23916,0.6,0.99\n' | gzip >"$TT/files/epss.csv.gz"
    "$REPO_TESTS/registry/files.py" "$TT/certs" "$TT/files" >"$TT/certs/out" 2>&1 3>&- &
    echo $! >>"$TT/certs/pids"
    wait_for 20 test -f "$TT/certs/files-ready" || { cat "$TT/certs/out"; return 1; }
    local server
    server=127.0.0.1:$(<"$TT/certs/files-ready")
    brig_conf "advisories = https://$server/dsa.list.xz, https://$server/epss.csv.gz"
    # Nobody vouches for this certificate.
    run brig vet db update
    assert_exit 2
    assert_line 'certificate'
    assert_eq "$(ls "$BRIG_DATA/vet")" ""
    trust_registry "$TT/certs" "$server"
    run brig vet db update
    assert_ok
    assert_line 'dsa.list.xz: 23[0-9]{3} statements'
    run brig vet db status --format json
    assert_eq "$(member '.feeds | map("\(.name) \(.file)") | join("|")')" "debian-dsa dsa.list.xz|epss epss.csv.gz"
    assert_eq "$(ls "$BRIG_DATA/vet")" $'advisories.db\netags.json\nlock'
    # What is as it was is not sent again, as the server sees it; what changed is.
    : >"$TT/certs/files-log"
    run brig vet db update
    assert_ok
    assert_line '/dsa.list.xz: as it was$'
    assert_eq "$(sort "$TT/certs/files-log")" $'304 /dsa.list.xz\n304 /epss.csv.gz'
    printf 'cve,epss,percentile\nCVE-2023-23916,0.7,0.99\nCVE-2023-23918,0.1,0.1\n' | gzip >"$TT/files/epss.csv.gz"
    : >"$TT/certs/files-log"
    run brig vet db update
    assert_ok
    assert_line 'epss.csv.gz: 2 statements'
    assert_eq "$(sort "$TT/certs/files-log")" $'200 /epss.csv.gz\n304 /dsa.list.xz'
    run brig vet db status --format json
    assert_eq "$(member '"\(.epss) \(.feeds | length)"')" "2 2"
    # A file that was imported by hand, or an index that is gone: all is asked for again.
    printf 'cve,epss,percentile\nCVE-2023-23916,0.6,0.99\n' >"$TT/hand.csv"
    brig vet db import -q "$TT/hand.csv"
    : >"$TT/certs/files-log"
    brig vet db update -q
    assert_eq "$(sort "$TT/certs/files-log")" $'200 /dsa.list.xz\n200 /epss.csv.gz'
    rm "$BRIG_DATA/vet/advisories.db"
    : >"$TT/certs/files-log"
    brig vet db update -q
    assert_eq "$(sort "$TT/certs/files-log")" $'200 /dsa.list.xz\n200 /epss.csv.gz'
    # One that ends too early, with a length or in chunks, is no file, and nothing changes.
    local state
    state=$(stat -c '%i %Y' "$BRIG_DATA/vet/advisories.db" "$BRIG_DATA/vet/etags.json")
    for way in cut chunked; do
        brig_conf "advisories = https://$server/$way/epss.csv.gz, https://$server/dsa.list.xz" 'registry_timeout = 5s'
        run brig vet db update
        assert_exit 2
        assert_line "$way/epss.csv.gz: "
        assert_eq "$way $(stat -c '%i %Y' "$BRIG_DATA/vet/advisories.db" "$BRIG_DATA/vet/etags.json")" "$way $state"
    done
    printf 'cve,epss,percentile\nCVE-2023-23916,0.6,0.99\n' | gzip >"$TT/files/epss.csv.gz"
    brig_conf "advisories = https://$server/dsa.list.xz, https://$server/epss.csv.gz"
    brig vet db update -q
    # One that is away: the other is not taken either.
    printf 'cve,epss,percentile\nCVE-2023-23916,0.1,0.1\nCVE-2023-23917,0.1,0.1\n' | gzip >"$TT/files/epss.csv.gz"
    brig_conf "advisories = https://$server/epss.csv.gz, https://$server/none"
    run brig vet db update
    assert_exit 2
    assert_line '/none: .*404'
    run brig vet db status --format json
    assert_eq "$(member .epss)" 1
    # Plain HTTP, or a user in the URL, is no way to get them.
    for url in "http://$server/epss.csv.gz" "https://me:secret@$server/epss.csv.gz" file:///etc/passwd; do
        brig_conf "advisories = $url"
        run brig vet db update
        assert_exit 2
        assert_line 'is not a URL like https://'
    done
    brig_conf
    assert_eq "$(ls "$BRIG_DATA/vet")" $'advisories.db\netags.json\nlock'
}

@test "the process that parses advisories opens no file and no socket" {
    need_command strace
    strace -f -qq -e trace=open,openat,openat2,creat,socket,connect,execve,landlock_restrict_self -o "$TT/log" \
        "$BRIG" vet db import -q "${LISTS[0]}"
    local pid
    pid=$(awk '/landlock_restrict_self/ { print $1; exit }' "$TT/log")
    [ -n "$pid" ] || { grep -q landlock "$BRIG_CONFIG/brig.conf" && skip "this machine has no Landlock"; }
    [ -n "$pid" ]
    run awk -v pid="$pid" '$1 == pid && inside && !/restrict_self|exited| = -1 E/ { print } $1 == pid && /landlock_restrict_self/ { inside = 1 }' "$TT/log"
    assert_eq "$output" ""
    [ -s "$BRIG_DATA/vet/advisories.db" ]
}
