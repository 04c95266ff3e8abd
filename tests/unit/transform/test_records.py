# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Stacks are read and resume records written as docs/format.md says, on synthetic indexes and memory."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest

from tests.writers.index import Function, IndexWriter, Site
from transproc.binary import sites
from transproc.errors import TransformError
from transproc.isa import AARCH64, X86_64
from transproc.transform.records import ChainBuilder, encode, encoded_size, restartable
from transproc.transform.unwind import HEAD_SIZE, Stack, Walker

RBX, RBP, RSP, XMM0 = 3, 6, 7, 17
STACK = 0x7000_0000
RECORDS = 0x10_0000
BOTTOM, LOOP, TRAP = 0x9000, 0x9100, 0x9200
REGISTER, DIRECT, INDIRECT, CONSTANT, POOLED = 1, 2, 3, 4, 5


class Memory:
    """A stack of 512 KiB."""

    def __init__(self) -> None:
        self.data = bytearray(0x80000)

    def put(self, address: int, *words: int) -> None:
        struct.pack_into(f"<{len(words)}Q", self.data, address - STACK, *words)

    def read(self, address: int, size: int) -> bytes:
        if not STACK <= address <= STACK + len(self.data) - size:
            raise TransformError(f"address {address:#x} is not mapped")
        return bytes(self.data[address - STACK : address - STACK + size])


@dataclass
class Written:
    """The records of a thread as they lie in memory, outermost first."""

    data: bytes
    addresses: list[int]

    def words(self, record: int, start: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"<{count}Q", self.data, self.addresses[record] - RECORDS + start)

    def slots(self, record: int, count: int, start: int = 0) -> tuple[int, ...]:
        return self.words(record, HEAD_SIZE + start, count)

    def base(self, record: int) -> int:
        return self.words(record, 64, 1)[0]


def resume(writer: IndexWriter, memory: Memory, pc: int, registers: dict[int, int]) -> tuple[Stack, Written]:
    index = writer.index()
    everything = {register.dwarf: registers.get(register.dwarf, 0) for register in X86_64.registers}
    walker = Walker(index, X86_64, memory.read)
    stack = walker.walk(pc, everything)
    chain = ChainBuilder(index, X86_64, walker).build(stack)
    data, (innermost,) = encode([chain], RECORDS)
    assert len(data) == encoded_size([chain])
    addresses = []
    while innermost:
        addresses.append(innermost)
        (innermost,) = struct.unpack_from("<Q", data, innermost - RECORDS + 8)
    return stack, Written(data, addresses[::-1])


# `inner` is stopped at a loop point; it was called by `outer`, which keeps rbx's value in rbx and has saved its caller's.
INNER = Function(
    "inner",
    0x1000,
    0x5000,
    [
        Site(
            0x1010,
            1 << 1 | 1,
            (RBP, 16, [(RBP, -16), (RBX, -24)]),
            [(REGISTER, 4, RBX, 0), (CONSTANT, 8, 0, -5)],
        )
    ],
    objects=[(RBP, -40, 3, 1), (RBP, -64, 20, 16)],
)
OUTER = Function(
    "outer",
    0x2000,
    0x6000,
    [
        Site(
            0x2020,
            4 << 1,
            (RSP, 32, [(RBP, -16)]),
            [(REGISTER, 8, RBX, 0), (INDIRECT, 8, RSP, 8), (POOLED, 8, 0, 1)],
            [(INDIRECT, 16, RSP, 0)],
        )
    ],
)
SPECIALS = [(BOTTOM, sites.BOTTOM_MAIN, None), (LOOP, sites.LOOP, None), (TRAP, sites.TRAP, (RSP, 240, []))]


