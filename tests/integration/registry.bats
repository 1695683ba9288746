#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Pull, push, login and logout against Debian's docker-registry, with skopeo and podman on the other side.

load lib
load registry

setup_file() {
    brig_setup tiny
    certs_make "$T/certs"
    export REGISTRY_AUTH_FILE=$T/auth.json XDG_CONFIG_HOME=$T/xdg
    mkdir -p "$T/xdg/containers"
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

skopeo_with() { skopeo --policy "$T/policy.json" "$@"; }
login() { brig login -u alice --password-stdin "$REGISTRY" <<<secret; }
manifest_of() { jq -r --arg n "$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' \
    "$BRIG_DATA/images/index.json"; }
forget() { brig rmi -f "$1" >/dev/null; }

@test "a registry with a password: refused without, login, pull, push, logout" {
    registry_start "$T/certs"
    run brig push -q tiny "$REGISTRY/team/tiny:1"
    assert_exit 125
    assert_line 'asks for user and password'
    assert_line "brig login $REGISTRY"
    run brig login -u alice --password-stdin "$REGISTRY" <<<wrong
    assert_exit 125
    assert_line 'user or password is wrong'
    refute_file "$REGISTRY_AUTH_FILE"
    run login
    assert_ok
    assert_line '^Login Succeeded$'
    assert_eq "$(stat -c %a "$REGISTRY_AUTH_FILE")" 600
    run brig push -q tiny "$REGISTRY/team/tiny:1"
    assert_ok
    assert_eq "$output" "$REGISTRY/team/tiny:1@$(manifest_of localhost/tiny:latest)"
    run brig pull -q "$REGISTRY/team/tiny:1"
    assert_ok
    assert_eq "$output" "$REGISTRY/team/tiny:1"
    assert_eq "$(manifest_of "$REGISTRY/team/tiny:1")" "$(manifest_of localhost/tiny:latest)"
    # As before; on a terminal and off it nothing is fetched twice.
    run brig pull "$REGISTRY/team/tiny:1"
    assert_ok
    assert_line 'is up to date'
    forget "$REGISTRY/team/tiny:1"
    run brig logout "$REGISTRY"
    assert_ok
    run brig pull -q "$REGISTRY/team/tiny:1"
    assert_exit 125
    assert_line 'asks for user and password'
    run brig logout "$REGISTRY"
    assert_exit 125
}

@test "the tags that a registry has, page by page" {
    registry_start "$T/certs"
    run brig image tags "$REGISTRY/team/tiny"
    assert_exit 125
    assert_line 'asks for user and password'
    login
    run brig image tags "$REGISTRY/team/tiny"
    assert_exit 125
    assert_line "cannot list the tags of $REGISTRY/team/tiny"
    for tag in 2 1.0 latest; do brig push -q tiny "$REGISTRY/team/tiny:$tag"; done
    run brig image tags "$REGISTRY/team/tiny"
    assert_ok
    assert_eq "$output" "$(printf '1.0\n2\nlatest')"
    run brig image tags --format json "$REGISTRY/team/tiny:2"
    assert_ok
    assert_eq "$(jq -c . <<<"$output")" "{\"Name\":\"$REGISTRY/team/tiny\",\"Tags\":[\"1.0\",\"2\",\"latest\"]}"
    run brig image tags -n 1 "$REGISTRY/team/tiny"
    assert_ok
    assert_eq "$output" 1.0
    run brig image tags -n 1 --last 1.0 "$REGISTRY/team/tiny"
    assert_ok
    assert_eq "$output" 2
    run brig image tags --last latest "$REGISTRY/team/tiny"
    assert_ok
    assert_eq "$output" ''
    run brig image tags --filter '[0-9]*' "$REGISTRY/team/tiny"
    assert_ok
    assert_eq "$output" "$(printf '1.0\n2')"
    run brig image tags --last 'a b' "$REGISTRY/team/tiny"
    assert_exit 125
    assert_line 'that is no tag'
}

@test "skopeo pulls what brig pushes, brig pulls what skopeo pushes, with the same digests" {
    registry_start "$T/certs"
    login
    brig push -q tiny "$REGISTRY/from/brig:1"
    run skopeo copy -q --insecure-policy --src-cert-dir "$BRIG_CONFIG/certs.d/$REGISTRY" "docker://$REGISTRY/from/brig:1" "oci:$TT/out:x"
    assert_ok
    assert_eq "$(jq -r '.manifests[0].digest' "$TT/out/index.json")" "$(manifest_of localhost/tiny:latest)"
    for format in oci v2s2; do
        skopeo copy -q --insecure-policy -f "$format" --dest-cert-dir "$BRIG_CONFIG/certs.d/$REGISTRY" \
            "oci:$(test_image base):latest" "docker://$REGISTRY/from/skopeo:$format" 2>/dev/null ||
            skopeo copy -q --insecure-policy -f "$format" --dest-cert-dir "$BRIG_CONFIG/certs.d/$REGISTRY" \
                "oci:$(test_image base)" "docker://$REGISTRY/from/skopeo:$format"
        run brig pull -q "$REGISTRY/from/skopeo:$format"
        assert_ok
        assert_eq "$(manifest_of "$REGISTRY/from/skopeo:$format")" \
            "$(skopeo inspect --cert-dir "$BRIG_CONFIG/certs.d/$REGISTRY" -f '{{.Digest}}' "docker://$REGISTRY/from/skopeo:$format")"
        forget "$REGISTRY/from/skopeo:$format"
    done
}

@test "podman pulls what brig pushes and runs it with brig's password" {
    need_root
    need_command podman
    registry_start "$T/certs"
    login
    brig push -q tiny "$REGISTRY/for/podman:1"
    mkdir "$TT/podman"
    run podman --root "$TT/podman/root" --runroot "$TT/podman/run" --storage-driver vfs pull -q \
        --cert-dir "$BRIG_CONFIG/certs.d/$REGISTRY" "$REGISTRY/for/podman:1"
    assert_ok
    run podman --root "$TT/podman/root" --runroot "$TT/podman/run" --storage-driver vfs image inspect -f '{{.Digest}}' \
        "$REGISTRY/for/podman:1"
    assert_eq "$output" "$(manifest_of localhost/tiny:latest)"
}

@test "bearer tokens: a token server on another port, anonymous and with a password, with scopes" {
    registry_start "$T/certs" token
    run brig push -q tiny "$REGISTRY/public/tiny:1"
    assert_exit 125
    assert_line '401|403'
    run brig login -u alice --password-stdin "$REGISTRY" <<<wrong
    assert_exit 125
    assert_line 'user or password is wrong'
    login
    brig push -q tiny "$REGISTRY/public/tiny:1"
    brig push -q tiny "$REGISTRY/private/tiny:1"
    run jq -s 'map(.query.scope // [] | .[]) | unique | .[]' "$T/certs/token-log"
    assert_line '"repository:private/tiny:pull,push"'
    assert_eq "$(jq -rs 'map(.query.service[0]) | unique | .[0]' "$T/certs/token-log")" registry
    brig logout "$REGISTRY"
    : >"$T/certs/token-log"
    run brig pull -q "$REGISTRY/public/tiny:1"
    assert_ok
    assert_eq "$(jq -s 'map(.login) | any' "$T/certs/token-log")" false
    run brig pull -q "$REGISTRY/private/tiny:1"
    assert_exit 125
    forget "$REGISTRY/public/tiny:1"
}

@test "a push to a neighbouring repository sends nothing that is there" {
    registry_start "$T/certs"
    login
    brig push -q tiny "$REGISTRY/a/one:1"
    brig pull -q "$REGISTRY/a/one:1"
    # What the registry stores stays once on its disk, whoever pushes; the upload sessions tell.
    run brig push "$REGISTRY/a/one:1" "$REGISTRY/b/two:1"
    assert_ok
    run skopeo inspect --cert-dir "$BRIG_CONFIG/certs.d/$REGISTRY" -f '{{.Digest}}' "docker://$REGISTRY/b/two:1"
    assert_eq "$output" "$(manifest_of localhost/tiny:latest)"
    assert_eq "$(find "$T/certs/store" -path '*b/two/_layers*' -name link | wc -l)" 2
    forget "$REGISTRY/a/one:1"
}

@test "by digest and by platform, from an index of several" {
    local arch other digest
    registry_start "$T/certs"
    login
    case $(uname -m) in x86_64) arch=amd64 other=arm64 ;; *) arch=arm64 other=amd64 ;; esac
    brig push -q tiny "$REGISTRY/multi/image:$arch"
    mkdir "$TT/other"
    echo '{}' >"$TT/other/x"
    tar -C "$TT/other" -cf "$TT/l.tar" .
    "$REPO_TESTS/images/oci-layout" "$TT/o" other:1 '{}' "$TT/l.tar"
    # The same as for this machine, but for what it says of its platform.
    digest=$(jq -r '.manifests[0].digest[7:]' "$TT/o/index.json")
    config=$(jq -r '.config.digest[7:]' "$TT/o/blobs/sha256/$digest")
    jq -c --arg a "$other" '.architecture = $a' "$TT/o/blobs/sha256/$config" | tr -d '\n' >"$TT/c"
    sum=$(sha256sum <"$TT/c" | cut -d' ' -f1)
    mv "$TT/c" "$TT/o/blobs/sha256/$sum"
    jq -c --arg d "sha256:$sum" --argjson s "$(stat -c %s "$TT/o/blobs/sha256/$sum")" '.config.digest = $d | .config.size = $s' \
        "$TT/o/blobs/sha256/$digest" | tr -d '\n' >"$TT/m"
    msum=$(sha256sum <"$TT/m" | cut -d' ' -f1)
    mv "$TT/m" "$TT/o/blobs/sha256/$msum"
    jq -c --arg d "sha256:$msum" --argjson s "$(stat -c %s "$TT/o/blobs/sha256/$msum")" \
        '.manifests[0].digest = $d | .manifests[0].size = $s' "$TT/o/index.json" >"$TT/i" && mv "$TT/i" "$TT/o/index.json"
    brig load -q --platform "linux/$other" -i "$TT/o" --name localhost/other:1
    brig push -q localhost/other:1 "$REGISTRY/multi/image:$other"
    index=$(jq -nc --arg a "$arch" --arg o "$other" --arg am "$(manifest_of localhost/tiny:latest)" --arg om "sha256:$msum" \
        --argjson asize "$(stat -c %s "$BRIG_DATA/images/blobs/sha256/$(manifest_of localhost/tiny:latest | cut -c8-)")" \
        --argjson osize "$(stat -c %s "$TT/o/blobs/sha256/$msum")" '{schemaVersion: 2,
        mediaType: "application/vnd.oci.image.index.v1+json", manifests: [
        {mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $om, size: $osize, platform: {os: "linux", architecture: $o}},
        {mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $am, size: $asize, platform: {os: "linux", architecture: $a}}]}')
    curl -sf --cacert "$T/certs/cert.pem" -u alice:secret -X PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' \
        --data-binary "$index" "https://$REGISTRY/v2/multi/image/manifests/all"
    top=sha256:$(printf %s "$index" | sha256sum | cut -d' ' -f1)
    run brig pull -q "$REGISTRY/multi/image:all"
    assert_ok
    assert_eq "$(manifest_of "$REGISTRY/multi/image:all")" "$(manifest_of localhost/tiny:latest)"
    run brig image inspect -f '{{.Pulled}}' "$REGISTRY/multi/image@$top"
    assert_eq "$output" "$REGISTRY/multi/image:all@$top"
    run brig pull -q --platform "linux/$other" "$REGISTRY/multi/image:all"
    assert_ok
    assert_eq "$(manifest_of "$REGISTRY/multi/image:all")" "sha256:$msum"
    run brig pull -q --platform linux/s390x "$REGISTRY/multi/image:all"
    assert_exit 125
    assert_line 'no image for linux/s390x'
    run brig pull -q "$REGISTRY/multi/image@$(manifest_of localhost/tiny:latest)"
    assert_ok
    assert_eq "$output" "$REGISTRY/multi/image@$(manifest_of localhost/tiny:latest)"
    forget "$REGISTRY/multi/image:all"
}

