# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A real dump, found by process and thread."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.writers.images import image, inventory, message
from transproc.errors import ImageError, UnsupportedError
from transproc.images.directory import ImageDirectory, Process
from transproc.images.flags import FileType, TaskState, VmaStatus
from transproc.isa import X86_64, FloatingException, Rounding


def test_what_the_program_did_is_in_the_images(counter: ImageDirectory) -> None:
    """The values are those in counter.c."""
    (process,) = counter.processes()
    assert process == Process(process.pid, 0, process.pid, process.pid, (process.pid,))
    core = counter.core(process.pid)
    assert core.tc.comm == "counter"
    assert core.tc.task_state == TaskState.ALIVE
    machine = counter.isa()
    assert machine is X86_64
    assert machine.read_general(core, 3) == 0x1234
    assert machine.read_register(core, 20) == (0x1122334455667788).to_bytes(16, "little")
    state = machine.floating_state(core)
    assert (state.rounding, state.raised) == (Rounding.UP, FloatingException.INVALID)
    assert machine.must_restart(core)


def test_files(counter: ImageDirectory) -> None:
    (process,) = counter.processes()
    assert counter.executable(process.pid).reg.name == "/opt/example/counter"
    files = counter.files()
    kinds = [(entry.fd, FileType(files[entry.id].type)) for entry in counter.descriptors(process.pid)]
    assert kinds == [
        (0, FileType.REGULAR),
        (1, FileType.REGULAR),
        (2, FileType.REGULAR),
        (3, FileType.PIPE),
        (4, FileType.PIPE),
    ]
    assert files[counter.file_system(process.pid).cwd_id].reg.name == "/"
    for entry in files.values():
        assert entry.HasField(FileType(entry.type).field)


def test_mappings(counter: ImageDirectory) -> None:
    vmas = counter.mm(counter.processes()[0].pid).vmas
    assert [vma.start for vma in vmas] == sorted(vma.start for vma in vmas)
    special = [
        vma.status for vma in vmas if vma.status & (VmaStatus.VDSO | VmaStatus.VVAR | VmaStatus.VSYSCALL)
    ]
    assert special == [0x1201, 0x209, 0x204]


def test_messages_are_the_caller_s(counter: ImageDirectory) -> None:
    pid = counter.processes()[0].pid
    counter.core(pid).mtype = 3
    assert counter.core(pid).mtype == 1


def test_missing_and_foreign(tmp_path: Path, counter: ImageDirectory) -> None:
    with pytest.raises(ImageError, match="not an image directory"):
        ImageDirectory(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(counter.path, copy)
    pid = counter.processes()[0].pid
    (copy / f"core-{pid}.img").write_bytes(image(0x55053847, message((1, 8))))
    with pytest.raises(UnsupportedError, match="core type 8"):
        ImageDirectory(copy).isa()
    (copy / "files.img").unlink()
    assert ImageDirectory(copy).files() == {}
    with pytest.raises(ImageError, match=r"executable \d+ of process"):
        ImageDirectory(copy).executable(pid)
    (copy / "pstree.img").write_bytes(image(0x50273030))
    with pytest.raises(ImageError, match="no process"):
        ImageDirectory(copy).processes()


def test_threads_begin_with_the_leader(tmp_path: Path) -> None:
    inventory(tmp_path)
    entry = message((1, 10), (2, 0), (3, 10), (4, 10), (5, 12), (5, 10), (5, 11))
    (tmp_path / "pstree.img").write_bytes(image(0x50273030, entry))
    assert ImageDirectory(tmp_path).processes()[0].threads == (10, 12, 11)


def test_parent(tmp_path: Path) -> None:
    inventory(tmp_path / "old")
    inventory(tmp_path / "new")
    new = ImageDirectory(tmp_path / "new")
    assert new.parent() is None
    (tmp_path / "new" / "parent").symlink_to("../old")
    parent = new.parent()
    assert parent is not None and parent.path == (tmp_path / "old").resolve()
    assert new.names() == ["inventory.img"]
    (tmp_path / "old" / "inventory.img").unlink()
    with pytest.raises(ImageError, match="not an image directory"):
        new.parent()
    (tmp_path / "new" / "parent").unlink()
    (tmp_path / "new" / "parent").symlink_to("parent")
    with pytest.raises(ImageError, match="the parent cannot be found"):
        new.parent()
