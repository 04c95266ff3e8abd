# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plans as files: what they mean in either format, and what is said of those that mean nothing."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from transproc.automation.plans import conditions, drawing, lines, planning, reading, replay, seed
from transproc.automation.plans.check import Follower
from transproc.automation.plans.model import Kind, NodeChoice, Parallel, Plan, Repeat, Step, Verb, steps_of
from transproc.automation.plans.nodes import Chooser
from transproc.automation.plans.reading import Problem
from transproc.automation.plans.records import PlanRecord, StepRecord
from transproc.cluster import duration
from transproc.cluster.description import Description
from transproc.errors import FormatError, NodeError, TransprocError

HOSTS = '"hosts": {"x86-64": {"ip": "10.0.0.8", "hostname": "a.b", "user": "root"}, "aarch64": {"ip": "10.0.0.16"}}'
SEED = (
    "{\n"
    + HOSTS
    + """,
"bin": "bt",
"instructions": {
  "1": {"type": "run", "command": "which python3", "host": "aarch64"},
  "2": {"type": "run_and_infect", "addr": "0x50146f", "host": "x86-64"},
  "3": {"type": "dump", "host": "x86-64"},
  "4": {"type": "transform", "host": "x86-64", "target": "aarch64"},
  "5": {"type": "restore", "host": "aarch64"},
  "6": {"type": "restore_and_infect", "addr": "50193f", "host": "aarch64"},
  "7": {"type": "copy_to_target", "target": "aarch64", "host": "x86-64"}
},
"execution": [{"freq": 1, "sequence": ["1", "2", "3", "4", "7", "6"]}, {"freq": -1, "sequence": ["1"]}]
}
"""
)
TOUR = """\
[nodes]
fast = "x86"
cheap = { isa = "aarch64" }

[jobs.bt]
program = "bt"
arguments = ["S"]

[steps]
back = { migrate = "bt", to = "fast", when = "load of fast is below 0.2" }

[[sequence.main]]
run = "bt"
on = "fast"
at = "adi"

[[sequence.main]]
do = "tour"
repeat = 3
until = "bt has ended"

[[sequence.main]]
together = [["back"], [{ command = "uptime", on = "cheap", after = "10m" }]]

[[sequence.tour]]
migrate = "bt"
to = "cheap"
when = ["load of fast above 0.8", "memory of cheap > 20%"]
within = "1h30m"
otherwise = "skip"
"""


def understood(text: str, name: str = "plan.toml") -> tuple[Plan, list[Problem]]:
    return planning.read(reading.parse(Path("/p", name), text))


def wrong(text: str, name: str = "plan.toml") -> list[str]:
    """Every problem, as it is shown."""
    plan, problems = understood(text, name)
    follower = Follower(plan, {"x86-64": "x86", "aarch64": "arm", "fast": "x86", "cheap": "arm"}, ISAS)
    follower.follow()
    return [str(problem) for problem in reading.in_order([*problems, *follower.problems])]


ISAS = {"x86": "x86_64", "arm": "aarch64"}


def test_the_first_implementations_file() -> None:
    plan, problems = understood(SEED, "config.json")
    assert problems == []
    assert (plan.nodes["x86-64"].address, plan.nodes["aarch64"].isa) == ("10.0.0.8", "aarch64")
    first, second = plan.main
    assert isinstance(first, Repeat) and isinstance(second, Repeat)
    assert (first.times, second.times) == (1, None)
    verbs = [Verb.COMMAND, Verb.RUN, Verb.DUMP, Verb.TRANSFORM, Verb.SHIP, Verb.RESTORE]
    found = [item for item in first.body if isinstance(item, Step)]
    assert [step.verb for step in found] == verbs
    assert [step.line for step in found] == [5, 6, 7, 8, 11, 10]
    assert (found[1].at, found[5].at, found[5].on) == ("0x50146f", "50193f", "aarch64")
    assert plan.jobs["bt"].path == Path("/p/bt")
    assert wrong(SEED, "config.json") == []


