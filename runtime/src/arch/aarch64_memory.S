// memcpy and memset of musl, in sections that the linker can place beside their twins.
	.section .text.memcpy,"ax",%progbits
	.balign 16
#include "aarch64/memcpy.S"
	.section .text.memset,"ax",%progbits
	.balign 16
#include "aarch64/memset.S"
	.section .note.GNU-stack,"",%progbits
