#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Volumes, bind mounts, and whose the files in them are.
# shellcheck disable=SC2016

load lib

setup_file() { brig_setup tiny; }
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() {
    brig_end
    local left
    left=$(brig volume ls -q) || true
    # shellcheck disable=SC2086 # words on purpose
    [ -z "$left" ] || brig volume rm $left >/dev/null
}

volumes() { brig volume ls -q | wc -l; }

@test "a named volume is made by its use and outlives containers" {
    brig run --rm -v data:/data tiny sh -c 'echo one >/data/file'
    assert_eq "$(brig run --rm -v data:/elsewhere tiny cat /elsewhere/file)" one
    assert_eq "$(brig volume ls -q)" data
    run -125 brig run --rm -v 'da/ta:/data' tiny true
    run -125 brig run --rm -v data:data tiny true
    run -125 brig run --rm -v data:/ tiny true
    run -125 brig run --rm -v data:/proc/x tiny true
    run -125 brig run --rm -v a:/x -v b:/x/ tiny true
}

@test "a new volume takes what the image has there, once" {
    run -0 brig run --rm -v etc:/etc tiny sh -c 'ls /etc; stat -c "%a %u" /etc/passwd; rm /etc/passwd'
    assert_line '^passwd$'
    assert_line '^644 0$'
    run brig run --rm -v etc:/etc tiny ls /etc/passwd
    assert_exit 1 # what was removed does not come back
    run -0 brig run --rm -v home:/home tiny stat -c '%u:%g' /home/app
    assert_eq "$output" 1000:1000
    run -0 brig run --rm -v empty:/etc:nocopy tiny ls -A /etc
    refute_line passwd
    run -0 brig run --rm -v ro:/home:ro tiny ls /home
    assert_line '^app$'
}

@test "read-only and noexec volumes" {
    brig run --rm -v v:/v tiny sh -c 'echo x >/v/f; cp /bin/busybox /v/true'
    run brig run --rm -v v:/v:ro tiny sh -c 'cat /v/f; echo y >/v/f; touch /v/new'
    assert_line '^x$'
    assert_eq "$(grep -c Read-only <<<"$output")" 2
    run -0 brig run --rm -v v:/v tiny /v/true
    run -126 brig run --rm -v v:/v:noexec tiny /v/true
    run -0 brig run --rm --mount type=volume,source=v,target=/v,readonly tiny grep ' /v ' /proc/mounts
    assert_line ' ro,nosuid,nodev'
}

@test "unnamed volumes go with --rm and rm -v, and stay without" {
    brig run --rm -v /scratch tiny touch /scratch/x
    assert_eq "$(volumes)" 0
    brig run --name keep -v /scratch tiny touch /scratch/x
    assert_eq "$(volumes)" 1
    brig rm keep
    assert_eq "$(volumes)" 1
    brig volume prune -f
    assert_eq "$(volumes)" 0
    brig run --name drop -v /scratch -v named:/n tiny touch /scratch/x
    brig rm -v drop
    assert_eq "$(brig volume ls -q)" named
    brig run -d --rm -v /scratch tiny true
    wait_for 10 sh -c '[ -z "$("$BRIG" ps -aq)" ]'
    assert_eq "$(brig volume ls -q)" named
}

@test "volume commands: create, ls, inspect, rm, prune" {
    assert_eq "$(brig volume create --label tier=db one)" one
    assert_eq "$(brig volume create one)" one
    [[ $(brig volume create) =~ ^[0-9a-f]{64}$ ]]
    run -0 brig volume ls --filter label=tier=db --format '{{.Name}} {{.Driver}} {{.Label "tier"}}'
    assert_eq "$output" "one local db"
    run -0 brig volume inspect one
    jq -e '.[0] | .Name == "one" and .Driver == "local" and .Labels.tier == "db" and .Scope == "local"' <<<"$output"
    assert_eq "$(brig volume inspect -f '{{.Mountpoint}}' one)" "$BRIG_DATA/volumes/one/data"
    run -1 brig volume inspect no-such
    brig create --name user -v one:/one tiny true
    run -1 brig volume rm one
    assert_line 'in use by 1 container'
    assert_line 'hint: .*brig rm'
    run -0 brig volume prune -f -a
    assert_eq "$(brig volume ls -q)" one
    brig rm user
    run -0 brig volume rm one
    assert_eq "$output" one
    run -1 brig volume rm one
    run -0 brig volume rm -f one
    run -125 brig volume create --driver nfs x
    run -125 brig volume create -o type=tmpfs x
    run -125 brig volume create ../x
    run -1 brig volume prune </dev/null
}