def test_one_without_hosts() -> None:
    """As the oldest of these files are."""
    assert wrong(SEED.replace(HOSTS + ",", ""), "config.json") == []


def test_keys_that_were_not_looked_at_are_not_an_error() -> None:
    assert wrong(SEED.replace('"bin"', '"comment": "x", "bin"'), "config.json") == [
        "line 3: note: 'comment' is not looked at"
    ]


def test_all_that_is_wrong_with_such_a_file() -> None:
    text = (
        SEED.replace('"addr": "0x50146f", ', "")
        .replace('"dump"', '"dumb"')
        .replace('"target": "aarch64"}', '"target": "arm"}')
    )
    text = text.replace('"freq": 1', '"freq": true').replace('"7", "6"', '"7", "6", "9", null')
    assert wrong(text, "config.json") == [
        "line 6: addr is missing",
        f"line 7: unknown type 'dumb' (expected {', '.join(seed.TYPES)})",
        "line 8: unknown target 'arm' (expected x86-64 or aarch64)",
        "line 13: freq cannot be True, expected a whole number",
        "line 13: there is no instruction '9'",
        "line 13: there is no instruction None",
    ]


@pytest.mark.parametrize(
    ("sequence", "problem"),
    [
        (["3"], "line 7: step 3: dump: bt has not been started (a step before this one has to run it)"),
        (["2", "4"], "line 8: step 4: transform: bt is paused then, and has to be dumped first"),
        (["2", "3", "7"], "line 11: step 7: ship: bt is dumped then, and has to be transformed first"),
        (["2", "3", "5"], "line 9: step 5: restore: bt has to be transformed for aarch64 first"),
        (["2", "3", "4", "7", "5", "3"], "line 7: step 3: dump: bt is on aarch64 then, not on x86-64"),
    ],
)
def test_an_order_that_cannot_be(sequence: list[str], problem: str) -> None:
    data = json.loads(SEED)
    lines_of = SEED.splitlines()
    lines_of[12] = '"execution": ' + json.dumps([{"freq": 1, "sequence": sequence}])
    assert wrong("\n".join(lines_of), "config.json")[0] == problem
    assert data["bin"] == "bt"


def test_restored_where_the_image_is_not_for() -> None:
    """As in the example that came with the first implementation."""
    text = SEED.replace('"restore", "host": "aarch64"', '"restore", "host": "x86-64"').replace(
        '"7", "6"', '"5"'
    )
    assert wrong(text, "config.json") == [
        "line 9: step 5: restore: bt is on x86-64 then",
        "line 9: step 5: restore: the image is for aarch64 then, and x86-64 is x86_64",
    ]


