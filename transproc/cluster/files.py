# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job's files between two nodes: if they are large they go ahead while the program runs, and when it stands what is different.

What is different is found by contents (runtime/tool/tree.h): a program can write to memory that it has mapped, or set times, so
size and time of a file say little. Of a large file only the blocks that are different are sent (runtime/tool/patch.h). The copy
on the target may be anything, since files change while they are read: what counts is its inventory, made when it is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from transproc.cluster.join import connect
from transproc.cluster.members import FILES, Rules
from transproc.cluster.place import Place
from transproc.errors import CommandError, NodeError

LARGE = 16 << 20
"""Bytes of files from which on they go ahead: fewer are sent in less time than it takes to compare them, over a fast link."""
SMALL = 1 << 20
"""Bytes of files up to which they go in one piece, not as a stream: to open its two channels takes longer than such files do."""
MOST_INVENTORY = 64 << 20
"""Bytes of an inventory: of some hundred thousand files, or of 8 GB of which each page has its hash."""
LONG_SECONDS = 2.0
"""If a round took longer, much may have changed meanwhile: there is another one before the program is stopped."""
LESS = 0.5
"""A round that sends more than so much of what the one before has sent was the last: each of them reads all files twice."""

PATIENCE_SECONDS = 30.0
RETRY_SECONDS = 0.5
"""How long a lost connection is tried to be made again over which nothing passes, and how often."""

Told = Callable[[int], None]


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
        self.lost = 0
        """Connections over which some of them had gone ahead: others went on."""

    def are_large(self) -> bool:
        """Whether it pays to send them ahead. Small tars know neither lists nor times below a second."""
        self.size = self._source.files.used()
        return self.size >= LARGE and self._source.node.gnu_tar and self._target.node.gnu_tar

    def send_ahead(self, told: Told) -> int:
        """Sends them while the program runs, and then what has changed meanwhile, until that does not get less; `told`: bytes
        that have passed, now and then; it may raise. Returns how many.

        If that fails for the files' sake, they all go when the program stands.
        """
        count, before = 0, 0
        with suppress(CommandError):
            if self._source.job.keeps_files and self._target.files.take_kept():
                self._know_copy()
            while True:
                begin, passed = time.monotonic(), count
                sent = self._send_round(lambda now, passed=passed: told(passed + now))  # type: ignore[misc]
                count += sent
                if not self.copied or sent < LARGE or time.monotonic() - begin < LONG_SECONDS:
                    break
                if before and sent > LESS * before:
                    break
                before = sent
        if not self.copied:
            self._target.files.forget()
        return count

    def _send_round(self, told: Told) -> int:
        """If a connection is lost meanwhile, another one brings what is different then. Raises what it was lost for, if nothing
        has passed for `PATIENCE_SECONDS`.
        """
        good, before, passed = time.monotonic(), 0, 0

        def note(count: int) -> None:
            nonlocal passed
            passed = count
            told(before + count)

        while True:
            try:
                if before:
                    self._look_again()
                return before + self._send_once(note)
            except NodeError:
                good = time.monotonic() if passed else good
                if not before + passed or time.monotonic() - good > PATIENCE_SECONDS:
                    raise
                self.lost += passed > 0
            before, passed = before + passed, 0
            time.sleep(RETRY_SECONDS)
            told(before)

    def _look_again(self) -> None:
        """At what there is on the target; nobody is left who would change that behind our back."""
        for place in (self._source, self._target):
            place.become_quiet(0)
        self._know_copy()

    def _send_once(self, told: Told) -> int:
        known, self.copied = self.copied, False
        sent = self._renew(changing=True, told=told) if known else self._relay(changing=True, told=told)
        self._know_copy()
        return sent

    def _know_copy(self) -> None:
        inventory = self._target.files.inventory()
        self.copied = 0 < len(inventory) <= MOST_INVENTORY
        if self.copied:
            self._source.files.keep_inventory(inventory)

    def send(self) -> int:
        """Makes the target's files those of the stopped job; returns the bytes that passed."""
        if self.copied:
            return self._renew(changing=False, told=self._note)
        return (self._carry() if self.size <= SMALL else 0) or self._relay()

    def _note(self, count: int) -> None:
        self.passed = count

    def _renew(self, *, changing: bool, told: Told) -> int:
        """Sends what is different from the copy. One into which a file's blocks were written, and that is not whole then, gets
        the file.
        """
        found = self._source.files.changes(patches=True)
        self._target.files.remove(found.removed)
        count = self._relay(listed=self._source.files.changed, changing=changing, told=told)
        if not found.patched:
            return count
        try:
            return count + self._patch(changing=changing, told=lambda now: told(count + now))
        except CommandError:
            self._source.files.changes(patches=False)
            return count + self._relay(listed=self._source.files.changed, changing=changing, told=told)

    def _patch(self, *, changing: bool, told: Told) -> int:
        source, target = self._source, self._target
        giving = source.tool.blocks(source.data, source.files.patched, changing=changing)
        taking = target.tool.patch(target.data, changing=changing)
        return connect(source.node, giving, target.node, taking, large=True, told=told)

    @property
    def _rules(self) -> Rules:
        """Only the job's own user may have programs there that run as their owner, whoever starts them."""
        return FILES.owned_by(self._source.job.uid) if self._source.job.user else FILES

    def _carry(self) -> int:
        source, target = self._source, self._target
        directory = target.directory
        return source.node.carry(source.data, target.node, self._rules, directory=directory, most=SMALL)

    def _relay(self, *, listed: str | None = None, changing: bool = False, told: Told | None = None) -> int:
        source, target = self._source, self._target
        return source.node.relay(
            source.data,
            target.node,
            self._rules,
            directory=target.directory,
            listed=listed,
            changing=changing,
            large=self.size >= LARGE,
            told=told or self._note,
        )
