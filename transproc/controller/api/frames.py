# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How a terminal's output is sent: a letter, four bytes of length with the highest first, and so many bytes."""

import struct

HEAD = struct.Struct(">cI")
OUTPUT, END = b"o", b"e"
