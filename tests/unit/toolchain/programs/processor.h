/* What the C library knows of the processor (runtime/libc/internal/processor.h). */
#include <stdint.h>
#include <transproc/args.h>

extern struct {
  uint64_t asked, wide, fused;
} __transproc_processor;

/* As if the process had come to a processor that has the baseline only. */
static inline void forget_abilities(void) {
  __transproc_processor.asked = __transproc_args.moves;
  __transproc_processor.wide = __transproc_processor.fused = UINT64_MAX;
}
