#!/usr/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Run once by busybox init before anything else: file systems, commands, clock, network.
PATH=/usr/sbin:/usr/bin
bb=/usr/bin/busybox
$bb --install -s 2>/dev/null # prints one line for each command that exists already (tar)

mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs -o mode=755 run /run # CRIU keeps its feature cache here, on a tmpfs only
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr

echo 4194304 >/proc/sys/kernel/pid_max # as systemd does: a process keeps its id when it moves, and must find it free
hostname -F /etc/hostname
/etc/clock.sh &
ip link set lo up
modprobe -a virtio_net tun # criu wants /dev/net/tun
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
ip route add default via 10.0.2.2
mkdir -p /var/lib/transproc

# Where jobs with addresses of their own are, on both machines: a network that leads nowhere else.
for word in $(cat /proc/cmdline); do
    case $word in transproc.lan=*) number=${word#*=} ;; *) continue ;; esac
    modprobe -a bridge veth
    brctl addbr br0
    brctl addif br0 eth1
    ip link set eth1 up
    ip addr add "10.77.0.$number/24" dev br0
    ip -6 addr add "fd77::$number/64" dev br0
    ip link set br0 up
done
