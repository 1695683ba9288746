#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Signatures that stand on certificates, through registry, store and the room that verifies: sigstore's keyless ones with a log and an
# authority that openssl plays, and notation's. The confusions of their formats are in tests/unit/trust_{cosign,bundle,notation}.c.

load lib
load registry
load signing

setup_file() {
    signing_setup
    authority_make
    leaf person ec 'subjectAltName=critical,email:dev@team.test' '1.3.6.1.4.1.57264.1.8=ASN1:UTF8String:https://login.test'
    leaf maker rsa
}
teardown_file() {
    servers_stop "$T/certs"
    brig_teardown
}
setup() {
    brig_begin
    REPO=team/app$BATS_TEST_NUMBER
    IMAGE=$REGISTRY/$REPO:1
    push one "$IMAGE"
}
teardown() {
    rm -f "$BRIG_CONFIG/policy.json" "$BRIG_CONFIG/trust.json"
    brig rmi -f "$IMAGE" >/dev/null 2>&1 || true
    rm -rf "${BRIG_DATA:?}/signatures"
    brig_end
}

@test "a keyless signature: the person, who authenticated them, and the log all have to be right" {
    local hex
    hex=$(digest one)
    sign_keyless "$REPO" "$hex" "$IMAGE"
    brig pull -q "$IMAGE"
    keyless https://login.test dev@team.test
    run_it
    assert_ok
    assert_line '^one$'
    keyless https://login.test other@team.test
    run_it
    assert_exit 125
    assert_line 'is of dev@team.test, not of other@team.test'
    keyless https://other.test dev@team.test
    run_it
    assert_exit 125
    assert_line 'authenticated by https://login.test'
    # Another log's key: nobody promised anything.
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$TT/k" 2>/dev/null
    openssl pkey -in "$TT/k" -pubout -out "$T/other.pub"
    keyless https://login.test dev@team.test other.pub
    run_it
    assert_exit 125
    assert_line 'of another log'
    # Without the log's word the certificate proves nothing.
    rm -rf "${BRIG_DATA:?}/signatures"
    jq 'del(.layers[0].annotations["dev.sigstore.cosign/bundle"])' "$TT/full" >"$TT/bare"
    manifest_put "$REPO" "sha256-$hex.sig" "$MANIFEST" "$TT/bare"
    pull_anew
    keyless https://login.test dev@team.test
    run_it
    assert_exit 125
    assert_line 'no entry of the transparency log'
}

# keyless ISSUER EMAIL [LOG]: the policy.
keyless() {
    jq -n --arg r "$REGISTRY" --arg t "$T" --arg i "$1" --arg m "$2" --arg l "${3:-log.pub}" '{default: [{type: "reject"}],
        transports: {docker: {($r): [{type: "sigstoreSigned", rekorPublicKeyPath: "\($t)/\($l)",
        fulcio: {caPath: "\($t)/root.pem", oidcIssuer: $i, subjectEmail: $m}}]}}}' >"$BRIG_CONFIG/policy.json"
}

# notary [SUBJECT]: trust.json for the maker's root.
notary() {
    jq -n --arg r "$REGISTRY/$REPO" --arg c "$T/root.pem" --arg s "${1:-x509.subject:C=DE,O=Brig,CN=maker}" \
        '{scopes: {($r): {require: [{type: "notationSigned", caPath: $c, trustedIdentities: [$s]}]}}}' >"$BRIG_CONFIG/trust.json"
}

@test "a signature of notation: chain, identity and image have to be right" {
    local hex
    hex=$(digest one)
    notate "$REPO" "$hex" PS256
    brig pull -q "$IMAGE"
    notary
    run_it
    assert_ok
    assert_line '^one$'
    notary 'x509.subject:C=DE,O=Brig,CN=other'
    run_it
    assert_exit 125
    assert_line "none of the policy's identities"
    # By a root that is not pinned; with another algorithm than the key's; about another image.
    notary
    jq --arg c "$T/certs/cert.pem" '.scopes[].require[0].caPath = $c' "$BRIG_CONFIG/trust.json" >"$TT/other"
    cp "$TT/other" "$BRIG_CONFIG/trust.json"
    run_it
    assert_exit 125
    notary
    for how in "$hex RS256" "$hex none" "$(printf 'a%.0s' {1..64}) PS256"; do
        rm -rf "${BRIG_DATA:?}/signatures"
        # shellcheck disable=SC2086 # two words
        notate "$REPO" $how
        manifest_put "$REPO" "sha256-$hex" application/vnd.oci.image.index.v1+json "$TT/index"
        pull_anew
        run_it
        assert_exit 125
        refute_line '^one$'
    done
    rm -rf "${BRIG_DATA:?}/signatures"
    notate "$REPO" "$hex" PS256
    pull_anew
    run_it
    assert_ok
}
