# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The parts of guest images: archives, what programs and modules need, keys."""

from __future__ import annotations

import io
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from transproc.errors import LabError
from transproc.lab import closure, cpio, keys
from transproc.run import output, run


def unpack(data: bytes, target: Path) -> None:
    """By GNU cpio: another implementation of the format."""
    target.mkdir()
    done = subprocess.run(
        ["cpio", "-idm", "--quiet"], input=data, cwd=target, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


class TestArchive:
    def test_tree_arrives_as_it_was(self, tmp_path: Path) -> None:
        root = tmp_path / "root"
        (root / "usr/bin").mkdir(parents=True)
        (root / "usr/bin/tool").write_bytes(b"\x7fELF" + bytes(1021))
        (root / "usr/bin/tool").chmod(0o755)
        (root / "empty").write_bytes(b"")
        (root / "bin").symlink_to("usr/bin")
        sink = io.BytesIO()
        cpio.write_tree(sink, root)
        unpack(sink.getvalue(), tmp_path / "out")
        assert (tmp_path / "out/bin/tool").read_bytes() == b"\x7fELF" + bytes(1021)
        assert stat.S_IMODE((tmp_path / "out/usr/bin/tool").stat().st_mode) == 0o755
        assert (tmp_path / "out/empty").read_bytes() == b""
        assert (tmp_path / "out/bin").is_symlink()

    def test_files_bring_their_directories(self, tmp_path: Path) -> None:
        sink = io.BytesIO()
        cpio.write_files(sink, {"root/.ssh/authorized_keys": (0o600, b"key\n"), "name": (0o644, b"x")})
        unpack(sink.getvalue(), tmp_path / "out")
        assert (tmp_path / "out/root/.ssh/authorized_keys").read_bytes() == b"key\n"
        assert stat.S_IMODE((tmp_path / "out/root/.ssh/authorized_keys").stat().st_mode) == 0o600

    def test_is_aligned_so_that_another_may_follow(self) -> None:
        sink = io.BytesIO()
        cpio.write_files(sink, {"a": (0o644, b"12345")})
        assert sink.tell() % cpio.ARCHIVE_ALIGNMENT == 0

    def test_refuses_what_it_cannot_hold(self, tmp_path: Path) -> None:
        import os

        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ValueError, match="pipe: not a directory"):
            cpio.write_tree(io.BytesIO(), tmp_path)


def module(tmp_path: Path, name: str, info: dict[str, str]) -> None:
    """A kernel module as far as its .modinfo goes."""
    text = b"".join(f"{key}={value}".encode() + b"\0" for key, value in info.items())
    (tmp_path / "info").write_bytes(text)
    (tmp_path / "empty.c").write_text("")
    target = tmp_path / "modules/kernel" / f"{name}.ko"
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["clang-19", "-c", str(tmp_path / "empty.c"), "-o", str(target)], check=True)
    add = ["llvm-objcopy-19", "--add-section", f".modinfo={tmp_path / 'info'}", str(target)]
    subprocess.run(add, check=True)


@pytest.mark.toolchain
class TestModules:
    def test_dependencies_come_along_in_order(self, tmp_path: Path) -> None:
        module(tmp_path, "virtio_net", {"depends": "net_failover,virtio", "alias": "virtio:d00000001v*"})
        module(tmp_path, "net_failover", {"depends": "failover"})
        module(tmp_path, "failover", {"depends": ""})
        directory = tmp_path / "modules"
        (directory / "modules.builtin").write_text("kernel/drivers/virtio/virtio.ko\n")
        found = closure.modules(directory, ["virtio-net"])
        assert set(found) == {"virtio_net", "net_failover", "failover"}
        index = closure.module_index(found)
        assert (
            "kernel/virtio_net.ko: kernel/net_failover.ko kernel/failover.ko"
            in index["modules.dep"].splitlines()
        )
        assert index["modules.alias"] == "alias virtio:d00000001v* virtio_net\n"

    def test_a_missing_module_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "modules.builtin").write_text("")
        with pytest.raises(LabError, match="kernel module tun is neither"):
            closure.modules(tmp_path, ["tun"])


class TestKeys:
    def test_key_is_made_once_and_private(self, tmp_path: Path) -> None:
        first = keys.ensure(tmp_path / "keys/user")
        assert keys.ensure(tmp_path / "keys/user").public == first.public
        assert stat.S_IMODE((tmp_path / "keys/user").stat().st_mode) == 0o600

    def test_machines_that_start_at_once_share_one_key(self, tmp_path: Path) -> None:
        for number in range(50):
            with ThreadPoolExecutor(4) as pool:
                found = pool.map(keys.ensure, [tmp_path / f"{number}/user"] * 4)
                assert len({key.public for key in found}) == 1

    def test_a_damaged_key_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "user").touch()
        with pytest.raises(LabError, match="damaged key"):
            keys.ensure(tmp_path / "user")

    def test_both_formats_hold_the_same_key(self, tmp_path: Path) -> None:
        key = keys.ensure(tmp_path / "user")
        assert output(["ssh-keygen", "-y", "-f", tmp_path / "user"]).strip() == key.public
        blob = key.dropbear()
        assert blob[:19] == b"\0\0\0\x0bssh-ed25519" + (64).to_bytes(4, "big")
        assert blob[19 + 32 :] == key.private.public_key().public_bytes_raw()

    def test_another_kind_of_key_is_refused(self, tmp_path: Path) -> None:
        run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", tmp_path / "user"])
        with pytest.raises(LabError, match="not an Ed25519 key"):
            keys.ensure(tmp_path / "user")


def test_what_a_module_needs_is_loaded_before_what_needs_it_too() -> None:
    """Of a list of modules.dep the last is loaded first."""
    found = {
        "bridge": closure.Module("bridge.ko", b"", [], ["llc", "stp"]),
        "llc": closure.Module("llc.ko", b"", [], []),
        "stp": closure.Module("stp.ko", b"", [], ["llc"]),
    }
    assert "bridge.ko: stp.ko llc.ko" in closure.module_index(found)["modules.dep"].splitlines()
