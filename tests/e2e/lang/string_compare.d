/* Strings compare as bytes. */
#pragma D option quiet
BEGIN
{
	a = "apple"; b = "banana"; c = "apple"; e = "";
	printf("%d %d %d %d\n", a == c, a == b, a != b, a != c);
	printf("%d %d %d %d\n", a < b, a > b, a <= c, a >= b);
	printf("%d %d %d\n", e == "", e < a, a == "appl");
	printf("%d %d\n", "\377" > "a", a == "apples");
	exit(0);
}
BEGIN /a == "apple" && b != "apple"/ { printf("yes\n"); }
BEGIN /a == b/ { printf("no\n"); }
