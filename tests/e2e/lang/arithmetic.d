/* Integer operators, on variables, so that they are not folded. */
#pragma D option quiet
BEGIN
{
	a = 7; b = 3; n = -7; z = 0;
	printf("%d %d %d %d\n", a / b, n / b, a % b, n % b);
	printf("%d %d %d\n", a + b * 2, (a + b) * 2, a - b - 1);
	printf("%x %x %x\n", (a << 4) & 0x3c, (a << 4) | 0xf, (a << 4) ^ 0xff);
	printf("%d %d\n", a << 10, n >> 1);
	printf("%d %d %d %d\n", !z, !a, ~z, -n);
	printf("%d %d %d %d %d %d\n", a < b, a <= 7, a > b, a >= 8, a == 7, a != 7);
	printf("%d %d %d %d\n", n < a, n > 0, a && z, a || z);
	printf("%d %d %d\n", a ^^ b, a ^^ z, z ^^ z);
	printf("%d %d\n", a > b ? 10 : 20, a < b ? 10 : 20);
	printf("%d\n", (a, b));
	printf("%d %d\n", a ? b ? 1 : 2 : 3, z ? 1 : z ? 2 : 3);
	printf("%d %d\n", 2 + 3 << 1, 1 | 6 & 3);
	exit(0);
}
