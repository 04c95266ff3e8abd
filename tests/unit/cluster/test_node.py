# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The configuration of nodes. What nodes do: tests/native/test_node.py."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from transproc.cluster.description import KEYS
from transproc.cluster.node import Address, SshNode, find_node, nodes, read
from transproc.errors import FormatError, NodeError

ADDRESS = [field.name for field in dataclasses.fields(Address)]
VALUES = (
    st.text(max_size=5)
    | st.integers()
    | st.booleans()
    | st.floats()
    | st.lists(st.text(max_size=3), max_size=2)
)


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
            ('[pi]\nhost = "h"\nkey = "k"\nhost_key = "x"\nport = 0', "port cannot be 0"),
            ('[pi]\nhost = "h"\nkey = "k"\nhost_key = "x"\nport = true', "port cannot be True"),
            ('[pi]\nhost = "h\\u0000"\nkey = "k"\nhost_key = "x"', "host cannot be"),
            (
                '[pi]\nhost = "h"\nkey = "~nobody-at-all/k"\nhost_key = "x"',
                "key cannot be '~nobody-at-all/k'",
            ),
            ('[local]\nlabels = "arm"', "node local: labels cannot be 'arm'"),
            ('[local]\nlabels = ["A b"]', "label name 'A b': expected lower-case"),
            ("[local]\ncapacity = -1", "capacity cannot be -1"),
            ("[local]\ncapacity = true", "capacity cannot be True"),
            ("[local]\nprice = nan", "price cannot be nan"),
        ],
    )
    def test_mistakes_are_named(self, tmp_path: Path, text: str, message: str) -> None:
        path = tmp_path / "nodes.toml"
        path.write_text(text)
        with pytest.raises(FormatError, match=message):
            read(path)

    @given(
        st.dictionaries(st.sampled_from([*ADDRESS, *KEYS, "other"]), VALUES),
        st.sampled_from(["pi", "local", "x y"]),
    )
    def test_any_table_is_a_node_or_an_error(self, table: dict[str, object], name: str) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "nodes.toml"
            path.write_text(tomlkit.dumps({name: table}))
            with contextlib.suppress(FormatError):
                (found,) = read(path)
                assert found.name == name

    def test_lab_and_own_nodes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TRANSPROC_HOME", str(tmp_path))
        monkeypatch.delenv("TRANSPROC_LAB")
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
