// memcpy and memset of musl, in sections that the linker can place beside their twins.
	.section .text.memcpy,"ax",@progbits
	.balign 16
#include "x86_64/memcpy.s"
	.section .text.memset,"ax",@progbits
	.balign 16
#include "x86_64/memset.s"
	.section .note.GNU-stack,"",@progbits
