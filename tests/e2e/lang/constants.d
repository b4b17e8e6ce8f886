/* Ways to write a constant, and folding. */
#pragma D option quiet
BEGIN
{
	printf("%d %d %d %d\n", 10, 010, 0x10, 'A');
	printf("%d %d %d\n", '\n', '\0', '\\');
	printf("%d %d\n", 7 / 2, -7 / 2);
	printf("%d %u\n", 0x7fffffffffffffff, 0xffffffffffffffffULL);
	printf("%d %d %d %d\n", sizeof (int), sizeof (char), sizeof (int64_t), sizeof (uint16_t));
	printf("%s|%s\n", "tab\there", "quote\"and\\");
	printf("%d\n", (1 + 2) * 3 - 4 / 2 % 3);
	exit(0);
}
