#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What may run: pinned, or brought here by the person. Everything else that was pulled is refused, at create and at each start.

load lib
load registry

setup_file() {
    brig_setup tiny
    certs_make "$T/certs"
    export REGISTRY_AUTH_FILE=$T/auth.json XDG_CONFIG_HOME=$T/xdg
    registry_start "$T/certs"
    export REGISTRY
    brig login -u alice --password-stdin "$REGISTRY" <<<secret
}
teardown_file() {
    servers_stop "$T/certs"
    brig_teardown
}
setup() {
    brig_begin
    IMAGE=$REGISTRY/team/app:1
    push_version one
}
teardown() {
    rm -f "$BRIG_CONFIG/pins.json"
    brig rmi -f "$IMAGE" >/dev/null 2>&1 || true
    brig_end
}

# push_version WORD: makes an image that prints WORD and pushes it with skopeo as $IMAGE. Sets DIGEST.
push_version() {
    local dir=$TT/version-$1
    if [ ! -d "$dir" ]; then
        mkdir -p "$TT/root-$1"
        echo "$1" >"$TT/root-$1/which"
        tar -C "$TT/root-$1" --owner=0 --group=0 -cf "$TT/$1.tar" .
        base=$(test_image tiny)
        gzip -dc "$base/blobs/sha256/$(jq -r '.layers[0].digest[7:]' \
            "$base/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$base/index.json")")" >"$TT/base.tar"
        "$REPO_TESTS/images/oci-layout" "$dir" app:latest '{"Cmd":["cat","/which"],"Env":["PATH=/bin"]}' "$TT/base.tar" "$TT/$1.tar"
    fi
    skopeo copy -q --insecure-policy --authfile "$REGISTRY_AUTH_FILE" --dest-cert-dir "$BRIG_CONFIG/certs.d/$REGISTRY" \
        "oci:$dir" "docker://$IMAGE"
    DIGEST=$(jq -r '.manifests[0].digest' "$dir/index.json")
}
run_it() { run brig run --rm --net none "$@"; }

@test "what was loaded here runs, what was pulled does not, and the command that is printed makes it run" {
    local command
    run_it tiny echo hello
    assert_ok
    run_it "$IMAGE"
    assert_exit 125
    assert_line "the image does not run: it was pulled from a registry"
    refute_line '^one$'
    command=$(sed -n 's/.*these bytes: brig \(trust pin .*\)$/\1/p' <<<"$output")
    assert_eq "$command" "trust pin $IMAGE@$DIGEST"
    assert_eq "$(brig ps -aq)" ""
    # By its id and by its digest it is the same image.
    run_it "$(brig images -q "$IMAGE")"
    assert_exit 125
    run_it "$REGISTRY/team/app@$DIGEST"
    assert_exit 125
    # shellcheck disable=SC2086 # words on purpose
    run brig $command
    assert_ok
    run_it "$IMAGE"
    assert_ok
    assert_line '^one$'
    run_it "$(brig images -q "$IMAGE")"
    assert_ok
}

@test "a refusal and a pin stand in the events, with their reason" {
    run_it "$IMAGE"
    assert_exit 125
    grep -q '"Action":"trust_refuse".*nobody has said' "$BRIG_DATA/events"
    brig trust pin "$IMAGE@$DIGEST"
    grep -q "\"Action\":\"trust_pin\".*$DIGEST" "$BRIG_DATA/events"
    brig create --name c "$IMAGE"
    grep -q '"Action":"create".*"trust":"pinned"' "$BRIG_DATA/events"
    brig create --name l tiny
    grep -q '"Action":"create".*"trust":"local"' "$BRIG_DATA/events"
}

@test "another name for it, a tag or a copy, changes nothing" {
    brig pull -q "$IMAGE"
    brig tag "$IMAGE" localhost/mine:1
    run_it localhost/mine:1
    assert_exit 125
    brig trust pin "$IMAGE@$DIGEST"
    run_it localhost/mine:1
    assert_ok
    brig rmi localhost/mine:1
}

