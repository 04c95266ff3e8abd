# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Two places whose links have a rate: network namespaces on a bridge of this machine, limited by tc(8) in both directions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from tests.native.nodes import NAMES
from transproc.run import run


@contextmanager
def limited(rate: str) -> Iterator[Mapping[str, tuple[str, str]]]:
    """As `Setting.places` has them; `rate` as tc(8) has it. What goes from node to node crosses the links of both."""
    bridge, net = f"tl{os.getpid():x}", f"10.79.{os.getpid() % 250}"
    places = {}
    with ExitStack() as stack:
        run(["ip", "link", "add", bridge, "type", "bridge"])
        stack.callback(run, ["ip", "link", "delete", bridge], check=False)
        run(["ip", "address", "add", f"{net}.1/24", "dev", bridge])
        run(["ip", "link", "set", bridge, "up"])
        for number, name in enumerate(NAMES):
            space, port = f"{bridge}{name}", f"{bridge}{number}"
            run(["ip", "netns", "add", space])
            stack.callback(run, ["ip", "netns", "delete", space], check=False)
            run(["ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space])
            stack.callback(run, ["ip", "link", "delete", port], check=False)
            run(["ip", "link", "set", port, "master", bridge, "up"])
            run(["ip", "-n", space, "address", "add", f"{net}.{number + 2}/24", "dev", "eth0"])
            for device in ("lo", "eth0"):
                run(["ip", "-n", space, "link", "set", device, "up"])
            limit = ["root", "tbf", "rate", rate, "burst", "256kb", "latency", "50ms"]
            run(["tc", "qdisc", "add", "dev", port, *limit])
            run(["tc", "-n", space, "qdisc", "add", "dev", "eth0", *limit])
            places[name] = space, f"{net}.{number + 2}"
        yield places
