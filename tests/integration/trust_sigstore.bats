#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Signatures by key pairs as cosign, podman and skopeo store them, in Debian's docker-registry: made by brig, made with openssl and jq as
# their specification says, and every way in which one is not the image's. Debian's skopeo and podman are built without sigstore, so
# openssl is the other side.

load lib
load registry
load signing

setup_file() {
    signing_setup
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$T/a.private" 2>/dev/null
    openssl genpkey -algorithm ED25519 -out "$T/b.private"
    for k in a b; do
        chmod 600 "$T/$k.private"
        openssl pkey -in "$T/$k.private" -pubout -out "$T/$k.pub"
    done
    make_version two
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
    policy a
}
teardown() {
    rm -f "$BRIG_CONFIG/policy.json"
    brig rmi -f "$IMAGE" >/dev/null 2>&1 || true
    brig_end
}

# policy KEY [IDENTITY]: only what that key signed.
policy() {
    jq -n --arg r "$REGISTRY" --arg k "$T/$1.pub" --arg i "${2:-matchRepoDigestOrExact}" \
        '{default: [{type: "reject"}], transports: {docker: {($r): [{type: "sigstoreSigned", keyPath: $k, signedIdentity: {type: $i}}]}}}' \
        >"$BRIG_CONFIG/policy.json"
}
@test "what brig signs runs by the policy alone, here and on a machine that pulls it; openssl agrees" {
    local hex payload
    hex=$(digest one)
    brig pull -q "$IMAGE"
    run_it
    assert_exit 125
    assert_line 'sigstore|signature'
    refute_line '^one$'
    run brig sign -q --key "$T/a.private" "$IMAGE"
    assert_ok
    assert_line "^$IMAGE@sha256:$hex\$"
    assert_line "signed by sha256:$(openssl pkey -in "$T/a.private" -pubout -outform DER | sha256sum | cut -d' ' -f1)"
    run_it
    assert_ok
    assert_line '^one$'
    pull_anew
    run_it
    assert_ok
    # What lies in the registry, read by others.
    manifest_get "$REPO" "sha256-$hex.sig" >"$TT/m"
    assert_eq "$(jq -r '.layers | length' "$TT/m")" 1
    payload=$(jq -r '.layers[0].digest' "$TT/m")
    registry_curl -o "$TT/p" "https://$REGISTRY/v2/$REPO/blobs/$payload"
    jq -r '.layers[0].annotations["dev.cosignproject.cosign/signature"]' "$TT/m" | base64 -d >"$TT/s"
    openssl dgst -sha256 -verify "$T/a.pub" -signature "$TT/s" "$TT/p"
    assert_eq "$(jq -r '.critical.image["docker-manifest-digest"]' "$TT/p")" "sha256:$hex"
    assert_eq "$(jq -r '.critical.identity["docker-reference"]' "$TT/p")" "$IMAGE"
    assert_eq "$(jq -r '.critical.type' "$TT/p")" "cosign container image signature"
    # Another key of the policy vouches for nothing.
    policy b
    run_it
    assert_exit 125
    refute_line '^one$'
}

@test "two people sign one image, and each one's signature stays" {
    brig pull -q "$IMAGE"
    brig sign -q --key "$T/a.private" "$IMAGE"
    brig sign -q --key "$T/b.private" "$IMAGE"
    manifest_get "$REPO" "sha256-$(digest one).sig" >"$TT/m"
    assert_eq "$(jq -r '.layers | length' "$TT/m")" 2
    for k in a b; do
        policy "$k"
        pull_anew
        run_it
        assert_ok
    done
}

