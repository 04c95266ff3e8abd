# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where the cache and the state are, and who may read them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from transproc import paths
from transproc.errors import TransprocError


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("TRANSPROC_STATE", "TRANSPROC_NODES", "TRANSPROC_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ".local/state/transproc"),
        ({"XDG_STATE_HOME": "xdg"}, "xdg/transproc"),
        ({"XDG_STATE_HOME": "xdg", "TRANSPROC_HOME": "cache"}, "cache/state"),
        ({"XDG_STATE_HOME": "xdg", "TRANSPROC_HOME": "cache", "TRANSPROC_STATE": "own"}, "own"),
    ],
)
def test_the_nearest_variable_names_the_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    assert paths.state() == tmp_path / expected


def test_nodes_are_configuration_and_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list in the cache, where it was at first, is found until there is one in its place."""
    configured = tmp_path / ".config" / "transproc" / "nodes.toml"
    assert paths.nodes() == configured
    old = tmp_path / ".cache" / "transproc" / "nodes.toml"
    old.touch()
    assert paths.nodes() == old
    configured.parent.mkdir(parents=True)
    configured.touch()
    assert paths.nodes() == configured
    monkeypatch.setenv("TRANSPROC_HOME", str(tmp_path / "home"))
    assert paths.nodes() == tmp_path / "home" / "nodes.toml"
    monkeypatch.setenv("TRANSPROC_NODES", "mine.toml")
    assert paths.nodes() == Path("mine.toml")


def test_the_state_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the umask, and also if it was readable before: records name hosts, users, and arguments."""
    monkeypatch.setenv("TRANSPROC_STATE", str(tmp_path / "new"))
    old = os.umask(0)
    try:
        assert paths.state().stat().st_mode & 0o777 == 0o700
        (tmp_path / "new").chmod(0o755)
        assert paths.state().stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(old)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a directory of another user")
def test_the_state_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(tmp_path, 12345, -1)
    monkeypatch.setenv("TRANSPROC_STATE", str(tmp_path))
    with pytest.raises(TransprocError, match="belongs to user 12345, expected 0"):
        paths.state()
