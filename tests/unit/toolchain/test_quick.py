# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""transproc-cc from a plan: the same results, messages and statuses as from the driver, and never from a stale one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from transproc.toolchain import making, plan, quick

QUICK = "import sys; from transproc.toolchain.quick import main; main()"
DRIVER = "import sys; from transproc.toolchain.driver import main; main()"
WATCH = "import sys, atexit; atexit.register(lambda: print('DRIVER' if 'transproc.toolchain.driver' in sys.modules else 'PLAN'));"


@pytest.mark.parametrize(
    ("words", "expected", "names"),
    [
        ("-c a.c", "-c S -o O", {"S": "a.c", "O": "a.o", "D": "a.d"}),
        ("-c src/a.c", "-c S -o O", {"S": "src/a.c", "O": "a.o", "D": "a.d"}),
        ("-O2 -c -o x/b.o a.c", "-O2 -c -o O S", {"S": "a.c", "O": "x/b.o", "D": "x/b.d"}),
        ("-c a.c -o b.lo", "-c S -o O", {"S": "a.c", "O": "b.lo"}),
        (
            "-MD -MF d/a.Tpo -MT a.o -c a.c",
            "-MD -MF F -MT T -c S -o O",
            {"F": "d/a.Tpo", "T": "a.o", "O": "a.o", "S": "a.c", "D": "a.d"},
        ),
        ("-E a.c", "-E S", {"S": "a.c"}),
        ("a.c -o a", None, {}),
        ("-c a.c b.c", None, {}),
        ("-c a.c -o", None, {}),
        ("-c @options a.c", None, {}),
        ("-c a.s", None, {}),
        ("-c a.c -o a.o -o b.o", None, {}),
    ],
)
def test_a_template_has_tokens_for_names(words: str, expected: str | None, names: dict[str, str]) -> None:
    tokens = {
        "S": quick.SOURCE,
        "O": quick.OUTPUT,
        "D": quick.DEPENDENCIES,
        "F": quick.NAMED["-MF"],
        "T": quick.NAMED["-MT"],
    }
    found = quick.template(words.split())
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert found[0] == [tokens.get(word, word) for word in expected.split()]
    assert found[1] == {tokens[name]: value for name, value in names.items()}


def test_a_token_inside_a_word_makes_no_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSPROC_HOME", str(tmp_path))
    plan.remember(["-c", "a.c"], lambda words: ([f"--log={quick.OUTPUT}"], None))
    assert not (tmp_path / "toolchain").exists()
    plan.remember(["-c", "a.c"], lambda words: (["clang", quick.OUTPUT], None))
    assert quick._plan(quick.template(["-c", "b.c"])[0]) == (
        ["-c", quick.SOURCE, "-o", quick.OUTPUT],
        ["clang", quick.OUTPUT],
        None,
    )  # type: ignore[index]


def test_a_plan_of_other_sources_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if a file has been added to a directory, or one was removed."""
    monkeypatch.setenv("TRANSPROC_HOME", str(tmp_path))
    source = tmp_path / "runtime"
    source.mkdir()
    (source / "a.c").write_text("int a;")
    monkeypatch.setattr(making, "sources", lambda: [source])
    words = quick.template(["-c", "a.c"])
    assert words is not None

    def there() -> bool:
        return quick._plan(words[0]) is not None

    def leave() -> None:
        plan.remember(["-c", "a.c"], lambda words: (["clang"], None))
        assert there()

    leave()
    (source / "a.c").write_text("int ab;")
    assert not there()
    leave()
    (source / "b.c").touch()
    assert not there()
    leave()
    (source / "b.c").unlink()
    assert not there()
    leave()
    assert len([path for path in Path(quick.place()).iterdir() if path.is_dir()]) == 1


@pytest.mark.parametrize("damage", [b"", b"x", b"\xff" * 40])
def test_a_damaged_plan_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes) -> None:
    monkeypatch.setenv("TRANSPROC_HOME", str(tmp_path))
    plan.remember(["-c", "a.c"], lambda words: (["clang"], None))
    (file,) = (path for path in Path(quick.place()).glob("*/*"))
    file.write_bytes(damage)
    words = quick.template(["-c", "a.c"])
    assert words is not None
    assert quick._plan(words[0]) is None


def cc(code: str, words: str, directory: Path, **environment: str) -> tuple[str, int, str]:
    """Who did it, the status, and the messages."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH + code, *words.split()],
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip(), done.returncode, done.stderr


@pytest.mark.toolchain
def test_a_plan_gives_what_the_driver_gives(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text('#include "b.h"\nint f(int x) { int unused; return x + B; }\n')
    (tmp_path / "b.h").write_text("#define B 7\n")
    (tmp_path / "other.c").write_text("int g(int x) { return x; }\n")
    options = f"-O2 -Wall -DA={os.getpid()} -MMD"
    cc(QUICK, f"{options} -c other.c", tmp_path)
    assert (tmp_path / "other.d").read_text() == "other.o: other.c\n"
    who, status, messages = cc(QUICK, f"{options} -c a.c", tmp_path)
    assert (who, status) == ("PLAN", 0)
    object_, dependencies = (tmp_path / "a.o").read_bytes(), (tmp_path / "a.d").read_text()
    assert "unused variable" in messages
    (tmp_path / "a.o").unlink()
    assert cc(DRIVER, f"{options} -c a.c", tmp_path) == ("DRIVER", 0, messages)
    assert (tmp_path / "a.o").read_bytes() == object_
    assert (tmp_path / "a.d").read_text() == dependencies == "a.o: a.c b.h\n"


@pytest.mark.toolchain
def test_errors_are_the_drivers(tmp_path: Path) -> None:
    """In the source, of the back end (with the place that only the driver knows), and of the file system."""
    files = {
        "good": "int f(void) { return 1; }",
        "syntax": "int f(void) { return; ",
        "assembly": 'asm("nop");',
        "missing/place": None,
    }
    for name, text in files.items():
        if text:
            (tmp_path / f"{name}.c").write_text(text)
    for name in files:
        source = "good" if name == "missing/place" else name
        words = f"-O2 -DB={os.getpid()} -c {source}.c -o {name}.o"
        expected = cc(DRIVER, words, tmp_path)
        found = cc(QUICK, words, tmp_path)
        assert found[1:] == expected[1:], name
        assert found[0] == ("DRIVER" if name in ("assembly", "missing/place") else "PLAN")
        assert (tmp_path / f"{name}.o").exists() == (name == "good")
    assert found[2] == "transproc-cc: error: missing/place.o: No such file or directory\n"


@pytest.mark.toolchain
def test_preprocessing_is_planned(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int a = __transproc__;\n")
    cc(QUICK, f"-E -DC={os.getpid()} a.c", tmp_path)
    who, status, _ = cc(QUICK, f"-E -DC={os.getpid()} a.c", tmp_path)
    assert status == 0
    assert "int a = 1;" in who
    assert "DRIVER" not in who


@pytest.mark.toolchain
def test_a_toolchain_that_is_named_has_no_plans(tmp_path: Path) -> None:
    from transproc.toolchain.sysroot import toolchain

    (tmp_path / "a.c").write_text("int a;\n")
    root = str(toolchain().root)
    for _ in range(2):
        assert cc(QUICK, f"-c -DD={os.getpid()} a.c", tmp_path, TRANSPROC_TOOLCHAIN=root)[:2] == ("DRIVER", 0)
