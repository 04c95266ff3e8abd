# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Faults: whatever is killed, full, cut off or started anew at whatever moment, nothing is lost, and `recover` leaves nothing.

An operation (a migration, a checkpoint, a restart) runs in a process of its own and says when each step begins and ends; there
the fault strikes (`harness.py`). What is tried is listed here: `faults()` at each run of the tests, `more_faults()` by night.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from transproc.cluster.phase import Phase

MIGRATE, PAGES, LAZY, PRECOPY = "migrate", "migrate, as pages", "migrate --lazy", "migrate --precopy"
CHECKPOINT, END, RESTART, PLAN = "checkpoint", "checkpoint --end", "restart", "plan"
"""The operations. As pages: as large memory goes, from process to process."""
MOVES = (MIGRATE, PAGES, LAZY, PRECOPY)
WATCHER, WORKER, BOTH = "who watches", "who works", "both who borrow"
BORROWERS = (WATCHER, WORKER, BOTH)
"""The two processes on the target that hold a program's missing pages, each of which starts the other anew."""
_PLAIN = [
    str(phase) for phase in Phase if phase not in (Phase.FILES, Phase.PRECOPY, Phase.COMPARE, Phase.PAGES)
]
_COMMIT = _PLAIN.index(Phase.COMMIT)
STEPS = {
    MIGRATE: _PLAIN,
    PAGES: [*_PLAIN[:_COMMIT], str(Phase.PAGES), *_PLAIN[_COMMIT:]],
    LAZY: [*_PLAIN[: _COMMIT + 1], str(Phase.PAGES), *_PLAIN[_COMMIT + 1 :]],
    PRECOPY: [str(phase) for phase in Phase],
    CHECKPOINT: "preflight prepare pause dump files resume fetch write".split(),
    END: "preflight prepare pause dump fetch write end".split(),
    RESTART: "check preflight prepare transform ship restore verify resume".split(),
    PLAN: [
        *("1 pause steady", "pause steady on na", "2 dump steady", "dump", "fetch"),
        *(
            "3 transform steady for nb",
            "transform steady to x86_64",
            "4 ship steady to nb",
            "preflight",
            "prepare",
            "ship",
        ),
        *("5 restore steady on nb, stopped", "restore", "verify", "6 resume steady", "resume steady on nb"),
    ],
}


@dataclass(frozen=True)
class Fault:
    """`what` happens to `whom` when a step begins, or has ended (`after`); `delay` in seconds after that.

    `what`: killed; stopped, for ever; asked again, of a command while another one works; full, of a disk; short, of memory;
    cut or stalled, of a network, until the operation has ended, or corrupted, one bit of it, or late: what is sent is held up,
    the command is killed, and it arrives when all is settled;
    of a node rebooted (its processes are gone) or wiped (its jobs' directories as well); years ahead or years behind, of a clock,
    from then on.
    `whom`: command, criu, pause tool, who borrows (`BORROWERS`), connection or network to source or target, their clocks; host,
    source, target.
    A restart has no source.
    """

    what: str
    whom: str
    step: str
    after: bool = False
    delay: float = 0.0
    operation: str = MIGRATE

    @property
    def loses_pages(self) -> bool:
        """What the source still owes the program may be gone."""
        return self.loses and self.whom == "source" and self.operation == LAZY

    @property
    def loses(self) -> bool:
        """The node on which the program is, or may be, loses its processes."""
        return self.what in ("rebooted", "wiped")

    @property
    def ends(self) -> bool:
        """Nobody holds the pages any more that a running program has not got: the kernel ends it before it can miss one."""
        return self.whom == BOTH and self.operation == LAZY

    def __str__(self) -> str:
        late = f" + {1000 * self.delay:.0f} ms" if self.delay else ""
        prefix = "" if self.operation == MIGRATE else f"{self.operation.replace(',', '')}: "
        return f"{prefix}{self.whom} {self.what} {'after' if self.after else 'at'} {self.step}{late}"


def of(operation: str, *faults: Fault) -> list[Fault]:
    """Those of another operation."""
    return [replace(fault, operation=operation) for fault in faults]


