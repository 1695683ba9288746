#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What runs in the guest, as its first process: makes the machine complete, runs the tests of this boot, powers off. TAP on stdout.
exec </dev/null
# shellcheck source=/dev/null
. /run/boot
# shellcheck source=tests/vm/lib.sh
. "${brig_tests:?}/lib.sh"
guest_prepare
# shellcheck source=/dev/null
. "$brig_tests/boot_${brig_boot:?}.sh"
guest_end
