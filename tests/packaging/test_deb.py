# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The Debian package: what it holds, and that its commands work where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from transproc import __version__, paths

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="makes a Debian package"),
]

PROGRAM = '#include <stdio.h>\nint main(void) { return puts("compiled") < 0; }\n'

INSTALL = """
set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" none "$1/root"
cd "$1/root"
for place in /proc /dev /tmp "$3"; do
    mkdir -p ".$place"
    mount --rbind "$place" ".$place"
done
shift
chroot . dpkg -i "$1" >&2
exec chroot . sh -ec '
    unset PYTHONPATH VIRTUAL_ENV
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin TRANSPROC_HOME=$1
    cd "$2"
    transproc --version
    transproc-cc -O2 hello.c -o hello
    ./hello
    man -w transproc-migrate
    dpkg -r transproc >&2
    test ! -e /opt/transproc -a ! -L /usr/bin/transproc-cc
' sh "$2" "$3"
"""
"""In a mount namespace, where the package is in `/`; outside `/` stays as it is. Arguments: an empty directory, the package, the
directory of toolchains, a directory with hello.c."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It downloads what the package holds."""
    words: list[str | Path] = [paths.SOURCE / "scripts" / "deb", tmp_path_factory.mktemp("deb")]
    return Path(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip())


def test_a_package_has_its_commands_manual_and_completion(package: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    fields = subprocess.run(["dpkg-deb", "-f", package], capture_output=True, text=True, check=True).stdout
    assert f"Version: {__version__}\n" in fields and "clang-19" in fields
    for name in ("transproc", "transproc-cc", "transproc-c++"):
        assert os.readlink(root / "usr/bin" / name) == f"/opt/transproc/bin/{name}"  # noqa: PTH115
    assert (root / "usr/share/man/man1/transproc-migrate.1.gz").exists()
    assert "complete " in (root / "usr/share/bash-completion/completions/transproc").read_text()
    python = root / "opt/transproc/bin/python"
    done = subprocess.run(
        [python, "-m", "transproc.cli.main", "--version"], capture_output=True, text=True, check=False
    )
    code = "import transproc.paths; print(transproc.paths.SOURCE)"
    where = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    assert not done.returncode and Path(where.strip()).is_relative_to(root)
    assert (Path(where.strip()) / "runtime" / "tool" / "main.c").exists()


@pytest.mark.toolchain
@pytest.mark.skipif(os.geteuid() != 0, reason="installs a package")
def test_an_installed_package_compiles_a_program(package: Path, tmp_path: Path) -> None:
    """And is gone when it is removed."""
    (tmp_path / "hello.c").write_text(PROGRAM)
    over = tmp_path / "over"
    over.mkdir()
    words = ["unshare", "--mount", "sh", "-c", INSTALL, "sh", over, package, paths.home(), tmp_path]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    version, output, page = done.stdout.splitlines()[-3:]
    assert version.split()[-1] == __version__ and output == "compiled"
    assert page == "/usr/share/man/man1/transproc-migrate.1.gz"
