"""Where things are: the cache outside the source tree, and the sources that are built on first use.

`TRANSPROC_HOME` (default `$XDG_CACHE_HOME/transproc`, `~/.cache/transproc`) holds everything that can be made again:
downloads, the compiled toolchain, guest images, the lab's state, and the jobs' records. `TRANSPROC_MIRROR` names where Debian's
packages are downloaded from.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
"""Root of the checkout: `llvm/` and `runtime/` are compiled from here at set-up."""


def home() -> Path:
    """The cache; created when missing."""
    base = os.environ.get("TRANSPROC_HOME")
    if base is None:
        base = os.path.join(os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"), "transproc")  # noqa: PTH118
    path = Path(base)
    path.mkdir(parents=True, exist_ok=True)
    return path


def mirror() -> str:
    """Where Debian packages come from. Plain HTTP is what apt uses: signatures protect the contents."""
    return os.environ.get("TRANSPROC_MIRROR", "http://deb.debian.org/debian")


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
