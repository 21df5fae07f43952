/* Into a pipe by reference: the page stays referenced (FOLL_GET, read-only) until it is read out. */
static inline long into_pipe(const int p[2], unsigned char *at, size_t size)
{
	struct iovec iov = { at, size };

	return result(vmsplice(p[1], &iov, 1, 0));
}

/* The next cell out of a pipe. */
static inline long out_of_pipe(const int p[2])
{
	unsigned char cell[SECTOR];

	for (size_t got = 0; got < sizeof(cell);) {
		ssize_t n = read(p[0], cell + got, sizeof(cell) - got);

		if (n <= 0)
			return -errno;
		got += n;
	}
	return cell[0];
}

static inline long pipe_to_pipe(const int p[2], const int q[2], int copy)
{
	ssize_t n = copy ? tee(p[0], q[1], PAGE, 0) : splice(p[0], NULL, q[1], NULL, PAGE, 0);

	return result(n);
}
