/* Relations between processes: sessions and groups, zombies, deep trees, terminals, System V IPC, shared memory; see kinds.h. */
#define _GNU_SOURCE
#include "kinds.h"

#include <semaphore.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <termios.h>

static int down[2], up[2];
static pid_t child;

static void put(int file, uint64_t value) { CHECK(write(file, &value, sizeof value) == sizeof value); }

static bool get(int file, uint64_t *value) {
  ssize_t got = read(file, value, sizeof *value);
  CHECK(got == 0 || got == sizeof *value);
  return got != 0;
}

static void make_pipes(void) { CHECK(pipe(down) == 0 && pipe(up) == 0); }

static uint64_t ask(uint64_t question) {
  uint64_t answer = 0;
  put(down[1], question);
  CHECK(get(up[0], &answer));
  return answer;
}

static void end_child(void) {
  CHECK(close(down[1]) == 0);
  kind_reap(child, 5);
  CHECK(close(up[0]) == 0);
}

/* The child answers each question with what `reply` makes of it. */
static void start_child(void (*prepare)(void), uint64_t (*reply)(uint64_t)) {
  make_pipes();
  child = kind_fork();
  if (child != 0) {
    CHECK(close(down[0]) == 0 && close(up[1]) == 0);
    return;
  }
  uint64_t question;
  CHECK(close(down[1]) == 0 && close(up[0]) == 0);
  prepare();
  while (get(down[0], &question))
    put(up[1], reply(question));
  _exit(5);
}

/* --- session: a child leads one, one of its children a group in it; a third is in a group whose leader is gone ---------- */

static pid_t member, group, orphan;

static pid_t start_member(pid_t its_group) {
  pid_t process = kind_fork();
  if (process == 0) {
    CHECK(close(down[0]) == 0 && close(up[1]) == 0);
    for (;;)
      pause();
  }
  CHECK(setpgid(process, its_group) == 0);
  return process;
}

static void lead_session(void) {
  CHECK(setsid() == getpid());
  member = start_member(0);
  group = start_member(0);
  orphan = start_member(group);
  CHECK(kill(group, SIGKILL) == 0 && waitpid(group, NULL, 0) == group);
}

static uint64_t tell_session(uint64_t question) {
  CHECK(getsid(0) == getpid() && getpgid(0) == getpid() && getsid(member) == getpid() && getsid(orphan) == getpid());
  CHECK(getpgid(member) == member && getpgid(orphan) == group);
  if (question != UINT64_MAX)
    return question;
  CHECK(kill(-group, SIGKILL) == 0 && waitpid(orphan, NULL, 0) == orphan);
  CHECK(kill(member, SIGKILL) == 0 && waitpid(member, NULL, 0) == member);
  return 0;
}

static void make_session(void) { start_child(lead_session, tell_session); }

static uint64_t use_session(uint64_t round) {
  CHECK(ask(round) == round && getpgid(child) == child && getsid(child) == child && getsid(0) != child);
  return round;
}

static void end_session(void) {
  CHECK(ask(UINT64_MAX) == 0);
  end_child();
}

/* --- zombies: one exited, one was killed ------------------------------------------------------------- */

static pid_t exited, killed;

static void make_zombies(void) {
  exited = kind_fork();
  if (exited == 0)
    _exit(42);
  killed = kind_fork();
  if (killed == 0) {
    pause();
    _exit(1);
  }
  CHECK(kill(killed, SIGTERM) == 0);
  siginfo_t info;
  CHECK(waitid(P_PID, (id_t)killed, &info, WEXITED | WNOWAIT) == 0);
  CHECK(waitid(P_PID, (id_t)exited, &info, WEXITED | WNOWAIT) == 0);
}

static uint64_t use_zombies(uint64_t round) {
  siginfo_t info = {0};
  CHECK(waitid(P_PID, (id_t)exited, &info, WEXITED | WNOWAIT | WNOHANG) == 0);
  CHECK(info.si_pid == exited && info.si_code == CLD_EXITED && info.si_status == 42);
  info = (siginfo_t){0};
  CHECK(waitid(P_PID, (id_t)killed, &info, WEXITED | WNOWAIT | WNOHANG) == 0);
  CHECK(info.si_pid == killed && info.si_code == CLD_KILLED && info.si_status == SIGTERM);
  return round + (uint64_t)info.si_status;
}