@test "an image is signed where it is, with a key that opens" {
    brig pull -q "$IMAGE"
    run brig sign -q --key "$T/a.private" tiny "$REGISTRY/nobody/nothing:1"
    assert_exit 125
    assert_line 'brig push comes first'
    run brig sign -q --key "$T/a.pub" "$IMAGE"
    assert_exit 125
    assert_line 'PUBLIC KEY'
    run brig sign -q "$IMAGE"
    assert_exit 125
    assert_line -- '--key FILE is missing'
    # Passphrases: openssl's PKCS#8, and the keys of cosign that brig makes.
    echo opens >"$TT/good"
    echo other >"$TT/bad"
    openssl pkcs8 -topk8 -in "$T/a.private" -v2 aes-256-cbc -passout "file:$TT/good" -out "$TT/sealed"
    chmod 600 "$TT/sealed"
    run brig sign -q --key "$TT/sealed" --passphrase-file "$TT/bad" "$IMAGE"
    assert_exit 125
    assert_line 'passphrase does not open'
    run brig sign -q --key "$TT/sealed" --passphrase-file "$TT/good" "$IMAGE"
    assert_ok
    run_it
    assert_ok
    run brig trust key --passphrase-file "$TT/good" "$TT/new"
    assert_ok
    assert_eq "$(stat -c %a "$TT/new.private")" 600
    run brig trust key --passphrase-file "$TT/good" "$TT/new"
    assert_exit 125
    assert_line 'File exists'
    run brig sign -q --key "$TT/new.private" --passphrase-file "$TT/bad" "$IMAGE"
    assert_exit 125
    brig sign -q --key "$TT/new.private" --passphrase-file "$TT/good" "$IMAGE"
    cp "$TT/new.pub" "$T/new.pub"
    policy new
    run_it
    assert_ok
}

@test "a signature made with openssl: with the name it says, and no other" {
    sign_by_hand "$REPO" "$(digest one)" "$IMAGE" a
    pull_anew
    run_it
    assert_ok
    assert_line '^one$'
    # cosign signs the repository without a tag.
    brig rmi -f "$IMAGE" >/dev/null
    rm -rf "${BRIG_DATA:?}/signatures"
    sign_by_hand "$REPO" "$(digest one)" "$REGISTRY/$REPO" a
    brig pull -q "$IMAGE"
    run_it
    assert_exit 125
    policy a matchRepository
    run_it
    assert_ok
    # Another repository's image, the same bytes.
    brig rmi -f "$IMAGE" >/dev/null
    rm -rf "${BRIG_DATA:?}/signatures"
    sign_by_hand "$REPO" "$(digest one)" "$REGISTRY/team/other" a
    brig pull -q "$IMAGE"
    run_it
    assert_exit 125
    refute_line '^one$'
}

@test "the signature of another image, stripped, cut, and by another key: refused, each with its reason" {
    local hex
    hex=$(digest one)
    # The other image's signature under this one's tag.
    sign_by_hand "$REPO" "$(digest two)" "$IMAGE" a
    manifest_put "$REPO" "sha256-$hex.sig" "$MANIFEST" "$TT/manifest"
    brig pull -q "$IMAGE"
    run_it
    assert_exit 125
    assert_line 'another image'
    sign_by_hand "$REPO" "$hex" "$IMAGE" a
    cp "$TT/manifest" "$TT/good"
    for change in 'del(.layers[0].annotations)' \
        '.layers[0].annotations["dev.cosignproject.cosign/signature"] |= .[0:40]' \
        '.layers[0].annotations["dev.cosignproject.cosign/signature"] |= "A" + .'; do
        brig rmi -f "$IMAGE" >/dev/null
        rm -rf "${BRIG_DATA:?}/signatures"
        jq "$change" "$TT/good" >"$TT/bad"
        manifest_put "$REPO" "sha256-$hex.sig" "$MANIFEST" "$TT/bad"
        brig pull -q "$IMAGE"
        run_it
        assert_exit 125
        refute_line '^one$'
    done
    # Signed by somebody else.
    brig rmi -f "$IMAGE" >/dev/null
    rm -rf "${BRIG_DATA:?}/signatures"
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$T/c.private" 2>/dev/null
    sign_by_hand "$REPO" "$hex" "$IMAGE" c
    brig pull -q "$IMAGE"
    run_it
    assert_exit 125
    assert_line "not made by the policy's key"
    # And the good one, so that all of this was about the signatures.
    manifest_put "$REPO" "sha256-$hex.sig" "$MANIFEST" "$TT/good"
    pull_anew
    run_it
    assert_ok
    assert_line '^one$'
}

