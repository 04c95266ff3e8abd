# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Numbers in images that have names. Sources: CRIU's criu/include/{image,pagemap}.h and
images/fdinfo.proto.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class PageFlag(IntFlag):
    """`PagemapEntry.flags`."""

    PARENT = 1
    """The pages are in the directory behind the link `parent`."""
    LAZY = 2
    """The pages may be fetched after the restore."""
    PRESENT = 4
    """The pages are in the pages image."""


class VmaStatus(IntFlag):
    """`Vma.status`."""

    REGULAR = 1 << 0
    STACK = 1 << 1
    VSYSCALL = 1 << 2
    VDSO = 1 << 3
    HEAP = 1 << 5
    FILE_PRIVATE = 1 << 6
    FILE_SHARED = 1 << 7
    ANON_SHARED = 1 << 8
    ANON_PRIVATE = 1 << 9
    SYSVIPC = 1 << 10
    SOCKET = 1 << 11
    VVAR = 1 << 12
    AIO_RING = 1 << 13
    MEMFD = 1 << 14
    SHADOW_STACK = 1 << 15


class TaskState(IntEnum):
    """`TaskCore.task_state` (compel/include/uapi/task-state.h)."""

    ALIVE = 1
    DEAD = 2
    STOPPED = 3
    ZOMBIE = 6


class FileType(IntEnum):
    """`FileEntry.type` and `DescriptorEntry.type`."""

    REGULAR = 1
    PIPE = 2
    FIFO = 3
    INET_SOCKET = 4
    UNIX_SOCKET = 5
    EVENTFD = 6
    EPOLL = 7
    INOTIFY = 8
    SIGNALFD = 9
    PACKET_SOCKET = 10
    TERMINAL = 11
    FANOTIFY = 12
    NETLINK_SOCKET = 13
    NAMESPACE = 14
    TUNNEL = 15
    EXTERNAL = 16
    TIMERFD = 17
    MEMFD = 18
    BPFMAP = 19
    PIDFD = 20

    @property
    def field(self) -> str:
        """The field of `FileEntry` that describes a file of this type."""
        return _FIELDS[self]


_FIELDS = {
    FileType.REGULAR: "reg",
    FileType.PIPE: "pipe",
    FileType.FIFO: "fifo",
    FileType.INET_SOCKET: "isk",
    FileType.UNIX_SOCKET: "usk",
    FileType.EVENTFD: "efd",
    FileType.EPOLL: "epfd",
    FileType.INOTIFY: "ify",
    FileType.SIGNALFD: "sgfd",
    FileType.PACKET_SOCKET: "psk",
    FileType.TERMINAL: "tty",
    FileType.FANOTIFY: "ffy",
    FileType.NETLINK_SOCKET: "nlsk",
    FileType.NAMESPACE: "nsf",
    FileType.TUNNEL: "tunf",
    FileType.EXTERNAL: "ext",
    FileType.TIMERFD: "tfd",
    FileType.MEMFD: "memfd",
    FileType.BPFMAP: "bpf",
    FileType.PIDFD: "pidfd",
}

PORTABLE_DEVICES = frozenset({"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"})
"""Character devices without state: every machine has them, and a restore opens them by these names."""

TERMINALS = ("/dev/tty", "/dev/ptmx")
PTS = "/dev/pts/"


def is_terminal(path: str) -> bool:
    """Whether a path is a terminal's. CRIU carries pseudo-terminals over when both ends are in the tree."""
    return path in TERMINALS or path.startswith(PTS)
