# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Addresses that move with a job: it then has a network of its own on its node, whose one interface is on the node's bridge.

The interface keeps its hardware address, too, which follows from the job's id: neighbours have nothing to learn anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface

from transproc.cluster.job import Job
from transproc.errors import TransprocError

MOST = 16
"""Addresses, and gateways, of a job: MOST_ADDRESSES of runtime/tool/network.h."""
OWN = "own"
"""Instead of a hardware address: the node itself has it."""

Interface = IPv4Interface | IPv6Interface
Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class Seen:
    """What is found on a node's bridge: whether there is such a bridge, and who answers for each address (nobody: empty)."""

    bridge: bool
    answers: dict[str, str]


def check(addresses: Sequence[str], gateways: Sequence[str]) -> None:
    """Raises `TransprocError` for what cannot be a job's addresses (ADDRESS/PREFIX), or the gateways of its network."""
    found = [_interface(text) for text in addresses]
    if not found and gateways:
        raise TransprocError("a gateway without an address", hint="--address gives the job one")
    if max(len(found), len(gateways)) > MOST:
        raise TransprocError(f"more than {MOST} addresses")
    if len({one.ip for one in found}) < len(found):
        raise TransprocError("an address is given twice")
    ways = [_gateway(text) for text in gateways]
    if len({way.version for way in ways}) < len(ways):
        raise TransprocError("more than one gateway of a kind")
    for way in ways:
        if not any(way in one.network and way != one.ip for one in found):
            raise TransprocError(f"gateway {way}: is in the network of no address of the job")


def _interface(text: str) -> Interface:
    try:
        found = ip_interface(text)
    except ValueError:
        found = None
    if found is None or "/" not in text:
        raise TransprocError(
            f"address {text!r}: expected an address and the length of its network, as in 10.77.0.5/24"
        )
    ip, network = found.ip, found.network
    edges = (
        {network.network_address, network.broadcast_address} if ip.version == 4 else {network.network_address}
    )
    if ip.is_multicast or ip.is_loopback or ip.is_unspecified or (ip.version == 6 and ip.is_link_local):
        raise TransprocError(f"address {text}: is not one that a host can have for others")
    if ip in edges and network.num_addresses > 2:
        raise TransprocError(f"address {text}: is that of the network itself, or of all in it")
    return found


def _gateway(text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        raise TransprocError(f"gateway {text!r}: expected an address, as in 10.77.0.1") from None


def plain(text: str) -> str:
    """An address without the length of its network, as everybody writes it."""
    return str(ip_interface(text).ip)


def hardware(job: Job) -> str:
    """The job's hardware address, in hexadecimal: locally administered, of one interface (IEEE 802, 8.2)."""
    return "02" + hashlib.sha256(job.id.encode()).hexdigest()[:10]


def network(job: Job, bridge: str) -> str | None:
    """The job's network on a node with that bridge, in words of the pause tool (runtime/tool/network.h); None: it has none."""
    if not job.addresses:
        return None
    found = [ip_interface(text) for text in job.addresses]
    words = [f"{one.ip.packed.hex()}/{one.network.prefixlen}" for one in found]
    words += [f">{ip_address(text).packed.hex()}" for text in job.gateways]
    return ",".join([bridge, hardware(job), *words])


def free(job: Job, node: str, bridge: str, seen: Seen, *, reached: bool) -> None:
    """Raises `TransprocError` unless a job can have its addresses on a node.

    `reached`: it has them elsewhere at this moment, and must be seen from there: both bridges are of one network then.
    """
    if not seen.bridge:
        raise TransprocError(
            f"node {node}: has no bridge {bridge} that is up, on which {job.name} could be reached",
            hint=f"make it there ('ip link add {bridge} type bridge', with an interface of that network on it), "
            'or name another one in nodes.toml: bridge = "…"',
        )
    for address, answer in seen.answers.items():
        if answer not in ("", hardware(job)):
            who = (
                "the node itself"
                if answer == OWN
                else ":".join(answer[i : i + 2] for i in range(0, len(answer), 2))
            )
            raise TransprocError(
                f"node {node}: address {address} is in use by {who}",
                hint="give the job another one (--address)",
            )
        if reached and not answer:
            raise TransprocError(
                f"node {node}: {job.name} is not seen there at {address}, so nobody would find it after a move",
                hint=f"{bridge} there must be in one network with the bridge of {job.node}: connect them, as by a switch",
            )
