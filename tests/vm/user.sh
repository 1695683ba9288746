#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2086,SC2016,SC2034 # names of the sourcing file; no spaces in ours; jq and inner shells
# The user's part of boot_apparmor.sh, in a shell that `brig setup` has moved into the user's own cgroup.
here=$(dirname "$0")
# shellcheck source=tests/vm/lib.sh
. "$here/lib.sh"
HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
export HOME
cd || exit 1
img=localhost/tiny

own_part() {
    same "0::/brig-user-$(id -u)/session" "$(cat /proc/self/cgroup)"
    # The device list of containers is not for the session: pasta needs this one.
    : <>/dev/net/tun
    has "$("$BRIG" info)" "^cgroup +stands +v2; memory pids cpu cpuset io usable below brig-user-$(id -u)"
}
try "the session stands in the user's part, and keeps its devices" own_part
try "an image is loaded" "$BRIG" load -q -i "$image"
base=brig-user-$(id -u)
lane=user
# shellcheck source=tests/vm/common.sh
. "$here/common.sh"
echo "the end"
