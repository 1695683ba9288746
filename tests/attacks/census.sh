#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# census.sh BEHIND CENSUS TABLE: the errno census behind the default filter, without a container, against the table that is
# kept in the tree. Prints TAP. A new table: BEHIND -q CENSUS, with what the header of the old one says.
set -uo pipefail
behind=$1 census=$2 table=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo 1..2
# Without walls the same program sees calls reach the kernel; else its EPERM would prove nothing.
if grep -q '^Seccomp:.*2' /proc/self/status; then
    echo "ok 1 control # SKIP this machine runs the tests behind a filter already"
else
    "$census" -c >"$work/control"
    reached=$(awk '$1 == "x86-64" && $5 !~ /^(EPERM|ENOSYS|SIG31)$/' "$work/control" | wc -l)
    if [ "$reached" -ge 10 ]; then
        echo "ok 1 control: $reached calls reach the kernel without the walls"
    else
        sed 's/^/# /' "$work/control"
        echo "not ok 1 control: only $reached calls reach the kernel without the walls"
    fi
fi
if "$behind" -q "$census" -d "$table" >"$work/differences" 2>&1; then
    echo "ok 2 census equals the table"
else
    sed 's/^/# /' "$work/differences"
    echo "not ok 2 census equals the table"
fi
