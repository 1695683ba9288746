# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034
#
# Images in a registry with what was signed about them, by hand: openssl, jq and curl. A test sets REPO and IMAGE (lib.bash, registry.bash).

MANIFEST=application/vnd.oci.image.manifest.v1+json

# For setup_file: a registry that is logged in to, and the image one.
signing_setup() {
    brig_setup tiny
    certs_make "$T/certs"
    export REGISTRY_AUTH_FILE=$T/auth.json XDG_CONFIG_HOME=$T/xdg
    registry_start "$T/certs"
    export REGISTRY
    brig login -u alice --password-stdin "$REGISTRY" <<<secret
    make_version one
}

# make_version WORD: a layout of an image that prints WORD.
make_version() {
    local base
    mkdir -p "$T/root-$1"
    echo "$1" >"$T/root-$1/which"
    tar -C "$T/root-$1" --owner=0 --group=0 -cf "$T/$1.tar" .
    base=$(test_image tiny)
    gzip -dc "$base/blobs/sha256/$(jq -r '.layers[0].digest[7:]' \
        "$base/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$base/index.json")")" >"$T/base.tar"
    "$REPO_TESTS/images/oci-layout" "$T/version-$1" app:latest '{"Cmd":["cat","/which"],"Env":["PATH=/bin"]}' "$T/base.tar" "$T/$1.tar"
}

# push WORD NAME; digest WORD: hex.
push() {
    skopeo copy -q --insecure-policy --authfile "$REGISTRY_AUTH_FILE" --dest-cert-dir "$BRIG_CONFIG/certs.d/$REGISTRY" \
        "oci:$T/version-$1" "docker://$2"
}
digest() { jq -r '.manifests[0].digest[7:]' "$T/version-$1/index.json"; }

run_it() { run brig run --rm --net none "$IMAGE"; }
# As a machine that never saw the image.
pull_anew() {
    brig rmi -f "$IMAGE" >/dev/null 2>&1 || true
    brig pull -q "$IMAGE" >/dev/null
}

registry_curl() { curl -sS --fail --cacert "$T/certs/cert.pem" -u alice:secret "$@"; }
# manifest_get REPO REFERENCE; manifest_put REPO REFERENCE TYPE FILE
manifest_get() {
    registry_curl -H 'Accept: application/vnd.oci.image.manifest.v1+json' "https://$REGISTRY/v2/$1/manifests/$2"
}
manifest_put() { registry_curl -o /dev/null -X PUT -H "Content-Type: $3" --data-binary "@$4" "https://$REGISTRY/v2/$1/manifests/$2"; }
# blob_put REPO FILE: prints its digest.
blob_put() {
    local where d
    d=sha256:$(sha256sum "$2" | cut -d' ' -f1)
    where=$(registry_curl -o /dev/null -D - -X POST "https://$REGISTRY/v2/$1/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    registry_curl -o /dev/null -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$2" "$where&digest=$d"
    echo "$d"
}

# sign_by_hand REPO HEX NAME KEY: cosign's way, with openssl alone.
sign_by_hand() {
    local sum sig
    printf '{"critical":{"identity":{"docker-reference":"%s"},"image":{"docker-manifest-digest":"sha256:%s"},"type":"cosign container image signature"},"optional":null}' \
        "$3" "$2" >"$TT/payload"
    openssl dgst -sha256 -sign "$T/$4.private" -out "$TT/sig" "$TT/payload"
    sum=$(blob_put "$1" "$TT/payload")
    sig=$(base64 -w0 "$TT/sig")
    echo '{"architecture":"","os":"","config":{},"rootfs":{"type":"layers","diff_ids":[]}}' >"$TT/config"
    jq -n --arg m "$MANIFEST" --arg c "$(blob_put "$1" "$TT/config")" --argjson cs "$(stat -c %s "$TT/config")" --arg p "$sum" \
        --argjson ps "$(stat -c %s "$TT/payload")" --arg s "$sig" '{schemaVersion: 2, mediaType: $m,
        config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $c, size: $cs},
        layers: [{mediaType: "application/vnd.dev.cosign.simplesigning.v1+json", digest: $p, size: $ps,
            annotations: {"dev.cosignproject.cosign/signature": $s}}]}' >"$TT/manifest"
    manifest_put "$1" "sha256-$2.sig" "$MANIFEST" "$TT/manifest"
}

