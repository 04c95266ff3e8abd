/* Sockets whose peers are in the same tree of processes, with data on its way; and sockets that wait for peers; see kinds.h. */
#define _GNU_SOURCE
#include "kinds.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define IN_FLIGHT 4

static int pairs[3][2], half[2], carrier[2], datagrams[2], listener, second;

static NOINLINE void give(int to, uint64_t value, size_t size) {
  uint64_t words[16] = {value, size};
  CHECK(send(to, words, size, 0) == (ssize_t)size);
}

static NOINLINE uint64_t take(int from, uint64_t value, size_t size) {
  uint64_t words[16] = {0};
  CHECK(recv(from, words, sizeof words, 0) == (ssize_t)size && words[0] == value && words[1] == size);
  return value;
}

static size_t size_of(uint64_t round) { return 16 + round % 7 * 8; }

static int option(int socket, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  CHECK(getsockopt(socket, level, name, &value, &size) == 0);
  return value;
}

static void set(int socket, int level, int name, int value) {
  CHECK(setsockopt(socket, level, name, &value, sizeof value) == 0);
}

/* --- pairs: messages keep their borders, except in streams ------------------------------------------------------------ */

static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};

static size_t size_in(int which, uint64_t number) { return types[which] == SOCK_STREAM ? 16 : size_of(number); }

static void make_pairs(void) {
  for (int which = 0; which < 3; which++) {
    CHECK(socketpair(AF_UNIX, types[which] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pairs[which]) == 0);
    set(pairs[which][1], SOL_SOCKET, SO_PASSCRED, 1); /* nothing waits there: criu takes no credentials in flight */
    set(pairs[which][1], SOL_SOCKET, SO_SNDBUF, 60000);
    for (uint64_t i = 0; i < IN_FLIGHT; i++)
      give(pairs[which][1], i, size_in(which, i));
  }
}

static uint64_t use_pairs(uint64_t round) {
  for (int which = 0; which < 3; which++) {
    int *ends = pairs[which];
    uint64_t words[16];
    size_t size = size_in(which, round);
    give(ends[1], round + IN_FLIGHT, size_in(which, round + IN_FLIGHT));
    CHECK(option(ends[1], SOL_SOCKET, SO_PASSCRED) == 1 && option(ends[0], SOL_SOCKET, SO_PASSCRED) == 0);
    CHECK(option(ends[1], SOL_SOCKET, SO_SNDBUF) == 120000 && option(ends[0], SOL_SOCKET, SO_TYPE) == types[which]);
    CHECK((fcntl(ends[0], F_GETFL) & O_NONBLOCK) && fcntl(ends[0], F_GETFD) == FD_CLOEXEC);
    CHECK(recv(ends[0], words, types[which] == SOCK_STREAM ? size : sizeof words, 0) == (ssize_t)size && words[0] == round);
  }
  return round;
}

static void end_pairs(void) {
  char bytes[128];
  for (int which = 0; which < 3; which++) {
    for (int i = 0; i < IN_FLIGHT; i++)
      CHECK(recv(pairs[which][0], bytes, 16, 0) == 16);
    CHECK(recv(pairs[which][0], bytes, 1, 0) < 0 && errno == EAGAIN);
    CHECK(close(pairs[which][0]) == 0 && close(pairs[which][1]) == 0);
  }
}

/* --- half: one direction is shut down, with data before the end -------------------------------------------------------------- */

static void make_half(void) {
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, half) == 0);
  give(half[1], 1, 16);
  CHECK(shutdown(half[1], SHUT_WR) == 0);
}

