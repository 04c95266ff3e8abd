# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A random genome and reads of it with errors, the same at every run: reference.fa and reads.fa. Usage: reads.py NUMBER"""

import random
import sys
from pathlib import Path

chance = random.Random(17)
genome = "".join(chance.choices("ACGT", k=300_000))
Path("reference.fa").write_text(f">genome\n{genome}\n")


def read(length: int) -> str:
    """A piece of the genome: one letter of ten is another, missing or doubled; every second one from the other strand."""
    start = chance.randrange(len(genome) - length)
    letters = [
        chance.choice(("", "A", "C", "G", "T", c + c)) if chance.random() < 0.1 else c
        for c in genome[start : start + length]
    ]
    text = "".join(letters)
    return text.translate(str.maketrans("ACGT", "TGCA"))[::-1] if chance.random() < 0.5 else text


count = int(sys.argv[1])
Path("reads.fa").write_text("".join(f">read{i}\n{read(6000)}\n" for i in range(count)))
