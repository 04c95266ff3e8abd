# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Images of small processes pass through memory: for their owner alone, and only where there is room."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from transproc.cluster import passing
from transproc.cluster.store import JobStore


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the place of /dev/shm, where everybody may make directories."""
    path = tmp_path / "shm"
    path.mkdir()
    monkeypatch.setattr(passing, "SHARED", path)
    return path


def test_each_owner_of_records_has_a_place_of_its_own(shared: Path, tmp_path: Path) -> None:
    store = JobStore(tmp_path / "state")
    place = store.passing("j")
    assert place is not None and place.is_relative_to(shared)
    assert stat.S_IMODE((shared / f"transproc-{os.getuid()}").stat().st_mode) == 0o700
    assert len({place, store.passing("k"), JobStore(tmp_path / "other").passing("j")}) == 3


def test_images_are_forgotten_in_both_places(shared: Path, tmp_path: Path) -> None:
    store = JobStore(tmp_path / "state")
    places = [store.move("j"), store.passing("j")]
    for place in places:
        assert place is not None
        (place / "dump").mkdir(parents=True)
    store.forget_images("j")
    assert not any(place and place.exists() for place in places)


def test_no_place_that_is_anothers_or_too_small_is_used(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = shared / f"transproc-{os.getuid()}"
    (tmp_path / "mine").mkdir()
    top.symlink_to(tmp_path / "mine")  # anybody could have made that
    assert not passing.usable()
    top.unlink()
    top.mkdir(mode=0o755)
    assert not passing.usable()
    top.chmod(0o700)
    assert passing.usable()
    monkeypatch.setattr(passing, "ENOUGH", 1 << 60)
    assert not passing.usable()
    monkeypatch.setattr(passing, "SHARED", tmp_path / "missing")
    assert not passing.usable()