def faults() -> list[Fault]:
    """What is tried at each run: of migrations most, of the others what differs from them."""
    busy = ("prepare", "dump", "restore", "retire")
    return [
        *(Fault("killed", "command", step) for step in STEPS[MIGRATE]),
        *(Fault("killed", "command", step, after=True) for step in ("resume", "retire")),
        *(Fault("killed", "command", step, delay=0.01) for step in busy),
        *(
            Fault("killed", "criu", step, delay=delay)
            for step in ("dump", "restore")
            for delay in (0.0, 0.02)
        ),
        *(Fault("killed", "pause tool", "pause", delay=delay) for delay in (0.0, 0.002)),
        *(Fault("killed", "pause tool", step) for step in ("restore", "verify", "resume", "retire")),
        *(Fault("killed", "source connection", step, delay=0.01) for step in ("dump", "fetch")),
        Fault("killed", "source connection", "retire"),
        *(Fault("killed", "target connection", step, delay=0.01) for step in ("ship", "restore")),
        *(Fault("killed", "target connection", step) for step in ("restore", "resume")),
        *(Fault("full", "host", step) for step in ("pause", "fetch", "restore", "retire")),
        *(Fault("full", "source", step) for step in ("pause", "dump")),
        *(Fault("full", "target", step) for step in ("ship", "restore")),
        Fault("cut", "source network", "dump"),
        Fault("cut", "target network", "resume"),
        *(Fault("asked again", "command", step) for step in ("prepare", "resume")),
        *(Fault("short", "target", step) for step in ("prepare", "restore")),
        *of(
            PAGES,
            *(Fault("killed", "command", step) for step in ("pages", "resume")),
            Fault("killed", "criu", "restore", delay=0.02),
            Fault("killed", "source connection", "pages"),
            Fault("killed", WORKER, "restore"),
            Fault("killed", BOTH, "pages"),
        ),
        *of(
            LAZY,
            *(Fault("killed", "command", step) for step in ("restore", "resume", "pages", "retire")),
            Fault("killed", "command", "resume", after=True),
            Fault("killed", "target connection", "pages"),
            *(Fault("killed", whom, "pages", delay=0.01) for whom in BORROWERS),
            *(Fault("killed", whom, "restore", delay=0.02) for whom in (WATCHER, BOTH)),
        ),
        *of(
            PRECOPY,
            *(Fault("killed", "command", step) for step in ("files", "precopy", "compare", "pages")),
            Fault("killed", "source connection", "precopy", delay=0.01),
            Fault("killed", "target connection", "dump"),
        ),
        *of(
            CHECKPOINT,
            *(Fault("killed", "command", step) for step in ("dump", "write")),
            Fault("killed", "command", "fetch", delay=0.01),
            Fault("killed", "source connection", "fetch", delay=0.01),
            Fault("corrupted", "source network", "fetch"),
            Fault("full", "host", "fetch"),
            Fault("full", "source", "files"),
        ),
        Fault("late", "target network", "resume"),
        *of(RESTART, Fault("late", "target network", "restore")),
        *of(END, Fault("killed", "command", "end"), Fault("killed", "command", "end", after=True)),
        *of(
            RESTART,
            *(Fault("killed", "command", step) for step in ("ship", "resume")),
            Fault("killed", "command", "restore", delay=0.02),
            Fault("killed", "command", "resume", after=True),
            Fault("killed", "target connection", "restore"),
            Fault("cut", "target network", "ship"),
            Fault("full", "host", "prepare"),
            Fault("full", "target", "ship"),
        ),
        *of(
            PLAN,
            *(
                Fault("killed", "command", step, after=True)
                for step in STEPS[PLAN]
                if step[0] == "3"  # between two steps
            ),
            *(Fault("killed", "command", step) for step in ("ship", "resume steady on nb")),
            Fault("killed", "command", "restore", delay=0.01),
            Fault("killed", "target connection", "restore", delay=0.01),
            Fault("killed", "source connection", "pause steady on na", delay=0.01),
            Fault("full", "host", "fetch"),
        ),
    ]


