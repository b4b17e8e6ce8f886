BEGIN, END
{
	@ = count();
	@named["a", pid, arg0] = sum(arg1 + 1);
	@named["b", 5, timestamp] = sum(2);
	@where[probefunc, probemod] = max(arg0);
	@where["none", probename] = max(0);
	@mixed[probefunc] = min(1);
	@mixed[execname] = min(1);
	@q = quantize(arg0);
	@l = lquantize(arg0, -10, 100, 5);
	@l1 = lquantize(arg0, 0, 10);
	@ll = llquantize(arg0, 10, 0, 6, 20);
	@a = avg(arg0); @s = stddev(arg0);
}
tick-1s
{
	printa(@named);
	printa("%s %d %x %@d\n", @named);
	printa("%@10u %@d", @q, @l);
	clear(@named); trunc(@named); trunc(@where, 5); normalize(@named, 1000); denormalize(@named);
}
