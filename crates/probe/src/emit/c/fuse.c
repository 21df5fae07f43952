/*
 * The files: a FUSE server, which answers a direct read or write when the schedule says so. Until then the kernel holds its references
 * to the page. (FOLL_GET up to v6.8; since v6.9 FUSE pins.)
 */
struct held {
	unsigned long long unique;
	int file;
	unsigned long long offset;
	unsigned size;
};

static int fuse_dev = -1;
static char fuse_dir[] = "/tmp/reproducer-XXXXXX";
static struct held arrived, held[IOS + 1];
static sem_t arrival, take;
static volatile int hold_writes;

static void reply(unsigned long long unique, int error, const void *data, size_t size)
{
	struct fuse_out_header head = { .len = sizeof(head) + size, .error = -error, .unique = unique };
	struct iovec iov[2] = { { &head, sizeof(head) }, { (void *)data, size } };

	if (writev(fuse_dev, iov, 2) < 0 && errno != ENOENT)
		cannot("the FUSE server cannot answer");
}

static void attributes(int node, struct fuse_attr *attr)
{
	memset(attr, 0, sizeof(*attr));
	attr->ino = node;
	attr->mode = node == 1 ? S_IFDIR | 0755 : S_IFREG | 0666;
	attr->nlink = 1;
	attr->size = node == 1 ? 0 : PAGE;
	attr->uid = getuid();
	attr->gid = getgid();
}

/* Node 1 is the directory; file n is node n + 2 and its name is the digit n. */
static void *serve(void *unused)
{
	static char buffer[1 << 17];

	for (;;) {
		if (hold_writes) {
			struct pollfd ready = { .fd = fuse_dev, .events = POLLIN };

			/* What a direct write transfers is copied when its request is read: that is the device's reading of memory. */
			if (poll(&ready, 1, 10) == 1 && hold_writes) {
				sem_post(&arrival);
				while (sem_wait(&take))
					;
			} else {
				continue;
			}
		} else {
			struct pollfd ready = { .fd = fuse_dev, .events = POLLIN };

			if (poll(&ready, 1, 10) != 1 || hold_writes)
				continue;
		}
		ssize_t n = read(fuse_dev, buffer, sizeof(buffer));

		if (n < 0 && (errno == ENODEV || errno == EBADF))
			return unused;
		if (n < (ssize_t)sizeof(struct fuse_in_header))
			continue;
		struct fuse_in_header *in = (void *)buffer;
		void *arg = in + 1;

		switch (in->opcode) {
		case FUSE_INIT: {
			struct fuse_init_out out = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 1 << 16 };

			reply(in->unique, 0, &out, sizeof(out));
			break;
		}
		case FUSE_LOOKUP: {
			struct fuse_entry_out out = { .nodeid = *(char *)arg - '0' + 2, .attr_valid = 1000, .entry_valid = 1000 };

			attributes(out.nodeid, &out.attr);
			reply(in->unique, 0, &out, sizeof(out));
			break;
		}
		case FUSE_GETATTR: {
			struct fuse_attr_out out = { .attr_valid = 1000 };

			attributes(in->nodeid, &out.attr);
			reply(in->unique, 0, &out, sizeof(out));
			break;
		}
		case FUSE_OPEN: {
			struct fuse_open_out out = { .open_flags = FOPEN_DIRECT_IO };

			reply(in->unique, 0, &out, sizeof(out));
			break;
		}
		case FUSE_READ: {
			struct fuse_read_in *r = arg;

			arrived = (struct held){ in->unique, in->nodeid - 2, r->offset, r->size };
			sem_post(&arrival);
			break;
		}
		case FUSE_WRITE: {
			struct fuse_write_in *w = arg;
			struct fuse_write_out out = { .size = w->size };

			memcpy(sh->file[in->nodeid - 2] + w->offset, w + 1, w->size);
			reply(in->unique, 0, &out, sizeof(out));
			break;
		}
		case FUSE_FORGET:
		case FUSE_BATCH_FORGET:
		case FUSE_INTERRUPT:
			break;
		case FUSE_FLUSH:
		case FUSE_RELEASE:
			reply(in->unique, 0, NULL, 0);
			break;
		default:
			reply(in->unique, ENOSYS, NULL, 0);
		}
	}
}

/* Waits until the server has the request, and the kernel its references. */
static void wait_held(int io)
{
	wait_for_semaphore(&arrival, "the file's server got no request");
	held[io] = arrived;
}

/* The device transfers, and the call may return. */
static inline void answer_read(int io)
{
	struct held *h = &held[io];

	reply(h->unique, 0, sh->file[h->file] + h->offset, h->size);
}

static inline void answer_write(void)
{
	hold_writes = 0;
	sem_post(&take);
}

/* By force: what is still under way ends, and who closes a file does not wait for a server that is gone. */
static void fuse_umount(void)
{
	umount2(fuse_dir, MNT_FORCE | MNT_DETACH);
	rmdir(fuse_dir);
}

static void fuse_mount(void)
{
	char options[128];

	if (!mkdtemp(fuse_dir))
		cannot(fuse_dir);
	fuse_dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse_dev < 0)
		cannot("/dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%d,group_id=%d", fuse_dev, getuid(), getgid());
	if (mount("reproducer", fuse_dir, "fuse", MS_NOSUID | MS_NODEV, options))
		cannot("mounting FUSE (needs root)");
	atexit(fuse_umount);
	sem_init(&arrival, 0, 0);
	sem_init(&take, 0, 0);
	pthread_t server;

	if (pthread_create(&server, NULL, serve, NULL))
		cannot("pthread_create");
}

static int open_file(int n)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%d", fuse_dir, n);
	int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		cannot(path);
	return fd;
}

/* A read or write that somebody waits for later. */
struct io {
	pthread_t thread;
	int fd, write;
	unsigned char *at;
	size_t size;
	long offset, result;
};

static inline void *transfer(void *arg)
{
	struct io *io = arg;
	ssize_t n = io->write ? pwrite(io->fd, io->at, io->size, io->offset) : pread(io->fd, io->at, io->size, io->offset);

	io->result = result(n);
	return NULL;
}

static inline struct io *submit(int fd, int write, unsigned char *at, size_t size, long offset)
{
	struct io *io = calloc(1, sizeof(*io));

	if (!io)
		cannot("calloc");
	io->fd = fd;
	io->write = write;
	io->at = at;
	io->size = size;
	io->offset = offset;
	if (pthread_create(&io->thread, NULL, transfer, io))
		cannot("pthread_create");
	return io;
}

static inline long wait_for(struct io *io)
{
	pthread_join(io->thread, NULL);
	return io->result;
}