static uint64_t use_half(uint64_t round) {
  give(half[0], round, 16);
  take(half[1], round, 16);
  CHECK(send(half[1], "", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
  return round;
}

static void end_half(void) {
  char byte;
  take(half[0], 1, 16);
  CHECK(recv(half[0], &byte, 1, 0) == 0 && close(half[0]) == 0 && close(half[1]) == 0);
}

/* --- names: connections through a file and through an abstract name; one waits to be accepted ------------------------------------- */

static int clients[2], servers[2], listeners[2], waiting;

static socklen_t name_of(int which, struct sockaddr_un *address) {
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  int length = snprintf(address->sun_path + which, sizeof address->sun_path - 1, "kinds.socket.%d", which ? getpid() : 0);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length + 1);
}

static int connected_to(int which, int type) {
  struct sockaddr_un address;
  socklen_t length = name_of(which, &address);
  int client = socket(AF_UNIX, type, 0);
  CHECK(client >= 0 && connect(client, (void *)&address, length) == 0);
  return client;
}

static void make_names(void) {
  for (int i = 0; i < 2; i++) {
    struct sockaddr_un address;
    socklen_t length = name_of(i, &address);
    listeners[i] = socket(AF_UNIX, i ? SOCK_SEQPACKET : SOCK_STREAM, 0);
    CHECK(listeners[i] >= 0 && bind(listeners[i], (void *)&address, length) == 0 && listen(listeners[i], 5) == 0);
    clients[i] = connected_to(i, i ? SOCK_SEQPACKET : SOCK_STREAM);
    servers[i] = accept(listeners[i], NULL, NULL);
    CHECK(servers[i] >= 0);
    give(clients[i], 0, 16);
  }
  waiting = connected_to(0, SOCK_STREAM);
}

static uint64_t use_names(uint64_t round) {
  char byte;
  for (int i = 0; i < 2; i++) {
    uint64_t words[2];
    give(clients[i], round + 1, 16);
    CHECK(recv(servers[i], words, sizeof words, 0) == sizeof words && words[0] == round);
    give(servers[i], round, 16);
    take(clients[i], round, 16);
  }
  /* The name of an accepted socket, which getpeername tells the client, is not carried over: criu does not bind it again. */
  int server = accept(listeners[0], NULL, NULL); /* the one that waits; another takes its place */
  CHECK(server >= 0 && close(server) == 0 && recv(waiting, &byte, 1, 0) == 0 && close(waiting) == 0);
  waiting = connected_to(0, SOCK_STREAM);
  return round;
}

static void end_names(void) {
  for (int i = 0; i < 2; i++)
    CHECK(close(clients[i]) == 0 && close(servers[i]) == 0 && close(listeners[i]) == 0);
  CHECK(close(waiting) == 0 && unlink("kinds.socket.0") == 0);
}

/* --- rights: descriptors on their way through a socket --------------------------------------------------------------------------- */

static int passed[2];

static void send_descriptor(int to, int descriptor) {
  _Alignas(8) char control[CMSG_SPACE(sizeof descriptor)] = {0};
  struct iovec part = {.iov_base = "r", .iov_len = 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof descriptor);
  memcpy(CMSG_DATA(head), &descriptor, sizeof descriptor);
  CHECK(sendmsg(to, &message, 0) == 1);
}

static int receive_descriptor(int from) {
  _Alignas(8) char control[CMSG_SPACE(sizeof(int))], byte;
  struct iovec part = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  int descriptor;
  CHECK(recvmsg(from, &message, 0) == 1);
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  CHECK(head != NULL && head->cmsg_type == SCM_RIGHTS);
  memcpy(&descriptor, CMSG_DATA(head), sizeof descriptor);
  return descriptor;
}

/* A pipe's writing end is nowhere but in the socket. */
static void send_pipe(void) {
  int pair[2];
  CHECK(pipe(pair) == 0);
  passed[0] = pair[0];
  send_descriptor(carrier[1], pair[1]);
  CHECK(close(pair[1]) == 0);
}

static void make_rights(void) {
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, carrier) == 0);
  send_pipe();
}

static uint64_t use_rights(uint64_t round) {
  uint64_t value = 0;
  int descriptor = receive_descriptor(carrier[0]);
  CHECK(write(descriptor, &round, sizeof round) == sizeof round && close(descriptor) == 0);
  CHECK(read(passed[0], &value, sizeof value) == sizeof value && value == round);
  CHECK(read(passed[0], &value, sizeof value) == 0 && close(passed[0]) == 0);
  send_pipe();
  return value;
}

static void end_rights(void) { CHECK(close(receive_descriptor(carrier[0])) == 0 && close(carrier[0]) == 0 && close(carrier[1]) == 0); }

/* --- tcp: sockets that listen, bound ones, and one that is neither; their options ----------------------------------------------------- */

static struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int port_of(int socket) {
  struct sockaddr_in6 address;
  socklen_t length = sizeof address;
  CHECK(getsockname(socket, (void *)&address, &length) == 0);
  return ntohs(address.sin6_port);
}

static int first_port, second_port, plain;

