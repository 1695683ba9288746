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
    both_stop
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

# --- copies ---------------------------------------------------------------------------------------------------------

remote_digest() { brig image inspect --remote -f '{{.Digest}}' "$1"; }
# both_start: two registries, ONE and TWO, each with its own password file.
both_start() {
    mkdir -p "$T/two"
    cp "$T/certs"/*.pem "$T/certs"/token.* "$T/two"
    registry_start "$T/certs"
    ONE=$REGISTRY
    login
    registry_start "$T/two"
    TWO=$REGISTRY
    login
    REGISTRY=$ONE
}
both_stop() {
    servers_stop "$T/two"
    rm -rf "$T/two"
}

@test "image copy from registry to registry: one platform or all, the same digests, and nothing is sent twice" {
    local before
    both_start
    put_multi team/multi:1
    before=$(brig images -aq)
    run brig image copy --all "$ONE/team/multi:1" "$TWO/other/name:2"
    assert_ok
    assert_line "^$TWO/other/name:2@$INDEX$"
    assert_line '^6 of 6 blobs were not there yet$'
    assert_line 'not verified: a copy asks nobody'
    run skopeo inspect --raw --cert-dir "$BRIG_CONFIG/certs.d/$TWO" "docker://$TWO/other/name:2"
    assert_eq "sha256:$(printf %s "$output" | sha256sum | cut -d' ' -f1)" "$INDEX"
    assert_eq "$(brig image inspect --remote --platform "$PLATFORM" -f '{{.Manifest}}' "$TWO/other/name:2")" "$OTHER"
    : >"$T/two/out"
    run brig image copy -a "docker://$ONE/team/multi:1" "docker://$TWO/other/name:3"
    assert_ok
    assert_line '^0 of 6 blobs were not there yet$'
    assert_eq "$(grep -c 'POST /v2/other/name/blobs' "$T/two/out" || true)" 0
    # One platform alone, to another repository of the same registry: mounted there, not fetched and sent.
    : >"$T/certs/out"
    run brig image copy -q "$ONE/team/multi:1" "$ONE/one/only:1"
    assert_ok
    assert_eq "$output" "$ONE/one/only:1@$FIRST"
    assert_eq "$(asked 'GET /v2/team/multi/blobs/')" 0
    assert_eq "$(asked 'PUT /v2/one/only/blobs/uploads')" 0
    [ "$(asked 'POST /v2/one/only/blobs/uploads/?mount=')" -gt 0 ] || fail "nothing was mounted"
    run brig image copy -q --platform linux/s390x "$ONE/team/multi:1" "$ONE/one/only:2"
    assert_exit 125
    assert_line 'no image for linux/s390x'
    run brig image copy -q "$ONE/team/nosuch:1" "$TWO/one/only:2"
    assert_exit 125
    assert_line '404'
    run brig image copy -q "$ONE/team/multi:1" "$TWO/one/only@$INDEX"
    assert_exit 125
    assert_line 'to a tag, not to a digest'
    # The store has no part in it, and nothing that was copied became trusted.
    assert_eq "$(brig images -aq)" "$before"
    [ -z "$(ls -A "$BRIG_DATA/loading")" ] || fail "it left a folder in loading"
    both_stop
}

@test "image copy to and from OCI layouts, beside what is in them, with skopeo on the other side" {
    registry_start "$T/certs"
    login
    run brig image copy -q -a "oci:$T/multi:v1" "$REGISTRY/from/layout:1"
    assert_ok
    assert_eq "$output" "$REGISTRY/from/layout:1@$INDEX"
    run brig image copy -q -a "$REGISTRY/from/layout:1" "oci:$TT/out:x"
    assert_ok
    assert_eq "$output" "oci:$TT/out:x@$INDEX"
    run skopeo copy -q --all --preserve-digests --insecure-policy "oci:$TT/out:x" "oci:$TT/theirs:y"
    assert_ok
    assert_eq "$(jq -r '.manifests[0].digest' "$TT/theirs/index.json")" "$INDEX"
    run brig image copy -q "$REGISTRY/from/layout:1" "oci:$TT/out:y"
    assert_ok
    assert_eq "$(jq -r '.manifests | map(.annotations["org.opencontainers.image.ref.name"] + " " + .digest) | join(",")' "$TT/out/index.json")" \
        "x $INDEX,y $FIRST"
    run brig image copy -q "oci:$TT/out:y" "oci:$TT/out:x"
    assert_ok
    assert_eq "$(jq -r '.manifests | map(.digest) | unique | join(",")' "$TT/out/index.json")" "$FIRST"
    run brig image copy -q "oci:$TT/out" "oci:$TT/new"
    assert_exit 125
    assert_line 'several images'
    refute_file "$TT/new"
    run brig image copy -q "oci:$TT/out:z" "oci:$TT/new"
    assert_exit 125
    assert_line 'the layout has no image "z"'
    # What is wrong in the source never has its name at the destination.
    layer=$(jq -r '.layers[0].digest[7:]' "$TT/out/blobs/sha256/${FIRST#*:}")
    chmod u+w "$TT/out/blobs/sha256/$layer"
    printf x | dd of="$TT/out/blobs/sha256/$layer" bs=1 seek=100 conv=notrunc status=none
    run brig image copy -q "oci:$TT/out:y" "$REGISTRY/from/broken:1"
    assert_exit 125
    assert_line "$layer"
    run brig image copy -q "oci:$TT/out:y" "oci:$TT/new:1"
    assert_exit 125
    assert_line "blob sha256:$layer has the digest"
    refute_file "$TT/new"
    run remote_digest "$REGISTRY/from/broken:1"
    assert_exit 125
    # And what is wrong at the destination is mended, not believed.
    run brig image copy -q "$REGISTRY/from/layout:1" "oci:$TT/out:y"
    assert_ok
    assert_eq "$(sha256sum <"$TT/out/blobs/sha256/$layer" | cut -d' ' -f1)" "$layer"
    mkdir "$TT/nolayout"
    run brig image copy -q "$REGISTRY/from/layout:1" "oci:$TT/nolayout:1"
    assert_exit 125
    assert_line 'exists and is no OCI layout'
}

@test "image copy --signatures: cosign's tags and referrers come along, by registry, by layout and back" {
    local hex
    both_start
    REGISTRY=$ONE
    # The image under its own name, signed; and a referrer with the tag that lists it, as registries without the API have it.
    brig push -q tiny "$ONE/team/app:1"
    echo pass >"$TT/pass"
    brig trust key --passphrase-file "$TT/pass" "$TT/me" >/dev/null
    brig sign -q --key "$TT/me.private" --passphrase-file "$TT/pass" tiny "$ONE/team/app:1"
    hex=$(remote_digest "$ONE/team/app:1")
    hex=${hex#*:}
    put() { curl -sS --fail --cacert "$T/certs/cert.pem" -u alice:secret -o /dev/null "$@"; }
    printf '{}' >"$TT/empty"
    empty=$(sha256sum <"$TT/empty" | cut -d' ' -f1)
    where=$(curl -sS --fail --cacert "$T/certs/cert.pem" -u alice:secret -o /dev/null -D - -X POST "https://$ONE/v2/team/app/blobs/uploads/" |
        tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    put -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$TT/empty" "$where&digest=sha256:$empty"
    jq -nc --arg e "sha256:$empty" --arg s "sha256:$hex" --argjson n "$(brig image inspect --remote --raw "$ONE/team/app:1" | wc -c)" '
        {schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", artifactType: "application/vnd.example.note",
         config: {mediaType: "application/vnd.oci.empty.v1+json", digest: $e, size: 2},
         layers: [{mediaType: "application/vnd.oci.empty.v1+json", digest: $e, size: 2}],
         subject: {mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $s, size: $n}}' | tr -d '\n' >"$TT/note"
    note=sha256:$(sha256sum <"$TT/note" | cut -d' ' -f1)
    put -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary "@$TT/note" \
        "https://$ONE/v2/team/app/manifests/$note"
    jq -nc --arg d "$note" --argjson n "$(stat -c %s "$TT/note")" '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json",
        manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $d, size: $n, artifactType: "application/vnd.example.note"}]}' \
        >"$TT/list"
    put -X PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' --data-binary "@$TT/list" \
        "https://$ONE/v2/team/app/manifests/sha256-$hex"
    run brig image copy "$ONE/team/app:1" "$TWO/without/app:1"
    assert_ok
    run brig image tags "$TWO/without/app"
    assert_eq "$output" 1
    run brig image copy --signatures "$ONE/team/app:1" "$TWO/team/app:1"
    assert_ok
    assert_line '^2 signatures and other referrers came along$'
    check_along "$TWO/team/app"
    run brig image copy -q --signatures "$ONE/team/app:1" "oci:$TT/along:1"
    assert_ok
    assert_eq "$(jq '.manifests | length' "$TT/along/index.json")" 3
    run brig image copy -q --signatures "oci:$TT/along" "$TWO/again/app:1"
    assert_ok
    check_along "$TWO/again/app"
    # A second copy changes nothing: the list does not grow.
    brig image copy -q --signatures "$ONE/team/app:1" "$TWO/team/app:1"
    check_along "$TWO/team/app"
    both_stop
}
# check_along REPOSITORY: the tags, and the referrer once in its list.
check_along() {
    run brig image tags "$1"
    assert_ok
    assert_eq "$output" "$(printf '1\nsha256-%s\nsha256-%s.sig' "$hex" "$hex")"
    run brig image inspect --remote --raw "$1:sha256-$hex"
    assert_ok
    assert_eq "$(jq -r '.manifests | map(.digest + " " + .artifactType) | join(",")' <<<"$output")" "$note application/vnd.example.note"
    assert_eq "$(remote_raw_digest "$1@$note")" "$note"
    assert_eq "$(remote_raw_digest "$1:sha256-$hex.sig")" "$(remote_raw_digest "$ONE/team/app:sha256-$hex.sig")"
    brig image copy -q "$1:sha256-$hex.sig" "oci:$TT/sig-${1//\//-}"
}
remote_raw_digest() { echo "sha256:$(brig image inspect --remote --raw "$1" | sha256sum | cut -d' ' -f1)"; }

# --- mirrors --------------------------------------------------------------------------------------------------------

conf() { cat >"$T/xdg/containers/registries.conf"; }
# mirrored NAME: pulls it and removes it again.
mirrored() {
    run brig pull "$1"
    assert_ok
    brig rmi -f "$1" >/dev/null
    brig image prune -f >/dev/null
}
gets() { grep -c "GET /v2/$2/\(manifests\|blobs\)" "$T/$1/out" || true; }

@test "mirrors of registries.conf: bytes come from there, the name and what vouches for it stay; what fails goes on to the next" {
    both_start
    put_multi team/multi:1
    brig image copy -q -a "$ONE/team/multi:1" "$TWO/copies/multi:1"
    conf <<CONF
[[registry]]
prefix = "$ONE/team"
[[registry.mirror]]
location = "127.0.0.1:1/nobody"
[[registry.mirror]]
location = "$TWO/copies"
CONF
    : >"$T/certs/out" && : >"$T/two/out"
    run brig pull "$ONE/team/multi:1"
    assert_ok
    assert_line 'the mirror 127.0.0.1:1/nobody/multi: cannot reach 127.0.0.1:1'
    assert_eq "$(gets certs team/multi)" 0
    [ "$(gets two copies/multi)" -gt 2 ] || fail "the mirror was not asked"
    assert_eq "$(brig image inspect -f '{{.Pulled}}' "$ONE/team/multi:1")" "$ONE/team/multi:1@$INDEX"
    brig rmi -f "$ONE/team/multi:1" >/dev/null
    # Not there: the registry itself.
    brig image copy -q -a "$ONE/team/multi:1" "$ONE/team/other:1"
    : >"$T/certs/out"
    mirrored "$ONE/team/other:1"
    assert_line "the mirror $TWO/copies/other: manifest: the registry answers 404"
    [ "$(gets certs team/other)" -gt 2 ] || fail "the registry was not asked"
    # A mirror that means something else by a pinned name is not believed, and stops nothing.
    brig image copy -q --platform "$PLATFORM" "$ONE/team/multi:1" "$TWO/copies/multi:1"
    brig pull -q "$ONE/team/multi@$INDEX" >/dev/null 2>&1
    yes | brig trust pin -y "$ONE/team/multi:1@$INDEX" >/dev/null 2>&1 || brig trust pin "$ONE/team/multi:1@$INDEX" >/dev/null
    run brig pull "$ONE/team/multi:1"
    assert_ok
    assert_line "the mirror $TWO/copies/multi: .*IS NOT WHAT IT WAS"
    assert_eq "$(brig image inspect -f '{{.Pulled}}' "$ONE/team/multi:1")" "$ONE/team/multi:1@$INDEX"
    brig trust unpin "$ONE/team/multi:1"
    brig rmi -f "$ONE/team/multi:1" >/dev/null
    # Looking at it and copying it ask there too; what is missing there is not missing.
    : >"$T/certs/out" && : >"$T/two/out"
    run brig image inspect --remote -f '{{.Name}} {{.Digest}}' "$ONE/team/multi:1"
    assert_ok
    assert_line "^$ONE/team/multi:1 $OTHER$"
    assert_line 'the mirror 127.0.0.1:1/nobody/multi'
    assert_eq "$(gets certs team/multi)" 0
    run brig image copy -q -a "$ONE/team/multi@$INDEX" "oci:$TT/mirrored:1"
    assert_ok
    assert_eq "$(jq -r '.manifests[0].digest' "$TT/mirrored/index.json")" "$INDEX"
    # Blocked is blocked, mirrors or not; a push goes to the registry itself.
    : >"$T/two/out"
    brig push -q tiny "$ONE/team/pushed:1"
    assert_eq "$(grep -c copies "$T/two/out" || true)" 0
    sed -i '/^prefix/a blocked = true' "$T/xdg/containers/registries.conf"
    run brig pull "$ONE/team/multi:1"
    assert_exit 125
    assert_line "registries.conf blocks $ONE/team"
    both_stop
}

@test "mirrors by digest or by tag alone, and none without TLS because a file says insecure" {
    both_start
    put_multi team/multi:1
    brig image copy -q -a "$ONE/team/multi:1" "$TWO/copies/multi:1"
    printf '[[registry]]\nlocation = "%s/team"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "%s/copies"\n' "$ONE" "$TWO" | conf
    : >"$T/certs/out" && : >"$T/two/out"
    mirrored "$ONE/team/multi:1"
    assert_eq "$(gets two copies/multi)" 0
    [ "$(gets certs team/multi)" -gt 2 ] || fail "the registry was not asked"
    : >"$T/certs/out"
    mirrored "$ONE/team/multi@$INDEX"
    assert_eq "$(gets certs team/multi)" 0
    [ "$(gets two copies/multi)" -gt 2 ] || fail "the mirror was not asked"
    printf '[[registry]]\nlocation = "%s/team"\n[[registry.mirror]]\nlocation = "%s/copies"\npull-from-mirror = "tag-only"\n' "$ONE" "$TWO" | conf
    : >"$T/certs/out" && : >"$T/two/out"
    mirrored "$ONE/team/multi@$INDEX"
    assert_eq "$(gets two copies/multi)" 0
    mirrored "$ONE/team/multi:1"
    [ "$(gets two copies/multi)" -gt 2 ] || fail "the mirror was not asked"
    # Elsewhere under another name, with the password of that place.
    printf '[[registry]]\nprefix = "app.example/team"\nlocation = "%s/copies"\n' "$TWO" | conf
    mirrored app.example/team/multi:1
    # The certificate counts, whatever the file says.
    rm -r "$BRIG_CONFIG/certs.d/$TWO"
    printf '[[registry]]\nprefix = "app.example/team"\nlocation = "%s/copies"\ninsecure = true\n' "$TWO" | conf
    run brig pull app.example/team/multi:1
    assert_exit 125
    assert_line "no trusted connection to $TWO"
    assert_line 'registries.conf calls it insecure; brig asks that of brig.conf alone'
    printf '[[registry]]\nlocation = "%s/team"\n[[registry.mirror]]\nlocation = "%s/copies"\ninsecure = true\n' "$ONE" "$TWO" | conf
    : >"$T/two/out"
    mirrored "$ONE/team/multi:1"
    assert_line "the mirror $TWO/copies/multi: no trusted connection"
    assert_eq "$(gets two copies/multi)" 0
    both_stop
}

@test "drop-in files of registries.conf.d: theirs add to the file, the last one of a name counts" {
    registry_start "$T/certs"
    login
    put_multi real/tiny:1
    mkdir -p "$T/xdg/containers/registries.conf.d"
    printf '[aliases]\n"nick" = "127.0.0.1:1/wrong"\n' >"$T/xdg/containers/registries.conf.d/10-a.conf"
    printf '[aliases]\n"nick" = "%s/real/tiny"\n' "$REGISTRY" >"$T/xdg/containers/registries.conf.d/20-b.conf"
    echo 'no toml' >"$T/xdg/containers/registries.conf.d/readme"
    run brig image inspect --remote -f '{{.Name}}' nick:1
    rc=$status
    printf 'x = [1]\n' >"$T/xdg/containers/registries.conf.d/30-c.conf"
    run_out=$output
    run brig image tags nick
    rm -r "$T/xdg/containers/registries.conf.d"
    assert_exit 125
    assert_line '30-c.conf:1: a list of something else'
    assert_eq "$rc $run_out" "0 $REGISTRY/real/tiny:1"
}

@test "a pull goes on from the first bytes of a blob by Range, as the real registry's log says" {
    local big
    registry_start "$T/certs"
    login
    mkdir "$TT/root"
    head -c 5000000 /dev/urandom >"$TT/root/bytes"
    tar -C "$TT/root" -cf "$TT/big.tar" .
    "$REPO_TESTS/images/oci-layout" "$TT/large" large:1 '{"Cmd":["/bytes"]}' "$TT/big.tar"
    brig image copy -q "oci:$TT/large" "$REGISTRY/team/large:1"
    big=$(brig image inspect --remote -f '{{(index .Layers 0).Digest}}' "$REGISTRY/team/large:1")
    mkdir -p -m 0700 "$BRIG_DATA/partial"
    head -c 3000000 "$TT/large/blobs/sha256/${big#*:}" >"$BRIG_DATA/partial/${big#*:}"
    : >"$T/certs/out"
    run brig pull -q "$REGISTRY/team/large:1"
    assert_ok
    assert_eq "$(grep -a "GET /v2/team/large/blobs/$big" "$T/certs/out" | grep -c '" 206 ')" 1
    assert_eq "$(grep -a "GET /v2/team/large/blobs/$big" "$T/certs/out" | grep -c '" 200 ' || true)" 0
    run brig image verify --deep "$REGISTRY/team/large:1"
    assert_ok
}
