# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2016
#
# What a container says about itself, for the tests that compare runtimes (oci_callers.bash): run by busybox's shell as the
# container's program or in an exec. One fact a line, without what differs from run to run or by design:
#
# - masks: brig-oci lays the host's /dev/null and tmpfs of one inode, runc the container's null and an empty tmpfs that is
#   read-only as a whole; here only that there is a mask
# - "ro" of a file system: brig-oci makes the mount read-only, runc the file system too; here the mount's options
# - the device 10:200 (tun): runc 1.1 lets every container have it, later ones do not
# - /sys/fs/cgroup of cgroup v1: runc 1.1 leaves the tmpfs above the hierarchies writable where "ro" was asked for
say() {
    word=$1
    shift
    "$@" 2>&1 | sed "s/^/$word: /"
}
status() { grep -E "^($1):" /proc/self/status; }
written() {
    for f; do
        if (: >"$f") 2>/dev/null; then echo "$f"; fi
    done
}
mounts() {
    awk '{
        tags = ""
        for (i = 7; $i != "-"; i++) { sub(/:.*/, "", $i); tags = tags " " $i }
        type = $(i + 1); options = $6; n = split($(i + 3), all, ","); more = ""
        for (k = 1; k <= n; k++) if (type ~ /tmpfs|devpts/ && all[k] ~ /^(size|mode|gid|uid|ptmxmode|nr_inodes)=/) more = more " " all[k]
        if ($4 == "/null" || ($5 ~ /^.(proc|sys)\// && type == "tmpfs" && $5 != "/sys/fs/cgroup")) { type = "mask"; options = more = tags = "" }
        if ($5 == "/sys/fs/cgroup" && type == "tmpfs") options = more = ""
        print $5, type, options tags, type == "mask" ? "" : $4 more
    }' /proc/self/mountinfo | sort
}
devices() {
    find /dev -name pts -prune -o -name shm -prune -o -print | sort | while read -r f; do
        # With a user namespace the group of mqueue is one from outside with runc.
        stat -c '%n %F %a %u:%g %t:%T' "$f" | sed '/mqueue/s/:65534 /:0 /'
        [ ! -L "$f" ] || readlink "$f"
    done
}
leads_session() { [ "$(cut -d' ' -f6 /proc/$$/stat)" != $$ ] || echo leads; }
terminals() {
    for f in 0 1 2; do [ ! -t $f ] || echo "$f is one"; done
    tty
    stty size
}
cgroup_limits() {
    for f in memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes memory/memory.memsw.limit_in_bytes memory/memory.swappiness \
        pids/pids.max cpu/cpu.shares cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpuset/cpuset.cpus cpuset/cpuset.mems \
        blkio/blkio.throttle.read_bps_device blkio/blkio.throttle.write_iops_device devices/devices.list freezer/freezer.state \
        memory.max memory.swap.max memory.low pids.max cpu.max cpu.weight cpuset.cpus io.max; do
        [ ! -e "/sys/fs/cgroup/$f" ] || sort "/sys/fs/cgroup/$f" | grep -v '^c 10:200 ' | sed "s,^,$f ,"
    done
    sed 's/^[0-9]*://' /proc/self/cgroup | sort
}
trials() {
    mknod /tmp/n c 1 3 && rm /tmp/n
    chown 1 /tmp && chown 0 /tmp
    mount -t tmpfs t /tmp
    umount /proc/keys
    hostname other
    ping -c 1 -W 1 127.0.0.1 | grep -o ttl
    unshare -n true
    dd if=/dev/zero of=/dev/full bs=1 count=1
    head -c 3 /dev/zero | wc -c
    [ ! -e /dev/fuse ] || head -c 0 /dev/fuse
}

say id id
say status status 'Groups|Cap.*|NoNewPrivs|Seccomp|Sig(Blk|Ign)|Cpus_allowed_list|Mems_allowed_list'
say umask umask
say env sh -c 'env | grep -vE "^(SHLVL|_)=" | sort'
say cwd pwd
say names cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname
say maps cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups
say oom cat /proc/self/oom_score_adj
# Priority, nice value, real-time priority, policy (proc_pid_stat(5)).
say nice cut -d' ' -f18,19,40,41 /proc/self/stat
say session leads_session
say terminal terminals
say fds ls /proc/self/fd
say limit sed 's/  */ /g' /proc/self/limits
say mount mounts
say dev devices
say sysctl cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ping_group_range /proc/sys/kernel/msgmax /proc/sys/kernel/shm_rmid_forced
say masked sh -c 'for f in /proc/keys /proc/timer_list; do head -c 1 $f | wc -c; done; ls -A /proc/acpi /sys/firmware'
say written written /proc/sys/kernel/domainname /proc/sysrq-trigger /sys/x /etc/x /x /tmp/x /dev/x /run/x
say cgroup cgroup_limits
say net ls /sys/class/net
say pid cat /proc/1/comm
say keys sh -c 'wc -l </proc/keys'
say trial trials
