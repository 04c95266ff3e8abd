# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The address space of a process, as the target's kernel and binary want it.

What changes: the executable's mappings (from the target's PT_LOADs), the kernel's own mappings (vDSO and the like: gone; libc
never caches their addresses), the initial stack (gone: the start code moved to one of its own), and the auxiliary
vector. Field numbers and flags: CRIU's images/mm.proto and images/vma.proto, criu/include/image.h.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from transproc.binary.elf import PAGE, PF_W, Segment
from transproc.binary.pair import Binary
from transproc.errors import TransformError, UnsupportedError
from transproc.images.flags import VmaStatus
from transproc.images.proto.memory_pb2 import MemoryMap, Vma
from transproc.transform.process_memory import MAP_GROWSDOWN, ProcessMemory, is_executable_mapping

KERNEL_OWNED = VmaStatus.VSYSCALL | VmaStatus.VDSO | VmaStatus.VVAR | VmaStatus.SHADOW_STACK | VmaStatus.STACK
MAP_PRIVATE, MAP_ANONYMOUS = 0x02, 0x20
PROT_READ, PROT_WRITE = 1, 2
RECORDS_DISTANCE = 1 << 20
"""Bytes between the records and other mappings, so that the kernel does not merge them soon."""
AT_NULL, AT_PHDR, AT_PHNUM, AT_ENTRY = 0, 3, 5, 9

RSEQ_KEYS = (27, 28)
"""AT_RSEQ_FEATURE_SIZE, AT_RSEQ_ALIGN: what one kernel offers; libc does not use it."""
ARGS_WORDS = 11
"""Words of `__transproc_args` (runtime/include/transproc/args.h)."""
STACK_END, RECORDS, MOVES = 6, 7, 10
"""Words of it: the end of the main stack; where the mapping of resume records begins; how often the job has moved."""


@dataclass(frozen=True)
class Range:
    """[start, end)"""

    start: int
    end: int

    def __contains__(self, address: object) -> bool:
        return isinstance(address, int) and self.start <= address < self.end


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuilt address space means for the pages: ranges whose pages are dropped."""

    dropped: list[Range]


def check_limits(mm: MemoryMap, limit: int, target: str) -> None:
    """Refuses mappings beyond the target's address limit; what the kernel owns is not kept, so it does not count."""
    for vma in mm.vmas:
        if vma.end > limit and not vma.status & KERNEL_OWNED and not vma.flags & MAP_GROWSDOWN:
            raise UnsupportedError(
                f"mapping {vma.start:#x}-{vma.end:#x} lies beyond {target}'s address limit {limit:#x}",
                hint="start the program with 'transproc run', which keeps its mappings low",
            )


def rebuild(mm: MemoryMap, memory: ProcessMemory, source: Binary, target: Binary) -> Rebuilt:
    """Changes `mm` in place."""
    common = _common_data(source)
    words = memory.u64s(source.index.args, ARGS_WORDS)
    records = Range(*words[RECORDS : RECORDS + 2])
    kept: list[Vma] = []
    dropped, template = [records], None
    for vma in _without(mm.vmas, records):
        executable = is_executable_mapping(vma, mm.exe_file_id)
        template = vma if executable and template is None else template
        initial_stack = vma.flags & MAP_GROWSDOWN and not vma.start < words[STACK_END] <= vma.end
        per_isa = executable and not (vma.start in common and vma.prot & PROT_WRITE)
        if vma.status & KERNEL_OWNED or initial_stack or per_isa or _in_isa_part(vma, source):
            dropped.append(Range(vma.start, vma.end))
        else:
            kept.append(vma)
    if template is None:
        raise TransformError("the process maps nothing of its executable")
    for vma in kept:
        if is_executable_mapping(vma, mm.exe_file_id):
            vma.pgoff = _file_offset(target, vma.start)
    added = [_mapping(template, s) for s in target.elf.segments if not (s.flags & PF_W and s.start in common)]
    added += [
        _zeros(s)
        for s in target.elf.segments
        if s.flags & PF_W and s.start not in common and s.end > s.file_end
    ]
    added = [vma for vma in added if vma.end > vma.start]
    messages = sorted((_copy(vma) for vma in [*kept, *added]), key=lambda v: v.start)
    _check_disjoint(messages)
    del mm.vmas[:]
    mm.vmas.extend(messages)
    _arguments(mm, memory, source, target)
    return Rebuilt(dropped)


def _common_data(binary: Binary) -> Range:
    """The writable part that is equal in both binaries, from its first page to the end of .bss."""
    found = [s for s in binary.elf.segments if s.flags & PF_W and s.start >= binary.index.text_start]
    if not found:
        return Range(0, 0)
    return Range(found[0].start, found[-1].end)


def _in_isa_part(vma: Vma, binary: Binary) -> bool:
    """Anonymous pages of the per-ISA part's .bss."""
    low = [s for s in binary.elf.segments if s.start < binary.index.text_start & -PAGE]
    return any(s.start <= vma.start and vma.end <= s.end for s in low)


