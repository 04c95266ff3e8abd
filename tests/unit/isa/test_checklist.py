# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The list of what a new ISA needs (CONTRIBUTING.md) against the files that name one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from transproc import paths
from transproc.isa import ALL

ROOT = paths.SOURCE
NAMES = [isa.name for isa in ALL]
SECTION = (ROOT / "CONTRIBUTING.md").read_text().split("## A new ISA")[1].split("\n## ")[0]
LISTED = {word for word in re.findall(r"`([^`\s]+)`", SECTION) if "/" in word or word.endswith(".md")}


def test_whatever_is_listed_exists() -> None:
    """Once the list named a directory that did not."""
    assert len(LISTED) > 20
    for word in LISTED:
        for name in NAMES:
            assert (ROOT / word.replace("NAME", name)).exists(), word


@pytest.mark.parametrize("top", ["llvm", "runtime", "transproc", "tests/unit/process"])
def test_files_of_one_isa_are_listed(top: str) -> None:
    listed = {word.replace("NAME", name) for word in LISTED for name in NAMES}
    found = [
        str(path.relative_to(ROOT))
        for path in (ROOT / top).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and any(name in str(path) for name in NAMES)
    ]
    assert [path for path in found if path not in listed] == []


def literals(path: Path) -> Iterator[str]:
    """Texts of a module that are no more than the name of an ISA."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and node.value in NAMES:
            yield node.value


def test_code_that_knows_an_isa_by_name_is_listed() -> None:
    modules = [path for path in (ROOT / "transproc").rglob("*.py") if path.parent.name != "isa"]
    found = [str(path.relative_to(ROOT)) for path in modules if any(literals(path))]
    found += [
        str(path.relative_to(ROOT))
        for path in (ROOT / "llvm").rglob("*.cpp")
        if "test" not in path.parts
        and re.search(rf'"({"|".join(NAMES)})"|InitializeAArch64|AArch64::', path.read_text())
    ]
    assert len(found) > 10
    assert [path for path in found if path not in LISTED] == []
