BEGIN
{
	trace(arg0); trace(arg9); trace(pid); trace(tid); trace(ppid); trace(uid); trace(gid); trace(execname);
	trace(timestamp); trace(walltimestamp); trace(vtimestamp); trace(cpu); trace(id); trace(epid); trace(errno);
	trace(probeprov); trace(probemod); trace(probefunc); trace(probename); trace(args[0]); trace(args[1]); trace(args[2]);
	trace(copyinstr(arg0)); trace(copyinstr(args[2], 10)); trace(strlen(execname)); trace(strjoin("a", execname));
	trace(basename("a/b")); trace(dirname(execname)); trace(substr(execname, 1)); trace(substr(execname, 1, 2));
	trace(strstr(execname, "b")); trace(index(execname, "b")); trace(index(execname, "b", 1));
	trace(strstr(execname, "b") != NULL); trace(strstr(execname, "b") == 0); trace(execname != NULL);
	trace(ENOENT); trace(SIGINT); trace(DTRACEFLT_DIVZERO); trace(stringof(copyin(arg0, 8)));
	trace(*(uint8_t *)arg0); trace((int *)copyin(arg0, 4)); trace(stringof(execname)); trace((int)args[2]);
	trace(args[0] == 1 ? "one" : execname);
}
