# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2119,SC2120,SC2154
#
# What the tests of the command line share. A test file begins with
#
#	load lib
#	setup_file() { brig_setup tiny; }
#	teardown_file() { brig_teardown; }
#	setup() { brig_begin; }
#	teardown() { brig_end; }
#
# brig_setup gives the file a state of its own (BRIG_DATA, BRIG_RUNTIME, BRIG_CONFIG below $T, which containers may
# reach) and loads the named test images. brig_begin and brig_end remove the containers of each test and check that
# nothing of them is left. Tests run as root and as an ordinary user; need_* skip with a reason what cannot run here.
#
# Variables: BRIG the program, T the file's folder, REPO_TESTS the folder tests/, MODE "root" or "user".

bats_require_minimum_version 1.5.0

REPO_TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export REPO_TESTS
if [ -z "${BRIG:-}" ]; then
    # A person runs bats by hand in the source tree.
    BRIG=$REPO_TESTS/../build/programs/brig
fi
# Programs that tests put into containers: tests/attacks.
TEST_BIN=${BRIG_TEST_BIN:-$REPO_TESTS/../build/tests/attacks}
export BRIG TEST_BIN
MODE=user
[ "$(id -u)" != 0 ] || MODE=root
export MODE

# brig with a time limit: a test that hangs fails.
brig() {
    timeout -k 5 "${BRIG_TIMEOUT:-120}" "$BRIG" "$@"
}

# ---------------------------------------------------------------------------------------------------- setting up

brig_setup() {
    [ -x "$BRIG" ] || { echo "$BRIG is not there; build it first" >&2; return 1; }
    # Short: UNIX sockets below it have at most 107 bytes. On disk: tmpfs has fewer features.
    T=$(mktemp -d "${BRIG_TEST_TMP:-/var/tmp}/bt-XXXXXX")
    chmod 0755 "$T"
    export T BRIG_DATA=$T/data BRIG_RUNTIME=$T/run BRIG_CONFIG=$T/config
    mkdir -m 0700 "$BRIG_CONFIG"
    brig_conf
    local kind
    for kind in "$@"; do
        brig load -q -i "$(test_image "$kind")" || return 1
    done
}

# The folder of a test image's layout, made when it is not there yet.
test_image() {
    "$REPO_TESTS/images/mkimage" "$1" 2>/dev/null || {
        "$REPO_TESTS/images/mkimage" "$1" >&2
        return 1
    }
}

# make_image NAME CONFIG ENTRY...: loads an image of the tiny one's layer, a layer with the entries (see images/layer)
# and the configuration CONFIG (a JSON object). With BASE=none there is no other layer. image_layout makes it only.
make_image() {
    # In setup_file there is no test yet.
    image_layout "${TT:-$T}/layout-$1" "$@" && brig load -q -i "${TT:-$T}/layout-$1"
}
image_layout() {
    local dir=$1 name=$2 config=$3 work layers=()
    shift 3
    work=$(mktemp -d "$T/image-XXXXXX")
    if [ "${BASE:-tiny}" != none ]; then
        local base
        base=$(test_image "${BASE:-tiny}")
        gzip -dc "$base/blobs/sha256/$(jq -r '.layers[0].digest[7:]' \
            "$base/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$base/index.json")")" >"$work/base.tar"
        layers+=("$work/base.tar")
    fi
    [ $# = 0 ] || { "$REPO_TESTS/images/layer" "$work/layer.tar" "$@" && layers+=("$work/layer.tar"); } || return 1
    "$REPO_TESTS/images/oci-layout" "$dir" "$name:latest" "$config" "${layers[@]}"
    rm -rf "$work"
}

