#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every example of brig-trust-policy(5), as it stands in the page: the image does not run before it is signed as the example wants it, and
# runs afterwards. An example without a test here is found by the first test.

load lib
load registry
load signing

setup_file() {
    signing_setup
    export HOME=$T/home GNUPGHOME=$T/gnupg
    mkdir -p -m 0700 "$HOME" "$GNUPGHOME"
    authority_make
    leaf person ec 'subjectAltName=critical,email:dev@team.test' '1.3.6.1.4.1.57264.1.8=ASN1:UTF8String:https://login.test'
    leaf maker rsa
    for k in alice bob carol release; do
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$T/$k.private" 2>/dev/null
        chmod 600 "$T/$k.private"
        openssl pkey -in "$T/$k.private" -pubout -out "$T/$k.pub"
    done
    for k in alice bob; do
        gpg --batch --quiet --passphrase '' --quick-generate-key "$k <$k@example.com>" ed25519 sign 0 2>>"$T/gpg.log"
        gpg --batch --armor --export "$k@example.com" >"$T/$k.asc"
    done
    mkdir -p "$BRIG_CONFIG/registries.d"
    printf 'default-docker:\n  lookaside: file://%s\n' "$T/look" >"$BRIG_CONFIG/registries.d/a.yaml"
}
teardown_file() {
    gpgconf --kill all >/dev/null 2>&1 || true
    servers_stop "$T/certs"
    brig_teardown
}
setup() {
    brig_begin
    PAGE=$(dirname "$BRIG")/../share/man/man5/brig-trust-policy.5
    [ -f "$PAGE" ] || PAGE=$(dirname "$BRIG")/../man/brig-trust-policy.5 # in the build's folder
    REPO=team/app$BATS_TEST_NUMBER
    IMAGE=$REGISTRY/$REPO:1
    HEX=$(digest one)
    push one "$IMAGE"
    brig pull -q "$IMAGE" >/dev/null
}
teardown() {
    rm -rf "$BRIG_CONFIG/policy.json" "$BRIG_CONFIG/trust.json" "$BRIG_CONFIG/pins.json" "${BRIG_DATA:?}/signatures"
    brig rmi -f "$IMAGE" >/dev/null 2>&1 || true
    brig_end
}

# example FILE NAME: what the page says, for this registry and these keys.
example() {
    awk -v want=".SS $1: $2" '$0 == want { on = 1 } on && /^\.fi/ { exit } on && nf && !/^\.RS/ { print } on && /^\.nf/ { nf = 1 }' "$PAGE" |
        sed "s/\\\\&//g; s/\\\\-/-/g; s,quay.io/team/app,$REGISTRY/$REPO,g; s,quay.io/team,$REGISTRY/team,g; s,/etc/brig/keys/,$T/,g" >"$BRIG_CONFIG/$1"
    [ -s "$BRIG_CONFIG/$1" ]
    refuses
}
# anew: what the registry has now.
anew() { brig pull -q "$IMAGE" >/dev/null; }
runs() {
    run brig trust test "$IMAGE"
    assert_ok
}
refuses() {
    run brig trust test "$IMAGE"
    assert_exit 1
    assert_line "does not run: .*${1:-}"
}
sign() { brig sign -q --key "$T/$1.private" "${@:2}" "$IMAGE" >/dev/null; }
also() { MORE=1 attest "$REPO" "$HEX" "$@"; }

@test "each example of the page is tried here" {
    assert_eq "$(sed -n 's/^\.SS \([a-z.]*\): /\1 /p' "$PAGE" | sort)" "$(sed -n 's/^ *example \([a-z.]* [a-z]*\)$/\1/p' "$BATS_TEST_FILENAME" | sort)"
}

@test "policy.json: gpg, key, keyless, pki, mirror" {
    example policy.json gpg
    brig sign --gpg bob@example.com --folder "$T/look" "$IMAGE" >/dev/null
    runs
    example policy.json key
    sign_by_hand "$REPO" "$HEX" "$REGISTRY/$REPO" alice
    anew
    refuses "not made by the policy's key"
    sign_by_hand "$REPO" "$HEX" "$REGISTRY/$REPO" release
    anew
    runs
    example policy.json keyless
    sign_keyless "$REPO" "$HEX" "$REGISTRY/$REPO"
    anew
    runs
    rm -rf "${BRIG_DATA:?}/signatures"
    example policy.json pki
    sign_keyless "$REPO" "$HEX" "$IMAGE"
    anew
    runs
    example policy.json mirror
    sign_by_hand "$REPO" "$HEX" "vendor.example/product/other:1" release
    anew
    refuses 'vendor.example/product/other:1'
    sign_by_hand "$REPO" "$HEX" "vendor.example/product/${REPO#team/}:1" release
    anew
    runs
}

@test "trust.json: threshold, roles, bundle, notation" {
    example trust.json threshold
    sign alice
    refuses '1 of 2 different signers'
    sign carol
    runs
    example trust.json roles
    sign bob
    runs
    example trust.json bundle
    sign alice --bundle
    refuses
    sign release --bundle
    runs
    example trust.json notation
    notate "$REPO" "$HEX" PS256
    anew
    runs
}

@test "trust.json: attestations, vet" {
    example trust.json attestations
    attest "$REPO" "$HEX" alice https://slsa.dev/provenance/v1
    also alice https://spdx.dev/Document '{}'
    anew
    refuses 'bob.pub'
    also bob https://spdx.dev/Document '{}'
    anew
    runs
    example trust.json vet
    # As the colleague's machine makes it.
    brig vet -q -o /dev/null --fail-on high --attest --key "$T/carol.private" "$IMAGE"
    runs
    run_it
    assert_ok
    assert_line '^one$'
}

@test "trust.json: rollback" {
    brig rmi -f "$IMAGE" >/dev/null
    for IMAGE in "$REGISTRY/$REPO:1.3.9" "$REGISTRY/$REPO:1.10"; do
        push one "$IMAGE"
        anew
        example trust.json rollback
        brig sign --gpg alice@example.com --folder "$T/look" "$IMAGE" >/dev/null
        anew
        if [ "${IMAGE##*:}" = 1.3.9 ]; then
            refuses 'version 1.3.9 is older than minimumVersion'
            brig trust pin "$IMAGE@sha256:$HEX" >/dev/null
            refuses 'version 1.3.9 is older than minimumVersion'
            brig rmi -f "$IMAGE" >/dev/null
        else
            runs
        fi
    done
}
