# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where things are: cache and state outside the source tree, and the sources that are built on first use.

The cache, `TRANSPROC_HOME` (default `$XDG_CACHE_HOME/transproc`, `~/.cache/transproc`), holds everything that can be made
again: downloads, toolchains, guest images, the lab. The state, `TRANSPROC_STATE` (default `$XDG_STATE_HOME/transproc`,
`~/.local/state/transproc`; `state/` in `TRANSPROC_HOME` if that is set), holds what cannot: the jobs' records.
`TRANSPROC_LAB` is where the lab's running machines are noted (default `lab/` in the cache).
`TRANSPROC_MIRROR` names where Debian's packages are downloaded from.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from transproc.errors import TransprocError

_INSTALLED = Path(__file__).resolve().parent / "source"
SOURCE = _INSTALLED if _INSTALLED.is_dir() else _INSTALLED.parent.parent
"""Where `llvm/`, `runtime/` and `examples/` are, which are compiled on first use: in the package, as setup.py puts them
into a wheel, or the checkout around it."""


def home() -> Path:
    """The cache; created when missing."""
    base = os.environ.get("TRANSPROC_HOME")
    if base is None:
        base = os.path.join(os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"), "transproc")  # noqa: PTH118
    path = Path(base)
    path.mkdir(parents=True, exist_ok=True)
    return path


def state() -> Path:
    """Where records are that cannot be made again; created when missing, for its owner alone.

    Another owner is an error (`TransprocError`): what it holds decides where programs run.
    """
    path = _state_directory()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.stat()
    if found.st_uid != os.getuid():
        raise TransprocError(
            f"{path}: belongs to user {found.st_uid}, expected {os.getuid()}",
            hint="TRANSPROC_STATE names a state directory of your own",
        )
    if found.st_mode & 0o077:
        path.chmod(0o700)
    return path


def _state_directory() -> Path:
    if own := os.environ.get("TRANSPROC_STATE"):
        return Path(own)
    if cache := os.environ.get("TRANSPROC_HOME"):
        return Path(cache) / "state"
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "transproc"


def nodes() -> Path:
    """The user's list of nodes: what `TRANSPROC_NODES` names, or `nodes.toml` in `$XDG_CONFIG_HOME/transproc` (in
    `TRANSPROC_HOME` if that is set). Where it was at first, in the cache, it is found as long as there is no other.
    """
    if own := os.environ.get("TRANSPROC_NODES"):
        return Path(own)
    cached = home() / "nodes.toml"
    if os.environ.get("TRANSPROC_HOME"):
        return cached
    base = os.environ.get("XDG_CONFIG_HOME")
    configured = (Path(base) if base else Path.home() / ".config") / "transproc" / "nodes.toml"
    return cached if cached.exists() and not configured.exists() else configured


def contexts() -> Path:
    """The user's list of controllers, with tokens: for him alone."""
    if os.environ.get("TRANSPROC_HOME"):
        return home() / "contexts.json"
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "transproc" / "contexts.json"


def lab() -> Path:
    """What the user's lab keeps of its machines: `nodes.toml`, keys, consoles."""
    own = os.environ.get("TRANSPROC_LAB")
    return Path(own) if own else home() / "lab"


def mirror() -> str:
    """Where Debian packages come from. Plain HTTP is what apt uses: signatures protect the contents."""
    return os.environ.get("TRANSPROC_MIRROR", "http://deb.debian.org/debian")


def write_private(path: Path, data: bytes) -> None:
    """Replaces a file, whole or not at all, by one that its owner alone can read. Raises OSError."""
    import tempfile  # noqa: PLC0415 (transproc-cc does not need it)

    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:  # such a file is of mode 0600 from the beginning
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def digest(paths: Iterable[Path], *extra: str) -> str:
    """16 hex digits that name the contents of files (directories are walked), for caches keyed by their sources."""
    import hashlib  # noqa: PLC0415 (transproc-cc seldom needs it)

    state = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                state.update(str(file.relative_to(path.parent)).encode() + b"\0")
                state.update(file.read_bytes())
    for word in extra:
        state.update(word.encode() + b"\0")
    return state.hexdigest()[:16]
