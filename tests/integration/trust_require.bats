#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What policy.json and trust.json can require, end to end: attestations of several kinds together, brig vet's verdict with its level and
# its age, two of three keys, keys that stand in the policy itself, authorities of one's own, GPG signatures on a web server.

load lib
load registry
load signing

SLSA=https://slsa.dev/provenance/v1 SPDX=https://spdx.dev/Document VET=https://brig.dev/attestation/vet/v1

setup_file() {
    signing_setup
    export HOME=$T/home GNUPGHOME=$T/gnupg
    mkdir -p -m 0700 "$HOME" "$GNUPGHOME"
    for k in a b c d; do
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$T/$k.private" 2>/dev/null
        openssl pkey -in "$T/$k.private" -pubout -out "$T/$k.pub"
    done
}
teardown_file() {
    gpgconf --kill all >/dev/null 2>&1 || true
    servers_stop "$T/certs"
    brig_teardown
}
setup() {
    brig_begin
    REPO=team/app$BATS_TEST_NUMBER
    IMAGE=$REGISTRY/$REPO:1
    HEX=$(digest one)
    push one "$IMAGE"
}
teardown() {
    rm -rf "$BRIG_CONFIG/policy.json" "$BRIG_CONFIG/trust.json" "$BRIG_CONFIG/registries.d" "${BRIG_DATA:?}/signatures"
    brig rmi -f "$IMAGE" >/dev/null 2>&1 || true
    brig_end
}

# scope JSON: trust.json for the test's repository; $k is the folder of the keys.
scope() { jq -n --arg r "$REGISTRY/$REPO" --arg k "$T" "{scopes: {(\$r): $1}}" >"$BRIG_CONFIG/trust.json"; }
# policy JSON: policy.json for it.
policy() { jq -n --arg r "$REGISTRY/$REPO" --arg k "$T" "{default: [{type: \"reject\"}], transports: {docker: {(\$r): $1}}}" >"$BRIG_CONFIG/policy.json"; }
by() { printf '{type: "sigstoreSigned", keyPath: "\\($k)/%s.pub", predicateType: "%s"%s}' "$1" "$2" "${3:-}"; }
runs() {
    run brig trust test "$IMAGE"
    assert_ok
}
refuses() {
    run brig trust test "$IMAGE"
    assert_exit 1
    assert_line "does not run: .*$1"
}
also() { MORE=1 attest "$REPO" "$HEX" "$@"; }
# verdict CRITICAL HIGH MEDIUM [VERDICT] [TIME]: the predicate of brig vet.
verdict() {
    jq -nc --argjson c "$1" --argjson h "$2" --argjson m "$3" --arg v "${4:-passed}" --arg t "${5:-$(date -u +%Y-%m-%dT%H:%M:%SZ)}" \
        '{verifier: {id: "https://brig.dev/vet", version: "1"}, timeVerified: $t, verdict: $v, failOn: "never",
          counts: {critical: $c, high: $h, medium: $m, low: 3, info: 9}, notLooked: 0, rules: [], advisories: null}'
}

@test "provenance, a bill of materials and brig vet's verdict are asked for together, each by its own signer" {
    scope "{require: [$(by a $SLSA ', builder: "https://builder.test", role: "build"'), $(by b $SPDX ', role: "bill"'), $(by c $VET ', role: "vetting"')]}"
    brig pull -q "$IMAGE"
    refuses 'by build: '
    attest "$REPO" "$HEX" a $SLSA
    brig pull -q "$IMAGE"
    refuses 'by bill: '
    # The builder's key is no signer of bills.
    also a $SPDX '{"spdxVersion":"SPDX-2.3"}'
    brig pull -q "$IMAGE"
    refuses 'by bill: '
    also b $SPDX '{"spdxVersion":"SPDX-2.3"}'
    brig pull -q "$IMAGE"
    refuses 'by vetting: '
    also c $VET "$(verdict 0 0 0)"
    brig pull -q "$IMAGE"
    runs
    run_it
    assert_ok
    assert_line '^one$'
    # Another builder; and none of it is a signature.
    scope "{require: [$(by a $SLSA ', builder: "https://other.test"')]}"
    refuses 'not built by https://other.test'
    scope '{require: [{type: "sigstoreSigned", keyPath: "\($k)/a.pub", signedIdentity: {type: "anyIdentity"}}]}'
    refuses 'not a signature'
}

