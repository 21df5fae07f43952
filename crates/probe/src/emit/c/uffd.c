static int uffd_open(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		cannot("userfaultfd");
	if (ioctl(fd, UFFDIO_API, &api))
		cannot("UFFDIO_API");
	return fd;
}

static void uffd_register(int fd, unsigned char *at, unsigned long mode)
{
	struct uffdio_register registration = { .range = { (unsigned long)at, PAGE }, .mode = mode };

	if (ioctl(fd, UFFDIO_REGISTER, &registration))
		cannot("UFFDIO_REGISTER");
}

/* Write-protects, or takes the protection away and wakes who waits. */
static inline long uffd_protect(int fd, unsigned char *at, int on)
{
	struct uffdio_writeprotect wp = { .range = { (unsigned long)at, PAGE }, .mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0 };

	return result(ioctl(fd, UFFDIO_WRITEPROTECT, &wp));
}

static inline long uffd_copy(int fd, unsigned char *at, const unsigned char *values, int cells)
{
	static unsigned char page[PAGE];

	fill(page, values, cells);
	struct uffdio_copy copy = { .dst = (unsigned long)at, .src = (unsigned long)page, .len = PAGE };

	return result(ioctl(fd, UFFDIO_COPY, &copy));
}

static inline long uffd_zeropage(int fd, unsigned char *at)
{
	struct uffdio_zeropage zero = { .range = { (unsigned long)at, PAGE } };

	return result(ioctl(fd, UFFDIO_ZEROPAGE, &zero));
}

#ifndef UFFDIO_MOVE
struct uffdio_move {
	__u64 dst, src, len, mode;
	__s64 move;
};
#define UFFDIO_MOVE _IOWR(UFFDIO, 0x05, struct uffdio_move)
#endif

static inline long uffd_move(int fd, unsigned char *to, unsigned char *from)
{
	struct uffdio_move move = { .dst = (unsigned long)to, .src = (unsigned long)from, .len = PAGE };

	return result(ioctl(fd, UFFDIO_MOVE, &move));
}
