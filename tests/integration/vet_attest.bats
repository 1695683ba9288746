#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# One machine looks into an image and signs that it passed; another one, which never looks, runs it for that reason alone.

load lib
load registry
load signing

setup_file() {
    signing_setup
    for k in a c; do
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$T/$k.private" 2>/dev/null
        chmod 600 "$T/$k.private"
        openssl pkey -in "$T/$k.private" -pubout -out "$T/$k.pub"
    done
    make_version two
    cp -r "$BRIG_CONFIG" "$T/config-b"
    jq -n --arg r "$REGISTRY" --arg k "$T/a.pub" '{scopes: {($r): {require: [{type: "sigstoreSigned", keyPath: $k,
        predicateType: "https://brig.dev/attestation/vet/v1"}]}}}' >"$T/config-b/trust.json"
    chmod 600 "$T/config-b/trust.json"
}
teardown_file() {
    servers_stop "$T/certs"
    brig_teardown
}
setup() {
    brig_begin
    REPO=team/app$BATS_TEST_NUMBER
    IMAGE=$REGISTRY/$REPO:1
    HEX=$(digest one)
    push one "$IMAGE"
    brig pull -q "$IMAGE" >/dev/null
}
teardown() {
    machine_b brig rmi -f "$IMAGE" >/dev/null 2>&1 || true
    rm -rf "$BRIG_DATA/signatures" "$T/data-b/signatures"
    brig rmi -f "$IMAGE" >/dev/null 2>&1 || true
    brig_end
}

# The other machine: its own store, and a trust.json that wants the verdict of the first one's key.
machine_b() { BRIG_DATA=$T/data-b BRIG_RUNTIME=$T/run-b BRIG_CONFIG=$T/config-b "$@"; }
run_on_b() {
    machine_b brig rmi -f "$IMAGE" >/dev/null 2>&1 || true
    rm -rf "${T:?}/data-b/signatures"
    machine_b brig pull -q "$IMAGE" >/dev/null 2>&1
    run machine_b brig run --rm --net none "$IMAGE"
}
refused_on_b() {
    run_on_b
    assert_exit 125
    refute_line '^one$'
    assert_line "$1"
}
attest_it() { brig vet -q -o /dev/null --attest --key "$T/${1:-a}.private" "${2:-$IMAGE}"; }
# envelope REPO: what the registry has, the newest.
envelope() {
    registry_curl "https://$REGISTRY/v2/$1/blobs/$(manifest_get "$1" "sha256-$HEX.att" | jq -r '.layers[-1].digest')"
}
# put_envelope REPO HEX FILE
put_envelope() {
    echo '{"architecture":"","os":"","config":{},"rootfs":{"type":"layers","diff_ids":[]}}' >"$TT/config"
    jq -n --arg m "$MANIFEST" --arg c "$(blob_put "$1" "$TT/config")" --argjson cs "$(stat -c %s "$TT/config")" \
        --arg p "$(blob_put "$1" "$3")" --argjson ps "$(stat -c %s "$3")" '{schemaVersion: 2, mediaType: $m,
        config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $c, size: $cs},
        layers: [{mediaType: "application/vnd.dsse.envelope.v1+json", digest: $p, size: $ps, annotations: {}}]}' >"$TT/att"
    manifest_put "$1" "sha256-$2.att" "$MANIFEST" "$TT/att"
}

@test "an image that was vetted and attested on one machine runs on another that requires it; openssl agrees" {
    refused_on_b 'it has no signature by|no attestation'
    run attest_it
    assert_ok
    assert_line "attested: sha256:$HEX passed; signed by sha256:$(openssl pkey -in "$T/a.private" -pubout -outform DER | sha256sum | cut -d' ' -f1)"
    # It is here, not there yet.
    refused_on_b 'it has no signature by|no attestation'
    run brig push -q --attestations "$IMAGE"
    assert_ok
    assert_line 'attestations: 1$'
    run_on_b
    assert_ok
    assert_line '^one$'
    # Read by others: the envelope, its signature, what it says.
    envelope "$REPO" >"$TT/e"
    assert_eq "$(jq -r .payloadType "$TT/e")" application/vnd.in-toto+json
    jq -r .payload "$TT/e" | base64 -d >"$TT/statement"
    printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(stat -c %s "$TT/statement")" | cat - "$TT/statement" >"$TT/pae"
    jq -r '.signatures[0].sig' "$TT/e" | base64 -d >"$TT/sig"
    openssl dgst -sha256 -verify "$T/a.pub" -signature "$TT/sig" "$TT/pae"
    jq -e --arg h "$HEX" --arg n "$IMAGE" '._type == "https://in-toto.io/Statement/v1" and .predicateType == "https://brig.dev/attestation/vet/v1"
        and .subject == [{name: $n, digest: {sha256: $h}}]
        and (.predicate | .verdict == "passed" and .failOn == "high" and .counts.critical == 0 and .counts.high == 0
            and .advisories == null and .notLooked >= 1 and (.timeVerified | fromdateiso8601) <= now
            and ([.rules[].name] | contains(["vet.rules", "vet-secrets.rules", "vet-malware.yar"])))' "$TT/statement"
    assert_eq "$(jq -r '.predicate.rules[] | select(.name == "vet.rules").digest.sha256' "$TT/statement")" \
        "$(sha256sum "${BRIG_SHARE:-$(dirname "$BRIG")/../share/brig}/vet.rules" | cut -d' ' -f1)"
}

