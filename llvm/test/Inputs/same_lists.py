"""Compares the stack maps of a file's two objects: the same sites, and lists of the same length, header and objects.

usage: same_lists.py x86_64.o aarch64.o
Prints the numbers of sites, listed values and objects. Format: https://llvm.org/docs/StackMaps.html, version 3.
"""

import struct
import sys
from collections import defaultdict
from pathlib import Path

from elftools.elf.elffile import ELFFile

CONSTANT, CONSTANT_INDEX, DIRECT = 4, 5, 2
List = tuple[int, int, tuple[int, ...]]  # header, number of values, objects' shapes


def lists(path: Path) -> dict[int, set[List]]:
    with path.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".llvm_stackmaps")
        data = section.data() if section else b""
    found: dict[int, set[List]] = defaultdict(set)
    if not data:
        return found
    functions, constants, records = struct.unpack_from("<III", data, 4)
    at = 16 + 24 * functions
    pool = struct.unpack_from(f"<{constants}q", data, at)
    at += 8 * constants
    for _ in range(records):
        site, _, _, count = struct.unpack_from("<QIHH", data, at)
        at += 16
        locations = [struct.unpack_from("<BxHHxxi", data, at + 12 * i) for i in range(count)]
        at = (at + 12 * count + 7) & ~7
        at = (at + 4 + 4 * struct.unpack_from("<H", data, at + 2)[0] + 7) & ~7
        found[site].add(split(site, locations[3:], pool))
    return found


def split(site: int, locations: list[tuple[int, int, int, int]], pool: tuple[int, ...]) -> List:
    def constant(location: tuple[int, int, int, int]) -> int:
        kind, _, _, offset = location
        assert kind in (CONSTANT, CONSTANT_INDEX), f"site {site:#x}: expected a constant, found kind {kind}"
        return offset if kind == CONSTANT else pool[offset]

    header = constant(locations[0])
    values = (header & 0xFFFF) + (header >> 16 & 0xFFFF)
    objects = locations[1 + values :]
    if objects:
        assert len(objects) == 1 + 2 * (constant(objects[0]) & 0xFFFFFFFF), f"site {site:#x}: object list"
        assert all(location[0] == DIRECT for location in objects[1::2]), f"site {site:#x}: object not direct"
    assert len(locations) >= 1 + values, f"site {site:#x}: list too short"
    return header, values, tuple(constant(location) for location in objects[::2])


def main() -> None:
    x86_64, aarch64 = (lists(Path(argument)) for argument in sys.argv[1:3])
    assert x86_64 == aarch64, (
        f"lists differ at {[hex(s) for s in x86_64 if x86_64[s] != aarch64.get(s)][:10]}"
    )
    longest = {site: max(found, key=lambda one: len(one[2])) for site, found in x86_64.items()}
    objects = sum(max(0, len(one[2]) - 1) for one in longest.values())
    print(f"sites {len(longest)}, values {sum(one[1] for one in longest.values())}, objects {objects}")


main()