def two_frames() -> tuple[IndexWriter, Memory, dict[int, int]]:
    memory = Memory()
    rbp = STACK + 0x8000
    memory.put(rbp, 0xBBBB, 0x2020)  # caller's rbp, return address
    memory.put(rbp - 8, 0x1234_5678_9ABC)  # caller's rbx
    outer_sp = rbp + 16
    memory.put(outer_sp, 111, 222, 0, BOTTOM)
    writer = IndexWriter(62, [INNER, OUTER], SPECIALS, constants=[7, 1 << 50])
    return writer, memory, {RBP: rbp, RSP: rbp - 64, RBX: 0xFFFF_0000_0042}


def test_live_values_of_every_frame_reach_the_records() -> None:
    writer, memory, registers = two_frames()
    stack, written = resume(writer, memory, 0x1010, registers)
    assert [stack.frames.site(i).pc for i in (0, 1)] == [0x1010, 0x2020]
    end, outer, _inner = written.addresses
    assert written.words(0, 0, 2) == (0xA200, 0)
    assert written.words(1, 0, 3) == (0x6000, end, 0xABCDE << 24 | 4 << 1)
    assert written.slots(1, 3) == (0x1234_5678_9ABC, 222, 1 << 50)
    assert written.slots(1, 2, start=32) == (111, 222), "wide values are 16-aligned behind the narrow ones"
    assert written.words(2, 0, 3) == (0x5000, outer, 0xABCDE << 24 | 1 << 1 | 1)
    assert written.slots(2, 2) == (0xFFFF_0000_0042, (1 << 64) - 5)
    assert all(address % 64 == 0 for address in written.addresses)


def test_stack_objects_keep_their_addresses_and_lie_above_the_base() -> None:
    writer, memory, registers = two_frames()
    _, written = resume(writer, memory, 0x1010, registers)
    rbp = registers[RBP]
    (place,) = written.words(2, 24, 1)
    assert place == written.addresses[2] + HEAD_SIZE + 16
    assert written.slots(2, 2, start=16) == (rbp - 40, rbp - 64)
    assert written.base(2) == rbp - 64 & -64
    assert written.base(1) == written.base(0) == rbp + 48 & -64, (
        "outer frames run above the inner frame's objects"
    )


def test_objects_of_a_frame_that_is_not_set_up_get_room() -> None:
    bare = Function("bare", 0x1000, 0x5000, [Site(0x1010, 3, (RSP, 8, []))], objects=[(RBP, -8, 24, 32)])
    memory = Memory()
    memory.put(STACK + 0x4000, BOTTOM)
    _, written = resume(IndexWriter(62, [bare], SPECIALS), memory, 0x1010, {RSP: STACK + 0x4000})
    (address,) = written.slots(1, 1)
    assert address % 32 == 0
    assert written.base(1) <= address <= written.base(0) - 24


def test_dynamic_allocations_are_kept() -> None:
    site = Site(0x1010, 3, (RBP, 16, []), [(INDIRECT, 8, RBP, -8)])
    function = Function("vla", 0x1000, 0x5000, [site], flags=sites.FUNCTION_DYNAMIC)
    memory = Memory()
    rbp = STACK + 0x4000
    lowest = rbp - 0x800
    memory.put(rbp - 8, lowest, 0, BOTTOM)
    _, written = resume(IndexWriter(62, [function], SPECIALS), memory, 0x1010, {RSP: lowest, RBP: rbp})
    assert written.base(1) <= lowest


