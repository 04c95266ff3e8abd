# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The handler of SIGTRAP that a program has while it is dumped (runtime/tool/guard.h), and loses in its image."""

from __future__ import annotations

from transproc.images.proto.core_pb2 import CoreEntry

_DEFAULT, _IGNORE = 0, 1
GUARDS = {0x7470: _DEFAULT, 0x7471: _IGNORE}
"""What each stands for: addresses below any mapping."""


def lift(core: CoreEntry) -> None:
    """Makes the action what it was. Where it stands in the list is no matter: nothing else has such a handler."""
    if core.HasField("tc"):
        for action in core.tc.sigactions:
            if action.sigaction in GUARDS:
                action.sigaction = GUARDS[action.sigaction]
                action.flags = action.restorer = action.mask = 0
