#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Registries that lie (tests/registry/hostile.py): nothing of theirs is kept, no password leaves, time and memory are bounded.

load lib
load registry

setup_file() {
    brig_setup
    certs_make "$T/certs"
    LAYOUT=$(test_image tiny)
    export LAYOUT REGISTRY_AUTH_FILE=$T/auth.json
}
teardown_file() { brig_teardown; }
setup() {
    brig_begin
    brig_conf 'registry_timeout = 2'
    echo '{}' >"$REGISTRY_AUTH_FILE"
}
teardown() {
    servers_stop "$T/certs"
    brig_end
}

store() { (cd "$BRIG_DATA" 2>/dev/null && find . -type f ! -name collect ! -name lock ! -name index.lock -printf '%p %s\n' | sort); }
login() { jq -n --arg h "$1" '{auths: {($h): {auth: ("alice:canary-secret" | @base64)}}}' >"$REGISTRY_AUTH_FILE"; }
requests() { jq -s "$1" "$T/certs/log"; }

# refused CASE REGEX: the pull fails with that message, in 30 seconds, in 200 MB, and leaves nothing.
refused() {
    local before peak
    before=$(store)
    hostile_start "$1" "$T/certs" "$LAYOUT"
    [ -z "${LOGIN:-}" ] || login "$HOSTILE"
    run timeout 30 /usr/bin/env time -f 'peak %M' "$BRIG" pull -q "$HOSTILE/evil/image:1"
    assert_exit 125
    assert_line "$2"
    assert_eq "$(store)" "$before" "$1 left something"
    [ -z "$(ls -A "$BRIG_DATA/loading" 2>/dev/null)" ] || fail "$1 left a folder in loading"
    peak=$(sed -n 's/^peak //p' <<<"$output")
    [ "${peak:-0}" -lt 200000 ] || fail "$1 took $peak KB"
    ! grep -q $'\033' <<<"$output" || fail "$1 reaches the terminal"
    if [ -f "$T/certs/log" ]; then
        assert_eq "$(requests 'map(select(.second and .headers.Authorization)) | length')" 0 "$1: a password went to another host"
        requests 'length' | { read -r n; [ "$n" -lt 200 ] || fail "$1: $n requests"; }
    fi
    servers_stop "$T/certs"
}

@test "an honest one is believed, directly and by an index (the control for all below)" {
    hostile_start good "$T/certs" "$LAYOUT"
    run brig pull "$HOSTILE/evil/image:1"
    assert_ok
    run brig image inspect -f '{{.Pulled}}' "$HOSTILE/evil/image:1"
    assert_line "^$HOSTILE/evil/image:1@sha256:[0-9a-f]{64}$"
    servers_stop "$T/certs"
    brig rmi -f "$HOSTILE/evil/image:1"
    ARCH=$(brig info -f '{{.Architecture}}' 2>/dev/null || true)
    case $(uname -m) in x86_64) ARCH=amd64 ;; aarch64) ARCH=arm64 ;; esac
    export ARCH
    hostile_start index "$T/certs" "$LAYOUT"
    run brig pull "$HOSTILE/evil/image:1"
    assert_ok
    brig rmi -f "$HOSTILE/evil/image:1"
}

@test "B11: blobs with other bytes, shorter, longer, endless or missing are refused" {
    refused wrong-digest 'the registry sends bytes with the digest sha256:'
    refused short 'descriptor says [0-9]+ bytes, the registry sends'
    refused long 'more than the [0-9]+ bytes'
    refused endless 'more than the [0-9]+ bytes'
    refused missing '404 BLOB_UNKNOWN: gone'
    refused size-lies 'descriptor says [0-9]+ bytes, the registry sends'
    refused size-huge 'image_size'
}

@test "B14: manifests of another digest, type, shape or size are refused" {
    refused huge-manifest 'more than the [0-9]+ bytes'
    refused endless-manifest 'more than the [0-9]+ bytes'
    refused type-other 'sent as application/json'
    refused type-none 'sent as nothing'
    refused type-confused 'says it is'
    refused artifact 'no image that can run'
    refused both 'manifest and index at once'
    refused keys-twice 'duplicate'
    refused digest-odd 'is not sha256:'
    refused digest-header 'announced as sha256:0000'
    refused layers-many 'layers, an image may have'
    refused not-json 'manifest'
    refused index-lies 'the registry sends sha256:'
    refused index-nested 'an index in an index'
    refused index-other-type 'its descriptor says'
}

