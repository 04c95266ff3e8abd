# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What `pipx install .` brings: a wheel that works far from the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from transproc import paths

PROGRAM = """
#include <stdio.h>
int main(int argc, char **argv)
{
    printf("%s\\n", argv[1]);
    return 0;
}
"""


def call(words: list[str | Path], **options: object) -> str:
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: the build directory of the checkout stays what it was."""
    work = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns(
        ".venv", ".git", "build", "*.egg-info", "__pycache__", ".*_cache", "tests"
    )
    shutil.copytree(paths.SOURCE, work / "checkout", ignore=ignored)
    pip: list[str | Path] = [sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps"]
    call([*pip, "--disable-pip-version-check", "-w", work, work / "checkout"])
    return next(work.glob("transproc-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A fresh environment with the wheel; what it depends on is this environment's."""
    place = tmp_path_factory.mktemp("installed")
    venv.create(place, symlinks=True)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        place / "bin" / "python",
        "install",
        "-q",
    ]
    call([*pip, "--disable-pip-version-check", "--no-deps", "--no-index", wheel])
    packages = next((place / "lib").glob("python3*")) / "site-packages"
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    yield place
    shutil.rmtree(place)


def test_the_wheel_has_sources_manual_and_license(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for end in (
        "transproc/source/llvm/CMakeLists.txt",
        "transproc/source/runtime/src/arch/x86_64.S",
        "transproc/source/examples/nbody/nbody.c",
        "share/man/man1/transproc-migrate.1",
        "share/man/man1/transproc-cc.1",
        "share/bash-completion/completions/transproc",
        "licenses/LICENSE",
        "transproc/controller/web/templates/base.html",
        "transproc/controller/web/static/style.css",
    ):
        assert any(name.endswith(end) for name in names), end
    assert not [name for name in names if "/llvm/test/" in name or name.endswith((".pyc", ".aarch64"))]


def test_the_sources_are_the_checkouts(installed: Path) -> None:
    """So its toolchain has the same name, and none is built twice."""
    show = "from transproc import paths; from transproc.toolchain import sysroot; print(paths.SOURCE, sysroot._directory().name)"
    ours = call([sys.executable, "-c", show]).split()
    theirs = call([installed / "bin" / "python", "-c", show], cwd=installed).split()
    assert theirs[0].startswith(str(installed))
    assert theirs[1] == ours[1]


@pytest.mark.toolchain
def test_it_compiles_and_runs_a_program(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "say.c").write_text(PROGRAM)
    environment = {**os.environ, "PATH": f"{installed / 'bin'}:/usr/bin:/bin"}
    call(["transproc-cc", "-O2", "say.c", "-o", "say"], cwd=tmp_path, env=environment)
    assert call(["./say", "moved"], cwd=tmp_path) == "moved\n"
    assert call(["transproc", "check", "say"], cwd=tmp_path, env=environment)


def test_the_version_is_said_without_the_checkout(installed: Path) -> None:
    assert call([installed / "bin" / "transproc", "--version"], cwd="/").startswith("transproc ")