@test "brig vet's verdict: the worst finding that is let pass, its age, and what is no verdict" {
    local level
    attest "$REPO" "$HEX" a $VET "$(verdict 0 0 2)"
    brig pull -q "$IMAGE"
    scope "{require: [$(by a $VET)]}"
    runs
    for level in critical high medium; do
        scope "{require: [$(by a $VET ", atMost: \"$level\"")]}"
        runs
    done
    for level in low info; do
        scope "{require: [$(by a $VET ", atMost: \"$level\"")]}"
        refuses "findings of level medium, and trust.json lets pass at most $level"
    done
    scope "{require: [$(by a $VET ', atMost: "none"')]}"
    refuses 'lets pass at most none'
    scope "{require: [$(by a $VET ', atMost: "medium"')]}"
    run brig trust show
    assert_line "on an attestation $VET, at most medium"
    # A high one, a verdict that is none, and one that does not say.
    for bad in "$(verdict 0 1 0)" "$(verdict 1 0 0)" "$(verdict 0 0 0 failed)" '{}' '{"verdict":"passed"}' \
        '{"verdict":"passed","counts":{"critical":0,"high":"0"}}' '{"verdict":"passed","counts":[]}'; do
        rm -rf "${BRIG_DATA:?}/signatures"
        attest "$REPO" "$HEX" a $VET "$bad"
        brig pull -q "$IMAGE"
        refuses 'it tells of findings|does not say'
    done
    # Of two the good one counts.
    also a $VET "$(verdict 0 0 0)"
    brig pull -q "$IMAGE"
    runs
    # By age: of the requirement, and of the scope.
    rm -rf "${BRIG_DATA:?}/signatures"
    attest "$REPO" "$HEX" a $VET "$(verdict 0 0 0 passed "$(date -u -d '-3 days' +%Y-%m-%dT%H:%M:%SZ)")"
    brig pull -q "$IMAGE"
    scope "{require: [$(by a $VET ', maxAge: "4d"')]}"
    runs
    scope "{require: [$(by a $VET ', maxAge: "2d"')]}"
    refuses 'it has expired by trust.json'
    scope "{expiry: \"2d\", require: [$(by a $VET ', maxAge: "4d"')]}"
    refuses 'it has expired by trust.json'
    # Tomorrow's verdict.
    rm -rf "${BRIG_DATA:?}/signatures"
    attest "$REPO" "$HEX" a $VET "$(verdict 0 0 0 passed "$(date -u -d '+1 days' +%Y-%m-%dT%H:%M:%SZ)")"
    brig pull -q "$IMAGE"
    scope "{require: [$(by a $VET ', maxAge: "4d"')]}"
    refuses 'made in the future'
    # What cannot be asked for.
    for bad in "$(by a $SLSA ', atMost: "high"')" "$(by a $VET ', atMost: "bad"')" "$(by a $VET ', atMost: 1')" "$(by a $VET ', maxAge: "soon"')" \
        '{type: "notationSigned", caPath: "/x", atMost: "high"}'; do
        scope "{require: [$bad]}"
        run_it
        assert_exit 125
        assert_line 'trust.json: .*(atMost|maxAge)'
    done
}

