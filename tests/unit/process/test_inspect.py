# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the pause tool prints about a process, and what is refused because of it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transproc.isa import by_name
from transproc.process import inspect
from transproc.process.inspect import outside, problems
from transproc.process.view import Descriptor, View, parse

PROGRAM = "/var/lib/transproc/jobs/j/bin/prog"
JOB = "/var/lib/transproc/jobs/j"
FILES = f"{JOB}/data"
X86_64, AARCH64 = by_name("x86_64"), by_name("aarch64")

NO_NAME = ""  # such a line of maps, or of a kernel thread, ends with a space
TEXT = f"""\
== process 100
{PROGRAM}
== directory
{JOB}/data/work
== status
Name:	prog
Pid:	100
RssAnon:	      16 kB
RssFile:	       4 kB
Seccomp:	0
Name:	prog
Pid:	101
RssAnon:	      16 kB
Seccomp:	2
== maps
00400000-00401000 r--p 00000000 00:19 584                                {PROGRAM}
400000000000-400000001000 rw-s 00000000 00:01 3                          /dev/zero (deleted)
7ffff7000000-7ffff7001000 rw-p 00000000 00:00 0 {NO_NAME}
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
== descriptors
0 - 1 7 {JOB}/data/stdin
1 - 1 32 /tmp/a -> b
3 s 1 0 socket:[1988]
4 c 1 0 /dev/net/tun
== tcp
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   1: 0100007F:10E1 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1987 1 0 100 0 0 10 0
   2: 0100007F:10E1 0100007F:E2BC 01 00000000:00000000 00:00000000 00000000     0        0 1988 1 0 20 0 0 10 -1
== process 102

== directory
== process 103
/bin/sleep
"""


def test_everything_is_read() -> None:
    view, other = parse(TEXT)
    assert (view.pid, view.executable, view.directory) == (100, PROGRAM, f"{JOB}/data/work")
    assert view.seccomp == {100: 0, 101: 2}
    assert view.memory == 16 * 1024
    assert view.mappings[2] == (0x7FFFF7000000, 0x7FFFF7001000, "")
    assert [(d.number, d.link, d.type, d.size) for d in view.descriptors] == [
        (0, f"{JOB}/data/stdin", "-", 7),
        (1, "/tmp/a -> b", "-", 32),
        (3, "socket:[1988]", "s", 0),
        (4, "/dev/net/tun", "c", 0),
    ]
    assert view.connected == {"1988"}
    assert (other.pid, other.executable, other.descriptors) == (103, "/bin/sleep", [])


def test_every_problem_is_named() -> None:
    found = problems(parse(TEXT), program=PROGRAM, files=FILES, target=AARCH64)
    assert [problem.message for problem in found] == [
        "process 100 has opened a TCP connection, whose peer would have to move along (descriptor 3)",
        "process 100 has opened the device /dev/net/tun (descriptor 4)",
        "thread 101 has a seccomp filter, which is bound to one ISA's system-call numbers",
        f"process 103 executes /bin/sleep, expected {PROGRAM}: of another program there is no pair",
    ]
    assert all(problem.hint for problem in found)


def test_same_isa_keeps_filters_and_addresses() -> None:
    view = View(1, PROGRAM, seccomp={1: 2}, mappings=[(1 << 60, (1 << 60) + 4096, "")])
    assert problems([view], program=PROGRAM, files=FILES, target=None) == []
    assert len(problems([view], program=PROGRAM, files=FILES, target=X86_64)) == 2


def test_what_lies_above_a_kernels_addresses() -> None:
    """Within an ISA also the kernel's own mappings stay where they are; the one that every process has counts nowhere."""
    view = View(1, "/p")
    view.mappings = [
        (0x400000, 0x500000, "/p"),
        (0x7FFC00000000, 0x7FFC00001000, "[stack]"),
        (0xFFFFFFFFFF600000, 0xFFFFFFFFFF601000, "[vsyscall]"),
    ]
    assert [inspect.above(view, 1 << 39, same=same) for same in (False, True)] == [None, 0x7FFC00000000]
    assert inspect.above(view, 1 << 47, same=True) is None


