# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The user's list of nodes is changed: `nodes.toml`, whose comments and order stay, written whole or not at all, for its owner
alone. And what must be known before a machine gets into it: its host keys, which the user compares, and a key that opens it.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transproc import paths
from transproc.cluster.description import Description
from transproc.cluster.job import State, check_name
from transproc.cluster.node import LOCAL, read
from transproc.cluster.ssh import Address
from transproc.cluster.store import JobStore
from transproc.errors import FormatError, NodeError, TransprocError
from transproc.run import run

SCAN_SECONDS = 10
KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
"""Of hosts, the best first."""
USER_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
"""In ~/.ssh, as ssh-keygen(1) names them."""
_HOST = re.compile(r"[A-Za-z0-9_.:%][A-Za-z0-9_.:%-]{0,254}")
_LONGEST_KEY = 4096
"""Characters; an RSA key of 16,384 bits has 2,800."""


def host_keys(host: str, port: int) -> list[str]:
    """The keys by which a server proves who it is, as in known_hosts, the best first; nobody has vouched for them yet.

    Raises `NodeError` if none can be had.
    """
    if not _HOST.fullmatch(host):
        raise TransprocError(f"host {host!r}: expected a name or an address")
    argv = ["ssh-keyscan", "-T", str(SCAN_SECONDS), "-p", str(port), "-t", "ed25519,ecdsa,rsa", "--", host]
    done = run(argv, check=False, timeout=3 * SCAN_SECONDS)
    found = {}
    for line in done.stdout.decode(errors="replace").splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in KEY_TYPES and len(words[2]) <= _LONGEST_KEY:
            found[words[1]] = f"{words[1]} {words[2]}"
    if not found:
        lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip("# ")]
        said = [line for line in lines if not line.startswith("#")][-1:] or ["no answer"]
        if "getaddrinfo" in said[0]:
            raise NodeError(
                host,
                f"there is no such host: {said[0].removeprefix(f'getaddrinfo {host}: ')}",
                hint="is the name right? An address will do",
            )
        raise NodeError(
            host,
            f"no SSH server answers on port {port}: {said[0]}",
            hint="is the machine up, and sshd installed and started there? --port names another port",
        )
    return [found[kind] for kind in KEY_TYPES if kind in found]


