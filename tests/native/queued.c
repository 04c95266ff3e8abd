/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A server that has not accepted a client yet, here itself; waits for a file `go`, then serves another, and prints its letter. */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int client(struct sockaddr_in *address)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	return connect(s, (struct sockaddr *)address, sizeof *address) ? -1 : s;
}

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	int listening = socket(AF_INET, SOCK_STREAM, 0), yes = 1; /* both nodes have one network here: */
	setsockopt(listening, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
	char letter = 'x';
	if (bind(listening, (struct sockaddr *)&address, size) || listen(listening, 5) ||
	    getsockname(listening, (struct sockaddr *)&address, &size) || client(&address) < 0)
		return 1;
	printf("ready\n");
	fflush(stdout);
	while (access("go", F_OK))
		usleep(20000);
	int later = client(&address), accepted = accept(listening, NULL, NULL);
	if (later < 0 || write(later, "a", 1) != 1 || read(accepted, &letter, 1) != 1)
		return 2;
	printf("%c\n", letter);
}
