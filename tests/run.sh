#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [OPTION...] [BUILD]: runs the tests of a build folder (default: build) and sums up.
#
#   --unit          only the unit tests
#   --root, --user  only that lane of the others; as an ordinary user there is only "user"
#   --only NAME     only tests/integration/NAME.bats (may be given again)
#   --sanitize      the unit tests and the short selection of the others, for a sanitized build
#   --keep          keeps what was installed for the tests and the user brig-tests-user
#
# The program under test is an installed copy below /var/tmp, which every user can reach. As root, the tests run twice:
# as root, and as brig-tests-user, whom this script makes and removes. The last line is "N passed, N failed, N skipped";
# BRIG_TEST_TOTALS, when set, names a file to which the three numbers are appended.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
user=brig-tests-user
sanitize_selection=(images run_options files logs policy volumes)

lanes='' only=() keep='' unit_only='' sanitize='' build=
while [ $# -gt 0 ]; do
    case $1 in
    --unit) unit_only=1 ;;
    --root) lanes+=' root' ;;
    --user) lanes+=' user' ;;
    --only) only+=("$2") && shift ;;
    --sanitize) sanitize=1 ;;
    --keep) keep=1 ;;
    -*) echo "run.sh: unknown option $1" >&2 && exit 2 ;;
    *) build=$1 ;;
    esac
    shift
done
build=$(cd "${build:-$top/build}" && pwd) || exit 2
root=
[ "$(id -u)" != 0 ] || root=1
if [ -z "$lanes" ]; then
    lanes=user
    [ -z "$root" ] || lanes='root user'
fi

passed=0 failed=0 skipped=0
failures=()
say() { printf '\n== %s\n' "$*"; }

# Counts the TAP results in FILE; failures are named with CONTEXT.
count_tap() {
    local file=$1 context=$2 line
    while IFS= read -r line; do
        case $line in
        # Older cmocka says of a skipped test that it is "not ok N # SKIP".
        'ok '*'# skip'* | 'ok '*'# SKIP'* | 'not ok '*' # SKIP'*) skipped=$((skipped + 1)) ;;
        'ok '*) passed=$((passed + 1)) ;;
        'not ok '*)
            failed=$((failed + 1))
            failures+=("$context: ${line#not ok }")
            ;;
        esac
    done <"$file"
}

one_failure() {
    failed=$((failed + 1))
    failures+=("$1")
}

work=$(mktemp -d /var/tmp/brig-stage-XXXXXX)
chmod 0755 "$work"
made_user=
watch=
finish() {
    [ -z "$watch" ] || kill -- "-$watch" 2>/dev/null
    if [ -n "$keep" ]; then
        echo "kept: $work"
        return
    fi
    [ -z "$root" ] || remove_user
    rm -rf "$work"
}
trap finish EXIT

# ---------------------------------------------------------------------------------------------------- unit tests

run_units() {
    say "unit tests"
    local log=$build/meson-logs/testlog.json name
    rm -f "$log"
    CMOCKA_MESSAGE_OUTPUT=tap ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
        meson test -C "$build" --suite unit --no-rebuild --num-processes "$(nproc)" >"$work/unit.log" 2>&1
    if [ ! -s "$log" ]; then
        cat "$work/unit.log"
        one_failure "unit tests: meson test did not run"
        return
    fi
    # A program that dies before it has said so has failed once more than its TAP tells.
    while IFS=$'\t' read -r name result; do
        jq -r --arg n "$name" 'select(.name == $n) | .stdout // ""' "$log" >"$work/unit.tap"
        count_tap "$work/unit.tap" "unit $name"
        case $result in
        OK | SKIP) ;;
        *)
            echo "$name: $result"
            jq -r --arg n "$name" 'select(.name == $n) | .stdout // "", .stderr // ""' "$log" | tail -40
            grep -v ' # SKIP' "$work/unit.tap" | grep -q '^not ok' || one_failure "unit $name: $result"
            ;;
        esac
        [ "$result" != SKIP ] || grep -q '^ok' "$work/unit.tap" || skipped=$((skipped + 1))
    done < <(jq -r '[.name, .result] | @tsv' "$log")
    echo "$passed passed, $failed failed, $skipped skipped"
}