def test_a_plan_in_toml() -> None:
    plan, problems = understood(TOUR)
    assert problems == []
    run, tour, both = plan.main
    assert isinstance(run, Step) and (run.verb, run.job, run.on, run.at) == (Verb.RUN, "bt", "fast", "adi")
    assert isinstance(tour, Repeat) and (tour.times, tour.until[0].kind) == (3, Kind.ENDED)
    (migrate,) = tour.body
    assert isinstance(migrate, Step) and migrate.gate.skip and migrate.gate.within == 5400
    assert [condition.limit for condition in migrate.gate.when] == [0.8, 0.2]
    assert isinstance(both, Parallel) and len(both.branches) == 2
    (command,) = steps_of(both.branches[1])
    assert (command.command, command.gate.after) == ("uptime", 600)
    assert wrong(TOUR) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('on = "fast"', 'onn = "fast"', "line 14: unknown key 'onn' (did you mean on?)"),
        (
            'run = "bt"',
            'rum = "bt"',
            "line 12: what is to be done is missing (expected one of run, command, ",
        ),
        ('run = "bt"', 'run = "bt"\ndump = "bt"', "line 12: a step does one thing, not run and dump"),
        ('run = "bt"', 'run = "cg"', "line 12: there is no job cg ([jobs.cg] describes it)"),
        ('do = "tour"', 'do = "tours"', "line 18: there is no step or sequence 'tours'"),
        ('migrate = "bt"\nto', 'do = "main"\nto', "sequence cannot be a part of itself: main → tour → main"),
        ('"1h30m"', '"1x"', "line 29: within: '1x' is no duration"),
        ("within", "withim", "line 29: unknown key 'withim' (did you mean within?)"),
        ('"load of fast above 0.8"', '"load high"', "'load high' is no condition"),
        ("> 20%", "> 20", "memory is told in percent"),
        ('"bt has ended"', '"bt enters adi"', "until: 'bt enters adi' is nothing that lasts"),
        ('{ isa = "aarch64" }', '{ isa = "arm64" }', "line 3: there is no ISA 'arm64'"),
        ('[["back"]', '[["back", "back"]', ""),
        ("[{ command", '["back", { command', "bt is in two branches at the same time"),
        ("[jobs.bt]", '[jobs."B T"]', "line 5: job name 'B T': expected lower-case letters"),
        ('program = "bt"', f'program = "{"b" * 300}"', "is no name that a file can have"),
        (
            'program = "bt"',
            'program = "~nobody-of-that-name/bt"',
            "line 6: program: '~nobody-of-that-name/bt': ",
        ),
        ("repeat = 3", "repeat = -1", 'line 19: repeat cannot be -1 (for ever is "forever")'),
        ("sequence.main", "sequence.first", "there is no sequence main"),
    ],
)
def test_what_is_wrong_in_toml(old: str, new: str, problem: str) -> None:
    found = "\n".join(wrong(TOUR.replace(old, new)))
    assert problem in found
    assert problem or not found or "is on" in found


