/* Every scalar aggregating function, with and without keys. */
#pragma D option quiet
BEGIN
{
	@c = count(); @c = count(); @c = count();
	@s = sum(5); @s = sum(-7); @s = sum(100);
	@lo = min(5); @lo = min(-7); @lo = min(100);
	@hi = max(5); @hi = max(-7); @hi = max(100);
	@avg = avg(10); @avg = avg(20); @avg = avg(33);
	@dev = stddev(2); @dev = stddev(4); @dev = stddev(4); @dev = stddev(4);
	@dev = stddev(5); @dev = stddev(5); @dev = stddev(7); @dev = stddev(9);
	printa("count %@d\n", @c);
	printa("sum %@d\n", @s);
	printa("min %@d\n", @lo);
	printa("max %@d\n", @hi);
	printa("avg %@d\n", @avg);
	printa("stddev %@d\n", @dev);
	exit(0);
}
