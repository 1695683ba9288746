#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The options of run and create: each by what the container, the kernel or the host shows, not by what brig says.
# shellcheck disable=SC2016

load lib

setup_file() { brig_setup tiny; }
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

# An image with the files of tiny and more, and a configuration: make_image NAME CONFIG [TAR...]
make_image() {
    local name=$1 config=$2 layout blob
    shift 2
    layout=$(test_image tiny)
    if [ ! -f "$T/tiny.tar" ]; then
        blob=$(jq -r '.layers[0].digest' "$layout/blobs/sha256/$(jq -r '.manifests[0].digest | sub("sha256:"; "")' \
            "$layout/index.json")")
        gzip -dc "$layout/blobs/sha256/${blob#sha256:}" >"$T/tiny.tar"
    fi
    "$REPO_TESTS/images/oci-layout" "$TT/layout-$name" "$name:latest" "$config" "$T/tiny.tar" "$@"
    brig load -q -i "$TT/layout-$name"
}

# ---------------------------------------------------------------------------------------------------- exit codes

@test "exit codes: the program's, 128 and the signal, 125, 126, 127" {
    run -0 brig run --rm tiny true
    run -7 brig run --rm tiny sh -c 'exit 7'
    run -137 brig run --rm --init tiny sh -c 'kill -9 $$; sleep 9'
    run -143 brig run --rm --init tiny sh -c 'kill $$; sleep 9'
    run -127 brig run --rm tiny no-such-program
    assert_line 'executable file not found'
    run -127 brig run --rm tiny /no/such/file
    run -126 brig run --rm tiny /etc
    run -126 brig run --rm tiny /etc/passwd
    run -125 brig run --rm no-such-image true
    assert_line 'no such image'
    assert_line 'hint: .*brig load'
    run -125 brig run --no-such-option tiny true
    run -125 brig run
    run -125 brig run --rm --memory 1k tiny true
    assert_eq "$(brig ps -aq)" ""
}

@test "options end at the image; what follows is the program's" {
    run -0 brig run --rm tiny echo --rm -e X=1 -- -it
    assert_eq "$output" "--rm -e X=1 -- -it"
}

@test "standard streams: stdin only with -i, out and err apart" {
    run -0 --separate-stderr brig run --rm tiny sh -c 'echo out; echo err >&2'
    assert_eq "$output" out
    # shellcheck disable=SC2154
    assert_eq "$stderr" err
    assert_eq "$(echo hello | brig run --rm -i tiny cat)" hello
    assert_eq "$(echo hello | brig run --rm tiny cat)" ""
    head -c 50000000 /dev/urandom >"$TT/bytes"
    assert_eq "$(brig run --rm -i tiny cat <"$TT/bytes" | sha256sum)" "$(sha256sum <"$TT/bytes")"
}

@test "-a joins the named streams only" {
    run -0 --separate-stderr brig run --rm -a stderr tiny sh -c 'echo out; echo err >&2'
    assert_eq "$output" ""
    assert_eq "$stderr" err
    run -125 brig run --rm -a nothing tiny true
    run -125 brig run -d -a stdout tiny true
}

@test "-t gives a terminal, -it without one is refused" {
    need_command script
    run -0 script -qec "'$BRIG' run --rm -it tiny sh -c 'test -t 0 && test -t 1 && tty && stty size && echo TERM=\$TERM'" \
        /dev/null
    assert_line '/dev/(pts/0|console)'
    assert_line 'TERM=xterm'
    # --rm: whoever sees the end of the command finds nothing left.
    for _ in 1 2 3; do
        script -qec "'$BRIG' run --rm -it tiny true" /dev/null
        assert_eq "$(brig ps -aq)" ""
    done
    run -125 brig run --rm -it tiny true </dev/null
    assert_line 'not a TTY'
    assert_eq "$(brig ps -aq)" ""
    run -1 brig run --rm tiny test -t 1
}

