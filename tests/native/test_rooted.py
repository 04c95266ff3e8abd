# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A program that sees no /proc: criu makes a directory where it works, `proc.crtools`, while it dumps (criu/pie/parasite.c).

That is none of the job's files, and whoever finds it there cannot be dumped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.compiling import compiled
from tests.native.performing import begun, clearing
from transproc.cluster import operations
from transproc.cluster.files import JobFiles
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context
from transproc.cluster.place import Place
from transproc.cluster.watch import wait

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

INNER = "work/root/inner"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(Path(__file__).with_name("rooted.c"), tmp_path_factory.mktemp("programs"))


@pytest.fixture
def context(nodes: dict[str, SshNode], program: Path, tmp_path: Path) -> Iterator[Context]:
    with clearing(tmp_path / "state", nodes) as made:
        begun(made, "job", [program])
        yield made


def place_of(context: Context) -> Place:
    return context.places(context.store.load("job"))


def left(place: Place) -> str:
    return place.node.run(["ls", "-A", f"{place.data}/{INNER}"]).stdout.decode()


def expect_end(context: Context) -> None:
    place = place_of(context)
    assert left(place) == ""
    place.node.put_bytes(b"", f"{place.data}/{INNER}/go")
    assert wait(context.store, "job", context.places, 30).exit == "status 0"
    assert place.read("stdout") == b"begun\ndone\n"


def test_its_files_wait_for_criu(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as criu works, the directory may be among them."""
    seen: list[str] = []
    dump, send = Place.criu_dump, JobFiles.send

    def dumped(self: Place, *words: Any, **options: Any) -> Any:
        done = dump(self, *words, **options)
        seen.append("dumped")
        return done

    def sent(self: JobFiles) -> int:
        seen.append("sent")
        return send(self)

    monkeypatch.setattr(Place, "criu_dump", dumped)
    monkeypatch.setattr(JobFiles, "send", sent)
    operations.migrate(context, "job", "nb")
    assert seen == ["dumped", "sent"]
    expect_end(context)


def test_what_a_killed_criu_has_left_is_in_nobodys_way(context: Context) -> None:
    place = place_of(context)
    place.node.run(["mkdir", f"{place.data}/{INNER}/proc.crtools"])
    operations.migrate(context, "job", "nb")
    operations.migrate(context, "job", "na")
    expect_end(context)


def test_nor_does_it_stay_if_the_program_goes_on(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Place, *words: Any, **options: Any) -> Any:
        self.node.run(["mkdir", f"{self.data}/{INNER}/proc.crtools"])
        raise KeyboardInterrupt

    monkeypatch.setattr(Place, "criu_dump", fail)
    with pytest.raises(BaseException, match="runs on na again"):
        operations.migrate(context, "job", "nb")
    monkeypatch.undo()
    expect_end(context)