def fingerprint(host_key: str) -> str:
    """As ssh-keygen(1) -l shows it: SHA256 in base64 without padding. Raises `FormatError` for what is no key."""
    try:
        data = base64.b64decode(host_key.split()[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise FormatError(f"not a host key: {host_key!r}") from error
    return f"SHA256:{base64.b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')}"


def check_host_key(host: str, host_key: str) -> None:
    """Raises `TransprocError` for what is no host, or no host key as `host_keys` has them."""
    words = host_key.split(" ")
    if not _HOST.fullmatch(host):
        raise TransprocError(f"host {host!r}: expected a name or an address")
    if len(words) != 2 or words[0] not in KEY_TYPES or len(words[1]) > _LONGEST_KEY:
        raise FormatError(f"not a host key: {host_key[:80]!r}")
    fingerprint(host_key)


def choose_key(host: str, found: Sequence[str], wanted: str) -> str:
    """The host key with that fingerprint; raises `NodeError` if the server has none such."""
    wanted = f"SHA256:{wanted.removeprefix('SHA256:').rstrip('=')}"
    for key in found:
        if fingerprint(key) == wanted:
            return key
    shown = ", ".join(map(fingerprint, found))
    raise NodeError(
        host,
        f"its host keys have the fingerprints {shown}, expected {wanted}",
        hint="another machine answers there, or it was installed anew: compare on its own console (ssh-keygen -lf)",
    )


def user_key(path: Path | None) -> Path:
    """The private key that opens nodes: the one given, else OpenSSH's usual one. Raises `TransprocError` if there is none."""
    if path is not None:
        if not path.is_file():
            raise TransprocError(f"key {path}: no such file")
        return path.absolute()
    place = Path.home() / ".ssh"
    for name in USER_KEYS:
        if (place / name).is_file():
            return place / name
    raise TransprocError(
        f"no key in {place}",
        hint="'ssh-keygen -t ed25519' makes one, 'ssh-copy-id USER@HOST' lets it in; --key names another file",
    )


def public_key() -> str | None:
    """What a machine must let in (`authorized_keys`) for `user_key(None)` to open it, as far as that is known here."""
    try:
        path = user_key(None)
        return path.with_name(f"{path.name}.pub").read_text().strip()
    except (TransprocError, OSError, UnicodeDecodeError):
        return None


class Inventory:
    """The file in which the user's nodes are listed; there need not be one yet."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = (path or paths.nodes()).resolve()  # of a link, what it leads to is replaced

    def names(self) -> list[str]:
        """Of the nodes in it. Raises `FormatError` if it is damaged."""
        return [node.name for node in read(self.path)] if self.path.exists() else []

    def check_new(self, name: str) -> None:
        """Raises `TransprocError` unless a node may be added by that name."""
        check_name(name, "node")
        if name == LOCAL:
            raise TransprocError(f"the name {LOCAL} is this machine's", hint="give it another one")
        if name in self.names():
            raise NodeError(
                name,
                f"is listed in {self.path} already",
                hint=f"'transproc nodes remove {name}' takes it out",
            )

    def add(self, name: str, address: Address, described: Description) -> None:
        """Lists a node at the end; raises `TransprocError` if there is one of that name, or the file cannot be written."""
        import tomlkit  # noqa: PLC0415 (20 ms, for whoever changes the list)

        with self._changed() as document:
            self.check_new(name)
            table = tomlkit.table()
            for key, value in _words(address, described).items():
                table[key] = value
            if document and not document.as_string().endswith("\n\n"):
                document.add(tomlkit.nl())
            document.add(name, table)

    def remove(self, name: str, store: JobStore) -> None:
        """Takes a node out; raises `TransprocError` if it is not in it, or if jobs are there: they could not be reached."""
        with self._changed() as document:
            if name not in document:
                where = "is this machine" if name == LOCAL else f"is not listed in {self.path}"
                raise NodeError(name, where, hint="'transproc nodes list' shows which there are")
            if jobs := jobs_on(store, name):
                raise NodeError(
                    name,
                    f"jobs are there: {', '.join(jobs)}",
                    hint="'transproc migrate' moves them, 'transproc kill' ends them; with --remove it forgets one that was lost",
                )
            document.remove(name)

    @contextmanager
    def _changed(self) -> Iterator[Any]:
        """The document, which is written when the context ends well; one at a time changes it."""
        import tomlkit  # noqa: PLC0415
        from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(self.path.parent):
                try:
                    document = tomlkit.parse(self.path.read_text() if self.path.exists() else "")
                except (TOMLKitError, UnicodeDecodeError) as error:
                    raise FormatError(f"not valid TOML: {error}", path=self.path) from error
                yield document
                paths.write_private(self.path, document.as_string().encode())
        except OSError as error:
            raise TransprocError(f"{self.path}: cannot be changed: {error.strerror}") from error


def jobs_on(store: JobStore, node: str) -> list[str]:
    """Jobs of which something is, or may be, on a node. A damaged record may be of any node."""
    found = []
    for name in store.names():
        try:
            job = store.load(name)
        except TransprocError:
            found.append(name)
            continue
        if job.state is not State.EXITED and node in job.nodes:
            found.append(name)
    return found


def _words(address: Address, described: Description) -> dict[str, Any]:
    """What is said of a node, without what goes without saying."""
    words: dict[str, Any] = {"host": address.host}
    if address.port != Address.port:
        words["port"] = address.port
    words["user"] = address.user
    if address.sudo:
        words["sudo"] = True
    words |= {"key": str(address.key), "host_key": address.host_key}
    if described.labels:
        words["labels"] = sorted(described.labels)
    if described.capacity is not None:
        words["capacity"] = described.capacity
    if described.price is not None:
        words["price"] = described.price
    if described.bridge != Description.bridge:
        words["bridge"] = described.bridge
    if described.internal is not None:
        words["internal"] = described.internal
    if described.compression:
        words["compression"] = True
    return words


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