@test "-d: prints the id, goes on without us, keeps the exit code" {
    local id
    id=$(brig run -d --name bg tiny sh -c 'sleep 1; echo done; exit 5')
    [[ $id =~ ^[0-9a-f]{64}$ ]] || fail "not an id: $id"
    container_running bg
    assert_eq "$(brig wait bg)" 5
    assert_eq "$(brig logs bg)" "done"
    assert_eq "$(container_get bg '{{.State.ExitCode}} {{.State.Status}}')" "5 exited"
}

# ---------------------------------------------------------------------------------------------------- environment

@test "environment: image, files, options, in this order; nothing of the caller's" {
    make_image env '{"Env": ["PATH=/bin", "A=image", "B=image", "C=image"]}'
    printf '# comment\nB=file\nC=file\nD="quoted"\nPASSED\nNO_SUCH_VARIABLE\n' >"$TT/env"
    export PASSED=host-value NOT_PASSED=secret LD_PRELOAD_TEST=1
    run -0 brig run --rm --env-file "$TT/env" -e C=option -e EMPTY= -e PASSED2 env env
    assert_line '^A=image$'
    assert_line '^B=file$'
    assert_line '^C=option$'
    assert_line '^D="quoted"$'
    assert_line '^PASSED=host-value$'
    assert_line '^EMPTY=$'
    assert_line '^HOSTNAME=[0-9a-f]{12}$'
    assert_line '^HOME=/root$'
    refute_line 'secret'
    refute_line 'PASSED2'
    refute_line 'NO_SUCH'
    refute_line '^BRIG_'
    run -125 brig run --rm -e =x tiny true
    run -125 brig run --rm --env-file /no/such/file tiny true
    printf 'X Y=1\n' >"$TT/env"
    run -125 brig run --rm --env-file "$TT/env" tiny true
    assert_line "env:1: white space"
}

@test "B21: nothing of the host comes in by an image's configuration" {
    export SECRET=nonce-5cd1
    local env
    canary_make
    # each of these is refused by the loader, or comes to nothing
    for env in SECRET '*' 'S*' '=x' ''; do
        rm -rf "$TT"/layout-env
        make_image env "$(jq -cn --arg e "$env" '{Env: [$e, "GOOD=1"]}')" 2>/dev/null || continue
        run -0 brig run --rm env env
        assert_line '^GOOD=1$'
        refute_line nonce-5cd1
        refute_line '^[*S]'
    done
    make_image evil '{
        "Env": ["GOOD=1", "LD_PRELOAD=/no/such.so", "BRIG_DATA=/tmp"],
        "Labels": {"io.containers.autoupdate": "registry", "RUN": "touch '"$CANARY"'/ran", "logger": "binary:///bin/touch",
            "io.kubernetes.cri.sandbox-log-directory": "'"$CANARY"'", "run": "/bin/sh -c env"},
        "Volumes": {"/data": {}}}'
    run -0 brig run --rm evil env
    assert_line '^GOOD=1$'
    refute_line nonce-5cd1
    canary_check
    # positive control: what a person asks for is passed
    run -0 brig run --rm -e SECRET evil env
    assert_line '^SECRET=nonce-5cd1$'
}

@test "B21: an image that declares every port opens none" {
    make_image ports '{"ExposedPorts": {"1-65535/tcp": {}}}' 2>"$TT/err" || {
        grep -q ExposedPorts "$TT/err"
        return 0
    }
    run -0 brig create --net none --name p ports true
    assert_line 'none of them is opened'
    assert_eq "$(jq '.expose_tcp | length' "$BRIG_DATA"/containers/*/config.json)" 0
}

@test "B21: configurations that make no sense are refused, with the place" {
    local config
    while read -r config place; do
        rm -rf "$TT"/layout-*
        # either the loader or run refuses; nothing runs
        if make_image bad "$config" >/dev/null 2>"$TT/err"; then
            run -125 brig run --rm bad true
            assert_line "$place"
            brig rmi bad >/dev/null
        else
            grep -q "$place" "$TT/err" || fail "$config: $(cat "$TT/err")"
        fi
    done <<'END'
{"Volumes":{"/../etc":{}}} Volumes
{"Volumes":{"relative":{}}} Volumes
{"Volumes":{"/proc":{}}} Volumes
{"WorkingDir":"../x"} WorkingDir
{"StopSignal":"99"} StopSignal
{"Healthcheck":{"Test":["CMD","x"],"Interval":-5}} Interval
{"User":7} User
{"Env":"A=1"} Env
{"Cmd":"sh"} Cmd
END
}

