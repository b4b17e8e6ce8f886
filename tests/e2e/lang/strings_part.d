/* Parts of strings, on variables and constants. */
#pragma D option quiet
BEGIN
{
	h = "hello";
	w = "hello world";
	e = "";
	printf("[%s] [%s] [%s] [%s] [%s]\n", substr(h, 1), substr(h, 1, 3), substr(h, -3), substr(h, -3, 2), substr(h, 9));
	exit(0);
}
