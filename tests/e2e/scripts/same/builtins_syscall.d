/* lines: 116 */
/* Every built-in variable that is the same in two rounds, at system calls. */
#pragma D option quiet
syscall::getppid:entry, syscall::geteuid:entry, syscall::lseek:entry,
syscall::getppid:return, syscall::geteuid:return, syscall::lseek:return
/pid == $1/
{
	printf("%s %s %s %s %d %d %d %d %d %d %s %d\n", probeprov, probemod, probefunc, probename, pid, tid, ppid, uid, gid,
	    epid, execname, id);
}
