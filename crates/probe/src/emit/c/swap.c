static void need_swap(void)
{
	char line[200];
	int lines = 0;
	FILE *swaps = fopen("/proc/swaps", "r");

	while (swaps && fgets(line, sizeof(line), swaps))
		lines++;
	if (swaps)
		fclose(swaps);
	if (lines < 2) {
		errno = ENODEV;
		cannot("there is no swap area (/proc/swaps)");
	}
}
