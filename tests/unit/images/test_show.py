# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The views of a real dump, to the letter."""

from __future__ import annotations

import socket
import struct

from transproc.images import show
from transproc.images.directory import ImageDirectory
from transproc.images.proto.files_pb2 import FileEntry, InetSocket, UnixSocket

PROCESSES = """\
  pid  parent  group  session  isa     state  threads  memory  command  program
14565       0  14565    14565  x86_64  alive        1  28 KiB  counter  /opt/example/counter
"""

THREADS = """\
  pid    tid  command        pc              sp  tls  rounding
14565  14565  counter  0x40107f  0x7ffff9a8bbc8  0x0  up
"""

FILES = """\
fd    id  type     flags     description
exe    1  regular  0o0       /opt/example/counter
cwd    6  regular  0o0       /
root   7  regular  0o0       /
0      2  regular  0o100000  /dev/null
1      3  regular  0o100001  /dev/null
2      3  regular  0o100001  /dev/null
3      4  pipe     0o0       pipe:[47566]
4      5  pipe     0o1       pipe:[47566]
"""

MEMORY = """\
             start                 end  access  size     present  contents
          0x400000            0x401000  r--p    4 KiB    0        /opt/example/counter at 0x0
          0x401000            0x402000  r-xp    4 KiB    4 KiB    /opt/example/counter at 0x1000
          0x402000            0x403000  r--p    4 KiB    0        /opt/example/counter at 0x2000
          0x403000            0x404000  rw-p    4 KiB    4 KiB    /opt/example/counter at 0x3000
          0x404000            0x406000  rw-p    8 KiB    4 KiB
    0x7f5cb1e66000      0x7f5cb1e6c000  r--p    24 KiB   0        [vvar]
    0x7f5cb1e6c000      0x7f5cb1e6e000  r-xp    8 KiB    8 KiB    [vdso]
    0x7ffff9a6c000      0x7ffff9a8d000  rw-p    132 KiB  8 KiB
0xffffffffff600000  0xffffffffff601000  --xp    4 KiB    0        [vsyscall]
"""


def test_views(counter: ImageDirectory) -> None:
    assert show.render(show.processes(counter)) == PROCESSES
    assert show.render(show.threads(counter)) == THREADS
    assert show.render(show.files(counter, 14565)) == FILES
    assert show.render(show.memory(counter, 14565)) == MEMORY
    assert show.render([]) == ""


def test_registers(counter: ImageDirectory) -> None:
    lines = show.render(show.registers(counter, 14565)).splitlines()
    assert len(lines) == 1 + 1 + 32
    assert lines[1] == "pc        0x000000000040107f"
    assert lines[5] == "rbx       0x0000000000001234"
    assert lines[21] == "xmm3      0x00000000000000001122334455667788"


def test_sockets() -> None:
    loopback = struct.unpack("<I", socket.inet_aton("127.0.0.1"))
    inet = InetSocket(type=1, src_addr=loopback, src_port=80, dst_addr=[0], dst_port=0)
    assert show.describe_file(FileEntry(type=4, isk=inet)) == "tcp 127.0.0.1:80 -> 0.0.0.0:0"
    six = struct.unpack("<4I", socket.inet_pton(socket.AF_INET6, "::1"))
    inet = InetSocket(type=2, src_addr=six, src_port=53)
    assert show.describe_file(FileEntry(type=4, isk=inet)) == "udp [::1]:53 -> ?:0"
    unix = UnixSocket(ino=5, peer=6, name=b"\0abstract")
    assert show.describe_file(FileEntry(type=5, usk=unix)) == "socket:[5] @abstract -> [6]"
    assert show.describe_file(FileEntry(type=99)) == ""


def test_sizes() -> None:
    sizes = [0, 1, 1023, 4096, 5 * 512, 1 << 20, 3 << 29]
    assert [show.size_text(size) for size in sizes] == [
        "0",
        "1 B",
        "1023 B",
        "4 KiB",
        "2.5 KiB",
        "1 MiB",
        "1.5 GiB",
    ]
