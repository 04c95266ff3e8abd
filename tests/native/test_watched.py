# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What criu asks of a large program's mappings is told before that stops, and believed only if it is still true."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.native.performing import begun, context_of
from transproc.cluster import operations, preflight
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context
from transproc.cluster.place import PauseRequest, Place
from transproc.cluster.watch import wait
from transproc.images import kinds
from transproc.images.codec import read_image
from transproc.images.proto.memory_pb2 import MemoryMap
from transproc.process.criu import Options

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

NAME = "advising"
DONTDUMP = 16
"""MADV_DONTDUMP (asm-generic/mman-common.h)."""
OFTEN, SELDOM, NEVER = 300, 30_000, 0
"""Microseconds between its calls."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(Path(__file__).with_name("advising.c"), tmp_path_factory.mktemp("advising"))


@pytest.fixture
def context(nodes: dict[str, SshNode], tmp_path: Path) -> Iterator[Context]:
    made = context_of(tmp_path / "state", nodes)
    yield made
    operations.discard(made, NAME)


def place_of(context: Context) -> Place:
    return context.places(context.store.load(NAME))


@pytest.mark.parametrize("pause", [OFTEN, SELDOM])
@pytest.mark.parametrize("options", [Options(lazy=True), Options(precopy=True)], ids=lambda o: o.way)
def test_what_a_program_changes_meanwhile_is_not_lost(
    context: Context, program: Path, pause: int, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "WATCHED", 1 << 20)
    begun(context, NAME, [program, str(pause)])
    for hop in range(6):
        operations.migrate(context, NAME, "na" if hop % 2 else "nb", options=options)
    place = place_of(context)
    place.node.put_bytes(b"", f"{place.data}/work/go")
    wait(context.store, NAME, context.places, 30)
    assert place.read("stdout") == b"filled\nright\n"


class Stopped:
    """A program that changes nothing, and of which something was told."""

    def __init__(self, context: Context, program: Path, directory: Path) -> None:
        begun(context, NAME, [program, str(NEVER)])
        self.place, self.directory = place_of(context), directory
        self.pid = context.store.load(NAME).pid
        self.place.make_images()
        self.place.pause(self.pid, PauseRequest(watch=True))

    def say(self, script: str) -> None:
        """Changes what was told, by sed(1)."""
        self.place.node.run(["sed", "-i", script, f"{self.place.mappings}/{self.pid}"])

    def advised(self) -> list[bool]:
        """Of each mapping, as criu has dumped it, whether it was told of as the kernel does not tell of it."""
        self.place.criu_dump(self.pid, Options(withhold=True), watched=True)
        image = self.directory / "mm.img"
        image.write_bytes(self.place.node.run(["cat", f"{self.place.dump}/mm-{self.pid}.img"]).stdout)
        return [bool(vma.madv & 1 << DONTDUMP) for vma in read_image(image, kinds.MM).only(MemoryMap).vmas]


def test_it_is_given_to_criu(context: Context, program: Path, tmp_path: Path) -> None:
    stopped = Stopped(context, program, tmp_path)
    stopped.say("s/^VmFlags: .*/& dd/")
    assert all(stopped.advised())


def test_what_does_not_tell_of_the_mappings_as_they_are_is_not(
    context: Context, program: Path, tmp_path: Path
) -> None:
    stopped = Stopped(context, program, tmp_path)
    stopped.say("s/^VmFlags: .*/& dd/; 1s/^[0-9a-f]/f/")
    assert not all(stopped.advised())  # those of the kernel's own are
