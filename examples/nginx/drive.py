# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""nginx, a master and two workers, moves between the lab's machines under load: `transproc example nginx` runs this.

Usage: drive.py NGINX [connected], with $NODES, $HOPS and $SEED. `connected`: it has an address that moves with it.
Files of all sizes are asked for, one after the other, and compared.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from servers import ADDRESS, ONTO_ITSELF, Connection, drive

PORT = 7785
chance = random.Random(int(os.environ["SEED"]))
contents = [chance.randbytes(size) for size in (0, 1, 100, 4096, 50_000, 300_000)]


def step(connection: Connection, number: int) -> None:
    """One file."""
    wanted = number % len(contents)
    connection.send(b"GET /%d HTTP/1.1\r\nHost: here\r\n\r\n" % wanted)
    status, size = connection.line(), 0
    while line := connection.line():
        if line.lower().startswith(b"content-length:"):
            size = int(line.split()[1])
    body = connection.read(size)
    if status != b"HTTP/1.1 200 OK" or body != contents[wanted]:
        raise ValueError(f"/{wanted}: {status!r}, {len(body)} bytes, expected {len(contents[wanted])}")


with tempfile.TemporaryDirectory() as place:
    for number, data in enumerate(contents):
        file = Path(place) / "html" / str(number)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
    connected = sys.argv[2:] == ["connected"]
    text = Path(__file__).with_name("nginx.conf").read_text()
    if ONTO_ITSELF:  # what is forked is not migrated: one process serves
        text = f"master_process off;\n{text}"
    (Path(place) / "nginx.conf").write_text(text.replace("127.0.0.1", ADDRESS) if connected else text)
    command = [sys.argv[1], "-p", ".", "-c", "nginx.conf", "-e", "stderr"]
    drive("nginx", command, PORT, step, place, connected=connected)
