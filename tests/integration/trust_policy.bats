#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What signatures and policies let run: policy.json and trust.json, GPG through skopeo, podman and gpg, sigstore key pairs.

load lib
load registry

setup_file() {
    brig_setup tiny
    certs_make "$T/certs"
    export REGISTRY_AUTH_FILE=$T/auth.json XDG_CONFIG_HOME=$T/xdg HOME=$T/home GNUPGHOME=$T/gnupg LOOK=$T/look
    mkdir -p -m 0700 "$HOME" "$GNUPGHOME" "$LOOK" "$BRIG_CONFIG/registries.d" "$T/keys"
    registry_start "$T/certs"
    export REGISTRY
    brig login -u alice --password-stdin "$REGISTRY" <<<secret
    printf 'default-docker:\n  lookaside: file://%s\n  lookaside-staging: file://%s\n' "$LOOK" "$LOOK" >"$BRIG_CONFIG/registries.d/a.yaml"
    key_make release
    key_make second
    key_make third
    key_make other
    make_version one 1.4.0
    make_version two 1.5.0
}
teardown_file() {
    gpgconf --kill all >/dev/null 2>&1 || true
    servers_stop "$T/certs"
    brig_teardown
}
setup() {
    brig_begin
    APP=$REGISTRY/team/app:1
    ONE=$(cat "$T/one.digest") TWO=$(cat "$T/two.digest")
}
teardown() {
    rm -rf "$BRIG_CONFIG/pins.json" "$BRIG_CONFIG/policy.json" "$BRIG_CONFIG/trust.json" "$HOME/.config" "${LOOK:?}"/* \
        "$BRIG_DATA/signatures"
    brig_end
}

# key_make NAME [GPG OPTION...]: a key of NAME@example.com, $T/keys/NAME.asc, and its fingerprint in $T/keys/NAME.
key_make() {
    local name=$1
    shift
    # Made long ago, so that signatures can be.
    [ $# -gt 0 ] || set -- --faked-system-time "$(date -u -d '-400 days' +%Y%m%dT%H%M%S)"
    gpg --batch --quiet --passphrase '' "$@" --quick-generate-key "$name <$name@example.com>" "${ALGORITHM:-ed25519}" sign "${EXPIRE:-0}" \
        2>>"$T/gpg.log"
    gpg --batch --list-keys --with-colons "$name@example.com" 2>/dev/null | awk -F: '$1 == "fpr" { print $10; exit }' >"$T/keys/$name"
    gpg --batch --armor --export "$name@example.com" >"$T/keys/$name.asc"
}

# make_version WORD VERSION: an image that prints WORD, pushed as team/app:WORD and more; $T/WORD.digest.
make_version() {
    local dir=$T/version-$1 base ref
    mkdir -p "$T/root-$1"
    echo "$1" >"$T/root-$1/which"
    tar -C "$T/root-$1" --owner=0 --group=0 -cf "$T/$1.tar" .
    base=$(test_image tiny)
    gzip -dc "$base/blobs/sha256/$(jq -r '.layers[0].digest[7:]' \
        "$base/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$base/index.json")")" >"$T/base.tar"
    "$REPO_TESTS/images/oci-layout" "$dir" app:latest \
        "{\"Cmd\":[\"cat\",\"/which\"],\"Env\":[\"PATH=/bin\"],\"Labels\":{\"org.opencontainers.image.version\":\"$2\"}}" "$T/base.tar" "$T/$1.tar"
    jq -r '.manifests[0].digest' "$dir/index.json" >"$T/$1.digest"
    for ref in "team/app:$1" "team/app:1" "team/other:1"; do
        push "oci:$dir" "$REGISTRY/$ref"
    done
}
push() {
    local from=$1 to=$2
    shift 2
    skopeo copy -q --insecure-policy --registries.d "$BRIG_CONFIG/registries.d" --authfile "$REGISTRY_AUTH_FILE" \
        --dest-cert-dir "$BRIG_CONFIG/certs.d/$REGISTRY" "$@" "$from" "docker://$to"
}
# Which version team/app:1 means; what is known of signatures begins anew.
show() {
    push "oci:$T/version-$1" "$APP"
    rm -rf "$BRIG_DATA/signatures"
}

payload() { # DIGEST REFERENCE
    printf '{"critical":{"identity":{"docker-reference":"%s"},"image":{"docker-manifest-digest":"%s"},"type":"atomic container signature"},"optional":{"creator":"test","timestamp":1760000000}}' \
        "$2" "$1"
}
# sign N KEY PAYLOAD [GPG OPTION...]: signature-N in the lookaside folder of the image one.
sign() {
    local n=$1 key=$2 text=$3 dir=$LOOK/team/app@sha256=${ONE#sha256:}
    shift 3
    mkdir -p "$dir"
    printf %s "$text" | gpg --batch --quiet --yes --local-user "$key@example.com" "$@" --sign -o "$dir/signature-$n" 2>>"$T/gpg.log"
}
# policy_gpg KEY...: for $REGISTRY/team.
policy_gpg() {
    local paths
    paths=$(printf '"%s",' "${@/#/$T/keys/}")
    policy "{\"$REGISTRY/team\":[{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPaths\":[${paths%,}]}]}"
}
policy() { # SCOPES [DEFAULT TYPE]
    printf '{"default":[{"type":"%s"}],"transports":{"docker":%s}}' "${2:-reject}" "$1" >"$BRIG_CONFIG/policy.json"
}
trust() { printf '{"scopes":{"%s/team/app":%s}}' "$REGISTRY" "$1" >"$BRIG_CONFIG/trust.json"; }

pull() { brig pull -q "${1:-$APP}" >/dev/null; }
runs() {
    run brig trust test "${1:-$APP}"
    assert_ok
}
refuses() { # REASON [IMAGE]
    run brig trust test "${2:-$APP}"
    assert_exit 1
    assert_line "does not run: .*$1"
}
run_it() { run brig run --rm --net none "${1:-$APP}"; }

@test "what skopeo signs runs, and nothing else does: unsigned, another key, a stripped signature" {
    show one
    policy_gpg release.asc
    pull
    run_it
    assert_exit 125
    assert_line 'the image does not run: .*policy.json.* it has no signature by a GPG key of .*release.asc'
    refute_line '^one$'
    # Signed since: the same image is pulled again, and its signature comes.
    push "oci:$T/version-one" "$APP" --sign-by "$(cat "$T/keys/release")"
    run brig pull "$APP"
    assert_line 'it may run: .* is signed by'
    run_it
    assert_ok
    assert_line '^one$'
    runs
    assert_line "is signed by $(cat "$T/keys/release"), as .*policy.json \($REGISTRY/team\) wants"
    brig create --name c "$APP"
    grep -q '"Action":"create".*"trust":"signed"' "$BRIG_DATA/events"
    # The same policy with another key in the same file: what was remembered is of no use.
    cp "$T/keys/release.asc" "$TT/k.asc"
    policy "{\"$REGISTRY\":[{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"$TT/k.asc\"}]}"
    runs
    cp "$T/keys/other.asc" "$TT/k.asc"
    refuses 'the key that made it is none of those'
    run brig start -a c
    assert_exit 125
    assert_line 'the key that made it is none of those'
    policy_gpg other.asc release.asc
    runs
    rm -r "$BRIG_DATA/signatures"
    refuses 'it has no signature'
    run brig start -a c
    assert_exit 125
}

@test "what podman signs runs" {
    [ "$MODE" = root ] || skip "podman of an ordinary user needs a session; skopeo's signatures are the same"
    show one
    policy_gpg release.asc
    local p="podman --root $TT/pod --runroot $TT/podrun --storage-driver vfs"
    $p load -q -i <(skopeo copy -q --insecure-policy "oci:$T/version-one" "docker-archive:/dev/stdout:localhost/p:1" | cat) >/dev/null ||
        { skopeo copy -q --insecure-policy "oci:$T/version-one" "docker-archive:$TT/p.tar:localhost/p:1" && $p load -q -i "$TT/p.tar"; }
    mkdir -p "$HOME/.config/containers"
    cp -r "$BRIG_CONFIG/registries.d" "$HOME/.config/containers/"
    $p push -q --sign-by "$(cat "$T/keys/release")" --authfile "$REGISTRY_AUTH_FILE" --cert-dir "$BRIG_CONFIG/certs.d/$REGISTRY" \
        localhost/p:1 "$REGISTRY/team/pod:1"
    pull "$REGISTRY/team/pod:1"
    run_it "$REGISTRY/team/pod:1"
    assert_ok
    assert_line '^one$'
    $p rmi -f localhost/p:1 >/dev/null
    brig rmi "$REGISTRY/team/pod:1"
}

@test "every confusion of a GPG signature is refused, and says why" {
    local good bad
    show one
    policy_gpg release.asc old.asc gone.asc weak.asc
    EXPIRE=1d key_make old --faked-system-time 20200101T000000
    key_make gone
    ALGORITHM=rsa2048 key_make weak
    good=$(payload "$ONE" "$APP")
    try() { # REASON
        pull
        refuses "$1"
        rm -rf "${LOOK:?}"/* "$BRIG_DATA/signatures"
    }
    sign 1 release "$good"
    pull
    runs
    rm -rf "$BRIG_DATA/signatures"
    sign 1 other "$good"
    try 'the key that made it is none of those'
    sign 1 release "$(payload "$TWO" "$APP")"
    try 'it was made for another image'
    sign 1 release "$(payload "$ONE" "$REGISTRY/team/other:1")"
    try "it was made for $REGISTRY/team/other:1"
    sign 1 release "$(payload "$ONE" "$REGISTRY/team/app:2")"
    try "it was made for $REGISTRY/team/app:2"
    sign 1 old "$good" --faked-system-time 20200101T000100
    try 'the key that made it has expired'
    sign 1 release "$good" --faked-system-time "$(date -u -d '-2 days' +%Y%m%dT%H%M%S)" --default-sig-expire 1d
    try 'the signature has expired'
    sign 1 weak "$good" --digest-algo SHA1
    try 'its digest is too weak'
    sign 1 weak "$good" --digest-algo SHA224
    try 'its digest is too weak'
    sign 1 release "$good" --local-user other@example.com
    try 'not one document with one signature|none of those'
    # Cut at every quarter, and with one bit turned.
    for bad in 1 2 3; do
        sign 1 release "$good"
        f=$LOOK/team/app@sha256=${ONE#sha256:}/signature-1
        head -c "$(($(stat -c %s "$f") * bad / 4))" "$f" >"$TT/cut"
        cp "$TT/cut" "$f"
        try 'no good signature'
    done
    printf 'not OpenPGP' >"$TT/none"
    mkdir -p "$LOOK/team/app@sha256=${ONE#sha256:}"
    cp "$TT/none" "$LOOK/team/app@sha256=${ONE#sha256:}/signature-1"
    try 'it is no signed message'
    # A good signature by the key over a payload that can be read in two ways, or says something else.
    for bad in "${good/\"optional\"/\"critical\":{\},\"optional\"}" "${good/\"type\":/\"type\":\"x\",\"type\":}" \
        "${good/\"critical\"/\"more\":1,\"critical\"}" "${good/\"identity\"/\"more\":1,\"identity\"}" \
        "${good/atomic container/cosign container image}" "${good/\"optional\"/\"maybe\"}" "${good/sha256:/sha512:}" "${good%\}}" \
        "$good x" '[]' '' "${good/1760000000/1.5}" "${good/\"docker-reference\":\"$REGISTRY/\"docker-reference\":\"}"; do
        sign 1 release "$bad"
        try 'no good signature'
    done
    # Detached and clear text are no signed messages.
    sign 1 release "$good" --detach-sign
    try 'no good signature'
    sign 1 release "$good" --clear-sign
    try 'no good signature'
    # Revoked: the key file says so.
    sign 1 gone "$good"
    pull
    runs
    sed 's/^:---/---/' "$GNUPGHOME/openpgp-revocs.d/$(cat "$T/keys/gone").rev" | gpg --batch --quiet --import 2>>"$T/gpg.log"
    gpg --batch --armor --export gone@example.com >"$T/keys/gone.asc"
    refuses 'the key that made it was revoked'
}

@test "of two signatures a bad one takes nothing from a good one, in either order" {
    local good
    show one
    policy_gpg release.asc
    good=$(payload "$ONE" "$APP")
    sign 1 other "$good"
    sign 2 release "$good"
    sign 3 release "$(payload "$TWO" "$APP")"
    pull
    runs
    rm -rf "${LOOK:?}"/* "$BRIG_DATA/signatures"
    sign 1 release "$(payload "$TWO" "$APP")"
    sign 2 other "$good"
    pull
    refuses 'it was made for another image.*none of those|none of those.*it was made for another image'
}

@test "whose name was signed: every signedIdentity" {
    identity() { # JSON WANT [REASON]
        policy "{\"$REGISTRY/team\":[{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"$T/keys/release.asc\",\"signedIdentity\":$1}]}"
        if [ "$2" = yes ]; then runs; else refuses "${3:-it was made for}"; fi
    }
    show one
    sign 1 release "$(payload "$ONE" "$REGISTRY/team/app:2")"
    pull
    identity '{"type":"matchExact"}' no
    identity '{"type":"matchRepoDigestOrExact"}' no
    identity '{"type":"matchRepository"}' yes
    identity "{\"type\":\"exactReference\",\"dockerReference\":\"$REGISTRY/team/app:2\"}" yes
    identity "{\"type\":\"exactReference\",\"dockerReference\":\"$APP\"}" no
    identity "{\"type\":\"exactRepository\",\"dockerRepository\":\"$REGISTRY/team/app\"}" yes
    identity "{\"type\":\"exactRepository\",\"dockerRepository\":\"$REGISTRY/team/ap\"}" no
    identity "{\"type\":\"remapIdentity\",\"prefix\":\"$REGISTRY/team\",\"signedPrefix\":\"vendor.example/x\"}" no
    # By digest the repository is enough, as podman has it.
    pull "$REGISTRY/team/app@$ONE"
    identity '{"type":"matchRepoDigestOrExact"}' no
    brig rmi -f "$APP" >/dev/null
    pull "$REGISTRY/team/app@$ONE"
    policy_gpg release.asc
    runs "$REGISTRY/team/app@$ONE"
    brig rmi -f "$(brig images -q --no-trunc | head -1)" >/dev/null 2>&1 || true
    rm -rf "$BRIG_DATA/signatures" "${LOOK:?}"/*
    sign 1 release "$(payload "$ONE" vendor.example/x/app:1)"
    pull
    identity "{\"type\":\"remapIdentity\",\"prefix\":\"$REGISTRY/team\",\"signedPrefix\":\"vendor.example/x\"}" yes
    identity "{\"type\":\"remapIdentity\",\"prefix\":\"$REGISTRY/tea\",\"signedPrefix\":\"vendor.example/x\"}" no
}

@test "a default that accepts anything opens nothing; a scope that does opens what it names; a rejecting one beats a pin" {
    show one
    pull
    mkdir -p "$HOME/.config/containers"
    printf '{"default":[{"type":"insecureAcceptAnything"}],"transports":{"docker":{"":[{"type":"insecureAcceptAnything"}]}}}' \
        >"$HOME/.config/containers/policy.json"
    refuses 'accepts anything is no such word'
    policy '{}' insecureAcceptAnything
    refuses 'accepts anything is no such word'
    policy "{\"$REGISTRY/team/app\":[{\"type\":\"insecureAcceptAnything\"}]}"
    runs
    run_it
    assert_ok
    assert_line '^one$'
    # The most specific scope counts, alone.
    policy "{\"$REGISTRY\":[{\"type\":\"insecureAcceptAnything\"}],\"$REGISTRY/team\":[{\"type\":\"reject\"}]}"
    refuses 'rejects'
    policy "{\"$REGISTRY\":[{\"type\":\"reject\"}],\"$APP\":[{\"type\":\"insecureAcceptAnything\"}]}"
    runs
    policy "{\"$REGISTRY/tea\":[{\"type\":\"insecureAcceptAnything\"}],\"$REGISTRY/team/app:11\":[{\"type\":\"insecureAcceptAnything\"}]}"
    refuses ''
    brig trust pin "$APP@$ONE" >/dev/null
    runs
    policy "{\"$REGISTRY/team\":[{\"type\":\"reject\"}]}"
    refuses 'rejects'
    run_it
    assert_exit 125
    # What a person loads is not asked about.
    runs tiny
}

@test "the first policy file that exists counts; one that cannot be trusted stops everything from registries" {
    show one
    pull
    mkdir -p "$HOME/.config/containers"
    printf '{"default":[{"type":"reject"}],"transports":{"docker":{"%s":[{"type":"insecureAcceptAnything"}]}}}' "$REGISTRY" \
        >"$HOME/.config/containers/policy.json"
    runs
    policy '{}'
    refuses 'rejects'
    rm "$BRIG_CONFIG/policy.json"
    runs
    policy "{\"$REGISTRY\":[{\"type\":\"insecureAcceptAnything\"}]}"
    chmod 0666 "$BRIG_CONFIG/policy.json"
    run_it
    assert_exit 125
    assert_line 'can be written by others'
    chmod 0600 "$BRIG_CONFIG/policy.json"
    runs
    gpg='"type":"signedBy","keyType":"GPGKeys"'
    for bad in '' '[]' '{}' '{"default":[]}' '{"default":[{"type":"reject"}],"default":[{"type":"reject"}]}' \
        '{"default":[{"type":"reject","x":1}]}' '{"default":[{"type":"nonsense"}]}' '{"default":[{"type":"reject"}],"other":1}' \
        '{"default":[{"type":"reject"}],"transports":{"docker":{"x":[]}}}' '{"default":[{"type":"reject"}],"transports":{"dir":{"x":[{}]}}}' \
        "{\"default\":[{$gpg}]}" "{\"default\":[{$gpg,\"keyPath\":\"/a\",\"keyData\":\"YQ==\"}]}" "{\"default\":[{$gpg,\"keyPath\":\"a\"}]}" \
        "{\"default\":[{$gpg,\"keyData\":\"?\"}]}" "{\"default\":[{$gpg,\"keyPath\":\"/a\",\"threshold\":2}]}" \
        "{\"default\":[{$gpg,\"keyPath\":\"/a\",\"signedIdentity\":{\"type\":\"anyIdentity\"}}]}" \
        '{"default":[{"type":"signedBy","keyPath":"/a"}]}' \
        '{"default":[{"type":"sigstoreSigned","fulcio":{"caPath":"/a","oidcIssuer":"x","subjectEmail":"y"}}]}'; do
        printf %s "$bad" >"$BRIG_CONFIG/policy.json"
        run_it
        assert_exit 125
        assert_line 'policy.json'
        refute_line '^one$'
    done
    run brig run --rm --net none tiny echo hello
    assert_ok
    policy "{\"$REGISTRY\":[{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"$TT/missing\"}]}"
    run_it
    assert_exit 125
    assert_line "there is no $TT/missing"
    printf 'nothing' >"$TT/nokey"
    policy "{\"$REGISTRY\":[{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"$TT/nokey\"}]}"
    sign 1 release "$(payload "$ONE" "$APP")"
    pull
    refuses 'no OpenPGP public key'
}

@test "trust.json: two of three keys, age, rollback, roles, pins that are not enough" {
    local good
    show one
    policy_gpg release.asc second.asc third.asc
    good=$(payload "$ONE" "$APP")
    trust '{"threshold":2}'
    sign 1 release "$good"
    sign 2 release "$good "
    pull
    refuses '1 of 2 different signers'
    sign 3 other "$good"
    pull
    refuses '1 of 2 different signers'
    sign 4 third "$good"
    pull
    runs
    assert_line "$(cat "$T/keys/release").*$(cat "$T/keys/third")|$(cat "$T/keys/third").*$(cat "$T/keys/release")"
    trust '{"threshold":3}'
    refuses '2 of 3 different signers'
    # Roles: each with keys of its own, policy.json says nothing of it.
    policy '{}' insecureAcceptAnything
    role() { printf '{"type":"signedBy","role":"%s","keyType":"GPGKeys","keyPath":"%s"}' "$1" "$T/keys/$2.asc"; }
    trust "{\"require\":[$(role release release),$(role audit third)]}"
    runs
    trust "{\"require\":[$(role release release),$(role audit second)]}"
    refuses 'by audit: a GPG key'
    # Age.
    policy_gpg release.asc
    rm -rf "${LOOK:?}"/* "$BRIG_DATA/signatures"
    sign 1 release "$good" --faked-system-time "$(date -u -d '-10 days' +%Y%m%dT%H%M%S)" --ignore-time-conflict
    pull
    trust '{"expiry":"11d"}'
    runs
    trust '{"expiry":"9d"}'
    refuses 'it has expired by trust.json'
    trust "{\"notBefore\":\"$(date -u -d '-11 days' +%Y-%m-%dT%H:%M:%SZ)\"}"
    runs
    trust "{\"notBefore\":\"$(date -u -d '-9 days' +%Y-%m-%dT%H:%M:%SZ)\"}"
    refuses 'older than notBefore'
    # An old version that was signed once does not come back.
    trust '{"minimumVersion":"1.4"}'
    runs
    trust '{"minimumVersion":"1.4.1"}'
    refuses 'version 1.4.0 is older than minimumVersion'
    brig trust pin "$APP@$ONE" >/dev/null
    runs
    trust '{"minimumVersion":"1.4.1","pins":false}'
    refuses 'version 1.4.0 is older'
    for bad in '{}x' '{"threshold":0}' '{"expiry":"soon"}' '{"notBefore":"1"}' '{"minimumVersion":"new"}' '{"more":1}' '{"require":[]}' \
        '{"require":[{"type":"reject"}]}' '{"threshold":1,"threshold":1}'; do
        trust "$bad"
        run_it
        assert_exit 125
        assert_line 'trust.json'
    done
}

# cosign_sign KEY DIGEST NAME [PAYLOAD DIGEST]: the tag sha256-HEX.sig as cosign makes it, with openssl and curl.
cosign_sign() {
    local dir=$TT/cosign sig
    mkdir -p "$dir"
    printf '{"critical":{"identity":{"docker-reference":"%s"},"image":{"docker-manifest-digest":"%s"},"type":"cosign container image signature"},"optional":null}' \
        "$3" "${4:-$2}" >"$dir/payload"
    sig=$(openssl dgst -sha256 -sign "$1" "$dir/payload" | base64 -w0)
    printf '{}' >"$dir/config"
    put_blob "$dir/payload"
    put_blob "$dir/config"
    jq -cn --arg p "sha256:$(sha256sum <"$dir/payload" | cut -d' ' -f1)" --argjson ps "$(stat -c %s "$dir/payload")" --arg s "$sig" \
        --arg c "sha256:$(sha256sum <"$dir/config" | cut -d' ' -f1)" '{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
        config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $c, size: 2},
        layers: [{mediaType: "application/vnd.dev.cosign.simplesigning.v1+json", digest: $p, size: $ps,
            annotations: {"dev.cosignproject.cosign/signature": $s}}]}' >"$dir/manifest"
    ask -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary "@$dir/manifest" \
        "https://$REGISTRY/v2/team/app/manifests/sha256-${2#sha256:}.sig" >/dev/null
}
ask() { curl -sS --fail --cacert "$T/certs/cert.pem" -u alice:secret "$@"; }
put_blob() {
    local where
    where=$(ask -X POST -D - -o /dev/null "https://$REGISTRY/v2/team/app/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    ask -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$1" \
        "$where&digest=sha256:$(sha256sum <"$1" | cut -d' ' -f1)" >/dev/null
}

@test "sigstore key pairs: a tag beside the image, by repository; another image's, another key, another policy" {
    local cosign
    show two
    for k in good bad; do
        openssl ecparam -name prime256v1 -genkey -noout -out "$TT/$k.key"
        openssl pkey -in "$TT/$k.key" -pubout -out "$T/keys/$k.pub"
    done
    cosign="{\"$REGISTRY/team\":[{\"type\":\"sigstoreSigned\",\"keyPath\":\"$T/keys/good.pub\",\"signedIdentity\":{\"type\":\"matchRepository\"}}]}"
    policy "$cosign"
    pull
    refuses 'it has no signature by a sigstore key'
    cosign_sign "$TT/bad.key" "$TWO" "$REGISTRY/team/app"
    pull
    refuses 'no good signature by a sigstore key'
    rm -rf "$BRIG_DATA/signatures"
    cosign_sign "$TT/good.key" "$TWO" "$REGISTRY/team/app" "$ONE"
    pull
    refuses 'it was made for another image'
    cosign_sign "$TT/good.key" "$TWO" "$REGISTRY/team/other"
    pull
    refuses "it was made for $REGISTRY/team/other"
    cosign_sign "$TT/good.key" "$TWO" "$REGISTRY/team/app"
    pull
    runs
    run_it
    assert_ok
    assert_line '^two$'
    # The tag is not signed by cosign: matchRepoDigestOrExact, the default, wants it.
    policy "${cosign/,\"signedIdentity\":\{\"type\":\"matchRepository\"\}/}"
    refuses "it was made for $REGISTRY/team/app"
    # A GPG policy is not met by a sigstore signature, nor a key of one kind by the file of another.
    policy_gpg release.asc
    refuses 'it has no signature by a GPG key'
    policy "${cosign/good.pub/release.asc}"
    refuses 'no good signature'
    # skopeo agrees with all of it.
    policy "$cosign"
    ask -X DELETE "https://$REGISTRY/v2/team/app/manifests/$(ask -I -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
        "https://$REGISTRY/v2/team/app/manifests/sha256-${TWO#sha256:}.sig" | tr -d '\r' | sed -n 's/^[Dd]ocker-[Cc]ontent-[Dd]igest: //p')"
    # What was brought stays when the registry hides it.
    pull
    runs
}

@test "offline: kept signatures do, damaged ones do not, and they go with the image" {
    local f
    show one
    policy_gpg release.asc
    sign 1 release "$(payload "$ONE" "$APP")"
    pull
    rm -rf "${LOOK:?}"/*
    f=$(ls "$BRIG_DATA/signatures/${ONE#sha256:}"/gpg-*)
    (unset REGISTRY_AUTH_FILE; run_it; assert_ok)
    cp "$f" "$TT/kept"
    rm -f "$BRIG_DATA/signatures/${ONE#sha256:}"/.answer-*
    printf 'x' >>"$f"
    refuses 'it has no signature'
    cp "$TT/kept" "$f"
    runs
    # A yes that is remembered is of this question alone, and of an hour.
    answer=$(ls "$BRIG_DATA/signatures/${ONE#sha256:}"/.answer-*)
    sed -i '1s/"checked":[0-9]*/"checked":1000000000/; 1s/is signed/WAS REMEMBERED/; 1s/"reason":"/"reason":"OLD /' "$answer"
    runs
    refute_line OLD
    sed -i '1s/"reason":"/"reason":"REMEMBERED /' "$answer"
    runs
    assert_line REMEMBERED
    sed -i '2,$s/own_scope/own_scopf/' "$answer"
    runs
    refute_line REMEMBERED
    brig rmi -f "$APP" >/dev/null
    refute_file "$BRIG_DATA/signatures/${ONE#sha256:}"
}