@test "a verdict of another key, about another image, or with a changed letter lets nothing run" {
    attest_it c
    brig push -q --attestations "$IMAGE"
    refused_on_b "not made by the policy's key"
    # The right key, the right one: and then each wrong by one change.
    attest_it a
    run brig push -q --attestations "$IMAGE"
    assert_line 'attestations: 2$'
    run_on_b
    assert_ok
    envelope "$REPO" >"$TT/good"
    jq -c '.payload |= (@base64d | sub("\"high\":0"; "\"high\":1") | @base64)' "$TT/good" >"$TT/bad"
    run ! cmp -s "$TT/good" "$TT/bad"
    put_envelope "$REPO" "$HEX" "$TT/bad"
    refused_on_b 'the image does not run'
    # Signed as it should be, but it is the other image that passed.
    push two "$REGISTRY/$REPO-two:1"
    brig pull -q "$REGISTRY/$REPO-two:1" >/dev/null
    attest_it a "$REGISTRY/$REPO-two:1"
    brig push -q --attestations "$REGISTRY/$REPO-two:1"
    HEX=$(digest two) envelope "$REPO-two" >"$TT/other"
    put_envelope "$REPO" "$HEX" "$TT/other"
    refused_on_b 'it was made for another image'
    put_envelope "$REPO" "$HEX" "$TT/good"
    run_on_b
    assert_ok
    brig rmi -f "$REGISTRY/$REPO-two:1" >/dev/null
}

@test "what does not pass is not attested, by level or by policy; what was decided by stands in the statement" {
    cp "$TEST_BIN/probe" "$TT/sshd"
    make_image mariadb '{"Cmd":["true"],"Env":["PATH=/bin"]}' "f|usr/sbin/sshd|0755|0|0|@$TT/sshd"
    run brig vet -q -o /dev/null --attest --key "$T/a.private" mariadb
    assert_exit 1
    assert_line 'not attested: the image did not pass'
    [ ! -e "$BRIG_DATA/signatures" ] || [ -z "$(find "$BRIG_DATA/signatures" -name 'part-*')" ]
    echo '{"fail_on":"critical","forbidden":["V1-ssh-*"]}' | install -m 0600 /dev/stdin "$TT/vet.json"
    run brig vet -q -o /dev/null --attest --key "$T/a.private" --policy "$TT/vet.json" mariadb
    assert_exit 1
    assert_line 'not attested'
    run brig push -q --attestations "$IMAGE"
    assert_exit 125
    assert_line 'nothing that was attested about it is kept here'
    run brig vet -q -o /dev/null --attest --key "$T/a.private" --policy "$TT/vet.json" "$IMAGE"
    assert_ok
    brig push -q --attestations "$IMAGE"
    envelope "$REPO" | jq -r .payload | base64 -d >"$TT/statement"
    jq -e --arg s "$(sha256sum "$TT/vet.json" | cut -d' ' -f1)" '.predicate | .failOn == "critical" and .policy == {name: "vet.json", digest: {sha256: $s}}' \
        "$TT/statement"
    brig rmi -f mariadb >/dev/null
}

@test "--attest wants an image, a key and a question" {
    run brig vet -q --attest "$IMAGE"
    assert_exit 2
    assert_line 'brig trust key'
    run brig vet -q --attest --key "$T/a.private" --fail-on never "$IMAGE"
    assert_exit 2
    assert_line 'a verdict needs'
    run brig vet -q --key "$T/a.private" "$IMAGE"
    assert_exit 2
    assert_line 'belong to --attest'
    mkdir "$TT/folder"
    run brig vet -q -o /dev/null --attest --key "$T/a.private" "$TT/folder"
    assert_exit 2
    assert_line 'only an image'
    run brig vet -q -o /dev/null --attest --key "$T/a.pub" "$IMAGE"
    assert_exit 2
    assert_line 'PUBLIC KEY'
}

