"""lit configuration: `lit --param build=<build directory> llvm/test`, or `ninja check-llvm`."""
# lit defines config and lit_config:
# ruff: noqa: F821
# mypy: ignore-errors

import os
import sys
from pathlib import Path

import lit.formats

config.name = "transproc"
config.test_format = lit.formats.ShTest()
config.suffixes = [".c", ".cpp", ".ll"]
config.excludes = ["Inputs"]
here = Path(__file__).parent
config.test_source_root = str(here)
build = Path(lit_config.params.get("build", "build")).resolve()
config.test_exec_root = str(build / "test")
front_end = (
    "clang-19 --target=loongarch64-linux-musl -Xclang -disable-llvm-passes -Xclang -mlong-double-64 "
    "-fno-pic -fno-common -gline-tables-only -w -emit-llvm -c"
)
config.substitutions += [
    ("%front_end", front_end),
    ("%codegen", str(build / "transproc-codegen")),
    ("%opt", f"opt-19 -load-pass-plugin={build / 'transproc.so'}"),
    ("%same_lists", f"{sys.executable} {here / 'Inputs' / 'same_lists.py'}"),
    ("FileCheck", "FileCheck-19"),
]
config.environment["PATH"] = os.environ["PATH"]
