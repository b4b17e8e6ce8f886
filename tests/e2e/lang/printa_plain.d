/* printa() without a format, and of several aggregations, and of one without keys. */
#pragma D option quiet
BEGIN
{
	@["x", 1] = sum(7); @["y", 2] = sum(5);
	@none = count();
	printa(@);
	printa(@none);
	printa("%-5s|%5d|%@8d\n", @);
	exit(0);
}
