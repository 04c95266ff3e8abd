# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Nodes that lack something: who says so, and what to do about it. And one whose user becomes root by sudo."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.native.nodes import NativeNodes, Setting
from transproc.cluster.job import Job
from transproc.cluster.node import SshNode, read
from transproc.cluster.place import Place
from transproc.errors import NodeError, UnsupportedError
from transproc.lab import checkup

pytestmark = pytest.mark.native


def node(machines: NativeNodes) -> SshNode:
    return read(machines.configuration)[0]


@pytest.mark.skipif(
    shutil.which("criu") is not None, reason="this machine's own criu is on its nodes as well"
)
def test_a_node_without_criu(tmp_path: Path) -> None:
    with NativeNodes(tmp_path, Setting(criu=[])) as machines, node(machines) as found:
        with pytest.raises(
            UnsupportedError, match=r"node na: has no criu, expected 4\.1\.1 or later"
        ) as raised:
            Place(found, Job("j", "na", ["prog"])).check_criu()
        assert "transproc doctor na" in (raised.value.hint or "")
        findings = {one.name: one for one in checkup.node(found)}
        assert (findings["criu"].ok, findings["criu"].found) == (False, "not installed")
        assert "criu" in findings["criu"].remedy
        assert findings["root"].ok
        assert findings["programs"].ok


def test_a_user_who_is_not_root(tmp_path: Path) -> None:
    with NativeNodes(tmp_path, Setting(user="ann")) as machines, node(machines) as found:
        with pytest.raises(NodeError) as raised:
            found.run(["true"])
        assert "sudo = true" in (raised.value.hint or "")
        findings = {one.name: one for one in checkup.node(found)}
        assert not findings["root"].ok
        assert "sudo = true" in findings["root"].remedy


@pytest.mark.skipif(shutil.which("sudo") is None, reason="no sudo here")
def test_a_user_with_sudo(tmp_path: Path) -> None:
    with NativeNodes(tmp_path, Setting(user="ann", sudo=True)) as machines, node(machines) as found:
        assert found.output(["id", "-u"]) == "0\n"
        assert all(one.ok for one in checkup.node(found)), checkup.node(found)
        Place(found, Job("j", "na", ["prog"])).check_criu()


@pytest.mark.skipif(shutil.which("sudo") is None, reason="no sudo here")
def test_sudo_that_wants_a_password(tmp_path: Path) -> None:
    with NativeNodes(tmp_path, Setting(user="ann")) as machines:
        path = machines.configuration
        path.write_text(path.read_text().replace('user = "ann"', 'user = "ann"\nsudo = true'))
        with node(machines) as found, pytest.raises(NodeError, match="password") as raised:
            found.run(["true"])
        assert "NOPASSWD" in (raised.value.hint or "")
