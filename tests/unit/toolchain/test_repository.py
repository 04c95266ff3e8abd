# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sources by the name of a commit, from real repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from transproc.errors import TransprocError
from transproc.toolchain.debian import downloads
from transproc.toolchain.repository import Commit

URL = "https://example.invalid/authors/prog.git"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSPROC_HOME", str(tmp_path / "home"))


def git(repository: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return subprocess.check_output(["git", "-C", repository, *who, *words], text=True).strip()


@pytest.fixture
def clone(tmp_path: Path) -> tuple[Path, str]:
    """A repository, and the name of its first commit, after which there is another."""
    place = tmp_path / "clone"
    (place / "src/lib").mkdir(parents=True)
    (place / "src/lib/a.c").write_text("first")
    (place / "README").write_text("read")
    subprocess.run(["git", "init", "-q", place], check=True)
    git(place, "add", "."), git(place, "commit", "-qm", "first")
    name = git(place, "rev-parse", "HEAD")
    (place / "src/lib/a.c").write_text("second")
    git(place, "commit", "-qam", "second")
    return place, name


def test_files_of_a_commit(clone: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    place, name = clone
    monkeypatch.setenv("GIT_DIR", str(place / "nowhere"))  # as in a hook of git's
    monkeypatch.chdir(place.parent)
    directory = Commit(URL, name).directory("clone")
    assert (directory / "src/lib/a.c").read_text() == "first"
    assert not (directory / ".git").exists()
    assert Commit(URL, name).directory() == directory, "what is there is not fetched again"
    assert [path.name for path in downloads().iterdir()] == [f"prog-{name[:12]}"]


def test_a_directory_of_a_commit(clone: tuple[Path, str]) -> None:
    place, name = clone
    git(place, "config", "uploadpack.allowFilter", "true")
    directory = Commit(URL, name, "src/lib").directory(f"file://{place}")
    assert [path.name for path in directory.iterdir()] == ["a.c"]


@pytest.mark.parametrize("wrong", ["0" * 40, "a directory that is not there"])
def test_what_cannot_be_had(wrong: str, clone: tuple[Path, str]) -> None:
    place, name = clone
    commit = Commit(URL, wrong) if len(wrong) == 40 else Commit(URL, name, wrong)
    with pytest.raises(TransprocError, match="cannot be had") as caught:
        commit.directory(str(place))
    assert "--source REPOSITORY" in (caught.value.hint or "")
    assert not list(downloads().iterdir())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"git": URL, "commit": "main"}, "40 hex digits"),
        ({"git": "ext::sh -c id", "commit": "0" * 40}, "expected https"),
        ({"git": URL, "commit": "0" * 40, "path": "../.."}, "a directory of the repository"),
        ({"git": URL, "commit": "0" * 40, "path": "/etc"}, "a directory of the repository"),
    ],
)
def test_what_is_refused(table: dict[str, str], message: str) -> None:
    with pytest.raises(TransprocError, match=message):
        Commit.parse(table)
