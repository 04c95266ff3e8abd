# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""x86_64: System V ABI, AMD64 supplement 1.0 (registers: figures 3.4 and 3.36), Linux uapi headers, CRIU's
core image.
"""

from __future__ import annotations

from types import MappingProxyType

from transproc.isa.base import Isa, Register, SystemCalls
from transproc.isa.floating import FloatingException as Fpe
from transproc.isa.floating import FloatingFormat, Rounding

# In the order of their DWARF numbers 0-15; CRIU names them as the kernel's struct pt_regs does.
_GENERAL = [
    "ax",
    "dx",
    "cx",
    "bx",
    "si",
    "di",
    "bp",
    "sp",
    "r8",
    "r9",
    "r10",
    "r11",
    "r12",
    "r13",
    "r14",
    "r15",
]
_CALLEE_SAVED = frozenset(["bx", "bp", "sp", "r12", "r13", "r14", "r15"])

_RAX, _RDX, _RBX, _RBP, _RSP, _XMM0 = 0, 1, 3, 6, 7, 17

_MXCSR_DEFAULT = 0x1F80  # all exceptions masked, round to nearest

_EINTR, _ERESTARTSYS, _ERESTARTNOINTR, _ERESTARTNOHAND, _ERESTART_RESTARTBLOCK = 4, 512, 513, 514, 516

_TLS_SEGMENT = {
    "base_addr": 0,
    "limit": 0,
    "seg_32bit": False,
    "contents_h": False,
    "contents_l": False,
    "read_exec_only": True,
    "limit_in_pages": False,
    "seg_not_present": True,
    "usable": False,
}

_EXCEPTIONS = (Fpe.INVALID, Fpe.DENORMAL, Fpe.DIVISION_BY_ZERO, Fpe.OVERFLOW, Fpe.UNDERFLOW, Fpe.INEXACT)


def _registers() -> tuple[Register, ...]:
    general = [
        Register(
            name=name if name.startswith("r") else f"r{name}",
            dwarf=number,
            size=8,
            image_field=f"gpregs.{name}",
            callee_saved=name in _CALLEE_SAVED,
        )
        for number, name in enumerate(_GENERAL)
    ]
    vectors = [
        Register(f"xmm{n}", _XMM0 + n, 16, "fpregs.xmm_space", element=4 * n, element_size=4)
        for n in range(16)
    ]
    return (*general, *vectors)


X86_64 = Isa(
    name="x86_64",
    machine=62,
    mtype=1,
    thread_field="thread_info",
    registers=_registers(),
    stack_pointer=_RSP,
    frame_pointer=_RBP,
    program_counter="gpregs.ip",
    tls_field="gpregs.fs_base",
    return_address=None,
    return_address_offset=-8,
    integer_results=(_RAX, _RDX),
    floating_results=(_XMM0, _XMM0 + 1),
    record_register=_RBX,
    fresh_thread=MappingProxyType(
        {
            "clear_tid_addr": 0,
            "gpregs": {
                **dict.fromkeys(_GENERAL, 0),
                **dict.fromkeys(("ip", "fs_base", "gs_base", "ds", "es", "fs", "gs"), 0),
                "orig_ax": (1 << 64) - 1,  # no system call under way
                "cs": 0x33,  # __USER_CS, asm/segment.h
                "ss": 0x2B,  # __USER_DS
                "flags": 0x202,  # interrupts enabled, and the bit that is always set
                "mode": 1,  # 64-bit
            },
            # Without the xsave part CRIU restores the extended state (AVX and so on) as initial, on any CPU.
            "fpregs": {
                "cwd": 0x37F,  # FNINIT
                **dict.fromkeys(("swd", "twd", "fop", "rip", "rdp"), 0),
                "mxcsr": _MXCSR_DEFAULT,
                "mxcsr_mask": 0xFFFF,
                "st_space": [0] * 32,
                "xmm_space": [0] * 64,
            },
            # GDT_ENTRY_TLS_MIN to _MAX: empty descriptors of set_thread_area.
            "tls": [{"entry_number": number, **_TLS_SEGMENT} for number in (12, 13, 14)],
        }
    ),
    floating=FloatingFormat(
        control_field="fpregs.mxcsr",
        status_field="fpregs.mxcsr",
        rounding_shift=13,
        rounding=(Rounding.NEAREST, Rounding.DOWN, Rounding.UP, Rounding.ZERO),
        raised=MappingProxyType({exception: 1 << bit for bit, exception in enumerate(_EXCEPTIONS)}),
        traps=MappingProxyType({exception: 1 << 7 + bit for bit, exception in enumerate(_EXCEPTIONS)}),
        traps_are_masks=True,
        flush_results=1 << 15,
        flush_operands=1 << 6,
        default_nan=0,
    ),
    system_calls=SystemCalls(
        result=_RAX,
        original_field="gpregs.orig_ax",
        restart_results=frozenset(
            -code for code in (_EINTR, _ERESTARTSYS, _ERESTARTNOINTR, _ERESTARTNOHAND, _ERESTART_RESTARTBLOCK)
        ),
    ),
    # include/uapi/asm-generic/fcntl.h
    open_flags=MappingProxyType(
        {"O_DIRECT": 0o40000, "O_LARGEFILE": 0o100000, "O_DIRECTORY": 0o200000, "O_NOFOLLOW": 0o400000}
    ),
    # AT_HWCAP is CPUID.1:EDX; the psABI's baseline: FPU CX8 CMOV MMX FXSR SSE SSE2. AT_HWCAP2: ring3mwait,
    # fsgsbase.
    auxv_replaced=MappingProxyType({16: 0x0780_8101, 26: 0, 29: 0, 30: 0}),
    # AT_SYSINFO_EHDR: the vDSO. AT_MINSIGSTKSZ: its absence makes libc use its own constant.
    auxv_dropped=frozenset({33, 51}),
    auxv_words=44,  # CRIU 4.1: criu/arch/x86/include/asm/types.h, AT_VECTOR_SIZE
    address_limit=(1 << 47) - 4096,
)
