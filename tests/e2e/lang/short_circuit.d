/* && || and ?: evaluate what they need and no more. */
#pragma D option quiet
BEGIN
{
	zero = 0; one = 1;
	a = zero && n++;
	b = one || n++;
	c = one && n++;
	d = zero || n++;
	e = one ? 5 : n++;
	printf("%d: %d %d %d %d %d\n", n, a, b, c, d, e);
	exit(0);
}
