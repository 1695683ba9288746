#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images from files: load, import, images, tag, rmi, save, history, image inspect.

load lib

setup_file() {
    brig_setup tiny
    mkdir -p "$T/decoy"
    echo "nonce $RANDOM$RANDOM" >"$T/decoy/canary"
    ln -s canary "$T/decoy/link"
}
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() {
    brig_conf
    brig_end
}

# Everything in the store by name, type, mode and size.
store() { (cd "$BRIG_DATA" && find images objects layers trees loading -printf '%p %y %m %s\n' | grep -v '^images/collect ' | sort); }
# The decoy: names, links, bytes, number of links.
decoy() { (cd "$T/decoy" && stat -c '%n %f %h %s %Y' ./* && cat canary); }
image_id() { brig images -q --no-trunc "$1"; }
tree_of() { brig image inspect -f '{{.Tree}}' "$1"; }
limits() { brig_conf 'image_size = 600m' 'image_file_size = 64m' 'image_entries = 5000' 'image_ratio = 50'; }

# Makes the OCI layout DIR of an image NAME that has tiny's programs and is nobody else's.
own_image() {
    local layer
    mkdir "$TT/own"
    echo "$1" >"$TT/own/own"
    tar -C "$TT/own" --owner=0 --group=0 -cf "$TT/2.tar" .
    layer=$(brig save -q tiny | tar -xO manifest.json | jq -r '.[0].Layers[0]')
    zcat "$BRIG_DATA/images/$layer" >"$TT/1.tar"
    "$REPO_TESTS/images/oci-layout" "$2" "$1" '{"Env":["PATH=/bin"]}' "$TT/1.tar" "$TT/2.tar"
}

# Loads each hostile case whose name matches PATTERN; all must be refused with their message and change nothing.
refuse_all() {
    local pattern=$1 name command expect out rc before decoy_before n=0 failed=
    limits
    mkdir "$TT/cases"
    "$REPO_TESTS/images/hostile" all "$TT/cases" "$T/decoy/canary"
    before=$(store)
    decoy_before=$(decoy)
    while IFS=$'\t' read -r name command expect; do
        [[ $name =~ ^($pattern)$ ]] || continue
        n=$((n + 1)) rc=0
        case $command in
        load) out=$(cd "$T/decoy" && brig load -q -i "$TT/cases/$name" 2>&1) || rc=$? ;;
        import) out=$(cd "$T/decoy" && brig import -q "$TT/cases/$name" "evil:$n" 2>&1) || rc=$? ;;
        esac
        [ "$rc" = 125 ] || failed+="$name: exit code $rc: $out"$'\n'
        grep -qE -- "$expect" <<<"$out" || failed+="$name: not /$expect/: $out"$'\n'
        [ "$(store)" = "$before" ] || failed+="$name: left something in the store: $(diff <(echo "$before") <(store))"$'\n'
        [ "$(decoy)" = "$decoy_before" ] || failed+="$name: touched the decoy"$'\n'
    done < <("$REPO_TESTS/images/hostile" list)
    rm -rf "$TT/cases"
    echo "$n cases"
    [ -z "$failed" ] || { echo "$failed"; return 1; }
    [ "$n" -ge "$2" ]
}

@test "I1 B01: names that lead out, are absolute, empty, too long or too deep are refused" {
    refuse_all 'name-.*|path-long' 16
}

@test "B02: nothing is written through a link, in one layer or over several" {
    refuse_all 'through-.*|folder-becomes-link' 4
}

@test "I2 B03: hard links lead only to regular files that are there" {
    refuse_all 'hard-.*' 12
}

@test "I3 B04: whiteouts of odd names, with content, twice or through links are refused" {
    refuse_all 'whiteout-.*|opaque-.*' 14
}

@test "I4 B06: device nodes are refused" {
    refuse_all 'device-.*' 4
}

@test "B08 B10: what tar readers disagree about is refused" {
    refuse_all 'sparse-.*|size-.*|owner-.*|path-.*|pax-.*|entry-.*|folder-.*|link-.*|file-.*|root-.*|volume-.*|multi-.*' 40
    refuse_all 'gnu-times|xstar|magic-.*|checksum|behind-.*|lone-.*|cut-.*|no-tar|star-.*|xattr-.*' 11
}

@test "B10: gzip of several members, cut or damaged streams, xz are refused" {
    refuse_all 'gzip-.*|xz|zstd-.*' 9
}

@test "I5 B09: bombs stop at the limits" {
    refuse_all 'bomb-.*|zstd-window' 6
}

@test "I6 B11: blobs, manifests, configurations and layers that differ from their digest or size are refused" {
    refuse_all 'blob-.*|blobs-.*|diff-id-other|diff-ids-more|config-flipped|manifest-flipped|size-other' 11
}

@test "B12: digests that are no digests are refused before they become paths" {
    refuse_all 'digest-.*|diff-id-.*' 15
}

@test "B13: JSON that can be read in two ways is refused" {
    refuse_all 'json-.*' 14
}

@test "I7 B14: documents that are manifest and index, or of another type than they say, are refused" {
    refuse_all 'manifest-.*|index-.*|media-type-.*|schema-1|layer-type|config-type|layout-.*' 14
}

@test "I10: wrong platform, no layers, too many layers, foreign layers" {
    refuse_all 'platform-.*|layers-.*|layer-foreign' 5
}

@test "I13 B21: configurations that could act on the host are refused" {
    refuse_all 'env-.*|cmd-.*|entrypoint-.*|user-.*|port-.*|volume-.*|workdir-.*|label-.*|health-.*|string-.*|key-.*' 18
}

@test "B22: archives with links, members twice or outside, other names than digests are refused" {
    refuse_all 'archive-.*' 14
}

@test "root file systems that are cut, no tar, or hostile are not imported" {
    refuse_all 'import-.*' 8
}

@test "every hostile case is in one of these tests" {
    local patterns
    patterns=$(sed -n "s/^    refuse_all '\\([^']*\\)'.*/\\1/p" "$BATS_TEST_FILENAME" | paste -sd'|')
    run bash -c "'$REPO_TESTS/images/hostile' list | cut -f1 | grep -vxE '$patterns'"
    [ "$status" = 1 ]
}

@test "positive control: the same layouts without their trick are loaded" {
    mkdir "$TT/mix"
    printf 'x' >"$TT/mix/f"
    tar -C "$TT/mix" -cf "$TT/ok.tar" f
    "$REPO_TESTS/images/oci-layout" "$TT/ok" ok:1 '{"Env":["A=b"],"ExposedPorts":{"80/tcp":{}}}' "$TT/ok.tar"
    brig load -q -i "$TT/ok"
    [ "$(brig image inspect -f '{{.Config.Env}}' ok:1)" = "[A=b]" ]
}

@test "files of every kind come through every archiver's tar unharmed" {
    local archive failed="" n=0
    mkdir "$TT/mix"
    "$REPO_TESTS/images/tarmix" make "$TT/mix"
    for archive in "$TT"/mix/*.tar; do
        n=$((n + 1))
        brig import -q "$archive" "mix:$n" || failed+="$archive: not imported"$'\n'
        "$REPO_TESTS/images/tarmix" compare "$TT/mix" "$BRIG_DATA" "$(tree_of "mix:$n")" || failed+="$archive"$'\n'
    done
    [ -z "$failed" ] || { echo "$failed"; return 1; }
    [ "$n" -ge 8 ]
    # Whatever wrote them, the files are the same, and are stored once.
    [ "$(find "$BRIG_DATA/objects" -size +8000k | wc -l)" = 1 ]
}

@test "B10: of a gzip stream header, checksum, length and end are read" {
    mkdir "$TT/d"
    head -c 300000 /dev/urandom >"$TT/d/f"
    # shellcheck disable=SC2016 # the names are python's
    tar -C "$TT/d" -c . | python3 -c '
import gzip, os, sys
out = sys.argv[1]
tar = sys.stdin.buffer.read()
good = gzip.compress(tar, 6, mtime=0)
def flip(at, mask):
    data = bytearray(good)
    data[at] ^= mask
    return bytes(data)
def flags(bits, extra):
    return good[:3] + bytes([bits]) + good[4:10] + extra + good[10:]
cases = {"good-plain": good, "good-name": flags(8, b"name\0"), "good-extra": flags(0x14, b"\3\0abccomment\0"),
         "crc": flip(-6, 1), "length": flip(-2, 1), "method": flip(2, 1), "flags": flags(0xe0, b""), "empty": b"\x1f\x8b",
         "member": good + gzip.compress(b""), "data": flip(len(good) // 2, 4)}
cases.update({f"behind-{n}": good + bytes(n) for n in (1, 7, 8, 9, 512)})
cases.update({f"cut-{n}": good[:-n] for n in (1, 4, 5, 8, 9, 1000, len(good) // 2)})
for name, data in cases.items():
    with open(os.path.join(out, name + ".gz"), "wb") as f:
        f.write(data)
' "$TT"
    for file in "$TT"/good-*.gz; do
        brig import -q "$file" gz:good
    done
    local before n=0
    before=$(store)
    for file in "$TT"/[!g]*.gz; do
        run ! brig import -q "$file" gz:bad
        [[ $output == *gzip* ]] || { echo "$file: $output"; return 1; }
        n=$((n + 1))
    done
    [ "$n" = 19 ]
    [ "$(store)" = "$before" ]
    brig rmi gz:good >/dev/null
}

@test "gzip, zstd and plain, from a file, standard input and a pipe" {
    need_command zstd
    local how
    mkdir "$TT/d"
    head -c 3000000 /dev/urandom >"$TT/d/f"
    tar -C "$TT/d" -cf "$TT/x.tar" .
    gzip -k "$TT/x.tar"
    zstd -q "$TT/x.tar"
    for how in x.tar x.tar.gz x.tar.zst; do
        brig import -q "$TT/$how" "from:file"
        brig import -q - "from:stdin" <"$TT/$how"
        cat "$TT/$how" | brig import -q - "from:pipe"
        [ "$(tree_of from:file)" = "$(tree_of from:stdin)" ]
        [ "$(tree_of from:file)" = "$(tree_of from:pipe)" ]
    done
    brig save tiny >"$TT/tiny.tar"
    gzip -k "$TT/tiny.tar"
    zstd -q "$TT/tiny.tar"
    for how in tiny.tar tiny.tar.gz tiny.tar.zst; do
        brig load -q --name "l:$how" -i "$TT/$how"
        cat "$TT/$how" | brig load -q --name "l:pipe-$how"
        [ "$(image_id "l:$how")" = "$(image_id tiny)" ]
        [ "$(image_id "l:pipe-$how")" = "$(image_id tiny)" ]
    done
}

@test "layers are laid over each other as image-spec says" {
    need_command umoci
    mkdir -p "$TT/1/etc" "$TT/1/gone/deep" "$TT/1/opaque/old" "$TT/2/opaque" "$TT/2/etc" "$TT/want"
    echo one >"$TT/1/etc/passwd"
    echo keep >"$TT/1/etc/keep"
    echo x >"$TT/1/gone/deep/f"
    echo x >"$TT/1/opaque/old/f"
    echo file >"$TT/1/becomes-dir"
    ln -s etc "$TT/1/link"
    echo two >"$TT/2/etc/passwd"
    mkdir "$TT/2/becomes-dir" "$TT/2/link"
    echo new >"$TT/2/becomes-dir/f"
    echo new >"$TT/2/opaque/new"
    touch "$TT/2/.wh.gone" "$TT/2/opaque/.wh..wh..opq" "$TT/2/.wh.never-there"
    tar -C "$TT/1" --owner=0 --group=0 -cf "$TT/1.tar" .
    tar -C "$TT/2" --owner=0 --group=0 -cf "$TT/2.tar" .
    "$REPO_TESTS/images/oci-layout" "$TT/oci" two:latest '{}' "$TT/1.tar" "$TT/2.tar"
    brig load -q -i "$TT/oci"
    umoci unpack --rootless --image "$TT/oci:two:latest" "$TT/bundle" || umoci unpack --image "$TT/oci:two:latest" "$TT/bundle"
    run diff <(cd "$TT/bundle/rootfs" && find . -mindepth 1 -printf '%P %y\n' | sort) \
        <(jq -r 'select(.p) | select(.p != "") | "\(.p) \(.t)"' "$BRIG_DATA/trees/$(tree_of two)/table" | sort)
    echo "$output"
    [ "$status" = 0 ]
}

@test "B05: only user.* attributes survive; capabilities are noted for vetting" {
    python3 - "$TT/x.tar" <<'PY'
import io, sys, tarfile
names = ["user.kept", "user.overlay.redirect", "user.overlay.metacopy", "user.overlay.opaque", "trusted.overlay.opaque",
         "security.capability", "security.ima", "security.selinux", "system.posix_acl_access", "trusted.x"]
with tarfile.open(sys.argv[1], "w", format=tarfile.PAX_FORMAT) as t:
    i = tarfile.TarInfo("f")
    i.size = 1
    i.pax_headers = {"SCHILY.xattr." + n: "v" for n in names}
    t.addfile(i, io.BytesIO(b"x"))
PY
    run brig import -q "$TT/x.tar" xattrs
    [ "$status" = 0 ]
    [[ $output = *"9 extended attributes were left out"* ]]
    jq -e 'select(.p == "f") | .x == {"user.kept": "76"} and .c == "76" and (.D | length == 8)' \
        "$BRIG_DATA/trees/$(tree_of xattrs)/table"
    [ "$(brig image inspect -f '{{(index .Vetting.Capabilities 0).Path}}' xattrs)" = /f ]
    [ "$(brig image inspect -f '{{len .Vetting.Attributes}}' xattrs)" = 8 ]
}

@test "B06 B07: FIFOs are kept, devices below /dev left out and told, set-id files listed" {
    python3 - "$TT/x.tar" <<'PY'
import io, sys, tarfile
with tarfile.open(sys.argv[1], "w") as t:
    for name, kind, mode in (("dev/null", tarfile.CHRTYPE, 0o666), ("dev/sda", tarfile.BLKTYPE, 0o660),
                             ("run/fifo", tarfile.FIFOTYPE, 0o600), ("etc/passwd", tarfile.FIFOTYPE, 0o644),
                             ("su", tarfile.REGTYPE, 0o4755), ("sg", tarfile.REGTYPE, 0o2755)):
        i = tarfile.TarInfo(name)
        i.type, i.mode, i.uid = kind, mode, 0
        t.addfile(i, io.BytesIO(b""))
PY
    run brig import -q "$TT/x.tar" kinds
    [ "$status" = 0 ]
    [[ $output = *"2 device nodes below /dev were left out"* ]]
    run brig image inspect -f '{{range .Vetting.SetId}}{{.Path}} {{.Mode}};{{end}}{{.Vetting.Fifos}}' kinds
    [ "$output" = "/sg 2755;/su 4755;[/etc/passwd /run/fifo]" ]
    run -1 grep '"t":"c"' "$BRIG_DATA/trees/$(tree_of kinds)/table"
}

@test "B22: a file's names are kept below localhost/ unless a person trusts them" {
    mkdir "$TT/d"
    echo x >"$TT/d/f"
    for name in docker.io/library/alpine:latest quay.io/a/b:1 reg.example:5000/c alpine:3; do
        rm -rf "$TT/oci"
        tar -C "$TT/d" -cf "$TT/l.tar" .
        "$REPO_TESTS/images/oci-layout" "$TT/oci" "$name" '{}' "$TT/l.tar"
        brig load -q -i "$TT/oci"
    done
    run brig images --format '{{.Repository}}:{{.Tag}}' -f 'reference=localhost/*' -f 'reference=localhost/*/*' \
        -f 'reference=localhost/*/*/*'
    [[ $output = *localhost/alpine:latest* && $output = *localhost/quay.io/a/b:1* ]]
    [[ $output = *localhost/reg.example-5000/c:latest* && $output = *localhost/alpine:3* ]]
    run brig images -q quay.io/a/b
    [ -z "$output" ]
    brig load -q --keep-names -i "$TT/oci"
    brig tag alpine:3 quay.io/a/b:1
    [ -n "$(brig images -q quay.io/a/b)" ]
}

@test "I13: control characters of an image are shown escaped" {
    local out
    mkdir "$TT/d"
    tar -C "$TT/d" -cf "$TT/l.tar" .
    "$REPO_TESTS/images/oci-layout" "$TT/oci" esc:1 '{"Labels":{"a":"\u001b[31mred\u202e"}}' "$TT/l.tar"
    brig load -q -i "$TT/oci"
    out=$(script -qec "'$BRIG' image inspect esc:1" /dev/null)
    [[ ${out,,} = *'\u001b[31mred\u202e'* && $out != *$'\e[31mred'* ]]
    # The name of a hostile entry, in an error.
    python3 -c 'import sys,tarfile; t=tarfile.open(sys.argv[1],"w"); t.addfile(tarfile.TarInfo("../\x1b[2J\n  hint: rm -rf"))' \
        "$TT/e.tar"
    run brig import "$TT/e.tar" e
    [ "$status" = 125 ]
    [[ $output != *$'\e'* && $output = *'\x1b[2J\x0a'* ]]
}

@test "saved images are read by skopeo and umoci, and come back the same" {
    need_command skopeo
    need_command umoci
    local id tree
    id=$(image_id tiny)
    tree=$(tree_of tiny)
    brig save -q -o "$TT/docker.tar" tiny
    brig save -q --format oci-archive -o "$TT/oci.tar" tiny
    brig save -q --format oci-dir -o "$TT/oci" tiny
    [ "$(umoci list --layout "$TT/oci")" = localhost/tiny:latest ]
    # skopeo reads each form, and writes each form that brig reads.
    for from in "docker-archive:$TT/docker.tar" "oci-archive:$TT/oci.tar" "oci:$TT/oci:localhost/tiny:latest"; do
        for to in "docker-archive:$TT/o1.tar:back:1" "oci-archive:$TT/o2.tar:back:1" "oci:$TT/o3:back:1"; do
            rm -rf "$TT"/o[123]*
            skopeo copy -q --insecure-policy "$from" "$to"
            brig load -q -i "$(echo "$TT"/o[123]*)"
            [ "$(tree_of back:1)" = "$tree" ]
            # From docker's form to OCI's skopeo writes the configuration anew.
            [[ $from:$to = docker-archive*:oci* || $to = docker-archive* ]] || [ "$(image_id back:1)" = "$id" ]
        done
    done
}

@test "saved images are read by podman, and podman's by brig" {
    need_root
    need_command podman
    local p id format
    p="podman --root $TT/pod --runroot $TT/podrun --storage-driver vfs"
    id=$(image_id tiny)
    brig save -q -o "$TT/b.tar" tiny
    $p load -qi "$TT/b.tar"
    [ "$($p images -q --no-trunc localhost/tiny)" = "sha256:${id#sha256:}" ]
    for format in docker-archive oci-archive oci-dir; do
        rm -rf "$TT/p"
        $p save -q --format $format -o "$TT/p" localhost/tiny:latest
        brig load -q --name "pod:$format" -i "$TT/p"
        [ "$(tree_of "pod:$format")" = "$(tree_of tiny)" ]
    done
    $p rmi -af >/dev/null
}

@test "buildah's and docker's ways to write archives are read" {
    # docker save up to 24: config and layers by folder, layers shared by a link
    mkdir -p "$TT/a/1" "$TT/a/2" "$TT/d"
    echo x >"$TT/d/f"
    tar -C "$TT/d" -cf "$TT/a/1/layer.tar" .
    ln -s ../1/layer.tar "$TT/a/2/layer.tar"
    local diff config
    diff=$(sha256sum <"$TT/a/1/layer.tar" | cut -d' ' -f1)
    jq -cn --arg d "sha256:$diff" --arg a "$(jq -r .architecture "$BRIG_DATA/images/blobs/sha256/$(image_id tiny | cut -d: -f2)")" \
        '{architecture: $a, os: "linux", config: {}, rootfs: {type: "layers", diff_ids: [$d, $d]}}' >"$TT/config"
    config=$(sha256sum <"$TT/config" | cut -d' ' -f1)
    cp "$TT/config" "$TT/a/$config.json"
    echo '{"old":{"1":"x"}}' >"$TT/a/repositories"
    jq -cn --arg c "$config.json" '[{Config: $c, RepoTags: ["old:1", "old:2"], Layers: ["1/layer.tar", "2/layer.tar"]}]' \
        >"$TT/a/manifest.json"
    tar -C "$TT/a" -cf "$TT/old.tar" .
    run brig load -q -i "$TT/old.tar"
    [ "$status" = 0 ]
    [[ $output = *"localhost/old:1"* && $output = *"localhost/old:2"* ]]
    [ "$(image_id old:1)" = "sha256:$config" ]
    # Saved and loaded again it stays the same image.
    brig save -q old:1 | brig load -q --name again
    [ "$(image_id again)" = "sha256:$config" ]
}

@test "an index of platforms gives the one that fits" {
    local arch
    arch=$(jq -r .architecture "$BRIG_DATA/images/blobs/sha256/$(image_id tiny | cut -d: -f2)")
    brig save -q --format oci-dir -o "$TT/oci" tiny
    # A second manifest for another machine, whose blob is not even there.
    jq --arg a "$arch" '.manifests[0].platform = {os: "linux", architecture: $a} |
        .manifests += [.manifests[0] | .digest = "sha256:" + ("1" * 64) | .platform.architecture = "s390x"] |
        .manifests |= reverse' "$TT/oci/index.json" >"$TT/index"
    cp "$TT/index" "$TT/oci/index.json"
    brig load -q --name multi -i "$TT/oci"
    [ "$(image_id multi)" = "$(image_id tiny)" ]
    run brig load -q --platform linux/riscv64 -i "$TT/oci"
    [ "$status" = 125 ]
    [[ $output = *"linux/riscv64"* ]]
}

@test "the same layer twice, and layers shared by images, are stored once" {
    local before
    mkdir "$TT/d"
    head -c 100000 /dev/urandom >"$TT/d/f"
    cp "$TT/d/f" "$TT/d/same-bytes"
    tar -C "$TT/d" -cf "$TT/l.tar" .
    cp "$TT/l.tar" "$TT/l2.tar"
    cp "$TT/l.tar" "$TT/l3.tar"
    "$REPO_TESTS/images/oci-layout" "$TT/twice" twice:1 '{}' "$TT/l.tar" "$TT/l2.tar"
    before=$(find "$BRIG_DATA/objects" -type f | wc -l)
    brig load -q -i "$TT/twice"
    [ "$(find "$BRIG_DATA/objects" -type f | wc -l)" = $((before + 1)) ]
    "$REPO_TESTS/images/oci-layout" "$TT/other" other:1 '{"User":"7"}' "$TT/l3.tar"
    brig load -q -i "$TT/other"
    [ "$(find "$BRIG_DATA/objects" -type f | wc -l)" = $((before + 1)) ]
    # One of them goes: the bytes stay for the other.
    brig rmi twice:1
    [ "$(find "$BRIG_DATA/objects" -type f | wc -l)" = $((before + 1)) ]
    brig rmi other:1
    [ "$(find "$BRIG_DATA/objects" -type f | wc -l)" = "$before" ]
}

@test "names: tag, move, remove; ids and starts of ids" {
    local id
    mkdir "$TT/d"
    tar -C "$TT/d" -cf "$TT/l.tar" .
    brig import -q "$TT/l.tar" n0
    id=$(image_id n0)
    id=${id#sha256:}
    brig tag n0 n1
    brig tag "${id:0:8}" n2:x
    brig tag "sha256:$id" quay.io/n/3
    [ "$(brig image inspect -f '{{len .RepoTags}}' n0)" = 4 ]
    run brig rmi n1
    [ "$output" = "Untagged: localhost/n1:latest" ]
    run brig rmi "$id"
    [ "$status" = 1 ]
    [[ $output = *"has 3 names"* ]]
    brig rmi n2:x quay.io/n/3
    brig rmi "$id"
    run brig image inspect n2:x
    [ "$status" = 1 ]
    [[ $output = *"no such image: n2:x"* ]]
    run brig tag tiny 'UPPER'
    [ "$status" = 125 ]
    run brig tag tiny '../x'
    [ "$status" = 125 ]
    run brig rmi no-such
    [ "$status" = 1 ]
    run brig rmi -f no-such
    [ "$status" = 0 ]
}

@test "removal gives everything back" {
    local before
    brig image prune -f >/dev/null
    before=$(store)
    mkdir "$TT/d"
    seq 1000 >"$TT/d/f"
    tar -C "$TT/d" -cf "$TT/l.tar" .
    brig import -q "$TT/l.tar" gone
    [ "$(store)" != "$before" ]
    run brig rmi gone
    [ "$status" = 0 ]
    [ "$(store | grep -v 'index.json')" = "$(grep -v index.json <<<"$before")" ]
    [ ! -e "$BRIG_DATA/images/collect" ]
}

@test "trees that were prepared for containers go with their image, whoever owns their files" {
    local before tree
    brig image prune -f >/dev/null
    before=$(store)
    mkdir "$TT/d"
    echo own >"$TT/d/own"
    tar -C "$TT/d" --owner=0 --group=0 -cf "$TT/l.tar" .
    brig import -q -c 'CMD ["/x"]' "$TT/l.tar" slots
    tree=$(tree_of slots)
    # It has no program: the start fails, but its tree was prepared for that.
    run -127 brig run --rm --net none slots
    [ -n "$(ls "$BRIG_DATA/trees/$tree/slots")" ]
    brig rmi slots
    [ ! -e "$BRIG_DATA/trees/$tree" ]
    [ "$(store | grep -v index.json)" = "$(grep -v index.json <<<"$before")" ]
}

@test "containers that are made while images are removed have their tree or were not made" {
    local i pid made=0
    own_image race:c "$TT/oci"
    (while [ ! -e "$TT/stop" ]; do
        brig load -q -i "$TT/oci" >/dev/null 2>&1
        brig rmi -f race:c >/dev/null 2>&1
    done) &
    pid=$!
    wait_for 10 brig image inspect race:c
    for i in $(seq 12); do
        brig create --net none --name "race-$i" race:c true >/dev/null 2>"$TT/err-$i" || continue
        made=$((made + 1))
        [ "$(brig start -a "race-$i" 2>&1)" = "" ] || { touch "$TT/stop"; false; }
    done
    touch "$TT/stop"
    wait "$pid"
    echo "$made made"
    [ "$made" -gt 0 ]
}

@test "an image that a container uses is not removed; -f takes its name, its data stays" {
    local c id
    brig image prune -f
    own_image used:1 "$TT/oci"
    brig load -q -i "$TT/oci"
    id=$(image_id used:1)
    c=$(brig create --net none used:1 true)
    run brig rmi used:1
    [ "$status" = 1 ]
    [[ $output = *"is used by container"* ]]
    run brig rmi -f used:1
    [ "$status" = 0 ]
    [ -z "$(brig images -q used:1)" ]
    brig start -a "$c"
    # Without a name, but here: until nobody uses it.
    [ "$(brig images -f dangling=true -q --no-trunc)" = "$id" ]
    brig image prune -f
    [ "$(brig images -f dangling=true -q --no-trunc)" = "$id" ]
    brig rm "$c"
    brig image prune -f
    [ -z "$(brig images -f dangling=true -q)" ]
}

@test "images: columns, filters, formats" {
    brig image prune -f
    mkdir "$TT/d"
    tar -C "$TT/d" -cf "$TT/l.tar" .
    "$REPO_TESTS/images/oci-layout" "$TT/oci" lab:1 '{"Labels":{"k":"v"}}' "$TT/l.tar"
    brig load -q -i "$TT/oci"
    [ "$(brig images -f label=k=v --format '{{.Repository}}')" = localhost/lab ]
    [ -z "$(brig images -f label=k=w -q)" ]
    [ "$(brig images -f reference='la*' --format '{{.Tag}} {{.Label "k"}}')" = "1 v" ]
    [ "$(brig images --format json lab | jq -r .Repository)" = localhost/lab ]
    [[ $(brig images --digests lab) = *sha256:* ]]
    [ "$(brig images -q --no-trunc lab | wc -c)" = 72 ]
    [ -z "$(brig images -f dangling=true -q)" ]
    run brig images -f bogus=1
    [ "$status" = 125 ]
    # A rebuilt image takes the name; the old one is dangling until it is pruned.
    rm -rf "$TT/oci"
    tar -C "$TT/d" -cf "$TT/l.tar" .
    "$REPO_TESTS/images/oci-layout" "$TT/oci" lab:1 '{"Labels":{"k":"w"}}' "$TT/l.tar"
    run brig load -q -i "$TT/oci"
    [[ $output = *"was another image before"* ]]
    [ "$(brig images -f dangling=true -q | wc -l)" = 1 ]
    [[ $(brig image prune -f) = *"Total reclaimed space"* ]]
    [ -z "$(brig images -f dangling=true -q)" ]
}

@test "import: --change sets what docker's does; history tells" {
    mkdir "$TT/d"
    tar -C "$TT/d" -cf "$TT/l.tar" .
    brig import -q -m "made here" -c 'CMD ["a", "b c"]' -c 'ENTRYPOINT /e x' -c 'ENV A=1 B="2 3"' -c 'ENV A=9' \
        -c 'EXPOSE 80 53/udp' -c 'VOLUME ["/v", "/w"]' -c 'USER 7:8' -c 'WORKDIR /w' -c 'LABEL l="x y"' \
        -c 'STOPSIGNAL INT' "$TT/l.tar" changed
    brig image inspect -f '{{json .Config}}' changed | jq -e '.Cmd == ["a", "b c"] and
        .Entrypoint == ["/bin/sh", "-c", "/e x"] and .Env == ["A=9", "B=2 3"] and
        (.ExposedPorts | keys) == ["53/udp", "80/tcp"] and (.Volumes | keys) == ["/v", "/w"] and .User == "7:8" and
        .WorkingDir == "/w" and .Labels == {"l": "x y"} and .StopSignal == "INT"'
    [[ $(brig history changed) = *"made here"* ]]
    run brig import -q -c 'RUN rm -rf /' "$TT/l.tar" no
    [ "$status" = 125 ]
    [[ $output = *"not one of CMD"* ]]
    run brig import -q -c 'ENV SECRET' "$TT/l.tar" no
    [ "$status" = 125 ]
    run brig import -q -c 'EXPOSE ssh' "$TT/l.tar" no
    [ "$status" = 125 ]
}

@test "save: refuses a terminal, a damaged store; leaves no half file" {
    local blob
    run script -qec "'$BRIG' save tiny" /dev/null
    [[ $output = *"standard output is a terminal"* ]]
    run brig save -o "$TT/x" no-such
    [ "$status" = 125 ]
    [ "$(echo "$TT"/x*)" = "$TT/x*" ]
    mkdir "$TT/d"
    head -c 10000 /dev/urandom >"$TT/d/f"
    tar -C "$TT/d" -cf "$TT/l.tar" .
    blob=$(sha256sum <"$TT/l.tar" | cut -d' ' -f1)
    brig import -q "$TT/l.tar" damaged
    chmod u+w "$BRIG_DATA/images/blobs/sha256/$blob"
    printf X | dd of="$BRIG_DATA/images/blobs/sha256/$blob" bs=1 seek=3000 conv=notrunc status=none
    run brig save -q -o "$TT/x" damaged
    [ "$status" = 125 ]
    [[ $output = *"the store is damaged"* ]]
    [ "$(echo "$TT"/x*)" = "$TT/x*" ]
    # The same image saved twice gives the same bytes.
    brig save -q -o "$TT/1" tiny
    brig save -q -o "$TT/2" tiny
    cmp "$TT/1" "$TT/2"
}

@test "I12: loads and removals at once leave whole images only" {
    local i pids=() failed=0
    for i in 1 2 3 4 5 6; do
        mkdir "$TT/d$i"
        seq "$i" 3000 >"$TT/d$i/own"
        seq 9000 >"$TT/d$i/shared"
        tar -C "$TT/d$i" -cf "$TT/l$i.tar" .
    done
    for i in 1 2 3 4 5 6; do
        (
            for _ in 1 2 3; do
                brig import -q "$TT/l$i.tar" "race:$i" 2>/dev/null >/dev/null && brig rmi -f "race:$i" >/dev/null 2>&1
            done
            brig import -q "$TT/l$i.tar" "race:$i" 2>/dev/null >/dev/null
        ) &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i" || failed=1; done
    [ "$failed" = 0 ]
    for i in 1 2 3 4 5 6; do
        brig save -q -o "$TT/s" "race:$i"
        # Every object that the table names is there, with its size.
        while read -r size object; do
            [ "$(stat -c %s "$BRIG_DATA/objects/$object")" = "$size" ]
        done < <(jq -r 'select(.o) | "\(.s) \(.o)"' "$BRIG_DATA/trees/$(tree_of "race:$i")/table")
    done
    [ -z "$(ls "$BRIG_DATA/loading")" ]
}

@test "I12: kill -9 in the middle leaves nothing that the next command does not remove" {
    need_command strace
    local before i call n killed=0
    brig image prune -f >/dev/null
    mkdir "$TT/d"
    for i in $(seq 30); do seq "$i" 200 >"$TT/d/f$i"; done
    tar -C "$TT/d" -cf "$TT/l.tar" .
    before=$(store)
    # Each system call by which a load changes something, at several of its turns.
    for call in openat mkdirat renameat renameat2 write fork,clone,clone3 syncfs unlinkat; do
        for n in 1 2 3 10 40; do
            strace -f -o /dev/null -e "trace=$call" -e "inject=$call:signal=KILL:when=$n" \
                "$BRIG" import -q "$TT/l.tar" killed >/dev/null 2>&1 && {
                brig rmi killed >/dev/null # it makes fewer of these calls
                continue
            }
            killed=$((killed + 1))
            # The next commands: what is there is whole, and nothing is left once it is gone.
            if brig image inspect killed >/dev/null 2>&1; then
                brig save -q -o "$TT/s" killed
                brig rmi killed >/dev/null
            fi
            brig import -q "$TT/l.tar" after >/dev/null 2>&1
            brig rmi after >/dev/null
            [ "$(store | grep -v index.json)" = "$(grep -v index.json <<<"$before")" ] || {
                echo "$call $n"
                diff <(echo "$before") <(store)
                return 1
            }
        done
    done
    [ "$killed" -ge 10 ]
}

@test "a full disk: an error, and the space is given back" {
    need_root
    mkdir "$TT/d" "$TT/small"
    head -c 6000000 /dev/urandom >"$TT/d/f"
    tar -C "$TT/d" -cf "$TT/l.tar" .
    unshare -m bash -c "mount -t tmpfs -o size=8m,mode=0700 none '$TT/small' &&
        BRIG_DATA='$TT/small' '$BRIG' import -q '$TT/l.tar' full; echo rc=\$?
        find '$TT/small/objects' '$TT/small/loading' '$TT/small/images/blobs' -type f | wc -l; stat -f -c %f '$TT/small'" \
        >"$TT/out" 2>&1
    cat "$TT/out"
    grep -q "No space left on device" "$TT/out"
    grep -q "rc=125" "$TT/out"
    [ "$(tail -2 "$TT/out" | head -1)" = 0 ]
    [ "$(tail -1 "$TT/out")" -gt 1900 ]
}

@test "the process that parses has no network, few calls and its own folder only" {
    local pid
    mkfifo "$TT/pipe"
    "$BRIG" load -q <"$TT/pipe" >/dev/null 2>&1 &
    local front=$!
    exec 7>"$TT/pipe"
    printf 'x' >&7
    # The room: the process whose filter stands, waiting for its input.
    room() {
        for pid in $(pgrep -P "$front"); do
            [ "$(awk '/^Seccomp:/ {print $2}' "/proc/$pid/status")" = 2 ] && echo "$pid" && return 0
        done
        return 1
    }
    wait_for 10 room >/dev/null
    pid=$(room)
    [ "$(awk '/^NoNewPrivs:/ {print $2}' "/proc/$pid/status")" = 1 ]
    [ "$(awk '/^CapEff:/ {print $2}' "/proc/$pid/status")" = 0000000000000000 ]
    [ "$(awk '/^CapPrm:/ {print $2}' "/proc/$pid/status")" = 0000000000000000 ]
    grep -q 'Max core file size *0 ' "/proc/$pid/limits"
    # No descriptor of a network socket; every one is a file of the store, the input, or the pair to the parent.
    run bash -c "ls -l /proc/$pid/fd | grep -c 'socket:'"
    [ "$output" -le 1 ]
    exec 7>&-
    wait "$front" || true
}