# trust_json JSON: requirements for the test's repository beside policy.json's.
trust_json() { jq -n --arg r "$REGISTRY/$REPO" --arg k "$T/a.pub" "{scopes: {(\$r): {require: $1}}}" >"$BRIG_CONFIG/trust.json"; }

@test "bundles as referrers: a signature without a name, and provenance that is asked for" {
    local hex provenance=https://slsa.dev/provenance/v1
    hex=$(digest one)
    rm "$BRIG_CONFIG/policy.json"
    trust_json '[{type: "sigstoreSigned", keyPath: $k, signedIdentity: {type: "anyIdentity"}}]'
    attest "$REPO" "$hex" a https://sigstore.dev/cosign/sign/v1
    brig pull -q "$IMAGE"
    run_it
    assert_ok
    assert_line '^one$'
    # A signature is no provenance, and provenance is no signature.
    trust_json "[{type: \"sigstoreSigned\", keyPath: \$k, predicateType: \"$provenance\", builder: \"https://builder.test\"}]"
    run_it
    assert_exit 125
    assert_line 'no attestation of'
    rm -rf "${BRIG_DATA:?}/signatures"
    attest "$REPO" "$hex" a "$provenance"
    pull_anew
    run_it
    assert_ok
    trust_json '[{type: "sigstoreSigned", keyPath: $k, signedIdentity: {type: "anyIdentity"}}]'
    run_it
    assert_exit 125
    assert_line 'not a signature'
    # About another image; by another key.
    trust_json "[{type: \"sigstoreSigned\", keyPath: \$k, predicateType: \"$provenance\"}]"
    run_it
    assert_ok
    for how in "$(digest two) a" "$hex c"; do
        rm -rf "${BRIG_DATA:?}/signatures"
        [ -f "$T/c.private" ] || openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$T/c.private" 2>/dev/null
        # shellcheck disable=SC2086 # two words
        attest "$REPO" $how "$provenance"
        manifest_put "$REPO" "sha256-$hex" application/vnd.oci.image.index.v1+json "$TT/index"
        pull_anew
        run_it
        assert_exit 125
        refute_line '^one$'
    done
    rm "$BRIG_CONFIG/trust.json"
}

@test "an attestation under cosign's older tag is provenance, and no signature" {
    local hex provenance=https://slsa.dev/provenance/v1 type=application/vnd.dsse.envelope.v1+json
    hex=$(digest one)
    rm "$BRIG_CONFIG/policy.json"
    attest "$REPO" "$hex" a "$provenance"
    jq -c .dsseEnvelope "$TT/bundle" >"$TT/envelope"
    jq -n --arg m "$MANIFEST" --arg t "$type" --arg c "$(blob_put "$REPO" "$TT/empty")" --arg d "$(blob_put "$REPO" "$TT/envelope")" \
        --argjson n "$(stat -c %s "$TT/envelope")" '{schemaVersion: 2, mediaType: $m,
        config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $c, size: 2},
        layers: [{mediaType: $t, digest: $d, size: $n, annotations: {"dev.cosignproject.cosign/signature": ""}}]}' >"$TT/att"
    # The referrer goes: what counts is the tag.
    jq '.manifests = []' "$TT/index" >"$TT/none"
    manifest_put "$REPO" "sha256-$hex" application/vnd.oci.image.index.v1+json "$TT/none"
    brig pull -q "$IMAGE"
    trust_json "[{type: \"sigstoreSigned\", keyPath: \$k, predicateType: \"$provenance\", builder: \"https://builder.test\"}]"
    run_it
    assert_exit 125
    manifest_put "$REPO" "sha256-$hex.att" "$MANIFEST" "$TT/att"
    pull_anew
    run_it
    assert_ok
    assert_line '^one$'
    trust_json '[{type: "sigstoreSigned", keyPath: $k, signedIdentity: {type: "anyIdentity"}}]'
    run_it
    assert_exit 125
    assert_line 'not a signature'
    rm "$BRIG_CONFIG/trust.json"
}

# refers REPO HEX: what the fallback tag lists.
refers() { registry_curl -H 'Accept: application/vnd.oci.image.index.v1+json' "https://$REGISTRY/v2/$1/manifests/sha256-$2"; }

