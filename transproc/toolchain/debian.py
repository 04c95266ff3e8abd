"""Sources and libraries that the sysroot and the examples are made of, from Debian's archive, checked by apt's signatures.

A private apt configuration is used: the host's sources need no `deb-src` entries and no foreign architecture.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from transproc import log
from transproc.errors import TransprocError
from transproc.paths import home, mirror
from transproc.run import run

SUITE = "trixie"
"""Debian 13: musl 1.2.5 and LLVM 19, whatever the host runs."""

MUSL = "musl"
BUILTINS = "libclang-rt-19-dev"
KERNEL = "linux-libc-dev"
SIMDE = "libsimde-dev"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Debian's names of the ISAs."""


def downloads() -> Path:
    """Where downloads are kept."""
    path = home() / "downloads"
    path.mkdir(parents=True, exist_ok=True)
    return path


def musl() -> Path:
    """The unpacked source of musl, with Debian's security fixes."""
    target = downloads() / f"musl-{SUITE}"
    if not target.is_dir():
        _fetch_into(target, _unpack_musl)
    return target


def builtins(isa: str) -> Path:
    """compiler-rt's builtins archive for an ISA."""
    target = downloads() / f"compiler-rt-{SUITE}"
    if not target.is_dir():
        _fetch_into(target, _unpack_builtins)
    return target / f"libclang_rt.builtins-{isa}.a"


def kernel() -> Path:
    """The kernel's headers, as for `/usr/include`."""
    target = downloads() / f"linux-{SUITE}"
    if not target.is_dir():
        _fetch_into(target, partial(_unpack_headers, KERNEL), "deb")
    return target


def simde() -> Path:
    """SIMDe's headers, as for `/usr/include`: intrinsics of x86 and Arm in portable C."""
    target = downloads() / f"simde-{SUITE}"
    if not target.is_dir():
        _fetch_into(target, partial(_unpack_headers, SIMDE), "deb")
    return target


def source(package: str, suite: str = SUITE) -> Path:
    """The unpacked source of a package as its authors published it, without Debian's changes.

    The signature that is checked is Debian's, of the index that names the archive's digest.
    """
    target = downloads() / f"{package}-{suite}-orig"
    if not target.is_dir():
        unpack = partial(_unpack_upstream, package)
        _fetch_into(target, unpack, "deb-src", suite=suite)
    return target


def _fetch_into(
    target: Path,
    unpack: Callable[[_Apt, Path], None],
    *kinds: Literal["deb", "deb-src"],
    suite: str = SUITE,
) -> None:
    with (
        log.step(f"fetch {target.name}"),
        tempfile.TemporaryDirectory(dir=downloads(), prefix=f".{target.name}-") as work,
    ):
        result = Path(work) / "result"
        result.mkdir()
        unpack(_Apt(Path(work), kinds or ("deb", "deb-src"), suite), result)
        _publish(result, target)


def _publish(result: Path, target: Path) -> None:
    """Moves a finished directory to its place; whoever comes second uses the first one's."""
    try:
        result.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(result)


class _Apt:
    """apt-get with a configuration of its own, in `work`; `kinds` are the indices that it gets."""

    def __init__(self, work: Path, kinds: Sequence[str], suite: str) -> None:
        if not KEYRING.exists():
            raise TransprocError(f"{KEYRING}: not found", hint="apt-get install debian-archive-keyring")
        self.work = work
        for name in ("lists/partial", "cache/archives/partial", "files"):
            (work / name).mkdir(parents=True)
        (work / "status").touch()
        origin = f"[signed-by={KEYRING}] {mirror()} {suite} main"
        (work / "sources.list").write_text("".join(f"{kind} {origin}\n" for kind in kinds))
        (work / "apt.conf").write_text(
            f'Dir::Etc::sourcelist "{work}/sources.list";\n'
            'Dir::Etc::sourceparts "-";\n'
            f'Dir::State::lists "{work}/lists";\n'
            f'Dir::State::status "{work}/status";\n'
            f'Dir::Cache "{work}/cache";\n'
            'APT::Architecture "amd64";\n'
            'APT::Architectures { "amd64"; "arm64"; };\n'
            'APT::Sandbox::User "";\n'
            'Acquire::Languages "none";\n'
        )
        self.call("update")

    def call(self, *words: str) -> Path:
        """Runs apt-get; returns the directory where it puts files."""
        environment = {**os.environ, "APT_CONFIG": str(self.work / "apt.conf"), "LC_ALL": "C"}
        run(["apt-get", "-q", *words], cwd=self.work / "files", env=environment)
        return self.work / "files"


def _unpack_musl(apt: _Apt, result: Path) -> None:
    files = apt.call("source", "--download-only", MUSL)
    result.rmdir()
    run(["dpkg-source", "--no-check", "-x", next(files.glob("*.dsc")), result])


def _unpack_upstream(package: str, apt: _Apt, result: Path) -> None:
    files = apt.call("source", "--download-only", "--tar-only", package)
    archive = next(path for path in files.glob("*.orig.tar.*") if path.suffix != ".asc")
    run(["tar", "-xf", archive, "--strip-components=1", "--no-same-owner", "-C", result])


def _unpack_builtins(apt: _Apt, result: Path) -> None:
    files = apt.call("download", *(f"{BUILTINS}:{name}" for name in ARCHITECTURES.values()))
    for isa, name in ARCHITECTURES.items():
        package = next(files.glob(f"*_{name}.deb"))
        run(["dpkg-deb", "-x", package, apt.work / name])
        library = next((apt.work / name).rglob(f"libclang_rt.builtins-{isa}.a"))
        shutil.copyfile(library, result / library.name)


def _unpack_headers(package: str, apt: _Apt, result: Path) -> None:
    files = apt.call("download", package)
    run(["dpkg-deb", "-x", next(files.glob("*.deb")), apt.work / package])
    result.rmdir()
    (apt.work / package / "usr" / "include").rename(result)
