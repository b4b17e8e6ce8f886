/* Associative arrays: keys of several types, tuples, zero removes, self-> and global ones. */
#pragma D option quiet
BEGIN
{
	a[1] = 10; a[2] = 20; a[-1] = 30;
	printf("%d %d %d %d\n", a[1], a[2], a[-1], a[3]);
	s["one", 1] = 11; s["one", 2] = 12; s["two", 1] = 21;
	printf("%d %d %d %d\n", s["one", 1], s["one", 2], s["two", 1], s["two", 2]);
	a[1]++; a[1] += 5; a[2] = 0; a[9]--;
	printf("%d %d %d\n", a[1], a[2], a[9]);
	names[1] = "first"; names[2] = "second";
	printf("[%s] [%s] [%s]\n", names[1], names[2], names[3]);
	self->t[5] = 50;
	printf("%d %d\n", self->t[5], self->t[6]);
	k = "key";
	s[k, 3] = 33;
	printf("%d %d\n", s["key", 3], s[strjoin("ke", "y"), 3]);
	exit(0);
}