@pytest.mark.parametrize(
    ("isa", "end", "name", "refused"),
    [
        (X86_64, X86_64.address_limit, "", False),
        (X86_64, X86_64.address_limit + 4096, "", True),
        (X86_64, AARCH64.address_limit, "[stack]", False),
        (AARCH64, AARCH64.address_limit + 4096, "[anon: heap]", True),
    ],
)
def test_address_limits(isa: object, end: int, name: str, refused: bool) -> None:
    view = View(1, PROGRAM, mappings=[(end - 4096, end, name)])
    found = problems([view], program=PROGRAM, files=FILES, target=isa)  # type: ignore[arg-type]
    assert bool(found) == refused
    assert not found or re.search(r"lies beyond \w+'s address limit 0x", found[0].message)


@pytest.mark.parametrize(
    ("link", "letter", "refused"),
    [
        ("/dev/null", "c", None),
        ("/dev/pts/3", "c", None),
        ("/dev/pts/4", "c", "the terminal /dev/pts/4, whose other end is in no process of the job"),
        ("/dev/shm/x", "-", "the shared memory /dev/shm/x"),
        ("/dev/shm/x (deleted)", "-", None),
        ("/dev/kmsg", "c", "the device /dev/kmsg"),
        ("/dev/sda", "b", "the device /dev/sda"),
        ("anon_inode:[eventfd]", "?", None),
        ("anon_inode:inotify", "?", None),
        ("anon_inode:[io_uring]", "?", "io_uring, which belongs to one kernel"),
        ("anon_inode:bpf-map", "?", "bpf-map, which belongs to one kernel"),
        ("socket:[5]", "s", None),
        ("socket:[6]", "s", "a TCP connection"),
        ("pipe:[7]", "p", None),
    ],
)
def test_descriptors(link: str, letter: str, refused: str | None) -> None:
    view = View(
        1, PROGRAM, descriptors=[Descriptor(3, link, letter, names=0)], connected={"6"}, masters={"3"}
    )
    found = problems([view], program=PROGRAM, files=FILES, target=AARCH64)
    assert (refused in found[0].message) if refused else found == []


@pytest.mark.parametrize(
    ("name", "size", "names", "refused"),
    [
        (f"{FILES}/work/a", 1, 1, None),
        (f"{FILES}/work/a", 1, 0, None),
        (f"{FILES}/work/a", inspect.GHOST_LIMIT, 0, None),
        (f"{FILES}/work/a", inspect.GHOST_LIMIT + 1, 0, "a deleted file of 4294963201 bytes"),
        ("/srv/a", 1, 0, None),
        (
            "/srv/a",
            1,
            2,
            "process 1 has opened /srv/a, which has another name, but is not in the job's directory",
        ),
        ("/memfd:a", 1 << 40, 0, None),
    ],
)
def test_files_whose_names_were_removed(name: str, size: int, names: int, refused: str | None) -> None:
    view = View(1, PROGRAM, descriptors=[Descriptor(3, f"{name} (deleted)", "-", size, names)])
    found = problems([view], program=PROGRAM, files=FILES, target=None)
    assert (refused in found[0].message) if refused else found == []
    assert inspect.linked([view], FILES) == bool(names)
    assert inspect.deleted([view]) == (0 if names or "memfd" in name else size)


def test_a_mapped_file_without_its_name_may_have_another() -> None:
    view = View(1, PROGRAM, mappings=[(4096, 8192, f"{FILES}/work/a (deleted)")])
    assert inspect.linked([view], FILES)
    assert not inspect.linked([view], "/elsewhere")


def test_a_directory_that_is_read_without_the_library_is_refused() -> None:
    directory = Descriptor(3, f"{FILES}/work", "d", 4096)
    view = View(1, PROGRAM, descriptors=[directory], positions={3: 512})
    (found,) = problems([view], program=PROGRAM, files=FILES, target=None)
    assert "getdents64" in found.message and "readdir" in found.hint
    view.positions[3] = 0
    assert problems([view], program=PROGRAM, files=FILES, target=None) == []


def test_a_watch_for_one_event_is_refused() -> None:
    view = View(1, PROGRAM, descriptors=[Descriptor(3, "anon_inode:inotify")], once={3})
    (found,) = problems([view], program=PROGRAM, files=FILES, target=None)
    assert "IN_ONESHOT" in found.message and "inotify_rm_watch" in found.hint


