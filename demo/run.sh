#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [BUILD]: shows brig at work and tells what it does. A real image of MariaDB runs as an ordinary user behind all
# walls; a client makes a table and reads a row back through the published port; posture, ps, stats and logs look at it. Then the
# question whether it really is MariaDB: vet finds the SSH server in its twin, which does not run, and where a person overrides that,
# cannot listen. All of it is removed. Run by root it goes on as an ordinary user: $SUDO_USER, else "brig-demo", made for this and removed.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi
step=0 began=
now() { date +%s.%N; }
# Each step says what it does, and when the next begins, how long it took.
say() {
    took
    step=$((step + 1))
    printf '\n%s%d. %s%s\n' "$bold" "$step" "$*" "$plain"
    began=$(now)
}
took() {
    [ -z "$began" ] || printf '%s   (%.2f s)%s\n' "$dim" "$(awk "BEGIN { print $(now) - $began }")" "$plain"
    began=
}
show() {
    printf '%s   $ %s%s\n' "$dim" "$*" "$plain"
    "$@"
}
die() {
    echo "demo: $*" >&2
    exit 1
}

# ------------------------------------------------------------------------------------------- what the user does

part_user() {
    # Not local: the trap reads them when this function has been left.
    brig=$1 image=$2 twin=$3 work='' name=brig-demo-$$
    local port password
    for tool in mariadb newuidmap pasta; do
        command -v "$tool" >/dev/null || die "$tool is missing; as root: make -C $top deps"
    done
    grep -q "^$(id -un):" /etc/subuid /etc/subgid ||
        die "$(id -un) has no subordinate ids; as root: brig setup --user $(id -un)"

    work=$(mktemp -d /var/tmp/brig-demo-XXXXXX)
    export BRIG_DATA=$work/data BRIG_RUNTIME=$work/run BRIG_CONFIG=$work/config
    mkdir -m 0700 "$BRIG_CONFIG"
    brig() { "$brig" "$@"; }
    # shellcheck disable=SC2317 # called by trap
    finish() {
        brig rm -f "$name" "$name-twin" >/dev/null 2>&1 || true
        brig volume rm brig-demo-data >/dev/null 2>&1 || true
        rm -rf "$work" 2>/dev/null || unshare --user --map-root-user --map-auto rm -rf "$work"
    }
    trap finish EXIT

    say "This is $(id -un) (uid $(id -u)): no root, no daemon. What can stand on this machine:"
    brig info >"$work/info" || true
    cat "$work/info"
    sed -n 's/.*accept it: \(accept_lowered = [^ ]*\).*/\1/p' "$work/info" >"$BRIG_CONFIG/brig.conf"
    if [ -s "$BRIG_CONFIG/brig.conf" ]; then
        echo "   accepting once, in brig.conf, what this machine cannot give to a user:"
        cat "$BRIG_CONFIG/brig.conf"
        chmod 0600 "$BRIG_CONFIG/brig.conf"
    fi

    say "Load the image: each blob and each layer is verified, the unpacking is done by a confined helper."
    show brig load -i "$image"
    show brig images

    say "Run it behind all walls, with its port on 127.0.0.1 and its data in a volume."
    password=$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')
    printf 'MARIADB_DATABASE=shop\nMARIADB_USER=shop\nMARIADB_PASSWORD=%s\n' "$password" >"$work/env"
    chmod 0600 "$work/env"
    show brig run -d --name "$name" -p 0:3306 -v brig-demo-data:/var/lib/mysql --env-file "$work/env" mariadb
    port=$(brig port "$name" 3306/tcp | head -1)
    echo "   published at $port"
    port=${port##*:}

    say "Wait until the server answers; then a client of this machine makes a table and reads a row back."
    printf '[client]\nhost=127.0.0.1\nport=%s\nprotocol=tcp\nuser=shop\npassword=%s\n' "$port" "$password" >"$work/client"
    chmod 0600 "$work/client"
    sql() { mariadb --defaults-file="$work/client" --connect-timeout=2 shop -t -e "$1"; }
    local tries=0
    until sql 'SELECT 1' >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries -gt 240 ] || [ "$(brig inspect --format '{{.State.Running}}' "$name")" != true ]; then
            brig logs --tail 30 "$name" >&2 || true
            die "the server does not answer"
        fi
        sleep 0.25
    done
    sql "CREATE TABLE fruit (name VARCHAR(20), price DECIMAL(5,2));
        INSERT INTO fruit VALUES ('apple', 0.40), ('pear', 0.55); SELECT * FROM fruit WHERE name = 'pear'"
    [ "$(mariadb --defaults-file="$work/client" shop -N -e "SELECT price FROM fruit WHERE name = 'pear'")" = 0.55 ] ||
        die "the row that was read is not the row that was written"

    say "Posture: each wall, and the evidence for it from the kernel's own records."
    show brig posture "$name" || echo "   (a wall is lowered or absent here; the table says which, and why)"

    say "The container from outside."
    show brig ps
    show brig stats --no-stream
    echo "${dim}   \$ brig logs --tail 5 $name${plain}"
    brig logs --tail 5 "$name" 2>&1

    part_vet

    say "Stop and remove it: containers, volume, images, and everything that was made for them."
    show brig stop "$name"
    show brig rm "$name"
    show brig rm -f "$name-twin"
    show brig volume rm brig-demo-data
    show brig rmi mariadb twin
    took
    [ -z "$(brig ps -aq)" ] || die "a container is left"
}

