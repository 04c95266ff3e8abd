# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Machines behind SSH as nodes, through OpenSSH's client.

One connection for each node, made on first use and again if it was lost; channels share it. Authentication by key only, and
only with a server that holds the host key of the configuration: the user's own configuration, agent and known hosts are left
aside. A peer that does not answer keepalives is given up within seconds.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from transproc.cluster import dial
from transproc.cluster.base import LEADING, Node
from transproc.cluster.connection import Connection
from transproc.cluster.description import Description
from transproc.errors import NodeError
from transproc.scratch import PREFIX, Scratch

CONNECT_SECONDS = 10
KEEPALIVE_SECONDS = 2
KEEPALIVE_COUNT = 4
"""A dead peer is noticed after KEEPALIVE_SECONDS × KEEPALIVE_COUNT; an emulated one can be slow to answer."""
LONGEST_DIRECTORY = 107 - len(f"/{PREFIX}01234567/control") - 17
_FAST = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
"""Both ISAs have instructions for AES; chacha20, the default, is computed."""
_DIAL = "dial"
_RSA = "rsa-sha2-512,rsa-sha2-256"


@dataclass(frozen=True)
class Address:
    """Where a node is and how it is known; `host_key` as in known_hosts: algorithm and base64.

    `sudo`: the user becomes root by `sudo`, without a password.
    """

    host: str
    key: Path
    host_key: str
    port: int = 22
    user: str = "root"
    sudo: bool = False


class SshNode(Node):
    """A machine behind SSH."""

    def __init__(self, name: str, address: Address, description: Description | None = None) -> None:
        super().__init__(name, description)
        self.address = address
        self._directory: Scratch | None = None

    def command(self, script: str, *, leads: bool = False) -> list[str]:
        """OpenSSH's client. Only who `leads` becomes a master: one stays until all who share its connection have ended, so a
        program that has come to its end would seem to run.
        """
        where = self.address
        shell = f"{'sudo -n ' if where.sudo else ''}sh -c {shlex.quote(script)}"
        return [
            *("ssh", "-F", "none", "-T"),
            *(word for option in self._options(leads) for word in ("-o", option)),
            *("-p", str(where.port), "-l", where.user, "--", where.host, f"exec {shell}"),
        ]

    def same(self, other: Node) -> bool:
        """As `Node` says."""
        return isinstance(other, SshNode) and (self.name, self.address) == (other.name, other.address)

    def _connect(self, mode: str) -> Connection:
        """Who leads gets a connection from us."""
        if mode != LEADING:
            return super()._connect(mode)
        where = self.address
        with ExitStack() as stack:
            try:
                stack.enter_context(
                    dial.dialled(where.host, where.port, self._place() / _DIAL, timeout=CONNECT_SECONDS)
                )
            except OSError as error:
                raise self._unreachable(error.strerror or str(error)) from error
            return super()._connect(mode)

    def _options(self, leads: bool) -> list[str]:
        where = self.address
        algorithm = where.host_key.split()[0] if where.host_key.split() else ""
        place = self._place()
        return [
            "BatchMode=yes",
            "PreferredAuthentications=publickey",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            f"IdentityFile={_quoted(where.key)}",
            "StrictHostKeyChecking=yes",
            f"UserKnownHostsFile={_quoted(place / 'known')}",
            "GlobalKnownHostsFile=/dev/null",
            "HostKeyAlias=node",
            f"HostKeyAlgorithms={_RSA if algorithm == 'ssh-rsa' else algorithm}",
            "CheckHostIP=no",
            "UpdateHostKeys=no",
            f"ConnectTimeout={CONNECT_SECONDS}",
            f"ServerAliveInterval={KEEPALIVE_SECONDS}",
            f"ServerAliveCountMax={KEEPALIVE_COUNT}",
            f"Ciphers={_FAST}",
            f"Compression={'yes' if self.description.compression else 'no'}",
            "LogLevel=ERROR",
            f"ControlPath={_quoted(place / 'control')}",
            "ControlPersist=no",
            f"ControlMaster={'auto' if leads else 'no'}",
            *(dial.proxy(place / _DIAL) if leads else []),
        ]

    def _place(self) -> Path:
        """A private directory with the node's host key, and the socket by which connections are shared."""
        if self._directory is None:
            self._directory = Scratch(_directory_for_sockets())
            (self._directory.path / "known").write_text(f"node {self.address.host_key}\n")
        return self._directory.path

    def close(self) -> None:
        """Ends the connection; the node may be used again and then connects anew."""
        super().close()
        if self._directory is not None:
            self._directory.close()
            self._directory = None

    def explain(self, booted: bool, errors: str) -> NodeError:
        """From what OpenSSH's client says, in its words of the last decade."""
        lines = [line.strip() for line in errors.splitlines() if line.strip()]
        reason = lines[-1] if lines else "no message"
        if booted:
            return NodeError(self.name, f"connection lost: {reason}")
        return self._unreachable(reason, self._hint(errors))

    def _unreachable(self, reason: str, hint: str | None = None) -> NodeError:
        where = self.address
        message = f"cannot connect to {where.user}@{where.host}:{where.port}: {reason}"
        return NodeError(self.name, message, hint=hint)

    def _hint(self, errors: str) -> str | None:
        if "Host key verification failed" in errors or "no matching host key type" in errors:
            return "the host key is not the configured one: if that is as it should be, correct host_key in nodes.toml"
        if "UNPROTECTED PRIVATE KEY" in errors:
            return f"others can read the key: chmod 600 {self.address.key}"
        if "Permission denied" in errors and "/var/lib" in errors:
            return f'criu needs root: user = "root" or sudo = true for {self.name} in nodes.toml'
        if "Permission denied" in errors and "publickey" in errors:
            return "is the public key in the node's authorized_keys (ssh-copy-id), and may this user log in?"
        if "sudo" in errors:
            return f"let {self.address.user} use sudo without a password there: NOPASSWD in /etc/sudoers"
        if "not found" in errors or "No such file" in errors or "applet" in errors:
            return f"'transproc doctor {self.name}' says what the node lacks"
        return None


def _directory_for_sockets() -> str | None:
    """None: the usual one for temporary files, unless a socket's name is too long there (unix(7), and 17 bytes by OpenSSH)."""
    usual = tempfile.gettempdir()
    return None if len(os.fsencode(usual)) <= LONGEST_DIRECTORY else "/tmp"


def _quoted(path: Path) -> str:
    """As a value of an option: a % is an escape there, and a space ends it."""
    return '"' + str(path).replace("%", "%%") + '"'
