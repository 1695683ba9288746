#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The short form of make vet-quality: every trick is found in a poisoned twin of a clean image, and clean images have no high finding.

load lib

setup_file() { brig_setup; }
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

@test "every trick is found, and nothing clean is accused" {
    need_command cc
    local tricks
    tricks=$("$REPO_TESTS/vet/poison" --list | wc -l)
    [ "$tricks" -ge 40 ]
    run timeout 600 "$REPO_TESTS/vet/quality" "$BRIG"
    assert_ok
    assert_line "^recall $tricks of $tricks tricks \\(1.000\\).* 0 false alarms\$"
}