@test "--entrypoint, the image's program and its arguments" {
    make_image ep '{"Entrypoint": ["/bin/echo", "entry"], "Cmd": ["cmd"], "Env": ["PATH=/bin"]}'
    assert_eq "$(brig run --rm ep)" "entry cmd"
    assert_eq "$(brig run --rm ep other)" "entry other"
    assert_eq "$(brig run --rm --entrypoint /bin/echo ep)" ""
    assert_eq "$(brig run --rm --entrypoint "" ep echo x)" x
    assert_eq "$(brig run --rm --entrypoint '["/bin/echo","a b"]' ep c)" "a b c"
    run -125 brig run --rm --entrypoint "" ep
    assert_line 'no command'
}

@test "-w: the folder is made when it is not there" {
    assert_eq "$(brig run --rm -w /tmp tiny pwd)" /tmp
    assert_eq "$(brig run --rm -w /new/folder tiny pwd)" /new/folder
    run -125 brig run --rm -w relative tiny true
    run -125 brig run --rm -w /a/../b tiny true
}

# ---------------------------------------------------------------------------------------------------- users

@test "-u: names, numbers, groups of the image" {
    assert_eq "$(brig run --rm tiny id -u)" 0
    assert_eq "$(brig run --rm -u app tiny sh -c 'id -u; id -g; id -G; echo $HOME')" $'1000\n1000\n1000 1001\n/home/app'
    assert_eq "$(brig run --rm -u 1000 tiny id -G)" "1000 1001"
    assert_eq "$(brig run --rm -u app:extra tiny id -G)" 1001
    assert_eq "$(brig run --rm -u 4321:8765 tiny sh -c 'id -u; id -g; echo $HOME')" $'4321\n8765\n/'
    assert_eq "$(brig run --rm -u 4321 --group-add extra --group-add 77 tiny sh -c 'id -G' | tr ' ' '\n' | sort -n | xargs)" \
        "0 77 1001"
    run -125 brig run --rm -u nobody-such tiny true
    assert_line 'etc/passwd of the image has no user'
    run -125 brig run --rm --group-add nosuch tiny true
}

@test "A34: a user that is no user never becomes root" {
    local user users=(4294967296 4294967295 18446744073709551616 -1 0x0 ' 0' '0 ' 1: :1 : 00 1e3 +0 'root ' '*')
    mkdir -p "$TT/root/etc"
    for user in "${users[@]}"; do echo "$user:x:0:0:root:/root:/bin/sh"; done >"$TT/root/etc/passwd"
    echo 'real:x:12:12::/:/bin/sh' >>"$TT/root/etc/passwd"
    tar -C "$TT/root" -cf "$TT/passwd.tar" --owner 0 --group 0 etc/passwd
    make_image users '{}' "$TT/passwd.tar"
    assert_eq "$(brig run --rm -u real users id -u)" 12 # positive control
    for user in "${users[@]}"; do
        run brig run --rm -u "$user" users id -u
        assert_exit 125
        refute_line '^0$'
    done
    # the same words by the image
    for user in 4294967296 -1 0x0 1: :1; do
        rm -rf "$TT"/layout-image-user
        make_image image-user "$(jq -cn --arg u "$user" '{User: $u}')" "$TT/passwd.tar"
        run brig run --rm image-user id -u
        assert_exit 125
        refute_line '^0$'
    done
}

