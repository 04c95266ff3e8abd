# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The allocator: mimalloc's source, changed in a few places, which one file of the overlay includes."""

from __future__ import annotations

import shutil
from pathlib import Path

from transproc.run import run
from transproc.toolchain.compile import CLANG
from transproc.toolchain.libc.headers import change

SOURCE = "malloc/allocator.c"
"""The overlay's file that includes all of mimalloc."""

CHANGES = {
    "include/mimalloc-types.h": (
        ("#define MI_BIN_HUGE  (73U)", "#define MI_BIN_HUGE  (HEAP_HUGE_BIN)"),
        (
            "  bool                  no_reclaim;",
            "  bool no_reclaim; uint8_t runs[HEAP_RUNS]; mi_page_t* kept; unsigned begin;",
        ),
    ),
    "src/init.c": (("#define MI_PAGE_QUEUES_EMPTY ", "#define MI_PAGE_QUEUES_OWN "),),
    "src/page-queue.c": (
        (
            "static inline uint8_t mi_bin(size_t size) {",
            "static inline uint8_t mi_bin(size_t size) {\n"
            "  if (size > MI_SMALL_SIZE_MAX && size <= MI_MEDIUM_OBJ_SIZE_MAX) return heap_bin(size);",
        ),
    ),
    "src/page.c": (
        (
            "    return mi_find_free_page(heap, size);",
            "    return mi_find_free_page(heap, heap_size(heap->runs, size));",
        ),
        ("  _mi_page_free(page, pq, false);", "  if (!heap_keep(page)) _mi_page_free(page, pq, false);"),
        (
            " segments_tld = &heap->tld->segments;\n  mi_page_queue_remove(pq, page);",
            " segments_tld = &heap->tld->segments;\n  heap_forget(heap, page);\n  mi_page_queue_remove(pq, page);",
        ),
        (
            "  mi_page_t* page = mi_page_fresh_alloc(heap, pq, block_size, page_alignment);",
            "  mi_page_t* page = is_huge ? NULL : heap_take(heap, block_size);\n"
            "  if (page == NULL) page = mi_page_fresh_alloc(heap, pq, block_size, page_alignment);",
        ),
    ),
}
"""What is changed in mimalloc's source before it is compiled: more sizes, and a large block is kept (allocator.c says why)."""


def flags(mimalloc: Path) -> list[str]:
    """What `SOURCE` is compiled with, beside all others' options."""
    resources = run([CLANG, "-print-resource-dir"]).stdout.decode().strip()
    own = [f"-I{mimalloc / 'include'}", f"-I{mimalloc / 'src'}"]
    return ["-std=c11", "-DNDEBUG", *own, "-isystem", f"{resources}/include"]  # its stdatomic.h


def changed(mimalloc: Path, copy: Path) -> Path:
    """Its source with `CHANGES`, in the new directory `copy`. Raises `BinaryError` if it is another version."""
    for part in ("include", "src"):
        shutil.copytree(mimalloc / part, copy / part)
    for name, changes in CHANGES.items():
        for one in changes:
            change(copy / name, one)
    return copy
