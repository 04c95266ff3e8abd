# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""aarch64: AAPCS64 and AADWARF64 2023Q3 (registers: section 4.1), Linux uapi headers, CRIU's core image."""

from __future__ import annotations

from types import MappingProxyType

from transproc.isa.base import Isa, Register, SystemCalls
from transproc.isa.floating import FloatingException as Fpe
from transproc.isa.floating import FloatingFormat, Rounding

_FP, _LR, _SP, _V0 = 29, 30, 31, 64

# Bit of an exception's flag in FPSR; its trap enable in FPCR lies 8 higher.
_EXCEPTION_BITS = {
    Fpe.INVALID: 0,
    Fpe.DIVISION_BY_ZERO: 1,
    Fpe.OVERFLOW: 2,
    Fpe.UNDERFLOW: 3,
    Fpe.INEXACT: 4,
    Fpe.DENORMAL: 7,
}


def _registers() -> tuple[Register, ...]:
    general = [
        Register(f"x{n}", n, 8, "gpregs.regs", callee_saved=19 <= n <= _FP, element=n) for n in range(_LR + 1)
    ]
    vectors = [
        Register(f"v{n}", _V0 + n, 16, "fpsimd.vregs", callee_saved=8 <= n <= 15, element=2 * n)
        for n in range(32)
    ]
    return (*general, Register("sp", _SP, 8, "gpregs.sp", callee_saved=True), *vectors)


AARCH64 = Isa(
    name="aarch64",
    machine=183,
    mtype=3,
    thread_field="ti_aarch64",
    registers=_registers(),
    stack_pointer=_SP,
    frame_pointer=_FP,
    program_counter="gpregs.pc",
    tls_field="tls",
    return_address=_LR,
    return_address_offset=None,
    integer_results=(0, 1),
    floating_results=(_V0, _V0 + 1),
    record_register=19,
    # Without pac_keys: see processor_field.
    fresh_thread=MappingProxyType(
        {
            "clear_tid_addr": 0,
            "tls": 0,
            "gpregs": {"regs": [0] * 31, "sp": 0, "pc": 0, "pstate": 0},
            "fpsimd": {"vregs": [0] * 64, "fpsr": 0, "fpcr": 0},
        }
    ),
    floating=FloatingFormat(
        control_field="fpsimd.fpcr",
        status_field="fpsimd.fpsr",
        rounding_shift=22,
        rounding=(Rounding.NEAREST, Rounding.UP, Rounding.DOWN, Rounding.ZERO),
        raised=MappingProxyType({exception: 1 << bit for exception, bit in _EXCEPTION_BITS.items()}),
        traps=MappingProxyType({exception: 1 << bit + 8 for exception, bit in _EXCEPTION_BITS.items()}),
        traps_are_masks=False,
        flush_results=1 << 24,
        flush_operands=1 << 24,
        default_nan=1 << 25,
    ),
    system_calls=SystemCalls(
        result=0,
        original_field=None,
        restart_results=frozenset(),
    ),
    # arch/arm64/include/uapi/asm/fcntl.h
    open_flags=MappingProxyType(
        {"O_DIRECT": 0o200000, "O_LARGEFILE": 0o400000, "O_DIRECTORY": 0o40000, "O_NOFOLLOW": 0o100000}
    ),
    zero_register=31,  # AArch64RegisterInfo.td: WZR is a DwarfRegAlias of WSP
    # AT_HWCAP: HWCAP_FP and HWCAP_ASIMD, which every Linux aarch64 has; AT_HWCAP2 to 4: nothing optional.
    auxv_replaced=MappingProxyType({16: 0x3, 26: 0, 29: 0, 30: 0}),
    # AT_SYSINFO_EHDR: the vDSO. AT_MINSIGSTKSZ: its absence makes libc use its own constant.
    auxv_dropped=frozenset({33, 51}),
    auxv_words=50,  # CRIU 4.1: criu/arch/aarch64/include/asm/types.h, AT_VECTOR_SIZE
    address_limit=1 << 48,
    # Pointer authentication: criu 4.1.1 hangs when it restores the keys; by its code it refuses them on a processor without.
    processor_field="pac_keys",
    personality=0x0200000,  # ADDR_COMPAT_LAYOUT: what the process executes stays below x86_64's limit
)
