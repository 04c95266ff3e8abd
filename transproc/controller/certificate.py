# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The controller's certificate: made at its first start, signed by itself, and known to clients by its fingerprint.

An operator's own certificate (`transproc serve --certificate … --key …`) takes its place.
"""

from __future__ import annotations

import datetime
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from transproc import paths
from transproc.cluster.beside import beside
from transproc.errors import FormatError

NAME_SECONDS = 2.0
"""For this host's full name: a name server that is away would keep the first start waiting for many."""
DAYS = 3650
"""Clients pin it: a new one would have to be brought to each of them."""


@dataclass(frozen=True)
class Certificate:
    """Files in PEM; `fingerprint` is the SHA-256 of the certificate in DER, in lower-case hexadecimal."""

    path: Path
    key: Path
    fingerprint: str


def ensure(directory: Path, address: str) -> Certificate:
    """The certificate in a private directory; made for this host's names, which listens at `address`, if there is none."""
    path, key = directory / "certificate.pem", directory / "key.pem"
    if not (path.exists() and key.exists()):
        _make(path, key, own_names(address))
    return read(path, key)


def read(path: Path, key: Path) -> Certificate:
    """An existing one. Raises `FormatError`."""
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
        key.read_bytes()
    except (ValueError, OSError) as error:
        raise FormatError(f"no certificate with its key: {error}", path=path) from error
    return Certificate(path, key, found.fingerprint(hashes.SHA256()).hex())


def own_names(address: str) -> list[str]:
    """What clients may call this host that listen at `address`."""
    full = beside({"name": socket.getfqdn}, NAME_SECONDS).get("name")
    names = [
        "localhost",
        "127.0.0.1",
        "::1",
        socket.gethostname(),
        *([full] if isinstance(full, str) else []),
    ]
    return list(dict.fromkeys([*names, *([] if address in ("0.0.0.0", "::") else [address])]))


def _make(path: Path, key: Path, names: Sequence[str]) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "transproc controller")])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([_general(word) for word in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    made = builder.sign(private, hashes.SHA256())
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths.write_private(key, private.private_bytes(serialization.Encoding.PEM, *form))
    paths.write_private(path, made.public_bytes(serialization.Encoding.PEM))


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
