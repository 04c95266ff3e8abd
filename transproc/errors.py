# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every error that transproc raises on purpose.

TransprocError                 message, hint
├── FormatError                path, offset: input that is malformed
│   ├── ImageError             a CRIU image
│   ├── BinaryError            an ELF file of a pair
│   └── StackMapError          .llvm_stackmaps or the site index
├── UnsupportedError           valid input that transproc cannot handle (exit status 3)
├── MismatchError              the two binaries of a pair, or an image and a pair, disagree
├── TransformError             function, site: a frame could not be carried over
├── PauseError                 pid, tid: a thread did not stop, or cannot be described
├── CommandError               argv, status, stderr: a program that we ran failed
│   └── CriuError              with the relevant lines of its log
├── CompileError               transproc-cc: diagnostics already printed
├── NodeError                  node: a machine cannot be reached or refused a request
├── LabError                   the QEMU lab
├── StoreError                 the records of jobs cannot be read or written
│   └── ConflictError          another command has changed the record meanwhile
├── BusyError                  another command works on the job
├── MissingError               there is no job, task, … of that name
└── OutcomeError               outcome: what became of the process
    ├── MigrationError
    └── CheckpointError        of a checkpoint, or a restart

Messages: lower case, subject first, expected versus found, addresses in hexadecimal.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # transproc-cc starts without it
    from typing import Self

TYPE_CHECKING = False
if TYPE_CHECKING:  # transproc-cc imports this at each start
    from collections.abc import Sequence
    from pathlib import Path

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """Text with its control characters spelled out: much of what errors tell comes from nodes, and is shown on terminals."""
    return text.translate(_CONTROL)


class TransprocError(Exception):
    """Base of all; `hint` says what the user can do about it."""

    exit_status = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = printable(message)
        self.hint = hint if hint is None else printable(hint)
        super().__init__(self.message)

    def tell(self, outcome: str) -> None:
        """Says what became of the process, behind the first line of the message."""
        head, *rest = self.message.splitlines() or [""]
        self.message = "\n".join([f"{head}; {printable(outcome)}", *rest])
        self.args = (self.message,)


class FormatError(TransprocError):
    """Input that does not follow its format, at byte `offset` of `path` where known."""

    def __init__(
        self,
        message: str,
        *,
        path: Path | str | None = None,
        offset: int | None = None,
        hint: str | None = None,
    ) -> None:
        where = "" if path is None else f"{path}: " if offset is None else f"{path}: offset {offset:#x}: "
        super().__init__(where + message, hint=hint)
        self.path = path
        self.offset = offset


class ImageError(FormatError):
    """A CRIU image or image directory."""


class AbsentPagesError(ImageError):
    """Pages `[start, end)` of a process, which stayed in it when it was dumped: what they hold is not known here."""

    def __init__(self, message: str, *, path: Path, pid: int, start: int, end: int) -> None:
        super().__init__(message, path=path)
        self.pid, self.start, self.end = pid, start, end


class BinaryError(FormatError):
    """An ELF file."""


class StackMapError(FormatError):
    """An `.llvm_stackmaps` section or a site index."""


class UnsupportedError(TransprocError):
    """Valid input that transproc cannot carry over."""

    exit_status = 3


class MismatchError(TransprocError):
    """Two inputs that should belong together do not."""


class TransformError(TransprocError):
    """A frame could not be carried over."""

    def __init__(
        self, message: str, *, function: str | None = None, site: int | None = None, hint: str | None = None
    ) -> None:
        where = (
            "" if function is None else f"{function}: " if site is None else f"{function}, site {site:#x}: "
        )
        super().__init__(where + message, hint=hint)
        self.function = function
        self.site = site


class PauseError(TransprocError):
    """A process could not be stopped at equivalence points; it runs on."""

    def __init__(
        self,
        message: str,
        *,
        pid: int | None = None,
        tid: int | None = None,
        ended: bool = False,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.pid = pid
        self.tid = tid
        self.ended = ended


class CommandError(TransprocError):
    """A program failed; the message holds a command line that can be pasted."""

    def __init__(self, argv: Sequence[str], status: int, stderr: str, *, hint: str | None = None) -> None:
        import shlex  # noqa: PLC0415 (as above)

        self.argv = list(argv)
        self.status = status
        self.stderr = stderr
        what = f"was killed by signal {-status}" if status < 0 else f"failed with status {status}"
        tail = "\n".join(stderr.strip().splitlines()[-20:])
        super().__init__(
            f"{self.argv[0]} {what}: {shlex.join(self.argv)}" + (f"\n{tail}" if tail else ""), hint=hint
        )


class CriuError(CommandError):
    """CRIU failed; `stderr` holds the relevant lines of its log."""


class CompileError(TransprocError):
    """The source cannot be compiled; the diagnostics are in the message, and in `said` with their colours."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.said = message


class NodeError(TransprocError):
    """A machine cannot be reached, or lacks something."""

    def __init__(self, node: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(f"node {node}: {message}", hint=hint)
        self.node = node


class LabError(TransprocError):
    """The QEMU lab."""


class StoreError(TransprocError):
    """The records of jobs cannot be read or written."""


class ConflictError(StoreError):
    """Another command has changed the record since it was read: what was to be written is out of date."""


class BusyError(TransprocError):
    """Another command works on the job: the same may be asked again when it is done."""


class MissingError(TransprocError):
    """There is nothing of that name."""


def cause_of(error: BaseException) -> str:
    """What an operation that came to no good end says of whatever ended it."""
    return "interrupted" if isinstance(error, KeyboardInterrupt) else getattr(error, "message", repr(error))


class OutcomeError(TransprocError):
    """Something that was done with a job failed; `outcome` says what became of the process."""

    def __init__(self, message: str, *, outcome: str, hint: str | None = None) -> None:
        super().__init__(f"{message}; {outcome}", hint=hint)
        self.outcome = outcome

    @classmethod
    def of_step(cls, step: str, error: BaseException, outcome: str) -> Self:
        """A step has failed by `error`, whose hint and exit status are ours: its first line, the outcome, the other lines."""
        head, *rest = cause_of(error).splitlines() or [""]
        made = cls(f"{step}: {head}", outcome=outcome, hint=getattr(error, "hint", None))
        made.message += "".join(f"\n  {line}" for line in rest)
        made.exit_status = getattr(error, "exit_status", 1)
        return made


class MigrationError(OutcomeError):
    """A migration failed."""


class CheckpointError(OutcomeError):
    """A checkpoint failed, or a restart."""