def test_a_semaphore_without_a_name_is_refused() -> None:
    view = View(1, PROGRAM, descriptors=[Descriptor(3, "anon_inode:[eventfd]")], semaphores={3})
    (found,) = problems([view], program=PROGRAM, files=FILES, target=None)
    assert "an eventfd that is a semaphore" in found.message and "sem_t" in found.hint


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("/SYSV00000000 (deleted)", None),
        ("/[aio] (deleted)", "io_setup"),
        ("/anon_hugepage (deleted)", None),
        ("/dev/mem", "the device /dev/mem"),
        ("/dev/shm/x", "the shared memory /dev/shm/x"),
        ("/dev/shm/x (deleted)", None),
        ("/dev/zero (deleted)", None),
        ("/memfd:x (deleted)", None),
        ("[heap]", None),
    ],
)
def test_mappings(name: str, refused: str | None) -> None:
    found = problems(
        [View(1, PROGRAM, mappings=[(4096, 8192, name)])], program=PROGRAM, files=FILES, target=AARCH64
    )
    assert (refused in found[0].message) if refused else found == []


@pytest.mark.parametrize(("kind", "refused"), [("p", True), ("s", False)])
def test_private_huge_pages(kind: str, *, refused: bool) -> None:
    """Those of several processes move: criu keeps them in files of their own."""
    line = f"200000-400000 rw-{kind} 00000000 00:11 3627321                    /anon_hugepage (deleted)"
    views = parse(f"== process 1\n{PROGRAM}\n== maps\n{line}\n")
    found = problems(views, program=PROGRAM, files=FILES, target=None)
    assert ["process 1 has mapped huge pages (MAP_HUGETLB)" in one.message for one in found] == [
        True
    ] * refused


def test_shared_memory_with_a_name_has_a_remedy() -> None:
    """Closing it is none: a server needs it."""
    link = "/dev/shm/PostgreSQL.1"
    for view in (
        View(1, PROGRAM, mappings=[(4096, 8192, link)]),
        View(1, PROGRAM, descriptors=[Descriptor(3, link, "-")]),
    ):
        (found,) = problems([view], program=PROGRAM, files=FILES, target=None)
        assert "dynamic_shared_memory_type = mmap" in found.hint


def test_shared_memory_of_a_job_of_its_own_is_in_its_directory() -> None:
    """The first process of a tree tells it of all."""
    own = "== shared\n/jobs/j/data/shm\n== others\n100 1 /a\n"
    mapped = "== maps\n1000-2000 rw-s 00000000 00:01 7 /dev/shm/x\n3000-4000 rw-p 00000000 00:00 0 [heap]\n"
    text = f"== process 100\n/a\n{own}== process 101\n/a\n"
    text += f"== directory\n/dev/shm/d\n{mapped}== descriptors\n3 - 2 8 /dev/shm/y (deleted)\n"
    first, second = parse(text)
    assert second.mappings == [(0x1000, 0x2000, "/jobs/j/data/shm/x"), (0x3000, 0x4000, "[heap]")]
    assert second.descriptors == [Descriptor(3, "/jobs/j/data/shm/y (deleted)", "-", 8, 2)]
    assert second.directory == "/jobs/j/data/shm/d"
    assert problems([first, second], program="/a", files="/jobs/j/data", target=None) == []
    (_, second) = parse(text.replace("/jobs/j/data/shm\n", ""))
    assert len(problems([second], program="/a", files="/jobs/j/data", target=None)) == 2


def test_files_outside() -> None:
    descriptors = [
        Descriptor(1, f"{JOB}/data/stdout", "-", 5),
        Descriptor(3, "/etc/hosts", "-", 6),
        Descriptor(4, "/tmp/gone (deleted)", "-", 7),
        Descriptor(5, "/tmp", "d", 40),
        Descriptor(6, "/proc/self/status", "-", 0),
        Descriptor(7, "/run/fifo", "p", 0),
    ]
    view = View(1, PROGRAM, "/srv", mappings=[(0, 4096, "/etc/hosts"), (4096, 8192, "/usr/data")])
    view.descriptors = descriptors
    assert outside([view], JOB) == {"/srv": None, "/etc/hosts": 6, "/usr/data": None, "/tmp": None}


