#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A person's own rules of secrets and malware, and what a finding of a secret says and does not say.

load lib

setup_file() { brig_setup; }
teardown_file() { brig_teardown; }
setup() {
    brig_begin
    export BRIG_CONFIG=$TT/config
    mkdir -m 0700 "$BRIG_CONFIG" "$BRIG_CONFIG/yara"
    brig_conf
}
teardown() { brig_end; }

vet_json() { run --separate-stderr brig vet -q --fail-on never --format json "$@"; }

@test "own rules of malware are used; a broken one is told by file and line, one that others can write is refused" {
    local layout
    layout=$(test_image tiny)
    vet_json "$layout"
    assert_ok
    assert_eq "$(jq '[.findings[] | select(.rule == "V8-mine")] | length' <<<"$output")" 0
    echo 'rule mine { meta: level = "low" title = "a busybox" strings: $a = "BusyBox v1" condition: $a and filename == "busybox" }' \
        >"$BRIG_CONFIG/yara/a.yar"
    chmod 0600 "$BRIG_CONFIG/yara/a.yar"
    vet_json "$layout"
    assert_ok
    assert_eq "$(jq -r '.findings[] | select(.rule == "V8-mine") | "\(.level) \(.path) \(.title)"' <<<"$output")" "low bin/busybox a busybox"
    chmod 0666 "$BRIG_CONFIG/yara/a.yar"
    vet_json "$layout"
    assert_exit 2
    printf 'rule a {\n condition: nothing }\n' >"$BRIG_CONFIG/yara/a.yar"
    chmod 0600 "$BRIG_CONFIG/yara/a.yar"
    run brig vet -q "$layout"
    assert_exit 2
    assert_line '/yara/a.yar:2: undefined identifier "nothing"'
}

@test "a secret in a deleted file is told with layer, history and length, and never in full" {
    local secret=Tr0ub4dorAndThree
    "$REPO_TESTS/images/layer" "$TT/1.tar" "d|root|0700" "f|root/.netrc|0600|0|0|=machine h login me password $secret\n"
    "$REPO_TESTS/images/layer" "$TT/2.tar" "f|root/.wh..netrc|0644|0|0|="
    "$REPO_TESTS/images/oci-layout" "$TT/layout" t:latest '{"Env":["DB_PASSWORD='$secret'"]}' "$TT/1.tar" "$TT/2.tar"
    vet_json "$TT/layout"
    assert_ok
    assert_eq "$(jq -r '.findings[] | select(.rule == "V7-netrc") | "\(.level) \(.path) \(.layer) \(.hidden) \(.more.length)"' <<<"$output")" \
        "high root/.netrc 0 true ${#secret}"
    assert_eq "$(jq -r '[.findings[] | select(.rule == "V7-env-password") | .level] | join(" ")' <<<"$output")" high
    [[ $output != *"$secret"* ]]
    # A rule of one's own.
    printf 'rule own low a word of ours\n  find Tr0ub4dor(\\w+)\n  why it is ours\n' >"$BRIG_CONFIG/vet-secrets.rules"
    chmod 0600 "$BRIG_CONFIG/vet-secrets.rules"
    vet_json "$TT/layout"
    assert_ok
    assert_eq "$(jq -r '[.findings[] | select(.rule == "V7-own") | .path // "env"] | sort | join(" ")' <<<"$output")" "env root/.netrc"
    echo 'rule own low' >"$BRIG_CONFIG/vet-secrets.rules"
    run brig vet -q "$TT/layout"
    assert_exit 2
    assert_line 'vet-secrets.rules:1: not "rule NAME LEVEL TITLE"'
}

@test "the report is the same however many threads look, of an image and of a folder" {
    local layout
    layout=$(test_image base)
    mkdir "$TT/root" "$TT/root/etc"
    echo 'root:x:0:0::/root:/bin/sh' >"$TT/root/etc/passwd"
    # Larger than what is copied: it is mapped.
    { head -c 20M /dev/zero; echo 'AWS_SECRET_ACCESS_KEY=no'; printf '%s\n' '-----BEGIN RSA PRIVATE KEY-----'; } >"$TT/root/big"
    for i in $(seq 40); do
        echo "machine h$i login me password Tr0ub4dorAndThree$i" >"$TT/root/etc/.netrc"
        mkdir "$TT/root/d$i"
        mv "$TT/root/etc/.netrc" "$TT/root/d$i/.netrc"
    done
    vet_json -j 1 "$layout"
    assert_ok
    local one=$output
    vet_json -j 5 "$layout"
    assert_ok
    assert_eq "$output" "$one"
    vet_json -j 1 "$TT/root"
    assert_ok
    one=$output
    assert_eq "$(jq '[.findings[] | select(.rule == "V7-netrc")] | length' <<<"$output")" 40
    vet_json -j 7 "$TT/root"
    assert_ok
    assert_eq "$output" "$one"
    run brig vet -j 0 "$TT/root"
    assert_exit 2
    assert_line 'a number from 1 to 64'
}

@test "a secret that two rules know is told once, by the one that knows what it is" {
    local key
    key=$(head -c 30 /dev/urandom | base64 -w0)
    "$REPO_TESTS/images/layer" "$TT/1.tar" "f|etc/x|0644|0|0|=x"
    "$REPO_TESTS/images/oci-layout" "$TT/layout" t:latest '{"Env":["AWS_SECRET_ACCESS_KEY='"$key"'","DB_PASSWORD=Tr0ub4dorAndThree"]}' "$TT/1.tar"
    vet_json "$TT/layout"
    assert_ok
    assert_eq "$(jq -r '[.findings[] | select(.check == "secrets") | .rule] | sort | join(" ")' <<<"$output")" "V7-aws-secret-key V7-env-password"
}
