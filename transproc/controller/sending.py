# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A program, or a plan or batch with all that it names, goes from this host to a controller, before it is started there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from transproc.cluster.events import Events
from transproc.cluster.start import Program

if TYPE_CHECKING:
    from transproc.automation.parcel import Parcel
    from transproc.controller.client import Client


def send(client: Client, words: dict[str, Any], events: Events) -> dict[str, Any]:
    """Uploads what a `Run` names on this host; returns it with the upload in its place. Raises `TransprocError`."""
    program = Program([words["program"]])
    pair = program.pair()
    with events.step("send the program") as step:
        upload = client.post("/uploads")["id"]
        sent = 0
        parts = [(isa, binary.path) for isa, binary in pair.binaries.items()]
        for part, path in [*parts, *([("stdin", Path(words["stdin"]))] if words["stdin"] else [])]:
            sent += path.stat().st_size
            with path.open("rb") as body:
                client.put(f"/uploads/{upload}/{part}", body, path.stat().st_size)
        if words["files"]:
            _send_files(client, upload, Path(words["files"]))
        step.detail = f"{sent / (1 << 20):.1f} MiB"
    return {**words, "program": program.name, "upload": upload, "stdin": None, "files": None, "starter": None}


def send_parcel(client: Client, parcel: Parcel, events: Events) -> str:
    """Uploads a parcel; returns the upload. Raises `TransprocError`."""
    from transproc.automation.parcel import packed  # noqa: PLC0415

    with events.step(f"send {parcel.file}"):
        upload: str = client.post("/uploads")["id"]
        with packed(parcel) as stream:
            client.put(f"/uploads/{upload}/files", stream)
    return upload


def _send_files(client: Client, upload: str, directory: Path) -> None:
    from transproc.cluster import archive  # noqa: PLC0415

    with archive.pack(directory, "files", gnu=True) as stream:
        client.put(f"/uploads/{upload}/files", stream)