OTHERS = f"""\
== process 100
{PROGRAM}
== descriptors
5 p 1 0 pipe:[77]
6 s 1 0 socket:[78]
== details
7 tty-index=12
8 eventfd-semaphore=1
9 eventfd-semaphore=0
10 inotify-oneshot=1
== terminal
0 pos=0
101 tty-index=13
== others
1 0 /sbin/init
2 0 {NO_NAME}
100 1 {PROGRAM}
 pipe:[77]
101 100 {PROGRAM}
 pipe:[77]
102 1 {PROGRAM}
103 1 /bin/cat
 pipe:[77]
 pipe:[99]
 socket:[79]
 socket:[81]
== peers
78 79
79 78
81 82
78 84
"""


def test_what_would_stay_behind() -> None:
    """101 is a child, whether or not the tree was known to have it."""
    (view,) = parse(OTHERS)
    assert view.masters == {"12", "13"}, "its own, and the one that its supervisor holds for it"
    assert view.semaphores == {8}
    assert view.once == {10}
    assert [problem.message for problem in problems([view], program=PROGRAM, files=FILES, target=None)] == [
        "process 102 has left the tree of process 100: its parent has ended, and it would stay behind",
        "process 100 shares pipe:[77] with process 103, which would stay behind (descriptor 5)",
        "process 100 is connected through socket:[78] with process 103, which would stay behind (descriptor 6)",
    ]


def test_tcp_connections_may_be_closed() -> None:
    view = View(1, PROGRAM, descriptors=[Descriptor(3, "socket:[6]", "s")], connected={"6"})
    assert "--tcp-close" in problems([view], program=PROGRAM, files=FILES, target=None)[0].hint
    assert problems([view], program=PROGRAM, files=FILES, target=None, connections=True) == []


@given(st.text())
def test_any_output_can_be_read(text: str) -> None:
    for view in parse("== process 1\n/x\n== maps\n" + text):
        problems([view], program=PROGRAM, files=FILES, target=AARCH64)


def pending(address: Path) -> tuple[socket.socket, socket.socket]:
    """A listening unix socket, and one that it has not accepted."""
    listener, client = (socket.socket(socket.AF_UNIX) for _ in range(2))
    listener.bind(str(address))
    listener.listen()
    client.connect(str(address))
    return listener, client


@pytest.fixture
def child(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    code = "import sys; f = open('log', 'w'); f.write('abc'); f.flush(); print('!', flush=True); sys.stdin.read()"
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as connection,
        open(os.devnull) as null,  # noqa: PTH123
    ):
        ours, theirs = socket.socketpair()
        waiting, waits = pending(tmp_path / "ours"), pending(tmp_path / "theirs")
        given = (server, connection, null, theirs, waiting[1], waits[0])
        handles = [file.fileno() for file in given]
        with subprocess.Popen(
            [sys.executable, "-c", code],
            pass_fds=handles,
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            for end in (theirs, waiting[1], waits[0]):
                end.close()
            assert process.stdout is not None
            assert process.stdout.readline()
            yield process
            process.communicate(b"")
            for end in (ours, waiting[0], waits[1]):
                end.close()


def test_a_real_process(child: subprocess.Popen[bytes], tool_path: Path, tmp_path: Path) -> None:
    words = [tool_path, "look", "--dir", tmp_path, "--pid", str(child.pid), "--", "/not/this"]
    text = subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout.decode()
    (view,) = parse(text)
    assert "\nstate=\n" in text, "it executes another program"
    executable = str(Path(sys.executable).resolve())
    assert (view.pid, view.executable, view.directory) == (child.pid, executable, str(tmp_path))
    assert view.memory > 1 << 20
    assert view.seccomp.keys() == {child.pid}
    assert {"/dev/null": "c", str(tmp_path / "log"): "-"}.items() <= {
        d.link: d.type for d in view.descriptors
    }.items()
    assert outside([view], "/nowhere")[str(tmp_path / "log")] == 3
    found = [problem.message for problem in problems([view], program=executable, files=FILES, target=None)]
    assert "TCP connection" in found[0]
    assert any(
        f"with process {os.getpid()}, which would stay behind (descriptor 0)" in text for text in found
    )
    ends = [
        text for text in found if re.search(rf"through socket:\[\d+\] with process {os.getpid()}, ", text)
    ]
    assert len(ends) == 3, "a pair's, one that waits for us, and one for which we wait"
