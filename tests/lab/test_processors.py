# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""To a machine of the same ISA whose processor has less, and back: what the C library asks the processor, it asks anew, and
registers that only one of the two has are no obstacle.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.guests import newest_processors, older_processors
from transproc import log
from transproc.cluster import operations
from transproc.cluster.job import Job
from transproc.cluster.node import SshNode, read
from transproc.cluster.operations import Context
from transproc.cluster.place import Place
from transproc.cluster.rehearsal import Plan, Rehearsal
from transproc.cluster.start import Program
from transproc.cluster.store import JobStore
from transproc.cluster.watch import wait
from transproc.lab.lab import Lab
from transproc.run import output
from transproc.toolchain.driver import execute
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain
from transproc.transform import pipeline

pytestmark = [pytest.mark.lab, pytest.mark.toolchain, pytest.mark.nightly]

SOURCES = Path(__file__).parents[1] / "unit" / "toolchain" / "programs"
SITES = (3, 70, 900, 11, 5000, 40)
"""Before each migration, which alternate in their direction."""
MORE = {"x86": {"avx2", "fma", "xsave"}, "arm": {"paca", "pacg"}}
"""What the newest has and the older one has not."""


@contextmanager
def named(directory: Path, kind: str) -> Iterator[dict[str, SshNode]]:
    """The lab's machines, started as they are now; their names begin with the kind."""
    lab = Lab(directory)
    try:
        lab.up(kvm=False)
        listed = lab.directory / "named.toml"
        text = (lab.directory / "nodes.toml").read_text()
        listed.write_text(text.replace("[", f"[{kind}-"))
        found = {node.name.removeprefix(f"{kind}-"): node for node in read(listed)}
        yield found
        for node in found.values():
            node.close()
    finally:
        lab.down()


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, SshNode]]:
    with newest_processors(), named(tmp_path_factory.mktemp("newest"), "newest") as found:
        yield found


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, SshNode]]:
    with older_processors(), named(tmp_path_factory.mktemp("older"), "older") as found:
        yield found


def _has(node: SshNode) -> set[str]:
    lines = node.output(["cat", "/proc/cpuinfo"]).splitlines()
    return set(next(line for line in lines if line.startswith(("flags", "Features"))).split())


@pytest.mark.parametrize("program", ["strings", "memory", "numbers"])
@pytest.mark.parametrize("isa", MORE)
def test_results_are_the_same_where_the_processor_has_less(
    isa: str, program: str, newest: dict[str, SshNode], older: dict[str, SshNode], tmp_path: Path
) -> None:
    assert _has(newest[isa]) >= MORE[isa]
    assert not _has(older[isa]) & MORE[isa]
    binary = _compiled(program, tmp_path)
    context = _context({node.name: node for node in (newest[isa], older[isa])}, tmp_path)
    names = [newest[isa].name, older[isa].name]
    verdict = Rehearsal(context, Program([str(binary)]), names, plan=Plan(at=SITES)).run()
    assert verdict.passed and len(verdict.hops) == len(SITES), verdict


@pytest.mark.parametrize("isa", MORE)
def test_a_checkpoint_goes_on_where_it_was_made(isa: str, newest: dict[str, SshNode], tmp_path: Path) -> None:
    binary, node = _compiled("strings", tmp_path), newest[isa]
    context = _context({node.name: node}, tmp_path)
    operations.run(context, Program([str(binary)]), node.name, name="kept", pause_at="main")
    operations.pause(context, "kept", count=SITES[-2])
    taken = operations.checkpoint(context, "kept", tmp_path / "to", end=True)
    operations.kill(context, "kept", remove=True)
    operations.restart(context, taken.path, node.name)
    job = wait(context.store, "kept", context.places, 60)
    assert (job.exit, context.places(job).read("stdout").decode()) == ("status 0", output([str(binary)]))
    operations.kill(context, "kept", remove=True)


def _compiled(program: str, directory: Path) -> Path:
    binary = directory / program
    words = ["-std=gnu11", "-O2", str(SOURCES / f"{program}.c"), "-lm", "-o", str(binary)]
    execute(parse(words), toolchain())
    return binary


def _context(nodes: dict[str, SshNode], directory: Path) -> Context:
    def place_of(job: Job, node: str | None = None) -> Place:
        return Place(nodes[node or job.node], job)

    return Context(JobStore(directory / "jobs"), place_of, pipeline.carry, log)