@test "sigstore keys: two of three, from paths, from the policy itself; one key twice is one signer" {
    local data
    brig pull -q "$IMAGE"
    policy '[{type: "sigstoreSigned", keyPaths: ["\($k)/a.pub", "\($k)/b.pub", "\($k)/c.pub"]}]'
    scope '{threshold: 2}'
    brig sign -q --key "$T/a.private" "$IMAGE"
    refuses '1 of 2 different signers'
    brig sign -q --key "$T/a.private" "$IMAGE"
    brig sign -q --key "$T/d.private" "$IMAGE"
    refuses '1 of 2 different signers'
    brig sign -q --key "$T/c.private" "$IMAGE"
    runs
    pull_anew
    runs
    scope '{threshold: 3}'
    refuses '2 of 3 different signers'
    rm "$BRIG_CONFIG/trust.json"
    # The same in base64.
    data=$(base64 -w0 "$T/a.pub")
    policy "[{type: \"sigstoreSigned\", keyData: \"$data\"}]"
    runs
    policy "[{type: \"sigstoreSigned\", keyDatas: [\"$(base64 -w0 "$T/b.pub")\", \"$data\"]}]"
    runs
    policy "[{type: \"sigstoreSigned\", keyDatas: [\"$(base64 -w0 "$T/b.pub")\"]}]"
    refuses 'any of the|not made by'
    # All elements of the list have to be met.
    policy '[{type: "sigstoreSigned", keyPath: "\($k)/a.pub"}, {type: "sigstoreSigned", keyPath: "\($k)/c.pub"}]'
    runs
    policy '[{type: "sigstoreSigned", keyPath: "\($k)/a.pub"}, {type: "sigstoreSigned", keyPath: "\($k)/b.pub"}]'
    refuses 'b.pub'
}

@test "an authority of one's own (pki): the chain, the name, and the time now" {
    local d=$T/pki
    mkdir -p "$d"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=root -keyout "$d/root.key" -out "$d/root.pem" \
        -addext keyUsage=critical,keyCertSign 2>/dev/null
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=root -keyout "$d/other.key" -out "$d/other.pem" \
        -addext keyUsage=critical,keyCertSign 2>/dev/null
    printf '%s\n' basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign >"$d/mid.ext"
    printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature extendedKeyUsage=codeSigning \
        subjectAltName=email:dev@team.test,DNS:build.team.test >"$d/leaf.ext"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=mid -keyout "$d/mid.key" -out "$d/mid.csr" 2>/dev/null
    openssl x509 -req -in "$d/mid.csr" -CA "$d/root.pem" -CAkey "$d/root.key" -set_serial 2 -days 9 -extfile "$d/mid.ext" -out "$d/mid.pem" 2>/dev/null
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=leaf -keyout "$T/leaf.private" -out "$d/leaf.csr" 2>/dev/null
    openssl x509 -req -in "$d/leaf.csr" -CA "$d/mid.pem" -CAkey "$d/mid.key" -set_serial 3 -days 9 -extfile "$d/leaf.ext" -out "$d/leaf.pem" 2>/dev/null
    sign_by_hand "$REPO" "$HEX" "$IMAGE" leaf
    jq --rawfile c "$d/leaf.pem" --rawfile m "$d/mid.pem" '.layers[0].annotations += {"dev.sigstore.cosign/certificate": $c,
        "dev.sigstore.cosign/chain": $m}' "$TT/manifest" >"$TT/full"
    manifest_put "$REPO" "sha256-$HEX.sig" "$MANIFEST" "$TT/full"
    brig pull -q "$IMAGE"
    pki() { policy "[{type: \"sigstoreSigned\", pki: {$1}}]"; }
    pki 'caRootsPath: "\($k)/pki/root.pem", subjectEmail: "dev@team.test"'
    runs
    pki 'caRootsPath: "\($k)/pki/root.pem", caIntermediatesPath: "\($k)/pki/mid.pem", subjectHostname: "build.team.test"'
    runs
    pki "caRootsData: \"$(base64 -w0 "$d/root.pem")\", subjectHostname: \"build.team.test\", subjectEmail: \"dev@team.test\""
    runs
    pki 'caRootsPath: "\($k)/pki/root.pem", subjectHostname: "team.test"'
    refuses 'not of team.test'
    pki 'caRootsPath: "\($k)/pki/root.pem", subjectEmail: "dev@team.tes"'
    refuses 'not of dev@team.tes'
    # The same name, another root.
    pki 'caRootsPath: "\($k)/pki/other.pem", subjectEmail: "dev@team.test"'
    refuses 'the certificate'
    # Without what lies between, nothing leads to the root.
    rm -rf "${BRIG_DATA:?}/signatures"
    jq 'del(.layers[0].annotations["dev.sigstore.cosign/chain"])' "$TT/full" >"$TT/short"
    manifest_put "$REPO" "sha256-$HEX.sig" "$MANIFEST" "$TT/short"
    brig pull -q "$IMAGE"
    pki 'caRootsPath: "\($k)/pki/root.pem", subjectEmail: "dev@team.test"'
    refuses 'the certificate'
    pki 'caRootsPath: "\($k)/pki/root.pem", caIntermediatesPath: "\($k)/pki/mid.pem", subjectEmail: "dev@team.test"'
    runs
}

