# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random proteins: usage: sequences.py FAMILIES MEMBERS. Members of a family differ in a tenth of their letters."""

from __future__ import annotations

import random
import sys

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
chance = random.Random(1)
families, members = map(int, sys.argv[1:])
proteins = []
for family in range(families):
    first = chance.choices(LETTERS, k=chance.randrange(200, 400))
    for member in range(members):
        changed = [chance.choice(LETTERS) if chance.random() < 0.1 else letter for letter in first]
        proteins.append(f">f{family}m{member}\n{''.join(changed)}\n")
chance.shuffle(proteins)
sys.stdout.write("".join(proteins))
