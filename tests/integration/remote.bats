#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images in registries that are looked at, copied and listed without being pulled, against Debian's docker-registry.

load lib
load registry

setup_file() {
    brig_setup tiny
    certs_make "$T/certs"
    export REGISTRY_AUTH_FILE=$T/auth.json XDG_CONFIG_HOME=$T/xdg
    mkdir -p "$T/xdg/containers"
    "$REPO_TESTS/images/multi" "$(test_image tiny)" "$T/multi" v1 >"$T/digests"
    read -r INDEX FIRST OTHER PLATFORM <"$T/digests"
    export INDEX FIRST OTHER PLATFORM
}
teardown_file() { brig_teardown; }
setup() {
    brig_begin
    rm -f "$REGISTRY_AUTH_FILE" "$T/xdg/containers/registries.conf"
    rm -rf "$T/certs/store"
}
teardown() {
    servers_stop "$T/certs"
    brig_conf
    brig_end
}

login() { brig login -u alice --password-stdin "$REGISTRY" <<<secret; }
# put_multi NAME: the index of two platforms, by skopeo.
put_multi() {
    skopeo copy -q --all --preserve-digests --insecure-policy --dest-cert-dir "$BRIG_CONFIG/certs.d/$REGISTRY" "oci:$T/multi:v1" "docker://$REGISTRY/$1"
}
asked() { grep -c "$1" "$T/certs/out" || true; }

@test "image inspect --remote: index, platforms, configuration and layers, and no layer is fetched" {
    local layer before
    before=$(brig images -q)
    registry_start "$T/certs"
    run brig image inspect --remote "$REGISTRY/team/multi:1"
    assert_exit 125
    assert_line 'asks for user and password'
    login
    run brig image inspect --remote "$REGISTRY/team/multi:1"
    assert_exit 125
    assert_line "cannot look at $REGISTRY/team/multi: manifest: the registry answers 404"
    put_multi team/multi:1
    run brig image inspect --remote "$REGISTRY/team/multi:1"
    assert_ok
    assert_eq "$(jq -r '.[0].Digest' <<<"$output")" "$INDEX"
    assert_eq "$(jq -r '.[0].Manifest' <<<"$output")" "$FIRST"
    assert_eq "$(jq -r '.[0].Platforms | map(select(.Attestation | not).Digest) | join(" ")' <<<"$output")" "$OTHER $FIRST"
    assert_eq "$(jq -r '.[0].Platforms | map(select(.Attestation)) | length' <<<"$output")" 1
    assert_eq "$(jq -c '.[0].Layers | map(.Digest)' <<<"$output")" \
        "$(jq -c '.layers | map(.digest)' "$T/multi/blobs/sha256/${FIRST#*:}")"
    run brig image inspect --platform "$PLATFORM" -f '{{.Os}}/{{.Architecture}} {{.Manifest}} {{len .Layers}}' "docker://$REGISTRY/team/multi:1"
    assert_ok
    assert_eq "$output" "$PLATFORM $OTHER $(jq '.layers | length' "$T/multi/blobs/sha256/${OTHER#*:}")"
    # The same as skopeo says of it.
    run skopeo inspect --config --cert-dir "$BRIG_CONFIG/certs.d/$REGISTRY" "docker://$REGISTRY/team/multi:1"
    theirs=$(jq -Sc .config <<<"$output")
    assert_eq "$(brig image inspect --remote -f '{{json .Config}}' "$REGISTRY/team/multi:1" | jq -Sc .)" "$theirs"
    brig image inspect --remote --raw "$REGISTRY/team/multi@$INDEX" >"$TT/raw"
    assert_eq "sha256:$(sha256sum <"$TT/raw" | cut -d' ' -f1)" "$INDEX"
    run brig image inspect --remote --platform linux/s390x "$REGISTRY/team/multi:1"
    assert_exit 125
    assert_line 'no image for linux/s390x'
    # Nothing is kept, and no layer was asked for.
    assert_eq "$(brig images -q)" "$before"
    for layer in $(jq -r '.layers[].digest' "$T/multi/blobs/sha256/${FIRST#*:}"); do
        assert_eq "$(asked "GET /v2/team/multi/blobs/$layer.*brig/")" 0
    done
    [ "$(asked "GET /v2/team/multi/blobs/.*brig/")" -gt 0 ] || fail "the registry's log does not tell"
    [ -z "$(ls -A "$BRIG_DATA/loading")" ] || fail "it left a folder in loading"
    run brig image inspect --raw tiny
    assert_exit 125
    assert_line 'go with --remote'
    run brig image inspect "docker://$REGISTRY/team/multi:1" tiny
    assert_exit 125
    assert_line 'all names have it'
}