@test "names are never guessed" {
    run brig pull nosuch/thing
    assert_exit 125
    assert_line 'does not say which registry, and brig does not guess'
    assert_line 'write HOST/nosuch/thing'
    printf 'unqualified-search-registries = ["quay.io", "docker.io"]\n[aliases]\n"nick" = "127.0.0.1:1/real/name"\n' \
        >"$T/xdg/containers/registries.conf"
    run brig pull nosuch
    assert_exit 125
    assert_line 'write quay.io/nosuch'
    assert_line 'write docker.io/library/nosuch'
    run brig pull nick:2
    assert_exit 125
    assert_line 'cannot pull 127.0.0.1:1/real/name:2'
    printf '[[registry]]\nprefix = "127.0.0.1:1/real"\nblocked = true\n' >"$T/xdg/containers/registries.conf"
    run brig pull 127.0.0.1:1/real/name
    assert_exit 125
    assert_line 'registries.conf blocks 127.0.0.1:1/real'
    printf 'unqualified-search-registries = [quay]\n' >"$T/xdg/containers/registries.conf"
    run brig pull nosuch
    assert_exit 125
    assert_line 'registries.conf:1: a list of something else than strings'
    for bad in UPPER/x quay.io/UP quay.io/a:b:c quay.io/a@sha256:12 'quay.io/a b' quay.io/../x "quay.io/$(printf 'a%.0s' {1..300})"; do
        run brig pull "$bad"
        assert_exit 125
        assert_line 'no name of an image|does not say which registry'
    done
}