provenance_predicate='{"runDetails":{"builder":{"id":"https://builder.test"}}}'

# attest REPO HEX KEY TYPE [PREDICATE]: a bundle v0.3 with a statement of that type about the image, as a referrer by the fallback tag,
# alone in the list (with MORE=1 behind those that are there).
attest() {
    local payload sig type=application/vnd.dev.sigstore.bundle.v0.3+json
    printf '{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"%s"}}],"predicateType":"%s","predicate":%s}' \
        "$2" "$4" "${5:-$provenance_predicate}" >"$TT/statement"
    printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(stat -c %s "$TT/statement")" | cat - "$TT/statement" >"$TT/pae"
    openssl dgst -sha256 -sign "$T/$3.private" -out "$TT/sig" "$TT/pae"
    payload=$(base64 -w0 "$TT/statement") sig=$(base64 -w0 "$TT/sig")
    jq -nc --arg t "$type" --arg p "$payload" --arg s "$sig" '{mediaType: $t, verificationMaterial: {publicKey: {hint: "x"}},
        dsseEnvelope: {payload: $p, payloadType: "application/vnd.in-toto+json", signatures: [{sig: $s}]}}' >"$TT/bundle"
    refer "$1" "$2" "$type" "$type" "$TT/bundle"
}

# refer REPO HEX ARTIFACT-TYPE LAYER-TYPE FILE: FILE as a referrer of the image, which the fallback tag names.
refer() {
    printf '{}' >"$TT/empty"
    jq -nc --arg a "$3" --arg t "$4" --arg m "$MANIFEST" --arg e "$(blob_put "$1" "$TT/empty")" --arg b "$(blob_put "$1" "$5")" \
        --argjson n "$(stat -c %s "$5")" --arg i "sha256:$2" '{schemaVersion: 2, mediaType: $m, artifactType: $a,
        config: {mediaType: "application/vnd.oci.empty.v1+json", digest: $e, size: 2},
        layers: [{mediaType: $t, digest: $b, size: $n}], subject: {mediaType: $m, digest: $i, size: 1}}' >"$TT/referrer"
    manifest_put "$1" "sha256:$(sha256sum "$TT/referrer" | cut -d' ' -f1)" "$MANIFEST" "$TT/referrer"
    jq -nc --arg a "$3" --arg m "$MANIFEST" --arg d "sha256:$(sha256sum "$TT/referrer" | cut -d' ' -f1)" \
        --argjson n "$(stat -c %s "$TT/referrer")" '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json",
        manifests: [{mediaType: $m, digest: $d, size: $n, artifactType: $a}]}' >"$TT/index"
    if [ -n "${MORE:-}" ]; then
        registry_curl -H 'Accept: application/vnd.oci.image.index.v1+json' "https://$REGISTRY/v2/$1/manifests/sha256-$2" |
            jq -c --slurpfile own "$TT/index" '.manifests += $own[0].manifests' >"$TT/longer"
        mv "$TT/longer" "$TT/index"
    fi
    manifest_put "$1" "sha256-$2" application/vnd.oci.image.index.v1+json "$TT/index"
}

# authority_make: root.pem and its key, and a transparency log's keys.
authority_make() {
    # A person's certificate of ten minutes, by an authority that writes who authenticated them; a log; a maker of releases.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -days 3650 -subj /O=test/CN=root -keyout "$T/root.key" \
        -out "$T/root.pem" -addext keyUsage=critical,keyCertSign 2>/dev/null
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$T/log.key" 2>/dev/null
    openssl pkey -in "$T/log.key" -pubout -out "$T/log.pub"
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

# sign_keyless REPO HEX NAME: by the person's certificate, with the log's word, and $TT/full is the manifest.
sign_keyless() {
    sign_by_hand "$1" "$2" "$3" person
    log_entry >"$TT/bundle"
    jq --rawfile b "$TT/bundle" --rawfile c "$T/person.pem" --rawfile r "$T/root.pem" '.layers[0].annotations += {
        "dev.sigstore.cosign/bundle": ($b | rtrimstr("\n")), "dev.sigstore.cosign/certificate": $c,
        "dev.sigstore.cosign/chain": $r}' "$TT/manifest" >"$TT/full"
    manifest_put "$1" "sha256-$2.sig" "$MANIFEST" "$TT/full"
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
