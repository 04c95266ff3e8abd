# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is refused before the process is touched: one look at it, and at both nodes."""

from __future__ import annotations

import pytest

from tests.unit.cluster.fakes import FakeNode
from tests.unit.cluster.test_migration import World, world  # noqa: F401
from tests.writers.program import program
from transproc.errors import MigrationError

UNTOUCHED = "j was not touched: it runs on x86"


def refused(world: World, status: int) -> MigrationError:  # noqa: F811
    error = world.fails()
    assert error.exit_status == status
    assert error.hint
    assert UNTOUCHED in error.message
    assert world.runs_only_on(world.x86)
    assert not {"pause", "dump"} & set(world.x86.calls)
    assert not {"claim", "restore"} & set(world.arm.calls)
    return error


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["== status", "Pid:\t4711", "Seccomp:\t2"], "preflight: thread 4711 has a seccomp filter"),
        (["== descriptors", "5 ? 1 0 anon_inode:[io_uring]"], "has opened io_uring"),
        (["== maps", "1000000000000-1000000001000 rw-p 0 00:00 0 "], "beyond aarch64's address limit"),
    ],
)
def test_what_cannot_be_moved(world: World, lines: list[str], message: str) -> None:  # noqa: F811
    world.x86.proc = lines
    assert message in refused(world, 3).message


def test_several_problems(world: World) -> None:  # noqa: F811
    world.x86.executable = "/bin/sleep"
    world.x86.proc = ["== status", "Pid:\t4711", "Seccomp:\t2"]
    head, *rest = refused(world, 3).message.splitlines()
    assert "executes /bin/sleep" in head
    assert head.endswith(UNTOUCHED)
    assert rest == ["  thread 4711 has a seccomp filter, which is bound to one ISA's system-call numbers"]


@pytest.mark.parametrize("name", ["x86", "arm"])
def test_pages_of_another_size(world: World, name: str) -> None:  # noqa: F811
    node(world, name).page = 64
    assert f"node {name}: has pages of 65536 bytes, expected 4096" in refused(world, 3).message


def test_a_processor_that_lacks_something(world: World) -> None:  # noqa: F811
    path = world.store.pair("j") / "prog.aarch64"
    path.write_bytes(program("aarch64", "asimd\natomics\n"))
    error = refused(world, 3)
    assert "node arm: its processor lacks atomics, which the program was compiled for" in error.message


def test_no_memory(world: World) -> None:  # noqa: F811
    world.arm.memory = 10
    world.x86.memory = 0
    world.x86.proc = ["== status", "RssAnon:\t11 kB"]
    message = "node arm: 10.2 kB of memory are available, the processes have 11.3 kB"
    assert message in str(refused(world, 1))


@pytest.mark.parametrize("name", ["x86", "arm"])
def test_no_room(world: World, name: str) -> None:  # noqa: F811
    node(world, name).free = 10
    world.x86.proc = ["== status", "RssAnon:\t11 kB"]
    assert f"node {name}: 10.2 kB are free in /var/lib/transproc, the image needs 11.3 kB" in str(
        refused(world, 1)
    )


def test_a_kernel_with_fewer_bits_of_addresses(world: World) -> None:  # noqa: F811
    """The kernel's own mappings are made anew where the ISA changes."""
    world.arm.space = 39
    world.x86.proc = ["== maps", "7ffc00000000-7ffc00001000 rw-p 0 00:00 0 [stack]"]
    world.migration().run()
    assert world.runs_only_on(world.arm)


def test_mappings_beyond_the_addresses_of_the_targets_kernel(world: World) -> None:  # noqa: F811
    world.arm.space = 39
    world.x86.proc = ["== maps", "2aaaaaaab000-2aaaaaaac000 rw-p 0 00:00 0 "]
    expected = "has a mapping at 0x2aaaaaaab000, node arm has addresses of 39 bits"
    assert expected in refused(world, 3).message


def test_a_node_that_tells_nonsense_of_its_addresses(world: World) -> None:  # noqa: F811
    world.arm.space = 10**9
    assert "space is 1000000000" in world.fails().message


def test_a_file_that_the_target_lacks(world: World) -> None:  # noqa: F811
    world.x86.proc = ["== directory", "/srv/data"]
    assert "node arm: the program uses /srv/data, which is not there" in refused(world, 1).message
    world.arm.sizes["/srv/data"] = 4096
    world.migration().run()
    assert world.runs_only_on(world.arm)


def test_a_file_of_another_size(world: World) -> None:  # noqa: F811
    world.x86.proc = ["== descriptors", "5 - 1 100 /etc/words"]
    world.arm.sizes["/etc/words"] = 99
    assert "has opened /etc/words: expected 100 bytes, found 99" in refused(world, 1).message


def node(world: World, name: str) -> FakeNode:  # noqa: F811
    return {"x86": world.x86, "arm": world.arm}[name]


def test_capabilities_that_the_target_lacks(world: World) -> None:  # noqa: F811
    world.arm.capabilities = 0x1FFFEFFFFFF
    world.x86.proc = ["== status", "CapInh:\t0000000000000000", "CapPrm:\t000001ffffffffff"]
    assert "node arm: cannot give the program what it has: cap_sys_resource;" in refused(world, 1).message
