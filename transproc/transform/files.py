# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Open files: what of them depends on the ISA, and what cannot be moved."""

from __future__ import annotations

import stat
import struct

from transproc.binary.pair import Binary
from transproc.errors import UnsupportedError
from transproc.images.flags import PORTABLE_DEVICES, FileType, is_terminal
from transproc.images.proto.files_pb2 import FileEntry
from transproc.isa import Isa
from transproc.transform import timers

UNSUPPORTED = {
    FileType.PACKET_SOCKET: "a packet socket",
    FileType.TUNNEL: "a tun/tap device",
    FileType.BPFMAP: "a BPF map, which belongs to one kernel",
    FileType.FANOTIFY: "a fanotify group",
}


def convert(entry: FileEntry, source: Isa, target: Isa) -> None:
    """Translates a file's open(2) flags; refuses what cannot be moved."""
    refuse(entry)
    timers.keep_file(entry)
    for field, value in entry.ListFields():
        if field.message_type is not None and "flags" in field.message_type.fields_by_name:
            value.flags = source.convert_open_flags(value.flags, target)


def refuse(entry: FileEntry) -> None:
    """Raises `UnsupportedError` for open files that mean nothing on another machine."""
    if entry.type in UNSUPPORTED:
        raise UnsupportedError(
            f"the program holds {UNSUPPORTED[FileType(entry.type)]} (file {entry.id})",
            hint="close it before the migration",
        )
    device = entry.HasField("reg") and (stat.S_ISCHR(entry.reg.mode) or stat.S_ISBLK(entry.reg.mode))
    if device and entry.reg.name not in PORTABLE_DEVICES and not is_terminal(entry.reg.name):
        raise UnsupportedError(
            f"the program has opened the device {entry.reg.name}", hint="close it before the migration"
        )


def set_executable(entry: FileEntry, target: Binary) -> None:
    """Makes a file entry name the target's binary: CRIU compares size and build-id at the restore."""
    entry.reg.size = target.elf.size
    del entry.reg.build_id[:]
    padded = target.build_id + bytes(-len(target.build_id) % 4)
    entry.reg.build_id.extend(struct.unpack(f"<{len(padded) // 4}I", padded))


def build_id(entry: FileEntry) -> bytes:
    """The build-id of an executable's file entry; empty if CRIU recorded none."""
    return struct.pack(f"<{len(entry.reg.build_id)}I", *entry.reg.build_id)[:20]
