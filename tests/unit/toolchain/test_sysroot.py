"""Which toolchain a checkout has: named by its sources, which are not read at each start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from transproc.toolchain import sysroot


def test_directory_follows_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "sources" / "part" / "a.c"
    source.parent.mkdir(parents=True)
    source.write_text("one")
    monkeypatch.setenv("TRANSPROC_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sysroot, "PLUGIN_SOURCES", (tmp_path / "sources",))
    first = sysroot._directory()
    read = []
    monkeypatch.setattr(sysroot, "digest", lambda paths: read.append(paths) or "again")
    assert sysroot._directory() == first
    assert not read
    os.utime(source, ns=(1, 1))
    assert sysroot._directory().name == "again"
    monkeypatch.undo()
    monkeypatch.setenv("TRANSPROC_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sysroot, "PLUGIN_SOURCES", (tmp_path / "sources",))
    source.write_text("two")
    assert sysroot._directory() != first
    source.write_text("one")
    assert sysroot._directory() == first
