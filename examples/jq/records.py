# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Records in JSON, the same at every run. Usage: records.py NUMBER"""

import json
import random
import sys

chance = random.Random(5)
words = ["".join(chance.choices("abcdefghij", k=5)) for _ in range(60)]
records = [
    {
        "id": i,
        "name": chance.choice(words),
        "tags": chance.sample(words, 4),
        "value": round(chance.gauss(50, 20), 3),
    }
    for i in range(int(sys.argv[1]))
]
json.dump(records, sys.stdout)
