/* printf: flags, widths, precisions, sizes. */
#pragma D option quiet
BEGIN
{
	printf("[%d] [%5d] [%-5d] [%05d] [%+d]\n", 42, 42, 42, 42, 42);
	printf("[%x] [%X] [%#x] [%o] [%u]\n", 255, 255, 255, 8, 42);
	printf("[%s] [%8s] [%-8s] [%.2s]\n", "text", "text", "text", "text");
	printf("[%c] [%c%c]\n", 'A', 66, 67);
	printf("[%d%%] [%i]\n", 50, 7);
	printf("[%hhd] [%hd] [%ld] [%lld]\n", 1, 2, (int64_t)3, (int64_t)4);
	printf("[%*d] [%-*d]\n", 6, 42, 6, 42);
	printf("plain\n");
	exit(0);
}
