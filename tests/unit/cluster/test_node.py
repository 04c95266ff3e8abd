"""The node interface: on this machine, and over a real SSH connection to a server in this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from transproc.cluster.node import Address, LocalNode, Node, SshNode, find_node, nodes, read
from transproc.errors import CommandError, FormatError, NodeError


async def pass_on(source: Any, target: Any) -> None:
    """Copies a stream to its end; closes a child's standard input then."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, asyncssh.Error, asyncio.CancelledError):
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
    if isinstance(target, asyncio.StreamWriter):
        target.close()


class Server:
    """An SSH server on 127.0.0.1 that runs commands with sh, as sshd does."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.children: list[asyncio.subprocess.Process] = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.user_key = asyncssh.generate_private_key("ssh-ed25519")
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.user_key.write_private_key(directory / "user")
        (directory / "authorized").write_bytes(self.user_key.export_public_key())
        self.acceptor = self.call(self._listen())

    def call(self, work):  # type: ignore[no-untyped-def]
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[self.host_key],
            authorized_client_keys=str(self.directory / "authorized"),
            process_factory=self._serve,
            encoding=None,
        )

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        pipe = asyncio.subprocess.PIPE
        command = process.command or ""
        child = await asyncio.create_subprocess_exec(
            "sh", "-c", command, stdin=pipe, stdout=pipe, stderr=pipe
        )
        assert child.stdin and child.stdout and child.stderr
        self.children.append(child)
        feeder = asyncio.create_task(pass_on(process.stdin, child.stdin))
        await asyncio.gather(pass_on(child.stdout, process.stdout), pass_on(child.stderr, process.stderr))
        if process.channel.is_closing():
            child.kill()
        status = await child.wait()
        feeder.cancel()
        if status < 0:
            process.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
        else:
            process.exit(status)

    @property
    def address(self) -> Address:
        public = self.host_key.export_public_key().decode().strip()
        return Address("127.0.0.1", self.directory / "user", public, self.acceptor.get_port())

    async def _stop(self) -> None:
        self.acceptor.close()
        await self.acceptor.wait_closed()
        for child in self.children:
            if child.returncode is None:
                child.kill()
            await child.wait()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def close(self) -> None:
        self.call(self._stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.close()


@pytest.fixture(params=["local", "ssh"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    if request.param == "local":
        yield LocalNode()
    else:
        with SshNode("far", request.getfixturevalue("server").address) as far:
            yield far


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
        from concurrent.futures import ThreadPoolExecutor

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
        import subprocess

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


class TestConnection:
    def test_another_host_key_is_refused(self, server: Server) -> None:
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        address = Address("127.0.0.1", server.directory / "user", other, server.address.port)
        with (
            SshNode("far", address) as far,
            pytest.raises(NodeError, match="node far: cannot connect") as raised,
        ):
            far.run(["true"])
        assert "host key" in (raised.value.hint or "")

    def test_another_user_key_is_refused(self, server: Server, tmp_path: Path) -> None:
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "other")
        address = Address("127.0.0.1", tmp_path / "other", server.address.host_key, server.address.port)
        with SshNode("far", address) as far, pytest.raises(NodeError, match="cannot connect") as raised:
            far.run(["true"])
        assert "authorized_keys" in (raised.value.hint or "")

    def test_nobody_listens(self, server: Server) -> None:
        address = Address("127.0.0.1", server.directory / "user", server.address.host_key, 1)
        with (
            SshNode("far", address) as far,
            pytest.raises(NodeError, match=r"cannot connect to root@127\.0\.0\.1:1"),
        ):
            far.run(["true"])

    def test_a_lost_connection_is_made_again(self, server: Server) -> None:
        with SshNode("far", server.address) as far:
            assert far.output(["echo", "one"]) == "one\n"
            assert far._connection is not None
            far._connection.abort()
            time.sleep(0.1)
            assert far.output(["echo", "two"]) == "two\n"

    def test_a_connection_lost_in_a_command_is_an_error(self, server: Server) -> None:
        with SshNode("far", server.address) as far:
            far.run(["true"])
            assert far._connection is not None
            timer = threading.Timer(0.3, far._connection.abort)
            timer.start()
            with pytest.raises(NodeError, match="connection lost"):
                far.run(["sleep", "20"], timeout=10)
            timer.join()


class TestConfiguration:
    def test_file(self, tmp_path: Path) -> None:
        path = tmp_path / "nodes.toml"
        path.write_text(
            '[pi]\nhost = "10.0.0.2"\nkey = "keys/pi"\nhost_key = "ssh-ed25519 AAAA"\nport = 2200\n'
        )
        (found,) = read(path)
        assert found.name == "pi"
        assert found.address == Address("10.0.0.2", tmp_path / "keys/pi", "ssh-ed25519 AAAA", 2200, "root")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[pi", "not valid TOML"),
            ('pi = "10.0.0.2"', "expected a table"),
            ('[pi]\nhost = "h"\nkey = "k"', "node pi: missing host_key"),
            ('[pi]\nhost = "h"\nkey = "k"\nhost_key = "x"\npassword = "p"', "node pi: unknown password"),
            ('[pi]\nhost = "h"\nkey = "k"\nhost_key = "x"\nport = "22"', "port cannot be '22'"),
            ('[local]\nhost = "h"\nkey = "k"\nhost_key = "x"', "the name local is this machine's"),
        ],
    )
    def test_mistakes_are_named(self, tmp_path: Path, text: str, message: str) -> None:
        path = tmp_path / "nodes.toml"
        path.write_text(text)
        with pytest.raises(FormatError, match=message):
            read(path)

    def test_lab_and_own_nodes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TRANSPROC_HOME", str(tmp_path))
        monkeypatch.setenv("TRANSPROC_NODES", str(tmp_path / "mine.toml"))
        row = '[{}]\nhost = "{}"\nkey = "k"\nhost_key = "x"\n'
        (tmp_path / "lab").mkdir()
        (tmp_path / "lab/nodes.toml").write_text(
            row.format("x86", "127.0.0.1") + row.format("arm", "127.0.0.1")
        )
        (tmp_path / "mine.toml").write_text(row.format("arm", "10.0.0.3"))
        assert [node.name for node in nodes()] == ["local", "x86", "arm"]
        arm = find_node("arm")
        assert isinstance(arm, SshNode)
        assert arm.address.host == "10.0.0.3"
        with pytest.raises(NodeError, match="node pi: unknown; there are arm, local, x86"):
            find_node("pi")
