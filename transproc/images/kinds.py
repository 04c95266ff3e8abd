# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The kinds of CRIU's images: one row for each.

Grammar of an image (CRIU's image format 1.1; integers are little-endian):

    image = [first] magic entry*      first: 0x54564319; in files that a restore does not need 0x55105940
    entry = size payload [extra]      size: u32; payload: a protobuf message; extra: raw bytes, see Kind.extra

`inventory.img` has no `first`, nor has any image of format 1.0. Some files (pages, output of other programs,
archives) have no header at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import Message

from transproc.images.proto import core_pb2, files_pb2, memory_pb2, process_pb2

COMMON_MAGIC = 0x54564319
SERVICE_MAGIC = 0x55105940


@dataclass(frozen=True)
class Kind:
    """A kind of image.

    Where `message` is None the entries carry nothing that transproc reads: they stay opaque bytes. `head`
    is the message of the first entry where that differs from the rest. `extra` names the fields whose sum
    is the number of raw bytes behind a payload.
    """

    name: str
    magic: int
    patterns: tuple[str, ...]
    message: type[Message] | None = None
    head: type[Message] | None = None
    extra: tuple[str, ...] = ()
    service: bool = False
    """Has `SERVICE_MAGIC`."""


INVENTORY = Kind("inventory", 0x58313116, ("inventory.img",), process_pb2.Inventory)
PSTREE = Kind("pstree", 0x50273030, ("pstree.img",), process_pb2.ProcessTreeEntry)
CORE = Kind("core", 0x55053847, ("core-*.img",), core_pb2.CoreEntry)
IDS = Kind("ids", 0x54432030, ("ids-*.img",), core_pb2.KernelIds)
MM = Kind("mm", 0x57492820, ("mm-*.img",), memory_pb2.MemoryMap)
PAGEMAP = Kind(
    "pagemap", 0x56084025, ("pagemap-*.img",), memory_pb2.PagemapEntry, head=memory_pb2.PagemapHead
)
FS = Kind("fs", 0x51403912, ("fs-*.img",), process_pb2.FileSystemEntry)
FDINFO = Kind("fdinfo", 0x56213732, ("fdinfo-*.img",), files_pb2.DescriptorEntry)
FILES = Kind("files", 0x56303138, ("files.img",), files_pb2.FileEntry)
SECCOMP = Kind("seccomp", 0x64413049, ("seccomp.img",), process_pb2.SeccompEntry)
REMAP_FPATH = Kind("remap-fpath", 0x59133954, ("remap-fpath.img",), files_pb2.FilePathRemap)
PIPES_DATA = Kind("pipes-data", 0x56453709, ("pipes-data.img",), files_pb2.PipeData, extra=("bytes",))
FIFO_DATA = Kind("fifo-data", 0x59333054, ("fifo-data.img",), files_pb2.PipeData, extra=("bytes",))
SK_QUEUES = Kind("sk-queues", 0x56264026, ("sk-queues.img",), files_pb2.SocketPacket, extra=("length",))
TCP_STREAM = Kind(
    "tcp-stream", 0x51465506, ("tcp-stream-*.img",), files_pb2.TcpStream, extra=("inq_len", "outq_len")
)
TTY_INFO = Kind("tty-info", 0x59453036, ("tty-info.img",), files_pb2.TerminalInfo)
STATS = Kind("stats", 0x57093306, ("stats-dump", "stats-restore"), process_pb2.Stats, service=True)

KINDS = (
    INVENTORY,
    PSTREE,
    CORE,
    IDS,
    MM,
    PAGEMAP,
    FS,
    FDINFO,
    FILES,
    SECCOMP,
    REMAP_FPATH,
    PIPES_DATA,
    FIFO_DATA,
    SK_QUEUES,
    TCP_STREAM,
    TTY_INFO,
    STATS,
    # Opaque: the same on every ISA, and nothing in them is read.
    Kind("apparmor", 0x59423047, ("apparmor.img",)),
    Kind("autofs", 0x49353943, ("autofs-*.img",)),
    Kind("binfmt-misc", 0x67343323, ("binfmt-misc.img",)),
    Kind("bpfmap-data", 0x64324033, ("bpfmap-data.img",)),
    Kind("bpfmap-file", 0x57506142, ("bpfmap-file.img",)),
    Kind("cgroup", 0x59383330, ("cgroup.img",)),
    Kind("cpuinfo", 0x61404013, ("cpuinfo.img",)),
    Kind("creds", 0x54023547, ("creds-*.img",)),
    Kind("filelocks", 0x54323616, ("filelocks.img",)),
    Kind("ghost-file", 0x52583605, ("ghost-file-*.img",)),
    Kind("ipcns-msg", 0x55453737, ("ipcns-msg-*.img",)),
    Kind("ipcns-sem", 0x59573019, ("ipcns-sem-*.img",)),
    Kind("ipcns-shm", 0x46283044, ("ipcns-shm-*.img",)),
    Kind("ipcns-var", 0x53115007, ("ipcns-var-*.img",)),
    Kind("irmap-cache", 0x57004059, ("irmap-cache",), service=True),
    Kind("memfd", 0x48453499, ("memfd.img",)),
    Kind("mountpoints", 0x55563928, ("mountpoints-*.img",)),
    Kind("netdev", 0x57373951, ("netdev-*.img",)),
    Kind("netns", 0x55933752, ("netns-*.img",)),
    Kind("pidfd", 0x54435556, ("pidfd.img",)),
    Kind("pidns", 0x61157326, ("pidns-*.img",)),
    Kind("timens", 0x43114433, ("timens-*.img",)),
    Kind("tty-data", 0x59413026, ("tty-data.img",)),
    Kind("userns", 0x55474906, ("userns-*.img",)),
    Kind("utsns", 0x54473203, ("utsns-*.img",)),
)

_BY_NAME = [
    (prefix, suffix if star else None, kind)
    for kind in KINDS
    for prefix, star, suffix in (pattern.partition("*") for pattern in kind.patterns)
]
"""What names of a kind begin and end with, the second None if they are just the first: fnmatch compiles 44 expressions for it."""
_BY_MAGIC = {kind.magic: kind for kind in KINDS}


def by_magic(magic: int) -> Kind | None:
    """The kind of images with a magic number, None if it is unknown."""
    return _BY_MAGIC.get(magic)


def by_file_name(name: str) -> Kind | None:
    """The kind that CRIU gives to a file name, None for files without header and unknown ones."""
    for prefix, suffix, kind in _BY_NAME:
        if name == prefix if suffix is None else name.startswith(prefix) and name.endswith(suffix):
            return kind
    return None