@test "a short name is asked about on a terminal, and what was chosen is pulled" {
    need_command expect
    registry_start "$T/certs"
    login
    brig push -q tiny "$REGISTRY/asked:1"
    printf 'unqualified-search-registries = ["quay.io", "%s"]\n' "$REGISTRY" >"$T/xdg/containers/registries.conf"
    cat >"$TT/expect" <<EXPECT
set timeout 60
spawn "$BRIG" pull -q asked:1
expect "Number" { send "2\r" } timeout { exit 9 }
expect "$REGISTRY/asked:1" {} timeout { exit 8 }
expect eof
exit [lindex [wait] 3]
EXPECT
    run expect "$TT/expect"
    assert_ok
    [ -n "$(manifest_of "$REGISTRY/asked:1")" ] || fail "not pulled"
    sed -i 's/send "2.r"/send "\\r"/; /asked:1" {}/d' "$TT/expect"
    run expect "$TT/expect"
    assert_exit 125
    assert_line 'no registry was chosen'
    forget "$REGISTRY/asked:1"
}

@test "passwords from docker's file, podman's namespaces and a credential helper" {
    registry_start "$T/certs"
    login
    brig push -q tiny "$REGISTRY/team/tiny:1"
    brig logout "$REGISTRY"
    mkdir "$TT/docker"
    auth=$(printf alice:secret | base64)
    echo "{\"auths\": {\"https://$REGISTRY/v1/\": {\"auth\": \"$auth\"}}}" >"$TT/docker/config.json"
    DOCKER_CONFIG=$TT/docker run brig pull -q "$REGISTRY/team/tiny:1"
    assert_ok
    forget "$REGISTRY/team/tiny:1"
    # The most specific entry counts.
    jq -n --arg r "$REGISTRY" --arg a "$auth" '{auths: {($r): {auth: "eDp5"}, ($r + "/team"): {auth: $a}}}' >"$REGISTRY_AUTH_FILE"
    run brig pull -q "$REGISTRY/team/tiny:1"
    assert_ok
    forget "$REGISTRY/team/tiny:1"
    jq -n --arg r "$REGISTRY" --arg a "$auth" '{auths: {($r): {auth: $a}, ($r + "/team"): {auth: "eDp5"}}}' >"$REGISTRY_AUTH_FILE"
    run brig pull -q "$REGISTRY/team/tiny:1"
    assert_exit 125
    jq -n --arg r "$REGISTRY" '{credHelpers: {($r): "brig-no-such"}}' >"$REGISTRY_AUTH_FILE"
    run brig pull -q "$REGISTRY/team/tiny:1"
    assert_exit 125
    assert_line 'docker-credential-brig-no-such is not installed'
    jq -n --arg r "$REGISTRY" '{credHelpers: {($r): "../../bin/sh"}}' >"$REGISTRY_AUTH_FILE"
    run brig pull -q "$REGISTRY/team/tiny:1"
    assert_exit 125
    assert_line 'cannot be the name of a credential helper'
}

