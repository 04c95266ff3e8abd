"""One thread: from the source's registers and stack to resume records and the target's registers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transproc.binary.pair import Binary
from transproc.errors import TransformError, UnsupportedError
from transproc.isa import ALL, Isa
from transproc.transform.address_space import ProcessMemory
from transproc.transform.frames import NewRecord, RecordWriter, Resumption
from transproc.transform.unwind import Stack, Walker

STACK_RESERVE = 16 * 1024
"""Bytes that must remain below the records for the resumed program to run in at all."""
MINIMAL_SIGNAL_STACK = 5120
"""MINSIGSTKSZ of aarch64 (arch/arm64/include/uapi/asm/signal.h): a smaller alternate stack is lost there without a word."""


@dataclass(frozen=True)
class Resumed:
    """What became of a thread."""

    tid: int
    frames: int
    values: int
    records: list[NewRecord]
    blocked: bool


def read_stack(core: Any, isa: Isa, walker: Walker) -> Stack:
    """Walks a dumped thread. Raises `TransformError` if it does not stand at an equivalence point."""
    registers = {r.dwarf: int.from_bytes(isa.read_register(core, r.dwarf), "little") for r in isa.registers}
    stack = walker.walk(isa.pc(core), registers)
    if stack.system_call is not None and not is_blocked(core, isa, walker):
        raise TransformError("thread stands behind a finished system call, which is no equivalence point")
    return stack


def is_blocked(core: Any, isa: Isa, walker: Walker) -> bool:
    """A thread in the system-call leaf stands at the trap, or behind it with a result that means *issue again*."""
    return walker.at_trap(isa.pc(core)) or isa.must_restart(core)


def resume(core: Any, tid: int, source: Binary, target: Binary, memory: ProcessMemory) -> Resumed:
    """Makes `core` a thread of the target that continues where the source stood; returns the records to be written."""
    _refuse(core, tid, target)
    walker = Walker(source.index, source.isa, memory.read)
    stack = read_stack(core, source.isa, walker)
    resumption = RecordWriter(source.index, source.isa, walker).write(stack)
    _check_room(resumption, tid, memory)
    # __transproc_tp_offset has a word for each ISA, in the order of `ALL` (docs/format.md, section 5).
    offset = dict(zip((isa.name for isa in ALL), memory.u64s(source.index.tp_offset, len(ALL)), strict=True))
    pointer = source.isa.tls(core) - offset[source.isa.name] + offset[target.isa.name]
    target.isa.new_thread_info(
        core,
        pc=target.index.loop,
        sp=resumption.innermost,
        tls=pointer & (1 << 64) - 1,
        registers={target.isa.record_register: resumption.innermost},
        fp=source.isa.floating_state(core),
        clear_tid_addr=source.isa.thread_info(core).clear_tid_addr,
    )
    if core.HasField("tc"):
        core.tc.personality = target.isa.personality
    blocked = stack.system_call is not None
    return Resumed(tid, len(stack.frames), resumption.values, resumption.records, blocked)


def _refuse(core: Any, tid: int, target: Binary) -> None:
    thread = core.thread_core
    if thread.seccomp_mode or (core.HasField("tc") and core.tc.old_seccomp_mode):
        raise UnsupportedError(
            f"thread {tid} has a seccomp filter, which is bound to one ISA's system-call numbers",
            hint="start the program without the filter",
        )
    if thread.rseq_entry.rseq_abi_pointer:
        raise UnsupportedError(
            f"thread {tid} has registered a restartable sequence, which is code of one ISA"
        )
    thread.ClearField("rseq_entry")
    if (
        thread.HasField("sas")
        and 0 < thread.sas.ss_size < MINIMAL_SIGNAL_STACK
        and not thread.sas.ss_flags & 2
    ):
        raise UnsupportedError(
            f"thread {tid} has an alternate signal stack of {thread.sas.ss_size} bytes, "
            f"{target.isa.name} needs {MINIMAL_SIGNAL_STACK}",
            hint="use SIGSTKSZ from <signal.h>",
        )


def _check_room(resumption: Resumption, tid: int, memory: ProcessMemory) -> None:
    """The records must lie in the stack's mapping, with room below them."""
    vma = memory.vma(resumption.records[0].address)
    if vma is None or resumption.innermost - STACK_RESERVE < vma.start:
        raise UnsupportedError(
            f"thread {tid} has too little stack left for {len(resumption.records)} resume records",
            hint="migrate at another moment, or give the program a larger stack (ulimit -s, pthread_attr_setstacksize)",
        )
