# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Native nodes from the shell, for measuring: python -m tests.native up DIR [--profile 'sleep 0.3'] [--port N]; … down DIR.

Then: TRANSPROC_NODES=DIR/nodes.toml transproc run --node na …; transproc migrate … --to nb.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.native.nodes import NativeNodes, Setting, end_detached


def main() -> None:
    """Starts or ends them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["up", "down"])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--profile", default="", help="what root's login shell does before each command")
    parser.add_argument("--port", type=int, default=0, help="of the first node; the second has the next one")
    options = parser.parse_args()
    end_detached(options.directory)
    if options.action == "up":
        nodes = NativeNodes(
            options.directory, Setting(options.profile, exchange=""), port=options.port, detached=True
        )
        nodes.up()
        for machine in nodes.machines.values():
            machine.process.returncode = 0  # they outlive this process: nothing to complain about
        print(nodes.configuration)


if __name__ == "__main__":
    main()
