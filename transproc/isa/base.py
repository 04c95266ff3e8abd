# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the rest of transproc asks about an instruction set architecture.

`Isa` is a value, nearly all of it data; the functions work on a CRIU core message (`core-<tid>.img`) only
through the field names of the tables, so this package needs to know no message types. The ISA of the machine
that runs transproc is never asked: an image of either ISA can be read and written anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transproc.errors import ImageError, UnsupportedError
from transproc.isa.floating import FloatingFormat, FloatingState
from transproc.isa.messages import field_at, read_bytes, set_field, write_bytes

REGISTER_SIZE = 16
"""Bytes that `Isa.read_register` returns: the widest register that a stack map names."""


@dataclass(frozen=True)
class Register:
    """One machine register: its DWARF number and where a core message keeps it.

    `image_field` is a dotted path inside the ISA's thread information. Where that field is repeated, the
    register is `size / element_size` elements from `element` on. `callee_saved` follows the psABI; of
    aarch64's v8-v15 only the low 8 bytes are preserved by a callee.
    """

    name: str
    dwarf: int
    size: int
    image_field: str
    callee_saved: bool = False
    element: int | None = None
    element_size: int = 8


@dataclass(frozen=True)
class SystemCalls:
    """How a thread looks that was stopped by ptrace, and dumped by CRIU, while it was blocked in a system
    call.
    """

    result: int
    """DWARF number of the register that holds the result behind the trap."""
    original_field: str | None
    """Thread information field that is negative unless a call was under way; None where the kernel moves pc
    back itself.
    """
    restart_results: frozenset[int]
    """Results (signed) that, with `original_field` not negative, mean *interrupted, to be issued again*."""


