# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Clients of `echo.c`, each of which knows what it must hear: python -m tests.native.clients HOST...

They tell how far they are, a line of JSON now and then, and go on until standard input ends; then each has the rest of what it
waits for, and the last line says how long the longest silence was, in seconds. What is wrong, or a lost connection, is a failure.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

ECHO, TALK, BLOCK = 7000, 7001, 7002
PATIENCE = 40.0
PIECE = os.urandom(1 << 16)
TELL_SECONDS = 0.05
KNOCKING = 3


@dataclass
class State:
    """`counts`: of answers, by client; `silence`: the longest between two answers to the client that asks."""

    counts: dict[str, int] = field(default_factory=dict)
    silence: float = 0.0
    error: BaseException | None = None
    end: threading.Event = field(default_factory=threading.Event)
    drained: threading.Event = field(default_factory=threading.Event)


def connect(host: str, port: int) -> socket.socket:
    """A connection that gives up after a while."""
    return socket.create_connection((host, port), PATIENCE)


def hear(end: socket.socket, size: int) -> bytes:
    """So many bytes."""
    found = b""
    while len(found) < size:
        data = end.recv(size - len(found))
        if not data:
            raise EOFError("the connection was closed")
        found += data
    return found


def ask(state: State, name: str, host: str) -> None:
    """A question, its answer, the next question."""
    with connect(host, ECHO) as end:
        last = time.monotonic()
        while not state.end.is_set():
            words = b"%032d" % state.counts[name]
            end.sendall(words)
            if hear(end, len(words)) != words:
                raise ValueError("a wrong answer")
            state.counts[name] += 1
            state.silence, last = max(state.silence, time.monotonic() - last), time.monotonic()
            time.sleep(0.001)
        end.sendall(b"drain\n")
        hear(end, 6)
        state.drained.set()


def flood(state: State, name: str, host: str) -> None:
    """As much as goes in both directions; then half of the connection is closed, and the rest comes."""
    with connect(host, ECHO) as end:
        sender = threading.Thread(target=_send, args=[state, end])
        sender.start()
        size = 0
        while data := end.recv(1 << 16):
            at = size % len(PIECE)
            if data != (PIECE + PIECE)[at : at + len(data)]:
                raise ValueError("wrong bytes")
            size += len(data)
            state.counts[name] = size >> 16
        sender.join()
        if size % len(PIECE):
            raise EOFError("less came back than was sent")


def _send(state: State, end: socket.socket) -> None:
    while not state.end.is_set():
        end.sendall(PIECE)
    end.shutdown(socket.SHUT_WR)


def listen(state: State, name: str, host: str) -> None:
    """Says nothing, and has closed its half."""
    with connect(host, TALK) as end:
        end.shutdown(socket.SHUT_WR)
        file = end.makefile("rb")
        while not state.end.is_set():
            if int(file.readline()) != state.counts[name]:
                raise ValueError("a line is missing")
            state.counts[name] += 1


def wait(state: State, name: str, host: str) -> None:
    """Fills all buffers on the way, and hears of it at the end."""
    with connect(host, BLOCK) as end:
        size = 0
        end.setblocking(False)
        while size < 1 << 22:
            try:
                size += end.send(PIECE[size % len(PIECE) :])
            except BlockingIOError:
                break
        end.settimeout(PATIENCE)
        state.counts[name] = 1
        state.drained.wait()
        end.shutdown(socket.SHUT_WR)
        found = hear(end, size)
        if found != (PIECE * (size // len(PIECE) + 1))[:size] or end.recv(1):
            raise ValueError("wrong bytes")


def knock(state: State, name: str, host: str) -> None:
    """A connection for each question."""
    while not state.end.is_set():
        with connect(host, ECHO) as end:
            end.sendall(b"who is there")
            if hear(end, 12) != b"who is there":
                raise ValueError("a wrong answer")
        state.counts[name] += 1


def _guarded(what: Callable[[State, str, str], None], state: State, name: str, host: str) -> None:
    try:
        what(state, name, host)
    except BaseException as error:
        state.error = state.error or RuntimeError(f"{name}: {error!r}")
        state.drained.set()


def main() -> None:
    """All clients of all hosts, at once."""
    state, threads = State(), []
    for host in sys.argv[1:]:
        for what in (ask, flood, listen, wait, *KNOCKING * [knock]):
            name = f"{what.__name__} {len(threads)} {host}"
            state.counts[name] = 0
            threads.append(threading.Thread(target=_guarded, args=[what, state, name, host], daemon=True))
    for thread in threads:
        thread.start()
    watcher = threading.Thread(target=lambda: (sys.stdin.read(), state.end.set()), daemon=True)
    watcher.start()
    while any(thread.is_alive() for thread in threads) and not state.error:
        print(json.dumps(state.counts), flush=True)
        time.sleep(TELL_SECONDS)
    if state.error:
        sys.exit(str(state.error))
    print(json.dumps({"silence": round(state.silence, 3)}), flush=True)


if __name__ == "__main__":
    main()