# aside URL: where GPG signatures lie.
aside() {
    mkdir -p "$BRIG_CONFIG/registries.d"
    printf 'docker:\n  %s:\n    lookaside: %s\n' "$REGISTRY" "$1" >"$BRIG_CONFIG/registries.d/a.yaml"
    rm -rf "${BRIG_DATA:?}/signatures"
}

@test "GPG signatures on a web server, with TLS and without; keys from the policy" {
    local port look=$TT/look
    gpg --batch --quiet --passphrase '' --quick-generate-key 'rel <rel@example.com>' ed25519 sign 0
    gpg --batch --export rel@example.com >"$TT/rel.gpg"
    policy "[{type: \"signedBy\", keyType: \"GPGKeys\", keyData: \"$(base64 -w0 "$TT/rel.gpg")\"}]"
    brig pull -q "$IMAGE"
    refuses 'no signature by a GPG key of keyData'
    brig sign --gpg rel@example.com --folder "$look" "$IMAGE"
    runs
    # From here on only the server has it.
    "$REPO_TESTS/registry/files.py" "$T/certs" "$look" >"$TT/out" 2>&1 3>&- &
    echo $! >>"$T/certs/pids"
    wait_for 10 test -f "$T/certs/files-ready"
    port=$(cat "$T/certs/files-ready")
    aside "https://127.0.0.1:$port"
    refuses 'it has no signature'
    brig pull -q "$IMAGE"
    runs
    run_it
    assert_ok
    assert_line '^one$'
    # A server whose certificate nobody knows: the image comes, its signature does not, and that is said.
    certs_make "$T/unknown"
    "$REPO_TESTS/registry/files.py" "$T/unknown" "$look" >"$TT/out" 2>&1 3>&- &
    echo $! >>"$T/certs/pids"
    wait_for 10 test -f "$T/unknown/files-ready"
    port=$(cat "$T/unknown/files-ready")
    aside "https://127.0.0.1:$port"
    run brig pull "$IMAGE"
    assert_exit 125
    assert_line 'certificate'
    refuses 'it has no signature'
    # Without TLS: a signature needs no secrecy.
    port=$(free_port)
    (cd "$look" && exec python3 -m http.server -b 127.0.0.1 "$port") >"$TT/out" 2>&1 3>&- &
    echo $! >>"$T/certs/pids"
    wait_for 10 bash -c "exec 9<>/dev/tcp/127.0.0.1/$port"
    aside "http://127.0.0.1:$port"
    brig pull -q "$IMAGE"
    runs
    # One that was changed on the way.
    rm -rf "${BRIG_DATA:?}/signatures"
    printf 'xx' | dd of="$look/$REPO@sha256=$HEX/signature-1" bs=1 seek=60 conv=notrunc status=none
    brig pull -q "$IMAGE"
    refuses 'no good signature'
}
