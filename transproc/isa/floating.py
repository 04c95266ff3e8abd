# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Floating-point control and status in a form that belongs to no ISA.

x86_64 keeps everything in MXCSR (Intel SDM volume 1, 10.2.3), aarch64 in FPCR and FPSR (Arm ARM, C5.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, Flag, auto
from typing import Any

from transproc.errors import UnsupportedError
from transproc.isa.messages import field_at, set_field


class Rounding(Enum):
    """IEEE 754 rounding directions."""

    NEAREST = auto()
    UP = auto()
    DOWN = auto()
    ZERO = auto()


class FloatingException(Flag):
    """IEEE 754 exceptions, and the *denormal operand* that both ISAs add."""

    INVALID = auto()
    DENORMAL = auto()
    DIVISION_BY_ZERO = auto()
    OVERFLOW = auto()
    UNDERFLOW = auto()
    INEXACT = auto()


NO_EXCEPTION = FloatingException(0)


@dataclass(frozen=True)
class FloatingState:
    """Control and status; the default is the state in which the kernel starts a program."""

    rounding: Rounding = Rounding.NEAREST
    raised: FloatingException = NO_EXCEPTION
    trapped: FloatingException = NO_EXCEPTION
    """Exceptions that raise SIGFPE."""
    flush_results: bool = False
    """Subnormal results become zero."""
    flush_operands: bool = False
    """Subnormal operands count as zero."""


@dataclass(frozen=True)
class FloatingFormat:
    """Where an ISA keeps the parts of a `FloatingState`, as masks of two fields of its thread information."""

    control_field: str
    status_field: str
    """The same as `control_field` on x86_64."""
    rounding_shift: int
    rounding: tuple[Rounding, Rounding, Rounding, Rounding]
    """Directions in the order of their two-bit codes."""
    raised: Mapping[FloatingException, int]
    traps: Mapping[FloatingException, int]
    traps_are_masks: bool
    """A set bit *masks* the exception (x86_64) or *enables* its trap (aarch64)."""
    flush_results: int
    flush_operands: int
    """Equal to `flush_results` where one bit does both; then the two can only be set together."""
    default_nan: int
    """Bit that replaces every NaN by the default one: a mode without counterpart; 0 where there is none."""

    def read(self, info: Any) -> FloatingState:
        """The state in a thread's information; `UnsupportedError` for a mode that the neutral form lacks."""
        control = int(field_at(info, self.control_field))
        status = int(field_at(info, self.status_field))
        if control & self.default_nan:
            raise UnsupportedError("a thread computes in default-NaN mode, which only aarch64 has")
        trap_bits = ~control if self.traps_are_masks else control
        return FloatingState(
            rounding=self.rounding[control >> self.rounding_shift & 3],
            raised=_exceptions(status, self.raised),
            trapped=_exceptions(trap_bits, self.traps),
            flush_results=bool(control & self.flush_results),
            flush_operands=bool(control & self.flush_operands),
        )

    def write(self, info: Any, state: FloatingState) -> None:
        """Stores a state; `UnsupportedError` if this ISA cannot represent it."""
        if self.flush_results == self.flush_operands and state.flush_results != state.flush_operands:
            raise UnsupportedError(
                "a thread flushes subnormal results but not operands (or the reverse), which aarch64 lacks"
            )
        control = self.rounding.index(state.rounding) << self.rounding_shift
        traps = ~state.trapped if self.traps_are_masks else state.trapped
        control |= _bits(traps, self.traps)
        control |= self.flush_results if state.flush_results else 0
        control |= self.flush_operands if state.flush_operands else 0
        status = _bits(state.raised, self.raised)
        if self.status_field == self.control_field:
            control |= status
        else:
            set_field(info, self.status_field, status)
        set_field(info, self.control_field, control)


def _exceptions(word: int, table: Mapping[FloatingException, int]) -> FloatingException:
    found = NO_EXCEPTION
    for exception, bit in table.items():
        found |= exception if word & bit else NO_EXCEPTION
    return found


def _bits(exceptions: FloatingException, table: Mapping[FloatingException, int]) -> int:
    return sum(bit for exception, bit in table.items() if exception in exceptions)
