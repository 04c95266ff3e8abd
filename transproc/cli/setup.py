# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc setup`: builds what is built on first use."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import typer

from transproc import log
from transproc.cli import common
from transproc.isa import ALL
from transproc.lab.rootfs import images
from transproc.process.build import build
from transproc.toolchain.sysroot import toolchain


def setup() -> None:
    """Builds the compiler plugin, the sysroot, the pause tool and the lab's guests; quick when all is there.

    Everything goes to $TRANSPROC_HOME (default ~/.cache/transproc).

    \b
    Example:
      transproc setup
    """
    with ThreadPoolExecutor(
        1
    ) as side:  # the guests are downloaded and unpacked while the toolchain is compiled
        guests = side.submit(images)
        with log.step("toolchain"):
            typer.echo(toolchain().root)
        with log.step("pause tool"):
            for isa in ALL:
                build(isa.name)
        with log.step("guests"):
            guests.result()


app = common.application(setup)
