# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Directories for a while: they go with their process, and what a killed one leaves is found."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from transproc import scratch

MAKES = """
import sys, time
from transproc.scratch import Scratch
made = Scratch()
(made.path / "key").write_text("secret")
print(made.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def begin() -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", MAKES], stdin=-1, stdout=-1, text=True)
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def test_gone_when_left(tmp_path: Path) -> None:
    with scratch.Scratch() as place:
        assert place.parent == tmp_path
        assert place.stat().st_mode & 0o777 == 0o700
        (place / "file").write_text("x")
    assert not list(tmp_path.iterdir())


def test_gone_with_its_process(tmp_path: Path) -> None:
    process, place = begin()
    assert (place / "key").exists()
    process.communicate("")
    assert process.returncode == 0
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_is_removed_and_what_is_used_stays(tmp_path: Path) -> None:
    alive, used = begin()
    killed, left = begin()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert (left / "key").exists()
    with scratch.Scratch() as own:
        assert left in scratch.sweep()
        assert sorted(tmp_path.iterdir()) == sorted([used, own])
        assert (used / "key").exists()
    alive.communicate("")


def test_recover_removes_it(tmp_path: Path) -> None:
    killed, left = begin()
    killed.kill()
    killed.communicate()
    (nodes := tmp_path / "nodes.toml").write_text("")
    environment = {**os.environ, "TRANSPROC_STATE": str(tmp_path / "state"), "TRANSPROC_NODES": str(nodes)}
    subprocess.run([Path(sys.executable).with_name("transproc"), "recover"], env=environment, check=True)
    assert not left.exists()


def test_killed_before_it_was_locked(tmp_path: Path) -> None:
    new, old, other = (
        tmp_path / name for name in (".transproc.abcdefg0", ".transproc.abcdefg1", "transproc.notes")
    )
    for path in (new, old, other):
        path.mkdir()
    os.utime(old, (0, 0))
    scratch.sweep()
    assert sorted(tmp_path.iterdir()) == sorted([new, other])


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (tmp_path / "transproc.abcdefg0").symlink_to(mine)
    scratch.sweep()
    assert mine.is_dir()
