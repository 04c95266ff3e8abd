# The first process of a native node, in namespaces of its own: what is private to the node is mounted, then sshd takes over.
# Environment: NAME; STATE, the node's own directory; CRIU, a command line; SUDOER, a user or nothing; ROOT, a system of its own or nothing;
# LIFE=stdin: the node ends when its standard input does.
set -eu
hostname "$NAME"
if [ "${LIFE:-}" = stdin ]; then
    exec 3<&0
    { cat <&3 >/dev/null || true; kill -TERM 1; } &
fi
if [ -n "${ROOT:-}" ]; then
    mount --bind "$ROOT" "$ROOT"
    cd "$ROOT"
    mkdir -p dev proc run tmp var/lib/transproc
    mount --rbind /dev dev
    mount -t proc proc proc
    for place in run tmp var/lib/transproc; do mount -t tmpfs -o mode=755 tmpfs "$place"; done
    chmod 1777 tmp
    mkdir -p run/sshd run/old
    cp "$STATE/../host" run/host
    install -m 644 "$STATE/../user.pub" run/keys
    sed 's|^HostKey .*|HostKey /run/host|' "$STATE/sshd_config" >run/sshd_config
    if [ -x usr/sbin/sshd ]; then
        pivot_root . run/old
        cd /
        umount -l /run/old
        exec /usr/sbin/sshd -D -e -f /run/sshd_config </dev/null 3<&-
    fi
    # Without one, this machine's lets people into that system.
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir /run/sshd
    cp "$STATE/../host" /run/host
    install -m 644 "$STATE/../user.pub" /run/keys
    { cat run/sshd_config; echo "ChrootDirectory /run/root"; } >/run/sshd_config
    mkdir /run/root
    mount --rbind "$ROOT" /run/root
    mount --bind "$ROOT/etc/passwd" /etc/passwd
    exec /usr/sbin/sshd -D -e -f /run/sshd_config </dev/null 3<&-
fi
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
exec /usr/sbin/sshd -D -e -f "$STATE/sshd_config" </dev/null 3<&-