static void make_listening(void) {
  struct sockaddr_in address = loopback(0);
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  second = socket(AF_INET6, SOCK_STREAM, 0);
  plain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(listener >= 0 && second >= 0 && plain >= 0);
  set(listener, SOL_SOCKET, SO_REUSEADDR, 1);
  set(listener, IPPROTO_TCP, TCP_NODELAY, 1);
  set(listener, IPPROTO_TCP, TCP_USER_TIMEOUT, 33333);
  set(second, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  set(second, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 44);
  set(plain, SOL_SOCKET, SO_KEEPALIVE, 1);
  CHECK(bind(listener, (void *)&address, sizeof address) == 0 && listen(listener, 7) == 0);
  CHECK(bind(second, (void *)&six, sizeof six) == 0 && listen(second, 3) == 0);
  first_port = port_of(listener);
  second_port = port_of(second);
}

static uint64_t use_listening(uint64_t round) {
  CHECK(port_of(listener) == first_port && port_of(second) == second_port);
  CHECK(option(listener, SOL_SOCKET, SO_REUSEADDR) == 1 && option(listener, SOL_SOCKET, SO_ACCEPTCONN) == 1);
  CHECK(option(listener, IPPROTO_TCP, TCP_NODELAY) == 1 && option(plain, SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(option(second, IPPROTO_IPV6, IPV6_V6ONLY) == 1 && option(second, SOL_SOCKET, SO_ACCEPTCONN) == 1);
  CHECK(option(listener, IPPROTO_TCP, TCP_USER_TIMEOUT) == 33333 && option(second, IPPROTO_IPV6, IPV6_UNICAST_HOPS) == 44);
  CHECK(accept(listener, NULL, NULL) < 0 && errno == EAGAIN);
  return round;
}

static void end_listening(void) {
  struct sockaddr_in address = loopback(first_port);
  CHECK(connect(plain, (void *)&address, sizeof address) == 0);
  int server = accept(listener, NULL, NULL);
  CHECK(server >= 0);
  give(plain, 6, 16);
  take(server, 6, 16);
  CHECK(close(server) == 0 && close(plain) == 0 && close(listener) == 0 && close(second) == 0);
}

/* --- udp: bound ones, and one that is connected --------------------------------------------------------------------------------------- */

static int first_udp, second_udp;

static void make_udp(void) {
  struct sockaddr_in address = loopback(0);
  for (int i = 0; i < 2; i++) {
    datagrams[i] = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(datagrams[i] >= 0 && bind(datagrams[i], (void *)&address, sizeof address) == 0);
  }
  set(datagrams[0], SOL_SOCKET, SO_BROADCAST, 1);
  set(datagrams[0], IPPROTO_IP, IP_RECVTOS, 1);
  set(datagrams[0], IPPROTO_IP, IP_MULTICAST_TTL, 6);
  address = loopback(first_udp = port_of(datagrams[0]));
  CHECK(connect(datagrams[1], (void *)&address, sizeof address) == 0);
  second_udp = port_of(datagrams[1]);
}

static uint64_t use_udp(uint64_t round) {
  struct sockaddr_in address = loopback(second_udp);
  CHECK(port_of(datagrams[0]) == first_udp && port_of(datagrams[1]) == second_udp);
  CHECK(option(datagrams[0], SOL_SOCKET, SO_BROADCAST) == 1 && option(datagrams[1], SOL_SOCKET, SO_BROADCAST) == 0);
  CHECK(option(datagrams[0], IPPROTO_IP, IP_RECVTOS) == 1 && option(datagrams[0], IPPROTO_IP, IP_MULTICAST_TTL) == 6);
  give(datagrams[1], round, 16);
  struct pollfd ready = {.fd = datagrams[0], .events = POLLIN};
  if (poll(&ready, 1, 500) == 1) /* a datagram that is on its way at a migration is lost, as datagrams may be */
    take(datagrams[0], round, 16);
  CHECK(sendto(datagrams[0], &round, sizeof round, 0, (void *)&address, sizeof address) == sizeof round);
  ready.fd = datagrams[1];
  uint64_t value = round;
  if (poll(&ready, 1, 500) == 1)
    CHECK(recv(datagrams[1], &value, sizeof value, 0) == sizeof value);
  CHECK(value == round);
  return value;
}

static void end_udp(void) { CHECK(close(datagrams[0]) == 0 && close(datagrams[1]) == 0); }

static const struct kind kinds[] = {
    {"pairs", make_pairs, use_pairs, end_pairs},
    {"half", make_half, use_half, end_half},
    {"names", make_names, use_names, end_names},
    {"rights", make_rights, use_rights, end_rights},
    {"listening", make_listening, use_listening, end_listening},
    {"udp", make_udp, use_udp, end_udp},
};

int main(int argc, char **argv) { return run_kinds(argc, argv, kinds, sizeof kinds / sizeof *kinds); }
