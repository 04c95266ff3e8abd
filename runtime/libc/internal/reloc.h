/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Programs are static: there is nothing to relocate at run time. musl's sources want the names. */
#define LDSO_ARCH "transproc"
#define TPOFF_K 0

#define REL_SYMBOLIC 1
#define REL_GOT 2
#define REL_PLT 3
#define REL_RELATIVE 4
#define REL_COPY 5
#define REL_DTPMOD 6
#define REL_DTPOFF 7
#define REL_TPOFF 8
#define REL_TLSDESC 9

#define CRTJMP(pc, sp) __builtin_trap()
