BEGIN
{
	x = a * b + c;
	x = a + b * c / d % e;
	x = a - b - c;
	x = a << b + c >> d;
	x = a < b == c > d;
	x = a & b == c;
	x = a | b ^ c & d;
	x = a && b ^^ c || d;
	x = a || b ^^ c && d;
	x = a ? b : c ? d : e;
	x = a ? b, c : d;
	x = a = b += c;
	x = -a * !b + ~c - +d;
	x = - - a;
	x = a++ + ++b - c-- - --d;
	x = a+++b;
	x = (a + b) * c;
	x = (int)a + b;
	x = (int)-a++;
	x = (char)a << 2;
	x = sizeof a + b;
	x = sizeof(a) * 2;
	x = a, b;
	x = *p + p[1];
	x = *p++;
	x = (a ? p : q)[2];
	a = 1; b = 2; c = 3; d = 4; e = 5; p = (int *)arg0; q = p;
	x <<= 1; x >>= 1; x &= 1; x |= 1; x ^= 1; x -= 1; x *= 2; x /= 2; x %= 2;
}
