/* Integers with C's types and operators. */
int i; unsigned int u; char c; unsigned char uc; short s;
BEGIN
{
	i = 2147483647; i++;			/*! expect -2147483648 4294967295 -1 255 */
	u = 0; u--;
	c = -1; uc = 255;
	trace(i); trace(u); trace(c); trace(uc);
}
BEGIN
{
	this->a = 7; this->b = -2;
	trace(this->a + this->b); trace(this->a * this->b); trace(this->a / this->b); trace(this->a % this->b);
	trace(this->b / 2); trace(this->b % 2);
	/*! expect 5 -14 -3 1 -1 0 */
}
BEGIN
{
	this->x = (unsigned long long)1 << 63; this->y = (long long)-8;
	trace(this->x >> 60); trace(this->y >> 1); trace(this->x / 3); trace(~this->y); trace(-this->y); trace(!this->y);
	/*! expect 8 -4 3074457345618258602 7 8 0 */
}
BEGIN
{
	this->m = -1; this->one = (unsigned int)1;
	trace(this->m < 1); trace((int)this->m < 1); trace((int)-1 < this->one); trace((unsigned int)this->m > 1);
	trace((unsigned char)300 == 44); trace((char)200);
	/*! expect 1 1 0 1 1 -56 */
}
BEGIN
{
	this->p = 5; this->q = 0;
	trace(this->p && this->q); trace(this->p || this->q); trace(this->p ^^ this->q); trace(this->q ? 10 : 20);
	trace(this->p & 4); trace(this->p | 8); trace(this->p ^ 1); trace((this->q, this->p));
	/*! expect 0 1 1 20 4 13 4 5 */
}
BEGIN
{
	this->k = 10; this->k += 5; this->k -= 1; this->k *= 3; this->k /= 4; this->k %= 7; this->k <<= 4; this->k >>= 1;
	this->k |= 1; this->k &= 0x1f; this->k ^= 3;
	trace(this->k); trace(this->k++); trace(++this->k); trace(this->k--); trace(--this->k);
	/*! expect 26 26 28 28 26 */
}
BEGIN { this->zero = 0; }
BEGIN { trace(1 / this->zero); }	/*! expect FAULT 1 4 */
BEGIN / 1 % this->zero == 0 / { trace(1); }	/*! expect FAULT 0 4 */
BEGIN { x = 3; y = 1 % (x - 3); z = 1; } /*! expect FAULT 2 4 */
BEGIN { trace(x); trace(z); }	/*! expect 3 0 */
