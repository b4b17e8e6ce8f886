/* -x aggsortkey and aggsortrev. */
#pragma D option quiet
#pragma D option aggsortkey
#pragma D option aggsortrev
BEGIN
{
	@["b"] = sum(1); @["c"] = sum(2); @["a"] = sum(3);
	printa("%s %@d\n", @);
	exit(0);
}
