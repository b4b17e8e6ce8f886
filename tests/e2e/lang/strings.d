/* Lengths, joins and places in strings, on variables and constants. */
#pragma D option quiet
BEGIN
{
	h = "hello";
	w = "hello world";
	e = "";
	printf("%d %d %d\n", strlen(h), strlen(e), strlen("four"));
	printf("[%s] [%s] [%s]\n", strjoin(h, " you"), strjoin(e, h), strjoin(e, e));
	printf("%d %d %d %d\n", index(h, "l"), index(h, "z"), index(w, "o", 5), index(h, e));
	printf("[%s] %d\n", strstr(w, "lo w"), strstr(w, "nothing") == 0);
	exit(0);
}