# ------------------------------------------------------------------------------------------------- the user lane

# The user is shared by runs at the same time; the last one removes it.
make_user() {
    exec 8>/run/brig-tests.lock
    flock 8
    if ! getent passwd "$user" >/dev/null; then
        useradd --create-home --home-dir "/var/lib/$user" --shell /bin/bash --comment 'tests of brig' "$user" || return 1
        echo "made the user $user"
    fi
    for map in uid gid; do
        if ! grep -q "^$user:" "/etc/sub$map"; then
            local first
            first=$(awk -F: 'BEGIN { m = 524288 } $2 + $3 > m { m = $2 + $3 } END { print m }' "/etc/sub$map")
            usermod "--add-sub${map}s" "$first-$((first + 65535))" "$user" || return 1
        fi
    done
    if "$BRIG" help setup >/dev/null 2>&1; then
        BRIG_DATA=$work/data "$BRIG" setup --user "$user" || return 1
    fi
    flock -s 8
    made_user=1
}

remove_user() {
    [ -n "$made_user" ] || return 0
    flock -n -x 8 || return 0
    local uid left
    uid=$(id -u "$user")
    if ! BRIG_DATA=$work/data "$BRIG" setup --remove --user "$user"; then
        # Ours have this run's folder in their environment; those of a run that was killed are not to be blamed on it.
        left=$(grep -lzsF "$work" /proc/[0-9]*/environ)
        [ -z "$left" ] || one_failure "processes of the user are left: $left"
        [ -n "$left" ] || echo "note: an earlier run left containers of $user, so the user stays"
        return 0
    fi
    left=$(find /sys/fs/cgroup -maxdepth 2 -name "brig-user-$uid" 2>/dev/null)
    [ -z "$left" ] || one_failure "cgroups are left: $left"
    userdel --remove "$user" 2>/dev/null
    rm -f /run/brig-tests.lock
    made_user=
}

# A person who runs the tests without root may have no cgroup: what takes one is then accepted, and its tests are skipped.
accept_machine() {
    [ -z "${BRIG_TEST_ACCEPT:-}" ] || return 0
    BRIG_TEST_ACCEPT=$(BRIG_DATA=$work/data BRIG_RUNTIME=$work/run "$BRIG" info --format json |
        jq -r '.Machine[] | select(.Name == "cgroup" and .State == "missing") | .Takes | capture("accept_lowered = (?<it>[^ ]*)").it')
    [ -z "$BRIG_TEST_ACCEPT" ] || say "no cgroup for $(id -un) (\`sudo brig setup --user $(id -un)\` gives one):" \
        "the tests accept $BRIG_TEST_ACCEPT, those of limits are skipped"
}

# A clean environment for both lanes. Root's capabilities and groups do not reach the user.
in_lane() {
    local lane=$1
    shift
    local env=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 BRIG="$BRIG" BRIG_TEST_BIN="$work/tests/bin"
        BRIG_TEST_CACHE="${BRIG_TEST_CACHE:-}" BRIG_TEST_ACCEPT="${BRIG_TEST_ACCEPT:-}" TMPDIR="$work/tmp"
        BATS_TEST_TIMEOUT="${BRIG_TEST_TIMEOUT:-600}")
    [ -z "$sanitize" ] || env+=(ASAN_OPTIONS=detect_leaks=0:log_path=stderr UBSAN_OPTIONS=halt_on_error=1 BRIG_SANITIZED=1)
    if [ "$lane" = user ] && [ -n "$root" ]; then
        (cd "/var/lib/$user" && exec setpriv --reuid "$user" --regid "$user" --init-groups --inh-caps=-all --reset-env \
            env -u XDG_RUNTIME_DIR "${env[@]}" HOME="/var/lib/$user" USER="$user" "$@") 8>&-
    else
        (cd / && exec env -u XDG_RUNTIME_DIR "${env[@]}" "$@") 8>&-
    fi
}

