/* io_uring, as much as fixed buffers need: the page is pinned (FOLL_PIN | FOLL_LONGTERM | FOLL_WRITE) while the buffer is registered. */
struct ring {
	int fd;
	unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	unsigned char *buffer;
};

static inline void *ring_part(int fd, size_t size, unsigned long long offset)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	if (p == MAP_FAILED)
		cannot("mapping an io_uring");
	/* A child has no part in it. */
	madvise(p, size, MADV_DONTFORK);
	return p;
}

static inline struct ring *register_buffer(unsigned char *page)
{
	struct io_uring_params p = { 0 };
	struct ring *r = calloc(1, sizeof(*r));

	if (!r)
		cannot("calloc");
	r->fd = syscall(SYS_io_uring_setup, 4, &p);
	if (r->fd < 0)
		cannot("io_uring_setup");
	unsigned char *sq = ring_part(r->fd, p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	unsigned char *cq = ring_part(r->fd, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);

	r->sqes = ring_part(r->fd, p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	r->sq_tail = (unsigned *)(sq + p.sq_off.tail);
	r->sq_mask = (unsigned *)(sq + p.sq_off.ring_mask);
	r->sq_array = (unsigned *)(sq + p.sq_off.array);
	r->cq_head = (unsigned *)(cq + p.cq_off.head);
	r->cq_mask = (unsigned *)(cq + p.cq_off.ring_mask);
	r->cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	r->buffer = page;
	struct iovec iov = { page, PAGE };

	if (syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_BUFFERS, &iov, 1))
		cannot("IORING_REGISTER_BUFFERS");
	return r;
}

static inline long unregister(struct ring *r)
{
	return result(syscall(SYS_io_uring_register, r->fd, IORING_UNREGISTER_BUFFERS, NULL, 0));
}

/* Reads from the file into the buffer, or writes the buffer to the file. */
static inline long fixed(struct ring *r, int fd, int write, unsigned char *at, size_t size, long offset)
{
	unsigned tail = *r->sq_tail, slot = tail & *r->sq_mask;

	r->sqes[slot] = (struct io_uring_sqe){
		.opcode = write ? IORING_OP_WRITE_FIXED : IORING_OP_READ_FIXED,
		.fd = fd, .addr = (unsigned long)at, .len = size, .off = offset, .buf_index = 0,
	};
	r->sq_array[slot] = slot;
	__atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
	while (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	long got = r->cqes[*r->cq_head & *r->cq_mask].res;

	__atomic_store_n(r->cq_head, *r->cq_head + 1, __ATOMIC_RELEASE);
	return got < 0 ? got : 0;
}
