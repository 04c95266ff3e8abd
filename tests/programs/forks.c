/*
 * A tree of processes: the parent forks workers, each of which forks a helper; tasks go down and results come up
 * through pipes; the parent waits for all and looks at their statuses. Usage: forks [tasks] [work]
 */
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

#define WORKERS 3

struct task {
  uint64_t number, seed;
};

struct worker {
  pid_t pid;
  int tasks, results; /* the parent's ends of the pipes */
};

static NOINLINE uint64_t step(uint64_t sum) { return mix_at_site(sum, 79); }

static NOINLINE uint64_t compute(unsigned depth, uint64_t sum, long work) {
  if (depth == 0) {
    for (long i = 0; i < work; i++)
      sum = mix(sum, (uint64_t)i);
    return sum;
  }
  uint64_t kept = step(sum);
  return mix(compute(depth - 1, kept, work), kept);
}

/* Reads exactly so many bytes; false at the end of the pipe. */
static NOINLINE bool read_all(int pipe, void *data, size_t size) {
  char *at = data;
  while (size > 0) {
    ssize_t got = read(pipe, at, size);
    CHECK(got >= 0);
    if (got == 0)
      return false;
    at += got;
    size -= (size_t)got;
  }
  return true;
}

static NOINLINE void write_all(int pipe, const void *data, size_t size) {
  const char *at = data;
  while (size > 0) {
    ssize_t put = write(pipe, at, size);
    CHECK(put > 0);
    at += put;
    size -= (size_t)put;
  }
}

/* The life of a helper: answers each seed with a value, until its pipe ends. */
static NOINLINE _Noreturn void help(int in, int out, long work) {
  uint64_t seed;
  while (read_all(in, &seed, sizeof seed)) {
    seed = compute(3, seed, work);
    write_all(out, &seed, sizeof seed);
  }
  _exit(7);
}

/*
 * Forks a child with a pipe to and from it. What the other children's pipes are is in `others`, to be closed in the
 * child.
 */
static NOINLINE struct worker start(void (*run)(int in, int out, long work), long work, const struct worker *others,
                                    int count) {
  int down[2], up[2];
  CHECK(pipe(down) == 0 && pipe(up) == 0);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    close(down[1]);
    close(up[0]);
    for (int i = 0; i < count; i++) {
      close(others[i].tasks);
      close(others[i].results);
    }
    run(down[0], up[1], work);
  }
  close(down[0]);
  close(up[1]);
  return (struct worker){pid, down[1], up[0]};
}

/* Ends a child by closing its pipe and checks how it ended. */
static NOINLINE void stop(struct worker *worker, int expected) {
  int status;
  close(worker->tasks);
  CHECK(waitpid(worker->pid, &status, 0) == worker->pid);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == expected);
  close(worker->results);
}

/* The life of a worker: computes with its helper's help, and ends with the number of its tasks modulo 50. */
static NOINLINE _Noreturn void serve(int in, int out, long work) {
  struct worker helper = start(help, work, NULL, 0);
  struct task task;
  unsigned done = 0;
  while (read_all(in, &task, sizeof task)) {
    write_all(helper.tasks, &task.seed, sizeof task.seed);
    uint64_t mine = compute(5, task.seed + task.number, work), other;
    CHECK(read_all(helper.results, &other, sizeof other));
    task.seed = mix(mine, other);
    write_all(out, &task, sizeof task);
    done++;
  }
  stop(&helper, 7);
  _exit((int)(done % 50));
}

int main(int argc, char **argv) {
  long tasks = argument(argc, argv, 1, 250), work = argument(argc, argv, 2, 500000);
  struct worker workers[WORKERS];
  uint64_t sum = opaque(59);
  for (int i = 0; i < WORKERS; i++)
    workers[i] = start(serve, work, workers, i);
  for (long i = 0; i < tasks; i++) {
    struct task task = {(uint64_t)i, 0};
    for (int w = 0; w < WORKERS; w++) {
      task.seed = step(sum + (uint64_t)w);
      write_all(workers[w].tasks, &task, sizeof task);
    }
    for (int w = 0; w < WORKERS; w++) {
      CHECK(read_all(workers[w].results, &task, sizeof task) && task.number == (uint64_t)i);
      sum = mix(sum, task.seed);
    }
    progress("forks", i, tasks, sum);
  }
  for (int w = 0; w < WORKERS; w++)
    stop(&workers[w], (int)(tasks % 50));
  return finish("forks", sum);
}
