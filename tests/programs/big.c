/*
 * Much memory: fills so many megabytes with anonymous mmap, then changes and verifies them page by page, round after
 * round. Usage: big [megabytes] [rounds]
 */
#include <sys/mman.h>

#include "program.h"

#define PAGE_WORDS (4096 / sizeof(uint64_t))

/*
 * Every word of a page follows from the page's number and from how often the page was changed, which its first word
 * says.
 */
static NOINLINE void write_page(uint64_t *page, uint64_t number, uint64_t version) {
  page[0] = version;
  for (size_t i = 1; i < PAGE_WORDS; i++)
    page[i] = (number << 32 | version << 9 | i) * UINT64_C(0x9e3779b97f4a7c15);
}

static NOINLINE uint64_t verify_page(const uint64_t *page, uint64_t number) {
  uint64_t version = page[0], wrong = 0;
  for (size_t i = 1; i < PAGE_WORDS; i++)
    wrong |= page[i] ^ (number << 32 | version << 9 | i) * UINT64_C(0x9e3779b97f4a7c15);
  CHECK(wrong == 0);
  return version;
}

/* Changes one page in eight, another one in each round, and verifies all. */
static NOINLINE uint64_t change_and_verify(uint64_t *memory, size_t pages, uint64_t round, uint64_t sum) {
  for (size_t i = 0; i < pages; i++) {
    uint64_t *page = memory + i * PAGE_WORDS, version = verify_page(page, i);
    if (i % 8 == round % 8)
      write_page(page, i, version + 1);
    sum = mix(sum, version);
  }
  return sum;
}

int main(int argc, char **argv) {
  size_t megabytes = (size_t)argument(argc, argv, 1, 64), pages = megabytes * 256;
  long rounds = argument(argc, argv, 2, 100);
  CHECK(pages > 0);
  uint64_t *memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  for (size_t i = 0; i < pages; i++)
    write_page(memory + i * PAGE_WORDS, i, 0);
  printf("big: filled %zu MB\n", megabytes);
  fflush(stdout);
  uint64_t sum = opaque(41);
  for (long i = 0; i < rounds; i++) {
    sum = change_and_verify(memory, pages, (uint64_t)i, sum);
    progress("big", i, rounds, sum);
  }
  CHECK(munmap(memory, pages * 4096) == 0);
  return finish("big", sum);
}
