# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
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

from transproc import log
from transproc.errors import TransprocError
from transproc.paths import home, mirror
from transproc.run import run

SUITE = "trixie"
"""Debian 13: musl 1.2.5 and LLVM 19, whatever the host runs."""

MUSL = "musl"
MIMALLOC = "mimalloc"
MIMALLOC_SUITE = "bookworm"
"""Debian 12: mimalloc 2.0.9. Debian 13 has 3.0, a first version of another design."""

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


def fetch() -> None:
    """All that a toolchain needs: one index serves for a suite, since reading it takes longer than the packages."""
    mimalloc()
    parts: dict[str, Callable[[_Apt, Path], None]] = {
        f"musl-{SUITE}": _unpack_musl,
        f"compiler-rt-{SUITE}": _unpack_builtins,
        f"linux-{SUITE}": partial(_unpack_headers, KERNEL),
        f"simde-{SUITE}": partial(_unpack_headers, SIMDE),
    }
    missing = {name: unpack for name, unpack in parts.items() if not (downloads() / name).is_dir()}
    if not missing:
        return
    with (
        log.step(f"fetch {', '.join(missing)}"),
        tempfile.TemporaryDirectory(dir=downloads(), prefix=".fetch-") as work,
    ):
        apt = _Apt(Path(work), ("deb", "deb-src"), SUITE)
        for name, unpack in missing.items():
            _place(apt, unpack, Path(work) / name, downloads() / name)


def musl() -> Path:
    """The unpacked source of musl, with Debian's security fixes."""
    return _part(f"musl-{SUITE}")


def mimalloc() -> Path:
    """The unpacked source of mimalloc 2, whose parts `runtime/libc/src/malloc/allocator.c` includes."""
    return source(MIMALLOC, MIMALLOC_SUITE)


def builtins(isa: str) -> Path:
    """compiler-rt's builtins archive for an ISA."""
    return _part(f"compiler-rt-{SUITE}") / f"libclang_rt.builtins-{isa}.a"


def kernel() -> Path:
    """The kernel's headers, as for `/usr/include`."""
    return _part(f"linux-{SUITE}")


def simde() -> Path:
    """SIMDe's headers, as for `/usr/include`: intrinsics of x86 and Arm in portable C."""
    return _part(f"simde-{SUITE}")


def _part(name: str) -> Path:
    """A part of a toolchain; fetched, with the others, when it is missing."""
    fetch()
    return downloads() / name


def source(package: str, suite: str = SUITE) -> Path:
    """The unpacked source of a package as its authors published it, without Debian's changes.

    The signature that is checked is Debian's, of the index that names the archive's digest.
    """
    target = downloads() / f"{package}-{suite}-orig"
    if not target.is_dir():
        with (
            log.step(f"fetch {target.name}"),
            tempfile.TemporaryDirectory(dir=downloads(), prefix=f".{target.name}-") as work,
        ):
            apt = _Apt(Path(work), ("deb-src",), suite)
            _place(apt, partial(_unpack_upstream, package), Path(work) / "result", target)
    return target


LLVM = "llvm-toolchain-19"
LLVM_PARTS = (
    *("libcxx/include", "libcxx/src", "libcxx/vendor", "libcxxabi/include", "libcxxabi/src"),
    *("openmp/runtime/src", "openmp/runtime/tools"),
)
"""What is kept of LLVM's sources: the libraries of C++ and OpenMP."""


def llvm() -> Path:
    """The unpacked sources of libc++, libc++abi and libomp, of the compiler's version."""
    target = downloads() / f"llvm-libraries-{SUITE}"
    if not target.is_dir():
        with (
            log.step("fetch LLVM's libraries (157 MiB)"),
            tempfile.TemporaryDirectory(dir=downloads(), prefix=f".{target.name}-") as work,
        ):
            apt = _Apt(Path(work), ("deb-src",), SUITE)
            _place(apt, partial(_unpack_upstream, LLVM, parts=LLVM_PARTS), Path(work) / "result", target)
    return target


def _place(apt: _Apt, unpack: Callable[[_Apt, Path], None], result: Path, target: Path) -> None:
    """Fetches and unpacks into `result`, and moves that to `target`."""
    result.mkdir()
    unpack(apt, result)
    publish(result, target)


def publish(result: Path, target: Path) -> None:
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
        files = Path(tempfile.mkdtemp(dir=self.work / "files"))
        run(["apt-get", "-q", *words], cwd=files, env=environment)
        return files


def _unpack_musl(apt: _Apt, result: Path) -> None:
    files = apt.call("source", "--download-only", MUSL)
    result.rmdir()
    run(["dpkg-source", "--no-check", "-x", next(files.glob("*.dsc")), result])


def _unpack_upstream(package: str, apt: _Apt, result: Path, parts: Sequence[str] = ()) -> None:
    """The authors' archive, or only the directories `parts` of it."""
    files = apt.call("source", "--download-only", "--tar-only", package)
    archive = next(path for path in files.glob("*.orig.tar.*") if path.suffix != ".asc")
    chosen = ["--wildcards", *(f"*/{part}" for part in parts)] if parts else []
    run(["tar", "-xf", archive, "--strip-components=1", "--no-same-owner", "-C", result, *chosen])


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
