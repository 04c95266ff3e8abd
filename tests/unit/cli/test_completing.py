# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a shell is told when its user asks for the rest of a word."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from transproc.cluster.job import Job
from transproc.cluster.store import JobStore


def completed(place: Path, *words: str) -> list[str]:
    """As bash asks: the last word is incomplete."""
    environment = os.environ | {
        "_TRANSPROC_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("transproc", *words)),
        "COMP_CWORD": str(len(words)),
        "TRANSPROC_STATE": str(place / "state"),
        "TRANSPROC_NODES": str(place / "nodes.toml"),
        "TRANSPROC_HOME": str(place),
    }
    command = Path(sys.executable).with_name("transproc")
    done = subprocess.run([command], env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == "", done.stderr
    return done.stdout.split()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    store = JobStore(tmp_path / "state")
    for name in ("nbody", "night", "other"):
        store.create(Job(name, "local", ["prog"]))
    key = '"\nkey = "key"\nhost_key = "ssh-ed25519 AAAA"\n'
    (tmp_path / "nodes.toml").write_text(f'[pi]\nhost = "pi{key}[pc]\nhost = "pc{key}')
    return tmp_path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("migr",), ["migrate"]),
        (("migrate", "n"), ["nbody", "night"]),
        (("logs", ""), ["nbody", "night", "other"]),
        (("history", "o"), ["other"]),
        (("recover", "ni"), ["night"]),
        (("migrate", "nbody", "--to", "p"), ["pc", "pi"]),
        (("run", "--node", "l"), ["local"]),
        (("restart", "place", "--node", "pi"), ["pi"]),
        (("nodes", "check", "pc"), ["pc"]),
    ],
)
def test_names_are_completed(place: Path, words: tuple[str, ...], expected: list[str]) -> None:
    assert completed(place, *words) == expected


def test_whoever_types_sees_no_error(place: Path) -> None:
    (place / "nodes.toml").write_text("no toml")
    assert completed(place, "migrate", "nbody", "--to", "p") == []
    (place / "contexts.json").write_text('{"current": "gone", "contexts": {}}')
    assert completed(place, "migrate", "n") == []
