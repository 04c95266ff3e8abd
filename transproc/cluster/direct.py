# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A way from node to node that does not lead through this host, for one migration: OpenSSH on both sides, with keys of its own.

The target runs a server for it, with a host key and a user key that were made for this migration, and ends it with the connection
by which it was started. The source knows the server by that host key; its own key may do nothing there but start what takes
pages. Neither node's own configuration of SSH, keys or known hosts are read or changed. Where the nodes do not reach each
other, or lack OpenSSH, there is none, and the host passes everything on.
"""

from __future__ import annotations

import secrets
import shlex
import time

from transproc.cluster.channel import Channel
from transproc.cluster.place import Place
from transproc.cluster.ssh import SshNode
from transproc.errors import TransprocError
from transproc.run import run
from transproc.scratch import Scratch

PORTS = 20_000, 60_000
CONNECT_SECONDS, START_SECONDS, LIFE_SECONDS = 3, 5.0, 86_400
"""Of a first answer; until the server listens; and of a server whose shell was killed before it could end it."""

_CONFIG = """\
Port {port}
HostKey {place}/host
AuthorizedKeysFile {place}/keys
PidFile none
UsePAM no
StrictModes no
UseDNS no
PermitRootLogin forced-commands-only
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowUsers root
LogLevel ERROR
"""
_SERVE = """
umask 077
cd "$1" || exit
server=$(command -v sshd || ls /usr/sbin/sshd /usr/local/sbin/sshd 2>/dev/null | head -n 1)
[ -n "$server" ] || exit
mkdir -p /run/sshd
timeout "$2" "$server" -D -e -f "$1/config" </dev/null >/dev/null 2>&1 &
served=$!
echo started
cat >/dev/null
kill "$served"
"""
"""Ends the server when its own standard input ends. Words: directory, seconds."""
_FORCED = (
    "case $SSH_ORIGINAL_COMMAND in probe) echo reached ;; hold) exec {hold} ;; link) exec {link} ;; esac"
)


class Direct:
    """From one place to another; `close` it. Raises `TransprocError` where that cannot be."""

    def __init__(self, source: Place, target: Place) -> None:
        """Both have their directories of images."""
        if not isinstance(target.node, SshNode):
            raise TransprocError(f"node {target.node.name}: is this machine")
        self._here, self._there = f"{source.images}/direct", f"{target.images}/direct"
        self._host = target.node.description.internal or target.node.address.host
        nodes = source.node, target.node
        self._compression = any(node.description.compression for node in nodes)
        self._port = PORTS[0] + secrets.randbelow(PORTS[1] - PORTS[0])
        self._bring(source, target)
        self._server = target.node.channel()
        try:
            self._serve(self._server)
            self._probe(source)
        except BaseException:
            self.close()
            raise

    def command(self, word: str) -> list[str]:
        """The command line on the source that starts `hold` or `link` on the target, with its standard streams."""
        options = [
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            f"IdentityFile={self._here}/user",
            "StrictHostKeyChecking=yes",
            f"UserKnownHostsFile={self._here}/known",
            "GlobalKnownHostsFile=/dev/null",
            "HostKeyAlias=node",
            "CheckHostIP=no",
            "UpdateHostKeys=no",
            f"ConnectTimeout={CONNECT_SECONDS}",
            "ServerAliveInterval=2",
            "ServerAliveCountMax=4",
            "Ciphers=^aes128-gcm@openssh.com,aes256-gcm@openssh.com",
            f"Compression={'yes' if self._compression else 'no'}",
            "LogLevel=ERROR",
        ]
        words = [word for option in options for word in ("-o", option)]
        return [
            "ssh",
            "-F",
            "none",
            "-T",
            *words,
            "-p",
            str(self._port),
            "-l",
            "root",
            "--",
            self._host,
            word,
        ]

    def close(self) -> None:
        """Ends the server, and so all that it carries."""
        self._server.close()

    def _bring(self, source: Place, target: Place) -> None:
        """New keys to both nodes; what is secret to one of them alone, among the job's images, which go with them."""
        tool, images = target.tool, target.images
        words = {"hold": tool.hold(images), "link": tool.link(target.image)}
        if source.node.packs(target.node):
            words = {word: target.node.unpacking(argv) for word, argv in words.items()}
        forced = _FORCED.format(**{word: shlex.join(argv) for word, argv in words.items()})
        with Scratch() as place:
            for key in ("host", "user"):
                run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", place / key])
            user, host = ((place / f"{key}.pub").read_bytes().strip() for key in ("user", "host"))
            quoted = forced.replace("\\", "\\\\").replace('"', '\\"')
            allowed = b'restrict,command="' + quoted.encode() + b'" ' + user + b"\n"
            there = {
                "host": (place / "host").read_bytes(),
                "keys": allowed,
                "config": _CONFIG.format(port=self._port, place=self._there).encode(),
            }
            here = {"user": (place / "user").read_bytes(), "known": b"node " + host + b"\n"}
        for node, directory, files in ((target.node, self._there, there), (source.node, self._here, here)):
            for file, data in files.items():
                node.put_bytes(data, f"{directory}/{file}", mode=0o600)

    def _serve(self, channel: Channel) -> None:
        channel.start(["sh", "-c", _SERVE, "sh", self._there, str(LIFE_SECONDS)])
        if channel.connection.stdout.readline(16) != b"started\n":
            raise TransprocError("the target has no SSH server that could be started")

    def _probe(self, source: Place) -> None:
        """The server takes a moment to listen."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            done = source.node.run(self.command("probe"), check=False, timeout=CONNECT_SECONDS + 5)
            if done.stdout == b"reached\n":
                return
            if b"refused" not in done.stderr:
                break
            time.sleep(0.05)
        raise TransprocError(done.stderr.decode(errors="replace").strip() or "no answer")
