#!/usr/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# First program of a lab machine. It moves the root from the initramfs to a tmpfs of its own: a mount with a
# size limit, that pivot_root and CRIU treat like any other, which they do not the kernel's built-in rootfs.
PATH=/usr/sbin:/usr/bin
bb=/usr/bin/busybox

$bb mount -t proc proc /proc
size=75%
for word in $($bb cat /proc/cmdline); do
    case $word in transproc.root=*) size=${word#*=} ;; esac
done
$bb mount -t tmpfs -o "size=$size,mode=755" root /mnt
for entry in bin sbin lib lib64 usr etc root var; do
    [ ! -e "/$entry" ] || $bb cp -a "/$entry" /mnt/
done
$bb mkdir -p /mnt/proc /mnt/sys /mnt/dev /mnt/tmp /mnt/run /mnt/mnt
$bb mount -o move /proc /mnt/proc
exec $bb switch_root /mnt /usr/bin/busybox init