@test "what was asked for by digest must have it" {
    local digest
    digest=$(jq -r '.manifests[0].digest' "$LAYOUT/index.json")
    hostile_start by-digest "$T/certs" "$LAYOUT"
    run brig pull -q "$HOSTILE/evil/image@$digest"
    assert_exit 125
    assert_line "asked for $digest, the registry sends sha256:"
    servers_stop "$T/certs"
    hostile_start good "$T/certs" "$LAYOUT"
    run brig pull -q "$HOSTILE/evil/image@$digest"
    assert_ok
    run brig image inspect -f '{{.Pulled}}' "$HOSTILE/evil/image@$digest"
    assert_line "@$digest$"
    brig rmi -f "$(brig images -q --no-trunc)"
}

@test "B16: a redirect to another host gets the blob and no password" {
    hostile_start redirect-host "$T/certs" "$LAYOUT"
    login "$HOSTILE"
    # Without knowing the second host's authority there is no connection to it.
    run brig pull -q "$HOSTILE/evil/image:1"
    assert_exit 125
    assert_line 'no trusted connection to localhost:'
    SSL_CERT_FILE=$T/certs/cert.pem run brig pull -q "$HOSTILE/evil/image:1"
    assert_ok
    assert_eq "$(requests 'map(select(.second)) | length > 0')" true
    assert_eq "$(requests 'map(select((.second | not) and .headers.Authorization)) | length > 0')" true
    assert_eq "$(requests 'map(select(.second and .headers.Authorization)) | length')" 0
    ! jq -s 'map(select(.second))' "$T/certs/log" | grep -q canary || fail "the password went to the second host"
    brig rmi -f "$HOSTILE/evil/image:1"
}

@test "B16 B17: redirects to no TLS, to other schemes, to metadata addresses and in circles are refused" {
    LOGIN=1
    refused redirect-plain 'redirects from TLS to a place without'
    refused redirect-loop 'more than 5 redirects'
    refused redirect-metadata '169.254.169.254, which has a link-local address'
    refused redirect-file 'redirects from TLS|nowhere that can be used|cannot reach'
    refused redirect-user 'nowhere that can be used'
}

@test "B16: a password goes to no token server of another domain, unless brig.conf names it" {
    LOGIN=1
    refused realm-other-host 'wants its password sent to localhost:[0-9]+, which is in another domain'
    refused realm-plain 'has no TLS'
    refused realm-file 'no TLS|no token server'
    LOGIN=
    refused realm-metadata 'link-local address'
    hostile_start realm-other-host "$T/certs" "$LAYOUT"
    login "$HOSTILE"
    brig_conf "token_servers = $SECOND"
    SSL_CERT_FILE=$T/certs/cert.pem run brig pull -q "$HOSTILE/evil/image:1"
    assert_ok
    assert_eq "$(requests 'map(select(.second and .headers.Authorization)) | length')" 1
    brig rmi -f "$HOSTILE/evil/image:1"
}

@test "logins that never end, odd challenges and odd tokens are refused" {
    refused loop-401 '401'
    refused challenge-odd 'no kind that brig knows'
    refused challenge-digest 'no kind that brig knows'
    refused token-newline 'no token in its answer that could be one'
    refused token-endless 'more than the [0-9]+ bytes'
    refused token-other 'no object'
    refused basic 'asks for user and password'
}

@test "slow and broken ones are given up, and a broken transfer goes on where it broke" {
    refused loris-manifest 'timed out|too slow'
    BRIG_TIMEOUT=60 refused_slow loris
    refused headers-endless 'headers|Too large'
    refused range-lies 'a part was asked for'
    hostile_start cut "$T/certs" "$LAYOUT"
    run brig pull -q "$HOSTILE/evil/image:1"
    assert_ok
    assert_eq "$(requests 'map(select(.headers.Range)) | length >= 2')" true
    brig rmi -f "$HOSTILE/evil/image:1"
    servers_stop "$T/certs"
    hostile_start range-ignored "$T/certs" "$LAYOUT"
    run brig pull -q "$HOSTILE/evil/image:1"
    assert_ok
    brig rmi -f "$HOSTILE/evil/image:1"
}

@test "I14: answers that say to wait, and chunks that break off, are asked again a few times and then given up" {
    refused wait 'blob: the registry answers 503'
    refused chunk-cut 'cannot reach|cut|closed|a part was asked for'
}

# Each attempt may take its two seconds, and what lies between them.
refused_slow() {
    hostile_start "$1" "$T/certs" "$LAYOUT"
    SECONDS=0
    run brig pull -q "$HOSTILE/evil/image:1"
    assert_exit 125
    assert_line 'too slow|timed out'
    [ "$SECONDS" -lt 50 ] || fail "it took $SECONDS seconds"
    servers_stop "$T/certs"
}

