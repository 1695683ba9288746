#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What lies on the disk is what was loaded, or it does not start; what was changed is named, and repaired.

load lib
load registry

setup_file() {
    brig_setup tiny
    certs_make "$T/certs"
    export REGISTRY_AUTH_FILE=$T/auth.json
}
teardown_file() { brig_teardown; }
setup() {
    brig_begin
    # A test that failed leaves its change to no other one.
    brig image verify -q tiny >/dev/null || brig image repair tiny
}
teardown() {
    servers_stop "$T/certs"
    ! mountpoint -q "$TT/disk" || umount "$TT/disk"
    brig_end
}

start() { run brig run --rm --network none tiny true; }
tree() { echo "$BRIG_DATA/trees/$(brig image inspect -f '{{.Tree}}' tiny)"; }
slot() { echo "$(tree)"/slots/*; }
# As the ids that the files belong to.
as_ids() {
    if [ "$MODE" = root ]; then "$@"; else unshare --user --map-root-user --map-auto "$@"; fi
}
# object PATH: the file with its bytes.
object() { echo "$BRIG_DATA/objects/$(jq -r --arg p "$1" 'select(.p == $p) | .o' "$(tree)/table")"; }
blob() { echo "$BRIG_DATA/images/blobs/sha256/$(jq -r ".manifests[0].$1" "$BRIG_DATA/images/index.json" | sed 's/^sha256://')"; }
layer() { echo "$BRIG_DATA/images/blobs/sha256/$(jq -r '.layers[0].digest[7:]' "$(blob digest)")"; }
# A byte of a file is changed, its size and modification time stay.
change_byte() {
    python3 - "$1" <<'PY'
import os, sys
s = os.stat(sys.argv[1])
os.chmod(sys.argv[1], 0o600)
with open(sys.argv[1], "r+b") as f:
    f.seek(s.st_size // 2)
    c = f.read(1)
    f.seek(s.st_size // 2)
    f.write(bytes([c[0] ^ 1]))
os.utime(sys.argv[1], ns=(s.st_atime_ns, s.st_mtime_ns))
os.chmod(sys.argv[1], s.st_mode & 0o7777)
PY
}
refused() {
    start
    assert_exit 125
    assert_line 'IS NOT WHAT IT WAS'
    assert_line "$1"
    assert_line 'hint: brig image repair localhost/tiny:latest'
}
repaired() {
    run brig image repair tiny
    assert_ok
    start
    assert_ok
}

@test "nothing changed: it starts, and brig-image is asked once" {
    start
    assert_ok
    before=$(stat -c %Z%i "$(tree)"/seen*)
    start
    assert_ok
    assert_eq "$(stat -c %Z%i "$(tree)"/seen*)" "$before"
    run brig image verify -q tiny
    assert_ok
    assert_line '^localhost/tiny:latest: verified, [1-9][0-9]* files'
}

@test "a changed byte, mode, owner, link, attribute, an extra or missing entry stops the start and is named" {
    start
    assert_ok
    local what pattern
    while IFS='|' read -r what pattern; do
        start
        assert_ok
        # shellcheck disable=SC2086
        (cd "$(slot)" && as_ids $what) || fail "cannot $what"
        refused "$pattern"
        run brig image verify -q tiny
        assert_exit 1
        assert_line "$pattern"
        repaired
    done <<'CASES'
chmod 4755 bin/busybox|/bin/busybox: its mode is 4755, in the image 0755
chmod 0777 etc|/etc: its mode is 0777, in the image 0755
chown 5:6 bin/busybox|/bin/busybox: its owner is .*, in the image 0:0
chown -h 5:6 bin/ls|/bin/ls: its owner is .*, in the image 0:0
ln -snf /evil bin/ls|/bin/ls: it leads to "/evil"
ln -f etc/passwd etc/group|/etc/group:
ln bin/busybox root/twin|/root/twin: there is nothing of that name in the image
mkdir root/folder|/root/folder: there is nothing of that name in the image
mkfifo root/pipe|/root/pipe: there is nothing of that name in the image
touch root/extra|/root/extra: there is nothing of that name in the image
touch etc/zzz|/etc/zzz: there is nothing of that name in the image
rm bin/ls|/bin/ls: it is in the image, and not here
mv bin/ls bin/lz|/bin/l.:
truncate -s 10 bin/busybox|/bin/busybox: it has 10 bytes
setfattr -n user.overlay.redirect -v /AAAAAAAAAAAAAAAAAAAAAA bin/busybox|/bin/busybox: its attribute user.overlay.redirect
setfattr -n user.x -v y bin/busybox|/bin/busybox: it has the attribute user.x
setfattr -x user.overlay.metacopy bin/busybox|/bin/busybox: it lacks an attribute
CASES
}

@test "bytes of files: changed behind the modification time, cut, gone" {
    start
    assert_ok
    change_byte "$(object bin/busybox)"
    refused '/bin/busybox: its bytes \(objects/.*\) are not what they were'
    repaired
    truncate -s 100 "$(object bin/busybox)" 2>/dev/null || { chmod u+w "$(object bin/busybox)"; truncate -s 100 "$(object bin/busybox)"; }
    refused '/bin/busybox: its bytes'
    repaired
    rm -f "$(object bin/busybox)"
    refused '/bin/busybox: its bytes .* it is not there'
    repaired
}

@test "manifest, configuration, table and list of ids" {
    for file in "$(blob digest)" "$BRIG_DATA/images/blobs/sha256/$(brig image inspect -f '{{.Id}}' tiny | sed 's/^sha256://')"; do
        start
        assert_ok
        cp -pf "$file" "$TT/saved"
        change_byte "$file"
        start
        assert_exit 125
        rm -f "$file"
        cp -p "$TT/saved" "$file"
        # Another inode with the same bytes is as good.
        start
        assert_ok
    done
    for file in table ids; do
        change_byte "$(tree)/$file"
        start
        assert_exit 125
        run brig image repair tiny
        assert_ok
        start
        assert_ok
    done
}

@test "what only moved is read again, and starts" {
    start
    assert_ok
    as_ids touch -a "$(slot)/bin/busybox"
    touch "$(object bin/busybox)"
    start
    assert_ok
    run brig image verify -q tiny
    assert_ok
}

@test "an index that was written to fit the change is not believed" {
    start
    assert_ok
    change_byte "$(object bin/busybox)"
    python3 - "$(tree)/seen" "$(object bin/busybox)" <<'PY'
import os, sys
index, path = sys.argv[1:]
s, name = os.stat(path), os.path.basename(path)
out = []
for line in open(index):
    if line.startswith("o ") and line.endswith(" " + name + "\n"):
        line = "o %x %x %x %x %s\n" % (s.st_ino, s.st_ctime_ns, s.st_mtime_ns, s.st_size, name)
    if line.startswith("end "):
        line = "end %016x %s" % (s.st_ctime_ns, line.split()[2] + "\n")
    out.append(line)
os.chmod(index, 0o600)
open(index, "w").write("".join(out))
PY
    refused '/bin/busybox: its bytes'
    # As after a boot: nobody vouches for it but its code, which is wrong.
    find "$BRIG_RUNTIME" -path '*/seen/*' -delete
    refused '/bin/busybox: its bytes'
    repaired
}

@test "after a boot the index counts, and nothing is hashed" {
    start
    assert_ok
    find "$BRIG_RUNTIME" -path '*/seen/*' -delete
    run brig image verify --format '{{.Hashed}}' -q tiny
    assert_ok
    # manifest and configuration only
    [ "$output" -lt 10000 ] || fail "$output bytes were read"
    run brig image verify --deep --format '{{.Hashed}}' -q tiny
    assert_ok
    [ "$output" -gt 1000000 ] || fail "$output bytes were read"
    start
    assert_ok
}

@test "without the key nothing is proven; repair makes the proof anew" {
    start
    assert_ok
    mv "$BRIG_CONFIG/store.key" "$TT/key"
    find "$BRIG_RUNTIME" -path '*/seen/*' -delete
    refused 'nothing proves the table of its files'
    repaired
    assert_eq "$(stat -c %a "$BRIG_CONFIG/store.key")" 600
}

@test "a layer's blob that is wrong: found by --deep, repaired from the archive, never used" {
    change_byte "$(layer)"
    start
    assert_ok
    run brig image verify -q --deep tiny
    assert_exit 1
    assert_line 'layer sha256:.*: its bytes have the digest'
    run brig image repair tiny
    assert_exit 1
    assert_line 'no registry is known to have it'
    assert_line 'brig image repair --from FILE'
    run brig image repair --from "$(test_image tiny)" tiny
    assert_ok
    assert_line '1 blob'
    run brig image verify -q --deep --format json tiny
    assert_ok
    assert_eq "$(jq -c '.[0] | [.Verified, .Findings]' <<<"$output")" '[true,[]]'
    # Another image's archive repairs nothing.
    change_byte "$(layer)"
    make_image other '{}'
    run brig image repair --from "$TT/layout-other" tiny
    assert_exit 1
    assert_line 'it is another image'
    run brig image repair --from "$(test_image tiny)" tiny
    assert_ok
    brig rmi other
}

@test "a layer's table that was changed is not used for another image" {
    BASE=tiny make_image first '{}' 'f|a|644|0|0|=first'
    local base
    base=$(jq -r '.rootfs.diff_ids[0][7:]' "$BRIG_DATA/images/blobs/sha256/$(brig image inspect -f '{{.Id}}' first | sed 's/^sha256://')")
    chmod u+w "$BRIG_DATA/layers/$base/table"
    sed -i 's/"p":"bin\/busybox","t":"f","m":"755"/"p":"bin\/busybox","t":"f","m":"4755"/' "$BRIG_DATA/layers/$base/table"
    grep -q '"m":"4755"' "$BRIG_DATA/layers/$base/table"
    BASE=tiny make_image second '{}' 'f|b|644|0|0|=second'
    grep -q '"p":"bin/busybox","t":"f","m":"755"' "$BRIG_DATA/trees/$(brig image inspect -f '{{.Tree}}' second)/table"
    run ! grep -q '"m":"4755"' "$BRIG_DATA/layers/$base/table"
    run brig run --rm --network none second true
    assert_ok
    brig rmi first second
}

@test "repair fetches what is broken from where it was pulled, and only that" {
    registry_start "$T/certs"
    brig login -u alice --password-stdin "$REGISTRY" <<<secret
    BASE=tiny make_image two '{}' 'f|a|644|0|0|=hello'
    brig push -q two "$REGISTRY/t/two:1"
    brig rmi two
    run brig pull -q "$REGISTRY/t/two:1"
    assert_ok
    local hex manifest
    hex=$(jq -r --arg n "$REGISTRY/t/two:1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) |
        .digest[7:]' "$BRIG_DATA/images/index.json")
    manifest=$BRIG_DATA/images/blobs/sha256/$hex
    mapfile -t layers < <(jq -r '.layers[].digest[7:]' "$manifest")
    local last=${layers[-1]} first=${layers[0]}
    change_byte "$BRIG_DATA/images/blobs/sha256/$last"
    # What the registry has of the other layer is worth nothing: it must not be asked for.
    find "$T/certs/store" -path "*blobs/sha256/*$first/data" -exec sh -c 'echo broken > "$1"' _ {} \;
    run brig image verify -q --deep "$REGISTRY/t/two:1"
    assert_exit 1
    run brig image repair "$REGISTRY/t/two:1"
    assert_ok
    assert_line '1 blob from the registry'
    run brig image verify -q --deep "$REGISTRY/t/two:1"
    assert_ok
    brig rmi -f "$REGISTRY/t/two:1"
}

@test "what containers run on is not replaced under them" {
    brig run -d --name busy --network none tiny sleep 600
    run brig image repair tiny
    assert_exit 1
    assert_line 'containers run on it.*busy'
    assert_line 'brig stop busy'
    brig rm -f busy
    repaired
}

@test "a restart by the monitor finds it as well" {
    brig run -d --name again --network none --restart always tiny sh -c 'echo up; exec sleep 600'
    as_ids chmod 0777 "$(slot)/bin"
    kill -9 "$(container_pid again)"
    not_running() { [ "$(container_get again '{{.State.Status}}')" = exited ]; }
    wait_for 60 not_running
    run brig inspect -f '{{.State.Error}}' again
    assert_line '/bin'
    brig rm -f again
    brig image repair tiny
}

@test "what images take is what du says, and prune gives back what it says" {
    start
    assert_ok
    make_image spare '{}' 'f|spare|644|0|0|03000000'
    local said real before after
    # What a pull that broke off had takes room as well.
    mkdir -p "$BRIG_DATA/partial"
    head -c 2000000 /dev/urandom >"$BRIG_DATA/partial/$(printf '0%.0s' {1..64})"
    said=$(brig system df --format '{{.Type}} {{.Size}}' | sed -n 's/^Images //p' | numfmt --from=si --suffix=B | tr -d B)
    before=$(cd "$BRIG_DATA" && as_ids du -sB1 --total objects images layers trees partial signatures 2>/dev/null | tail -1 | cut -f1)
    real=$((before * 97 / 100))
    [ "$said" -ge "$real" ] && [ "$said" -le $((before * 103 / 100)) ] || fail "df says $said, du $before"
    run brig image prune -f
    assert_ok
    assert_line 'Total reclaimed space: 0B'
    run brig image prune -af --filter label=nothing
    assert_ok
    brig rmi spare >/dev/null
    after=$(cd "$BRIG_DATA" && as_ids du -sB1 --total objects images layers trees partial signatures 2>/dev/null | tail -1 | cut -f1)
    [ $((before - after)) -gt 2900000 ] || fail "removal gave back $((before - after)) bytes"
    start
    assert_ok
}

@test "a disk that is full at any point leaves what can be verified, or nothing" {
    need_root
    local disk=$TT/disk left free
    truncate -s 24M "$TT/disk.img"
    mkfs.ext4 -q -F -b 1024 "$TT/disk.img"
    mkdir "$disk"
    mount -o loop "$TT/disk.img" "$disk" || skip "no loop device"
    (
        export BRIG_DATA=$disk/data BRIG_RUNTIME=$TT/run
        local full=0 went=0
        for left in 16 1000 2000 2100 2200 2300 2500 2600 2800 6000; do
            free=$(df -k --output=avail "$disk" | tail -1)
            fallocate -l $((free - left))K "$disk/fill"
            brig load -q -i "$(test_image tiny)" >"$TT/out" 2>&1 && brig run --rm --network none tiny true >>"$TT/out" 2>&1 &&
                went=$((went + 1)) || full=$((full + 1))
            [ $full = 0 ] || [ $went -gt 0 ] || grep -qE 'No space left|no such image|which registry' "$TT/out" || fail "$(cat "$TT/out")"
            rm "$disk/fill"
            # Then nothing is in the way.
            brig load -q -i "$(test_image tiny)" >/dev/null || fail "with $left KB: load"
            brig image verify -q --deep tiny || fail "with $left KB: verify"
            brig run --rm --network none tiny true || fail "with $left KB: run"
            brig rmi -f tiny >/dev/null || fail "with $left KB: rmi"
            assert_eq "$(find "$disk/data/objects" "$disk/data/layers" "$disk/data/trees" "$disk/data/loading" -mindepth 1)" ""
        done
        [ $full -gt 0 ] && [ $went -gt 0 ] || fail "full $full times, went $went times"
    )
    umount "$disk"
}