def between_isas() -> list[Fault]:
    """What is tried from one ISA to the other as well."""
    listed = [
        *(Fault("killed", "command", step) for step in STEPS[MIGRATE]),
        *(Fault("killed", "criu", step, delay=delay) for step in ("dump", "restore") for delay in (0.0, 0.1)),
        *(Fault("killed", "pause tool", step) for step in ("pause", "verify", "resume")),
        *(Fault("killed", "source connection", step) for step in ("dump", "ship")),
        *(Fault("killed", "target connection", step) for step in ("restore", "resume")),
        *(
            Fault("cut", f"{node} network", step)
            for node in ("source", "target")
            for step in ("restore", "resume")
        ),
        *(Fault("full", "target", step) for step in ("ship", "restore")),
        Fault("corrupted", "source network", "fetch"),
        Fault("asked again", "command", "restore"),
        *_clocks(STEPS[MIGRATE][0], "dump", "restore", "resume"),
    ]
    for operation in (PAGES, LAZY, PRECOPY):
        listed += of(
            operation,
            *(Fault("killed", "command", step) for step in ("restore", "pages", "resume")),
            Fault("killed", "target connection", "pages"),
            *_clocks("pages"),
        )
    listed += of(PRECOPY, *(Fault("killed", "command", step) for step in ("precopy", "compare")))
    listed += of(
        CHECKPOINT,
        *(Fault("killed", "command", step) for step in ("dump", "fetch", "resume")),
        *_clocks("dump", nodes=("source",)),
    )
    listed += of(
        RESTART,
        *(Fault("killed", "command", step) for step in ("ship", "restore", "resume")),
        *_clocks("check", "restore", nodes=("target",)),
    )
    return listed + of(PLAN, *_clocks(STEPS[PLAN][0], "restore"))


def _clocks(*steps: str, nodes: Sequence[str] = ("source", "target")) -> list[Fault]:
    """Either node's, either way."""
    ways = [(node, what) for node in nodes for what in ("years ahead", "years behind")]
    return [Fault(what, f"{node} clock", step) for node, what in ways for step in steps]