def _file_offset(binary: Binary, address: int) -> int:
    for segment in binary.elf.segments:
        if segment.start <= address < segment.file_end:
            return segment.page_offset + address - segment.start
    raise TransformError(f"the target binary has no file page at {address:#x}")


def _copy(vma: Vma) -> Vma:
    copy = Vma()
    copy.CopyFrom(vma)
    return copy


def _mapping(template: Vma, segment: Segment) -> Vma:
    """A mapping of the target's file like one of the source's."""
    vma = _copy(template)
    vma.start, vma.end, vma.pgoff, vma.prot = (
        segment.start,
        segment.file_end,
        segment.page_offset,
        segment.protection,
    )
    return vma


def _zeros(segment: Segment) -> Vma:
    """The anonymous tail of a writable per-ISA segment."""
    return _anonymous(segment.file_end, segment.end, segment.protection)


def _anonymous(start: int, end: int, protection: int) -> Vma:
    return Vma(
        start=start,
        end=end,
        pgoff=0,
        shmid=0,
        prot=protection,
        flags=MAP_PRIVATE | MAP_ANONYMOUS,
        status=VmaStatus.REGULAR | VmaStatus.ANON_PRIVATE,
        fd=-1,
    )


def _check_disjoint(vmas: list[Vma]) -> None:
    for low, high in pairwise(vmas):
        if low.end > high.start:
            raise TransformError(
                f"mapping {high.start:#x}-{high.end:#x} overlaps {low.start:#x}-{low.end:#x}"
            )


def _without(vmas: Iterable[Vma], hole: Range) -> Iterator[Vma]:
    """All mappings, less what lies in `hole`: the kernel may have merged the old records with their neighbours."""
    for vma in vmas:
        if vma.end <= hole.start or vma.start >= hole.end:
            yield vma
            continue
        for start, end in ((vma.start, hole.start), (hole.end, vma.end)):
            if start < end:
                part = _copy(vma)
                part.start, part.end = start, end
                yield part


def add_records(mm: MemoryMap, size: int, limit: int) -> int:
    """Adds a mapping of `size` bytes for resume records, in the highest gap with room around it; returns its address."""
    length = (size + PAGE - 1) & -PAGE
    high: int = min(mm.vmas[-1].start, limit & -PAGE)
    for vma in reversed(mm.vmas[:-1]):
        if vma.end + length + 2 * RECORDS_DISTANCE <= high:
            break
        high = min(high, vma.start)
    start = high - RECORDS_DISTANCE - length
    mm.vmas.append(_anonymous(start, start + length, PROT_READ | PROT_WRITE))
    mm.vmas.sort(key=lambda v: v.start)
    return start


def note_records(memory: ProcessMemory, source: Binary, start: int, size: int) -> dict[int, int]:
    """Words by address: those of `__transproc_args`, with the new mapping of resume records, and one more migration counted."""
    *_, migrations, moves = memory.u64s(source.index.args, ARGS_WORDS)
    end = start + (size + PAGE - 1 & -PAGE)
    values = [start, end, migrations + 1, moves + 1]
    return {source.index.args + 8 * (RECORDS + i): value for i, value in enumerate(values)}


def note_move(memory: ProcessMemory, binary: Binary) -> dict[int, int]:
    """The same for a process that stays on its ISA: of all that, only the moves are counted."""
    moves = memory.u64s(binary.index.args, ARGS_WORDS)[MOVES]
    return {binary.index.args + 8 * MOVES: moves + 1}


def _arguments(mm: MemoryMap, memory: ProcessMemory, source: Binary, target: Binary) -> None:
    """Points /proc/PID/cmdline and the like at the start code's copies, and corrects the auxiliary vector."""
    words = memory.u64s(source.index.args, ARGS_WORDS)
    if not (words[0] <= words[1] and words[2] <= words[3] and words[6] >= 16):
        raise TransformError(
            f"the start code's notes at {source.index.args:#x} are damaged, or it has not run yet"
        )
    mm.mm_arg_start, mm.mm_arg_end, mm.mm_env_start, mm.mm_env_end = words[:4]
    mm.mm_start_stack = words[6] - 16
    replaced = {**target.isa.auxv_replaced, AT_ENTRY: target.elf.entry, AT_PHNUM: target.elf.program_headers}
    pairs = []
    for key, value in zip(mm.mm_saved_auxv[0::2], mm.mm_saved_auxv[1::2], strict=False):
        if key == AT_NULL:
            break
        # A key that is absent reads as 0 (getauxval), and CRIU takes only so many words: zeros need not be there.
        if key not in target.isa.auxv_dropped and key not in RSEQ_KEYS and replaced.get(key, value):
            pairs += [key, replaced.get(key, value)]
    if len(pairs) + 2 > target.isa.auxv_words:
        raise UnsupportedError(
            f"the auxiliary vector has {len(pairs) + 2} words, criu on {target.isa.name} takes {target.isa.auxv_words}"
        )
    del mm.mm_saved_auxv[:]
    mm.mm_saved_auxv.extend([*pairs, AT_NULL, 0])
