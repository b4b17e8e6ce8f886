/* Integer types: casts cut, and stores into a variable of the type cut too. */
#pragma D option quiet
int8_t small;
uint8_t byte;
uint32_t word;
uint64_t big;
BEGIN
{
	v = 300;
	printf("%d %d\n", (uint8_t)v, (int8_t)(v - 100));
	m = -1;
	printf("%d %u\n", (uint16_t)m, (uint32_t)m);
	small = 200;
	byte = 256 + 5;
	word = -1;
	big = 1;
	big = big << 40;
	printf("%d %d %u %d\n", small, byte, word, big);
	i = 2147483647;
	i++;
	printf("%d\n", i);
	printf("%d\n", (int64_t)2147483647 + 1);
	exit(0);
}
