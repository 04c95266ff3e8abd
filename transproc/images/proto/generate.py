# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Generates the Python modules and their types beside the .proto files: `python -m
transproc.images.proto.generate`.

The results are kept in the repository, so that only who changes a message needs grpcio-tools.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
ROOT = SOURCES.parents[2]

_STUB_HEADER = '# mypy: disable-error-code="type-arg"\n'
"""protoc writes a bare Mapping, which mypy --strict refuses."""


def generate(output: Path) -> list[Path]:
    """Compiles every .proto file into `output`, a package root; returns the generated files."""
    from grpc_tools import protoc  # type: ignore[import-untyped]  # noqa: PLC0415  (absent at run time)

    sources = [str(path.relative_to(ROOT)) for path in sorted(SOURCES.glob("*.proto"))]
    wellknown = str(files("grpc_tools") / "_proto")
    options = [f"-I{ROOT}", f"-I{wellknown}", f"--python_out={output}", f"--pyi_out={output}"]
    if protoc.main(["protoc", *options, *sources]) != 0:
        raise SystemExit("protoc failed")
    generated = sorted((output / SOURCES.relative_to(ROOT)).glob("*_pb2.py*"))
    for stub in generated:
        if stub.suffix == ".pyi":
            stub.write_text(_STUB_HEADER + stub.read_text())
    return generated


if __name__ == "__main__":
    sys.stdout.writelines(f"{path.relative_to(ROOT)}\n" for path in generate(ROOT))
