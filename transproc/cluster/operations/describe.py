# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the manifest of a checkpoint says of the job, its image, and what it needs to go on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from transproc import __version__
from transproc.binary import processor
from transproc.binary.elf import Elf
from transproc.cluster.checkpoints import Draft, Manifest
from transproc.cluster.checkpoints.manifest import Outside
from transproc.cluster.job import Job
from transproc.cluster.look import Look
from transproc.cluster.place import Place
from transproc.cluster.preflight import Needs
from transproc.images.directory import ImageDirectory
from transproc.images.memory import Memory
from transproc.isa import ALL
from transproc.process import inspect
from transproc.process.criu import Options
from transproc.text import dotted

LARGEST_ENVIRONMENT = 1 << 20
"""Bytes of it that a manifest shows."""


@dataclass(frozen=True)
class Taken:
    """What is known when the image is on the host: `pair` has the binaries, `digests` are of the files beyond the job's
    directory, in the order of `needs.outside`; `downtime` in seconds.
    """

    job: Job
    number: int
    source: Place
    look: Look
    needs: Needs
    options: Options
    exclude: tuple[str, ...]
    kernel: str
    digests: list[str]
    downtime: float
    draft: Draft
    pair: Path


def manifest(taken: Taken) -> Manifest:
    """All of it. Raises `TransprocError` if the image cannot be read, or the node does not answer."""
    job, node, options = taken.job, taken.source.node, taken.options
    return Manifest(
        name=job.name,
        id=job.id,
        number=taken.number,
        taken=time.time(),
        node=job.node,
        isa=node.isa,
        kernel=taken.kernel,
        criu=dotted(taken.source.check_criu()),
        transproc=__version__,
        argv=job.argv,
        env=environment(taken.draft.images, job.pid),
        pid=job.pid,
        started=job.started,
        moves=job.moves,
        terminal=job.terminal,
        user=job.user,
        uid=job.uid,
        gid=job.gid,
        groups=job.groups,
        addresses=job.addresses,
        gateways=job.gateways,
        directory=job.directory or job.name,
        memory=taken.needs.memory,
        ids=taken.needs.ids,
        capabilities=taken.needs.capabilities,
        outside=_outside(taken),
        bound=_bound(taken),
        exclude=list(taken.exclude),
        gnu=node.gnu_tar,
        tcp_close=options.tcp_close,
        file_locks=options.file_locks,
        link_remap=options.link_remap,
        processor={
            isa.name: sorted(processor.needed(Elf(taken.pair / f"{job.program}.{isa.name}"))) for isa in ALL
        },
        downtime=round(taken.downtime, 4),
        contents=taken.draft.contents(),
    )


def _outside(taken: Taken) -> list[Outside]:
    """With the sizes that a restore wants, those of the image: none of files that are appended to; with digests of then."""
    opened = {
        entry.reg.name: entry.reg.size if entry.reg.HasField("size") else None
        for entry in ImageDirectory(taken.draft.images).files().values()
        if entry.HasField("reg")
    }
    return [
        Outside(path, opened.get(path, size), digest)
        for (path, size), digest in zip(taken.needs.outside.items(), taken.digests, strict=True)
    ]


def _bound(taken: Taken) -> list[str]:
    """Why it cannot go on with another ISA."""
    found = (
        problem.message
        for isa in ALL
        if isa.name != taken.source.node.isa
        for problem in inspect.problems(
            taken.look.views,
            program=taken.source.program,
            files=taken.source.data,
            target=isa,
            connections=taken.options.tcp_close,
        )
    )
    return list(dict.fromkeys(found))


def environment(images: Path, pid: int) -> list[str]:
    """As the program found it at its start."""
    directory = ImageDirectory(images)
    mm = directory.mm(pid)
    size = min(mm.mm_env_end - mm.mm_env_start, LARGEST_ENVIRONMENT)
    if size <= 0:
        return []
    text = Memory(directory, pid).read(mm.mm_env_start, size)
    return [word.decode(errors="replace") for word in text.split(b"\0") if word]
