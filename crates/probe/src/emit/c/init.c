/*
 * As /init of a virtual machine: mounts what it needs, loads the modules that /modules/order names (one a line, in this order), makes a
 * swap device of zram, runs the test and powers off.
 */
static void load_modules(void)
{
	FILE *order = fopen("/modules/order", "r");
	char name[200], path[220];

	while (order && fscanf(order, "%199s", name) == 1) {
		snprintf(path, sizeof(path), "/modules/%s", name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
			printf("%s: %s\n", path, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	if (order)
		fclose(order);
}

static void swap_on_zram(void)
{
	/* The header of a swap area, as mkswap(8) writes it. */
	static unsigned char header[PAGE];
	unsigned area[3] = { 1, (64 << 20) / PAGE - 1, 0 };

	memcpy(header + 1024, area, sizeof(area));
	memcpy(header + PAGE - 10, "SWAPSPACE2", 10);
	if (write_file("/sys/block/zram0/disksize", "64M"))
		return;
	int fd = open("/dev/zram0", O_RDWR | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, header, PAGE, 0) != PAGE || fsync(fd) || syscall(SYS_swapon, "/dev/zram0", 0))
		printf("swap on zram: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void as_init(void)
{
	int status = 0;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mkdir("/tmp", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
	load_modules();
	swap_on_zram();
	struct utsname uts;

	uname(&uts);
	printf("Linux %s\n", uts.release);
	fflush(stdout);
	pid_t test = fork();

	if (!test)
		return;
	while (waitpid(test, &status, 0) < 0 && errno == EINTR)
		;
	printf("exit code %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 2);
	fflush(stdout);
	tcdrain(1);
	reboot(RB_POWER_OFF);
	_exit(0);
}
