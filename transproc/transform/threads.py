# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One thread: from the source's registers and stack to resume records and the target's registers."""

from __future__ import annotations

from dataclasses import dataclass

from transproc.binary.pair import Binary
from transproc.errors import TransformError, UnsupportedError
from transproc.images.proto.core_pb2 import CoreEntry
from transproc.isa import ALL, Isa
from transproc.transform import guards, timers
from transproc.transform.process_memory import ProcessMemory
from transproc.transform.records import Chain, ChainBuilder
from transproc.transform.unwind import Stack, Walker

STACK_RESERVE = 16 * 1024
"""Bytes of stack that must remain for the resumed program to run in at all."""
MINIMAL_SIGNAL_STACK = 5120
"""MINSIGSTKSZ of aarch64 (arch/arm64/include/uapi/asm/signal.h): a smaller alternate stack is lost there without a word."""


@dataclass(frozen=True)
class Thread:
    """A thread that was read: what its core needs, and its records."""

    tid: int
    core: CoreEntry
    chain: Chain
    blocked: bool


def read_stack(core: CoreEntry, isa: Isa, walker: Walker) -> Stack:
    """Walks a dumped thread. Raises `TransformError` if it does not stand at an equivalence point."""
    registers = {r.dwarf: int.from_bytes(isa.read_register(core, r.dwarf), "little") for r in isa.registers}
    stack = walker.walk(isa.pc(core), registers)
    if stack.system_call is not None and not is_blocked(core, isa, walker):
        raise TransformError("thread stands behind a finished system call, which is no equivalence point")
    return stack


def is_blocked(core: CoreEntry, isa: Isa, walker: Walker) -> bool:
    """A thread in the system-call leaf stands at the trap, or behind it with a result that means *issue again*."""
    return walker.at_trap(isa.pc(core)) or isa.must_restart(core)


def read(core: CoreEntry, tid: int, source: Binary, target: Binary, memory: ProcessMemory) -> Thread:
    """Reads a thread of the source. Raises `UnsupportedError` for what the target cannot take over."""
    _refuse(core, tid, target)
    walker = Walker(source.index, source.isa, memory.read)
    stack = read_stack(core, source.isa, walker)
    chain = ChainBuilder(source.index, source.isa, walker).build(stack)
    _check_room(chain, tid, memory)
    return Thread(tid, core, chain, stack.system_call is not None)


def resume(thread: Thread, innermost: int, source: Binary, target: Binary, memory: ProcessMemory) -> None:
    """Makes the core a thread of the target that starts in the resume loop with the record at `innermost`."""
    core = thread.core
    pointer = thread_block(core, source, memory) + _pointer_offset(source, target.isa, memory)
    target.isa.new_thread_info(
        core,
        pc=target.index.loop,
        sp=thread.chain.base,
        tls=pointer & (1 << 64) - 1,
        registers={target.isa.record_register: innermost},
        fp=source.isa.floating_state(core),
        clear_tid_addr=source.isa.thread_info(core).clear_tid_addr,
    )
    timers.keep_process(core)
    guards.lift(core)
    if core.HasField("tc"):
        core.tc.personality = target.isa.personality


def thread_block(core: CoreEntry, binary: Binary, memory: ProcessMemory) -> int:
    """Address of the `struct pthread` of a thread that runs this binary."""
    return (binary.isa.tls(core) - _pointer_offset(binary, binary.isa, memory)) & (1 << 64) - 1


def _pointer_offset(binary: Binary, isa: Isa, memory: ProcessMemory) -> int:
    """From a thread's block to what its thread pointer is on an ISA: `__transproc_tp_offset` has a word for each, in the order
    of `ALL` (docs/format.md, section 5)."""
    words = memory.u64s(binary.index.tp_offset, len(ALL))
    return words[[known.name for known in ALL].index(isa.name)]


def _refuse(core: CoreEntry, tid: int, target: Binary) -> None:
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


def _check_room(chain: Chain, tid: int, memory: ProcessMemory) -> None:
    """Below all that the frames own there must be stack left to run on."""
    floor = memory.floor(chain.base - 1)
    if floor is None or chain.base - STACK_RESERVE < floor:
        raise UnsupportedError(
            f"thread {tid} has too little stack left to be resumed below its {chain.frames} frames",
            hint="migrate at another moment, or give the program a larger stack (ulimit -s, pthread_attr_setstacksize)",
        )