@test "what brig vet attests is what trust.json asks of it: the worst level, and its age" {
    attest_it
    brig push -q --attestations "$IMAGE"
    envelope "$REPO" | jq -r .payload | base64 -d >"$TT/statement"
    # There is something to count, and nothing bad.
    jq -e '.predicate.counts | .critical + .high == 0 and .medium + .low + .info > 0' "$TT/statement"
    cp "$T/config-b/trust.json" "$TT/trust.json"
    wants() { jq --argjson m "$1" '.scopes[].require[0] += $m' "$TT/trust.json" >"$T/config-b/trust.json"; }
    wants '{"atMost": "medium", "maxAge": "1h"}'
    run_on_b
    assert_ok
    assert_line '^one$'
    wants '{"atMost": "none"}'
    refused_on_b 'it tells of findings of level'
    jq '.scopes[].notBefore = "2199-01-01T00:00:00Z"' "$TT/trust.json" >"$T/config-b/trust.json"
    refused_on_b 'older than notBefore'
    cp "$TT/trust.json" "$T/config-b/trust.json"
}

@test "a bill of materials is attached to the image in its registry, and found there by its format, the newest first" {
    local pkgs
    for format in spdx cyclonedx; do
        run brig sbom --remote --format "$format" "$IMAGE"
        assert_exit 2
        assert_line 'no document of this kind refers to it'
        run --separate-stderr brig sbom -q --attach --format "$format" "$IMAGE"
        assert_ok
        assert_line "^$REGISTRY/$REPO@sha256:[0-9a-f]{64}\$"
        echo "$output" >"$TT/$format.name"
        brig sbom -q --format "$format" "$IMAGE" >"$TT/$format.here"
        # From another machine, which has not the image.
        machine_b brig sbom --remote --format "$format" "$IMAGE" >"$TT/$format.there"
        pkgs=$(brig vet -q --format json "$TT/$format.here" | jq -c '[.packages[].purl] | sort')
        assert_eq "$(brig vet -q --format json "$TT/$format.there" | jq -c '[.packages[].purl] | sort')" "$pkgs"
    done
    # As others see it: the artifact by its digest, the list of what refers to the image.
    manifest_get "$REPO" "$(cut -d@ -f2 "$TT/spdx.name")" >"$TT/m"
    jq -e --arg d "sha256:$HEX" '.artifactType == "application/spdx+json" and .subject.digest == $d and (.layers | length) == 1 and
        .layers[0].mediaType == "application/spdx+json" and .config.mediaType == "application/vnd.oci.empty.v1+json"' "$TT/m"
    registry_curl -H 'Accept: application/vnd.oci.image.index.v1+json' "https://$REGISTRY/v2/$REPO/manifests/sha256-$HEX" |
        jq -e '[.manifests[].artifactType] | sort == ["application/spdx+json", "application/vnd.cyclonedx+json"]'
    SOURCE_DATE_EPOCH=1700000000 brig sbom -q --attach "$IMAGE" >/dev/null
    assert_eq "$(brig sbom --remote "$IMAGE" | jq -r .creationInfo.created)" 2023-11-14T22:13:20Z
    # One of another image, although the list has it, is none of this one.
    echo '{"spdxVersion":"SPDX-2.3","packages":[{"name":"other","SPDXID":"SPDXRef-x"}]}' >"$TT/other.json"
    refer "$REPO" "$(digest two)" application/spdx+json application/spdx+json "$TT/other.json"
    manifest_put "$REPO" "sha256-$HEX" application/vnd.oci.image.index.v1+json "$TT/index"
    run brig sbom --remote "$IMAGE"
    assert_exit 2
    assert_line 'no document of this kind refers to it'
    # Where cosign put them: a tag.
    jq -n --arg m "$MANIFEST" --arg c "$(blob_put "$REPO" "$TT/empty")" --arg d "$(blob_put "$REPO" "$TT/other.json")" \
        --argjson n "$(stat -c %s "$TT/other.json")" '{schemaVersion: 2, mediaType: $m,
        config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $c, size: 2},
        layers: [{mediaType: "text/spdx+json", digest: $d, size: $n}]}' >"$TT/sbom"
    manifest_put "$REPO" "sha256-$HEX.sbom" "$MANIFEST" "$TT/sbom"
    brig sbom --remote "$IMAGE" | cmp - "$TT/other.json"
    run brig sbom --attach --remote "$IMAGE"
    assert_exit 2
    run brig sbom "$IMAGE" "$IMAGE"
    assert_exit 2
    assert_line 'where --attach sends the bill'
}
