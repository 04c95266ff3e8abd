# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tables against facts from other sources, and the functions on real core messages."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transproc import isa
from transproc.errors import ImageError, UnsupportedError
from transproc.images.proto.core_pb2 import CoreEntry
from transproc.isa import AARCH64, X86_64, FloatingException, FloatingState, Isa, Rounding

BOTH = pytest.mark.parametrize("machine", isa.ALL, ids=lambda machine: machine.name)


def fresh(machine: Isa, **changes: Any) -> CoreEntry:
    core = CoreEntry(mtype=machine.mtype)
    arguments: dict[str, Any] = {
        "pc": 0x1000,
        "sp": 0x7FFF0000,
        "tls": 0x5000,
        "registers": {},
        "fp": FloatingState(),
        "clear_tid_addr": 0x6000,
    }
    machine.new_thread_info(core, **(arguments | changes))
    return core


def test_look_up() -> None:
    assert isa.by_name("aarch64") is isa.by_machine(183) is isa.by_mtype(3) is AARCH64
    assert isa.by_name("x86_64") is isa.by_machine(62) is isa.by_mtype(1) is X86_64
    with pytest.raises(UnsupportedError, match="'riscv64' is unknown, expected one of: x86_64, aarch64"):
        isa.by_name("riscv64")
    with pytest.raises(UnsupportedError, match="ELF machine 243"):
        isa.by_machine(243)
    with pytest.raises(UnsupportedError, match="core type 8"):
        isa.by_mtype(8)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"registers": (*X86_64.registers, X86_64.registers[0])}, "two registers have one DWARF number"),
        ({"record_register": 0}, "record register is not callee-saved"),
        ({"floating_results": (0, 1)}, "not in a vector register"),
        ({"return_address": 3}, "return address: register or slot"),
        ({"page_size": 5000}, "power of two"),
        ({"auxv_dropped": frozenset({16})}, "both dropped and replaced"),
        ({"open_flags": {"O_TMPFILE": 0o20200000}}, "an open flag is not one bit"),
    ],
)
def test_tables_are_validated(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        dataclasses.replace(X86_64, **changes)


@pytest.mark.parametrize(
    ("machine", "dwarf", "name"),
    # AMD64 psABI figure 3.36 (its order is not the one of the encoding), AADWARF64 section 4.1.
    [
        (X86_64, n, name)
        for n, name in enumerate(["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8"])
    ]
    + [(X86_64, 15, "r15"), (X86_64, 17, "xmm0"), (X86_64, 32, "xmm15")]
    + [
        (AARCH64, 0, "x0"),
        (AARCH64, 30, "x30"),
        (AARCH64, 31, "sp"),
        (AARCH64, 64, "v0"),
        (AARCH64, 95, "v31"),
    ],
)
def test_dwarf_numbers(machine: Isa, dwarf: int, name: str) -> None:
    assert machine.register(dwarf).name == name


def test_classes_of_registers() -> None:
    assert X86_64.callee_saved == {3, 6, 7, 12, 13, 14, 15}
    assert AARCH64.callee_saved == {*range(19, 30), 31, *range(72, 80)}
    assert len(X86_64.general) == 16 and len(X86_64.vectors) == 16
    assert len(AARCH64.general) == 32 and len(AARCH64.vectors) == 32
    for machine, number in ((X86_64, 16), (AARCH64, 32)):
        with pytest.raises(UnsupportedError, match=f"no register with DWARF number {number}"):
            machine.register(number)


@BOTH
def test_every_register_is_read_back_from_where_it_was_written(machine: Isa) -> None:
    values = {r.dwarf: (r.dwarf + 1) * 0x0101 << (8 * r.size - 16) for r in machine.registers}
    core = fresh(machine, registers=values, sp=values[machine.stack_pointer])
    core = CoreEntry.FromString(core.SerializeToString())
    for register in machine.registers:
        expected = values[register.dwarf].to_bytes(register.size, "little")
        assert machine.read_register(core, register.dwarf) == expected.ljust(16, b"\0"), register.name


def test_registers_lie_in_the_fields_that_criu_restores() -> None:
    core = fresh(X86_64, registers={3: 33, 1: 11, 18: 0x4_00000003_00000002_00000001})
    assert (core.thread_info.gpregs.bx, core.thread_info.gpregs.dx) == (33, 11)
    assert list(core.thread_info.fpregs.xmm_space[4:8]) == [1, 2, 3, 4]
    core = fresh(AARCH64, registers={19: 7, 65: 2 << 64 | 1})
    assert core.ti_aarch64.gpregs.regs[19] == 7
    assert list(core.ti_aarch64.fpsimd.vregs[2:4]) == [1, 2]


@BOTH
def test_fresh_thread(machine: Isa) -> None:
    core = fresh(machine)
    assert core.IsInitialized()
    assert (machine.pc(core), machine.sp(core), machine.tls(core)) == (0x1000, 0x7FFF0000, 0x5000)
    assert machine.thread_info(core).clear_tid_addr == 0x6000
    assert machine.read_general(core, machine.record_register) == 0


def test_the_other_isa_and_its_keys_vanish() -> None:
    core = fresh(AARCH64)
    core.ti_aarch64.pac_keys.SetInParent()
    core.thread_core.futex_rla = 5
    core.thread_core.futex_rla_len = 24
    for target in (X86_64, AARCH64):
        target.new_thread_info(core, pc=1, sp=2, tls=3, registers={}, fp=FloatingState(), clear_tid_addr=4)
        assert core.mtype == target.mtype
        assert core.HasField("thread_info") == (target is X86_64)
        assert core.HasField("ti_aarch64") == (target is AARCH64)
    assert not core.ti_aarch64.HasField("pac_keys")
    assert core.thread_core.futex_rla == 5


@BOTH
def test_what_belongs_to_a_processor_is_left_behind(machine: Isa) -> None:
    core = fresh(machine)
    assert not machine.leave_processor(core)
    if machine.processor_field is None:
        return
    getattr(machine.thread_info(core), machine.processor_field).SetInParent()
    assert machine.leave_processor(core)
    assert core == fresh(machine)


def test_values_of_the_kernel_for_a_new_x86_64_thread() -> None:
    info = fresh(X86_64).thread_info
    assert (info.gpregs.cs, info.gpregs.ss, info.gpregs.flags, info.gpregs.mode) == (0x33, 0x2B, 0x202, 1)
    assert info.gpregs.orig_ax == 2**64 - 1
    assert (info.fpregs.cwd, info.fpregs.mxcsr) == (0x37F, 0x1F80)
    assert [segment.entry_number for segment in info.tls] == [12, 13, 14]


def test_core_of_another_isa() -> None:
    with pytest.raises(ImageError, match="expected an aarch64 thread"):
        AARCH64.pc(fresh(X86_64))


def test_short_vector_registers() -> None:
    core = fresh(X86_64)
    del core.thread_info.fpregs.xmm_space[8:]
    with pytest.raises(ImageError, match="xmm_space has 8 elements, expected 12"):
        X86_64.read_register(core, 19)


# MXCSR, FPCR, FPSR as the manuals have them.
WORDS = [
    (FloatingState(), 0x1F80, 0, 0),
    (FloatingState(rounding=Rounding.DOWN), 0x3F80, 2 << 22, 0),
    (FloatingState(rounding=Rounding.UP), 0x5F80, 1 << 22, 0),
    (FloatingState(rounding=Rounding.ZERO), 0x7F80, 3 << 22, 0),
    (FloatingState(raised=FloatingException.INEXACT | FloatingException.INVALID), 0x1FA1, 0, 0x11),
    (FloatingState(raised=FloatingException.DENORMAL), 0x1F82, 0, 0x80),
    (FloatingState(trapped=FloatingException.DIVISION_BY_ZERO), 0x1D80, 0x200, 0),
    (FloatingState(flush_results=True, flush_operands=True), 0x9FC0, 1 << 24, 0),
]


@pytest.mark.parametrize(("state", "mxcsr", "fpcr", "fpsr"), WORDS)
def test_floating_state(state: FloatingState, mxcsr: int, fpcr: int, fpsr: int) -> None:
    x86 = fresh(X86_64, fp=state)
    assert x86.thread_info.fpregs.mxcsr == mxcsr
    assert X86_64.floating_state(x86) == state
    arm = fresh(AARCH64, fp=state)
    assert (arm.ti_aarch64.fpsimd.fpcr, arm.ti_aarch64.fpsimd.fpsr) == (fpcr, fpsr)
    assert AARCH64.floating_state(arm) == state


@given(
    st.sampled_from(Rounding),
    st.sets(st.sampled_from(FloatingException)),
    st.sets(st.sampled_from(FloatingException)),
    st.booleans(),
)
def test_floating_state_survives_a_round_trip(
    rounding: Rounding, raised: set[FloatingException], trapped: set[FloatingException], flush: bool
) -> None:
    none = FloatingException(0)
    state = FloatingState(rounding, sum_of(raised, none), sum_of(trapped, none), flush, flush)
    for machine in (X86_64, AARCH64, X86_64):
        state_there = machine.floating_state(fresh(machine, fp=state))
        assert state_there == state


def sum_of(flags: set[FloatingException], start: FloatingException) -> FloatingException:
    for flag in flags:
        start |= flag
    return start


def test_modes_that_only_one_isa_has() -> None:
    with pytest.raises(UnsupportedError, match="flushes subnormal results but not operands"):
        fresh(AARCH64, fp=FloatingState(flush_results=True))
    core = fresh(AARCH64)
    core.ti_aarch64.fpsimd.fpcr = 1 << 25
    with pytest.raises(UnsupportedError, match="default-NaN"):
        AARCH64.floating_state(core)


@pytest.mark.parametrize(
    ("x86_64", "aarch64"),
    # O_* of the two kernels' headers: DIRECTORY|CLOEXEC, NOFOLLOW, LARGEFILE|RDWR, DIRECT|APPEND, TMPFILE|WRONLY.
    [
        (0o2200000, 0o2040000),
        (0o400000, 0o100000),
        (0o100002, 0o400002),
        (0o42000, 0o202000),
        (0o20200001, 0o20040001),
    ],
)
def test_open_flags(x86_64: int, aarch64: int) -> None:
    assert X86_64.convert_open_flags(x86_64, AARCH64) == aarch64
    assert AARCH64.convert_open_flags(aarch64, X86_64) == x86_64
    assert X86_64.convert_open_flags(x86_64, X86_64) == x86_64


@given(st.integers(0, 2**32 - 1))
def test_open_flags_there_and_back(flags: int) -> None:
    assert AARCH64.convert_open_flags(X86_64.convert_open_flags(flags, AARCH64), X86_64) == flags


@pytest.mark.parametrize(
    ("result", "original", "expected"),
    [
        (-4, 35, True),  # as CRIU leaves nanosleep
        (-516, 35, True),  # as ptrace shows it
        (-4, -1, False),  # interrupted by a handler that has returned
        (-11, 0, False),  # EAGAIN: done
        (7, 0, False),
    ],
)
def test_must_restart_on_x86_64(result: int, original: int, expected: bool) -> None:
    core = fresh(X86_64, registers={0: result % 2**64})
    core.thread_info.gpregs.orig_ax = original % 2**64
    assert X86_64.must_restart(core) is expected


def test_aarch64_stands_at_the_trap_instead() -> None:
    assert not AARCH64.must_restart(fresh(AARCH64, registers={0: -4 % 2**64}))
