"""Every source file says in a line what its license is (scripts/spdx)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from transproc import paths

SCRIPT = paths.SOURCE / "scripts" / "spdx"
LINE = "SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception"


def spdx(script: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, script, *words], capture_output=True, text=True, check=False)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository of a few files, with the script."""
    files = {
        "transproc/a.py": '"""A."""\n',
        "transproc/empty.py": "",
        "runtime/b.c": "int b;\n",
        "scripts/c": "#!/bin/sh\necho\n",
        "tests/programs/d.c": "int line_one;\n",
        "examples/e/work.cc": "int e;\n",
        "examples/e/stage": "#!/bin/sh\n",
        "examples/e/styles": "melt\n",
        "examples/e/recipe.toml": "source = 'e'\n",
        "llvm/CMakeLists.txt": "project(x)\n",
        "scripts/spdx": SCRIPT.read_text(),
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in ("tests", "setup.py"):
        (tmp_path / name).exists() or (tmp_path / name).touch()
    for words in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


def test_files_without_the_line_are_named_and_get_it(tree: Path) -> None:
    script = tree / "scripts" / "spdx"
    expected = [
        "examples/e/stage",
        "examples/e/work.cc",
        "llvm/CMakeLists.txt",
        "runtime/b.c",
        "scripts/c",
        "transproc/a.py",
    ]
    assert spdx(script).stdout.split() == expected
    assert spdx(script, "--write").returncode == 0
    assert (spdx(script).stdout, spdx(script).returncode) == ("", 0)
    assert (tree / "transproc/a.py").read_text() == f'# {LINE}\n"""A."""\n'
    assert (tree / "runtime/b.c").read_text() == f"/* {LINE} */\nint b;\n"
    assert (tree / "scripts/c").read_text() == f"#!/bin/sh\n# {LINE}\necho\n"
    assert (tree / "examples/e/work.cc").read_text() == f"// {LINE}\nint e;\n"
    assert (tree / "llvm/CMakeLists.txt").read_text().startswith(f"# {LINE}\n")


def test_every_source_file_has_the_line() -> None:
    assert spdx(SCRIPT).stdout == "", "scripts/spdx --write adds the line"
