# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints keywords that look like a language's, all different. Usage: words.py COUNT"""

import itertools
import sys

PARTS = [
    "an",
    "be",
    "con",
    "de",
    "ex",
    "for",
    "get",
    "in",
    "lo",
    "man",
    "no",
    "out",
    "per",
    "re",
    "set",
    "trans",
    "un",
    "with",
]

words = ("".join(parts) for parts in itertools.product(PARTS, repeat=3))
for word in itertools.islice(words, 0, None, len(PARTS) ** 3 // int(sys.argv[1])):
    print(word)
