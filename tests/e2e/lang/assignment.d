/* Every assignment operator; values of ++ and --; a chain. */
#pragma D option quiet
BEGIN
{
	x = 10;
	x += 5; printf("%d ", x);
	x -= 3; printf("%d ", x);
	x *= 4; printf("%d ", x);
	x /= 5; printf("%d ", x);
	x %= 5; printf("%d ", x);
	x <<= 4; printf("%d ", x);
	x >>= 2; printf("%d ", x);
	x |= 3; printf("%d ", x);
	x &= 14; printf("%d ", x);
	x ^= 5; printf("%d\n", x);
	y = 5;
	printf("%d ", y++); printf("%d ", y); printf("%d ", ++y); printf("%d ", y--); printf("%d\n", --y);
	a = b = c = 9;
	printf("%d %d %d\n", a, b, c);
	exit(0);
}
