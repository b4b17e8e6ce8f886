/* lines: 22 */
/* Numbers of all widths, from arguments of system calls. */
#pragma D option quiet
int8_t b; uint8_t ub; int16_t h; uint32_t w; int64_t q;
syscall::lseek:return /pid == $1/
{
	b = arg0; ub = arg0; h = arg0; w = arg0; q = arg0;
	printf("%d %u %d %u %d %x %o %c|%5d|%-5d|%05d\n", b, ub, h, w, q, arg1, arg1 & 077, 65 + (arg1 & 7), b, b, h);
	printf("%d %d %d\n", arg0 < 0, (uint32_t)arg0 > 5, (arg0 >> 1) + (arg0 << 2) + (arg0 ^ 0x55) - ~arg0);
}
python$1:__main__::function-return { @[(char)arg2, arg2 * arg2 - 5 > 100 ? "big" : "small"] = count(); }
END { printa("%d %s %@d\n", @); }
