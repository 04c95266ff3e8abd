# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Assembly at file level is found in preprocessed sources, and nothing else is taken for it."""

from transproc.toolchain.locate import file_level_assembly

SOURCE = """# 1 "a.c"
# 1 "<built-in>" 1
# 1 "a.c" 2
# 1 "./h.h" 1
int renamed(void) __asm__("other");
asm("nop");
# 2 "a.c" 2
char quote = '"';
const char *text = "; asm(";
int f(void) { asm(""); { __asm__ volatile(""); } return 0; }
__asm__(".globl x" ".globl y");
struct s { int a; };

__asm("x");
"""


def test_places() -> None:
    assert list(file_level_assembly(SOURCE)) == [("./h.h", 2), ("a.c", 5), ("a.c", 8)]
    assert list(file_level_assembly("int main(void) { return 0; }\n")) == []
