# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What its owner says of a node in nodes.toml, and no machine can tell: what it is for, how much it may do, what it costs,
where jobs are in its network, by which address other nodes reach it, and whether its link is a slow one."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transproc.cluster.job import check_name
from transproc.errors import TransprocError

LARGEST_CAPACITY = 100_000
LARGEST_PRICE = 1e6
BRIDGE = "br0"
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9._:-]{0,254}")
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")


@dataclass(frozen=True)
class Description:
    """`labels`: words of the owner's choice. `capacity`: how many jobs it takes at once, None: as many as come.

    `price`: of one hour, in whatever currency the owner has in mind, the same for all nodes; None: not said.
    """

    labels: frozenset[str] = frozenset()
    capacity: int | None = None
    price: float | None = None
    bridge: str = BRIDGE
    """On which jobs with addresses of their own are reached."""
    internal: str | None = None
    """The name or address by which other nodes reach it, if not by the one by which this host does."""
    compression: bool = False
    """Whether what goes to it and comes from it is compressed on its way."""

    def all_labels(self, name: str, isa: str = "") -> frozenset[str]:
        """With those that every node has: its name and its ISA, as far as that is known."""
        return self.labels | {name, isa} - {""}


KEYS = frozenset({"labels", "capacity", "price", "bridge", "internal", "compression"})
"""Of a node's table in nodes.toml."""


def read(table: Mapping[str, Any]) -> Description:
    """From a node's table, whose other keys are left alone. Raises `TransprocError` for what cannot be meant."""
    labels, capacity, price = table.get("labels", []), table.get("capacity"), table.get("price")
    if not isinstance(labels, list):
        raise TransprocError(f"labels cannot be {labels!r}, expected a list of words")
    for label in labels:
        check_label(label)
    if capacity is not None and not (_number(capacity, int) and 0 <= capacity <= LARGEST_CAPACITY):
        raise TransprocError(f"capacity cannot be {capacity!r}, expected a number of jobs")
    if price is not None and not (_number(price, int | float) and 0 <= price <= LARGEST_PRICE):
        raise TransprocError(f"price cannot be {price!r}, expected what an hour costs")
    bridge = table.get("bridge")
    if bridge is None:
        bridge = BRIDGE
    if not isinstance(bridge, str) or not _INTERFACE.fullmatch(bridge):
        raise TransprocError(f"bridge cannot be {bridge!r}, expected the name of an interface")
    internal = table.get("internal")
    if internal is not None and not (isinstance(internal, str) and _HOST.fullmatch(internal)):
        raise TransprocError(f"internal cannot be {internal!r}, expected a name or an address")
    compression = table.get("compression", False)
    if not isinstance(compression, bool):
        raise TransprocError(f"compression cannot be {compression!r}, expected true or false")
    price = None if price is None else float(price)
    return Description(frozenset(labels), capacity, price, bridge, internal, compression)


def check_label(label: object) -> None:
    """Raises `TransprocError` for what is no label."""
    if not isinstance(label, str):
        raise TransprocError(f"label {label!r}: expected a word")
    check_name(label, "label")


def _number(value: object, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)
