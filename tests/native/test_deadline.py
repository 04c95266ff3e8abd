# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A criu that hangs is ended, and the program goes on where it was."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.nodes import NativeNodes, Setting
from transproc.cluster.events import Silent
from transproc.cluster.job import Job, State
from transproc.cluster.look import Liveness
from transproc.cluster.migration import Migration
from transproc.cluster.node import DATA, SshNode, read
from transproc.cluster.operations import Context, discard
from transproc.cluster.place import Place
from transproc.cluster.start import Program, start
from transproc.cluster.store import JobStore
from transproc.errors import MigrationError
from transproc.lab.rootfs import host_criu
from transproc.process.criu import Options
from transproc.transform import pipeline

pytestmark = [pytest.mark.native, pytest.mark.toolchain]


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[tuple[Path, dict[str, SshNode]]]:
    """Nodes whose criu first does all its work, then hangs, in the step that is named in the file."""
    step, script = tmp_path / "step", tmp_path / "criu"
    script.write_text(
        f"""#!/bin/sh
if [ -e {step} ] && [ "$1" = "$(cat {step})" ]; then {shlex.join(host_criu())} "$@"; sleep 1000; fi
exec {shlex.join(host_criu())} "$@"
"""
    )
    script.chmod(0o755)
    with NativeNodes(tmp_path / "nodes", Setting(criu=[str(script)])) as machines:
        nodes = {node.name: node for node in read(machines.configuration)}
        yield step, nodes
        for node in nodes.values():
            node.close()


@pytest.mark.parametrize("step", ["dump", "restore"])
def test_a_hanging_criu(
    hanging: tuple[Path, dict[str, SshNode]], counter: Path, tmp_path: Path, step: str
) -> None:
    flag, nodes = hanging
    store, job = JobStore(tmp_path / "jobs"), Job("slow", "na", ["counter", "100000", "5000"])

    def place_of(job: Job, name: str | None = None) -> Place:
        return Place(nodes[name or job.node], job)

    start(store, place_of(job), Program([str(counter), *job.argv[1:]]))
    try:
        flag.write_text(step)
        begin = time.monotonic()
        migration = Migration(
            store,
            job,
            place_of(job),
            place_of(job, "nb"),
            transform=pipeline.carry,
            options=Options(deadline=1.5),
        )
        with pytest.raises(MigrationError, match=f"{step}: .* runs on na again") as raised:
            migration.run()
        assert "no end within 1.5 s" in raised.value.message
        assert time.monotonic() - begin < 15
        assert (job.state, job.node, job.target) == (State.RUNNING, "na", None)
        assert place_of(job).liveness(job.pid) is Liveness.RUNNING
        assert place_of(job, "nb").liveness(job.pid) is Liveness.GONE
        for node in nodes.values():
            assert "sleep 1000" not in node.output(["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"])
        assert not nodes["nb"].exists(DATA / "jobs" / "slow")
        flag.unlink()
        Migration(store, job, place_of(job), place_of(job, "nb"), transform=pipeline.carry).run()
        assert place_of(job, "nb").liveness(job.pid) is Liveness.RUNNING
    finally:
        discard(Context(store, place_of, pipeline.carry, Silent()), job.name)
