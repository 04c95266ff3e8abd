/*
 * Arguments, environment and standard input: keeps pointers to all three while it works, transforms the text it reads
 * line by line, changes the environment, and prints what it sees. Usage: args ROUNDS [word...] < text
 */
#include "program.h"

#define PREFIX "TRANSPROC_TEST_"

extern char **environ;

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The variables of the test, sorted: their order in memory is the caller's affair. */
static NOINLINE uint64_t show_environment(bool print) {
  const char *found[32];
  size_t count = 0;
  for (char **variable = environ; *variable != NULL && count < 32; variable++)
    if (strncmp(*variable, PREFIX, strlen(PREFIX)) == 0)
      found[count++] = *variable;
  qsort(found, count, sizeof *found, by_text);
  uint64_t sum = count;
  for (size_t i = 0; i < count; i++) {
    sum = mix_bytes(sum, found[i], strlen(found[i]));
    if (print)
      printf("args: environment %s\n", found[i]);
  }
  return sum;
}

static NOINLINE uint64_t show_arguments(int argc, char **argv, bool print) {
  uint64_t sum = (uint64_t)argc;
  for (int i = 2; i < argc; i++) {
    sum = mix_bytes(sum, argv[i], strlen(argv[i]));
    if (print)
      printf("args: argument %d '%s'\n", i, argv[i]);
  }
  return sum;
}

static NOINLINE char rotate(char c) {
  if (c >= 'a' && c <= 'z')
    return (char)('a' + (c - 'a' + 13) % 26);
  if (c >= 'A' && c <= 'Z')
    return (char)('A' + (c - 'A' + 13) % 26);
  return c;
}

/* Turns a line round by recursion: each frame keeps one character. */
static NOINLINE char *reverse(const char *text, char *out) {
  if (*text == '\0')
    return out;
  char mine = rotate(*text);
  out = reverse(text + 1, out);
  *out = mine;
  return out + 1;
}

static NOINLINE uint64_t transform_line(const char *line, bool print) {
  char turned[256];
  *reverse(line, turned) = '\0';
  if (print)
    printf("args: line %s\n", turned);
  return mix_bytes(0, turned, strlen(turned));
}

/* Reads all lines; they stay in the stdin buffer and the heap while the rounds go on. */
static NOINLINE size_t read_lines(char **lines, size_t room) {
  char buffer[250];
  size_t count = 0;
  while (count < room && fgets(buffer, sizeof buffer, stdin) != NULL) {
    buffer[strcspn(buffer, "\n")] = '\0';
    lines[count] = malloc(strlen(buffer) + 1);
    CHECK(lines[count] != NULL);
    strcpy(lines[count++], buffer);
  }
  return count;
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 150000);
  char *lines[64], number[24];
  size_t count = read_lines(lines, 64);
  const char *first = argc > 2 ? argv[2] : "";
  uint64_t first_sum = mix_bytes(0, first, strlen(first)), sum = opaque(47);
  printf("args: %zu lines\n", count);
  for (long i = 0; i < rounds; i++) {
    bool print = i == 0 || i == rounds - 1;
    snprintf(number, sizeof number, "%ld", i);
    CHECK(setenv(PREFIX "ROUND", number, 1) == 0 && strcmp(getenv(PREFIX "ROUND"), number) == 0);
    sum = mix(sum, show_arguments(argc, argv, print));
    sum = mix(sum, show_environment(print));
    for (size_t j = 0; j < count; j++)
      sum = mix(sum, transform_line(lines[j], print));
    CHECK(argc <= 2 || (first == argv[2] && mix_bytes(0, first, strlen(first)) == first_sum));
    progress("args", i, rounds, sum);
  }
  for (size_t j = 0; j < count; j++)
    free(lines[j]);
  return finish("args", sum);
}
