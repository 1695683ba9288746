# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2086,SC2016,SC2034 # names of the sourcing file; no spaces in ours; jq and inner shells
# SELinux decides, with a small policy of the test's own (policy.conf).

img=localhost/tiny
b=/run/disk/oci/se
label=base_u:base_r:box_t

enforces() {
    mount -t selinuxfs selinuxfs /sys/fs/selinux
    checkpolicy -U allow -c 33 -o /run/policy "$brig_tests/policy.conf"
    dd if=/run/policy of=/sys/fs/selinux/load bs=16M iflag=fullblock status=none
    echo 1 >/sys/fs/selinux/enforce
    same 1 "$(cat /sys/fs/selinux/enforce)" enforce
    same base_u:base_r:base_t "$(tr -d '\0' </proc/self/attr/current)" 'own label'
}
try "the policy is loaded and enforced" enforces

runs() {
    "$BRIG" load -q -i "$image"
    echo 'accept_lowered = landlock=bind,landlock=scope' >/etc/brig/brig.conf
    has "$("$BRIG" info)" '^lsm +stands +SELinux'
    "$BRIG" run -d --name se $img sleep 1000
    has "$("$BRIG" posture se)" '^lsm +stands +SELinux, label: base_u:base_r:base_t'
    same "landlock " "$(not_standing se)" 'walls that do not stand'
    "$BRIG" rm -f se
}
try "brig runs a container, and tells the kernel's label" runs

# shellcheck source=tests/vm/oci.sh
. "$brig_tests/oci.sh"
mkdir -p /run/disk/oci

refuses() {
    local out
    bundle se '.process.selinuxLabel = "'$label'"' sh -c 'cat /proc/self/attr/current; echo; cat /open/x; cat /secret/x'
    mkdir -p $b/rootfs/{secret,open}
    echo told | tee $b/rootfs/secret/x >$b/rootfs/open/x
    setfattr -n security.selinux -v base_u:object_r:secret_t $b/rootfs/secret/x
    out=$(oci run --bundle $b se 2>&1 | tr -d '\0') || true
    has "$out" "^$label"
    same 1 "$(grep -ac told <<<"$out")" 'the file that may be read'
    has "$out" "can't open '/secret/x': Permission denied"
    soon dmesg_has 'avc: +denied +\{ open \}.*path="/secret/x".*scontext='$label' tcontext=base_u:object_r:secret_t'
    # Without the label it may.
    bundle se . sh -c 'cat /open/x; cat /secret/x'
    same 2 "$(oci run --bundle $b se 2>&1 | grep -c told)" 'without a label'
}
dmesg_has() { dmesg | grep -qE -- "$1"; }
try "brig-oci: the label is enforced, a refused access is in the kernel's log" refuses

sockets() {
    bundle se '.process.selinuxLabel = "'$label'"' busybox nc 127.0.0.1 1
    has "$(oci run --bundle $b se 2>&1)" 'socket.*Permission denied'
    bundle se . busybox nc 127.0.0.1 1
    has "$(oci run --bundle $b se 2>&1)" '(refused|unreachable)'
}
try "brig-oci: a class of sockets is refused by the label" sockets

unknown() {
    local out
    bundle se '.process.selinuxLabel = "base_u:base_r:no_such_t"' sleep 1
    out=$(oci run --bundle $b se 2>&1) && return 1
    has "$out" 'no_such_t'
}
try "brig-oci: a label that the policy does not know stops the start" unknown

mount_label() {
    bundle se '.linux.mountLabel = "base_u:object_r:secret_t"' sleep 1000
    start se
    local pid
    pid=$(oci state se | jq .pid)
    same base_u:object_r:secret_t "$(getfattr --only-values -n security.selinux "/proc/$pid/root/dev" 2>/dev/null | tr -d '\0')"
    has "$(cat "/proc/$pid/mounts")" ' /dev tmpfs .*context=base_u:object_r:secret_t'
    gone se
}
try "brig-oci: mounts of the container's get the mount label" mount_label
unit_tests confine_lsm