@test "the files of a volume are the next container's, whatever ids that has" {
    brig run --rm -v v:/v tiny sh -c 'mkdir /v/d; echo a >/v/d/f; chown app:extra /v/d/f; chmod 4750 /v/d/f; ln -s f /v/d/l
        ln /v/d/f /v/hard'
    brig run -d --name other1 tiny sleep 100 # takes the range that was free again
    brig run -d --name other2 tiny sleep 100
    run -0 brig run --rm -v v:/v tiny sh -c 'stat -c "%n %a %u:%g" /v /v/d /v/d/f /v/hard; stat -c "%F %u" /v/d/l; cat /v/d/f'
    assert_line '^/v 755 0:0$'
    assert_line '^/v/d 755 0:0$'
    assert_line '^/v/d/f 4750 1000:1001$'
    assert_line '^/v/hard 4750 1000:1001$'
    assert_line '^symbolic link 0$'
    run -0 brig run --rm -v v:/v -u app tiny sh -c 'echo b >>/v/d/f; cat /v/d/f'
    assert_eq "$output" $'a\nb'
}

@test "a container gets the ids that the files of its volumes have" {
    brig run --rm -v v:/v -u 54321:12345 tiny true
    brig run --rm -v v:/v tiny sh -c 'touch /v/f'
    brig run --rm -v v:/v --group-add 777 -u 4444 tiny true
    # ids 54321 and 4444 are not in the image: only the volume's record tells of them
    brig run --rm -v v:/v tiny sh -c 'chown 54321:12345 /v/f' || skip "needs the ids of the volume"
    assert_eq "$(brig run --rm -v v:/v tiny stat -c '%u:%g' /v/f)" 54321:12345
}

@test "as a user, a volume belongs to one running container at a time" {
    need_user
    brig run -d --name holder -v v:/v tiny sh -c 'echo x >/v/f; sleep 100'
    wait_for 5 brig exec holder test -s /v/f
    run -125 brig run --rm -v v:/v tiny true
    assert_line 'has it writable'
    assert_line 'hint: '
    # read-only it can be looked at, as nobody
    run -0 brig run --rm -v v:/v:ro tiny sh -c 'cat /v/f; stat -c %u /v/f'
    assert_eq "$output" $'x\n65534'
    brig exec holder sh -c 'echo y >/v/f' # it is still its own
    brig rm -f holder
    assert_eq "$(brig run --rm -v v:/v tiny cat /v/f)" y
}

@test "as root, several containers share a volume" {
    need_root
    brig run -d --name holder -v v:/v tiny sleep 100
    brig run --rm -v v:/v tiny sh -c 'echo shared >/v/f'
    assert_eq "$(brig exec holder cat /v/f)" shared
    # on disk it holds the ids as containers know them
    assert_eq "$(stat -c %u "$BRIG_DATA/volumes/v/data/f")" 0
}

@test "a start that is killed while owners are shifted is mended by the next" {
    need_user
    need_command timeout
    brig run --rm -v v:/v tiny sh -c 'for i in $(seq 400); do echo $i >/v/$i; done; chown app /v/*[05]; chown 0:extra /v/*3'
    local want got try
    want=$(brig run --rm -v v:/v tiny sh -c 'stat -c "%n %u %g" /v/* | sort | sha256sum')
    for try in 1 2 3 4 5 6 7 8; do
        # another range each time, so that there is something to shift
        brig run -d --name "hold$try" tiny sleep 300 >/dev/null
        timeout -s KILL "0.0$((try * 11))" "$BRIG" run --rm -v v:/v tiny true || true
        got=$(brig run --rm -v v:/v tiny sh -c 'stat -c "%n %u %g" /v/* | sort | sha256sum')
        assert_eq "$got" "$want"
        refute_file "$BRIG_DATA/volumes/v/owners"
    done
}

# ---------------------------------------------------------------------------------------------------- binds

