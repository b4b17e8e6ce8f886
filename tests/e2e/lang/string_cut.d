/* Strings are cut to strsize - 1 bytes; constants too. */
#pragma D option quiet
#pragma D option strsize=8
BEGIN
{
	s = "0123456789";
	printf("[%s] %d [%s]\n", s, strlen(s), strjoin("abcde", "fghij"));
	printf("%d\n", s == "0123456xxx");
	exit(0);
}
