# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which places to build, and who serves whom at least cost: an integer program. Usage: facilities.py PLACES CUSTOMERS SEED."""

from __future__ import annotations

import random
import sys


def main() -> None:
    """Prints it in the format LP: costs; who must be served, what a place has room for, and that it must be built for that."""
    places, customers = range(int(sys.argv[1])), range(int(sys.argv[2]))
    chance = random.Random(int(sys.argv[3]))
    demand = [chance.randint(5, 35) for _ in customers]
    room = [chance.randint(10, 160) for _ in places]
    where = [(chance.random(), chance.random()) for _ in (*places, *customers)]

    def cost(place: int, customer: int) -> int:
        (x, y), (u, v) = where[place], where[len(places) + customer]
        return 1 + round(1000 * ((x - u) ** 2 + (y - v) ** 2) ** 0.5) * demand[customer] // 10

    print("Minimize\n cost:")
    for i in places:
        print(f" + {chance.randint(0, 900) + round(110 * room[i] ** 0.5)} y{i}")
        print("".join(f" + {cost(i, j)} x{i}_{j}\n" for j in customers), end="")
    print("Subject To")
    for j in customers:
        print(f" s{j}: {' + '.join(f'x{i}_{j}' for i in places)} = 1")
    for i in places:
        print(f" r{i}: {' + '.join(f'{demand[j]} x{i}_{j}' for j in customers)} - {room[i]} y{i} <= 0")
        print("".join(f" b{i}_{j}: x{i}_{j} - y{i} <= 0\n" for j in customers), end="")
    print("Binary")
    print("\n".join([f"y{i}" for i in places] + [f"x{i}_{j}" for i in places for j in customers]))
    print("End")


main()
