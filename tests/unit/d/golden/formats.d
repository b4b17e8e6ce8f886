BEGIN
{
	printf("plain %% text\n");
	printf("%d %i %u %o %x %X %c %p %a", 1, pid, uid, 2, 3, 4, 'a', arg0, (char *)arg1);
	printf("[%-10s|%10.3s|%S]", execname, "abc", copyinstr(arg0));
	printf("%5d %-5d %05d %+d % d %#x %'d", 1, 2, 3, 4, 5, 6, 7);
	printf("%hd %hhd %ld %lld %llx %zu", 1, 2, 3, 4, 5, 6);
	printf("%*d %.*s %-*.*s", 5, 1, 3, "abc", 6, 2, "xyz");
	printf("%?p %Y", arg0, walltimestamp);
	trace(execname); trace(pid); trace(copyin(arg0, 8)); trace((char *)arg0);
	exit(0);
	system("echo %s %d", execname, pid);
}
