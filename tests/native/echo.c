/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * echo ADDRESS...: gives back, on port 7000 of each address, what comes, byte for byte, until the peer has said all, and
 * then says as much itself. On port 7001 it says numbered lines without being asked, also if nothing is said to it any more; and on
 * 7002 it reads nothing at all until that is asked for on port 7000, by a connection that sends "drain\n". It is a client of its own as
 * well, and ends with status 3 if it answers itself wrongly.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ECHO = 7000, TALK, BLOCK, KINDS = 3, MOST = 256, ROOM = 1 << 16 };

static struct pollfd polled[MOST];
static struct peer {
	int kind, left, line;
	char data[ROOM];
} peers[MOST];
static int count, listeners, draining;

static int open_at(const char *text, int port, int (*use)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	int is_six = inet_pton(AF_INET6, text, &six.sin6_addr) == 1, one = 1;
	int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (!is_six && inet_pton(AF_INET, text, &four.sin_addr) != 1)
		exit(2);
	if (use(fd, is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four, is_six ? sizeof six : sizeof four) || (use == bind && listen(fd, 64))) {
		perror(text);
		exit(1);
	}
	return fd;
}

static void add(int fd, int kind)
{
	polled[count] = (struct pollfd){ fd, kind == BLOCK ? 0 : POLLIN, 0 };
	peers[count] = (struct peer){ .kind = kind };
	count++;
}

static void drop(int i)
{
	close(polled[i].fd);
	count--;
	polled[i] = polled[count];
	peers[i] = peers[count];
}

/* What is left of the last piece first: nothing is read before all of it has been given back. */
static int serve(int i)
{
	struct peer *peer = &peers[i];
	if (!peer->left) {
		long got = read(polled[i].fd, peer->data, ROOM);
		if (got <= 0 && peer->kind == TALK)
			return polled[i].events = 0, 1; /* half of the connection is enough for talking */
		if (got <= 0)
			return 0;
		draining |= got == 6 && !memcmp(peer->data, "drain\n", 6);
		peer->left = peer->kind == TALK ? 0 : (int)got;
	}
	long sent = peer->left ? send(polled[i].fd, peer->data, peer->left, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
	if (sent > 0) {
		peer->left -= (int)sent;
		memmove(peer->data, peer->data + sent, peer->left);
	}
	polled[i].events = peer->left ? POLLOUT : POLLIN;
	return 1;
}

static void ask_myself(int fd)
{
	static unsigned char asked, heard;
	unsigned char byte;
	if (send(fd, &asked, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1)
		asked++;
	while (recv(fd, &byte, 1, MSG_DONTWAIT) == 1)
		if (byte != heard++)
			exit(3);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		for (int kind = 0; kind < KINDS; kind++)
			add(open_at(argv[i], ECHO + kind, bind), ECHO + kind);
	listeners = count;
	for (int i = 0; i < listeners; i++)
		polled[i].events = POLLIN;
	int self = open_at(argv[1], ECHO, connect);
	puts("ready");
	fflush(stdout);
	for (;;) {
		poll(polled, count, 10);
		ask_myself(self);
		for (int i = count - 1; i >= listeners; i--) {
			if (peers[i].kind == BLOCK && draining)
				polled[i].events = POLLIN;
			if (polled[i].revents && !serve(i))
				drop(i);
			else if (peers[i].kind == TALK) {
				char line[32];
				int size = snprintf(line, sizeof line, "%d\n", peers[i].line);
				peers[i].line += send(polled[i].fd, line, size, MSG_NOSIGNAL | MSG_DONTWAIT) == size;
			}
		}
		for (int i = 0; i < listeners; i++)
			if (polled[i].revents && count < MOST)
				add(accept(polled[i].fd, NULL, NULL), peers[i].kind);
	}
}
