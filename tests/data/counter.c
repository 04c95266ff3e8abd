/* The program whose dump (x86_64, CRIU 4.1.1, Linux 6.18) is in counter-x86_64/. Built with
   `gcc -O1 -nostdlib -static -fno-stack-protector -Wl,--build-id`, started as /opt/example/counter with an empty
   environment. In the dump the pages of the vDSO are zeroed. */
static long call(long number, long a, long b, long c)
{
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

char zero[8192];
char data[4096] = {'d', 'a', 't', 'a'};

void _start(void)
{
	int ends[2];
	long pause[2] = {1000, 0};
	unsigned mxcsr = 0x1f80 | 2 << 13 | 1; /* round up; invalid operation raised */
	zero[5000] = 42;
	data[8] = '!';
	call(22, (long)ends, 0, 0);                  /* pipe */
	call(1, ends[1], (long)"in the pipe", 11);   /* write */
	__asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
	__asm__ volatile("movq %0, %%xmm3" ::"r"(0x1122334455667788L));
	for (;;) /* nanosleep */
		__asm__ volatile("syscall" ::"a"(35L), "D"(pause), "S"(0L), "b"(0x1234L) : "rcx", "r11", "memory");
}