def test_a_short_file_that_would_be_endless() -> None:
    """Each sequence ten times the one before."""
    parts = ['[jobs.j]\nprogram = "j"\n[[sequence.s0]]\nrun = "j"\non = "a"\n']
    for number in range(1, 30):
        names = ", ".join([f'"s{number - 1}"'] * 10)
        parts.append(f"[[sequence.{'main' if number == 29 else f's{number}'}]]\ndo = [{names}]\n")
    plan, problems = understood("".join(parts))
    assert any("more than 10000 steps" in str(problem) for problem in problems)
    assert plan.main == ()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "{", "line 1: not valid JSON"),
        ("a.json", "[]", "expected a table"),
        ("a.json", '{"a": NaN}', "NaN is no number"),
        ("a.json", '{"a": 1' + "0" * 5000 + "}", "not valid"),
        ("a.json", '{"a":' * 100 + "1" + "}" * 100, "nested deeper than 64 levels"),
        ("a.json", "[" * 100_000, "nested deeper than 64 levels"),
        ("a.toml", "a = ", "not valid TOML"),
        ("a.toml", "a = " + "[" * 100 + "]" * 100, "nested deeper than 64 levels"),
        ("a.txt", "", "is of no known kind"),
    ],
)
def test_no_plan_at_all(name: str, text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        reading.parse(Path(name), text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TransprocError, match=r"config\.json: No such file"):
        reading.load(tmp_path)
    (tmp_path / "plan.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(FormatError, match="is not UTF-8: byte 5"):
        reading.load(tmp_path)
    (tmp_path / "config.json").write_bytes(b" " * (reading.LARGEST_FILE + 1))
    with pytest.raises(FormatError, match="is larger than"):
        reading.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1h30m", 5400), ("500ms", 0.5), ("1.5 h", 5400), ("2d", 172800)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration.seconds(text) == seconds
    assert duration.seconds(duration.spoken(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "m", "-3", "1h 2x", "9999d", "1e3", "١s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(TransprocError):
        duration.seconds(text)


@pytest.mark.parametrize(
    "text",
    ["the load of a is above 3", "load of a < 0.5", "memory of a.b below 20%", "j enters f", "j prints x y"],
)
def test_conditions(text: str) -> None:
    assert conditions.parse(text).subject in ("a", "a.b", "j")


def test_a_job_that_is_to_be_started_has_not_ended() -> None:
    """Though an earlier one of that name may have."""
    watch = conditions.Watch(None, None, lambda name: None, None)  # type: ignore[arg-type]
    assert not watch.holds(conditions.parse("j has ended"))
    assert not watch.holds(conditions.parse("j prints x"))


def test_drawings_show_every_step() -> None:
    plan, _ = understood(TOUR)
    nodes = {"fast": "x86", "cheap": "arm"}
    tree = "\n".join(drawing.text(plan, nodes))
    picture = drawing.svg(plan, nodes)
    for step in steps_of(plan.main):
        assert step.title in tree
    assert "├─ 3 times, or until bt has ended" in tree
    assert "(within 1h30m), else left out" in tree
    assert picture.count("<circle") + picture.count("<rect") == 1 + 4
    assert "<script" not in drawing.svg(understood(TOUR.replace("uptime", "<script>"))[0], nodes)


# --- fuzzing ---

PLAIN: Any = st.recursive(
    st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.text(max_size=12)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
WORDS = st.sampled_from(
    [
        "bt",
        "x86-64",
        "aarch64",
        "run",
        "dump",
        "do",
        "together",
        "main",
        "tour",
        "0x1",
        "10m",
        "load of x86 above 1",
        "",
    ]
)
KEYS = st.sampled_from(
    "hosts bin instructions execution type host addr target command freq sequence plan nodes jobs steps main program "
    "arguments env run do together repeat until when within after otherwise on to at 1 2".split()
)
LIKE_PLANS: Any = st.recursive(
    WORDS | st.booleans() | st.integers(-3, 3) | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=30,
)


def paths(value: Any, path: lines.Path = ()) -> Iterator[lines.Path]:
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from paths(inner, (*path, key))


@settings(max_examples=60)
@given(st.dictionaries(st.text(max_size=8), PLAIN, max_size=5), st.sampled_from([None, 1]))
def test_every_value_of_json_has_a_line(data: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(data, indent=indent)
    found = lines.json_lines(text)
    assert set(found) == set(paths(data))
    assert max(found.values()) <= text.count("\n") + 1


@settings(max_examples=60)
@given(st.dictionaries(st.text(max_size=8), PLAIN, max_size=5))
def test_every_value_of_toml_has_a_line(data: dict[str, Any]) -> None:
    text = tomlkit.dumps(data).replace("\r\n", "\n")
    found = lines.toml_lines(text)
    assert set(found) >= set(paths(tomllib.loads(text)))


def test_lines_of_toml_are_those_of_its_keys() -> None:
    text = """# x
a.b = '''

''' # [no]

[[t."u v"]]
k = [
  1, # one
  { l = 2, m = '#' },
]
[[t.'u v']]
k = \"\"\"a\\\"\"\"\"
[t.w]
"""
    found = lines.toml_lines(text)
    assert found == {
        (): 1,
        ("a",): 2,
        ("a", "b"): 2,
        ("t",): 6,
        ("t", "u v"): 6,
        ("t", "u v", 0): 6,
        ("t", "u v", 0, "k"): 7,
        ("t", "u v", 0, "k", 0): 8,
        ("t", "u v", 0, "k", 1): 9,
        ("t", "u v", 0, "k", 1, "l"): 9,
        ("t", "u v", 0, "k", 1, "m"): 9,
        ("t", "u v", 1): 11,
        ("t", "u v", 1, "k"): 12,
        ("t", "w"): 13,
    }


@settings(max_examples=100)
@given(st.dictionaries(KEYS, LIKE_PLANS, max_size=6))
def test_whatever_is_in_a_config_json(data: dict[str, Any]) -> None:
    wrong(json.dumps(data), "config.json")


@settings(max_examples=100)
@given(st.dictionaries(KEYS, LIKE_PLANS, max_size=6))
def test_whatever_is_in_a_plan(data: dict[str, Any]) -> None:
    """TOML has no null. Steps are also tried in sequences."""
    whole = json.loads(json.dumps(data).replace("null", "0"))
    for text in (tomlkit.dumps(whole), tomlkit.dumps({**whole, "sequence": {"main": whole.get("steps", 0)}})):
        wrong(text)


@given(st.text(max_size=60))
def test_whatever_is_in_a_file(text: str) -> None:
    for name in ("a.json", "a.toml"):
        try:
            planning.read(reading.parse(Path(name), text))
        except FormatError:
            continue


# --- replay ---


def test_a_log_becomes_a_plan() -> None:
    def done(number: int, place: str, after: float, result: str = "done") -> StepRecord:
        return StepRecord(number, place, 1, "", "", None, 100.0 + after, 200.0, result, "")

    record = PlanRecord(1, "tour", "/p/tour.toml", TOUR, {}, 100.0, 200.0, "done", "")
    steps = [
        done(1, "1", 0.5),
        done(2, "2#1.1", 2.0, "skipped"),
        done(3, "2#2.1", 3.0),
        done(4, "3/1.1", 9.0),
        done(5, "3/2.1", 8.0),
    ]
    (both,) = replay.plan_of(record, steps).main
    assert isinstance(both, Parallel)
    lanes = [[(step.title, step.gate.since) for step in steps_of(branch)] for branch in both.branches]
    assert lanes == [
        [("run bt on fast, to adi", 0.5), ("migrate bt to cheap", 3.0), ("migrate bt to fast", 9.0)],
        [("on cheap: uptime", 8.0)],
    ]
    for place in ("4", "0", "2", "2#1.2", "3/3.1", "x", "1..1", ""):
        with pytest.raises(TransprocError, match="there is no step at"):
            replay.plan_of(record, [done(1, place, 0.0)])
    with pytest.raises(TransprocError, match="no step of it was done"):
        replay.plan_of(record, steps[1:2])


# --- nodes ---


class Nodes:
    """A host whose nodes have ISAs, or do not answer."""

    def __init__(self, **isas: str | None) -> None:
        self.isas = isas

    def names(self) -> list[str]:
        return list(self.isas)

    def node(self, name: str) -> Any:
        if self.isas[name] is None:
            raise NodeError(name, "does not answer")
        return SimpleNamespace(isa=self.isas[name])

    def description(self, name: str) -> Description:
        return Description(frozenset({"cheap"} if name == "pi" else set()))


def chosen(choice: NodeChoice, nodes: Nodes, **mapping: str) -> str:
    chooser = Chooser(nodes, mapping)  # type: ignore[arg-type]
    found = chooser._find(choice)
    return found or str(chooser.problems[0])


def test_nodes_are_found_by_what_they_are() -> None:
    nodes = Nodes(local="x86_64", x86="x86_64", arm="aarch64", pi="aarch64")
    assert chosen(NodeChoice("a", 1, isa="x86_64"), nodes) == "x86"
    assert chosen(NodeChoice("a", 1, isa="aarch64", label="cheap"), nodes) == "pi"
    assert chosen(NodeChoice("a", 1, isa="aarch64"), nodes, a="local") == "local"
    assert chosen(NodeChoice("a", 3, isa="aarch64"), nodes) == (
        "line 3: a: several nodes are aarch64: arm, pi (--map a=NODE says which one)"
    )
    assert "there is no node mars (there are arm, local" in chosen(NodeChoice("a", 1, node="mars"), nodes)


def test_this_machine_does_not_stand_in_for_one_that_does_not_answer() -> None:
    choice = NodeChoice("a", 1, isa="x86_64")
    assert chosen(choice, Nodes(local="x86_64", arm="aarch64")) == "local"
    assert chosen(choice, Nodes(local="x86_64", x86=None)) == (
        "line 1: a: no node is x86_64 (node x86: does not answer) (--map a=NODE says which one)"
    )
