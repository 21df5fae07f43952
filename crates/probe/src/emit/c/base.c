#define SECTOR 512		/* a cell of the test */
#define PAGE 4096

/* This machine cannot run it: says what is missing. Exit code 2. */
static void cannot(const char *what)
{
	if (errno)
		printf("CANNOT RUN: %s: %s\n", what, strerror(errno));
	else
		printf("CANNOT RUN: %s\n", what);
	fflush(stdout);
	if (getpid() == sh->controller)
		exit(2);
	kill(sh->controller, SIGTERM);
	_exit(2);
}

/*
 * Turns: before each of its calls a thread waits until the schedule lets it go, and afterwards says that it is back. So the calls come
 * in the order of the story, one at a time.
 */
static void turn(int who)
{
	me = who;
	while (sem_wait(&sh->go[who]))
		;
}

static void done(int who)
{
	sem_post(&sh->back[who]);
}

/* A thread that has come to its end, or to its SIGSEGV, stays: its process goes on having its memory. */
static void stay(void)
{
	for (;;)
		pause();
}

static inline void *over(void)
{
	stay();
	return NULL;
}

static void died(int sig)
{
	sh->died[me] = sig;
	sem_post(&sh->back[me]);
	stay();
}

static void start(int who)
{
	sem_post(&sh->go[who]);
}

static void wait_for_semaphore(sem_t *semaphore, const char *otherwise)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 20;
	while (sem_timedwait(semaphore, &limit)) {
		if (errno != EINTR)
			cannot(otherwise);
	}
}

static void finish(int who)
{
	wait_for_semaphore(&sh->back[who], "a call did not return, so the order of the story is not possible here");
}

static inline void run(int who)
{
	start(who);
	finish(who);
}

/* Accesses as the test has them: one load, one store, of a cell's first byte. */
static inline long load(const unsigned char *p)
{
	return *(const volatile unsigned char *)p;
}

static inline void store(unsigned char *p, long value)
{
	*(volatile unsigned char *)p = value;
}

/* A page without a value of its own is not all zero, lest swap and zram treat it specially. */
static inline void fill(unsigned char *p, const unsigned char *values, int cells)
{
	memset(p, 0x5a, PAGE);
	for (int i = 0; i < cells; i++)
		memset(p + i * SECTOR, values[i], SECTOR);
}

/* Takes fresh pages off this CPU's LRU batch, whose references would count: MADV_COLD begins with lru_add_drain(). */
static inline void drain(void)
{
	static unsigned char *other;

	if (!other) {
		other = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (other == MAP_FAILED)
			cannot("mmap");
		store(other, 1);
	}
	madvise(other, PAGE, 20 /* MADV_COLD */);
}

static unsigned char *map(unsigned char *at)
{
	unsigned char *p = mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (p == MAP_FAILED)
		cannot("mmap");
	madvise(p, PAGE, MADV_NOHUGEPAGE);
	return p;
}

/* What a fresh load in a process gives, or minus an errno. */
static inline long peek(pid_t pid, const unsigned char *at)
{
	unsigned char value;
	struct iovec here = { &value, 1 }, there = { (void *)at, 1 };

	return process_vm_readv(pid, &here, 1, &there, 1, 0) == 1 ? value : -errno;
}

/* What /proc/PID/pagemap says of a page. */
static inline unsigned long long pagemap(pid_t pid, const unsigned char *at)
{
	unsigned long long entry = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, &entry, 8, (unsigned long)at / PAGE * 8) != 8)
		cannot(path);
	close(fd);
	return entry;
}

static inline int soft_dirty(pid_t pid, const unsigned char *at)
{
	return pagemap(pid, at) >> 55 & 1;
}

static inline int swapped(pid_t pid, const unsigned char *at)
{
	return pagemap(pid, at) >> 62 & 1;
}

static inline int present(pid_t pid, const unsigned char *at)
{
	return pagemap(pid, at) >> 63 & 1;
}

/* 0 without CAP_SYS_ADMIN. */
static inline unsigned long long pfn(pid_t pid, const unsigned char *at)
{
	unsigned long long entry = pagemap(pid, at);
	unsigned long long frame = entry >> 63 ? entry & ((1ull << 55) - 1) : 0;

	if (entry >> 63 && !frame) {
		errno = EPERM;
		cannot("frame numbers in pagemap need root");
	}
	return frame;
}

/* Has a process ended, address space and all? Its parent ignores SIGCHLD, so nothing of it stays. */
static inline void wait_gone(pid_t pid)
{
	for (int tries = 0; tries < 20000; tries++) {
		if (kill(pid, 0) && errno == ESRCH)
			return;
		usleep(1000);
	}
	errno = ETIMEDOUT;
	cannot("a process did not end");
}

static inline int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	ssize_t n = write(fd, text, strlen(text));
	int error = errno;

	close(fd);
	errno = error;
	return n < 0 ? -1 : 0;
}

static inline long clear_refs(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", pid);
	return write_file(path, "4") ? -errno : 0;
}

/* 0, or minus an errno. */
static inline long result(long r)
{
	return r < 0 ? -errno : 0;
}

/* A call whose result the test does not ask for: if it fails, that is told. */
static inline void expect(long r, const char *call)
{
	if (r < 0)
		printf("note: %s: %s\n", call, strerror(-r));
}

/* The child runs its program and stays. */
static inline long fork_process(int n, void (*program)(void))
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		program();
		stay();
	}
	sh->pid[n] = pid;
	return 0;
}

static inline void go(void *(*program)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, program, NULL))
		cannot("pthread_create");
}