# Writes brig.conf: what this machine lacks is accepted, then the given lines.
brig_conf() {
    {
        [ -z "${BRIG_TEST_ACCEPT:-}" ] || echo "accept_lowered = $BRIG_TEST_ACCEPT"
        [ $# = 0 ] || printf '%s\n' "$@"
    } >"$BRIG_CONFIG/brig.conf"
    chmod 0600 "$BRIG_CONFIG/brig.conf"
}

brig_begin() {
    export TT
    TT=$(mktemp -d "$T/t-XXXXXX")
    chmod 0755 "$TT"
}

brig_end() {
    # The message of a failed test says what the engine thought.
    if [ -z "${BATS_TEST_COMPLETED:-}" ] && [ -z "${BATS_TEST_SKIPPED:-}" ]; then
        brig ps -a 2>&1 | sed 's/^/# /' || true
    fi
    nothing_left
    drop_tree "${TT:?}"
}

brig_teardown() {
    [ -n "${T:-}" ] || return 0
    remove_all || true
    drop_tree "$T"
}

# Removes a folder in which files may belong to ids of containers.
drop_tree() {
    rm -rf "$1" 2>/dev/null && return 0
    # What an ordinary user may not remove belongs to its subordinate ids.
    unshare --user --map-root-user --map-auto rm -rf "$1" 2>/dev/null || rm -rf "$1"
}

# ---------------------------------------------------------------------------------------------------- leftovers

# One line for each process that the recorded containers own: pid and start time.
container_processes() {
    local state pid
    for state in "$BRIG_DATA"/containers/*/state.json; do
        [ -f "$state" ] || continue
        for pid in $(jq -r '[.. | objects | .pid?, .monitor?, .net_pid?] | flatten | map(numbers | select(. > 0)) | .[]' \
            "$state" 2>/dev/null); do
            process_start "$pid"
        done
    done | sort -u
}

# "PID START" of a process; nothing when it does not live.
process_start() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    # Fields after the command's closing parenthesis begin with the third, the state; the start time is the 22nd.
    read -ra stat <<<"${stat##*) }"
    [ "${stat[0]}" = Z ] || echo "$1 ${stat[19]}"
}

container_ids() {
    local dir
    for dir in "$BRIG_DATA"/containers/*/; do
        dir=${dir%/}
        [ "${dir##*/}" = '*' ] || echo "${dir##*/}"
    done
}

remove_all() {
    local ids
    ids=$(brig ps -aq --no-trunc) || return 1
    # shellcheck disable=SC2086 # words on purpose
    [ -z "$ids" ] || brig rm -f $ids >/dev/null
}

# Removes all containers, then looks for what they may have left: processes, mounts, cgroups, folders, sockets.
nothing_left() {
    local processes ids id pid start left=
    processes=$(container_processes)
    ids=$(container_ids)
    remove_all || left+="brig rm -f of all containers failed"$'\n'
    while read -r pid start; do
        [ -n "$pid" ] || continue
        # A killed process may still be dying.
        wait_for 5 process_gone "$pid" "$start" ||
            left+="process $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"$'\n'
    done <<<"$processes"
    for id in $ids; do
        [ ! -e "$BRIG_DATA/containers/$id" ] || left+="folder containers/$id"$'\n'
        [ ! -e "$BRIG_RUNTIME/$id" ] || left+="folder run/$id"$'\n'
        left+=$(find /sys/fs/cgroup -type d -name "*$id*" 2>/dev/null | sed 's/^/cgroup /')
        left+=$(grep -lsF "$id" "$BRIG_DATA"/ids/* 2>/dev/null | sed 's/^/id range /')
        left+=$(find "$BRIG_DATA/names" -lname "*$id*" 2>/dev/null | sed 's/^/name /')
    done
    left+=$(grep -F " $BRIG_DATA/containers/" /proc/self/mountinfo | sed 's/^/mount /' || true)
    if [ -n "$left" ]; then
        echo "left behind: $left" >&2
        return 1
    fi
}

process_gone() { [ "$(process_start "$1")" != "$1 $2" ]; }

# ---------------------------------------------------------------------------------------------------- conditions

need_root() { [ "$MODE" = root ] || skip "needs root"; }
need_user() { [ "$MODE" = user ] || skip "needs an ordinary user"; }
need_command() { command -v "$1" >/dev/null || skip "needs the program $1"; }
# A controller ("memory", "pids", "cpu") that brig can use here.
need_cgroup() {
    brig_has_cgroup "$1" || skip "no cgroup controller $1 that this user may use"
}
# For tests of brig-oci: a person may have no cgroup at all.
need_own_cgroup() { [ -z "${BRIG_TEST_ACCEPT:-}" ] || skip "no cgroup that this user may use"; }
# Runs the given program in a container and looks where it is: the evidence, not what brig says.
brig_has_cgroup() {
    local id path
    id=$(brig run -d --net none tiny sleep 20 2>/dev/null) || return 1
    path=$(cat "/proc/$(container_pid "$id")/cgroup" 2>/dev/null)
    brig rm -f "$id" >/dev/null
    grep -qE "(^0::|:[^:]*\b$1\b[^:]*:).*$id" <<<"$path" || return 1
    if ! grep -qE ":[^:]*\b$1\b" <<<"$path"; then
        # v2: is the controller enabled there?
        grep -qw "$1" /sys/fs/cgroup/cgroup.controllers 2>/dev/null || return 1
    fi
}
need_kernel() {
    [ "$(printf '%s\n%s\n' "$1" "$(uname -r)" | sort -V | head -1)" = "$1" ] || skip "needs Linux $1"
}

# ---------------------------------------------------------------------------------------------------- assertions

# After `run brig posture`: all walls stand, but for those that were accepted because this machine lacks them.
assert_walls_stand() {
    if [ -z "${BRIG_TEST_ACCEPT:-}" ]; then
        assert_ok
    else
        assert_line ' (19|20) of 20 walls stand$'
        refute_line ' (down|unknown|lowered) '
    fi
}

fail() {
    printf '%s\n' "$@" >&2
    return 1
}

# The last `run` ended with 0 (or $1); shows its output when not.
assert_ok() { [ "$status" = 0 ] || fail "exit code $status, output:" "$output"; }
assert_exit() { [ "$status" = "$1" ] || fail "exit code $status, not $1, output:" "$output"; }
assert_eq() { [ "$1" = "$2" ] || fail "is:     $1" "not:    $2" "${3:-}"; }
# The last output has a line that matches the extended regular expression.
assert_line() { grep -qE -- "$1" <<<"$output" || fail "no line matches: $1" "output:" "$output"; }
refute_line() { ! grep -qE -- "$1" <<<"$output" || fail "a line matches: $1" "output:" "$output"; }
assert_file() { [ -e "$1" ] || fail "$1 does not exist"; }
refute_file() {
    if [ -e "$1" ] || [ -L "$1" ]; then fail "$1 exists"; fi
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

# ---------------------------------------------------------------------------------------------------- helpers

# A field of inspect: container_get NAME '{{.State.Pid}}'
container_get() { brig inspect --format "$2" "$1"; }
container_pid() { container_get "$1" '{{.State.Pid}}'; }
container_running() { [ "$(container_get "$1" '{{.State.Status}}')" = running ]; }

# cgroup_value CONTAINER CONTROLLER V1FILE V2FILE: the content of the file of the container's first process's cgroup.
cgroup_value() {
    local pid place
    pid=$(container_pid "$1")
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        place=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
        cat "/sys/fs/cgroup$place/$4"
    else
        place=$(awk -F: -v c="$2" '{ n = split($2, l, ","); for (i = 1; i <= n; i++) if (l[i] == c) print $3 }' \
            "/proc/$pid/cgroup")
        cat "/sys/fs/cgroup/$2$place/$3"
    fi
}

# A TCP port that nothing listens on.
free_port() {
    python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# What must not change: a file with random bytes in a folder of its own. canary_make; ...; canary_check
canary_make() {
    CANARY=${1:-$TT/canary}
    mkdir -p "$CANARY"
    head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$CANARY/secret"
    echo decoy >"$CANARY/decoy"
    CANARY_WAS=$(canary_state)
}
canary_state() { (cd "$CANARY" && find . -printf '%p %y %m %U %G %n %l\n' | sort && cat secret decoy); }
canary_check() { assert_eq "$(canary_state)" "$CANARY_WAS" "the canary in $CANARY changed"; }
canary_nonce() { cat "$CANARY/secret"; }
