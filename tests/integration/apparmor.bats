#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Profiles that brig writes for AppArmor, judged by AppArmor's own compiler, which needs no kernel with AppArmor. Whether they
# hold is for the virtual machines' tests.

load lib
setup_file() { brig_setup tiny; }
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

compiles() { apparmor_parser --skip-kernel-load --skip-cache --skip-read-cache "$1"; }

@test "profiles of containers of all kinds compile, and say what the container has" {
    need_command apparmor_parser
    mkdir "$TT/a {b}*"
    brig create --name plain --net none tiny true
    brig create --name fixed --net none --read-only --tmpfs '/x y' -v "$TT/a {b}*:/a {b}*" --cap-drop ALL tiny true
    brig create --name named --net none --security-opt apparmor=my.profile -u app tiny true
    # Every part of the seccomp and Landlock walls at once.
    local lower=() word
    for word in $(brig help walls --format json | jq -r '.[] | select(.Wall == "seccomp" or .Wall == "landlock") | .Lower[] | select(contains("="))'); do
        lower+=(--lower "$word")
    done
    brig create --name open --net none "${lower[@]}" tiny true
    for word in plain fixed named open; do
        brig generate apparmor "$word" >"$TT/$word"
        run compiles "$TT/$word"
        [ "$status" = 0 ] || fail "$output" "$(cat "$TT/$word")"
    done
    # The control: the compiler does refuse what is none.
    sed 's/capability chown/capability nosuch/' "$TT/plain" >"$TT/broken"
    run compiles "$TT/broken"
    [ "$status" != 0 ]
    grep -q '^profile brig-plain ' "$TT/plain"
    grep -q '^profile my.profile ' "$TT/named"
    assert_eq "$(grep -c 'capability' "$TT/fixed" "$TT/named" "$TT/plain" | cut -d: -f2 | tr '\n' ' ')" "0 0 9 "
    grep -q '/\*\* rwmkl' "$TT/plain"
    ! grep -q '/\*\* rwmkl' "$TT/fixed" || fail "a read-only root may be written"
    grep -qF '"/x y{,/**}" rwkl' "$TT/fixed"
    grep -qF '"/a \{b\}\*{,/**}" rwkl' "$TT/fixed"
    grep -q 'deny /proc' "$TT/plain"
    ! grep -q 'deny /proc' "$TT/open" || fail "landlock=proc is lowered"
    grep -q '^	mount,' "$TT/open"
    ! grep -q '^	mount,' "$TT/plain" || fail "mounting is not lowered"
}

@test "a profile that cannot be had stops the start; names that are none are refused" {
    ! grep -q Y /sys/module/apparmor/parameters/enabled 2>/dev/null || skip "AppArmor is active here"
    run brig run --rm --net none --security-opt apparmor=brig-x tiny true
    assert_exit 125
    assert_line 'lsm wall: AppArmor profile brig-x was asked for, but AppArmor is not active'
    run brig run --rm --net none --security-opt apparmor=brig-x --lower lsm tiny true
    assert_ok
    for bad in '../x' 'a b' $'a\nb' 'a//&b' ''; do
        run brig run --rm --net none --security-opt "apparmor=$bad" tiny true
        assert_exit 125
    done
    run brig run --rm --net none --security-opt apparmor=unconfined tiny true
    assert_exit 125
    assert_line '--lower lsm'
    run brig generate apparmor nosuch
    [ "$status" != 0 ]
}
