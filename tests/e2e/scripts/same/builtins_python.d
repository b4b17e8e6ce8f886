/* lines: 90 */
/* Every built-in variable that is the same in two rounds, at Python's probes. */
#pragma D option quiet
python$1:__main__::function-entry, python$1:__main__::function-return
{
	printf("%s %s %s %s %d %d %d %d %d %d %s %s %s %d %d %d\n", probeprov, probemod, probefunc, probename, pid, tid, ppid,
	    uid, gid, epid, execname, basename(copyinstr(arg0)), copyinstr(arg1), arg2, id, errno);
	before = timestamp;
}
python$1:__main__::function-return
/timestamp < before || walltimestamp < 1000000000000000000 || vtimestamp <= 0 || cpu > 4095/
{ printf("time runs backwards\n"); }
