# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Simulated nodes: one process that answers as the tools of many would, over the real protocol (docs/format.md).

    python -m tests.benchmarks.agents SOCKET

A connection begins with a line: the node's name, its ISA, its processors, and the jobs that are there.
"""

from __future__ import annotations

import asyncio
import random
import struct
import sys
import time

_HEAD = struct.Struct("<II")
_ANSWER = struct.Struct("<III")
HELLO, OUTPUT, END = 0, 1, 3
BEGAN = time.monotonic()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One node."""
    name, isa, cpus, *jobs = (await reader.readline()).decode().split()
    chance = random.Random(name)
    loads = {job: chance.random() for job in jobs}
    writer.write(_ANSWER.pack(0, HELLO, 4) + struct.pack("<I", 1))
    try:
        while True:
            number, size = _HEAD.unpack(await reader.readexactly(_HEAD.size))
            request = await reader.readexactly(size)
            text = facts(isa, int(cpus), sum(loads.values())) if b"isa=$(uname" in request else usage(loads)
            writer.write(_ANSWER.pack(number, OUTPUT, len(text)) + text)
            writer.write(_ANSWER.pack(number, END, 8) + struct.pack("<II", 0, 0))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def facts(isa: str, cpus: int, load: float) -> bytes:
    """As `cluster.facts` asks."""
    return (
        f"isa={isa}\nkernel=6.12.1\ncpus={cpus}\nload={load:.2f}\nuptime=1000.0\nmemory=8000000\n"
        f"available=6000000\ndisk=9000000\nids=4194304\npage=4\ncriu=4.1.1\ntime={time.time():.9f}\n"
    ).encode()


def usage(loads: dict[str, float]) -> bytes:
    """As `cluster.usage` asks."""
    ticks = (time.monotonic() - BEGAN) * 100
    return "".join(f"{job} {round(load * ticks)} 0\n" for job, load in loads.items()).encode()


async def main(path: str) -> None:
    """Until its standard input ends."""
    server = await asyncio.start_unix_server(serve, path, backlog=4096)
    print("ready", flush=True)
    async with server:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
