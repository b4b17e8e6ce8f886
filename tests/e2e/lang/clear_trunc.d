/* clear() keeps the keys, trunc() drops them, trunc(n) keeps the n highest, negative n the lowest; normalize() divides. */
#pragma D option quiet
BEGIN
{
	@c["a"] = sum(10); @c["b"] = sum(20);
	@t["a"] = sum(10); @t["b"] = sum(20); @t["c"] = sum(30);
	@l["a"] = sum(10); @l["b"] = sum(20); @l["c"] = sum(30);
	@n["a"] = sum(1000); @n["b"] = sum(2500);
	clear(@c);
	printa("clear %s %@d\n", @c);
	trunc(@t, 2);
	printa("high %s %@d\n", @t);
	trunc(@t);
	printa("not this %s %@d\n", @t);
	trunc(@l, -1);
	printa("low %s %@d\n", @l);
	normalize(@n, 10);
	printa("tenth %s %@d\n", @n);
	denormalize(@n);
	printa("whole %s %@d\n", @n);
}
tick-100ms
{
	@c["a"] = sum(7); @t["c"] = sum(1); @t["d"] = sum(2);
	printa("again %s %@d\n", @c);
	printa("anew %s %@d\n", @t);
	exit(0);
}
