# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What pyproject.toml cannot say: a wheel holds the sources that are compiled on first use, and the manual.

llvm/, runtime/, examples/    → transproc/source/   (transproc.paths.SOURCE)
what `--help` says            → share/man, shell completions
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
SOURCES = ("llvm/CMakeLists.txt", "llvm/include", "llvm/lib", "llvm/tools", "runtime", "examples")


class Build(build_py):
    """Adds the sources to the package; an editable installation finds them in the checkout."""

    def run(self) -> None:
        """As `build_py`."""
        super().run()
        if self.editable_mode:
            return
        package = Path(self.build_lib) / "transproc"
        shutil.rmtree(package / "source", ignore_errors=True)  # an earlier build's
        for name in SOURCES:
            target = package / "source" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (HERE / name).is_dir():
                shutil.copytree(HERE / name, target, ignore=shutil.ignore_patterns("*.x86_64", "*.aarch64"))
            else:
                shutil.copyfile(HERE / name, target)
        self._manual(Path(self.build_lib).parent / "share")

    def _manual(self, share: Path) -> None:
        """Installed below the environment's `share/`, where pipx and man look."""
        shutil.rmtree(share, ignore_errors=True)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
        subprocess.run(
            [sys.executable, "-m", "transproc.cli.manual", str(share)], env=environment, check=True
        )
        files: dict[str, list[str]] = {}
        for path in sorted(share.rglob("*")):
            if path.is_file():
                place = Path("share") / path.relative_to(share).parent
                files.setdefault(str(place), []).append(os.path.relpath(path, HERE))
        self.distribution.data_files = list(files.items())


setup(cmdclass={"build_py": Build})
