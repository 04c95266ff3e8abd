# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which toolchain a checkout has: named by its sources, which are not read at each start."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from transproc.toolchain import build, making, sysroot


def test_directory_follows_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "sources" / "part" / "a.c"
    source.parent.mkdir(parents=True)
    source.write_text("one")
    monkeypatch.setenv("TRANSPROC_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(making, "PLUGIN_SOURCES", (tmp_path / "sources",))
    first = sysroot._directory()
    read = []
    monkeypatch.setattr(sysroot, "digest", lambda paths: read.append(paths) or "again")
    assert sysroot._directory() == first
    assert not read
    os.utime(source, ns=(1, 1))
    assert sysroot._directory().name == "again"
    monkeypatch.undo()
    monkeypatch.setenv("TRANSPROC_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(making, "PLUGIN_SOURCES", (tmp_path / "sources",))
    source.write_text("two")
    assert sysroot._directory() != first
    source.write_text("one")
    assert sysroot._directory() == first


def test_pass_is_compiled_from_what_its_digest_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two checkouts with the same sources one changes later: the other one's pass is still its own."""
    trees = tmp_path / "one", tmp_path / "two"
    for tree in trees:
        (tree / "lib").mkdir(parents=True)
        (tree / "lib" / "a.cpp").write_text(
            'int main() { static volatile const char *s = "before"; return !*s; }'
        )
        (tree / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.18)\nproject(small CXX)\n"
            "add_library(transproc MODULE lib/a.cpp)\nadd_executable(transproc-codegen lib/a.cpp)\n"
        )
    monkeypatch.setenv("TRANSPROC_HOME", str(tmp_path / "home"))

    def compiled(tree: Path) -> bytes:
        monkeypatch.setattr(making, "PLUGIN_SOURCES", (tree / "CMakeLists.txt", tree / "lib"))
        return (build.plugin_build() / "transproc-codegen").read_bytes()

    assert b"before" in compiled(trees[0])
    changed = (trees[0] / "lib" / "a.cpp").read_text().replace("before", "after!")
    (trees[0] / "lib" / "a.cpp").write_text(changed)
    assert b"after!" in compiled(trees[0])
    assert b"before" in compiled(trees[1])


def test_directory_follows_every_module_that_builds() -> None:
    """What `build.py` imports, and what that imports: each may decide what is in a toolchain."""
    place = Path(making.__file__).parent
    package = "transproc.toolchain"
    found, todo = set[str](), ["build"]
    while todo:
        name = todo.pop()
        if name in found or name == "making":
            continue
        found.add(name)
        for node in ast.walk(ast.parse((place / f"{name}.py").read_text())):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(package):
                continue
            within = (node.module or "").removeprefix(package).lstrip(".").replace(".", "/")
            if within and (place / f"{within}.py").exists():
                todo.append(within)
            else:
                todo += [f"{within}/{alias.name}".lstrip("/") for alias in node.names]
    assert found == set(making.RECIPE)
    assert {place / f"{name}.py" for name in found} <= set(making.sources())
