BEGIN /1 + 1 == 2/ { trace(1); }
BEGIN
{
	trace(2 + 3 * 4 - 1); trace(7 / 2); trace(-7 / 2); trace(-7 % 3); trace(1 << 10 | 5); trace(-8 >> 1);
	trace(0xffffffff + 1); trace(2147483647 + 1); trace(4294967295); trace(0x80000000); trace(1 << 40);
	trace(1L << 40); trace(-1 < 1U); trace(-1 < 1L); trace((uint8_t)300); trace((int8_t)200); trace((char)'a');
	trace(!5); trace(!!5); trace(~0); trace(~0UL); trace(1 ^^ 1); trace(1 ^^ 0); trace(0 && x); trace(1 || x);
	trace(1 && x); trace("a" == "a"); trace("a" < "b"); trace("b" <= "a"); trace("a" != "b"); trace(1 ? 2 : 3L);
	trace(0 ? "x" : "y"); trace(sizeof(int) + sizeof(string)); trace(NULL == 0); trace(010 + 0x10); trace('ab');
	trace('\n'); trace('\xff'); trace(9223372036854775807 + 1); trace(-9223372036854775807 - 1);
	trace((-9223372036854775807 - 1) / -1); trace(18446744073709551615); trace(5u - 6);
	x = 1;
}
