/* Built-in variables that are known, or must be in some relation. */
#pragma D option quiet
BEGIN
{
	t = timestamp;
	printf("%d %d %d %d\n", pid == $pid, tid == pid, ppid == $ppid, uid == $uid && gid == $gid);
	printf("%s %s%s%s %s\n", probeprov, probemod, probefunc, "-", probename);
	printf("%d %d\n", cpu >= 0 && cpu < 4096, epid);
	printf("%d %d %d\n", timestamp >= t, walltimestamp > (int64_t)1500000000 * 1000000000, index(execname, "pydtrace") == 0);
	printf("%d\n", vtimestamp > 0);
	exit(0);
}
