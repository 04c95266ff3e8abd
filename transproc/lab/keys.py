"""The lab's SSH keys: one for the user, one for each machine, made with the lab and valid nowhere else."""

from __future__ import annotations

import struct
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
    """The key in `path`; made when missing. Raises LabError if it is of another kind."""
    if not path.exists():
        private = Ed25519PrivateKey.generate()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    key = load_ssh_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise LabError(f"{path}: not an Ed25519 key")
    return Key(path, key)
