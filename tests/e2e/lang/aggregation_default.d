/* What is printed at the end where no printa() has. */
#pragma D option quiet
BEGIN
{
	@["read"] = sum(12); @["a_rather_long_name"] = sum(3);
	@calls[1, "x"] = count();
	@total = sum(-5);
	exit(0);
}