# unasked CASE: the pull fails though the image is here, and says that it is not known whether it is signed.
unasked() {
    hostile_start "$1" "$T/certs" "$LAYOUT"
    run brig pull -q "$HOSTILE/evil/image:1"
    assert_exit 125
    assert_line 'could not be asked whether it is signed: signatures: the registry answers 500 UNKNOWN: disk'
    run brig image inspect -f '{{.Pulled}}' "$HOSTILE/evil/image:1"
    assert_ok
    brig rmi -f "$HOSTILE/evil/image:1"
    servers_stop "$T/certs"
}

@test "a registry that cannot say whether there are signatures has not said that there are none" {
    unasked sig-500
    unasked att-500
    unasked referrers-500
    unasked extension-500
}

# tags_refused CASE REGEX
tags_refused() {
    hostile_start "$1" "$T/certs" "$LAYOUT"
    login "$HOSTILE"
    run timeout 60 "$BRIG" image tags "$HOSTILE/evil/image"
    assert_exit 125
    assert_line "$2"
    ! grep -q $'\033' <<<"$output" || fail "$1 reaches the terminal"
    assert_eq "$(requests 'map(select(.second)) | length')" 0 "$1: another host was asked"
    servers_stop "$T/certs"
}

@test "B16: lists of tags that do not end, lead to another host or hold what is no tag are refused" {
    tags_refused tags-endless 'does not end|more than 100000 tags'
    tags_refused tags-other-host 'the next page asked of another host'
    tags_refused tags-file 'the next page asked of another host'
    tags_refused tags-escape 'a tag that is none'
    hostile_start tags-pages "$T/certs" "$LAYOUT"
    run brig image tags "$HOSTILE/evil/image"
    assert_ok
    assert_eq "$output" "$(printf 'a\nb\nc\nd')"
    run brig image tags -n 2 --last a "$HOSTILE/evil/image"
    assert_ok
    assert_eq "$output" "$(printf 'b\nc')"
}

# big_layout: LARGE, an image with a layer of 6 MB that does not compress.
big_layout() {
    mkdir -p "$TT/root"
    head -c 6000000 /dev/urandom >"$TT/root/bytes"
    tar -C "$TT/root" -cf "$TT/big.tar" .
    "$REPO_TESTS/images/oci-layout" "$TT/large" large:1 '{"Cmd":["/bytes"]}' "$TT/big.tar"
    LARGE=$TT/large
    BIG=$(jq -r '.layers[0].digest[7:]' "$LARGE/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$LARGE/index.json")")
}
# broken_off SIGNAL: a pull that has two thirds of the layer when it is ended by that.
broken_off() {
    local puller
    rm -f "$T/certs/stalled"
    hostile_start stall "$T/certs" "$LARGE"
    brig_conf 'registry_timeout = 100'
    "$BRIG" pull -q "$HOSTILE/evil/image:1" >/dev/null 2>&1 3>&- &
    puller=$!
    wait_for 10 test -f "$T/certs/stalled"
    wait_for 10 bash -c "[ \"\$(find '$BRIG_DATA/loading' '$BRIG_DATA/partial' -name $BIG -printf '%s\n' 2>/dev/null)\" -gt 3000000 ]"
    kill "-$1" "$puller"
    wait "$puller" || true
    servers_stop "$T/certs"
}
# goes_on: the next pull asks for the rest alone.
goes_on() {
    hostile_start cut "$T/certs" "$LARGE"
    run brig pull -q "$HOSTILE/evil/image:1"
    assert_ok
    assert_eq "$(jq -rs --arg b "$BIG" 'map(select(.path | endswith($b)))[0].headers.Range' "$T/certs/log")" "$1"
    servers_stop "$T/certs"
    run brig image verify --deep "$HOSTILE/evil/image:1"
    assert_ok
    refute_file "$BRIG_DATA/partial/$BIG"
    brig rmi -f "$HOSTILE/evil/image:1"
}

