# SPDX-License-Identifier: Apache-2.0
# What the tests of brig-oci share: bundles over the tiny test image, states of their own.

OCI=$(dirname "$BRIG")/brig-oci

# Once a file: the root file system, read-only for all bundles but for what a test copies.
oci_setup() {
    T=$(mktemp -d "${BRIG_TEST_TMP:-/var/tmp}/bo-XXXXXX")
    chmod 0755 "$T"
    export T OCI STATES=$T/states
    local layout manifest layer
    layout=$(test_image tiny)
    mkdir "$T/rootfs"
    manifest=$layout/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$layout/index.json")
    for layer in $(jq -r '.layers[].digest[7:]' "$manifest"); do
        tar -xzf "$layout/blobs/sha256/$layer" -C "$T/rootfs" --no-same-owner
    done
}

oci_teardown() {
    local id
    for id in $(ls "$STATES" 2>/dev/null); do oci delete -f "$id" 2>/dev/null || true; done
    find /sys/fs/cgroup -maxdepth 2 -name "${T##*/}" -type d -exec rmdir {} + 2>/dev/null
    rm -rf "$T"
}

# Fails when a container's cgroup is left in any hierarchy.
oci_no_cgroups() {
    [ "$MODE" = root ] || return 0
    local left
    left=$(find /sys/fs/cgroup -maxdepth 3 -path "*/${T##*/}/*" -type d 2>/dev/null)
    [ -z "$left" ] || fail "cgroups are left: $left"
}

oci() { timeout -k 5 30 "$OCI" --root "$STATES" "$@"; }

# bundle NAME [JQ...]: a bundle that runs /bin/true without a terminal, changed by the expressions. Prints its folder.
bundle() {
    local dir=$TT/$1 expr='.process.terminal = false | .process.args = ["/bin/true"] | .root.path = env.T + "/rootfs"'
    shift
    mkdir "$dir"
    local rootless=()
    [ "$MODE" = root ] || rootless=(--rootless)
    (cd "$dir" && "$OCI" spec "${rootless[@]}") || return 1
    # A place of these tests' own, so that what is left in it is theirs.
    [ "$MODE" != root ] || expr+=" | .linux.cgroupsPath = \"/${T##*/}/${dir##*/}\""
    for e in "$@"; do expr+=" | $e"; done
    jq "$expr" "$dir/config.json" >"$dir/new" && mv "$dir/new" "$dir/config.json"
    echo "$dir"
}

# sh BODY as the container's program, as a jq expression.
runs() { printf '.process.args = ["/bin/sh", "-c", %s]' "$(jq -Rs . <<<"$1")"; }

oci_status() { oci state "$1" | jq -r .status; }

# Waits until container $1 has status $2.
oci_await() {
    local i
    for i in $(seq 100); do
        [ "$(oci_status "$1")" != "$2" ] || return 0
        sleep 0.05
    done
    fail "container $1 is $(oci_status "$1"), not $2"
}
