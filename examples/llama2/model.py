# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a model for llama2.c with random weights: its format is seven integers and then all weights, as its export.py says."""

import random
import struct
import sys
from array import array

DIM, HIDDEN, LAYERS, HEADS, KV_HEADS, VOCABULARY, LENGTH = 64, 172, 5, 8, 4, 32000, 512
KV_DIM = DIM * KV_HEADS // HEADS
HALF_HEAD = DIM // HEADS // 2


def main() -> None:
    """Writes it to standard output; always the same."""
    choose = random.Random(1)
    out = sys.stdout.buffer
    out.write(struct.pack("<7i", DIM, HIDDEN, LAYERS, HEADS, KV_HEADS, VOCABULARY, LENGTH))

    def weights(count: int, columns: int) -> None:
        spread = (3 / columns) ** 0.5
        array("f", (choose.uniform(-spread, spread) for _ in range(count * columns))).tofile(out)

    def ones(count: int) -> None:
        array("f", [1.0] * count).tofile(out)

    weights(VOCABULARY, DIM)
    ones(LAYERS * DIM)
    for rows in (DIM, KV_DIM, KV_DIM, DIM):
        weights(LAYERS * rows, DIM)
    ones(LAYERS * DIM)
    weights(LAYERS * HIDDEN, DIM)
    weights(LAYERS * DIM, HIDDEN)
    weights(LAYERS * HIDDEN, DIM)
    ones(DIM)
    ones(2 * LENGTH * HALF_HEAD)  # the place of a table that is no longer read


main()