@test "a pull that is killed in the middle of a layer is gone on with by the next one, from where it was" {
    local size
    big_layout
    size=$(stat -c %s "$LARGE/blobs/sha256/$BIG")
    for signal in KILL INT; do
        broken_off "$signal"
        # The next command that meets what is left takes it out of there.
        goes_on "bytes=$((size * 2 / 3))-"
    done
    # What lies there and is not the beginning of the blob costs a second answer, and comes in nowhere.
    head -c 2000000 /dev/urandom >"$BRIG_DATA/partial/$BIG"
    goes_on 'bytes=2000000-'
    head -c 9000000 /dev/urandom >"$BRIG_DATA/partial/$BIG"
    hostile_start good "$T/certs" "$LARGE"
    run brig pull -q "$HOSTILE/evil/image:1"
    assert_ok
    assert_eq "$(jq -rs 'map(select(.headers.Range)) | length' "$T/certs/log")" 0
    brig rmi -f "$HOSTILE/evil/image:1"
    # All of it is there already.
    cp "$LARGE/blobs/sha256/$BIG" "$BRIG_DATA/partial/$BIG"
    run brig pull -q "$HOSTILE/evil/image:1"
    assert_ok
    brig rmi -f "$HOSTILE/evil/image:1"
    # A link in its place is not followed; what nobody went on with for a day is removed.
    servers_stop "$T/certs"
    echo kept >"$TT/other"
    ln -s "$TT/other" "$BRIG_DATA/partial/$BIG"
    head -c 2000000 /dev/urandom >"$BRIG_DATA/partial/$(printf '0%.0s' {1..64})"
    touch -d '2 days ago' "$BRIG_DATA/partial/$(printf '0%.0s' {1..64})"
    brig image prune -f >/dev/null
    refute_file "$BRIG_DATA/partial/$(printf '0%.0s' {1..64})"
    hostile_start good "$T/certs" "$LARGE"
    run brig pull -q "$HOSTILE/evil/image:1"
    assert_ok
    assert_eq "$(cat "$TT/other")" kept
    brig rmi -f "$HOSTILE/evil/image:1"
    rm -f "$BRIG_DATA/partial/$BIG"
}

@test "B17: no TLS, an unknown authority or another name are refused; insecure_registries is by registry" {
    hostile_start plain "$T/certs" "$LAYOUT"
    run brig pull -q "$HOSTILE/evil/image:1"
    assert_exit 125
    assert_line 'no trusted connection'
    ! grep -q manifests "$T/certs/log" || fail "it was asked without TLS"
    brig_conf "insecure_registries = 127.0.0.1:1"
    run brig pull -q "$HOSTILE/evil/image:1"
    assert_exit 125
    brig_conf "insecure_registries = $HOSTILE"
    run brig pull -q "$HOSTILE/evil/image:1"
    assert_ok
    brig rmi -f "$HOSTILE/evil/image:1"
    servers_stop "$T/certs"
    brig_conf
    hostile_start good "$T/certs" "$LAYOUT"
    rm -r "$BRIG_CONFIG/certs.d/$HOSTILE"
    run brig pull -q "$HOSTILE/evil/image:1"
    assert_exit 125
    assert_line 'no trusted connection'
    trust_registry "$T/certs" "$SECOND"
    trust_registry "$T/certs" "127.0.0.2:${HOSTILE#*:}"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=other \
        -addext 'subjectAltName=DNS:other.example' -keyout "$TT/key.pem" -out "$TT/cert.pem" 2>/dev/null
    servers_stop "$T/certs"
    mkdir "$TT/other"
    cp "$TT/key.pem" "$TT/cert.pem" "$TT/other"
    hostile_start good "$TT/other" "$LAYOUT"
    run brig pull -q "$HOSTILE/evil/image:1"
    assert_exit 125
    assert_line 'no trusted connection'
    servers_stop "$TT/other"
}

@test "law 3: who speaks with the registry can run nothing, make no process, and write only to its folder" {
    hostile_start loris "$T/certs" "$LAYOUT"
    brig_conf 'registry_timeout = 20'
    "$BRIG" pull -q "$HOSTILE/evil/image:1" 2>"$TT/err" 3>&- &
    local puller=$! pid
    wait_for 10 grep -q blobs "$T/certs/log"
    pid=$(pgrep -P "$puller" -x brig-registry)
    # As the kernel says it.
    run cat "/proc/$pid/status"
    assert_line '^NoNewPrivs:[[:space:]]*1$'
    assert_line '^Seccomp:[[:space:]]*2$'
    assert_line '^CapEff:[[:space:]]*0000000000000000$'
    run ls -l "/proc/$pid/fd"
    refute_line "$BRIG_DATA/(containers|names|ids)"
    kill "$puller"
    wait "$puller" || true
    wait_for 5 test ! -e "/proc/$pid"
    [ -z "$(ls -A "$BRIG_DATA/loading")" ] || fail "an ended pull leaves its folder"
}
