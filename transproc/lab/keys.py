# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The lab's SSH keys: one for the user, one for each machine, made with the lab and valid nowhere else."""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from transproc.errors import LabError

ALGORITHM = b"ssh-ed25519"


@dataclass(frozen=True)
class Key:
    """An Ed25519 key pair; the private half is a file in OpenSSH's format, readable by its owner only."""

    path: Path
    private: Ed25519PrivateKey

    @property
    def public(self) -> str:
        """As in authorized_keys and known_hosts: algorithm and base64."""
        return self.private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    def dropbear(self) -> bytes:
        """The private half as dropbear reads its host key (dropbear: src/ed25519.c, buf_put_ed25519_priv_key)."""
        public = self.private.public_key().public_bytes_raw()
        return b"".join(
            struct.pack(">I", len(part)) + part
            for part in (ALGORITHM, self.private.private_bytes_raw() + public)
        )


def ensure(path: Path) -> Key:
    """The key in `path`; made when missing. Raises LabError if it is damaged or of another kind."""
    if not path.exists():
        _make(path)
    try:
        key = load_ssh_private_key(path.read_bytes(), None)
    except ValueError as error:
        raise LabError(
            f"{path}: damaged key: {error}", hint=f"remove it and start the lab again: rm {path}"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise LabError(f"{path}: not an Ed25519 key")
    return Key(path, key)


def _make(path: Path) -> None:
    """Whole or not at all, and by the first who comes: machines that start at the same time share the user's key."""
    private = Ed25519PrivateKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent) as file:  # readable by its owner only
        file.write(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        file.flush()
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)
