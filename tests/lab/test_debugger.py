# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A program that has come from the other ISA can be debugged: frames that were moved have their variables."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from tests.unit.toolchain.test_debugger import CXX, SUM, C, built, gdb
from transproc.cluster.job import Job
from transproc.cluster.local import LocalNode
from transproc.cluster.migration import Migration
from transproc.cluster.node import SshNode
from transproc.cluster.place import Place
from transproc.cluster.start import Program, start
from transproc.cluster.store import JobStore
from transproc.lab.rootfs import host_criu
from transproc.run import run
from transproc.transform.pipeline import carry

pytestmark = [pytest.mark.lab, pytest.mark.toolchain]


VARIABLES = ("info locals", "p mine", "p below", "p weight")
"""Of the frame of depth 1, in memory and, optimised, in registers."""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="comes from arm to this machine")
@pytest.mark.parametrize(
    ("source", "level"), [pytest.param(C, "-O0", marks=pytest.mark.nightly), (C, "-O2"), (CXX, "-O2")]
)
def test_moved_frames(source: Path, level: str, nodes: dict[str, SshNode], tmp_path: Path) -> None:
    if run([*host_criu(), "check"], check=False).returncode:
        pytest.skip("this machine's kernel, or its rights here, do not do for criu")
    program = built(source, level, tmp_path)
    lines = enumerate(source.read_text().splitlines(), 1)
    returning = next(number for number, line in lines if "return mine + below" in line)
    store, job = JobStore(tmp_path / "jobs"), Job(f"debugged{level.lower()}", "local", ["frames", "200"])
    here, there = Place(LocalNode(), job, criu_command=host_criu), Place(nodes["arm"], job)
    start(store, here, Program([str(program), "200"]))
    while b"here" not in here.read("stdout"):
        time.sleep(0.1)
    Migration(store, job, here, there, transform=carry).run()
    Migration(store, job, there, here, transform=carry).run()
    try:
        go = f"shell touch {here.data}/work/go"
        shown = gdb(
            f"file {program}.x86_64",
            f"attach {job.pid}",
            f"tbreak {source.name}:{returning}",
            go,
            "continue",
            "bt",
            *VARIABLES,
        )
    finally:
        here.kill(job.pid)
    assert re.search(rf"#0 +{SUM[source]} .*{source.name}:", shown)
    assert '"d1' in shown
    assert re.findall(r"\$[123] = .*", shown) == ["$1 = 206", "$2 = 5", "$3 = 202"]
