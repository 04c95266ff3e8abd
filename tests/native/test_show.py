# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What `transproc show` says of a stack, as it was dumped, and when its frames are records."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.native.performing import begun, context_of, onto_itself
from tests.unit.toolchain.test_debugger import CXX, SOURCES, built
from transproc.cluster import operations
from transproc.cluster.node import SshNode
from transproc.cluster.start import Program
from transproc.controller import looks
from transproc.isa import ALL

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

NAME = "shown"
SUM = "_ZN5trees4TreeIlE3sumEilR5point"


Frame = tuple[str, str, list[dict[str, Any]]]
"""Function, line, values."""


def shown(
    nodes: dict[str, SshNode], tmp_path: Path, program: Path, *arguments: str
) -> tuple[list[Frame], list[Frame]]:
    """The stack of a program that has said something, as it was dumped, and when it was transformed."""
    context = context_of(tmp_path / "state", nodes)
    operations.run(context, Program([str(program), *arguments]), "na", name=NAME)
    try:
        place = context.places(context.store.load(NAME))
        while not place.read("stdout"):
            time.sleep(0.01)
        operations.dump(context, NAME)
        dumped = looks.job(context.store, NAME).data["stacks"][0]
        other = next(isa for isa in ALL if isa.name != dumped["isa"])
        operations.transform(context, NAME, other.name)
        moved = looks.job(context.store, NAME).data["stacks"][0]
        assert "stack objects" in looks.job(context.store, NAME).text
    finally:
        operations.discard(context, NAME)
    assert moved["isa"] == other.name
    assert {frame["kind"] for frame in moved["frames"]} <= {"record", "system call"}
    before, after = (
        [(f["function"], f["line"], f["values"]) for f in one["frames"]] for one in (dumped, moved)
    )
    return before, after


def values(frames: list[Frame], function: str) -> dict[str, tuple[str, str]]:
    """Of the innermost frame of a function: types and values by name."""
    found = next(values for name, _, values in frames if name == function)
    return {value["name"]: (value["type"], value["value"]) for value in found}


def test_frames_keep_names_lines_and_values(nodes: dict[str, SshNode], tmp_path: Path) -> None:
    before, after = shown(nodes, tmp_path, built(CXX, "-O2", tmp_path), "200")
    assert before == after
    innermost = next(i for i, frame in enumerate(before) if frame[0] == "_ZL9innermosti")
    assert [frame[0] for frame in before[innermost + 1 : innermost + 5]] == [SUM] * 4
    assert all(f"{CXX.name}:" in frame[1] for frame in before[innermost : innermost + 5])
    named = [{value["name"]: value["value"] for value in values} for _, _, values in before]
    assert [names["weight"] for names in named if "weight" in names] == ["202", "201", "200"]
    assert [names["label"] for names in named if "label" in names] == ['"d0"', '"d1"', '"d2"', '"d3"']
    assert values(before, "main")["tree"] == ("Tree<long>", "{calls = 4}")
    (point,) = (value for value in before[innermost + 5][2] if value["name"] == "p")
    assert (point["type"], point["value"], point["size"]) == ("point", "{x = 5.5, y = 2.0}", 16)


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_variables_in_memory(nodes: dict[str, SshNode], tmp_path: Path, level: str) -> None:
    """Of all kinds of types, of an inlined function, and of the block that is executed of two that share their memory."""
    before, after = shown(nodes, tmp_path, built(SOURCES / "variables.c", level, tmp_path), "say")
    if level == "-O0":
        assert before == after
    for frames in (before, after):
        names = values(frames, "types")
        (node,) = (value for _, _, found in frames for value in found if value["name"] == "node")
        assert (node["type"], node["size"]) == ("node", 40) and re.fullmatch(
            rf"{{next = {node['address']:#x}, name = 0x\w+, weight = 2.5, color = RED \(-1\), low = 5, high = -3,"
            r" word = {whole = 16909060, bytes = .*}}",
            node["value"],
        )
        assert names["text"] == ("char[9]", r'"say \x22hi\x22"')
        assert names["table"] == ("char[3][4]", '{"abc", "de", "f"}')
        if level == "-O0":  # else DWARF knows them as constants, or not at all
            assert names["letter"] == ("char", "120 'x'")
            assert (names["yes"], names["small"]) == (("_Bool", "true"), ("float", "0.5"))
        assert names["aligned"] == ("unsigned short[3]", "{1, 2, 65535}")
        assert names["many"][1].startswith("{3, 2, 1, 0, -1," if level == "-O0" else "at 0x")
        squares = values(frames, "inlined" if level == "-O0" else "types")["squares"]
        assert squares == ("long[20]", "{0, 11, 44, 99, 176, 275, 396, 539, …}")
        around = values(frames, "places")
        assert around["one"] == ("char[32]", '"one"') and "two" not in around


def test_variables_of_frames_that_were_resumed(nodes: dict[str, SshNode], tmp_path: Path) -> None:
    """Those of the innermost functions are frames of resume entries then, whose objects are where their records say."""
    program = built(SOURCES / "variables.c", "-O0", tmp_path)
    context = replace(context_of(tmp_path / "state", nodes), transform=onto_itself)
    seen: list[list[dict[str, Any]]] = []
    begun(context, NAME, [program, "say"])
    try:
        for node in ("nb", "na"):
            operations.migrate(context, NAME, node)
            time.sleep(0.3)  # it sleeps again: a frame of its own
            operations.dump(context, NAME)
            (stack,) = looks.job(context.store, NAME).data["stacks"]
            seen.append(stack["frames"])
            operations.resume(context, NAME)
    finally:
        operations.discard(context, NAME)
    kinds = {frame["function"]: frame["kind"] for frame in seen[0]}
    assert (kinds["wait_here"], kinds["inlined"], kinds["types"]) == ("frame", "record", "record")
    for frames in seen:
        found = [(f["function"], f["line"], f["values"]) for f in frames if f["line"]]
        assert values(found, "inlined")["squares"][1].startswith("{0, 11, 44,")
        assert values(found, "wait_here")["turn"][1] == "7"
        assert values(found, "types")["text"] == ("char[9]", r'"say \x22hi\x22"')