static void end_zombies(void) {
  int status;
  kind_reap(exited, 42);
  CHECK(waitpid(killed, &status, 0) == killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

/* --- tree: each of some generations has two children; sums come up through pipes ---------------------------------------------------- */

#define GENERATIONS 2

static void grow(int generation);
static int below_down[2][2], below_up[2][2];
static pid_t below[2];

static void start_below(int generation) {
  for (int i = 0; i < 2; i++) {
    CHECK(pipe2(below_down[i], O_CLOEXEC) == 0 && pipe2(below_up[i], O_CLOEXEC) == 0);
    below[i] = kind_fork();
    if (below[i] == 0) {
      for (int k = 0; k <= i; k++) {
        CHECK(close(below_down[k][1]) == 0);
        if (k < i)
          CHECK(close(below_up[k][0]) == 0);
      }
      down[0] = below_down[i][0];
      up[1] = below_up[i][1];
      CHECK(close(below_up[i][0]) == 0);
      grow(generation);
    }
    CHECK(close(below_down[i][0]) == 0 && close(below_up[i][1]) == 0);
  }
}

static uint64_t ask_below(uint64_t question) {
  uint64_t sum = question, answer;
  for (int i = 0; i < 2; i++) {
    put(below_down[i][1], question + (uint64_t)i);
    CHECK(get(below_up[i][0], &answer));
    sum = mix(sum, answer);
  }
  return sum;
}

static void end_below(void) {
  for (int i = 0; i < 2; i++) {
    CHECK(close(below_down[i][1]) == 0);
    kind_reap(below[i], 5);
  }
}

static void grow(int generation) {
  uint64_t question;
  pid_t parent = getppid();
  if (generation != 0)
    start_below(generation - 1);
  while (get(down[0], &question)) {
    CHECK(getppid() == parent);
    put(up[1], generation == 0 ? kind_step(question) : ask_below(question));
  }
  if (generation != 0)
    end_below();
  _exit(5);
}

static void make_tree(void) { start_below(GENERATIONS - 1); }
static uint64_t use_tree(uint64_t round) { return ask_below(round); }

/* --- terminal: a child whose terminal is a pseudo-terminal that its parent holds --------------------------------------------------- */

static int master;

static void make_terminal(void) {
  char name[64];
  struct winsize window = {.ws_row = 33, .ws_col = 99};
  master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 && ptsname_r(master, name, sizeof name) == 0);
  CHECK(ioctl(master, TIOCSWINSZ, &window) == 0);
  child = kind_fork();
  if (child != 0)
    return;
  CHECK(setsid() == getpid());
  int slave = open(name, O_RDWR), ready = open("/dev/tty", O_RDWR);
  struct termios settings;
  CHECK(slave >= 0 && ready >= 0 && tcgetattr(slave, &settings) == 0 && close(ready) == 0);
  settings.c_lflag &= ~(tcflag_t)ECHO;
  settings.c_cc[VEOF] = 5;
  CHECK(tcsetattr(slave, TCSANOW, &settings) == 0);
  char line[64];
  ssize_t got;
  CHECK(write(slave, "ready\n", 6) == 6);
  while ((got = read(slave, line, sizeof line)) > 0) {
    struct winsize now;
    CHECK(tcgetpgrp(slave) == getpid() && ioctl(slave, TIOCGWINSZ, &now) == 0 && now.ws_row == 33 && now.ws_col == 99);
    CHECK(write(slave, line, (size_t)got) == got);
  }
  _exit(got == 0 ? 5 : 6);
}

static void expect_line(const char *expected) {
  char line[64] = {0};
  size_t size = 0;
  while (size == 0 || line[size - 1] != '\n') {
    CHECK(size < sizeof line - 1 && read(master, line + size, 1) == 1);
    size++;
  }
  CHECK(strcmp(line, expected) == 0);
}

static uint64_t use_terminal(uint64_t round) {
  char text[32], expected[32];
  if (round == 0)
    expect_line("ready\r\n");
  int length = snprintf(text, sizeof text, "line %d\n", (int)round);
  snprintf(expected, sizeof expected, "line %d\r\n", (int)round);
  CHECK(write(master, text, (size_t)length) == length);
  expect_line(expected);
  return round;
}

static void end_terminal(void) {
  CHECK(write(master, "\5", 1) == 1);
  kind_reap(child, 5);
  CHECK(close(master) == 0);
}

/* --- sysv: shared memory, semaphores and a message queue with messages in it; a child uses them all ------------------------------------ */

static int segment, semaphores, queue;
static uint64_t *shared;

struct letter {
  long type;
  uint64_t value;
};

static uint64_t answer_sysv(uint64_t question) {
  struct sembuf less = {.sem_num = 1, .sem_op = -1};
  struct letter letter;
  CHECK(semop(semaphores, &less, 1) == 0);
  CHECK(msgrcv(queue, &letter, sizeof letter.value, 7, 0) == sizeof letter.value);
  shared[600] = letter.value + question;
  return shared[0] + question;
}

/* No other process has it. */
static key_t key(void) { return 0x7fab0000 + getpid(); }

static void prepare_nothing(void) {}

static void make_sysv(void) {
  segment = shmget(IPC_PRIVATE, 8192, 0600);
  semaphores = semget(key(), 3, IPC_CREAT | IPC_EXCL | 0600);
  queue = msgget(IPC_PRIVATE, 0600);
  CHECK(segment >= 0 && semaphores >= 0 && queue >= 0);
  shared = shmat(segment, NULL, 0);
  CHECK(shared != (void *)-1 && semctl(semaphores, 2, SETVAL, 21) == 0);
  for (long type = 1; type <= 3; type++) {
    struct letter letter = {type, (uint64_t)type * 11};
    CHECK(msgsnd(queue, &letter, sizeof letter.value, 0) == 0);
  }
  start_child(prepare_nothing, answer_sysv);
}

static uint64_t use_sysv(uint64_t round) {
  struct sembuf more = {.sem_num = 1, .sem_op = 1};
  struct letter letter = {7, round * 3};
  struct shmid_ds status;
  shared[0] = round;
  CHECK(semop(semaphores, &more, 1) == 0 && msgsnd(queue, &letter, sizeof letter.value, 0) == 0);
  CHECK(ask(round) == 2 * round && shared[600] == round * 4);
  CHECK(semctl(semaphores, 2, GETVAL) == 21 && semctl(semaphores, 1, GETVAL) == 0);
  CHECK(shmctl(segment, IPC_STAT, &status) == 0 && status.shm_segsz == 8192 && status.shm_nattch == 2);
  CHECK(semget(key(), 3, 0) == semaphores);
  return shared[600];
}

static void end_sysv(void) {
  struct letter letter;
  end_child();
  for (long type = 1; type <= 3; type++)
    CHECK(msgrcv(queue, &letter, sizeof letter.value, 0, IPC_NOWAIT) == sizeof letter.value && letter.value == (uint64_t)type * 11);
  CHECK(shmdt(shared) == 0 && shmctl(segment, IPC_RMID, NULL) == 0 && semctl(semaphores, 0, IPC_RMID) == 0);
  CHECK(msgctl(queue, IPC_RMID, NULL) == 0);
}

static const struct kind kinds[] = {
    {"session", make_session, use_session, end_session},
    {"zombies", make_zombies, use_zombies, end_zombies},
    {"tree", make_tree, use_tree, end_below},
    {"terminal", make_terminal, use_terminal, end_terminal},
    {"sysv", make_sysv, use_sysv, end_sysv},
};

int main(int argc, char **argv) { return run_kinds(argc, argv, kinds, sizeof kinds / sizeof *kinds); }
