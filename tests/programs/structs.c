/*
 * Structures by value: every size from 1 to 64 bytes, mixtures of integer and floating-point members in every class
 * that a psABI knows, nested ones, bit-fields, unions, arrays, flexible arrays. Each is argument, result and live
 * across calls. Usage: structs [rounds]
 */
#include <stddef.h>

#include "program.h"

static NOINLINE uint64_t step(uint64_t sum) { return mix_at_site(sum, 43); }

#define EACH_SIZE(X) \
  X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) \
  X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32) X(33) X(34) X(35) X(36) X(37) X(38) X(39) X(40) \
  X(41) X(42) X(43) X(44) X(45) X(46) X(47) X(48) X(49) X(50) X(51) X(52) X(53) X(54) X(55) X(56) X(57) X(58) X(59) \
  X(60) X(61) X(62) X(63) X(64)

/* N bytes: made, turned by a recursion which keeps one copy live in each frame, and summed. */
#define BYTES(N) \
  struct bytes##N { \
    uint8_t b[N]; \
  }; \
  static NOINLINE struct bytes##N make_bytes##N(uint64_t seed) { \
    struct bytes##N s; \
    for (int i = 0; i < N; i++) \
      s.b[i] = (uint8_t)(seed >> i % 8 * 8) ^ (uint8_t)i; \
    return s; \
  } \
  static NOINLINE struct bytes##N turn_bytes##N(struct bytes##N a, unsigned depth, struct bytes##N z) { \
    if (depth == 0) \
      return z; \
    struct bytes##N mine = a; \
    mine.b[depth % N] ^= (uint8_t)depth; \
    struct bytes##N back = turn_bytes##N(z, depth - 1, mine); \
    for (int i = 0; i < N; i++) \
      back.b[i] = (uint8_t)(back.b[i] * 3 + mine.b[N - 1 - i] + a.b[i]); \
    return back; \
  }
EACH_SIZE(BYTES)

#define RUN_BYTES(N) \
  { \
    struct bytes##N a = make_bytes##N(sum), z = make_bytes##N(~sum); \
    struct bytes##N turned = turn_bytes##N(a, 3, z); \
    sum = mix_bytes(mix_bytes(sum, &turned, N), &a, N); \
  }
static NOINLINE uint64_t each_size(uint64_t sum) {
  EACH_SIZE(RUN_BYTES)
  return sum;
}

struct point {
  double x, y;
};
struct inner {
  int8_t tag;
  float f;
};
union word {
  double d;
  uint64_t u;
  struct {
    uint32_t low, high;
  } halves;
};

#define OPEN(...) __VA_ARGS__

/*
 * A structure with its members, how it is filled from n, and its value as a double. Two of them and two scalars are
 * live across the recursive call.
 */
