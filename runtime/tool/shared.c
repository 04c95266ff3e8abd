/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See shared.h. */
#include "shared.h"

enum { CLONE_NEWNS = 0x00020000, MS_BIND = 4096, MS_REC = 16384, MS_SLAVE = 1 << 19, AT_REMOVEDIR = 0x200, STATX_INO = 0x100, FOR_ROOT = 0700, FOR_ALL = 01777, O_PATH = 010000000 };
/* Everybody may write in the inner one of both, as in a /dev/shm, but who is not of the job cannot come to it. */
static const char private[] = "/data/shm", beneath[] = "/data/shm/all";
static const char shared[] = "/dev/shm", own_mounts[] = "/proc/self/ns/mnt";

static bool is_same(const struct file_status *one, const struct file_status *other)
{
	return one->inode == other->inode && one->device_major == other->device_major && one->device_minor == other->device_minor;
}

static bool are_same(const char *one, const char *other)
{
	struct file_status first = { 0 }, second = { 0 };
	return SYS(NR_statx, AT_FDCWD, one, 0, STATX_INO, &first) == 0 && SYS(NR_statx, AT_FDCWD, other, 0, STATX_INO, &second) == 0 && is_same(&first, &second);
}

/* 1 if our root directory is not that of our mount namespace, as by sshd's ChrootDirectory; 0 or -errno. */
static long has_another_root(void)
{
	enum { STATX_MNT_ID = 0x1000 /* Linux 5.8; in after[0] */ };
	struct file_status ours = { 0 }, whole = { 0 };
	int namespace = open_file(own_mounts, O_RDONLY), root = open_file("/", O_PATH), here = open_file(".", O_PATH);
	long result = SYS(NR_statx, AT_FDCWD, "/", 0, STATX_INO | STATX_MNT_ID, &ours);
	if (result == 0)
		result = SYS(NR_setns, namespace, CLONE_NEWNS); /* takes us to its root */
	if (result == 0)
		result = SYS(NR_statx, AT_FDCWD, "/", 0, STATX_INO | STATX_MNT_ID, &whole);
	bool other = !is_same(&ours, &whole) || ours.after[0] != whole.after[0];
	if (result == 0 && other && (result = SYS(NR_fchdir, root)) == 0)
		result = SYS(NR_chroot, ".");
	SYS(NR_fchdir, here);
	SYS(NR_close, namespace);
	SYS(NR_close, root);
	SYS(NR_close, here);
	return result < 0 ? result : other;
}

/* What is mounted and unmounted on the node goes on being so here as well. Below another root the paths that others see of a program would be others. */
long isolate_ahead(void)
{
	long result = has_another_root();
	result = result > 0 ? -EPERM : result < 0 ? result : SYS(NR_unshare, CLONE_NEWNS);
	return result == 0 ? SYS(NR_mount, "none", "/", 0, MS_REC | MS_SLAVE) : result;
}

long provide_shared(const char *state)
{
	return SYS(NR_mount, format("%s%s", state, beneath), shared, 0, MS_BIND);
}

long make_shared(const char *state, bool fresh)
{
	const char *outer = format("%s%s", state, private), *directory = format("%s%s", state, beneath);
	if (fresh && (SYS(NR_mkdirat, AT_FDCWD, outer, FOR_ROOT) < 0 || SYS(NR_mkdirat, AT_FDCWD, directory, 0) < 0 || SYS(NR_fchmodat, AT_FDCWD, directory, FOR_ALL) < 0))
		return 0; /* it is no job's */
	if (!file_exists(directory))
		return 0;
	long result = isolate_ahead();
	if (result == 0)
		result = provide_shared(state);
	if (result < 0 && SYS(NR_unlinkat, AT_FDCWD, directory, AT_REMOVEDIR) < 0)
		return result;
	if (result < 0)
		SYS(NR_unlinkat, AT_FDCWD, outer, AT_REMOVEDIR);
	return 0;
}

long enter_shared(int pid)
{
	const char *path = format("/proc/%d/ns/mnt", (long)pid);
	if (are_same(path, own_mounts))
		return 0;
	int namespace = open_file(path, O_RDONLY);
	long result = namespace < 0 ? namespace : SYS(NR_setns, namespace, CLONE_NEWNS);
	SYS(NR_close, namespace);
	return result;
}

const char *shared_of(int pid, const char *program)
{
	size_t end = strlen(program);
	for (int components = 2; components; components--) /* bin/PROG */
		for (end -= end > 0; end && program[end] != '/';)
			end--;
	char *directory = allocate(end + sizeof beneath);
	memcpy(directory, program, end);
	memcpy(directory + end, beneath, sizeof beneath);
	return are_same(format("/proc/%d/root%s", (long)pid, shared), directory) ? directory : NULL;
}
