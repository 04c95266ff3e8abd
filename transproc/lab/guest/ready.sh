#!/usr/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Run once beside the SSH server. The console line at the end is what the host waits for. `criu check` also fills
# the feature cache, which saves 70-80 ms at the first dump.
PATH=/usr/sbin:/usr/bin

# Nested KVM may run a kernel well and yet not what a dump needs of it (single steps, debug registers).
selftest() {
    mkdir /run/selftest
    setsid tail -f /dev/null </dev/null >/dev/null 2>&1 & # it sleeps again when its sleep is interrupted
    pid=$!
    timeout 5 criu dump -D /run/selftest -o dump.log -t $pid &&
        timeout 5 criu restore -D /run/selftest -o restore.log -d &&
        kill $pid
    status=$?
    rm -r /run/selftest
    return $status
}

criu check >/run/criu-check.log 2>&1
status=$?
[ $status = 0 ] || cat /run/criu-check.log
if [ $status = 0 ] && grep -q transproc.selftest /proc/cmdline; then
    selftest
    status=$?
fi
until [ -e /run/dropbear.pid ] && [ -e /run/clock-set ]; do usleep 10000; done
echo "transproc: ready, criu $status"
