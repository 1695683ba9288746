#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Signatures that stand on certificates, through registry, store and the room that verifies: sigstore's keyless ones with a log and an
# authority that openssl plays, and notation's. The confusions of their formats are in tests/unit/trust_{cosign,bundle,notation}.c.

load lib
load registry
load signing

setup_file() {
    signing_setup
    # A person's certificate of ten minutes, by an authority that writes who authenticated them; a log; a maker of releases.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -days 3650 -subj /O=test/CN=root -keyout "$T/root.key" \
        -out "$T/root.pem" -addext keyUsage=critical,keyCertSign 2>/dev/null
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$T/log.key" 2>/dev/null
    openssl pkey -in "$T/log.key" -pubout -out "$T/log.pub"
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

# leaf NAME ec|rsa [EXTENSION...]: NAME.private and NAME.pem, for code.
leaf() {
    local name=$1 kind=$2
    shift 2
    if [ "$kind" = ec ]; then
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$T/$name.private" 2>/dev/null
    else
        openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$T/$name.private" 2>/dev/null
    fi
    printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature extendedKeyUsage=codeSigning "$@" >"$T/ext"
    openssl req -new -key "$T/$name.private" -subj "/C=DE/O=Brig/CN=$name" -out "$T/csr"
    openssl x509 -req -in "$T/csr" -CA "$T/root.pem" -CAkey "$T/root.key" -set_serial "$RANDOM" -days 1 -extfile "$T/ext" \
        -out "$T/$name.pem" 2>/dev/null
}

# log_entry: the annotation dev.sigstore.cosign/bundle of $TT/payload and $TT/sig, as a log would promise it.
log_entry() {
    local body id now
    now=$(date +%s)
    body=$(jq -ncj --arg h "$(sha256sum "$TT/payload" | cut -d' ' -f1)" --arg s "$(base64 -w0 "$TT/sig")" \
        --arg k "$(base64 -w0 "$T/person.pem")" '{apiVersion: "0.0.1", kind: "hashedrekord", spec: {data: {hash:
        {algorithm: "sha256", value: $h}}, signature: {content: $s, publicKey: {content: $k}}}}' | base64 -w0)
    id=$(openssl pkey -pubin -in "$T/log.pub" -outform DER | sha256sum | cut -d' ' -f1)
    printf '{"body":"%s","integratedTime":%d,"logID":"%s","logIndex":7}' "$body" "$now" "$id" >"$TT/promised"
    jq -nc --arg s "$(openssl dgst -sha256 -sign "$T/log.key" "$TT/promised" | base64 -w0)" --slurpfile p "$TT/promised" \
        '{SignedEntryTimestamp: $s, Payload: $p[0]}'
}

@test "a keyless signature: the person, who authenticated them, and the log all have to be right" {
    local hex
    hex=$(digest one)
    sign_by_hand "$REPO" "$hex" "$IMAGE" person
    log_entry >"$TT/bundle"
    jq --rawfile b "$TT/bundle" --rawfile c "$T/person.pem" --rawfile r "$T/root.pem" '.layers[0].annotations += {
        "dev.sigstore.cosign/bundle": ($b | rtrimstr("\n")), "dev.sigstore.cosign/certificate": $c,
        "dev.sigstore.cosign/chain": $r}' "$TT/manifest" >"$TT/full"
    manifest_put "$REPO" "sha256-$hex.sig" "$MANIFEST" "$TT/full"
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

b64url() { base64 -w0 | tr '+/' '-_' | tr -d =; }

# notate REPO HEX ALG: a JWS of notation by the maker, as a referrer.
notate() {
    local type=application/vnd.cncf.notary.signature p payload
    p=$(jq -ncj --arg a "$3" --arg t "$(date -u +%Y-%m-%dT%H:%M:%SZ)" '{alg: $a, crit: ["io.cncf.notary.signingScheme"],
        cty: "application/vnd.cncf.notary.payload.v1+json", "io.cncf.notary.signingScheme": "notary.x509",
        "io.cncf.notary.signingTime": $t}' | b64url)
    payload=$(jq -ncj --arg d "sha256:$2" --arg m "$MANIFEST" '{targetArtifact: {mediaType: $m, digest: $d, size: 1}}' | b64url)
    printf '%s.%s' "$p" "$payload" | openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 \
        -sign "$T/maker.private" -out "$TT/sig"
    jq -nc --arg p "$p" --arg l "$payload" --arg s "$(b64url <"$TT/sig")" \
        --arg c "$(openssl x509 -in "$T/maker.pem" -outform DER | base64 -w0)" \
        --arg r "$(openssl x509 -in "$T/root.pem" -outform DER | base64 -w0)" \
        '{payload: $l, protected: $p, header: {x5c: [$c, $r]}, signature: $s}' >"$TT/jws"
    refer "$1" "$2" "$type" application/jose+json "$TT/jws"
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