@dataclass(frozen=True)
class Isa:
    """An instruction set architecture under the Linux kernel and its psABI.

    Each field says what breaks if it is wrong; what else a new one needs is listed in CONTRIBUTING.md. DWARF numbers are those of
    the ISA's own psABI, as in call-frame information and stack maps.
    """

    name: str
    machine: int
    """ELF e_machine."""
    mtype: int
    """`core_entry.mtype`; CRIU refuses to restore a core of another one ("Core march mismatch")."""
    thread_field: str
    """Field of `core_entry` that holds this ISA's registers."""
    registers: tuple[Register, ...]
    stack_pointer: int
    frame_pointer: int
    program_counter: str
    """Thread information field of the pc: it has no DWARF number that stack maps use."""
    tls_field: str
    """Thread information field of the thread pointer."""
    return_address: int | None
    """DWARF number of the link register; None where calls push the return address."""
    return_address_offset: int | None
    """Offset of the return address from the CFA where calls push it, else None."""
    integer_results: tuple[int, ...]
    floating_results: tuple[int, ...]
    record_register: int
    """Register in which the resume loop expects the innermost record (docs/format.md, section 5)."""
    fresh_thread: Mapping[str, Any]
    """Thread information of a thread that has done nothing: every field that CRIU requires, with nested
    messages as mappings.
    """
    floating: FloatingFormat
    system_calls: SystemCalls
    open_flags: Mapping[str, int]
    """The open(2) flags whose values differ between ISAs. Wrong: directories fail to restore, files change
    flags silently.
    """
    auxv_replaced: Mapping[int, int]
    """Auxiliary vector keys whose value belongs to a CPU, and the value of this ISA's baseline."""
    auxv_dropped: frozenset[int]
    """Auxiliary vector keys that must not survive a change of ISA."""
    auxv_words: int
    """Of `mm_saved_auxv`: CRIU refuses a longer one when it restores, so the transformer does before."""
    address_limit: int
    """First address that no mapping may reach."""
    zero_register: int | None = None
    """DWARF number with which LLVM's stack maps name a register that always reads as zero; where that is the stack
    pointer's, a value is never in the stack pointer itself (it would be a direct location). Wrong: such values
    become stack addresses.
    """
    page_size: int = 4096
    personality: int = 0
    processor_field: str | None = None
    """Thread information that only some processors have, and no program of ours uses: it is left behind in every move. Wrong: a
    program does not come up on a processor that lacks it.
    """

    def __post_init__(self) -> None:
        _validate(self)

    def register(self, dwarf: int) -> Register:
        """The register with a DWARF number; `UnsupportedError` if there is none that an image holds."""
        for register in self.registers:
            if register.dwarf == dwarf:
                return register
        raise UnsupportedError(f"{self.name} has no register with DWARF number {dwarf}")

    @property
    def general(self) -> frozenset[int]:
        """DWARF numbers of the general registers (8 bytes)."""
        return frozenset(register.dwarf for register in self.registers if register.size == 8)

    @property
    def vectors(self) -> frozenset[int]:
        """DWARF numbers of the vector registers (their low 16 bytes)."""
        return frozenset(register.dwarf for register in self.registers if register.size == 16)

    @property
    def callee_saved(self) -> frozenset[int]:
        """DWARF numbers of the registers that a call leaves as they are."""
        return frozenset(register.dwarf for register in self.registers if register.callee_saved)

    def thread_info(self, core: Any) -> Any:
        """This ISA's thread information in a core message; `ImageError` if the core is of another ISA."""
        if core.mtype != self.mtype or not core.HasField(self.thread_field):
            raise ImageError(
                f"core: expected an {self.name} thread (mtype {self.mtype}), found mtype {core.mtype}"
            )
        return getattr(core, self.thread_field)

    def read_register(self, core: Any, dwarf: int) -> bytes:
        """The 16 bytes of a register, zero-extended."""
        register = self.register(dwarf)
        data = read_bytes(
            self.thread_info(core),
            register.image_field,
            register.element,
            register.element_size,
            register.size,
        )
        return data.ljust(REGISTER_SIZE, b"\0")

    def read_general(self, core: Any, dwarf: int) -> int:
        """A general register as an unsigned integer."""
        return int.from_bytes(self.read_register(core, dwarf)[:8], "little")

    def pc(self, core: Any) -> int:
        """The program counter."""
        return int(field_at(self.thread_info(core), self.program_counter))

    def sp(self, core: Any) -> int:
        """The stack pointer."""
        return self.read_general(core, self.stack_pointer)

    def tls(self, core: Any) -> int:
        """The thread pointer."""
        return int(field_at(self.thread_info(core), self.tls_field))

    def floating_state(self, core: Any) -> FloatingState:
        """Floating-point modes and flags in neutral form; `UnsupportedError` for modes that only this ISA
        has.
        """
        return self.floating.read(self.thread_info(core))

    def new_thread_info(
        self,
        core: Any,
        *,
        pc: int,
        sp: int,
        tls: int,
        registers: Mapping[int, int],
        fp: FloatingState,
        clear_tid_addr: int,
    ) -> None:
        """Makes `core` a thread of this ISA: whatever thread information it had is replaced.

        `registers` maps DWARF numbers to values; all others are zero. The rest of the core stays as it is.
        """
        for field, _ in core.ListFields():
            if field.name == "thread_info" or field.name.startswith("ti_"):
                core.ClearField(field.name)
        core.mtype = self.mtype
        info = getattr(core, self.thread_field)
        info.MergeFrom(type(info)(**self.fresh_thread))
        info.clear_tid_addr = clear_tid_addr
        set_field(info, self.program_counter, pc)
        set_field(info, self.tls_field, tls)
        for dwarf, value in {**registers, self.stack_pointer: sp}.items():
            self._write_register(info, dwarf, value)
        self.floating.write(info, fp)

    def leave_processor(self, core: Any) -> bool:
        """Takes out of a core of this ISA what is left behind also in a move within it; whether there was something."""
        info = self.thread_info(core)
        if self.processor_field is None or not info.HasField(self.processor_field):
            return False
        info.ClearField(self.processor_field)
        return True

    def _write_register(self, info: Any, dwarf: int, value: int) -> None:
        register = self.register(dwarf)
        data = value.to_bytes(register.size, "little")
        write_bytes(info, register.image_field, register.element, register.element_size, data)

    def must_restart(self, core: Any) -> bool:
        """Whether a thread that stands *behind* the trap of a system call must issue it again.

        At the trap itself the answer is always yes and need not be asked. x86_64: after a restart-block call
        (nanosleep, poll or futex with a time-out) CRIU stores -EINTR and leaves the pc behind the trap
        (compel/arch/x86/src/lib/infect.c); the number of the call is then still in orig_ax. A call that a
        signal handler really interrupted went through rt_sigreturn, which sets orig_ax to -1. aarch64: the
        kernel itself moves pc back to the trap before a tracer looks (arch/arm64/kernel/signal.c, do_signal).
        """
        calls = self.system_calls
        if calls.original_field is None:
            return False
        if _signed(int(field_at(self.thread_info(core), calls.original_field))) < 0:
            return False
        return _signed(self.read_general(core, calls.result)) in calls.restart_results

    def convert_open_flags(self, flags: int, target: Isa) -> int:
        """Open flags of this ISA's kernel as those of `target`'s; all other bits are equal on both."""
        known = 0
        converted = 0
        for name, bit in self.open_flags.items():
            known |= bit
            converted |= target.open_flags[name] if flags & bit else 0
        return flags & ~known | converted


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _validate(isa: Isa) -> None:
    """Catches a slip in a table when it is imported, not at somebody's migration."""
    numbers = [register.dwarf for register in isa.registers]
    names = [register.name for register in isa.registers]
    problems = [
        (len(set(numbers)) != len(numbers), "two registers have one DWARF number"),
        (len(set(names)) != len(names), "two registers have one name"),
        (
            any(register.size not in (8, 16) for register in isa.registers),
            "a register has neither 8 nor 16 bytes",
        ),
        (not set(isa.integer_results) <= isa.general, "an integer result is not in a general register"),
        (not set(isa.floating_results) <= isa.vectors, "a floating-point result is not in a vector register"),
        (
            isa.record_register not in isa.general & isa.callee_saved,
            "the record register is not callee-saved",
        ),
        (not {isa.stack_pointer, isa.frame_pointer} <= isa.general, "stack or frame pointer is not general"),
        (
            (isa.return_address is None) == (isa.return_address_offset is None),
            "return address: register or slot",
        ),
        (
            isa.return_address is not None and isa.return_address not in isa.general,
            "link register is not general",
        ),
        (isa.system_calls.result not in isa.general, "a call's result is not in a general register"),
        (isa.page_size & isa.page_size - 1 != 0, "the page size is no power of two"),
        (bool(isa.auxv_dropped & set(isa.auxv_replaced)), "an auxv key is both dropped and replaced"),
        (any(flag & flag - 1 for flag in isa.open_flags.values()), "an open flag is not one bit"),
    ]
    for wrong, message in problems:
        if wrong:
            raise ValueError(f"isa table of {isa.name}: {message}")