@test "brig sign --bundle: a statement that refers to the image, for those who take signatures without a name; openssl agrees" {
    local hex
    hex=$(digest one)
    rm "$BRIG_CONFIG/policy.json"
    trust_json '[{type: "sigstoreSigned", keyPath: $k, signedIdentity: {type: "anyIdentity"}}]'
    brig pull -q "$IMAGE"
    run_it
    assert_exit 125
    run brig sign -q --bundle --key "$T/a.private" "$IMAGE"
    assert_ok
    assert_line "^$IMAGE@sha256:$hex\$"
    run_it
    assert_ok
    pull_anew
    run_it
    assert_ok
    assert_line '^one$'
    # What lies in the registry, read by others.
    refers "$REPO" "$hex" >"$TT/list"
    assert_eq "$(jq -r '.manifests | length' "$TT/list")" 1
    manifest_get "$REPO" "$(jq -r '.manifests[0].digest' "$TT/list")" >"$TT/m"
    assert_eq "$(jq -r '.subject.digest' "$TT/m")" "sha256:$hex"
    assert_eq "$(jq -r '.artifactType' "$TT/m")" "$(jq -r '.manifests[0].artifactType' "$TT/list")"
    registry_curl -o "$TT/b" "https://$REGISTRY/v2/$REPO/blobs/$(jq -r '.layers[0].digest' "$TT/m")"
    jq -r .dsseEnvelope.payload "$TT/b" | base64 -d >"$TT/s"
    printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(stat -c %s "$TT/s")" | cat - "$TT/s" >"$TT/pae"
    jq -r '.dsseEnvelope.signatures[0].sig' "$TT/b" | base64 -d >"$TT/sig"
    openssl dgst -sha256 -verify "$T/a.pub" -signature "$TT/sig" "$TT/pae"
    assert_eq "$(jq -r '.subject[0].digest.sha256' "$TT/s")" "$hex"
    # Another one stays beside it.
    brig sign -q --bundle --key "$T/b.private" "$IMAGE"
    assert_eq "$(refers "$REPO" "$hex" | jq -r '.manifests | length')" 2
    pull_anew
    run_it
    assert_ok
    # cosign 3 lists its bundles under the type of their configuration.
    rm -rf "${BRIG_DATA:?}/signatures"
    jq '.manifests |= map(.artifactType = "application/vnd.oci.empty.v1+json" | del(.annotations))' "$TT/list" >"$TT/cosign"
    manifest_put "$REPO" "sha256-$hex" application/vnd.oci.image.index.v1+json "$TT/cosign"
    pull_anew
    run_it
    assert_ok
    # A bundle signs no name: where the keys are those of many repositories it vouches for none.
    jq -n --arg r "$REGISTRY" --arg k "$T/a.pub" '{scopes: {($r): {require: [{type: "sigstoreSigned", keyPath: $k}]}}}' \
        >"$BRIG_CONFIG/trust.json"
    run_it
    assert_exit 125
    refute_line '^one$'
    # The tag is no list of referrers: it is not written over.
    manifest_put "$REPO" "sha256-$hex" "$MANIFEST" "$TT/m"
    run brig sign -q --bundle --key "$T/a.private" "$IMAGE"
    assert_exit 125
    assert_line 'no list of referrers'
    cmp "$TT/m" <(manifest_get "$REPO" "sha256-$hex")
    rm "$BRIG_CONFIG/trust.json"
}