@test "A34: passwd of 200 MB, as a FIFO, as a link to a device" {
    local kind start
    for kind in huge fifo link; do
        rm -rf "$TT/root" "$TT"/layout-bomb
        mkdir -p "$TT/root/etc"
        case $kind in
        huge) truncate -s 200M "$TT/root/etc/passwd" ;;
        fifo) mkfifo "$TT/root/etc/passwd" ;;
        link) ln -s /dev/zero "$TT/root/etc/passwd" ;;
        esac
        tar -C "$TT/root" -cSf "$TT/bomb.tar" --owner 0 --group 0 etc/passwd
        rm -rf "$TT/root"
        make_image bomb '{"User": "app"}' "$TT/bomb.tar" || continue # refused by the loader: as good
        start=$(date +%s%N)
        run brig run --rm bomb id -u
        assert_exit 125
        [ $((($(date +%s%N) - start) / 1000000)) -lt 2000 ] || fail "$kind took too long"
        brig rmi bomb >/dev/null
    done
}

@test "numbers that no image knows are mapped to ids of their own" {
    local pid id
    brig run -d --name u -u 54321:12345 tiny sleep 100
    pid=$(container_pid u)
    assert_eq "$(awk '/^NSpid/ { print NF }' "/proc/$pid/status")" 3
    id=$(stat -c %u "/proc/$pid")
    [ "$id" -ge 100000 ] || fail "host uid $id"
    [ "$id" != 54321 ] || fail "the number of the image is the host's"
}

# ---------------------------------------------------------------------------------------------------- names, network

@test "--hostname, --domainname, --add-host" {
    run -0 brig run --rm --net none -h web.example --domainname nis.example --add-host db:10.1.2.3 --add-host 'v6:[::5]' tiny \
        sh -c 'hostname; cat /proc/sys/kernel/domainname /etc/hosts; echo $HOSTNAME'
    assert_line '^web.example$'
    assert_line '^nis.example$'
    assert_line '^10\.1\.2\.3[[:space:]]+db$'
    assert_line '^::5[[:space:]]+v6$'
    run -125 brig run --rm -h 'a b' tiny true
    run -125 brig run --rm --add-host $'x:1.2.3.4\n6.6.6.6 bank' tiny true
    assert_eq "$(hostname)" "$(uname -n)"
}

@test "--network: none has loopback only, names of other engines, unknown ones" {
    assert_eq "$(brig run --rm --net none tiny sh -c 'ls /sys/class/net 2>/dev/null; cat /proc/net/dev | tail -n +3 | cut -d: -f1' |
        tr -d ' ')" lo
    run -125 brig run --rm --network no-such-net tiny true
    assert_line 'hint: private'
    run -125 brig run --rm --network container:no-such tiny true
    run -125 brig run --rm --net none -p 80 tiny true
}

@test "--name: taken, not a name, random ones differ" {
    brig create --name twice tiny true
    run -125 brig create --name twice tiny true
    assert_line 'taken by another'
    run -125 brig create --name 'a/b' tiny true
    run -125 brig create --name "$(printf 'a%.0s' {1..200})" tiny true
    brig create tiny true
    brig create tiny true
    assert_eq "$(brig ps -a --format '{{.Names}}' | sort -u | wc -l)" 3
    assert_eq "$(find "$BRIG_DATA/names" -type l | wc -l)" 3
}

# ---------------------------------------------------------------------------------------------------- files

@test "--tmpfs: size, mode, exec, read-only" {
    run -0 brig run --rm --tmpfs /scratch:size=1m,mode=0700 tiny sh -c 'grep " /scratch " /proc/mounts; stat -c %a /scratch
        dd if=/dev/zero of=/scratch/x bs=1M count=3 2>&1; stat -c %s /scratch/x'
    assert_line 'tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k'
    assert_line '^700$'
    assert_line 'No space left'
    run -0 brig run --rm --tmpfs /e:exec tiny sh -c 'cp /bin/busybox /e/true; /e/true'
    run -126 brig run --rm --tmpfs /e tiny sh -c 'cp /bin/busybox /e/true; exec /e/true'
    run -125 brig run --rm --tmpfs /proc tiny true
    run -125 brig run --rm --tmpfs /x:suid tiny true
}

@test "--read-only: only mounts can be written" {
    run brig run --rm --read-only --tmpfs /scratch tiny sh -c 'touch /x; touch /etc/x; touch /scratch/x && echo scratch'
    assert_line 'touch: /x: Read-only'
    assert_line 'touch: /etc/x: Read-only'
    assert_line '^scratch$'
    run -0 brig run --rm tiny touch /x # positive control
}