@pytest.mark.parametrize(
    ("descriptor", "registers", "expected"),
    [
        ([], {}, b""),
        ([1 | 3 << 2], {0: 0x1122}, struct.pack("<Q", 0x1122)),
        ([1 | 2 << 2, 1 | 3 << 2], {0: 0xFFFF_FFFF_8000_0001, 1: 5}, struct.pack("<IIQ", 0x8000_0001, 0, 5)),
        ([2 | 2 << 2, 2 | 2 << 2], {17: 0x3F80_0000, 18: 0x4000_0000}, struct.pack("<ff", 1.0, 2.0)),
        ([1 | 3 << 2, 2 | 3 << 2], {0: 1, 17: 0x3FF0 << 48}, struct.pack("<Qd", 1, 1.0)),
        ([2 | 4 << 2], {17: 1 << 127 | 1}, (1 << 127 | 1).to_bytes(16, "little")),
        ([1 | 0 << 2 | 32], {0: 0xFF}, b"\x01"),
    ],
)
def test_a_pending_result_is_taken_from_the_return_registers(
    descriptor: list[int], registers: dict[int, int], expected: bytes
) -> None:
    result = int.from_bytes(bytes(descriptor).ljust(4, b"\0"), "little")
    function = Function("f", 0x1000, 0x5000, [Site(0x1010, 2, (RSP, 8, []), result=result)])
    memory = Memory()
    memory.put(STACK + 0x4000, BOTTOM)
    _, written = resume(
        IndexWriter(62, [function], SPECIALS), memory, 0x1010, {RSP: STACK + 0x4000, **registers}
    )
    assert struct.pack("<4Q", *written.words(1, 32, 4)) == expected.ljust(32, b"\0")


def test_a_call_whose_result_cannot_be_captured_is_no_place_to_stop() -> None:
    function = Function("f", 0x1000, 0x5000, [Site(0x1010, 2, (RSP, 8, []), flags=sites.SITE_NO_STOP)])
    with pytest.raises(TransformError, match="no equivalence point"):
        resume(IndexWriter(62, [function], SPECIALS), Memory(), 0x1010, {RSP: STACK + 0x4000})


def test_records_that_are_not_consumed_survive_a_second_migration() -> None:
    resumed = Function(
        "outer",
        0x2000,
        0x6000,
        [Site(0x6020, 2, (RSP, 16, []), flags=sites.SITE_IN_RESUME)],
        objects=[(RBP, 0, 8, 8)],
    )
    memory = Memory()
    end, outer, current = STACK + 0x1000, STACK + 0x1080, STACK + 0x1100
    memory.put(
        current,
        0x6000,
        outer,
        0xABCDE << 24 | 8,
        current + 80,
        0,
        0,
        0,
        0,
        STACK + 0x6000,
        88,
        STACK + 0x6100,
    )
    memory.put(outer, 0x7777, end, 5, outer + 96, 1, 2, 3, 4, STACK + 0x7000, 104, 33, 44, STACK + 0x7100)
    memory.put(end, 0xA200, 0, 0, 0, 0, 0, 0, 0, STACK + 0x8000, 80)
    memory.put(STACK + 0x4008, LOOP)
    writer = IndexWriter(62, [resumed], SPECIALS)
    stack, written = resume(writer, memory, 0x6020, {RSP: STACK + 0x4000, RBX: current})
    assert stack.current is not None and stack.current.outer == outer
    first, second, third = written.addresses
    assert written.words(0, 0, 2) == (0xA200, 0)
    assert written.words(1, 0, 4) == (0x7777, first, 5, second + HEAD_SIZE + 16)
    assert written.words(1, 32, 9) == (1, 2, 3, 4, STACK + 0x7000, 104, 33, 44, STACK + 0x7100)
    assert written.words(2, 0, 2) == (0x6000, second)
    assert written.slots(2, 1) == (STACK + 0x6100,), "a resumed frame keeps the objects of its record"
    assert written.base(2) == STACK + 0x6100 & -64
    assert third


def test_a_resumed_frame_without_its_record_is_an_error() -> None:
    resumed = Function("f", 0x2000, 0x6000, [Site(0x6020, 2, (RSP, 16, []), flags=sites.SITE_IN_RESUME)])
    memory = Memory()
    memory.put(STACK + 0x4008, BOTTOM)
    with pytest.raises(TransformError, match="does not belong to its record"):
        resume(IndexWriter(62, [resumed], SPECIALS), memory, 0x6020, {RSP: STACK + 0x4000})


