# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Requests that change the list of nodes, or look closely at nodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

from transproc.cluster import criu, description
from transproc.cluster.beside import beside
from transproc.cluster.inventory import Inventory, check_host_key, user_key
from transproc.cluster.node import LOCAL, Node
from transproc.cluster.operations import Context
from transproc.cluster.ssh import Address, SshNode
from transproc.controller.requests.base import Desk, Meaning, NodeName, Request
from transproc.controller.tokens import Role
from transproc.errors import TransprocError
from transproc.host import Host
from transproc.lab import checkup
from transproc.lab.findings import Finding
from transproc.lab.portable import portable_criu

CHECK_SECONDS = 60.0
"""For nodes that are looked at beside each other; `criu check` takes seconds on an emulated one."""


@dataclass(frozen=True)
class _OfNode(Request):
    """It works on no job; its name is a node's."""

    @property
    def job(self) -> str | None:
        """None."""
        return None

    def nodes(self, context: Context) -> Sequence[str]:
        """None that is kept busy."""
        return ()


@dataclass(frozen=True)
class AddNode(_OfNode):
    """Makes a machine known as a node: connects, and says what it is and what it lacks. Only `bring_criu` puts something there.

    `GET /nodes/keys` shows the machine's host keys, which a person compares before he sends one here. Returns the name, the file
    that lists the node, and findings. It is listed if it can be logged into, also if it lacks something.
    """

    kind: ClassVar[str] = "add-node"
    path: ClassVar[str] = "/nodes"
    role: ClassVar[Role] = Role.ADMIN
    name: NodeName
    host: Annotated[str, Meaning("A name or an address.", longest=255)]
    host_key: Annotated[str, Meaning("What proves that it is that machine: type and key.", longest=8192)]
    user: Annotated[str, Meaning("Who logs in.", longest=64)] = "root"
    port: Annotated[int, Meaning("Of its SSH server.", 1, 65535)] = 22
    key: Annotated[str | None, Meaning("A private key on the host that manages jobs.")] = None
    sudo: Annotated[bool, Meaning("The user becomes root by sudo, without a password.")] = False
    labels: Annotated[Sequence[str], Meaning("Words of its owner.", longest=64)] = ()
    capacity: Annotated[int | None, Meaning("How many jobs it takes at once.", 0, 100_000)] = None
    price: Annotated[float | None, Meaning("Of an hour.", 0, 1e6)] = None
    bridge: Annotated[str | None, Meaning("Where jobs with addresses are.", longest=15)] = None
    internal: Annotated[str | None, Meaning("By which other nodes reach it.", longest=255)] = None
    compression: Annotated[bool, Meaning("Compress what goes there and comes from there.")] = False
    bring_criu: Annotated[bool, Meaning("Put a criu of ours there, for transproc alone.")] = False

    def perform_on(self, host: Host, context: Context) -> Any:
        """As the base says."""
        inventory = Inventory()
        inventory.check_new(self.name)
        check_host_key(self.host, self.host_key)
        words = {
            "labels": list(self.labels),
            "capacity": self.capacity,
            "price": self.price,
            "bridge": self.bridge,
            "internal": self.internal,
            "compression": self.compression,
        }
        described = description.read(words)
        own = user_key(None if self.key is None else Path(self.key))
        address = Address(self.host, own, self.host_key, self.port, self.user, self.sudo)
        with SshNode(self.name, address) as node:
            if self.bring_criu:
                bring(node, context)
            with context.events.step(f"look at {self.host}"):
                findings = checkup.node(node)
        inventory.add(self.name, address, described)
        return {"name": self.name, "path": str(inventory.path), "findings": plain(findings)}


@dataclass(frozen=True)
class CheckNodes(_OfNode):
    """Says what nodes lack, and how to get it there: for each its findings, or `error` and `hint` if it cannot be reached."""

    kind: ClassVar[str] = "check-nodes"
    path: ClassVar[str] = "/nodes/check"
    names: Annotated[Sequence[str], Meaning("Which; none: all but `local`.", longest=10_000)] = ()
    bring_criu: Annotated[bool, Meaning("First put a criu of ours there: an admin may.")] = False

    def perform_on(self, host: Host, context: Context) -> Any:
        """As the base says."""
        wanted = self.names or [name for name in host.names() if name != LOCAL]
        for name in wanted if self.bring_criu else ():
            bring(host.node(name), context)
        looks = {name: partial(checkup.node, host.node(name)) for name in wanted}
        found = beside(looks, CHECK_SECONDS)
        results = {name: found.get(name, TransprocError(f"node {name}: has not answered")) for name in wanted}
        return {name: _checked(result) for name, result in results.items()}

    def admitted(self, desk: Desk) -> Request:
        """An admin only changes nodes."""
        if self.bring_criu and not desk.role.includes(Role.ADMIN):
            raise TransprocError("an admin only may put a criu on nodes")
        return self


@dataclass(frozen=True)
class RemoveNode(_OfNode):
    """Takes a node out of the list; refused while jobs are there. Nothing is changed on the machine itself.

    Returns the file that listed it.
    """

    kind: ClassVar[str] = "remove-node"
    path: ClassVar[str] = "/nodes/{name}/remove"
    role: ClassVar[Role] = Role.ADMIN
    name: NodeName

    def perform_on(self, host: Host, context: Context) -> Any:
        """As the base says."""
        inventory = Inventory()
        inventory.remove(self.name, context.store)
        return {"path": str(inventory.path)}


def bring(node: Node, context: Context) -> None:
    """Gives a node a criu of ours."""
    with context.events.step(f"criu for {node.name}") as step:
        criu.bring(node, *portable_criu(node.isa))
        step.detail = ".".join(map(str, criu.version(node, criu.COMMAND)))


def plain(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """For JSON."""
    return [dataclasses.asdict(one) for one in findings]


def _checked(result: Sequence[Finding] | TransprocError) -> Any:
    if isinstance(result, TransprocError):
        return {"error": result.message, "hint": result.hint}
    return plain(result)