@test "a pinned name whose tag moved is said loudly, fetched no further and not run" {
    local before
    brig trust pin "$IMAGE@$DIGEST"
    run_it "$IMAGE"
    assert_ok
    before=$(find "$BRIG_DATA/images/blobs" -type f | sort)
    first=$DIGEST
    push_version two
    run brig pull "$IMAGE"
    assert_exit 125
    assert_line "IS NOT WHAT IT WAS: it is pinned to $first, the registry now sends $DIGEST"
    assert_eq "$(find "$BRIG_DATA/images/blobs" -type f | sort)" "$before"
    run_it --pull always "$IMAGE"
    assert_exit 125
    # What is here still is what was pinned.
    run_it "$IMAGE"
    assert_ok
    assert_line '^one$'
    # Under its digest the other one can be fetched, but not run.
    run_it "$REGISTRY/team/app:1@$DIGEST"
    assert_exit 125
    assert_line 'THE IMAGE IS NOT WHAT IT WAS'
    run brig trust pin "$IMAGE@$DIGEST"
    assert_exit 125
    assert_line 'is pinned to sha256:.* already'
    brig trust pin --replace "$IMAGE@$DIGEST"
    run_it --pull always "$IMAGE"
    assert_ok
    assert_line '^two$'
}

@test "a name that is pinned means its digest even when a file brings another image of that name" {
    brig trust pin "$IMAGE@$DIGEST"
    push_version two
    brig load -q --name "$IMAGE" -i "$TT/version-two"
    run_it "$IMAGE"
    assert_exit 125
    assert_line 'THE IMAGE IS NOT WHAT IT WAS'
    brig trust unpin "$IMAGE"
    run_it "$IMAGE"
    assert_ok
}

@test "an image that a person loads is vouched for, though a registry sent the same bytes before" {
    brig pull -q "$IMAGE"
    run_it "$IMAGE"
    assert_exit 125
    brig load -q --name localhost/same:1 -i "$TT/version-one"
    run_it "$IMAGE"
    assert_ok
    brig rmi localhost/same:1
}

@test "start asks again: unpinned, moved, damaged or writable pins stop it" {
    brig trust pin "$IMAGE@$DIGEST"
    brig create --name c --net none "$IMAGE"
    run brig start -a c
    assert_ok
    assert_line '^one$'
    brig trust unpin "$IMAGE"
    run brig start -a c
    assert_exit 125
    assert_line 'the image does not run'
    refute_line '^one$'
    brig trust pin "$IMAGE@sha256:$(printf '0%.0s' {1..64})"
    run brig start -a c
    assert_exit 125
    assert_line 'THE IMAGE IS NOT WHAT IT WAS'
    brig trust pin --replace "$IMAGE@$DIGEST"
    chmod 0666 "$BRIG_CONFIG/pins.json"
    run brig start -a c
    assert_exit 125
    assert_line 'can be written by others'
    chmod 0600 "$BRIG_CONFIG/pins.json"
    cp "$BRIG_CONFIG/pins.json" "$TT/good"
    for bad in '' '{' '[]' '{"pins":{}}' '{"pins":[{}]}' '{"pins":[],"pins":[]}' '{"pins":[{"name":"a","digest":"sha256:0"}]}'; do
        printf %s "$bad" >"$BRIG_CONFIG/pins.json"
        run brig start -a c
        assert_exit 125
        refute_line '^one$'
    done
    cp "$TT/good" "$BRIG_CONFIG/pins.json"
    run brig start -a c
    assert_ok
    assert_line '^one$'
}

@test "trust show, test and unpin" {
    brig pull -q "$IMAGE"
    run brig trust test tiny "$IMAGE"
    assert_exit 1
    assert_line '^tiny: runs: it was loaded'
    assert_line "^$IMAGE: does not run: "
    assert_line "^  brig trust pin $IMAGE@$DIGEST$"
    run brig trust unpin "$IMAGE"
    assert_exit 125
    brig trust pin "$IMAGE@$DIGEST"
    run brig trust test "$IMAGE"
    assert_ok
    run brig trust show
    assert_line "^$IMAGE +$DIGEST"
    assert_eq "$(stat -c %a "$BRIG_CONFIG/pins.json")" 600
    run brig trust pin "$IMAGE" </dev/null
    assert_exit 125
    assert_line "brig trust pin $IMAGE@$DIGEST"
    for bad in "x@$DIGEST" "$IMAGE@sha256:12" "$IMAGE@$DIGEST@$DIGEST"; do
        run brig trust pin "$bad"
        assert_exit 125
    done
}