def test_a_blocked_system_call_is_issued_again() -> None:
    memory = Memory()
    cfa = STACK + 0x4000
    memory.put(cfa - 80, 63, 3, 0xB0F, 100, 0, 0, 0)  # read(3, …, 100)
    memory.put(cfa - 8, 0x2020)
    memory.put(cfa, 0, 0, 0, BOTTOM)
    writer = IndexWriter(62, [OUTER], SPECIALS, constants=[0, 0])
    stack, written = resume(writer, memory, TRAP, {RSP: cfa - 240})
    assert stack.system_call == (63, 3, 0xB0F, 100, 0, 0, 0)
    assert written.words(2, 0, 2) == (0xA100, written.addresses[1])
    assert written.slots(2, 7) == stack.system_call


def test_an_interrupted_sleep_goes_on_with_the_remaining_time() -> None:
    assert restartable((115, 0, 0, 0x10, 0x20, 0, 0))[3] == 0x20
    assert restartable((115, 0, 1, 0x10, 0x20, 0, 0))[3] == 0x10, "absolute times stay"


def test_an_unknown_caller_is_named() -> None:
    memory = Memory()
    memory.put(STACK + 0x4000, 0xDEAD)
    function = Function("f", 0x1000, 0x5000, [Site(0x1010, 3, (RSP, 8, []))])
    with pytest.raises(TransformError, match="0xdead"):
        resume(IndexWriter(62, [function], SPECIALS), memory, 0x1010, {RSP: STACK + 0x4000})


def test_aarch64_returns_through_the_link_register() -> None:
    leaf = Function("leaf", 0x1000, 0x5000, [Site(0x1010, 3, (31, 0, []))])
    caller = Function("caller", 0x2000, 0x6000, [Site(0x2020, 2, (31, 32, [(29, -32), (30, -24)]))])
    memory = Memory()
    sp = STACK + 0x4000
    memory.put(sp, 0, BOTTOM)
    index = IndexWriter(183, [leaf, caller], SPECIALS).index()
    registers = {register.dwarf: 0 for register in AARCH64.registers} | {31: sp, 30: 0x2020}
    stack = Walker(index, AARCH64, memory.read).walk(0x1010, registers)
    assert [stack.frames.site(i).pc for i in (0, 1)] == [0x1010, 0x2020]
    assert stack.bottom == sp + 32


def test_a_caller_whose_return_address_is_saved_nowhere_is_an_error() -> None:
    """The link register still holds the return into the caller itself: the walk would follow it for ever."""
    caller = Function("caller", 0x2000, 0x6000, [Site(0x2020, 2, (31, 32, []))])
    leaf = Function("leaf", 0x1000, 0x5000, [Site(0x1010, 3, (31, 0, []))])
    registers = {register.dwarf: 0 for register in AARCH64.registers} | {31: STACK + 0x4000, 30: 0x2020}
    walker = Walker(IndexWriter(183, [leaf, caller], SPECIALS).index(), AARCH64, Memory().read)
    with pytest.raises(TransformError, match="frame 1 has called another one"):
        walker.walk(0x1010, registers)


def test_a_frame_that_no_walk_could_find_is_an_error() -> None:
    function = Function("f", 0x1000, 0x5000, [Site(0x1010, 3, (RBX, 8, []))])
    with pytest.raises(TransformError, match="frame rule 0 starts from register 3"):
        resume(IndexWriter(62, [function], SPECIALS), Memory(), 0x1010, {RSP: STACK + 0x4000})


