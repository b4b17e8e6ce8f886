/* Keys of several types; rows by rising value. */
#pragma D option quiet
BEGIN
{
	@a["c", 1] = sum(30); @a["a", 2] = sum(10); @a["b", 3] = sum(20);
	@a["a", 2] = sum(5);
	@n[-1] = count(); @n[1] = count(); @n[1] = count();
	@p[probename] = count();
	@m[execname == "" ? "nobody" : "somebody"] = count();
	printa("%s %d: %@d\n", @a);
	printa("%d: %@d\n", @n);
	printa("%s: %@d\n", @p);
	printa("%s: %@d\n", @m);
	exit(0);
}
