/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* ELF-64 as the generic ABI defines it (chapter 4; elf(5)). */
#ifndef TOOL_ELF_H
#define TOOL_ELF_H

#include <stdint.h>

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, segments, sections;
	uint32_t flags;
	uint16_t size, segment_size, segment_count, section_size, section_count, names;
};

struct segment {
	uint32_t type, flags;
	uint64_t offset, address, physical, file_size, size, alignment;
};

struct section {
	uint32_t name, type;
	uint64_t flags, address, offset, size;
	uint32_t link, info;
	uint64_t alignment, entry_size;
};

struct symbol {
	uint32_t name;
	uint8_t info, other;
	uint16_t section;
	uint64_t value, size;
};

#endif
