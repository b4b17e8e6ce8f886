/* lines: 226 */
/* All aggregating functions, with what can be done to them. */
#pragma D option quiet
python$1:__main__::function-entry
{
	@count[probefunc] = count();
	@sum = sum(arg2);
	@least[probemod] = min(arg2);
	@most[probemod] = max(arg2);
	@mean[probefunc] = avg(arg2);
	@deviation = stddev(arg2);
	@two[probefunc] = quantize(arg2);
	@linear = lquantize(arg2, 0, 200, 10);
	@loglinear = llquantize(arg2, 10, 0, 6, 20);
	@pair[probefunc, tid == pid] = count();
	@other[probefunc, tid == pid] = sum(arg2 % 7);
}
syscall::getppid:return, syscall::geteuid:return
/pid == $1/
{
	@count[probefunc] = count();
	@signed[probefunc] = sum(errno - 3);
	@size = quantize(arg1 ? 100 : 0); /* not the number itself: how many lines that makes differs */
}
END
{
	printa("%s %@d\n", @count);
	printa(@sum);
	printa("%s %@d\n", @least);
	printa("%s %@d\n", @most);
	printa(@mean);
	printa("deviation %@d\n", @deviation);
	printa(@two);
	printa(@linear);
	printa(@loglinear);
	printa("%-20s %d %@6d %@6d\n", @pair, @other);
	clear(@sum);
	printa(@sum);
	trunc(@deviation);
	printa("deviation %@d\n", @deviation);
	printa(@signed);
	normalize(@other, 3);
	printa("%s %d %@d\n", @other);
	denormalize(@other);
	trunc(@other, 3);
	printa("%s %d %@d\n", @other);
	trunc(@other, -1);
	printa("%s %d %@d\n", @other);
	clear(@other);
	printa("%s %d %@d\n", @other);
}
