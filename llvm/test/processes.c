// Each ISA's object is made by a process of its own: the same ones as alone.
// RUN: %front_end -O1 %s -o %t.bc
// RUN: %codegen -O1 %t.bc -o-x86_64 %t.x86_64.o -o-aarch64 %t.aarch64.o
// RUN: %codegen -O1 %t.bc -o-x86_64 %t.alone.x86_64.o
// RUN: %codegen -O1 %t.bc -o-aarch64 %t.alone.aarch64.o
// RUN: cmp %t.x86_64.o %t.alone.x86_64.o
// RUN: cmp %t.aarch64.o %t.alone.aarch64.o
int step(int);
#define ONE(N) \
  int f##N(int x) { return step(x + 0x1##N) + x; }
#define FOUR(N) ONE(N##0) ONE(N##1) ONE(N##2) ONE(N##3)
#define SIXTEEN(N) FOUR(N##0) FOUR(N##1) FOUR(N##2) FOUR(N##3)
#define SIXTY_FOUR(N) SIXTEEN(N##0) SIXTEEN(N##1) SIXTEEN(N##2) SIXTEEN(N##3)
#define MANY(N) SIXTY_FOUR(N##0) SIXTY_FOUR(N##1) SIXTY_FOUR(N##2) SIXTY_FOUR(N##3)
MANY(0) MANY(1) MANY(2)
