#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What brig vet looks at, what it says and with which exit code, and that it is locked in while it looks.

load lib

setup_file() { brig_setup tiny; }
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

# The rules of the findings of `brig vet --format json` in $output, sorted, in one line; with a path: of that path.
rules() { jq -r --arg p "${1:-}" '[.findings[] | select($p == "" or .path == $p) | .rule] | sort | unique | join(" ")' <<<"$output"; }
vet_json() { run --separate-stderr brig vet -q --format json "$@"; }

@test "an image, a container, a layout, an archive and a folder are looked at" {
    local layout
    layout=$(test_image tiny)
    vet_json tiny
    assert_ok
    local files
    files=$(jq .files <<<"$output")
    [ "$files" -gt 100 ]
    assert_eq "$(jq -r '.digest[:7]' <<<"$output")" sha256:
    vet_json "$layout"
    assert_ok
    assert_eq "$(jq .files <<<"$output")" "$files"
    brig save -q -o "$TT/tiny.tar" tiny
    vet_json "$TT/tiny.tar"
    assert_ok
    assert_eq "$(jq .files <<<"$output")" "$files"
    mkdir -p "$TT/root/etc"
    echo x >"$TT/root/etc/file"
    vet_json "$TT/root"
    assert_ok
    assert_eq "$(jq .files <<<"$output")" 3
    brig run --name box --net none tiny sh -c 'echo x >/new; rm /etc/passwd'
    vet_json box
    assert_ok
    assert_eq "$(jq '.layers | length' <<<"$output")" 2
    [ "$(jq .files <<<"$output")" -gt "$files" ]
    # What was unpacked for the look is gone, and the store knows nothing of it.
    assert_eq "$(find "${TMPDIR:-/var/tmp}" -maxdepth 1 -name 'brig-vet-*' -user "$(id -u)" -newer "$TT" | wc -l)" 0
    assert_eq "$(brig images -q | wc -l)" 1
}

@test "exit codes: 0 clean, 1 something as bad as --fail-on, 2 could not look" {
    make_image open '{"ExposedPorts":{"22/tcp":{}},"User":"1000"}'
    vet_json open
    assert_exit 0
    assert_eq "$(jq -r '[.findings[] | select(.check == "config") | .rule] | join(" ")' <<<"$output")" "V10-login-port"
    run brig vet -q --fail-on medium open
    assert_exit 1
    assert_line '^MEDIUM +the image exposes port 22/tcp$'
    run brig vet -q --fail-on never open
    assert_exit 0
    run brig vet -q nothing-of-this-name
    assert_exit 2
    run brig vet -q --fail-on worst open
    assert_exit 2
    echo rubbish >"$TT/rubbish.tar"
    run brig vet -q "$TT/rubbish.tar"
    assert_exit 2
    run brig vet -q --format xml open
    assert_exit 2
}

@test "the process that looks has no network, no writable path, no new privileges, and few system calls" {
    # Its report does not fit into a pipe that nobody reads, so it stands still while it is looked at.
    # What it can still do is told from inside by tests/unit/vet_look.c.
    local i layers=() parent child
    "$REPO_TESTS/images/layer" "$TT/l.tar" 'f|file|0644|0|0|=x'
    for i in $(seq 60); do layers+=("$TT/l.tar"); done
    "$REPO_TESTS/images/oci-layout" "$TT/many" many:latest '{}' "${layers[@]}"
    brig load -q -i "$TT/many"
    mkfifo "$TT/out"
    exec 7<>"$TT/out"
    python3 -c 'import fcntl; fcntl.fcntl(7, 1031, 4096)'
    "$BRIG" vet -q --format json many >&7 7>&- 3>&- &
    parent=$!
    looks() { child=$(pgrep -P "$parent") && grep -q '^Seccomp:[[:space:]]2' "/proc/$child/status"; }
    wait_for 30 looks
    child=$(pgrep -P "$parent")
    grep -q '^NoNewPrivs:[[:space:]]1' "/proc/$child/status"
    # CAP_DAC_READ_SEARCH at most, and that as root only.
    if [ "$MODE" = root ]; then i=0000000000000004; else i=0000000000000000; fi
    assert_eq "$(sed -n 's/^CapEff:[[:space:]]*//p' "/proc/$child/status")" "$i"
    # Whoever starts it and dies takes it along.
    kill -9 "$parent"
    wait_for 10 process_gone "$child" "$(process_start "$child" | cut -d' ' -f2)"
    exec 7>&-
}

@test "a table of files that is not what was unpacked is not believed, until the image is loaded anew" {
    brig image rm tiny >/dev/null 2>&1 || true
    brig load -q -i "$(test_image tiny)" 2>/dev/null
    run brig vet -q --fail-on never tiny
    assert_ok
    local table
    table=$(find "$BRIG_DATA/layers" -name table | head -1)
    chmod u+w "$table" "${table%/*}"
    # A program vanishes from what vet would see.
    grep -v 'busybox' "$table" >"$TT/table" && cat "$TT/table" >"$table"
    run brig vet -q --fail-on never tiny
    assert_exit 2
    assert_line 'layers/.*/table is not what was unpacked'
    assert_line 'hint: brig image rm it'
    brig image rm tiny >/dev/null
    brig load -q -i "$(test_image tiny)" 2>/dev/null
    run brig vet -q --fail-on never tiny
    assert_ok
}