@pytest.mark.parametrize(("saved", "expected"), [([], (9, 7, 9 << 16)), ([(XMM0, -16)], (0, 0xF, 0))])
def test_of_a_saved_vector_register_only_the_low_half_is_known(
    saved: list[tuple[int, int]], expected: tuple[int, ...]
) -> None:
    """As AAPCS64 keeps v8 to v15; the wide value of the outer frame is read from its register."""
    outer = Function(
        "outer",
        0x2000,
        0x6000,
        [Site(0x2020, 2, (RSP, 16, []), [(REGISTER, 1, XMM0, 80)], [(REGISTER, 16, XMM0, 0)])],
    )
    inner = Function("inner", 0x1000, 0x5000, [Site(0x1010, 3, (RSP, 24, saved))])
    memory = Memory()
    memory.put(STACK + 0x4000, 0, 0xF, 0x2020, 0, BOTTOM)
    writer = IndexWriter(62, [inner, outer], SPECIALS)
    _, written = resume(writer, memory, 0x1010, {RSP: STACK + 0x4000, XMM0: 9 << 80 | 7})
    assert written.slots(1, 1) + written.slots(1, 2, start=16) == expected


DEPTH = 40


@pytest.mark.parametrize("room", [0, 0x1800], ids=["dense", "sparse"])
def test_a_deep_recursion_is_read_as_its_frames_one_by_one(room: int) -> None:
    """Two functions call each other; each frame holds values of its own, in memory and in a register saved further in."""
    size = 0x40 + room
    ping, pong = (
        Function(
            name,
            address,
            address + 0x4000,
            [
                Site(
                    address + 0x20,
                    4 << 1,
                    (RSP, size, [(RBX, -16)]),
                    [(REGISTER, 4, RBX, 0), (INDIRECT, 4, RSP, 4), (DIRECT, 8, RSP, 16)],
                    [(INDIRECT, 16, RSP, 8)],
                )
            ],
            objects=[(RSP, 24, 8, 8)],
        )
        for name, address in (("ping", 0x2000), ("pong", 0x3000))
    )
    stop = Function("stop", 0x1000, 0x5000, [Site(0x1010, 3, (RSP, 8, []))])
    memory = Memory()
    sp = STACK + 0x10
    memory.put(sp, 0x2020)
    for level in range(DEPTH):
        frame = sp + 8 + level * size
        memory.put(frame, 0xEEEE_0000_0000 | level << 32, 1000 + level, 2000 + level)
        back = BOTTOM if level == DEPTH - 1 else 0x3020 if level % 2 == 0 else 0x2020
        memory.put(frame + size - 16, 0xF_0000_0000 + level, back)
    writer = IndexWriter(62, [stop, ping, pong], SPECIALS)
    stack, written = resume(writer, memory, 0x1010, {RSP: sp, RBX: 0x5_1234_5678})
    assert stack.frames.count == DEPTH + 1 and len(written.addresses) == DEPTH + 2
    for level in range(DEPTH):
        record = DEPTH - level
        frame = sp + 8 + level * size
        inner_rbx = 0x5_1234_5678 if level == 0 else 0xF_0000_0000 + level - 1
        assert written.words(record, 0, 2) == (0x6000 + 0x1000 * (level % 2), written.addresses[record - 1])
        assert written.slots(record, 3) == (inner_rbx, (0xEEEE_0000_0000 | level << 32) >> 32, frame + 16)
        assert written.slots(record, 2, start=32) == (1000 + level, 2000 + level)
        assert written.slots(record, 1, start=48) == (frame + 24,)
        assert written.base(record) == frame + 24 & -64


def test_records_that_do_not_lie_one_behind_the_other_are_an_error() -> None:
    resumed = Function("f", 0x2000, 0x6000, [Site(0x6020, 2, (RSP, 16, []), flags=sites.SITE_IN_RESUME)])
    memory = Memory()
    current = STACK + 0x1100
    memory.put(current, 0x6000, STACK + 0x1000, 0, 0, 0, 0, 0, 0, 0, 80)
    memory.put(STACK + 0x1000, 0xA200, 0, 0, 0, 0, 0, 0, 0, 0, 80)
    memory.put(STACK + 0x4008, LOOP)
    with pytest.raises(TransformError, match="is damaged: 80 bytes, and the next one"):
        resume(IndexWriter(62, [resumed], SPECIALS), memory, 0x6020, {RSP: STACK + 0x4000, RBX: current})
