# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job's files between two nodes: if they are large they go ahead while the program runs, and when it stands what is different.

What is different is found by contents (runtime/tool/tree.h): a program can write to memory that it has mapped, or set times, so
size and time of a file say little. The copy on the target may be anything, since files change while they are read: what counts
is its inventory, made when it is there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from transproc.cluster.members import FILES
from transproc.cluster.place import Place
from transproc.errors import CommandError

LARGE = 16 << 20
"""Bytes of files from which on they go ahead: fewer are sent in less time than it takes to compare them, over a fast link."""
MOST_INVENTORY = 64 << 20
"""Bytes of an inventory: of some hundred thousand files."""


class JobFiles:
    """Those of one job, on their way from its node to another."""

    def __init__(self, source: Place, target: Place) -> None:
        self._source = source
        self._target = target
        self.size = 0
        """Bytes of disk that they take, once that was asked."""
        self.passed = 0
        """Bytes that have passed while the program stands."""
        self.copied = False
        """Whether the target has a copy, of which the source has the inventory."""

    def are_large(self) -> bool:
        """Whether it pays to send them ahead. Small tars know neither lists nor times below a second."""
        self.size = self._source.used()
        return self.size >= LARGE and self._source.node.gnu_tar and self._target.node.gnu_tar

    def send_ahead(self, told: Callable[[int], None]) -> int:
        """Sends them while the program runs; `told`: bytes that have passed, now and then; it may raise. Returns how many.

        If that fails for the files' sake, they all go when the program stands.
        """
        count, inventory = 0, b""
        with suppress(CommandError):
            count = self._relay(changing=True, listed=self._renewed(), told=told)
            inventory = self._target.inventory()
        self.copied = 0 < len(inventory) <= MOST_INVENTORY
        if self.copied:
            self._source.keep_inventory(inventory)
        else:
            self._target.forget_files()
        return count

    def _renewed(self) -> str | None:
        """The list of what is different from what the target has kept, if it has."""
        if not (self._source.job.keeps_files and self._target.take_kept()):
            return None
        self._source.keep_inventory(self._target.inventory())
        if removed := self._source.changes():
            self._target.remove_files(removed)
        return self._source.changed

    def send(self) -> int:
        """Makes the target's files those of the stopped job; returns the bytes that passed."""
        if not self.copied:
            return self._relay()
        if removed := self._source.changes():
            self._target.remove_files(removed)
        return self._relay(listed=self._source.changed)

    def _note(self, count: int) -> None:
        self.passed = count

    def _relay(
        self, *, listed: str | None = None, changing: bool = False, told: Callable[[int], None] | None = None
    ) -> int:
        """Only the job's own user may have programs there that run as their owner, whoever starts them: raises FormatError for
        others.
        """
        source, target = self._source, self._target
        rules = FILES.owned_by(source.job.uid) if source.job.user else FILES
        return source.node.relay(
            source.data,
            target.node,
            rules,
            directory=target.directory,
            listed=listed,
            changing=changing,
            told=told or self._note,
        )
