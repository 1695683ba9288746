# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# What the tests of brig-oci share. Loaded after lib; OCI is the program under test. Engines are started by the tests, with
# sockets, folders and (docker) a network namespace of their own below $T; nothing of the machine's own engines is touched.

OCI=$(dirname "$BRIG")/brig-oci
export OCI

oci_setup() {
    [ -x "$OCI" ] || { echo "$OCI is not there; build it first" >&2; return 1; }
    T=$(mktemp -d "${BRIG_TEST_TMP:-/var/tmp}/bo-XXXXXX")
    chmod 0755 "$T"
    export T
}

# The file system layer of the tiny test image, as a tar.gz.
tiny_layer() {
    local dir
    dir=$(test_image tiny)
    echo "$dir/blobs/sha256/$(jq -r '.layers[0].digest[7:]' "$dir/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$dir/index.json")")"
}

# A bundle at $1 whose config.json is what `brig-oci spec` writes, changed by the jq program $2.
oci_bundle() {
    mkdir -p "$1/rootfs"
    tar -xzf "$(tiny_layer)" -C "$1/rootfs" 2>/dev/null || tar --no-same-owner -xzf "$(tiny_layer)" -C "$1/rootfs" --exclude 'dev/*'
    "$OCI" spec -b "$1" ${3:+"$3"} || return 1
    jq "${2:-.}" "$1/config.json" >"$1/config.new" && mv "$1/config.new" "$1/config.json"
}

# Ends a process that a test started and waits for its end: PIDFILE or pid.
end_process() {
    local pid=$1
    [ ! -f "$pid" ] || pid=$(cat "$pid")
    kill "$pid" 2>/dev/null || return 0
    wait_for 15 process_ended "$pid" || kill -KILL "$pid"
}
process_ended() { [ -z "$(process_start "$1")" ]; }

# Nothing of a runtime's containers is left: folders in ROOT and processes that run a bundle below $T.
oci_nothing_left() {
    local left
    left=$(find "$1" -mindepth 1 -maxdepth 1 2>/dev/null)
    [ -z "$left" ] || fail "left in $1:" "$left"
}

# Runs a shell command on a terminal whose keyboard is silent. /dev/null would not do: at its end script(1) types ^D, podman
# sends that to conmon, and where conmon closes the connection before it has read it, the kernel gives podman ECONNRESET in
# place of the output that waits there. So the output of a program that ends at once is lost now and then, whatever the runtime.
on_terminal() {
    [ -p "$T/keyboard" ] || mkfifo "$T/keyboard"
    script -qec "$1" /dev/null <>"$T/keyboard"
}
