#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static inline long remote_madvise(pid_t pid, unsigned char *at, int advice)
{
	struct iovec there = { at, PAGE };
	int fd = syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return -errno;
	long r = result(syscall(SYS_process_madvise, fd, &there, 1, advice, 0));

	close(fd);
	return r;
}

static inline int mem_open(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* /proc/PID/mem: FOLL_FORCE. */
static inline long mem_write(pid_t pid, unsigned char *at, unsigned char value)
{
	int fd = mem_open(pid);
	long r = fd < 0 ? -errno : result(pwrite(fd, &value, 1, (off_t)at));

	if (fd >= 0)
		close(fd);
	return r;
}

static inline long mem_read(pid_t pid, unsigned char *at)
{
	unsigned char value = 0;
	int fd = mem_open(pid);
	long r = fd < 0 ? -errno : result(pread(fd, &value, 1, (off_t)at));

	if (fd >= 0)
		close(fd);
	return r ? r : value;
}

static inline long vm_write(pid_t pid, unsigned char *at, unsigned char value)
{
	struct iovec here = { &value, 1 }, there = { at, 1 };

	return result(process_vm_writev(pid, &here, 1, &there, 1, 0));
}
