"""Stacks are read and resume records written as docs/format.md says, on synthetic indexes and memory."""

from __future__ import annotations

import struct

import pytest

from tests.writers.index import Function, IndexWriter, Site
from transproc.binary import sites
from transproc.errors import TransformError
from transproc.isa import AARCH64, X86_64
from transproc.transform.frames import HEAD, NewRecord, RecordWriter, Resumption, restartable
from transproc.transform.unwind import Stack, Walker

RBX, RBP, RSP, XMM0 = 3, 6, 7, 17
STACK = 0x7000_0000
BOTTOM, LOOP, TRAP = 0x9000, 0x9100, 0x9200
REGISTER, DIRECT, INDIRECT, CONSTANT, POOLED = 1, 2, 3, 4, 5


class Memory:
    """A stack of 64 KiB."""

    def __init__(self) -> None:
        self.data = bytearray(0x10000)

    def put(self, address: int, *words: int) -> None:
        struct.pack_into(f"<{len(words)}Q", self.data, address - STACK, *words)

    def read(self, address: int, size: int) -> bytes:
        if not STACK <= address <= STACK + len(self.data) - size:
            raise TransformError(f"address {address:#x} is not mapped")
        return bytes(self.data[address - STACK : address - STACK + size])


def words(record: NewRecord, start: int, count: int) -> tuple[int, ...]:
    return struct.unpack_from(f"<{count}Q", record.data, start)


def resume(
    writer: IndexWriter, memory: Memory, pc: int, registers: dict[int, int]
) -> tuple[Stack, Resumption]:
    index = writer.index()
    everything = {register.dwarf: registers.get(register.dwarf, 0) for register in X86_64.registers}
    walker = Walker(index, X86_64, memory.read)
    stack = walker.walk(pc, everything)
    return stack, RecordWriter(index, X86_64, walker).write(stack)


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
    stack, resumption = resume(writer, memory, 0x1010, registers)
    assert [frame.site.pc for frame in stack.frames] == [0x1010, 0x2020]
    end, outer, inner = resumption.records
    assert words(end, 0, 2) == (0xA200, 0)
    assert words(outer, 0, 3) == (0x6000, end.address, 0xABCDE << 24 | 4 << 1)
    assert words(outer, HEAD.size, 3) == (0x1234_5678_9ABC, 222, 1 << 50)
    assert words(outer, HEAD.size + 32, 2) == (111, 222), "wide values are 16-aligned behind the narrow ones"
    assert words(inner, 0, 3) == (0x5000, outer.address, 0xABCDE << 24 | 1 << 1 | 1)
    assert words(inner, HEAD.size, 2) == (0xFFFF_0000_0042, (1 << 64) - 5)
    assert resumption.innermost == inner.address


def test_stack_objects_keep_their_addresses_and_lie_above_their_record() -> None:
    writer, memory, registers = two_frames()
    _, resumption = resume(writer, memory, 0x1010, registers)
    inner = resumption.records[-1]
    rbp = registers[RBP]
    (place,) = words(inner, 24, 1)
    assert place == inner.address + HEAD.size + 16
    assert words(inner, HEAD.size + 16, 2) == (rbp - 40, rbp - 64)
    assert inner.address + len(inner.data) <= rbp - 64
    assert inner.address % 64 == 0


def test_objects_of_a_frame_that_is_not_set_up_get_room() -> None:
    bare = Function("bare", 0x1000, 0x5000, [Site(0x1010, 3, (RSP, 8, []))], objects=[(RBP, -8, 24, 32)])
    memory = Memory()
    memory.put(STACK + 0x4000, BOTTOM)
    _, resumption = resume(IndexWriter(62, [bare], SPECIALS), memory, 0x1010, {RSP: STACK + 0x4000})
    end, record = resumption.records
    (address,) = words(record, HEAD.size, 1)
    assert address % 32 == 0
    assert record.address + len(record.data) <= address <= end.address - 24


def test_dynamic_allocations_are_kept() -> None:
    site = Site(0x1010, 3, (RBP, 16, []), [(INDIRECT, 8, RBP, -8)])
    function = Function("vla", 0x1000, 0x5000, [site], flags=sites.FUNCTION_DYNAMIC)
    memory = Memory()
    rbp = STACK + 0x4000
    lowest = rbp - 0x800
    memory.put(rbp - 8, lowest, 0, BOTTOM)
    _, resumption = resume(IndexWriter(62, [function], SPECIALS), memory, 0x1010, {RSP: lowest, RBP: rbp})
    record = resumption.records[-1]
    assert record.address + len(record.data) <= lowest


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
    _, resumption = resume(
        IndexWriter(62, [function], SPECIALS), memory, 0x1010, {RSP: STACK + 0x4000, **registers}
    )
    assert resumption.records[-1].data[32 : HEAD.size] == expected.ljust(32, b"\0")


def test_a_call_whose_result_cannot_be_captured_is_no_place_to_stop() -> None:
    function = Function("f", 0x1000, 0x5000, [Site(0x1010, 2, (RSP, 8, []), flags=sites.SITE_NO_STOP)])
    with pytest.raises(TransformError, match="no equivalence point"):
        resume(IndexWriter(62, [function], SPECIALS), Memory(), 0x1010, {RSP: STACK + 0x4000})


def test_a_resumed_frame_takes_the_objects_of_its_record_and_stands_on_outer_records() -> None:
    resumed = Function(
        "outer",
        0x2000,
        0x6000,
        [Site(0x6020, 2, (RSP, 16, []), flags=sites.SITE_IN_RESUME)],
        objects=[(RBP, 0, 8, 8)],
    )
    memory = Memory()
    current, outer = STACK + 0x5000, STACK + 0x6000
    memory.put(current, 0x6000, outer, 0xABCDE << 24 | 8, current + 64, 0, 0, 0, 0, STACK + 0x6100)
    memory.put(STACK + 0x4008, LOOP)
    writer = IndexWriter(62, [resumed], SPECIALS)
    stack, resumption = resume(writer, memory, 0x6020, {RSP: STACK + 0x4000, RBX: current})
    assert stack.current is not None and stack.current.outer == outer
    (record,) = resumption.records
    assert words(record, 0, 2) == (0x6000, outer)
    assert words(record, HEAD.size, 1) == (STACK + 0x6100,)
    assert record.address + len(record.data) <= outer
    assert record.address > current - 4096, "the space of the consumed record is used again"


def test_a_blocked_system_call_is_issued_again() -> None:
    memory = Memory()
    cfa = STACK + 0x4000
    memory.put(cfa - 80, 63, 3, 0xB0F, 100, 0, 0, 0)  # read(3, …, 100)
    memory.put(cfa - 8, 0x2020)
    memory.put(cfa, 0, 0, 0, BOTTOM)
    writer = IndexWriter(62, [OUTER], SPECIALS, constants=[0, 0])
    stack, resumption = resume(writer, memory, TRAP, {RSP: cfa - 240})
    assert stack.system_call == (63, 3, 0xB0F, 100, 0, 0, 0)
    _end, outer, call = resumption.records
    assert words(call, 0, 2) == (0xA100, outer.address)
    assert words(call, HEAD.size, 7) == stack.system_call


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
    assert [frame.site.pc for frame in stack.frames] == [0x1010, 0x2020]
    assert stack.bottom == sp + 32