@test "brig sign --index and --recursive: an index of platforms, and every image in it" {
    local arch one two n
    one=$(digest one) two=$(digest two)
    arch=$(jq -r .architecture "$T/version-one/blobs/sha256/$(jq -r '.config.digest[7:]' "$T/version-one/blobs/sha256/$one")")
    push two "$REGISTRY/$REPO:two"
    jq -n --arg m "$MANIFEST" --arg a "$arch" --arg one "sha256:$one" --arg two "sha256:$two" \
        --argjson n "$(stat -c %s "$T/version-one/blobs/sha256/$one")" --argjson k "$(stat -c %s "$T/version-two/blobs/sha256/$two")" \
        '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [
            {mediaType: $m, digest: $two, size: $k, platform: {os: "linux", architecture: "s390x"}},
            {mediaType: $m, digest: $one, size: $n, platform: {os: "linux", architecture: $a}}]}' >"$TT/index"
    brig pull -q "$IMAGE"
    run brig sign -q --index --key "$T/a.private" "$IMAGE"
    assert_exit 125
    assert_line 'came by no index'
    brig rmi -f "$IMAGE" >/dev/null
    manifest_put "$REPO" 1 application/vnd.oci.image.index.v1+json "$TT/index"
    top=$(sha256sum "$TT/index" | cut -d' ' -f1)
    brig pull -q "$IMAGE"
    run_it
    assert_exit 125
    run brig sign -q --index --key "$T/a.private" "$IMAGE"
    assert_ok
    assert_eq "$(grep -c "^$IMAGE@sha256:" <<<"$output")" 1
    assert_line "^$IMAGE@sha256:$top\$"
    run_it
    assert_ok
    pull_anew
    run_it
    assert_ok
    assert_line '^one$'
    for n in "$one" "$two"; do
        run manifest_get "$REPO" "sha256-$n.sig"
        [ "$status" != 0 ]
    done
    run brig sign -q --recursive --bundle --key "$T/b.private" "$IMAGE"
    assert_ok
    assert_eq "$(grep -c "^$IMAGE@sha256:" <<<"$output")" 3
    assert_line "^$IMAGE@sha256:$two\$"
    for n in "$top" "$one" "$two"; do
        refers "$REPO" "$n" | jq -e '.manifests | length == 1' >/dev/null
    done
    # The other platform's image counts by its own signature.
    trust_json '[{type: "sigstoreSigned", keyPath: $k, signedIdentity: {type: "anyIdentity"}}]'
    sed -i "s,/a.pub,/b.pub," "$BRIG_CONFIG/trust.json"
    rm "$BRIG_CONFIG/policy.json"
    brig pull -q "$REGISTRY/$REPO:two"
    run brig trust test "$REGISTRY/$REPO:two"
    assert_ok
    brig rmi -f "$REGISTRY/$REPO:two" >/dev/null
    # What is in the store must be the index that was pulled.
    chmod u+w "$BRIG_DATA/images/blobs/sha256/$top"
    printf ' ' >>"$BRIG_DATA/images/blobs/sha256/$top"
    run brig sign -q --index --key "$T/a.private" "$IMAGE"
    assert_exit 125
    assert_line 'has the digest'
    rm "$BRIG_CONFIG/trust.json"
}

@test "a layout with signatures beside its image is loaded; they are no images" {
    local hex dir=$TT/layout kind m n
    hex=$(digest one)
    brig pull -q "$IMAGE"
    brig sign -q --key "$T/a.private" "$IMAGE" >/dev/null
    manifest_get "$REPO" "sha256-$hex.sig" >"$TT/m"
    m=$(sha256sum "$TT/m" | cut -d' ' -f1) n=$(stat -c %s "$TT/m")
    for kind in name referrer alone; do
        rm -rf "$dir"
        cp -r "$T/version-one" "$dir"
        cp "$TT/m" "$dir/blobs/sha256/$m"
        jq -c --arg k "$kind" --arg d "sha256:$m" --argjson n "$n" --arg m "$MANIFEST" --arg t "sha256-$hex.sig" '
            (if $k == "alone" then .manifests = [] else . end) | .manifests += [{mediaType: $m, digest: $d, size: $n} +
            if $k == "referrer" then {artifactType: "application/vnd.dev.sigstore.bundle.v0.3+json"}
            else {annotations: {"org.opencontainers.image.ref.name": $t}} end]' "$dir/index.json" >"$TT/index"
        cp "$TT/index" "$dir/index.json"
        run brig load --name "localhost/with-$kind" -i "$dir"
        if [ "$kind" = alone ]; then
            assert_exit 125
            assert_line 'no image for'
            continue
        fi
        assert_ok
        assert_line 'signatures or attestations in it .1. were not taken'
        run brig run --rm --net none "localhost/with-$kind"
        assert_ok
        assert_line '^one$'
        brig rmi "localhost/with-$kind" >/dev/null
    done
}
