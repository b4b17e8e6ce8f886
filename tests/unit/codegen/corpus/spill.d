/* More values at a time than there are registers, and many keys in one statement. */
/*! fire test 1 1 2 3 4 5 6 7 8 9 */
test:::hit
{
	trace(arg0 * 3 + (arg1 * 5 + (arg2 * 7 + (arg3 * 11 + (arg4 * 13 + (arg5 * 17 + (arg6 * 19 + (arg7 * 23 + arg8))))))));
	trace((arg0 + arg1) * (arg2 + arg3) - (arg4 + arg5) * (arg6 + arg7) + (arg8 - arg0) * ((arg1 ^ arg2) | (arg3 << arg4)));
	trace(pid == pid && tid == tid ? (arg0 > 0 ? (arg1 > 5 ? 1 : (timestamp > 0 ? arg2 : 4)) : 5) : 6);
	/*! expect 571 888 3 */
}
test:::hit
{
	this->a = arg0; this->b = arg1; this->c = arg2; this->d = arg3; this->e = arg4; this->f = arg5; this->g = arg6;
	x[this->a, this->b] = this->c; x[this->b, this->a] = this->d; x[1, 1] = x[1, 2] + x[2, 1];
	trace(x[1, 2] + x[2, 1] * x[1, 1] + x[1, 2] * x[1, 2] * x[9, 9] + x[x[1, 2] - 2, 2] + x[1, 1] + x[1, 2] + x[1, 2] + x[2, 1]);
}
test:::hit { trace(this->a + this->b * this->c + this->d * this->e - this->f + this->g); @[this->a, this->b, this->c, this->d, this->e, this->f, this->g, arg0, arg1, arg2] = sum(this->a + arg8); }
/*! expect 51 */
/*! expect 28 */
/*! expect @_ 1 2 3 4 5 6 7 1 2 3 = 1 10 */