#define MIXED(NAME, MEMBERS, FILL, VALUE) \
  struct NAME { \
    OPEN MEMBERS \
  }; \
  static NOINLINE struct NAME make_##NAME(int32_t n) { \
    struct NAME s; \
    memset(&s, 0, sizeof s); \
    OPEN FILL \
    return s; \
  } \
  static NOINLINE double value_##NAME(struct NAME s) { return VALUE; } \
  static NOINLINE struct NAME pass_##NAME(int32_t first, struct NAME a, double second, struct NAME b, uint64_t *sum) { \
    if (first == 0) \
      return b; \
    struct NAME mine = make_##NAME(first * 1001); \
    struct NAME back = pass_##NAME(first - 1, mine, second + 1.0, a, sum); \
    *sum = mix_double(mix_double(*sum, value_##NAME(a)), value_##NAME(back)); \
    *sum = mix_double(mix_double(*sum, value_##NAME(mine)), value_##NAME(b) + second); \
    return first % 2 != 0 ? mine : back; \
  } \
  static NOINLINE uint64_t run_##NAME(uint64_t sum) { \
    int32_t n = (int32_t)(sum >> 40); \
    struct NAME result = pass_##NAME(3, make_##NAME(n), 0.5, make_##NAME(n ^ 85), &sum); \
    return mix_double(sum, value_##NAME(result)); \
  }

MIXED(float_1, (float a;), (s.a = (float)n * 0.5f;), (double)s.a)
MIXED(float_2, (float a, b;), (s.a = (float)n; s.b = -s.a;), (double)(s.a * 3.0f + s.b))
MIXED(float_3, (float a, b, c;), (s.a = (float)n; s.b = 2.0f; s.c = s.a + s.b;), (double)(s.a * s.b + s.c))
MIXED(float_4, (float a[4];),
      (for (int i = 0; i < 4; i++) s.a[i] = (float)(n + i);),
      (double)(s.a[0] + s.a[1] * 2.0f + s.a[2] * 3.0f + s.a[3]))
MIXED(float_5, (float a[5];),
      (for (int i = 0; i < 5; i++) s.a[i] = (float)(n - i);),
      (double)(s.a[0] + s.a[2] * 5.0f + s.a[4]))
MIXED(double_1, (double a;), (s.a = n * 0.25;), s.a)
MIXED(double_2, (double a, b;), (s.a = n; s.b = n * 0.5;), s.a - s.b * 3.0)
MIXED(double_4, (double a, b, c, d;), (s.a = n; s.b = 1.0; s.c = n * 2.0; s.d = 7.0;), s.a * s.b + s.c * s.d)
MIXED(double_5, (double a[5];), (for (int i = 0; i < 5; i++) s.a[i] = n + i * 0.5;), s.a[0] + s.a[1] + s.a[4] * 2.0)
MIXED(int_double, (int32_t a; double b;), (s.a = n; s.b = n * 0.125;), s.a * 2 + s.b)
MIXED(double_int, (double a; int32_t b;), (s.a = n + 0.5; s.b = n ^ 5;), s.a - s.b)
MIXED(int_float, (int32_t a; float b;), (s.a = n; s.b = (float)n + 1.5f;), s.a + (double)s.b)
MIXED(float_int, (float a; int32_t b;), (s.a = (float)n; s.b = n ^ 3;), (double)s.a * 2.0 - s.b)
MIXED(char_double, (char a; double b;), (s.a = (char)(n & 63); s.b = n;), s.a + s.b * 2.0)
MIXED(char_short_float_double, (char a; int16_t b; float c; double d;),
      (s.a = (char)(n & 31); s.b = (int16_t)n; s.c = 1.25f; s.d = n;),
      s.a + s.b + (double)s.c + s.d)
MIXED(long_double_long, (int64_t a; double b; int64_t c;),
      (s.a = n; s.b = n * 0.5; s.c = -n;),
      (double)s.a + s.b + (double)s.c * 3.0)
MIXED(long_float_3, (int64_t a; float b, c, d;),
      (s.a = n; s.b = 1.0f; s.c = (float)n; s.d = s.b + s.c;),
      (double)s.a + (double)(s.b + s.c * s.d))
MIXED(wide_char, (__int128 a; char b;),
      (s.a = (__int128)n << 40; s.b = (char)(n & 15);),
      (double)(int64_t)(s.a >> 20) + s.b)
MIXED(char_wide, (char a; unsigned __int128 b;),
      (s.a = (char)(n & 15); s.b = (unsigned __int128)(uint32_t)n << 30;),
      (double)(uint64_t)(s.b >> 20) - s.a)
MIXED(bits, (uint32_t a : 3; int32_t b : 13; uint64_t c : 37; bool d : 1; uint64_t : 0; int8_t e : 5;),
      (s.a = (uint32_t)n & 7; s.b = n & 4095; s.c = (uint64_t)(uint32_t)n * 16; s.d = (n & 1) != 0;
       s.e = (int8_t)(n & 15);),
      (double)s.a + s.b + (double)s.c + s.d + s.e)
MIXED(nested, (struct point p; struct inner i; struct point q;),
      (s.p.x = n; s.p.y = 2.0; s.i.tag = (int8_t)(n & 7); s.i.f = 0.5f; s.q = s.p; s.q.y += n;),
      s.p.x * s.p.y + s.i.tag + (double)s.i.f + s.q.y)
MIXED(inners, (struct inner i[3];),
      (for (int i = 0; i < 3; i++) { s.i[i].tag = (int8_t)((n + i) & 31); s.i[i].f = (float)i; }),
      s.i[0].tag + s.i[1].tag * 2 + s.i[2].tag * 3 + (double)s.i[2].f)
MIXED(unions, (union word w; uint8_t kind;), (s.w.d = n * 1.5; s.kind = (uint8_t)n;), s.w.d + s.kind + s.w.halves.high)
MIXED(callable, (uint64_t (*f)(uint64_t); const char *text; uint16_t k;),
      (s.f = step; s.text = "equivalence"; s.k = (uint16_t)n;),
      (double)(s.f(s.k) >> 40) + s.text[s.k % 11])
MIXED(large, (double a[12]; int32_t b[24]; char c[9];), (for (int i = 0; i < 12; i++) {
        s.a[i] = n + i;
        s.b[2 * i] = n - i;
        s.b[2 * i + 1] = i;
      } memset(s.c, n & 15, sizeof s.c);),
      s.a[11] + s.b[23] + s.b[2] * 2.0 + s.c[8])
MIXED(aligned, (_Alignas(32) int32_t a; double b;),
      (s.a = n; s.b = n * 0.75;),
      s.a - s.b + (double)((uintptr_t)&s % 32))

static uint64_t (*const runs[])(uint64_t) = {
    run_float_1, run_float_2, run_float_3, run_float_4, run_float_5, run_double_1, run_double_2, run_double_4,
    run_double_5, run_int_double, run_double_int, run_int_float, run_float_int, run_char_double,
    run_char_short_float_double, run_long_double_long, run_long_float_3, run_wide_char, run_char_wide,
    run_bits, run_nested, run_inners, run_unions, run_callable, run_large, run_aligned,
};

static NOINLINE uint64_t each_mix(uint64_t sum) {
  for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
    sum = runs[i](sum);
  return sum;
}

/* Many structures at once: the argument registers of both classes run out at different places on each ISA. */
static NOINLINE double crowded(struct double_2 a, struct int_double b, struct float_3 c, struct double_4 d,
                               struct bytes9 e, struct long_double_long f, struct float_2 g, struct bytes16 h,
                               struct double_int i, struct large j, struct float_1 k, struct bytes3 l,
                               unsigned depth) {
  if (depth == 0)
    return value_large(j);
  d.a += 1.0;
  double below = crowded(a, b, c, d, e, f, g, h, i, j, k, l, depth - 1);
  double sum = value_double_2(a) + value_int_double(b) + value_float_3(c) + value_double_4(d) + e.b[8];
  return below * 0.5 + sum + value_long_double_long(f) + value_float_2(g) + h.b[15] + value_double_int(i) +
         value_float_1(k) + l.b[2];
}

static NOINLINE uint64_t crowd(uint64_t sum) {
  int32_t n = (int32_t)(sum >> 44);
  double value = crowded(make_double_2(n), make_int_double(n + 1), make_float_3(n + 2), make_double_4(n + 3),
                         make_bytes9(sum), make_long_double_long(n + 4), make_float_2(n + 5), make_bytes16(~sum),
                         make_double_int(n + 6), make_large(n + 7), make_float_1(n + 8), make_bytes3(sum), 5);
  return mix_double(sum, value);
}

struct message {
  uint32_t length;
  uint16_t kind;
  char text[];
};

/* A flexible array in the heap, joined recursively. */
static NOINLINE struct message *join(unsigned parts, uint64_t sum) {
  if (parts == 0)
    return calloc(1, sizeof(struct message));
  char part[16];
  snprintf(part, sizeof part, "%u,", (unsigned)(sum >> parts & 0xfff));
  struct message *rest = join(parts - 1, sum);
  CHECK(rest != NULL);
  uint32_t added = (uint32_t)strlen(part);
  rest = realloc(rest, offsetof(struct message, text) + rest->length + added + 1);
  CHECK(rest != NULL);
  memcpy(rest->text + rest->length, part, added + 1);
  rest->length += added;
  rest->kind++;
  return rest;
}

static NOINLINE uint64_t messages(uint64_t sum) {
  struct message *message = join(6, sum);
  CHECK(strlen(message->text) == message->length && message->kind == 6);
  sum = mix_bytes(sum, message->text, message->length);
  free(message);
  return sum;
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 80000);
  uint64_t sum = opaque(7);
  for (long i = 0; i < rounds; i++) {
    sum = each_size(sum);
    sum = each_mix(sum);
    sum = crowd(sum);
    sum = messages(sum);
    progress("structs", i, rounds, sum);
  }
  return finish("structs", sum);
}
