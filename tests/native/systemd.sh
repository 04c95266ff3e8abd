# The first process of a native node, in namespaces of its own, which becomes systemd, with logind and sshd as its units.
# Environment: ROOT, a Debian with systemd; NAME; STATE, the node's own directory; GROUP, a directory of cgroup v2 that will be the root
# of its hierarchy; LIFE=stdin: the node ends when its standard input does.
set -eu
hostname "$NAME"
if [ "${LIFE:-}" = stdin ]; then
    exec 3<&0
    { cat <&3 >/dev/null || true; kill -48 1; } & # SIGRTMIN+14: systemd ends, and all with it
fi
echo $$ >"$GROUP/cgroup.procs"
exec unshare --cgroup sh -euc '
mount --bind "$ROOT" "$ROOT"
cd "$ROOT"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mkdir -p var/lib/transproc old
for place in dev run var/lib/transproc; do mount -t tmpfs -o mode=755 tmpfs "$place"; done
mkdir dev/pts dev/shm
for place in tmp dev/shm; do mount -t tmpfs -o mode=1777 tmpfs "$place"; done
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
for device in null zero full random urandom tty; do
    : >"dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
sed "s|^HostKey .*|HostKey /run/host|" "$STATE/sshd_config" >run/sshd_config
echo "UsePAM yes" | cat - run/sshd_config | grep -v "UsePAM no" >run/sshd_with_pam
install -m 600 "$STATE/../host" run/host
install -m 644 "$STATE/../user.pub" run/keys
mount --make-rprivate /
pivot_root . old
cd /
umount -l /old
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console --log-level=warning 3<&-'