@test "--tmpfs-root: the writable layer is in memory and of its size" {
    run -0 brig run --rm --tmpfs-root 2m tiny sh -c 'touch /etc/new && dd if=/dev/zero of=/big bs=1M count=5 2>&1
        stat -c %s /big'
    assert_line 'No space left'
}

@test "--shm-size" {
    run -0 brig run --rm --shm-size 3m tiny grep ' /dev/shm ' /proc/mounts
    assert_line 'size=3072k'
    assert_line 'nosuid,nodev,noexec'
}

@test "--secret: readable for the container's user alone, never writable, not on disk" {
    printf 'open sesame' >"$TT/secret"
    chmod 0600 "$TT/secret"
    run -0 brig run --rm -u app --secret "id=key,source=$TT/secret" --secret "id=wide,src=$TT/secret,mode=0444" tiny sh -c '
        cat /run/secrets/key; echo; stat -c "%a %u %s" /run/secrets/key /run/secrets/wide
        echo x >/run/secrets/key; echo x >/run/secrets/new; grep /run/secrets /proc/mounts'
    assert_line '^open sesame$'
    assert_line '^400 1000 11$'
    assert_line '^444 1000 11$'
    assert_line 'tmpfs ro,nosuid,nodev,noexec'
    assert_eq "$(grep -c "can't create" <<<"$output")" 2
    brig run -d --name s --secret "id=key,source=$TT/secret" tiny sleep 100
    ! grep -rq 'open sesame' "$BRIG_DATA" "$BRIG_RUNTIME" || fail "the secret is on the disk"
    assert_eq "$(brig exec s cat /run/secrets/key)" 'open sesame'
    run -125 brig run --rm --secret id=x tiny true
    run -125 brig run --rm --secret "id=../x,source=$TT/secret" tiny true
    run -125 brig run --rm --secret id=x,source=/dev/zero tiny true
    run -125 brig run --rm --secret id=x,source=/no/such tiny true
}

@test "--secret is there again after a restart" {
    printf 'open sesame' >"$TT/secret"
    chmod 0600 "$TT/secret"
    brig run -d --name s --restart on-failure:2 --secret "id=key,source=$TT/secret" tiny \
        sh -c 'cat /run/secrets/key; echo; exit 1'
    wait_for 20 [ "$(container_get s '{{.RestartCount}}')" = 2 ] ||
        wait_for 20 sh -c '[ "$("$BRIG" logs s | grep -c "open sesame")" = 3 ]'
    assert_eq "$(brig logs s | sort | uniq -c | xargs)" "3 open sesame"
}

# ---------------------------------------------------------------------------------------------------- limits, walls

@test "--ulimit, by /proc/self/limits" {
    run -0 brig run --rm --ulimit nofile=100:200 --ulimit fsize=4096 tiny sh -c 'cat /proc/self/limits'
    assert_line '^Max open files +100 +200 '
    assert_line '^Max file size +4096 +4096 '
    assert_line '^Max core file size +0 +0 '
    run -125 brig run --rm --ulimit nofile=5:1 tiny true
    run -125 brig run --rm --ulimit files=5 tiny true
}

@test "--memory, --pids-limit, --cpus: in the container's own cgroup" {
    need_cgroup memory
    local pid path
    brig run -d --name l --memory 64m --memory-swap 96m --pids-limit 33 tiny sleep 100
    pid=$(container_pid l)
    path=$(sed -n 's/^[0-9]*:\(memory\|\):\(.*brig.*\)$/\2/p' "/proc/$pid/cgroup" | head -1)
    run -0 sh -c "cat /sys/fs/cgroup/memory$path/memory.limit_in_bytes /sys/fs/cgroup$path/memory.max 2>/dev/null || true"
    assert_line '^67108864$'
}

