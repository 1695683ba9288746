#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [--keep] [BUILD]: the tests that need another kernel, in virtual machines: `make check-vm`. Debian's own kernel boots
# in QEMU under software emulation from an initramfs of busybox and six modules. The machine's own root
# is the guest's, read-only over 9p with a tmpfs on top; /var and /tmp are a scratch disk with ext4. What guest.sh prints as TAP
# on the console is summed up; the last line is "N passed, N failed, N skipped".
#
# Boots: "apparmor" (cgroup v2, AppArmor, Landlock ABI 2, overlayfs without data-only layers), "selinux" (security=selinux) and
# "systemd" (a real one as pid 1, with units/ as its only units).
# BRIG_VM_BOOTS names those that shall run, BRIG_VM_TIMEOUT the seconds for each (600).
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
keep=''
[ "${1:-}" != --keep ] || { keep=1 && shift; }
build=$(cd "${1:-$top/build}" && pwd) || exit 2
passed=0 failed=0 skipped=0
failures=()

if [ "$(id -u)" != 0 ]; then
    echo "check-vm: only root can show all of its files to a guest"
    [ -z "${BRIG_TEST_TOTALS:-}" ] || echo "0 0 1" >>"$BRIG_TEST_TOTALS"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
kernel=$(find /boot -name 'vmlinuz-*' | sort -V | tail -1)
[ -n "$kernel" ] || { echo "check-vm: no kernel in /boot (Debian package linux-image-amd64)"; exit 2; }
version=${kernel##*/vmlinuz-}
work=$(mktemp -d /var/tmp/brig-vm-XXXXXX)
qemu=
finish() {
    [ -z "$qemu" ] || kill "$qemu" 2>/dev/null
    if [ -n "$keep" ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap finish EXIT

# ------------------------------------------------------------------------------------------------------- initramfs

make_initramfs() {
    local root=$work/initramfs module file
    mkdir -p "$root"/{bin,lib,proc,sys,dev,lower,disk,root}
    cp "$(command -v busybox)" "$root/bin/busybox" || return 1
    : >"$root/modules"
    for module in virtio_pci virtio_blk 9p 9pnet_virtio ext4 overlay; do
        modprobe -S "$version" --show-depends "$module" | while read -r what file _; do
            [ "$what" = insmod ] || continue
            cp -n "$file" "$root/lib/"
            grep -qx "${file##*/}" "$root/modules" || echo "${file##*/}" >>"$root/modules"
        done
    done
    cp "$here/init" "$root/init" && chmod +x "$root/init"
    (cd "$root" && find . -print0 | cpio -0 -o -H newc --quiet) | gzip -1 >"$work/initramfs.gz"
}

# --------------------------------------------------------------------------------------------------------- booting

# boot NAME KERNEL-PARAMETERS: one guest; its TAP is counted.
boot() {
    local name=$1 log=$work/$1.log began planned seen
    shift
    printf '\n== %s (Linux %s)\n' "$name" "$version"
    began=$(date +%s)
    rm -f "$work/disk"
    truncate -s 3G "$work/disk" && mkfs.ext4 -q -F -E lazy_itable_init=1,lazy_journal_init=1 "$work/disk" || return 1
    timeout -k 10 "${BRIG_VM_TIMEOUT:-600}" qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max -smp "$(nproc)" -m 2048 -nodefaults \
        -display none -serial stdio -no-reboot -kernel "$kernel" -initrd "$work/initramfs.gz" \
        -fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap -device virtio-9p-pci,fsdev=root,mount_tag=root \
        -drive "file=$work/disk,format=raw,if=none,id=disk,cache=unsafe" -device virtio-blk-pci,drive=disk \
        -append "console=ttyS0 quiet panic=-1 brig_boot=$name brig_tests=/run/host$here brig_stage=$work/stage $*" \
        </dev/null >"$log" 2>"$work/qemu.err" &
    qemu=$!
    wait "$qemu"
    local ended=$?
    qemu=
    tr -d '\r' <"$log" | grep -aE '^(ok |not ok |1\.\.|# )'
    planned=$(tr -d '\r' <"$log" | sed -n 's/^1\.\.\([0-9]*\)$/\1/p' | tail -1)
    seen=$(tr -d '\r' <"$log" | grep -acE '^(not )?ok ')
    while IFS= read -r line; do
        case $line in
        'ok '*'# SKIP'*) skipped=$((skipped + 1)) ;;
        'ok '*) passed=$((passed + 1)) ;;
        'not ok '*) failed=$((failed + 1)) && failures+=("vm $name: ${line#not ok }") ;;
        esac
    done < <(tr -d '\r' <"$log")
    if [ -z "$planned" ] || [ "$planned" != "$seen" ] || [ "$planned" = 0 ]; then
        failed=$((failed + 1))
        failures+=("vm $name: ended after $seen of ${planned:-?} tests (qemu: $ended)")
        tail -n 40 "$log" "$work/qemu.err"
    fi
    echo "$name: $(($(date +%s) - began)) s"
}

DESTDIR=$work/stage meson install -C "$build" --no-rebuild --quiet >"$work/install.log" 2>&1 || {
    cat "$work/install.log"
    exit 1
}
chmod 0755 "$work"
mkdir "$work/stage/unit"
find "$build/tests/unit" -maxdepth 1 -type f -executable -exec cp -t "$work/stage/unit" {} +
mkdir "$work/stage/image"
"$top/tests/images/mkimage" tiny >"$work/stage/image/path" || exit 1
chmod -R a+rX "$work/stage"
make_initramfs || exit 1

for one in ${BRIG_VM_BOOTS:-apparmor selinux systemd}; do
    case $one in
    apparmor) boot apparmor apparmor=1 security=apparmor ;;
    systemd) boot systemd security=none systemd.unified_cgroup_hierarchy=1 systemd.show_status=0 ;;
    selinux) boot selinux security=selinux selinux=1 enforcing=0 ;;
    *) echo "check-vm: no boot $one" >&2 && exit 2 ;;
    esac
done

if [ ${#failures[@]} -gt 0 ]; then
    printf '\n== failed\n'
    printf '%s\n' "${failures[@]}"
fi
[ -z "${BRIG_TEST_TOTALS:-}" ] || echo "$passed $failed $skipped" >>"$BRIG_TEST_TOTALS"
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
