/*! opt strsize 256 */
/* Many searches in one program: each must cost the verifier little, and no branch that stays open. */
BEGIN
{
	s = "hello world";
	y = "o";
	n = index(s, y) + index(s, y, 5);
	n += strstr(s, y) != NULL;
	n += index(s, "abc1") + index(s, "abc2") + index(s, "abc3") + index(s, "abc4") + index(s, "abc5");
	n += index(s, "abc6") + index(s, "abc7") + index(s, "abc8") + index(s, "abc9") + index(s, "ab10");
	n += index(s, "ab11") + index(s, "ab12") + index(s, "ab13") + index(s, "ab14") + index(s, "ab15");
	n += index(s, "ab16") + index(s, "ab17") + index(s, "ab18") + index(s, "ab19") + index(s, "ab20");
	trace(n);
	trace(index(s, "", 100));
	trace(basename(s));
}
/*! expect -8 11 'hello world' */
