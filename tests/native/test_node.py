# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The node interface: on this machine, and over a real SSH connection."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.native.nodes import NativeNodes, Setting
from tests.native.wire import Wire
from transproc.cluster import base, session
from transproc.cluster.job import Job
from transproc.cluster.node import LocalNode, Node, SshNode, read
from transproc.cluster.place import Place
from transproc.errors import CommandError, NodeError
from transproc.lab import keys

pytestmark = pytest.mark.native


@pytest.fixture(params=["local", "ssh"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    if request.param == "local":
        with LocalNode() as here:
            yield here
    else:
        yield request.getfixturevalue("nodes")["na"]


class TestRun:
    def test_output_errors_and_status(self, node: Node) -> None:
        done = node.run(["sh", "-c", "echo out; echo err >&2; exit 3"], check=False)
        assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")

    def test_words_arrive_as_they_are(self, node: Node) -> None:
        words = ["a b", "$HOME", "'", '"', "*", "", "\\", "ü"]
        assert node.output(["printf", "%s\\n", *words]).splitlines() == words

    def test_standard_input(self, node: Node) -> None:
        data = bytes(range(256)) * 5000
        assert node.run(["cat"], stdin=data).stdout == data

    def test_standard_input_that_nobody_reads(self, node: Node) -> None:
        assert node.run(["true"], stdin=bytes(1 << 22)).returncode == 0

    def test_without_standard_input_it_is_empty(self, node: Node) -> None:
        assert node.run(["cat"], timeout=10).stdout == b""

    def test_failure_is_an_error_with_the_command(self, node: Node) -> None:
        with pytest.raises(CommandError, match=r"false failed with status 1: false") as raised:
            node.run(["false"])
        assert raised.value.status == 1

    def test_death_by_signal(self, node: Node) -> None:
        assert node.run(["sh", "-c", "kill -TERM $$"], check=False).returncode == -15

    def test_a_program_that_is_not_there(self, node: Node) -> None:
        assert node.run(["no-such-program"], check=False).returncode == 127

    def test_time_out_is_an_error_of_the_node(self, node: Node) -> None:
        begin = time.monotonic()
        with pytest.raises(NodeError, match=r"no end within 0.3 s"):
            node.run(["sleep", "20"], timeout=0.3)
        assert time.monotonic() - begin < 5

    def test_several_at_once(self, node: Node) -> None:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda number: node.output(["echo", str(number)]), range(8)))
        assert found == [f"{number}\n" for number in range(8)]

    def test_isa(self, node: Node) -> None:
        assert node.isa == os.uname().machine