# Is it really MariaDB, or MariaDB with an SSH server that waits for orders?
part_vet() {
    local r=0 tries=0
    say "Is it really MariaDB? vet looks into the image that runs, then into a twin of it that a stranger offers."
    show brig vet -q mariadb || die "vet finds something in the image of MariaDB"
    show brig load -q -i "$twin"
    show brig vet -q twin || r=$?
    [ $r = 1 ] || die "vet ended with $r: the SSH server of the twin was not found"

    say "With a policy the verdict is a gate: the clean one starts, the twin does not."
    echo '{"fail_on": "high"}' >"$BRIG_CONFIG/vet.json"
    show brig run --rm --net none mariadb true
    r=0
    show brig run -d --name "$name-twin" twin || r=$?
    [ $r = 125 ] || die "the twin was not refused"

    say "A person overrides that, by name. The wall of Landlock still refuses the port that no image and no -p declares."
    show brig run -d --name "$name-twin" --lower vet=V1-ssh-server --env-file "$work/env" twin
    until brig logs "$name-twin" 2>&1 | grep -q 'Bind to port 2222'; do
        tries=$((tries + 1))
        [ $tries -le 240 ] || die "the SSH server of the twin does not say that it could not listen"
        sleep 0.25
    done
    echo "${dim}   \$ brig logs $name-twin | grep 2222${plain}"
    brig logs "$name-twin" 2>&1 | grep 2222
    # 08AE is 2222: no socket listens there.
    ! brig exec "$name-twin" cat /proc/net/tcp /proc/net/tcp6 | grep -q ':08AE ' || die "the SSH server listens"
    echo "${dim}   \$ brig events --filter event=vet_refuse --filter event=vet_waive${plain}"
    brig events --since 10m --until 0s --filter event=vet_refuse --filter event=vet_waive
}

# -------------------------------------------------------------------------------------------- what root prepares

# Runs a command as USER with a clean environment and none of root's rights.
as_user() {
    local user=$1 home
    shift
    home=$(getent passwd "$user" | cut -d: -f6)
    (cd / && exec setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups --inh-caps=-all --reset-env \
        env -u XDG_RUNTIME_DIR PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME="$home" USER="$user" \
        TERM="${TERM:-dumb}" LANG=C.UTF-8 "$@")
}

part_root() {
    local build=$1
    # Not local: the trap reads them when this function has been left.
    made='' given='' stage='' user=${SUDO_USER:-}
    if [ -z "$user" ] || [ "$user" = root ]; then
        user='brig-demo'
    fi
    stage=$(mktemp -d /var/tmp/brig-demo-stage-XXXXXX)
    chmod 0755 "$stage"
    # shellcheck disable=SC2317 # called by trap
    finish() {
        [ -z "$given" ] || "$brig" setup --remove --user "$user" || true
        if [ -n "$made" ]; then
            userdel --remove "$user" 2>/dev/null || true
        fi
        rm -rf "$stage"
    }
    trap finish EXIT

    say "The image of MariaDB, and its twin with an SSH server, from Debian's packages (kept for the next time)."
    image=$("$top/tests/images/mkimage" mariadb)
    twin=$("$top/tests/images/mkimage" twin)

    say "A copy of brig and of the images where $user can read them."
    DESTDIR=$stage meson install -C "$build" --no-rebuild --quiet >/dev/null
    brig=$(find "$stage" -path '*/bin/brig' -type f | head -1)
    cp -r "$image" "$stage/mariadb"
    cp -r "$twin" "$stage/twin"
    cp "$top/demo/run.sh" "$stage/run.sh"
    if ! getent passwd "$user" >/dev/null; then
        useradd --create-home --home-dir "/var/lib/$user" --shell /bin/bash --comment 'demo of brig' "$user"
        made=1
        echo "   made the user $user, who is removed at the end"
    fi
    if ! grep -q "^$user:" /etc/subuid || [ -n "$made" ]; then
        given=1
        show "$brig" setup --user "$user"
    fi
    chmod -R a+rX "$stage"
    took

    echo
    echo "From here on everything is done by $user."
    as_user "$user" "$stage/run.sh" --as-user "$brig" "$stage/mariadb" "$stage/twin" "$step"
}

if [ "${1:-}" = --as-user ]; then
    step=$5
    part_user "$2" "$3" "$4"
    trap - EXIT
    finish
    exit
elif [ "$(id -u)" = 0 ]; then
    part_root "$(cd "${1:-$top/build}" && pwd)"
else
    say "The image of MariaDB, and its twin with an SSH server, from Debian's packages (kept for the next time)."
    image=$("$top/tests/images/mkimage" mariadb)
    twin=$("$top/tests/images/mkimage" twin)
    build=$(cd "${1:-$top/build}" && pwd)
    part_user "$build/programs/brig" "$image" "$twin"
fi
# What `finish` finds left when a step failed goes as well; here the steps did all of it.
trap - EXIT
finish
echo
echo "Done. Nothing of it is left but the two images, in a cache for the next time."
