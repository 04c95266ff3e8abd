# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A node without a machine: files are real, in a directory of its own; processes are entries of a table."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from transproc.cluster import criu, scripts
from transproc.cluster.base import DATA, Node
from transproc.cluster.session import Result
from transproc.errors import CommandError, NodeError

PID = 4711
STATES = {"running": b"S\n", "stopped": b"T\n"}


class FakeNode(Node):
    """`processes`: pid → running or stopped. `failing`: operation → what it raises. `calls`: operations in order."""

    def __init__(self, name: str, isa: str, root: Path) -> None:
        super().__init__(name)
        self.isa = isa
        self.root = root
        self.root.mkdir()
        self.processes: dict[int, str] = {}
        self.failing: dict[str, BaseException] = {}
        self.calls: list[str] = []
        self.restores_as = "stopped"
        self.criu = "4.1.1"
        self.lost_at: str | None = None
        self.free, self.memory, self.page = 1 << 20, 1 << 20, 4
        self.capabilities, self.ids, self.space = (1 << 41) - 1, 1 << 22, 48
        self.cpu = "asimd" if self.isa == "aarch64" else "sse2 avx2"
        self.sizes: dict[str, int] = {}
        self.executable = str(DATA / "jobs/j/bin/prog")
        self.proc: list[str] = []
        """What the pause tool's `look` prints of the process besides its executable."""

    @property
    def tool(self) -> str:
        return str(DATA / "bin" / "transproc-stop")

    def run(self, argv: Sequence[str | PurePosixPath], **options: Any) -> Result:
        words = [str(word) for word in argv]
        operation = operation_of(words)
        self._enter(operation)
        if hasattr(self, f"_{operation}"):
            return Result(words, 0, getattr(self, f"_{operation}")(words), b"")
        done = subprocess.run([self._here(word) for word in words], capture_output=True, check=False)
        if done.returncode and options.get("check", True):
            raise CommandError(words, done.returncode, done.stderr.decode())
        return done

    def put(self, local: Path, remote: str | PurePosixPath, **given: Any) -> None:
        self._enter(f"put_{PurePosixPath(remote).name}")
        copy(local, Path(self._here(str(remote))))

    def get(self, remote: str | PurePosixPath, local: Path, *rules: Any) -> None:
        self._enter(f"get_{PurePosixPath(remote).name}")
        copy(Path(self._here(str(remote))), local)

    def carry(self, path: str, target: Node, *rules: Any, directory: str, most: int) -> int:
        return self.relay(path, target, *rules, directory=directory)

    def relay(
        self, path: str, target: Node, *rules: Any, directory: str, keep: Path | None = None, **_more: Any
    ) -> int:
        name = PurePosixPath(path).name
        self._enter(f"get_{name}")
        here = Path(self._here(path))
        if keep is not None:
            copy(here, keep)
        assert isinstance(target, FakeNode)
        target._enter(f"put_{name}")
        copy(here, Path(target._here(directory)) / name)
        return 1000

    def command(self, script: str, *, leads: bool = False) -> list[str]:
        raise AssertionError("run, put and get are overridden")

    def explain(self, booted: bool, errors: str) -> NodeError:
        raise AssertionError("there is no connection")

    def spare(self, count: int) -> None:
        """There are no channels."""
        self._enter("spare")

    def close(self) -> None:
        """There is no connection."""

    def _enter(self, operation: str) -> None:
        self.calls.append(operation)
        if self.lost_at == operation:
            self.failing = {}
            self.lost_at = ""
        if self.lost_at == "":
            raise NodeError(self.name, "does not answer")
        if operation in self.failing:
            raise _again(self.failing[operation])

    def _here(self, word: str) -> str:
        return word.replace(str(DATA), str(self.root))

    # The answers of the shell about processes, of the pause tool, and of criu.

    def _liveness(self, words: list[str]) -> bytes:
        return STATES.get(self.processes.get(int(words[4]), ""), b"")

    def _status(self, words: list[str]) -> bytes:
        pid = _pid(words)
        state = {"running": "S", "stopping": "R", "stopped": "T"}.get(self.processes.get(pid, ""))
        if state == "R":
            self.processes[pid] = "stopped"
        if state is None:
            return _answer(ok=False, error="gone", message="process 4711: does not exist")
        threads = [{"tid": PID, "state": state}]
        return _answer(processes=[{"pid": PID, "index": True, "threads": threads}])

    def _found(self, words: list[str]) -> bytes:
        return b"".join(b"%d 1\n" % pid for pid in self.processes)

    def _quiet(self, words: list[str]) -> bytes:
        return b""

    def _run(self, words: list[str]) -> bytes:
        self.processes[PID] = "stopped" if "--pause" in words else "running"
        return _answer(pid=PID, milliseconds=1, steps=0, watched=0, apart=False, threads=[])

    def _taken(self, words: list[str]) -> bytes:
        return b"".join(b"%d\n" % pid for pid in self.processes if str(pid) in words)

    def _look(self, words: list[str]) -> bytes:
        pid = str(_pid(words))
        state = self._liveness(["", "", "", "", pid])
        view = "\n".join([f"== process {pid}", self.executable, *self.proc, ""]).encode()
        return b"%sstate=%s\ntree=%s\n%s" % (
            self._room(words),
            state.strip(),
            self._status(["--pid", pid]),
            view,
        )

    def _retire(self, words: list[str]) -> bytes:
        self._enter("kill")
        self.processes.pop(int(words[4]), None)
        shutil.rmtree(self._here(words[7]))
        return b""

    def _room(self, words: list[str]) -> bytes:
        facts = f"free={self.free}\nmemory={self.memory}\npage={self.page}\nids={self.ids}\n"
        facts += f"capabilities={self.capabilities:016x}\nspace={self.space}\n"
        return f"{facts}cpu={self.cpu}\n".encode()

    def _sizes(self, words: list[str]) -> bytes:
        return "".join(f"{self.sizes.get(word, '-')}\n" for word in words[4:]).encode()

    def _pause(self, words: list[str]) -> bytes:
        self.processes[_pid(words)] = "stopped"
        return _answer(pid=PID, milliseconds=1, steps=0, watched=0, apart=False, threads=[])

    def _resume(self, words: list[str]) -> bytes:
        self.processes[_pid(words)] = "running"
        return _answer(pids=[PID])

    def _kill(self, words: list[str]) -> bytes:
        del self.processes[_pid(words)]
        return _answer()

    def _version(self, words: list[str]) -> bytes:
        return f"Version: {self.criu}\n".encode()

    def _dump(self, words: list[str]) -> bytes:
        assert self.processes[PID] == "stopped"
        (self._images(words) / "core.img").write_bytes(b"image of " + self.isa.encode())
        return b""

    def _restore(self, words: list[str]) -> bytes:
        assert (self._images(words) / "core.img").read_bytes() == b"image of " + self.isa.encode()
        assert PID not in self.processes
        if self.restores_as != "gone":
            self.processes[PID] = self.restores_as
        threads = [{"tid": PID, "state": "T" if self.restores_as == "stopped" else "R"}]
        tree = [] if self.restores_as == "gone" else [{"pid": PID, "index": True, "threads": threads}]
        return _answer(pid=PID, unnamed=0, lost=0, processes=tree)

    def _images(self, words: list[str]) -> Path:
        return Path(self._here(words[words.index("--images-dir") + 1]))


def operation_of(words: list[str]) -> str:
    """A name for a program that is run."""
    known = {
        scripts.STATE: "liveness",
        scripts.TAKEN: "taken",
        scripts.CLAIM: "claim",
        scripts.REMOVE: "remove",
        scripts.ROOM_FOR: "room",
        scripts.SIZES: "sizes",
        scripts.RETIRE: "retire",
        scripts.FOUND: "found",
        scripts.OWNERS: "owners",
        scripts.QUIET: "quiet",
        criu.CANDIDATES: "criu",
    }
    if words[0] == "sh":
        return known.get(words[2], "shell")
    if "transproc-stop" in words[0]:
        return words[1]
    return {"dump": "dump", "--version": "version"}.get(words[1], words[0])


def _again(error: BaseException) -> BaseException:
    """Another one that is the same: what became of the process is added to it."""
    made = type(error).__new__(type(error), *error.args)
    made.__dict__.update(error.__dict__)
    return made


def copy(source: Path, target: Path) -> None:
    """Like tar: into a directory that may exist, links as links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


def _answer(*, ok: bool = True, **fields: Any) -> bytes:
    return json.dumps({"ok": ok, **fields}).encode()


def _pid(words: list[str]) -> int:
    return int(words[words.index("--pid") + 1])