@test "an index is signed: its own images run, another one's do not" {
    local dir=$TT/multi other
    cp -r "$T/version-one" "$dir"
    # An index of two platforms, which skopeo pushes whole.
    jq -c '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [.manifests[0] | del(.annotations)]}' \
        "$dir/index.json" >"$TT/index"
    hex=$(sha256sum <"$TT/index" | cut -d' ' -f1)
    cp "$TT/index" "$dir/blobs/sha256/$hex"
    jq -c --arg d "sha256:$hex" --argjson s "$(stat -c %s "$TT/index")" '.manifests = [{mediaType: "application/vnd.oci.image.index.v1+json",
        digest: $d, size: $s, annotations: {"org.opencontainers.image.ref.name": "app:latest"}}]' "$dir/index.json" >"$TT/new"
    cp "$TT/new" "$dir/index.json"
    push "oci:$dir" "$REGISTRY/team/multi:1" --all
    policy_gpg release.asc
    pull "$REGISTRY/team/multi:1"
    refuses 'it has no signature' "$REGISTRY/team/multi:1"
    mkdir -p "$LOOK/team/multi@sha256=$hex"
    payload "sha256:$hex" "$REGISTRY/team/multi:1" | gpg --batch --quiet --local-user release@example.com --sign \
        -o "$LOOK/team/multi@sha256=$hex/signature-1" 2>>"$T/gpg.log"
    pull "$REGISTRY/team/multi:1"
    runs "$REGISTRY/team/multi:1"
    run_it "$REGISTRY/team/multi:1"
    assert_ok
    # Without the index nothing says that the image is one of its.
    rm -f "$BRIG_DATA"/signatures/*/.answer-*
    mv "$BRIG_DATA/images/blobs/sha256/$hex" "$TT/index-kept"
    refuses 'an index that is not here' "$REGISTRY/team/multi:1"
    sed 's/sha256:.\{8\}/sha256:00000000/' "$TT/index-kept" >"$BRIG_DATA/images/blobs/sha256/$hex"
    refuses 'an index that is not here' "$REGISTRY/team/multi:1"
    rm "$BRIG_DATA/images/blobs/sha256/$hex"
    pull "$REGISTRY/team/multi:1"
    runs "$REGISTRY/team/multi:1"
    brig rmi -f "$REGISTRY/team/multi:1" >/dev/null
}

@test "brig sign --gpg: skopeo's policy takes it, brig's too; another tag, no key, no name are refused" {
    local ref=$REGISTRY/team/signed:1 dir
    brig load -q --name "$ref" -i "$T/version-one" >/dev/null
    brig push -q "$ref" >/dev/null
    run brig sign --gpg release@example.com "$ref"
    assert_ok
    assert_line "^$LOOK/team/signed@sha256=${ONE#sha256:}/signature-1$"
    run brig sign --gpg second@example.com "$ref"
    assert_line '/signature-2$'
    policy "{\"$REGISTRY/team\":[{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"$T/keys/release.asc\"}]}"
    take() { # NAME
        skopeo copy -q --policy "$BRIG_CONFIG/policy.json" --registries.d "$BRIG_CONFIG/registries.d" --authfile "$REGISTRY_AUTH_FILE" \
            --src-cert-dir "$BRIG_CONFIG/certs.d/$REGISTRY" --remove-signatures "docker://$1" "dir:$TT/out-${RANDOM}"
    }
    take "$ref"
    # The same manifest under a name that nobody signed.
    push "oci:$T/version-one" "$REGISTRY/team/signed:2"
    run take "$REGISTRY/team/signed:2"
    assert_exit 1
    policy "{\"$REGISTRY/team\":[{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"$T/keys/other.asc\"}]}"
    run take "$ref"
    assert_exit 1
    # On a machine that has only the registry, the lookaside and the policy.
    (
        export BRIG_DATA=$TT/data BRIG_RUNTIME=$TT/run
        brig pull -q "$ref" >/dev/null
        run brig run --rm --net none "$ref"
        assert_exit 125
        policy "{\"$REGISTRY/team\":[{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"$T/keys/second.asc\"}]}"
        run brig run --rm --net none "$ref"
        assert_ok
        assert_line '^one$'
        drop_tree "$TT/data"
    )
    run brig sign "$ref"
    assert_exit 125
    assert_line '--key FILE'
    run brig sign --gpg release@example.com --key "$T/keys/none" "$ref"
    assert_exit 125
    run brig sign --gpg nobody@example.com "$ref"
    assert_exit 125
    assert_line 'gpg did not sign'
    run brig sign --gpg release@example.com tiny
    assert_exit 125
    run brig sign --gpg release@example.com localhost/tiny:latest
    assert_exit 125
    assert_line 'which name is signed'
    run brig sign --gpg release@example.com --folder "$TT/elsewhere" "$ref" quay.io/x/y:3
    assert_line "^$TT/elsewhere/x/y@sha256="
    brig rmi -f "$ref" >/dev/null
}

@test "trust add, show and remove: keys of both kinds, a second key, a threshold; what cannot be one is refused" {
    show one
    sign 1 release "$(payload "$ONE" "$APP")"
    pull
    refuses 'nobody has said'
    run brig trust add "$T/keys/other.asc" --name "$REGISTRY/team"
    assert_ok
    refuses 'none of those'
    brig trust add "$T/keys/release.asc" --name "$REGISTRY/team" >/dev/null
    runs
    # The copy counts, not the file that was given.
    cp "$T/keys/other.asc" "$TT/was.asc"
    assert_eq "$(stat -c %a "$BRIG_CONFIG/keys"/*-2.asc)" 644
    run brig trust show
    assert_line "^$REGISTRY/team .*a GPG key of $BRIG_CONFIG/keys/.*-1.asc, ...  *$BRIG_CONFIG/policy.json"
    assert_line '^\(default\) .*anybody|^\(default\) .*nobody'
    brig trust add "$T/keys/second.asc" --name "$REGISTRY/team" --threshold 2 >/dev/null
    run brig trust show
    assert_line "^$REGISTRY/team .*2 different signers +trust.json"
    refuses '1 of 2 different signers'
    run brig trust remove "$REGISTRY/team"
    assert_ok
    refuses 'nobody has said'
    assert_eq "$(ls "$BRIG_CONFIG/keys")" ""
    run brig trust remove "$REGISTRY/team"
    assert_exit 125
    openssl ecparam -name prime256v1 -genkey -noout -out "$TT/k.key"
    openssl pkey -in "$TT/k.key" -pubout -out "$TT/k.pub"
    brig trust add "$TT/k.pub" --name "$REGISTRY/team/app" >/dev/null
    refuses 'no good signature by a sigstore key|it has no signature by a sigstore key'
    cosign_sign "$TT/k.key" "$ONE" "$REGISTRY/team/app"
    pull
    runs
    run brig trust add "$T/keys/release.asc" --name "$REGISTRY/team/app"
    assert_exit 125
    assert_line 'asks for something else already'
    assert_eq "$(ls "$BRIG_CONFIG/keys" | wc -l)" 1
    for bad in "$TT/k.key --name $REGISTRY/team" "$T/certs/config.yml --name $REGISTRY/team" "$TT/k.pub" "$TT/none --name $REGISTRY/x" \
        "$TT/k.pub --name team" "$TT/k.pub --name $REGISTRY/" "$TT/k.pub --name *" "$TT/k.pub --name *.a/b" \
        "$TT/k.pub --name $REGISTRY/a --identity exactReference" "$TT/k.pub --name $REGISTRY/a --threshold 1000"; do
        set -f
        # shellcheck disable=SC2086 # words on purpose
        run brig trust add $bad
        set +f
        assert_exit 125
    done
    brig trust remove "$REGISTRY/team/app" >/dev/null
    rm -rf "$BRIG_CONFIG/keys"
}

@test "a restart asks again as far as it can: a container whose image lost its signer stays down" {
    [ "$MODE" = user ] || skip "root's monitors have given up what reads root's policy"
    show one
    policy_gpg release.asc
    sign 1 release "$(payload "$ONE" "$APP")"
    pull
    brig create --name c --net none --restart always "$APP" sh -c 'while [ ! -e /go ]; do sleep 0.1; done' >/dev/null
    brig start c >/dev/null
    policy_gpg other.asc
    rm -f "$BRIG_DATA"/signatures/*/.answer-*
    brig exec c touch /go
    wait_for 30 sh -c "brig_state() { cat '$BRIG_DATA'/containers/*/state.json; }; brig_state | grep -q 'none of those'"
    run brig inspect --format '{{.State.Status}} {{.State.Error}}' c
    assert_line 'exited .*cannot be started again: .*none of those'
}
