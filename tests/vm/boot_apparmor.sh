# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2086,SC2016,SC2034 # names of the sourcing file; no spaces in ours; jq and inner shells
# Debian's own choices: cgroup v2 with all controllers, AppArmor, Landlock ABI 2, an overlayfs without data-only layers.

img=localhost/tiny
accept='accept_lowered = landlock=bind,landlock=scope'

the_machine() {
    local info
    info=$("$BRIG" info)
    has "$info" '^image +partly +overlayfs does not join'
    has "$info" '^cgroup +stands +v2; memory pids cpu cpuset io usable below brig/run'
    has "$info" '^pause +stands +cgroup.freeze'
    has "$info" '^landlock +partly +ABI 2'
    has "$info" '^lsm +partly +AppArmor'
    has "$info" 'brig setup, which loads a profile'
}
try "brig info tells what an older kernel has" the_machine
try "an image is loaded" "$BRIG" load -q -i "$image"

fails_closed() {
    local out r=0
    out=$("$BRIG" run --rm $img true 2>&1) || r=$?
    same 125 $r exit
    has "$out" 'landlock wall: .*ABI 2.*TCP bind only to declared ports needs Linux 6.7'
    has "$out" 'hint: --lower landlock=bind'
    out=$("$BRIG" run --rm --lower landlock=bind $img true 2>&1) || r=$?
    has "$out" 'scoped signals and abstract sockets needs Linux 6.12'
    same "" "$("$BRIG" ps -aq)" containers
}
try "a wall that this kernel cannot raise stops the start" fails_closed

runs() {
    same 'uid=0(root) gid=0(root)' "$("$BRIG" run --rm $img id)"
    same 3 "$("$BRIG" run --rm $img sh -c 'exit 3' >/dev/null 2>&1 || echo $?)" 'exit code'
}
by_name() {
    "$BRIG" run --rm --lower landlock=bind --lower landlock=scope $img true
}
try "lowered by name it runs" by_name
echo "$accept" >/etc/brig/brig.conf
try "accepted once in brig.conf it runs" runs

# From here on every container of both lanes is confined by it.
default_profile() {
    local out
    has "$("$BRIG" setup --check)" '^missing: the AppArmor profile brig-default$'
    has "$("$BRIG" setup)" 'loaded the AppArmor profile brig-default'
    same 'this machine has all that it takes' "$("$BRIG" setup)"
    has "$("$BRIG" info)" '^lsm +stands +AppArmor'
    same 'brig-default (enforce)' "$("$BRIG" run --rm $img cat /proc/self/attr/current)"
    same 'brig-default (enforce)' "$("$BRIG" run --rm --init $img cat /proc/self/attr/current)"
    same unconfined "$("$BRIG" run --rm --lower lsm $img cat /proc/self/attr/current)"
    "$BRIG" run -d --name aa $img sleep 1000
    has "$("$BRIG" posture aa)" '^lsm +stands .*brig-default \(enforce\)'
    same 'brig-default (enforce)' "$("$BRIG" exec aa cat /proc/self/attr/current)"
    "$BRIG" rm -f aa
}
try "brig setup loads the AppArmor profile of all containers" default_profile
# What every other wall was lowered for, this one still refuses; and the other way round.
default_refuses() {
    local out mount=(run --rm --user 0 --cap-add SYS_ADMIN --lower seccomp=mount --lower landlock)
    out=$("$BRIG" "${mount[@]}" $img mount -t tmpfs none /tmp 2>&1) && return 1
    has "$out" 'ermission denied'
    "$BRIG" "${mount[@]}" --lower lsm $img mount -t tmpfs none /tmp
}
try "the AppArmor profile refuses a mount that nothing else does" default_refuses
not_loaded() {
    local out r=0
    apparmor_parser -R /etc/apparmor.d/brig-default
    out=$("$BRIG" run --rm $img true 2>&1) || r=$?
    same 125 $r exit
    has "$out" 'AppArmor profile brig-default is not loaded'
    has "$out" 'as root: brig setup'
    has "$("$BRIG" setup)" 'loaded the AppArmor profile'
    "$BRIG" run --rm $img true
}
try "without its AppArmor profile nothing starts" not_loaded

base=brig/run
lane=root
# shellcheck source=tests/vm/common.sh
. "$brig_tests/common.sh"

no_devices() {
    "$BRIG" run -d --name dev $img sleep 1000
    has "$("$BRIG" posture dev)" '^cgroup +stands .*device program attached'
    "$BRIG" rm -f dev
}
try "root: the device program is attached" no_devices

# ------------------------------------------------------------------------------------------------ an ordinary user

useradd -m -d /run/disk/home/vm -s /bin/bash vm
mkfifo -m 666 /run/go
# The shell is there before the setup, as a person's own is: on v2 it has to be moved.
setpriv --reuid vm --regid vm --init-groups --inh-caps=-all --reset-env env BRIG="$BRIG" image="$image" stage="$stage" \
    bash -c ': > /tmp/ready; read -r < /run/go; exec bash "$0"' "$brig_tests/user.sh" >/run/user.tap 2>&1 &
user=$!
soon test -e /tmp/ready
delegates() {
    local out
    out=$("$BRIG" setup --user vm)
    has "$out" 'made cgroup brig-user-[0-9]+ for the user'
    has "$out" 'moved [0-9]+ running process'
    has "$("$BRIG" setup --user vm)" 'user vm has all that it takes'
}
try "brig setup gives a user a cgroup and moves its processes" delegates
echo >/run/go
wait "$user"
while IFS= read -r line; do
    case $line in
    'ok '*'# SKIP '*) line=${line#ok * } && skip "user: ${line%% # SKIP*}" "${line##*# SKIP }" ;;
    'ok '*) line=${line#ok } && ok "user: ${line#* }" 0 ;;
    'not ok '*) line=${line#not ok } && ok "user: ${line#* }" 1 ;;
    *) echo "# ${line#\# }" ;;
    esac
done </run/user.tap
ends() { grep -q '^the end$' /run/user.tap; }
try "user: all of its tests ran" ends

# ------------------------------------------------------------------------------------------------------- brig-oci

# shellcheck source=tests/vm/oci.sh
. "$brig_tests/oci.sh"
oci_tests
oci_apparmor_tests
# shellcheck source=tests/vm/criu.sh
. "$brig_tests/criu.sh"
criu_tests
unit_tests confine_cgroup confine_cgroup_oci_real confine_landlock confine_lsm
