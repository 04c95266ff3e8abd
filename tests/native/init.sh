# The first process of a native node, in namespaces of its own: what is private to the node is mounted, then sshd takes over.
# Environment: NAME; STATE, the node's own directory; CRIU, a command line; SUDOER, a user or nothing; LIFE=stdin: the node ends when its standard input does.
set -eu
mkdir -p /var/lib/transproc
for place in /var/lib/transproc /run /dev/shm /usr/local/sbin; do mount -t tmpfs -o mode=755 tmpfs "$place"; done
chmod 1777 /dev/shm
mkdir /run/sshd
# Root's home, with the login shell's profile, is the node's own.
mount --bind "$STATE/passwd" /etc/passwd
[ -z "$CRIU" ] || printf '#!/bin/sh\nexec %s "$@"\n' "$CRIU" >/usr/local/sbin/criu
[ -z "$CRIU" ] || chmod 755 /usr/local/sbin/criu
# A server reads a user's keys as that user, who cannot enter our directory.
install -m 644 "$STATE/../user.pub" /run/keys
if [ -n "${SUDOER:-}" ]; then
    mount -t tmpfs -o mode=755 tmpfs /etc/sudoers.d
    { cat /etc/shadow; echo "$SUDOER:*:20000::::::"; } | install -m 600 /dev/stdin /run/shadow
    mount --bind /run/shadow /etc/shadow
    install -m 440 /dev/null /etc/sudoers.d/test
    echo "$SUDOER ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/test
fi
hostname "$NAME"
if [ "${LIFE:-}" = stdin ]; then
    exec 3<&0
    { cat <&3 >/dev/null || true; kill -TERM 1; } &
fi
exec /usr/sbin/sshd -D -e -f "$STATE/sshd_config" </dev/null 3<&-