run_bats() {
    local lane=$1 file=$2 name tap
    name=$(basename "$file" .bats)
    tap=$work/$lane-$name.tap
    say "$name ($lane)"
    # What hangs is best understood while it hangs.
    local limit=${BRIG_TEST_FILE_TIMEOUT:-1200}
    setsid bash -c "sleep $((limit > 60 ? limit - 20 : limit / 2)); echo '# $name: still at it'
        ps -eo pid,ppid,user,stat,wchan:20,etimes,args --forest | grep -v '\]\$' | cut -c1-160 | sed 's/^/# /'" >&2 &
    watch=$!
    in_lane "$lane" timeout -k 30 "$limit" bats --formatter tap "$file" 2>&1 | tee "$tap"
    local ended=${PIPESTATUS[0]} planned seen
    kill -- "-$watch" 2>/dev/null
    wait "$watch" 2>/dev/null
    watch=
    count_tap "$tap" "$lane $name"
    planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$tap" | head -1)
    seen=$(grep -cE '^(not )?ok ' "$tap")
    if [ "$ended" = 124 ] || [ "$ended" = 137 ]; then
        one_failure "$lane $name: took too long"
    elif [ -z "$planned" ] || [ "$seen" -lt "$planned" ]; then
        one_failure "$lane $name: ended after $seen of ${planned:-?} tests"
    elif [ "$ended" != 0 ] && ! grep -q '^not ok' "$tap"; then
        one_failure "$lane $name: bats ended with $ended"
    fi
}

# ---------------------------------------------------------------------------------------------------------- main

[ ${#only[@]} -gt 0 ] || run_units
if [ -z "$unit_only" ]; then
    say "installing a copy into $work"
    DESTDIR=$work meson install -C "$build" --no-rebuild --quiet >"$work/install.log" 2>&1 || {
        cat "$work/install.log"
        exit 1
    }
    BRIG=$(find "$work" -path '*/bin/brig' -type f | head -1)
    [ -x "$BRIG" ] || { echo "run.sh: meson install gave no bin/brig" >&2; exit 1; }
    mkdir -m 1777 "$work/tmp"
    # The tests too are copied to where the user can read them, and the probes that they start.
    mkdir "$work/tests"
    cp -r "$top/tests/." "$work/tests/"
    mkdir "$work/tests/bin"
    find "$build/tests/attacks" -maxdepth 1 -type f -executable -exec cp -t "$work/tests/bin" {} + || exit 1
    chmod -R a+rX "$work"
    "$work/tests/images/mkimage" tiny >/dev/null || exit 1
    [ -n "$root" ] || accept_machine
    for lane in $lanes; do
        if [ "$lane" = user ] && [ -n "$root" ]; then
            make_user || { one_failure "cannot make the user $user"; continue; }
        fi
        files=("$work"/tests/integration/*.bats)
        if [ ${#only[@]} -gt 0 ]; then
            files=()
            for name in "${only[@]}"; do files+=("$work/tests/integration/$name.bats"); done
        elif [ -n "$sanitize" ]; then
            files=()
            for name in "${sanitize_selection[@]}"; do files+=("$work/tests/integration/$name.bats"); done
        fi
        for file in "${files[@]}"; do
            [ -f "$file" ] || { one_failure "no such test: $file"; continue; }
            run_bats "$lane" "$file"
        done
    done
fi

[ -n "$keep" ] || [ -z "$root" ] || remove_user
if [ ${#failures[@]} -gt 0 ]; then
    say "failed"
    printf '%s\n' "${failures[@]}"
    # Once more what they said: whoever sees only the end of a long log finds it there.
    awk 'FNR == 1 { on = 0 } /^(not )?ok / { on = /^not ok/ && !/# SKIP/; n = 0 } on && n++ < 25' "$work"/*.tap 2>/dev/null | cut -c1-300
fi
[ -z "${BRIG_TEST_TOTALS:-}" ] || echo "$passed $failed $skipped" >>"$BRIG_TEST_TOTALS"
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
