# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The generated modules belong to the .proto files."""

from __future__ import annotations

from pathlib import Path

from transproc.images.proto.generate import SOURCES, generate


def test_generated_files_are_up_to_date(tmp_path: Path) -> None:
    made = {path.name: path.read_text() for path in generate(tmp_path)}
    kept = {path.name: path.read_text() for path in SOURCES.glob("*_pb2.py*")}
    assert made == kept, "run: python -m transproc.images.proto.generate"
