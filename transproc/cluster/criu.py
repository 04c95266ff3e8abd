# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which CRIU of a node is used: the newest that works of those that are there, its own and one that was brought.

A system may have several: its distribution's, one that was built, and ours, for systems that have none or one that is too old
(`bring`). That one comes with its libraries and loader, so it runs on any Linux of its ISA, whatever the C library.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from transproc.cluster.archive import Given
from transproc.cluster.base import DATA, Node
from transproc.process.criu import MINIMUM, parse_version
from transproc.process.runner import understood

BROUGHT = f"{DATA}/bin/criu"
"""A directory with `criu`, its loader `ld.so`, its libraries in `lib/`, and the digest of all that in `digest`."""
COMMAND = (f"{BROUGHT}/ld.so", "--library-path", f"{BROUGHT}/lib", f"{BROUGHT}/criu")
USUAL = ("criu",)
CHECK_SECONDS = 30.0

CANDIDATES = f"""
version_of() {{ "$@" --version 2>/dev/null | grep '^Version'; }}
(
  IFS=:
  for d in $PATH:/usr/local/sbin:/usr/sbin:/sbin; do [ -x "$d/criu" ] && [ -f "$d/criu" ] && readlink -f "$d/criu"; done
) | sort -u | while read -r c; do echo "$c $(version_of "$c")"; done
[ ! -x {BROUGHT}/criu ] || echo "brought $(version_of {" ".join(COMMAND)})"
"""
_LINE = re.compile(r"(/[\w.,+@/-]{1,300}|brought) (Version: [\w.+~-]{1,40})")
_LONGEST = 1 << 16
_VERSIONS: dict[tuple[Node, tuple[str, ...]], tuple[int, ...]] = {}


def command(node: Node) -> Sequence[str]:
    """How CRIU is started on a node: the newest that passes its own check there. Found out once.

    If there is none that could be used, the usual one, whose failure tells what is wrong. Raises `NodeError`.
    """
    return _found(node)


def version(node: Node, words: Sequence[str]) -> tuple[int, ...]:
    """Of CRIU as it is started by these words, asked once. Raises `CommandError` if it does not start, `UnsupportedError` for
    nonsense.
    """
    key = node, tuple(words)
    if key not in _VERSIONS:
        _VERSIONS[key] = parse_version(node.run([*words, "--version"]).stdout.decode(errors="replace"))
    return _VERSIONS[key]


def candidates(node: Node) -> list[tuple[tuple[int, ...], tuple[str, ...]]]:
    """What there is, with versions, the newest first; what is too old is not in it."""
    with understood(f"node {node.name}"):
        text = node.run(["sh", "-c", CANDIDATES], check=False).stdout[:_LONGEST].decode(errors="replace")
        lines = [found for line in text.splitlines() if (found := _LINE.fullmatch(line))]
        each = [(parse_version(f[2]), COMMAND if f[1] == "brought" else (f[1],)) for f in lines]
    _VERSIONS.update({(node, words): number for number, words in each})
    return sorted((one for one in each if one[0] >= MINIMUM), reverse=True)


def works(node: Node, words: Sequence[str]) -> bool:
    """Whether its own check finds all that it needs of the kernel."""
    return not node.run([*words, "check"], check=False, timeout=CHECK_SECONDS).returncode


def bring(node: Node, directory: Path, digest: str) -> None:
    """Puts a CRIU on the node, unless it is there: `directory` has what `BROUGHT` says. An older one is replaced as a whole."""
    if node.run(["cat", f"{BROUGHT}/digest"], check=False).stdout.decode(errors="replace").strip() == digest:
        return
    draft = f"{BROUGHT}~"
    node.run(["rm", "-rf", draft])
    node.put(directory, draft, given=Given(mode="u=rwX,go=rX"))
    script = 'set -e; echo "$3" >"$1/digest"; rm -rf "$2"; mv "$1" "$2"'
    node.run(["sh", "-c", script, "sh", draft, BROUGHT, digest])
    _found.cache_clear()
    _VERSIONS.pop((node, COMMAND), None)


@cache
def _found(node: Node) -> tuple[str, ...]:
    there = candidates(node)
    good = there if len(there) == 1 else [one for one in there if works(node, one[1])]
    return next((words for _, words in good or there), USUAL)