@test "bind mounts: the caller's files are nobody's inside" {
    mkdir -m 0755 "$TT/share"
    echo world >"$TT/share/open"
    echo own >"$TT/share/closed"
    chmod 0644 "$TT/share/open"
    chmod 0600 "$TT/share/closed"
    run brig run --rm -v "$TT/share:/s" tiny sh -c 'stat -c %u /s/open; cat /s/open; cat /s/closed; touch /s/new; rm /s/open'
    assert_line '^65534$'
    assert_line '^world$'
    refute_line '^own$'
    refute_file "$TT/share/new"
    assert_file "$TT/share/open"
    # with world permissions it can write, and the file is an id of the container's, not the caller's
    chmod 0777 "$TT/share"
    brig run --rm -v "$TT/share:/s" tiny touch /s/new
    [ "$(stat -c %u "$TT/share/new")" != "$(id -u)" ] || fail "the caller's own id was in the container"
}

@test "bind mounts: read-only, files, missing and hidden sources" {
    mkdir -m 0777 "$TT/share"
    echo text >"$TT/share/file"
    run brig run --rm -v "$TT/share:/s:ro" tiny touch /s/x
    assert_line 'Read-only'
    assert_eq "$(brig run --rm -v "$TT/share/file:/f:ro" tiny cat /f)" text
    run -125 brig run --rm -v "$TT/nothing:/s" tiny true
    assert_line 'does not exist'
    assert_line 'hint: .*mkdir'
    refute_file "$TT/nothing"
    chmod 0700 "$TT/share"
    run brig run --rm -v "$TT/share:/s" tiny ls /s
    assert_line 'warning: .*mode 0700.*--lower user=caller'
    (cd "$TT" && chmod 0755 share && run -0 brig run --rm -v ./share:/s tiny cat /s/file)
}

@test "bind mounts: brig's own folders stay out" {
    run -125 brig run --rm -v "$BRIG_DATA/images:/i:ro" tiny true
    assert_line "brig's own folder"
    run -125 brig run --rm -v "$BRIG_RUNTIME:/i" tiny true
    # above them there is nothing to read
    run brig run --rm -v "$T:/t" tiny ls /t/data
    assert_exit 1
    refute_line images
}

@test "a bind source that became a link after create is refused" {
    mkdir -m 0777 "$TT/share"
    canary_make "$TT/secret"
    chmod 0777 "$TT/secret"
    brig create --name swap -v "$TT/share:/s" tiny sh -c 'touch /s/planted; cat /s/secret'
    rmdir "$TT/share"
    ln -s "$TT/secret" "$TT/share"
    # shellcheck disable=SC2034 # canary_check looks at it
    CANARY_WAS=$(canary_state)
    run brig start -a swap
    assert_exit 125
    assert_line 'become a link'
    refute_line "$(canary_nonce)"
    canary_check
}

@test "--lower user=caller: one's own files are one's own inside" {
    need_user
    mkdir -m 0700 "$TT/mine"
    echo own >"$TT/mine/file"
    chmod 0600 "$TT/mine/file"
    run -0 brig run --rm --lower user=caller -v "$TT/mine:/m" tiny sh -c 'cat /m/file; stat -c %u /m/file; touch /m/new /etc/x'
    assert_line '^own$'
    assert_line '^0$'
    assert_eq "$(stat -c %u "$TT/mine/new")" "$(id -u)"
    run -0 brig run --rm --lower user=caller -u app -v "$TT/mine:/m" tiny sh -c 'cat /m/file; stat -c %u /m/file; touch /m/new2'
    assert_line '^1000$'
    assert_eq "$(stat -c %u "$TT/mine/new2")" "$(id -u)"
    # what holds brig's own folder is refused then
    run -125 brig run --rm --lower user=caller -v "$T:/t" tiny true
    assert_line "brig's own folder"
    # positive control: without, it is closed
    run brig run --rm -v "$TT/mine:/m" tiny cat /m/file
    assert_exit 1
}

@test "--lower user=caller is not for root" {
    need_root
    run -125 brig run --rm --lower user=caller tiny true
    assert_line 'ordinary users'
}

@test "mounts are nosuid and nodev, and no propagation passes" {
    mkdir -m 0777 "$TT/share"
    cp /bin/true "$TT/share/suid"
    chmod 4755 "$TT/share/suid"
    run -0 brig run --rm -v v:/v -v "$TT/share:/s" --tmpfs /t tiny grep -E ' /(v|s|t) ' /proc/mounts
    assert_eq "$(grep -c 'nosuid,nodev' <<<"$output")" 3
    run -125 brig run --rm -v "$TT/share:/s:shared" tiny true
    run -125 brig run --rm --mount "type=bind,source=$TT/share,target=/s,bind-propagation=rslave" tiny true
}
