# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2154
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

# ---------------------------------------------------------------------------------------- the same containers twice

# What a container says about itself (oci_tell.sh), for `sh -c`.
TELL=$(cat "$REPO_TESTS/integration/oci_tell.sh")
export TELL

# The same for containers in the host's namespaces, where most answers are the host's: what is the container's own.
export TELL_HOST='cd /proc/self; readlink ns/net ns/pid ns/ipc ns/uts ns/cgroup ns/user; grep -E "^(Cap|NoNew|Sec)" status; id; hostname
    awk "{ print \$5, \$6 }" mountinfo | grep -v "^/sys/" | sort'

# Without what differs from container to container: ids, and folders and addresses named after them. Of a runtime's error
# what the engine made of its words.
same_plain() {
    sed -E 's/\r$//; s/[0-9a-f]{64}/ID/g; s/\b[0-9a-f]{12}\b/ID/g; s/172\.[0-9.]+/ADDRESS/g; s/time="[^"]*" //; s/ +$//
        s/^Error: .*: (OCI [a-z])/Error: \1/
        s/(OCI runtime (create|exec) failed:) .*exec:? "?([^" ]*)"?: (stat [^ ]*: )?/\1 exec \3: /' "$1"
}

# same NAME COMMAND...: the command's output and exit code with brig-oci and with the caller's own runtime (RUNTIME tells it
# which) are the same. What brig-oci's container said is left in $SAID. Differences of all rows are gathered in $T/differs.
same() {
    local name=$1 which code
    shift
    for which in ours theirs; do
        code=0
        RUNTIME=$(same_runtime "$which") "$@" >"$T/said-$which" 2>&1 </dev/null || code=$?
        echo "exit code $code" >>"$T/said-$which"
        same_plain "$T/said-$which" >"$T/plain-$which"
    done
    SAID=$T/said-ours
    diff "$T/plain-ours" "$T/plain-theirs" >"$T/diff" || { echo "== $name: < brig-oci, > own runtime"; cat "$T/diff"; } >>"$T/differs"
}
same_begin() { rm -f "$T/differs"; }
same_end() { [ ! -s "$T/differs" ] || fail "the runtimes differ:" "$(cat "$T/differs")"; }

# same_table COMMAND...: "NAME|OPTIONS|PROGRAM" lines on stdin; COMMAND gets the options, then a text for `sh -c`. Without PROGRAM the
# container tells of itself. The container says what it was asked for, too, so that a row proves more than likeness: lines
# "?PATTERN" below a row must each be found in what brig-oci's container said.
same_table() {
    local line name options program words
    same_begin
    while IFS= read -r line; do
        case $line in
        '' | '#'*) continue ;;
        '?'*)
            grep -qE -- "${line#?}" "$SAID" || { echo "== $name: nothing like ${line#?}"; cat "$SAID"; } >>"$T/differs"
            continue
            ;;
        esac
        IFS='|' read -r name options program <<<"$line"
        # Options hold no blanks of their own but what is written as %.
        read -ra words <<<"$options"
        # One stream: engines carry two of them apart, in no certain order.
        same "$name" "$@" "${words[@]//%/ }" "exec 2>&1; ${program:-$TELL}"
    done
    same_end
}