@test "limits that make no sense are refused" {
    local option
    for option in '--memory 1m' '--memory x' '--memory-swap 1g' '--cpus 0' '--cpus 100000' '--cpus 1 --cpu-quota 5000' \
        '--cpuset-cpus 3-1' '--cpuset-cpus x' '--cpu-shares 1' '--pids-limit -5' '--shm-size x' '--storage-opt foo=1' \
        '--log-opt max-size=1' '--log-driver syslog' '--stop-timeout x' '--stop-signal SIGNOPE' '--restart maybe' \
        '--rm --restart always' '--health-interval 1us --health-cmd x' '--no-healthcheck --health-cmd x' '--expose 0' \
        '--expose 70000' '-p 70000:80' '-p 1.2.3:80:80' '--dns example' '--sysctl ../x=1' '--cap-add NOPE' '--lower nothing' \
        '--lower seccomp=nothing' '--platform windows/amd64' '--platform linux/mips'; do
        # shellcheck disable=SC2086 # words on purpose
        run brig create $option tiny true
        [ "$status" = 125 ] || fail "$option: exit code $status, $output"
    done
    assert_eq "$(brig ps -aq)" ""
    assert_eq "$(find "$BRIG_DATA/ids" -name '[0-9]*' 2>/dev/null)" ""
}

@test "--cap-add and --cap-drop, by /proc/self/status" {
    assert_eq "$(brig run --rm --cap-drop ALL tiny awk '/CapEff/ { print $2 }' /proc/self/status)" 0000000000000000
    assert_eq "$(brig run --rm --cap-drop ALL --cap-add NET_BIND_SERVICE tiny awk '/CapBnd/ { print $2 }' /proc/self/status)" \
        0000000000000400
    assert_eq "$(brig run --rm -u app tiny awk '/CapBnd/ { print $2 }' /proc/self/status)" 0000000000000000
    run -125 brig run --rm --cap-add ALL tiny true
    assert_line 'hint: .*one --cap-add each'
}

@test "what is not there on purpose is refused with what is there instead" {
    local option
    while IFS='|' read -r option hint; do
        # shellcheck disable=SC2086 # words on purpose
        run brig run --rm $option tiny true
        assert_exit 125
        assert_line "hint: .*$hint"
    done <<'END'
--privileged|--lower WALL
--userns=host|--network
--userns keep-id|--lower user=caller
--pid=host|--network
--ipc=host|--network
--uts host|--network
--security-opt seccomp=unconfined|--lower seccomp
--security-opt apparmor=unconfined|--lower lsm
--security-opt label=disable|--lower lsm
--security-opt no-new-privileges:false|--lower nnp
--security-opt systempaths=unconfined|--lower mounts=masks
--device /dev/sda|-v SOCKET
--gpus all|-v SOCKET
--volumes-from other|-v NAME
END
    run -0 brig run --rm --security-opt no-new-privileges --ipc private --pid private tiny true
}

@test "--init: a small init is pid 1 and the program is not" {
    run -0 brig run --rm --init tiny sh -c 'echo $$'
    [ "$output" -gt 1 ] || fail "the program is pid $output"
    assert_eq "$(brig run --rm tiny sh -c 'echo $$')" 1
}

# ---------------------------------------------------------------------------------------------------- life

@test "--rm leaves nothing, also when it does not start" {
    brig run --rm --name gone tiny true
    run -127 brig run --rm --name gone tiny nope
    run -0 brig run --rm --name gone tiny true
    assert_eq "$(brig ps -aq)" ""
    brig run -d --rm --name gone tiny true
    wait_for 10 sh -c '[ -z "$("$BRIG" ps -aq)" ]'
    assert_eq "$(find "$BRIG_DATA/containers" "$BRIG_DATA/names" -mindepth 1)" ""
}

@test "--cidfile: a new file with the id" {
    local id
    id=$(brig create --cidfile "$TT/cid" tiny true)
    assert_eq "$(cat "$TT/cid")" "$id"
    run -125 brig create --cidfile "$TT/cid" tiny true
    assert_eq "$(brig ps -aq | wc -l)" 1
    run -125 brig create --cidfile /no/such/dir/cid tiny true
    assert_eq "$(brig ps -aq | wc -l)" 1
}

