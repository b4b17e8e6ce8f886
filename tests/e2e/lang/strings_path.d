/* basename() and dirname(), on variables and constants. */
#pragma D option quiet
BEGIN
{
	h = "hello";
	w = "hello world";
	e = "";
	printf("[%s] [%s] [%s] [%s] [%s]\n", basename("/foo/bar"), basename("/foo/bar/"), basename("foo"), basename("/"),
	    basename(e));
	printf("[%s] [%s] [%s] [%s] [%s]\n", dirname("/foo/bar"), dirname("/foo/bar/"), dirname("foo"), dirname("/"),
	    dirname(e));
	exit(0);
}
