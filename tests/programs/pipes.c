/*
 * Pipes and socket pairs that are never empty: between two threads, within one thread, and to a child. Messages are
 * cut at odd places, so that the kernel always holds a part of one. Usage: pipes [rounds] [work]
 */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

#define MESSAGE 97
#define IN_FLIGHT 11

static NOINLINE uint64_t step(uint64_t sum) { return mix_at_site(sum, 89); }

static NOINLINE void fill(unsigned char *message, uint64_t number) {
  for (size_t i = 0; i < MESSAGE; i++)
    message[i] = (unsigned char)(mix(number, i) >> 20);
}

/* Writes a message in pieces of one to eleven bytes. */
static NOINLINE void send_message(int to, uint64_t number) {
  unsigned char message[MESSAGE];
  fill(message, number);
  for (size_t at = 0; at < MESSAGE;) {
    size_t piece = 1 + (number + at) % 11;
    ssize_t put = write(to, message + at, piece < MESSAGE - at ? piece : MESSAGE - at);
    CHECK(put > 0);
    at += (size_t)put;
  }
}

static NOINLINE bool receive_bytes(int from, unsigned char *bytes, size_t size) {
  for (size_t at = 0; at < size;) {
    ssize_t got = read(from, bytes + at, size - at);
    CHECK(got >= 0);
    if (got == 0)
      return false;
    at += (size_t)got;
  }
  return true;
}

/* Reads the message of that number, or returns 0 at the end of the stream. */
static NOINLINE uint64_t receive_message(int from, uint64_t number) {
  unsigned char message[MESSAGE], expected[MESSAGE];
  if (!receive_bytes(from, message, MESSAGE))
    return 0;
  fill(expected, number);
  CHECK(memcmp(message, expected, MESSAGE) == 0);
  return mix_bytes(number, message, MESSAGE) | 1;
}

/* Within one thread: some messages, and a part of one, are in the pipe at any time. */
struct loop {
  int ends[2];
  uint64_t sent, received;
};

static NOINLINE void start_loop(struct loop *loop, bool is_socket) {
  *loop = (struct loop){.sent = 0};
  CHECK((is_socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, loop->ends) : pipe(loop->ends)) == 0);
  while (loop->sent < IN_FLIGHT)
    send_message(loop->ends[1], loop->sent++);
}

static NOINLINE uint64_t turn_loop(struct loop *loop) {
  send_message(loop->ends[1], loop->sent++);
  return receive_message(loop->ends[0], loop->received++);
}

static NOINLINE uint64_t end_loop(struct loop *loop) {
  uint64_t sum = 0, message;
  CHECK(close(loop->ends[1]) == 0);
  while ((message = receive_message(loop->ends[0], loop->received)) != 0) {
    loop->received++;
    sum = mix(sum, message);
  }
  CHECK(loop->received == loop->sent && close(loop->ends[0]) == 0);
  return sum;
}

/* Datagrams keep their borders; a few wait in the socket at any time. */
static NOINLINE uint64_t datagrams(int ends[2], uint64_t round) {
  unsigned char bytes[200] = {0};
  size_t size = 1 + round % 150;
  bytes[size - 1] = (unsigned char)round;
  CHECK(send(ends[1], bytes, size, 0) == (ssize_t)size);
  if (round < 5)
    return 0;
  ssize_t got = recv(ends[0], bytes, sizeof bytes, 0);
  CHECK(got == (ssize_t)(1 + (round - 5) % 150) && bytes[got - 1] == (unsigned char)(round - 5));
  return (uint64_t)got;
}

/* A thread and a child that send back what they get, numbered on. */
struct echo {
  int from, to;
  uint64_t count;
};

static void *echo_thread(void *argument) {
  struct echo *echo = argument;
  while (receive_message(echo->from, echo->count) != 0)
    send_message(echo->to, ++echo->count);
  close(echo->to);
  return echo;
}

struct partner {
  int to, from;
  pthread_t thread;
  pid_t child;
  struct echo echo;
};

static NOINLINE void start_partner(struct partner *partner, bool is_thread) {
  int down[2], up[2];
  CHECK(pipe(down) == 0 && pipe(up) == 0);
  partner->to = down[1];
  partner->from = up[0];
  partner->echo = (struct echo){down[0], up[1], 0};
  if (is_thread) {
    CHECK(pthread_create(&partner->thread, NULL, echo_thread, &partner->echo) == 0);
    return;
  }
  partner->child = fork();
  CHECK(partner->child >= 0);
  if (partner->child == 0) {
    close(down[1]);
    close(up[0]);
    echo_thread(&partner->echo);
    _exit((int)(partner->echo.count % 100));
  }
  close(down[0]);
  close(up[1]);
}

static NOINLINE uint64_t ask(struct partner *partner, uint64_t round) {
  send_message(partner->to, round);
  return receive_message(partner->from, round + 1);
}

static NOINLINE void end_partner(struct partner *partner, bool is_thread, long rounds) {
  int status;
  close(partner->to);
  if (is_thread) {
    CHECK(pthread_join(partner->thread, NULL) == 0 && partner->echo.count == (uint64_t)rounds);
    close(partner->echo.from);
  } else {
    CHECK(waitpid(partner->child, &status, 0) == partner->child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == rounds % 100);
  }
  close(partner->from);
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 4000), work = argument(argc, argv, 2, 100000);
  struct partner child, thread;
  struct loop pipe_loop, socket_loop;
  int datagram[2];
  uint64_t sum = opaque(67);
  start_partner(&child, false);
  start_partner(&thread, true);
  start_loop(&pipe_loop, false);
  start_loop(&socket_loop, true);
  CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagram) == 0);
  for (long i = 0; i < rounds; i++) {
    sum = mix(sum, turn_loop(&pipe_loop));
    sum = mix(sum, turn_loop(&socket_loop));
    sum = mix(sum, datagrams(datagram, (uint64_t)i));
    sum = mix(sum, ask(&child, (uint64_t)i));
    sum = mix(sum, ask(&thread, (uint64_t)i));
    sum = compute_in_frames(4, sum, work, step);
    progress("pipes", i, rounds, sum);
  }
  sum = mix(sum, end_loop(&pipe_loop));
  sum = mix(sum, end_loop(&socket_loop));
  end_partner(&thread, true, rounds);
  end_partner(&child, false, rounds);
  return finish("pipes", sum);
}
