#!/usr/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Run once by init on a machine with Slurm: the host's directories, the network of the machines, the daemons.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
exec >/run/slurm.log 2>&1
set -x
until [ -e /run/clock-set ]; do usleep 10000; done
mkdir -p /tree /app /shared /run/munge /var/lib/munge /var/log/munge /var/lib/slurmctld /var/lib/slurmd /var/log
modprobe overlay
mount -t virtiofs -o ro tree /tree
mount -t virtiofs -o ro app /app
mount -t virtiofs shared /shared
# Packages that were only unpacked lack what Debian's alternatives system makes of Slurm's programs when it configures them.
for program in /tree/usr/sbin/*-wlm; do
    name=${program#/tree}
    ln -s "${name##*/}" "${name%-wlm}"
done
mount -t overlay -o lowerdir=/usr:/tree/usr overlay /usr
ip addr add "$(cat /etc/address)/24" dev eth1
ip link set eth1 up
# slurmd puts each step into a control group below this one.
mkdir -p /sys/fs/cgroup/system.slice
chmod 711 /var/lib/munge /var/log/munge
chmod 755 /run/munge
munged --force
node=$(hostname)
grep -q "^SlurmctldHost=$node" /etc/slurm/slurm.conf && slurmctld
exec slurmd -N "$node"