class TestFiles:
    def test_file_with_mode_and_time(self, node: Node, tmp_path: Path) -> None:
        source = tmp_path / "a, b & c"
        source.write_bytes(os.urandom(100_000))
        source.chmod(0o750)
        os.utime(source, ns=(1_700_000_000_123_456_789, 1_700_000_000_123_456_789))
        target = tmp_path / "new" / "x,&\\y z"
        node.put(source, str(target))
        back = tmp_path / "back" / "again"
        node.get(str(target), back)
        for path in (target, back):
            assert path.read_bytes() == source.read_bytes()
            assert stat.S_IMODE(path.stat().st_mode) == 0o750
            assert path.stat().st_mtime_ns == 1_700_000_000_123_456_789

    def test_directory_keeps_what_is_there_already(self, node: Node, tmp_path: Path) -> None:
        source, target = tmp_path / "source", tmp_path / "target"
        (source / "sub").mkdir(parents=True)
        (source / "sub/file").write_text("new")
        (source / "parent").symlink_to("../source/sub")
        (source / ".hidden").write_text("")
        (target / "sub").mkdir(parents=True)
        (target / "sub/file").write_text("old")
        (target / "sub/kept").write_text("kept")
        node.put(source, str(target))
        assert (target / "sub/file").read_text() == "new"
        assert (target / "sub/kept").read_text() == "kept"
        assert (target / "parent").readlink() == Path("../source/sub")
        node.get(str(target), tmp_path / "back")
        assert sorted(path.name for path in (tmp_path / "back").rglob("*")) == sorted(
            [".hidden", "file", "kept", "parent", "sub"]
        )

    def test_holes_stay_holes(self, node: Node, tmp_path: Path) -> None:
        source = tmp_path / "sparse"
        with source.open("wb") as file:
            file.truncate(50 << 20)
            file.seek(20 << 20)
            file.write(b"middle")
        node.put(source, str(tmp_path / "there"))
        node.get(str(tmp_path / "there"), tmp_path / "back")
        for path in (tmp_path / "there", tmp_path / "back"):
            assert path.stat().st_size == 50 << 20
            assert path.stat().st_blocks * 512 < 1 << 20
        assert (tmp_path / "back").read_bytes() == source.read_bytes()

    def test_a_running_program_can_be_replaced(self, node: Node, tmp_path: Path) -> None:
        program = tmp_path / "program"
        node.put(Path("/bin/sleep"), str(program))
        with subprocess.Popen([str(program), "20"]) as running:
            node.put(Path("/bin/true"), str(program))
            running.kill()
        assert subprocess.run([str(program)], check=False).returncode == 0

    def test_bytes(self, node: Node, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "er" / "file"
        assert not node.exists(str(path))
        node.put_bytes(b"\0\xff", str(path), mode=0o600)
        assert node.exists(str(path))
        assert node.get_bytes(str(path)) == b"\0\xff"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [entry.name for entry in path.parent.iterdir()] == ["file"]

    def test_what_is_missing_is_an_error(self, node: Node, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="No such file"):
            node.get(str(tmp_path / "missing"), tmp_path / "here")
        with pytest.raises(CommandError, match="No such file"):
            node.put(tmp_path / "missing", str(tmp_path / "there"))

    def test_a_full_disk_is_an_error(self, node: Node, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.write_bytes(bytes(1 << 16))
        with pytest.raises(CommandError):
            node.put(source, "/dev/full/there")


UNTIL = 'while [ ! -e "$1" ]; do sleep 0.02; done'
"""Waits for a file, which is on this machine as well."""


class TestSession:
    """One login for everything that is asked, and nothing that outlives it."""

    def test_the_login_shell_runs_once(self, tmp_path: Path) -> None:
        """Not once for each of ten commands and two streams."""
        with (
            NativeNodes(tmp_path, Setting(profile=f"echo noise; echo login >>{tmp_path}/logins")) as _,
            read(tmp_path / "nodes.toml")[0] as far,
        ):
            far.spare(2)
            for number in range(10):
                assert far.output(["echo", str(number)]) == f"{number}\n"
            far.put(Path("/etc/hostname"), str(tmp_path / "copy"))
            far.get("/etc/hostname", tmp_path / "copy")
        assert (tmp_path / "logins").read_text().split() == ["login"] * 3

    def test_what_runs_ends_with_the_connection(self, nodes: dict[str, SshNode], tmp_path: Path) -> None:
        far = SshNode("na", nodes["na"].address)
        script = f"trap 'echo ended >{tmp_path}/ended; exit' TERM; echo $$ >{tmp_path}/pid; while :; do sleep 0.05; done"
        _ = far.session
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(far.run, ["sh", "-c", script])
            await_file(tmp_path / "pid")
            far.session.connection.process.kill()
            with pytest.raises(NodeError, match="connection lost"):
                work.result()
        await_file(tmp_path / "ended")
        far.close()

    def test_who_does_not_heed_its_deadline_is_killed(self, nodes: dict[str, SshNode]) -> None:
        node = nodes["na"]
        begin = time.monotonic()
        with pytest.raises(NodeError, match=r"no end within 0\.2 s"):
            node.run(["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"], timeout=0.2)
        assert time.monotonic() - begin > 4.5
        assert node.output(["echo", "on"]) == "on\n"

    def test_an_interrupt_ends_the_program(
        self, node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = threading.Event.wait

        def interrupted(event: threading.Event, timeout: float | None = None) -> bool:
            monkeypatch.setattr(threading.Event, "wait", real)
            await_file(tmp_path / "pid")
            raise KeyboardInterrupt

        _ = node.session
        monkeypatch.setattr(threading.Event, "wait", interrupted)
        script = f"trap 'echo ended >{tmp_path}/ended; exit' TERM; echo $$ >{tmp_path}/pid; while :; do sleep 0.05; done"
        with pytest.raises(KeyboardInterrupt):
            node.run(["sh", "-c", script])
        await_file(tmp_path / "ended")

    def test_programs_do_not_wait_for_each_other(self, node: Node, tmp_path: Path) -> None:
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(node.run, ["sh", "-c", UNTIL, "sh", str(tmp_path / "go")], timeout=60)
            try:
                assert len(node.run(["head", "-c", "3000000", "/dev/zero"]).stdout) == 3_000_000
                assert not slow.done()
            finally:
                (tmp_path / "go").touch()
            slow.result()

    def test_a_program_in_the_background_is_not_waited_for(self, node: Node, tmp_path: Path) -> None:
        try:
            words = ["sh", "-c", f"({UNTIL}) & echo out", "sh", str(tmp_path / "go")]
            assert node.run(words, timeout=60).stdout == b"out\n"
        finally:
            (tmp_path / "go").touch()


@pytest.mark.parametrize("length", [1, 100])
def test_a_node_that_nobody_closes_leaves_nothing(nodes: dict[str, SshNode], length: int) -> None:
    """As at the end of a command; wherever temporary files are, in a place that sockets can have names in."""
    program = "import sys; from pathlib import Path; from transproc.cluster.node import read\n"
    program += "read(Path(sys.argv[1]))[0].run(['true'])"
    table = nodes["na"].address.key.parent / "nodes.toml"
    words = [sys.executable, "-c", program, str(table)]
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        place = Path(name) / ("x" * length)
        place.mkdir()
        environment = {**os.environ, "TMPDIR": str(place)}
        assert subprocess.run(words, env=environment, check=False).returncode == 0
        assert list(place.iterdir()) == []


class Small(LocalNode):
    """A node whose shell and tools are busybox's."""

    def command(self, script: str, *, leads: bool = False) -> list[str]:
        return ["unshare", "--mount", "sh", "-c", SMALL, "sh", script]


SMALL = """
busybox=$(command -v busybox)
mount -t tmpfs tmpfs /var/lib/transproc 2>/dev/null || { mkdir -p /var/lib/transproc; mount -t tmpfs tmpfs /var/lib/transproc; }
mount -t tmpfs tmpfs /mnt && mkdir /mnt/bin && for a in $("$busybox" --list); do ln -s "$busybox" "/mnt/bin/$a"; done
for d in /usr/local/sbin /usr/local/bin; do mount --bind /mnt/bin "$d"; done
PATH=/usr/local/bin exec sh -c "$1"
"""


def test_a_small_system_is_a_node(tmp_path: Path) -> None:
    """The tool comes through head(1) of busybox, which reads ahead; tar knows no sparse files."""
    with Small() as node:
        assert node.output(["uname", "-m"]).strip() == os.uname().machine
        assert not node.gnu_tar
        (tmp_path / "file").write_text("contents")
        node.put(tmp_path / "file", str(tmp_path / "there"))
        node.get(str(tmp_path / "there"), tmp_path / "back")
        assert (tmp_path / "back").read_text() == "contents"


class Hostile(LocalNode):
    """A node that answers what `answer`, a shell script, prints."""

    answer = ""

    def command(self, script: str, *, leads: bool = False) -> list[str]:
        return ["sh", "-c", f"echo '== transproc x86_64'; read -r line; echo have; {self.answer}"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            "printf '\\1\\0\\0\\0\\1\\0\\0\\0\\377\\377\\377\\377'; sleep 5",
            "sent a frame of 4294967295 bytes",
        ),
        ("printf '\\1\\0\\0\\0\\11\\0\\0\\0\\0\\0\\0\\0'; sleep 5", "sent a frame of kind 9"),
        ("printf '\\0\\0\\0\\0\\0\\0\\0\\0\\4\\0\\0\\0\\7\\0\\0\\0'; sleep 5", "sent another protocol"),
        ("printf 'Welcome'", "our tool has ended"),
        (
            "while printf '\\1\\0\\0\\0\\1\\0\\0\\0\\4\\0\\0\\0data'; do :; done",
            "more than 100 bytes of output",
        ),
    ],
)
def test_what_a_node_sends_is_checked(answer: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LARGEST_OUTPUT", 100)
    node = Hostile()
    node.answer = f"sleep 0.2; {answer}"
    with node, pytest.raises(NodeError, match=message):
        node.run(["true"], timeout=5)


class TestConnection:
    def test_another_host_key_is_refused(self, nodes: dict[str, SshNode], tmp_path: Path) -> None:
        other = keys.ensure(tmp_path / "other").public
        with (
            SshNode("far", replace(nodes["na"].address, host_key=other)) as far,
            pytest.raises(NodeError, match="node far: cannot connect") as raised,
        ):
            far.run(["true"])
        assert "host key" in (raised.value.hint or "")

    def test_another_user_key_is_refused(self, nodes: dict[str, SshNode], tmp_path: Path) -> None:
        other = keys.ensure(tmp_path / "other").path
        with (
            SshNode("far", replace(nodes["na"].address, key=other)) as far,
            pytest.raises(NodeError, match="cannot connect") as raised,
        ):
            far.run(["true"])
        assert "authorized_keys" in (raised.value.hint or "")

    def test_nobody_listens(self, nodes: dict[str, SshNode]) -> None:
        with (
            SshNode("far", replace(nodes["na"].address, port=1)) as far,
            pytest.raises(NodeError, match=r"cannot connect to root@127\.0\.0\.1:1"),
        ):
            far.run(["true"])

    def test_a_lost_connection_is_made_again(self, nodes: dict[str, SshNode]) -> None:
        with SshNode("far", nodes["na"].address) as far:
            assert far.output(["echo", "one"]) == "one\n"
            far.session.connection.process.kill()
            time.sleep(0.2)
            assert far.output(["echo", "two"]) == "two\n"

    def test_a_connection_lost_in_a_command_is_an_error(self, nodes: dict[str, SshNode]) -> None:
        with SshNode("far", nodes["na"].address) as far:
            far.run(["true"])
            timer = threading.Timer(0.3, far.session.connection.process.kill)
            timer.start()
            with pytest.raises(NodeError, match="connection lost"):
                far.run(["sleep", "20"], timeout=10)
            timer.join()


def await_file(path: Path, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not path.exists() or not path.read_text():
        assert time.monotonic() < until, f"{path} has not been written"
        time.sleep(0.01)


def commands_of(node: SshNode) -> str:
    """Of all processes there."""
    return node.output(["sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"])


def leave_behind(node: SshNode, script: str, words: str) -> None:
    """A shell that nobody waits for, and that shows these words; it has begun when this returns."""
    node.run(["sh", "-c", f"(setsid sh -c '{script}' {words} </dev/null >/dev/null 2>&1 &)"])
    until = time.monotonic() + 10
    while f"sh -c {script} {words}" not in commands_of(node):
        assert time.monotonic() < until


def test_what_criu_leaves_when_it_is_killed_is_not_waited_for(nodes: dict[str, SshNode]) -> None:
    """A helper of criu's sleeps until criu ends it; who has a parent or does something is waited for."""
    place = Place(nodes["na"], Job("left", "na", ["prog"], pid=4711))
    words = f"criu dump --images-dir {place.dump}"
    leave_behind(nodes["na"], "while :; do sleep 1000; done", words)
    begin = time.monotonic()
    place.become_quiet(20)
    assert time.monotonic() - begin < 10
    assert place.dump not in commands_of(nodes["na"])
    work = "x=0; while [ $x -lt 1000000 ]; do x=$((x+1)); done"
    leave_behind(nodes["na"], f"{work}; : >/tmp/worked", words)
    place.become_quiet(20)
    assert nodes["na"].output(["ls", "/tmp/worked"])
    nodes["na"].run(["rm", "/tmp/worked"])


def test_of_what_was_killed_nothing_stays(nodes: dict[str, SshNode]) -> None:
    """Whoever killed it: what it had started in its group ends with it."""
    node = nodes["na"]
    with pytest.raises(CommandError):
        node.run(["sh", "-c", "sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >/run/started; kill -9 $$"])
    with pytest.raises(CommandError):
        node.run(["sh", "-c", "read pid </run/started; sleep 0.1; kill -0 $pid"])


def test_what_does_not_end_is_ended_in_time(nodes: dict[str, SshNode]) -> None:
    """However long each look takes: the time is counted, not the looks."""
    place = Place(nodes["na"], Job("left", "na", ["prog"], pid=4711))
    words = f"criu dump --images-dir {place.dump}"
    leave_behind(nodes["na"], "while :; do :; done", words)
    begin = time.monotonic()
    place.become_quiet(2)
    assert time.monotonic() - begin < 8
    assert place.dump not in commands_of(nodes["na"])


def test_a_channel_ends_with_its_program_whoever_shares_a_connection(nodes: dict[str, SshNode]) -> None:
    """When the session's connection is lost, and nobody has noticed yet, the next one is a new one, which others would share."""
    node = nodes["na"]
    assert node.output(["true"]) == ""
    assert node._directory is not None
    (node._directory.path / "control").unlink()
    channel = node.channel()
    try:
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(
                node.once, "touch /run/begun; until [ -e /run/over ]; do sleep 0.1; done", timeout=60
            )
            while not node.exists("/run/begun"):
                time.sleep(0.05)
            try:
                channel.start(["true"])
                assert channel.finish(["true"], 15).returncode == 0, "or it waits for the other one"
            finally:
                node.run(["touch", "/run/over"])
                other.result()
    finally:
        channel.close()
        node.run(["rm", "-f", "/run/begun", "/run/over"])
        node.close()


def test_a_node_that_says_too_much_is_not_heard_to_its_end(
    nodes: dict[str, SshNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = nodes["na"]
    monkeypatch.setattr(base, "MOST_WORDS", 1 << 16)
    monkeypatch.setattr(node, "most_errors", 1 << 16)
    assert node.once("head -c 60000 /dev/zero", timeout=20).stdout == bytes(60000)
    for where in ("", " >&2"):
        done = node.once(f"yes{where}", timeout=20)
        assert done.returncode != 0
        assert len(done.stdout + done.stderr) <= 1 << 16
    with pytest.raises(NodeError, match="connection lost"):
        node.pipe(["sh", "-c", "yes >&2"], None, None)
    node.close()


def test_a_slow_link_carries_less(machines: NativeNodes, nodes: dict[str, SshNode]) -> None:
    """Of a node of which that is said, and of no other."""
    wire, plain, size = Wire(machines.machines["na"].port), nodes["na"], 4_000_000
    address = replace(plain.address, port=wire.port)
    try:
        for compression in (False, True):
            described = replace(plain.description, compression=compression)
            before = wire.passed
            with SshNode("na", address, described) as node:
                done = node.run(["head", "-c", str(size), "/dev/zero"])
            assert done.stdout == bytes(size)
            assert (wire.passed - before < size / 2) == compression
    finally:
        wire.close()