@test "on a terminal run offers the pin: no runs nothing, yes runs it and asks no second time" {
    need_command expect
    cat >"$TT/expect" <<EXPECT
set timeout 60
spawn "$BRIG" run --rm --net none $IMAGE
expect "yes/no" { send "[lindex \$argv 0]\r" } timeout { exit 9 } eof { exit 7 }
expect eof
exit [lindex [wait] 3]
EXPECT
    run expect "$TT/expect" no
    assert_exit 125
    assert_line 'brig vet found '
    assert_line "$DIGEST"
    assert_line 'the image does not run'
    run expect "$TT/expect" yes
    assert_ok
    assert_line '^one.?$'
    run brig trust show
    assert_line "^$IMAGE +$DIGEST"
    run expect "$TT/expect" yes
    assert_exit 7
}

@test "trust pin shows what vet found and asks; --yes asks nobody, and neither does who says the digest" {
    mkdir -p "$TT/root-key"
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$TT/root-key/server.key" 2>/dev/null
    push_version key
    brig pull -q "$IMAGE"
    # Without a terminal: no.
    run brig trust pin "$IMAGE" </dev/null
    assert_exit 125
    assert_line "brig trust pin $IMAGE@$DIGEST"
    assert_line "brig trust pin --yes $IMAGE"
    run_it "$IMAGE"
    assert_exit 125
    # On one: what is in it, and a question.
    run "$REPO_TESTS/integration/person.py" expect:'brig vet found .* high' expect:'high: .*private key.*server.key' expect:'yes/no' 'send:no\r' \
        end:125 -- "$BRIG" trust pin "$IMAGE"
    assert_ok
    assert_line 'was not pinned'
    run_it "$IMAGE"
    assert_exit 125
    run "$REPO_TESTS/integration/person.py" expect:'yes/no' 'send:yes\r' end:0 -- "$BRIG" trust pin "$IMAGE"
    assert_ok
    run_it "$IMAGE"
    assert_ok
    brig trust unpin "$IMAGE"
    run brig trust pin --yes "$IMAGE"
    assert_ok
    assert_line "^$IMAGE is pinned to $DIGEST\$"
    assert_line 'high: .*private key.*server.key'
    run_it "$IMAGE"
    assert_ok
    # --yes is no --replace.
    push_version two
    brig rmi -f "$IMAGE" >/dev/null
    brig load -q --name "$IMAGE" -i "$TT/version-two"
    run brig trust pin --yes "$IMAGE"
    assert_exit 125
    assert_line 'is pinned to sha256:.* already'
    # For machines.
    run brig trust test --format json tiny "$IMAGE"
    assert_exit 1
    jq -es --arg i "$IMAGE" 'map({(.Image): [.Runs, .Basis, .Moved]}) | add == {"tiny": [true, "local", false], ($i): [false, "none", true]}' <<<"$output"
    run brig trust test --format '{{.Image}} {{.Runs}}' tiny
    assert_eq "$output" 'tiny true'
    run brig trust show --format json
    jq -es --arg i "$IMAGE" '.[0].Name == $i and .[0].From == "pins.json"' <<<"$output"
}

@test "the folder of the configuration is made for those who have to look into it" {
    local mode=700
    [ "$MODE" != root ] || mode=755
    (umask 077 && BRIG_CONFIG=$TT/etc/brig BRIG_DATA=$TT/other brig load -q -i "$(test_image tiny)")
    assert_eq "$(stat -c %a "$TT/etc/brig")" "$mode"
    assert_eq "$(stat -c %a "$TT/etc/brig/store.key")" 600
}

@test "the policy of vet is asked as soon as an image is here, and again when it shall run" {
    install -m 0600 /dev/stdin "$BRIG_CONFIG/vet.json" <<<'{"fail_on":"never","required":["non-root"]}'
    run brig pull -q "$IMAGE"
    assert_exit 125
    assert_line 'the policy of vet refuses it: .*\(required-non-root\)'
    # Trust comes first; then this.
    brig trust pin "$IMAGE@$DIGEST"
    run_it "$IMAGE"
    assert_exit 125
    assert_line '\(required-non-root\)'
    # What is fetched for a run is judged by what that run waives.
    brig rmi "$IMAGE" >/dev/null
    run_it --lower vet=required-non-root "$IMAGE"
    rm "$BRIG_CONFIG/vet.json"
    assert_ok
    assert_line '^one$'
    run brig pull -q "$IMAGE"
    assert_ok
}