@test "a credential helper keeps, gives and erases" {
    need_root
    local helper=/usr/local/bin/docker-credential-brigtest$$
    registry_start "$T/certs"
    cat >"$helper" <<HELPER
#!/bin/sh
case \$1 in
store) cat >"$TT/kept" ;;
get) server=\$(cat); [ -f "$TT/kept" ] || { echo credentials not found in native keychain; exit 1; }; [ "\$server" = "$REGISTRY" ] && cat "$TT/kept" ;;
erase) rm -f "$TT/kept" ;;
esac
env >"$TT/env"
HELPER
    chmod 755 "$helper"
    jq -n --arg r "$REGISTRY" --arg h "brigtest$$" '{credHelpers: {($r): $h}}' >"$REGISTRY_AUTH_FILE"
    SECRET_OF_CALLER=1 run login
    rc=$status
    run brig push -q tiny "$REGISTRY/team/tiny:1"
    pushed=$status
    run brig logout "$REGISTRY"
    rm -f "$helper"
    assert_eq "$rc $pushed $status" "0 0 0"
    ! grep -q SECRET_OF_CALLER "$TT/env" || fail "the helper got the caller's environment"
    refute_file "$TT/kept"
    ! grep -q '"auths"' "$REGISTRY_AUTH_FILE" || fail "the password is in the file too"
}