@test "--restart on-failure:N, and not after a stop by a person" {
    brig run -d --name r --restart on-failure:2 tiny sh -c 'echo again; exit 3'
    wait_for 20 sh -c '[ "$("$BRIG" logs r | wc -l)" = 3 ]'
    wait_for 10 sh -c '[ "$("$BRIG" inspect -f "{{.State.Status}}" r)" = exited ]'
    assert_eq "$(container_get r '{{.RestartCount}} {{.State.ExitCode}}')" "2 3"
    brig run -d --name always --restart always tiny sleep 100
    brig stop -t 1 always
    sleep 1
    assert_eq "$(container_get always '{{.State.Running}}')" false
    run -125 brig run --rm --restart always tiny true
}

@test "stop: its signal, then SIGKILL after its time; restart; kill" {
    brig run -d --name nice --stop-signal USR1 tiny sh -c 'trap "echo asked; exit 4" USR1; while :; do sleep 0.1; done'
    wait_for 5 container_running nice
    sleep 0.5
    brig stop -t 10 nice
    assert_eq "$(brig logs nice)" asked
    assert_eq "$(container_get nice '{{.State.ExitCode}}')" 4
    brig run -d --name deaf tiny sh -c 'trap "" TERM; while :; do sleep 0.1; done'
    sleep 0.5
    local start=$SECONDS
    brig stop -t 1 deaf
    [ $((SECONDS - start)) -le 5 ] || fail "took $((SECONDS - start)) s"
    assert_eq "$(container_get deaf '{{.State.ExitCode}}')" 137
    brig start deaf
    container_running deaf
    brig restart -t 0 deaf
    container_running deaf
    brig kill deaf
    assert_eq "$(brig wait deaf)" 137
    run -1 brig stop no-such
    run -1 brig kill deaf
    run -125 brig kill -s NOPE deaf
}

@test "start -a: output and exit code of a made container" {
    brig create --name made tiny sh -c 'echo hello; exit 6'
    run -6 brig start -a made
    assert_eq "$output" hello
    brig create -i --name pipe tiny cat
    assert_eq "$(echo through | brig start -ai pipe)" through
    run -125 brig start -a made pipe
    run -1 brig start no-such
}

@test "rm: several, running ones only with -f, unknown ones" {
    brig run -d --name one tiny sleep 100
    brig create --name two tiny true
    run -1 brig rm one two
    assert_line 'one is running'
    assert_line '^two$'
    run -0 brig rm -f one no-such
    assert_eq "$output" one
    run -1 brig rm no-such
    assert_eq "$(brig ps -aq)" ""
}

@test "by a unique start of the id, and not by one that fits several" {
    local id
    for _ in $(seq 17); do brig create tiny true; done >"$TT/ids"
    id=$(cut -c1 "$TT/ids" | sort | uniq -d | head -1)
    run -1 brig rm "$id"
    assert_line 'have an id that begins so'
    id=$(head -1 "$TT/ids")
    assert_eq "$(container_get "${id:0:20}" '{{.Id}}')" "$id"
}

@test "POSIX message queues work, behind Landlock too" {
    need_command gcc
    cat >"$TT/mq.c" <<'EOF'
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
int main(void)
{
	mqd_t q = mq_open("/q", O_CREAT | O_RDWR, 0600, NULL);
	char b[8192];

	if (q == (mqd_t)-1 || mq_send(q, "hi", 2, 1) < 0 || mq_receive(q, b, sizeof(b), NULL) != 2 || mq_unlink("/q") < 0)
		return perror("mq"), 1;
	return puts("queue works"), 0;
}
EOF
    gcc -static -o "$TT/mq" "$TT/mq.c" -lrt
    chmod 0755 "$TT/mq"
    run -0 brig run --rm --net none -v "$TT/mq:/mq:ro" tiny /mq
    assert_line '^queue works$'
    run -0 brig run --rm --net none --read-only -v "$TT/mq:/mq:ro" tiny /mq
    assert_line '^queue works$'
}
