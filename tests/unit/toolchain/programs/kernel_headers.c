/* The kernel's headers beside the C library's: the same constants and structures, and system calls that take them. */
#include <asm/fcntl.h>
#include <asm/unistd.h>
#include <linux/futex.h>
#include <linux/if_ether.h>
#include <linux/input.h>
#include <linux/ioctl.h>
#include <linux/limits.h>
#include <linux/loop.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/version.h>
#include <linux/wait.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FROM_KERNEL = O_DIRECT | O_DIRECTORY | O_NOFOLLOW | O_LARGEFILE | __O_TMPFILE };
#undef O_DIRECT
#undef O_DIRECTORY
#undef O_NOFOLLOW
#undef O_LARGEFILE
#include <bits/fcntl.h>
_Static_assert(FROM_KERNEL == (O_DIRECT | O_DIRECTORY | O_NOFOLLOW | O_LARGEFILE | O_TMPFILE), "fcntl");
_Static_assert(__NR_openat == SYS_openat && __NR_write == 64, "numbers");
_Static_assert(sizeof(struct input_event) == 24 && sizeof(__u64) == 8, "structures");
_Static_assert(LINUX_VERSION_CODE >= KERNEL_VERSION(5, 11, 0), "version");

static uint32_t word;

int main(void) {
  char name[16] = "";
  syscall(__NR_prctl, PR_SET_NAME, "neutral", 0, 0, 0);
  prctl(PR_GET_NAME, name);
  long woken = syscall(__NR_futex, &word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
  printf("%s %ld %#x %#lx %d\n", name, woken, ETH_P_IP, (unsigned long)EVIOCGVERSION, NETLINK_ROUTE);
  puts("done");
}
