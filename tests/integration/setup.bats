#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# brig info and brig setup.

# shellcheck disable=SC2016
load lib
setup_file() { brig_setup; }
teardown_file() {
    brig_teardown
    setup_clean
}
setup() { brig_begin; }
teardown() { brig_end; }

USER_NAME=brig-cgroup-bats

setup_clean() {
    [ "$MODE" = root ] && id -u "$USER_NAME" >/dev/null 2>&1 || return 0
    brig setup --remove --user "$USER_NAME" || true
    userdel "$USER_NAME" 2>/dev/null || true
}

@test "info shows each wall's needs and what missing pieces take" {
    run brig info
    assert_ok
    assert_line '^kernel +stands +Linux '
    assert_line '^seccomp '
    assert_line '^cgroup '
    assert_line '^ids '
    run brig info --format json
    assert_ok
    assert_eq "$(jq -r .KernelVersion <<<"$output")" "$(uname -r)"
    assert_eq "$(jq -r .Rootless <<<"$output")" "$([ "$MODE" = user ] && echo true || echo false)"
    # whatever does not stand says what it would take
    assert_eq "$(jq '[.Machine[] | select(.State != "stands" and .Takes == "")] | length' <<<"$output")" 0
    run brig info --format '{{.NCPU}}'
    assert_eq "$output" "$(getconf _NPROCESSORS_ONLN)"
}

@test "info shows brig.conf and refuses a broken one with its line" {
    brig_conf 'pids = 123'
    run brig info --format '{{.Config.Pids}}'
    assert_eq "$output" 123
    printf 'pids = 5\n\npdis = 6\n' >"$BRIG_CONFIG/brig.conf"
    run brig info
    assert_exit 125
    assert_line 'brig.conf:3: unknown key "pdis"'
    assert_line 'the nearest is "pids"'
    brig_conf
    chmod 0666 "$BRIG_CONFIG/brig.conf"
    run brig info
    assert_exit 125
    assert_line 'may be written by others'
    brig_conf
}

@test "setup refuses a user that does not exist, and a caller that is not root" {
    run brig setup --check --user no-such-user-here
    assert_exit 125
    assert_line 'no user "no-such-user-here"'
    run brig setup --user root
    assert_exit 125
    if [ "$MODE" = user ]; then
        run brig setup --user "$(id -un)"
        assert_exit 125
        assert_line 'only root'
    fi
}

@test "setup gives a user ids and a cgroup, once, and says so" {
    need_root
    need_command useradd
    [ ! -d /run/systemd/system ] || skip "would change this machine's systemd"
    useradd -M -s /usr/sbin/nologin -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 "$USER_NAME"
    run brig setup --check --user "$USER_NAME"
    assert_exit 1
    assert_line '^missing: 65536 subordinate'
    # looking changed nothing
    run grep "^$USER_NAME:" /etc/subuid
    assert_exit 1

    run brig setup --user "$USER_NAME"
    assert_ok
    local uid first
    uid=$(id -u "$USER_NAME")
    first=$(awk -F: -v u="$USER_NAME" '$1 == u && $3 == 65536 { print $2 }' /etc/subuid)
    [ "$first" -ge 100000 ]
    # nobody else has any of them
    assert_eq "$(awk -F: -v f="$first" -v u="$USER_NAME" \
        '$1 != u && $2 < f + 65536 && $2 + $3 > f' /etc/subuid /etc/subgid)" ""
    assert_eq "$(awk -F: -v u="$USER_NAME" '$1 == u { n++ } END { print n + 0 }' /etc/subgid)" 1
    if [ -d /sys/fs/cgroup/memory ]; then
        assert_eq "$(stat -c %u /sys/fs/cgroup/memory/brig-user-"$uid")" "$uid"
        # the limit of all of the user's containers together stays root's
        assert_eq "$(stat -c %u /sys/fs/cgroup/memory/brig-user-"$uid"/memory.limit_in_bytes)" 0
    fi

    # again: nothing to do, nothing doubled
    local was
    was=$(cat /etc/subuid /etc/subgid)
    run brig setup --user "$USER_NAME"
    assert_ok
    assert_eq "$(cat /etc/subuid /etc/subgid)" "$was"
}

@test "setup --remove takes back what setup gave, and nothing else" {
    need_root
    need_command useradd
    [ ! -d /run/systemd/system ] || skip "would change this machine's systemd"
    local name=$USER_NAME-undo uid before
    useradd -M -s /usr/sbin/nologin -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 "$name"
    uid=$(id -u "$name")
    # Ids that an administrator gave are not enough for setup, which adds others, and stay.
    echo "$name:4000000:100" >>/etc/subuid
    before=$(cat /etc/subuid /etc/subgid)
    brig setup --user "$name" >/dev/null
    [ "$(cat /etc/subuid /etc/subgid)" != "$before" ]

    # Not while a process of the user is in its cgroup (v1; on v2 those of its sessions do not count).
    if [ -d /sys/fs/cgroup/memory/brig-user-"$uid" ]; then
        mkdir /sys/fs/cgroup/memory/brig-user-"$uid"/busy
        sleep 60 3>&- &
        local busy=$!
        echo "$busy" >/sys/fs/cgroup/memory/brig-user-"$uid"/busy/cgroup.procs
        run brig setup --remove --user "$name"
        assert_exit 125
        assert_line "containers of uid $uid run in cgroup brig-user-$uid"
        kill "$busy"
        wait "$busy" || true
    fi
    run brig setup --remove --check --user "$name"
    assert_exit 125

    run brig setup --remove --user "$name"
    assert_ok
    assert_line "^removed cgroup brig-user-$uid "
    assert_line '^removed ids [0-9]+ to [0-9]+ from /etc/subuid'
    assert_line '^removed ids [0-9]+ to [0-9]+ from /etc/subgid'
    assert_eq "$(cat /etc/subuid /etc/subgid)" "$before"
    assert_eq "$(find /sys/fs/cgroup -maxdepth 2 -name "brig-user-$uid" 2>/dev/null)" ""
    refute_file "$BRIG_DATA/setup/$uid"
    run brig setup --remove --user "$name"
    assert_ok
    assert_line 'nothing to take back'
    userdel "$name"

    # Of a user that has gone, by its number.
    useradd -M -s /usr/sbin/nologin -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 -u "$uid" "$name"
    brig setup --user "$name" >/dev/null
    userdel "$name"
    run brig setup --remove --user "$uid"
    assert_ok
    assert_line "^removed cgroup brig-user-$uid "
}

# In a mount namespace of the test's own: the machine's device stays as it is.
with_closed_tun() {
    unshare --mount --propagation private bash -c '
        mount -t tmpfs -o mode=0755 tun /dev/net && mknod -m 0600 /dev/net/tun c 10 200 && "$@"' bash "$@"
}

@test "a /dev/net/tun that is root's alone: root's containers get by, setup opens it for users" {
    need_root
    [ -c /dev/net/tun ] || skip "this kernel has no tun device"
    useradd -M "$USER_NAME-tun"
    run with_closed_tun bash -c '"$BRIG" setup --check --user '"$USER_NAME-tun"'; "$BRIG" setup --user '"$USER_NAME-tun"' >/dev/null;
        stat -c "now %a" /dev/net/tun; "$BRIG" setup --check --user '"$USER_NAME-tun"
    setup_clean_tun
    assert_line 'missing: /dev/net/tun'
    assert_line '^now 666$'
    assert_eq "$(grep -c 'missing: /dev/net/tun' <<<"$output")" 1
}

setup_clean_tun() {
    brig setup --remove --user "$USER_NAME-tun"
    userdel "$USER_NAME-tun"
}