def more_faults() -> list[Fault]:
    """All others: every step of everything."""
    nodes = [Fault(what, "source", step) for what in ("rebooted", "wiped") for step in STEPS[MIGRATE][2:]]
    nodes += [Fault(what, "target", step) for what in ("rebooted", "wiped") for step in STEPS[MIGRATE][2:]]
    networks = [
        Fault(what, whom, step)
        for whom in ("source network", "target network")
        for what, steps in (
            ("cut", STEPS[MIGRATE]),
            ("corrupted", "fetch ship".split()),
            ("stalled", STEPS[MIGRATE][2:]),
            ("late", STEPS[MIGRATE][1:]),
        )
        for step in steps
    ]
    # A program that runs on a node would meet its full disk itself.
    stopped = "pause dump files fetch transform ship restore verify".split()
    ahead = "check preflight prepare transform ship restore".split()
    every = [
        *(Fault("killed", "command", step, after=True) for step in STEPS[MIGRATE]),
        *(Fault("killed", "command", step, delay=0.01) for step in STEPS[MIGRATE][1:]),
        *(Fault("asked again", "command", step) for step in STEPS[MIGRATE]),
        *(Fault("short", "target", step) for step in STEPS[MIGRATE] if step in ahead),
        *nodes,
        *networks,
        *(
            Fault("killed", whom, step, delay=delay)
            for whom in ("source connection", "target connection")
            for step in STEPS[MIGRATE]
            for delay in (0.0, 0.01)
        ),
        *(Fault("full", "host", step) for step in STEPS[MIGRATE]),
        *(Fault("full", "source", step) for step in STEPS[MIGRATE] if step in stopped),
        *(Fault("full", "target", step) for step in STEPS[MIGRATE] if step in ahead),
    ]
    for operation in (PAGES, LAZY, PRECOPY):
        steps = STEPS[operation]
        every += of(
            operation,
            *(Fault("killed", "command", step, after) for step in steps for after in (False, True)),
            *(Fault("killed", "command", step, delay=0.01) for step in steps[2:]),
            *(
                Fault("killed", f"{node} connection", step)
                for node in ("source", "target")
                for step in steps[3:]
            ),
            *(
                Fault("killed", "criu", step, delay=delay)
                for step in ("dump", "restore")
                for delay in (0, 0.02)
            ),
            *(
                Fault("killed", "pause tool", step)
                for step in ("pause", "restore", "verify", "pages", "resume", "retire", "precopy", "compare")
                if step in steps
            ),
            *(
                Fault("killed", whom, step, delay=delay)
                for whom in BORROWERS
                for step in steps
                if step in ("restore", "verify", "pages", "resume", "retire")
                for delay in (0.0, 0.01, 0.05)
            ),
            *(Fault("full", "host", step) for step in steps[2:]),
            *(Fault("full", "target", step) for step in steps if step in ahead),
            *(Fault("short", "target", step) for step in steps if step in ahead),
            *(Fault("cut", f"{node} network", step) for node in ("source", "target") for step in steps[3:]),
            *(Fault("stalled", f"{node} network", "pages") for node in ("source", "target")),
            *(Fault("late", f"{node} network", step) for node in ("source", "target") for step in steps[2:]),
            *(Fault("corrupted", "source network", step) for step in ("fetch", "pages")),
            *(
                Fault(what, node, step)
                for what in ("rebooted", "wiped")
                for node in ("source", "target")
                for step in ("restore", "pages", "retire")
            ),
        )
    for operation in (CHECKPOINT, END, RESTART):
        steps = STEPS[operation]
        node = "target" if operation == RESTART else "source"
        every += of(
            operation,
            *(Fault("killed", "command", step, after) for step in steps for after in (False, True)),
            *(Fault("killed", "command", step, delay=delay) for step in steps[2:] for delay in (0.005, 0.02)),
            *(
                Fault("killed", f"{node} connection", step, delay=delay)
                for step in steps
                for delay in (0.0, 0.01)
            ),
            *(Fault("full", "host", step) for step in steps),
            *(
                Fault("full", node, step)
                for step in steps
                if step in (ahead if operation == RESTART else stopped)
            ),
            *(Fault("short", node, step) for step in steps if operation == RESTART and step in ahead[2:]),
            *(Fault("cut", f"{node} network", step) for step in steps),
            *(Fault(what, f"{node} network", step) for what in ("stalled", "late") for step in steps[2:]),
            *(Fault("corrupted", f"{node} network", step) for step in ("fetch", "ship") if step in steps),
            *(Fault(what, node, step) for what in ("rebooted", "wiped") for step in steps[2:]),
            *(
                Fault("killed", "criu", step, delay=delay)
                for step in ("dump", "restore")
                if step in steps
                for delay in (0.0, 0.01, 0.02, 0.04)
            ),
            *(
                Fault("killed", "pause tool", step, delay=delay)
                for step in ("pause", "resume", "restore", "verify", "end")
                if step in steps
                for delay in (0.0, 0.002)
            ),
        )
    every += of(
        PLAN,
        *(Fault("killed", "command", step, after) for step in STEPS[PLAN] for after in (False, True)),
        *(
            Fault("killed", f"{node} connection", step, delay=delay)
            for node in ("source", "target")
            for step in STEPS[PLAN]
            for delay in (0.0, 0.01)
        ),
        *(Fault("cut", f"{node} network", step) for node in ("source", "target") for step in STEPS[PLAN]),
        *(Fault("full", "host", step) for step in STEPS[PLAN]),
        *(Fault("full", "source", step) for step in STEPS[PLAN] if step in stopped),
        *(Fault("full", "target", step) for step in STEPS[PLAN] if step in ahead),
        *(
            Fault(what, node, step)
            for node, steps in (("source", STEPS[PLAN][2:]), ("target", STEPS[PLAN][9:]))
            for step in steps
            for what in ("rebooted", "wiped")
        ),
        *(
            Fault("killed", whom, step, delay=delay)
            for whom, steps in (("criu", "dump restore"), ("pause tool", "pause restore verify resume"))
            for step in _told(steps)
            for delay in (0.0, 0.01)
        ),
        *(
            Fault("stalled", f"{node} network", step)
            for node, steps in (("source", "dump fetch"), ("target", "ship restore verify resume"))
            for step in _told(steps)
        ),
        *(
            Fault("corrupted", f"{node} network", step)
            for node, step in (("source", "fetch"), ("target", "ship"))
        ),
        *(Fault("short", "target", step) for step in STEPS[PLAN] if step in ahead),
        *(Fault("asked again", "command", step) for step in ("dump", "fetch", "ship", "restore", "verify")),
    )
    for operation in (CHECKPOINT, END):
        every += of(operation, *(Fault("asked again", "command", step) for step in STEPS[operation]))
    known = set(faults())
    return [fault for fault in every if fault not in known]


def _told(verbs: str) -> list[str]:
    """How a plan tells of these steps: of those that are done on a node at once by the job's and the node's names as well."""
    return [next(step for step in STEPS[PLAN] if step.split()[0] == verb) for verb in verbs.split()]
