/* What processes and sockets have set for themselves, and criu does not carry over (runtime/tool/attributes.h); see kinds.h. */
#define _GNU_SOURCE
#include "kinds.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* --- process: slack of timers, priority of I/O, what a core file has, and no death by a parent that stays behind -------------- */

enum { SLACK = 123456, PRIORITY = 2 << 13 | 3, ONE_PROCESS = 1, CORE_FILTER = 0x5f };

static const char core_file[] = "/proc/self/coredump_filter";

static void make_process(void) {
  int file = open(core_file, O_WRONLY);
  CHECK(file >= 0 && write(file, "0x5f", 4) == 4 && close(file) == 0);
  CHECK(prctl(PR_SET_TIMERSLACK, SLACK) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
  CHECK(syscall(SYS_ioprio_set, ONE_PROCESS, 0, PRIORITY) == 0);
}

static uint64_t use_process(uint64_t round) {
  char text[16] = {0};
  int file = open(core_file, O_RDONLY);
  CHECK(file >= 0 && read(file, text, sizeof text - 1) > 0 && close(file) == 0 && strtol(text, NULL, 16) == CORE_FILTER);
  CHECK(prctl(PR_GET_TIMERSLACK) == SLACK && syscall(SYS_ioprio_get, ONE_PROCESS, 0) == PRIORITY);
  return round;
}

static void end_process(void) {}

/* --- wiped: memory that children find empty, beside some that they find full ------------------------------------------------- */

enum { SIZE = 65536, WIPED = SIZE, PLACE = 4000 };

static char *memory;

static void make_wiped(void) {
  memory = mmap(NULL, 3 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED && madvise(memory + WIPED, SIZE, MADV_WIPEONFORK) == 0);
  memset(memory, 1, 3 * SIZE);
}

static uint64_t use_wiped(uint64_t round) {
  memory[WIPED + PLACE] = (char)(round % 100 + 1);
  pid_t child = kind_fork();
  if (child == 0)
    _exit(memory[PLACE] == 1 && memory[WIPED + PLACE] == 0 && memory[2 * SIZE] == 1 ? 9 : 1);
  kind_reap(child, 9);
  CHECK(memory[WIPED + PLACE] == (char)(round % 100 + 1));
  return round;
}

static void end_wiped(void) { CHECK(munmap(memory, 3 * SIZE) == 0); }

/* --- socket: when a message came, how far it was looked at ------------------------------------------------------------------- */

static int ends[2];

static int option_of(int name) {
  int value = -1;
  socklen_t size = sizeof value;
  CHECK(getsockopt(ends[1], SOL_SOCKET, name, &value, &size) == 0);
  return value;
}

static void make_socket(void) {
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  CHECK(setsockopt(ends[1], SOL_SOCKET, SO_PEEK_OFF, &(int){2}, sizeof(int)) == 0);
  CHECK(setsockopt(ends[1], SOL_SOCKET, SO_TIMESTAMP, &(int){1}, sizeof(int)) == 0);
}

static uint64_t use_socket(uint64_t round) {
  char bytes[4] = {0};
  CHECK(option_of(SO_PEEK_OFF) == 2 && option_of(SO_TIMESTAMP) == 1);
  CHECK(write(ends[0], "abcd", 4) == 4 && recv(ends[1], bytes, 2, MSG_PEEK) == 2 && memcmp(bytes, "cd", 2) == 0);
  CHECK(read(ends[1], bytes, 4) == 4 && memcmp(bytes, "abcd", 4) == 0);
  CHECK(setsockopt(ends[1], SOL_SOCKET, SO_PEEK_OFF, &(int){2}, sizeof(int)) == 0);
  return round;
}

static void end_socket(void) { CHECK(close(ends[0]) == 0 && close(ends[1]) == 0); }

static const struct kind kinds[] = {
    {"process", make_process, use_process, end_process},
    {"wiped", make_wiped, use_wiped, end_wiped},
    {"socket", make_socket, use_socket, end_socket},
};

int main(int argc, char **argv) { return run_kinds(argc, argv, kinds, sizeof kinds / sizeof *kinds); }
