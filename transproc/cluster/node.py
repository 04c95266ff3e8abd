# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which nodes there are: this machine, the running lab's, and those of the user's configuration.

The configuration is `~/.config/transproc/nodes.toml`, or the file that $TRANSPROC_NODES names. The lab writes a
file of the same format. One table for each node; `port`, `user` and `sudo` may be left out, `key` may be relative to the file:

    [pi]
    host = "192.168.1.20"
    port = 22
    user = "root"                        # else one that may use sudo without a password:
    sudo = false
    key = "~/.ssh/id_ed25519"
    host_key = "ssh-ed25519 AAAA..."     # as `ssh-keyscan -t ed25519 HOST` prints it, checked by you
    labels = ["cheap", "rack.2"]         # words of yours, for `--to-label` and policies; its name and its ISA are labels anyway
    capacity = 4                         # how many jobs it takes at once
    price = 0.12                         # of an hour, in your currency
    bridge = "br0"                       # where jobs with addresses are
    internal = "10.0.0.20"               # by which the other nodes reach it, if not by `host`
    compression = true                   # of what goes there and comes from there: for slow links

The last six may be left out as well. A table [local] may say them of this machine, and nothing else.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from transproc import paths
from transproc.cluster import description
from transproc.cluster.base import DATA, Node
from transproc.cluster.local import LocalNode
from transproc.cluster.session import Result
from transproc.cluster.ssh import Address, SshNode
from transproc.errors import FormatError, NodeError, TransprocError

__all__ = ["DATA", "Address", "LocalNode", "Node", "Result", "SshNode", "find_node", "nodes", "read"]

LOCAL = "local"
_TYPES = {"port": int, "sudo": bool}
_FIELDS = {field.name: field for field in dataclasses.fields(Address)}


def nodes() -> list[Node]:
    """All nodes, not connected yet; a name of the configuration hides the lab's. Raises FormatError."""
    found: dict[str, Node] = {LOCAL: LocalNode(LOCAL)}
    for path in files():
        if path.exists():
            found |= {node.name: node for node in read(path)}
    return list(found.values())


def files() -> list[Path]:
    """Those in which nodes are listed, if they are there; what a later one says of a name is what counts."""
    return [paths.lab() / "nodes.toml", paths.nodes()]


def find_node(name: str) -> Node:
    """The node of that name; raises NodeError with the names there are."""
    known = {node.name: node for node in nodes()}
    if name not in known:
        raise unknown(name, known)
    return known[name]


def unknown(name: str, known: Collection[str]) -> NodeError:
    """The error for a node that is not there."""
    return NodeError(
        name,
        f"unknown; there are {', '.join(sorted(known))}",
        hint="'transproc lab up' starts x86 and arm; 'transproc nodes add' makes machines of your own known",
    )


def read(path: Path) -> list[SshNode | LocalNode]:
    """The nodes that a file lists; raises FormatError."""
    try:
        tables = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"not valid TOML: {error}", path=path) from error
    return [_node(path, name, table) for name, table in tables.items()]


def _node(path: Path, name: str, table: Any) -> SshNode | LocalNode:
    if not isinstance(table, dict):
        raise FormatError(f"{name}: expected a table [{name}], found {table!r}", path=path)
    try:
        described = description.read(table)
    except TransprocError as error:
        raise FormatError(f"node {name}: {error.message}", path=path) from error
    rest = {key: value for key, value in table.items() if key not in description.KEYS}
    if name != LOCAL:
        return SshNode(name, _address(path, name, rest), described)
    if rest:
        expected = ", ".join(sorted(description.KEYS))
        raise FormatError(
            f"the name {LOCAL} is this machine's: {', '.join(rest)} cannot be said of it, only {expected}",
            path=path,
        )
    return LocalNode(name, described)


def _address(path: Path, name: str, table: dict[str, Any]) -> Address:
    required = {key for key, field in _FIELDS.items() if field.default is dataclasses.MISSING}
    for what, keys in (("unknown", table.keys() - _FIELDS.keys()), ("missing", required - table.keys())):
        if keys:
            raise FormatError(f"node {name}: {what} {', '.join(sorted(keys))}", path=path)
    for key, value in table.items():
        kind = _TYPES.get(key, str)
        number = key != "port" or (type(value) is int and 0 < value < 1 << 16)
        if not isinstance(value, kind) or not number or not str(value).isprintable():
            raise FormatError(f"node {name}: {key} cannot be {value!r}", path=path)
    try:
        own = Path(table["key"]).expanduser()
    except RuntimeError as error:  # ~USER of nobody
        raise FormatError(f"node {name}: key cannot be {table['key']!r}: {error}", path=path) from error
    return Address(**{**table, "key": path.parent / own})