@test "client certificates and own authorities: certs.d beside brig.conf, of the user, and what is wrong in it" {
    local own
    mkdir "$TT/ca"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=people -keyout "$TT/ca/ca.key" \
        -out "$TT/ca/ca.pem" 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=alice -keyout "$TT/ca/alice.key" -out "$TT/ca/alice.csr" 2>/dev/null
    openssl x509 -req -in "$TT/ca/alice.csr" -CA "$TT/ca/ca.pem" -CAkey "$TT/ca/ca.key" -CAcreateserial -days 2 -out "$TT/ca/alice.cert" 2>/dev/null
    CLIENT_CA=$TT/ca/ca.pem registry_start "$T/certs"
    own=$BRIG_CONFIG/certs.d/$REGISTRY
    run login
    assert_exit 125
    refute_line 'Login Succeeded'
    cp "$TT/ca/alice.cert" "$own"
    run login
    assert_exit 125
    assert_line 'a client certificate needs NAME.cert and NAME.key'
    cp "$TT/ca/alice.key" "$own"
    run login
    assert_ok
    run brig push -q tiny "$REGISTRY/team/tiny:1"
    assert_ok
    # As podman keeps them.
    mkdir -p "$T/xdg/containers/certs.d"
    mv "$own" "$T/xdg/containers/certs.d/"
    run brig pull -q "$REGISTRY/team/tiny:1"
    assert_ok
    forget "$REGISTRY/team/tiny:1"
    # Somebody else's.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=mallory \
        -keyout "$T/xdg/containers/certs.d/$REGISTRY/alice.key" -out "$T/xdg/containers/certs.d/$REGISTRY/alice.cert" 2>/dev/null
    run brig pull -q "$REGISTRY/team/tiny:1"
    assert_exit 125
    rm -r "$T/xdg/containers/certs.d/$REGISTRY"
    run brig pull -q "$REGISTRY/team/tiny:1"
    assert_exit 125
    assert_line 'no trusted connection'
}

@test "--pull missing, never and always" {
    registry_start "$T/certs"
    login
    brig push -q tiny "$REGISTRY/team/tiny:1"
    run brig create --pull never "$REGISTRY/team/tiny:1" true
    assert_exit 125
    assert_line 'no such image'
    run brig create --pull sometimes tiny true
    assert_exit 125
    assert_line 'give missing, always or never'
    run brig create --pull always tiny true
    assert_exit 125
    assert_line 'does not say which registry'
}
